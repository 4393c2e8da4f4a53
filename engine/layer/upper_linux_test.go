package layer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// stepBelow is what the steps of the tests run on.
const stepBelow = `
	d 0755 0 0 "etc"
	f 0644 0 0 "etc/a" = a
	f 0644 0 0 "etc/b" = b
	d 0700 3 4 "etc/dir"
	f 0644 0 0 "etc/dir/x" = x
	f 0644 0 0 "etc/dir/y" = y
	d 0755 0 0 "etc/dir/sub"
	f 0644 0 0 "etc/dir/sub/s" = s
	f 0644 0 0 "etc/one" = linked
	h 0644 0 0 "etc/two" "etc/one"
	l 0777 0 0 "lib" "usr/lib"
	d 1777 0 0 "tmp"
	d 0755 0 0 "usr"
	d 0755 0 0 "usr/lib"
	f 0644 0 0 "usr/lib/z" = z`

// steps are what a command may do, and the layer that it is to become.
var steps = []struct{ name, script, layer string }{
	{"nothing", `true`, ``},
	{"new file", `echo hi > etc/new`, `
		d 0755 0 0 "etc"
		f 0644 0 0 3 "etc/new"`},
	{"parents keep what they have", `echo hi > etc/dir/new; echo > tmp/t`, `
		d 0755 0 0 "etc"
		d 0700 3 4 "etc/dir"
		f 0644 0 0 3 "etc/dir/new"
		d 1777 0 0 "tmp"
		f 0644 0 0 1 "tmp/t"`},
	{"touch and rewrite equal", `touch etc/a; printf b > etc/b; chmod 600 etc/a; chmod 644 etc/a`, ``},
	{"copied-up directories", `chmod 777 etc/dir; chmod 700 etc/dir; mkdir tmp/x; rmdir tmp/x`, ``},
	{"mode of a directory", `chmod 711 etc/dir`, `
		d 0755 0 0 "etc"
		d 0711 3 4 "etc/dir"`},
	{"owner of a file", `chown 1:2 etc/a`, `
		d 0755 0 0 "etc"
		f 0644 1 2 1 "etc/a"`},
	{"deletion", `rm etc/a; echo > etc/tmp; rm etc/tmp`, `
		d 0755 0 0 "etc"
		w "etc/a"`},
	{"delete a directory", `rm -r etc/dir`, `
		d 0755 0 0 "etc"
		w "etc/dir"`},
	{"replace a directory", `rm -r etc/dir; mkdir etc/dir; echo > etc/dir/y; echo > etc/dir/n`, `
		d 0755 0 0 "etc"
		d 0755 0 0 "etc/dir"
		w "etc/dir/sub"
		w "etc/dir/x"
		f 0644 0 0 1 "etc/dir/n"
		f 0644 0 0 1 "etc/dir/y"`},
	{"replace a directory that has directories", `rm -r etc/dir; mkdir -p etc/dir/sub; chmod 700 etc/dir; chown 3:4 etc/dir`, `
		d 0755 0 0 "etc"
		d 0700 3 4 "etc/dir"
		w "etc/dir/x"
		w "etc/dir/y"
		d 0755 0 0 "etc/dir/sub"
		w "etc/dir/sub/s"`},
	{"directory becomes file", `rm -r etc/dir; printf f > etc/dir`, `
		d 0755 0 0 "etc"
		f 0644 0 0 1 "etc/dir"`},
	{"file becomes directory", `rm etc/a; mkdir etc/a; printf f > etc/a/f`, `
		d 0755 0 0 "etc"
		d 0755 0 0 "etc/a"
		f 0644 0 0 1 "etc/a/f"`},
	{"link is replaced", `rm lib; mkdir lib`, `d 0755 0 0 "lib"`},
	{"through a link", `printf new > lib/new`, `
		d 0755 0 0 "usr"
		d 0755 0 0 "usr/lib"
		f 0644 0 0 3 "usr/lib/new"`},
	{"hard links", `printf l > tmp/m; ln tmp/m tmp/a; ln tmp/m tmp/z`, `
		d 1777 0 0 "tmp"
		f 0644 0 0 1 "tmp/a"
		h 0644 0 0 "tmp/m" "tmp/a"
		h 0644 0 0 "tmp/z" "tmp/a"`},
	{"a hard link below breaks", `printf x >> etc/two`, `
		d 0755 0 0 "etc"
		f 0644 0 0 7 "etc/two"`},
	{"rename a directory", `mv etc/dir/sub etc/moved`, `
		d 0755 0 0 "etc"
		d 0700 3 4 "etc/dir"
		w "etc/dir/sub"
		d 0755 0 0 "etc/moved"
		f 0644 0 0 1 "etc/moved/s"`},
	{"setuid and pipe and symlink and attribute", `printf s > tmp/s; chmod 4755 tmp/s; mkfifo tmp/p; ln -s nowhere tmp/l; python3 -c 'import os; os.setxattr("tmp/s", "user.k", b"v")'`, `
		d 1777 0 0 "tmp"
		l 0777 0 0 "tmp/l" "nowhere"
		p 0644 0 0 "tmp/p"
		f 4755 0 0 1 "tmp/s" "user.k" "v"`},
	{"mount stubs", `mkdir -p proc run/secrets; : > run/secrets/token; : > etc/resolv.conf`, ``},
	{"filled stubs stay", `mkdir -p proc; echo > proc/x; echo > etc/resolv.conf`, `
		d 0755 0 0 "etc"
		f 0644 0 0 1 "etc/resolv.conf"
		d 0755 0 0 "proc"
		f 0644 0 0 1 "proc/x"`},
}

var stepStubs = []string{"proc", "run", "run/secrets", "run/secrets/token", "etc/resolv.conf"}

// lowerOf unpacks a layer for overlay.
func lowerOf(t *testing.T, items string) (dir string, tree *Tree) {
	t.Helper()
	data, w := writeTar(t, parse(t, items))
	dir = t.TempDir()
	if _, _, _, err := Unpack(bytes.NewReader(data), dir, UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tree, err := Merge(w.TOC)
	if err != nil {
		t.Fatal(err)
	}
	return dir, tree
}

func runStep(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-euc", "umask 022; "+script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

const overlayFlags = ",metacopy=off,redirect_dir=nofollow,index=off,xino=off"

// Each step runs on a real overlay. Its layer is what the table says; the
// sealed upper directory, the layer unpacked again and the table of contents
// merged show one tree.
func TestStepsBecomeLayers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	needTool(t, "python3")
	lower, below := lowerOf(t, stepBelow)
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			upper := filepath.Join(t.TempDir(), "upper")
			if err := os.Mkdir(upper, 0o755); err != nil {
				t.Fatal(err)
			}
			merged := mountOverlay(t, upper, overlayFlags, lower)
			runStep(t, merged, step.script)
			opts := UpperOptions{Below: below, Stubs: stepStubs}
			items, notes, err := FromUpper(upper, opts)
			if err != nil || len(notes) > 0 {
				t.Fatal(err, notes)
			}
			data, w := writeTar(t, items)
			var toc TOC
			if !w.Empty {
				toc = *w.TOC
			}
			equal(t, lines(toc.Entries), step.layer)
			if err := SealUpper(upper, items, opts); err != nil {
				t.Fatal(err)
			}
			checkSealed(t, lower, upper, data, below, &toc)
		})
	}
}

// checkSealed compares the live upper directory with its restored form.
func checkSealed(t *testing.T, lower, upper string, data []byte, below *Tree, toc *TOC) {
	t.Helper()
	restored := t.TempDir()
	if err := os.Chmod(restored, 0o755); err != nil {
		t.Fatal(err)
	}
	if len(data) > 0 {
		if _, _, _, err := Unpack(bytes.NewReader(data), restored, UnpackOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	live := listing(t, mountOverlay(t, "", "", upper, lower))
	again := listing(t, mountOverlay(t, "", "", restored, lower))
	if live != again {
		t.Errorf("live:\n%s\nrestored:\n%s", live, again)
	}
	if a, b := listing(t, upper), listing(t, restored); a != b {
		t.Errorf("upper directory, live:\n%s\nrestored:\n%s", a, b)
	}
	tree, err := below.With(toc)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(again, "\n./") + 1; tree.Len() != n {
		t.Errorf("the merged table has %d entries, the overlay %d:\n%s", tree.Len(), n, again)
	}
}

func TestUpperWithoutTableBelow(t *testing.T) {
	t.Parallel()
	needRoot(t)
	lower, _ := lowerOf(t, stepBelow)
	upper := t.TempDir()
	merged := mountOverlay(t, upper, overlayFlags, lower)
	runStep(t, merged, `rm -r etc/dir; mkdir etc/dir; rm etc/a`)
	items, _, err := FromUpper(upper, UpperOptions{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), `
		d 0755 0 0 "etc"
		w "etc/a"
		d 0755 0 0 "etc/dir"
		o "etc/dir"`)
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	needRoot(t)
	lower, below := lowerOf(t, stepBelow)
	upper := t.TempDir()
	merged := mountOverlay(t, upper, overlayFlags, lower)
	runStep(t, merged, `mkdir -p out/deep; echo > out/deep/x; chmod 700 out; rm etc/dir/x; chmod 777 etc/dir etc; echo > etc/not; rm etc/a; echo > usr/lib/new`)
	for _, c := range []struct {
		outputs []string
		want    string
		says    string
	}{
		{[]string{}, ``, ""},
		{[]string{"out"}, `
			d 0700 0 0 "out"
			d 0755 0 0 "out/deep"
			f 0644 0 0 1 "out/deep/x"`, ""},
		{[]string{"out/deep"}, `
			d 0755 0 0 "out"
			d 0755 0 0 "out/deep"
			f 0644 0 0 1 "out/deep/x"`, ""},
		{[]string{"etc/dir"}, `
			d 0755 0 0 "etc"
			d 0777 3 4 "etc/dir"
			w "etc/dir/x"`, ""},
		{[]string{"etc/dir/sub"}, ``, ""}, // exists below, not changed
		{[]string{"lib/new"}, `
			d 0755 0 0 "usr"
			d 0755 0 0 "usr/lib"
			f 0644 0 0 1 "usr/lib/new"`, ""},
		{[]string{"out", "nothing"}, ``, `the output "/nothing" does not exist`},
		{[]string{"etc/a"}, ``, `the output "/etc/a" does not exist`},
	} {
		items, _, err := FromUpper(upper, UpperOptions{Below: below, Outputs: c.outputs})
		if c.says != "" {
			wantError(t, err, c.says)
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.outputs, err)
		}
		equal(t, lines(items), c.want)
	}
	opts := UpperOptions{Below: below, Outputs: []string{"out/deep"}}
	items, _, err := FromUpper(upper, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := SealUpper(upper, items, opts); err != nil {
		t.Fatal(err)
	}
	data, w := writeTar(t, items)
	checkSealed(t, lower, upper, data, below, w.TOC)
}

func TestUpperRefusesAndNotes(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, c := range []struct {
		name, says string
		make       func(dir string) error
	}{
		{"device", "is a device", func(dir string) error { return unix.Mknod(dir+"/sda", unix.S_IFBLK|0o600, 8<<8) }},
		{"whiteout name", "means a deletion", func(dir string) error { return os.WriteFile(dir+"/.wh.x", nil, 0o644) }},
		{"sparse file", "is sparse", func(dir string) error {
			if err := os.WriteFile(dir+"/lastlog", nil, 0o644); err != nil {
				return err
			}
			return os.Truncate(dir+"/lastlog", 65<<20)
		}},
		{"metacopy", "metacopy=off", func(dir string) error {
			if err := os.WriteFile(dir+"/x", nil, 0o644); err != nil {
				return err
			}
			return unix.Setxattr(dir+"/x", "trusted.overlay.metacopy", nil, 0)
		}},
		{"redirect", "redirect_dir=nofollow", func(dir string) error {
			if err := os.Mkdir(dir+"/x", 0o755); err != nil {
				return err
			}
			return unix.Setxattr(dir+"/x", "trusted.overlay.redirect", []byte("/y"), 0)
		}},
	} {
		dir := t.TempDir()
		if err := c.make(dir); err != nil {
			t.Fatal(err)
		}
		_, _, err := FromUpper(dir, UpperOptions{})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	// A socket's name is short: it may have 108 bytes with its path.
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", dir+"/sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	items, notes, err := FromUpper(dir, UpperOptions{})
	if err != nil || len(items) > 0 || len(notes) != 1 || !strings.Contains(notes[0], `"/sock"`) {
		t.Errorf("got %v %v %v", items, notes, err)
	}
}

func TestXattrsOfLayers(t *testing.T) {
	t.Parallel()
	rev3 := "\x01\x00\x00\x03" + strings.Repeat("c", 16) + "\xe8\x03\x00\x00"
	got := keptXattrs(map[string]string{
		"security.capability": rev3, "user.a": "1", "user.overlay.opaque": "y", "trusted.overlay.origin": "o",
		"security.selinux": "s", "security.ima": "i", "system.posix_acl_access": "acl", "btrfs.compression": "zstd", "system.nfs4_acl": "n",
	})
	want := map[string]string{"security.capability": "\x01\x00\x00\x02" + strings.Repeat("c", 16), "user.a": "1", "system.posix_acl_access": "acl"}
	if len(got) != len(want) {
		t.Errorf("got %q", got)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if rev2 := want["security.capability"]; plainCapability(rev2) != rev2 {
		t.Error("a capability of revision 2 has changed")
	}
}

func TestReadingChangesEndsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"large", "small"} {
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("x"), 4<<20), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var asked atomic.Int64
	_, _, err := FromUpper(dir, UpperOptions{Stop: func() error {
		if asked.Add(1) > 2 {
			return io.ErrClosedPipe
		}
		return nil
	}})
	if !errors.Is(err, io.ErrClosedPipe) || asked.Load() > 5 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}
