package layer

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// copySource is what the copies take from.
const copySource = `
	d 0755 0 0 "app"
	f 4750 1000 1000 "app/main" "security.capability" "cap" "user.k" "v" = main
	f 0644 1000 1000 "app/one" = linked
	h 0644 1000 1000 "app/two" "app/one"
	d 0700 1000 1000 "app/sub"
	l 0777 0 0 "app/sub/up" "../main"
	f 0600 0 0 "app/sub/x.txt" = x
	p 0644 0 0 "app/sub/pipe"
	d 0755 0 0 "bin"
	f 0755 0 0 "bin/tool" = tool
	l 0777 0 0 "current" "/app"
	l 0777 0 0 "dangling" "nowhere"
	d 0755 0 0 "empty"
	f 0644 0 0 "go.mod" = mod
	f 0644 0 0 "go.sum" = sum
	f 0644 0 0 "[id].tsx" = route`

// copyBelow is what the copies go on: Debian's layout in small.
const copyBelow = `
	l 0777 0 0 "bin" "usr/bin"
	d 0755 0 0 "etc"
	f 0644 0 0 "etc/file" = f
	d 0750 1000 1000 "home"
	l 0777 0 0 "link-a" "link-b"
	l 0777 0 0 "link-b" "home"
	l 0777 0 0 "lost" "not/there"
	l 0777 0 0 "loop" "loop"
	d 0755 0 0 "run"
	d 1777 0 0 "tmp"
	d 0755 0 0 "usr"
	d 0755 0 0 "usr/bin"
	f 0755 0 0 "usr/bin/sh" = sh
	d 0755 0 0 "var"
	l 0777 0 0 "var/run" "/run"`

// The table of `copy` in the language, and placement.
var copies = []struct {
	name string
	req  CopyRequest
	want string // the items, or the error after "error: "
}{
	{"one file into a folder", CopyRequest{Sources: []string{"go.mod"}, To: "/src/"}, `
		d 0755 0 0 "src"
		f 0644 0 0 3 "src/go.mod"`},
	{"one file becomes", CopyRequest{Sources: []string{"go.mod"}, To: "/src/m"}, `
		d 0755 0 0 "src"
		f 0644 0 0 3 "src/m"`},
	{"into the root", CopyRequest{Sources: []string{"/go.mod"}, To: "/"}, `f 0644 0 0 3 "go.mod"`},
	{"one folder gives its contents", CopyRequest{Sources: []string{"app/sub"}, To: "/d"}, `
		d 0700 1000 1000 "d"
		p 0644 0 0 "d/pipe"
		l 0777 0 0 "d/up" "../main"
		f 0600 0 0 1 "d/x.txt"`},
	{"one folder with a slash is the same", CopyRequest{Sources: []string{"app/sub/"}, To: "/d/", Exclude: []string{"**/pipe", "app/sub/up"}}, `
		d 0700 1000 1000 "d"
		f 0600 0 0 1 "d/x.txt"`},
	{"as it is", CopyRequest{Sources: []string{"app"}, To: "/a", Exclude: []string{"app/sub"}}, `
		d 0755 0 0 "a"
		f 4750 1000 1000 4 "a/main" "security.capability" "cap" "user.k" "v"
		f 0644 1000 1000 6 "a/one"
		h 0644 1000 1000 "a/two" "a/one"`},
	{"owner", CopyRequest{Sources: []string{"app"}, To: "/a", Exclude: []string{"app/sub"}, Owner: &Owner{7, 8}}, `
		d 0755 7 8 "a"
		f 0750 7 8 4 "a/main" "user.k" "v"
		f 0644 7 8 6 "a/one"
		h 0644 7 8 "a/two" "a/one"`},
	{"mode", CopyRequest{Sources: []string{"app/sub"}, To: "/a", Mode: new(uint32(0o640)), Exclude: []string{"**/pipe"}}, `
		d 0750 1000 1000 "a"
		l 0777 0 0 "a/up" "../main"
		f 0640 0 0 1 "a/x.txt"`},
	{"several", CopyRequest{Sources: []string{"go.mod", "go.sum"}, To: "/s/"}, `
		d 0755 0 0 "s"
		f 0644 0 0 3 "s/go.mod"
		f 0644 0 0 3 "s/go.sum"`},
	{"glob", CopyRequest{Sources: []string{"go.*"}, To: "/s/", Exclude: []string{"*.sum"}}, `
		d 0755 0 0 "s"
		f 0644 0 0 3 "s/go.mod"`},
	{"braces", CopyRequest{Sources: []string{"/go.{mod,sum}"}, To: "/"}, `
		f 0644 0 0 3 "go.mod"
		f 0644 0 0 3 "go.sum"`},
	{"deep glob", CopyRequest{Sources: []string{"**/*.txt"}, To: "/s/"}, `
		d 0755 0 0 "s"
		f 0600 0 0 1 "s/x.txt"`},
	{"glob below a link", CopyRequest{Sources: []string{"current/o*"}, To: "/s/"}, `
		d 0755 0 0 "s"
		f 0644 1000 1000 6 "s/one"`},
	{"escaped name", CopyRequest{Sources: []string{`\[id\].tsx`}, To: "/p/"}, `
		d 0755 0 0 "p"
		f 0644 0 0 5 "p/[id].tsx"`},
	{"parents", CopyRequest{Sources: []string{"**/x.txt", "bin"}, To: "/p/", Parents: true}, `
		d 0755 0 0 "p"
		d 0755 0 0 "p/app"
		d 0755 0 0 "p/app/sub"
		f 0600 0 0 1 "p/app/sub/x.txt"
		d 0755 0 0 "p/bin"
		f 0755 0 0 4 "p/bin/tool"`},
	{"a source link is followed", CopyRequest{Sources: []string{"app/sub/up"}, To: "/s/"}, `
		d 0755 0 0 "s"
		f 4750 1000 1000 4 "s/up" "security.capability" "cap" "user.k" "v"`},
	{"a source link to a folder is followed", CopyRequest{Sources: []string{"current"}, To: "/c", Exclude: []string{"current/sub", "current/main"}}, `
		d 0755 0 0 "c"
		f 0644 1000 1000 6 "c/one"
		h 0644 1000 1000 "c/two" "c/one"`},
	{"an empty folder", CopyRequest{Sources: []string{"empty"}, To: "/e"}, `d 0755 0 0 "e"`},
	{"from a context", CopyRequest{Sources: []string{"app"}, To: "/a", Context: true, Exclude: []string{"app/sub/pipe"}}, `
		d 0755 0 0 "a"
		f 0755 0 0 4 "a/main"
		f 0644 0 0 6 "a/one"
		d 0755 0 0 "a/sub"
		l 0777 0 0 "a/sub/up" "../main"
		f 0644 0 0 1 "a/sub/x.txt"
		f 0644 0 0 6 "a/two"`},

	{"through usr-merge", CopyRequest{Sources: []string{"bin/tool"}, To: "/bin/"}, `
		d 0755 0 0 "usr"
		d 0755 0 0 "usr/bin"
		f 0755 0 0 4 "usr/bin/tool"`},
	{"a folder over a link to one", CopyRequest{Sources: []string{"/"}, To: "/", Exclude: []string{"app", "go.*", "[[]*", "dangling", "current", "empty"}}, `
		d 0755 0 0 "usr"
		d 0755 0 0 "usr/bin"
		f 0755 0 0 4 "usr/bin/tool"`},
	{"an absolute link", CopyRequest{Sources: []string{"go.mod"}, To: "/var/run/x"}, `
		d 0755 0 0 "run"
		f 0644 0 0 3 "run/x"`},
	{"links in two levels", CopyRequest{Sources: []string{"go.mod"}, To: "/link-a/x"}, `
		d 0750 1000 1000 "home"
		f 0644 0 0 3 "home/x"`},
	{"the sticky bit stays", CopyRequest{Sources: []string{"go.mod"}, To: "/tmp/", Owner: &Owner{5, 5}}, `
		d 1777 0 0 "tmp"
		f 0644 5 5 3 "tmp/go.mod"`},
	{"a folder that exists keeps what it is", CopyRequest{Sources: []string{"app/sub/"}, To: "/tmp", Exclude: []string{"**/pipe", "**/up"}}, `
		d 1777 0 0 "tmp"
		f 0600 0 0 1 "tmp/x.txt"`},
	{"a file is replaced", CopyRequest{Sources: []string{"go.mod"}, To: "/etc/file"}, `
		d 0755 0 0 "etc"
		f 0644 0 0 3 "etc/file"`},
	{"a dangling link at the end is replaced", CopyRequest{Sources: []string{"go.mod"}, To: "/lost"}, `f 0644 0 0 3 "lost"`},

	{"several to no folder", CopyRequest{Sources: []string{"go.mod", "go.sum"}, To: "/s"}, "error: end `to` with a slash"},
	{"a glob to no folder", CopyRequest{Sources: []string{"go.m*"}, To: "/s"}, "error: end `to` with a slash"},
	{"parents to no folder", CopyRequest{Sources: []string{"go.mod"}, To: "/s", Parents: true}, "error: end `to` with a slash"},
	{"a folder among several", CopyRequest{Sources: []string{"go.mod", "bin"}, To: "/s/"}, "error: `parents = true`"},
	{"a folder in a glob", CopyRequest{Sources: []string{"b*"}, To: "/s/"}, "error: `parents = true`"},
	{"two of one name", CopyRequest{Sources: []string{"go.mod", "./go.mod"}, To: "/s/"}, "error: two sources end up here"},
	{"nothing", CopyRequest{Sources: []string{"go.work"}, To: "/s/"}, "error: nothing matches"},
	{"nothing in a folder", CopyRequest{Sources: []string{"app/none/x"}, To: "/s/"}, `error: "/app" exists and is a directory`},
	{"a glob without a match", CopyRequest{Sources: []string{"*.rs"}, To: "/s/"}, "error: nothing matches"},
	{"a name that is a glob", CopyRequest{Sources: []string{"[id].tsx"}, To: "/s/"}, "error: a backslash"},
	{"all is excluded", CopyRequest{Sources: []string{"bin"}, To: "/s/", Exclude: []string{"bin"}}, "error: `exclude` leaves nothing"},
	{"up", CopyRequest{Sources: []string{"../x"}, To: "/s/"}, `error: has a ".."`},
	{"no glob", CopyRequest{Sources: []string{"a[b"}, To: "/s/"}, "error: not closed"},
	{"a source that dangles", CopyRequest{Sources: []string{"dangling"}, To: "/s/"}, `error: the link "/dangling" leads to "/nowhere"`},
	{"a pipe from a context", CopyRequest{Sources: []string{"app"}, To: "/s/", Context: true}, "error: named pipe"},
	{"a file as the root", CopyRequest{Sources: []string{"go.mod"}, To: ""}, "error: cannot become the root"},
	{"a file over a folder", CopyRequest{Sources: []string{"go.mod"}, To: "/usr/bin"}, "error: is a directory below"},
	{"a file over a link to a folder", CopyRequest{Sources: []string{"go.mod"}, To: "/bin"}, "error: is a link to a directory"},
	{"a folder over a file", CopyRequest{Sources: []string{"app/sub"}, To: "/etc/file", Exclude: []string{"**/pipe"}}, "error: where a file is below"},
	{"through a file", CopyRequest{Sources: []string{"go.mod"}, To: "/etc/file/x"}, `error: "/etc/file" is a file, not a directory`},
	{"through a dangling link", CopyRequest{Sources: []string{"go.mod"}, To: "/lost/x"}, `error: the link "/lost" leads to "/not", which is not there`},
	{"through a loop", CopyRequest{Sources: []string{"go.mod"}, To: "/loop/x"}, `error: the link "/loop" goes round`},
}

func TestCopy(t *testing.T) {
	t.Parallel()
	src, below := treeOf(t, copySource), treeOf(t, copyBelow)
	open := func(path string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(path)), nil }
	for _, c := range copies {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			items, err := Copy(c.req, src, open, below)
			if says, wrong := strings.CutPrefix(c.want, "error: "); wrong {
				wantError(t, err, says)
				var ce *CopyError
				if !errors.As(err, &ce) || ce.To == "" && c.req.To != "" || ce.Reason == "" {
					t.Errorf("not a full CopyError: %#v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			equal(t, lines(items), c.want)
			if selected, err := Select(c.req, src); err != nil || len(selected) == 0 {
				t.Errorf("selected %d, %v", len(selected), err)
			}
			for _, item := range items {
				if (item.Open != nil) != (item.Type == File) {
					t.Errorf("%s: has it content?", item.Entry)
				}
			}
		})
	}
}

// What a copy from a device folder says; a tree with one comes from a base.
func TestCopyRefusesDevices(t *testing.T) {
	t.Parallel()
	src, err := Merge(&TOC{Entries: []Entry{{Path: "null", Type: Char, Major: 1, Minor: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Copy(CopyRequest{Sources: []string{"null"}, To: "/dev/"}, src, nil, &Tree{})
	wantError(t, err, "this is a device")
}

// The key of a selection changes with everything that the layer depends on.
func TestSelectTellsApart(t *testing.T) {
	t.Parallel()
	req := CopyRequest{Sources: []string{"d"}, To: "/d"}
	key := func(items string, req CopyRequest) string {
		entries, err := Select(req, treeOf(t, items))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, e := range entries {
			out.WriteString(e.String() + "\n")
		}
		return out.String()
	}
	const base = "d 0755 0 0 \"d\"\nf 0644 0 0 \"d/a\" = a\nf 0644 0 0 \"d/b\" = a"
	seen := map[string]string{key(base, req): "base"}
	for name, change := range map[string]string{
		"mode":    strings.Replace(base, "0644", "0640", 1),
		"owner":   strings.Replace(base, "0644 0 0", "0644 1 0", 1),
		"content": strings.Replace(base, "= a", "= z", 1),
		"name":    strings.Replace(base, "d/b", "d/c", 1),
		"xattr":   strings.Replace(base, `"d/a"`, `"d/a" "user.x" "1"`, 1),
		"links":   "d 0755 0 0 \"d\"\nf 0644 0 0 \"d/a\" = a\nh 0644 0 0 \"d/b\" \"d/a\"",
		"folder":  strings.Replace(base, "d 0755", "d 0711", 1),
		"type":    "d 0755 0 0 \"d\"\nf 0644 0 0 \"d/a\" = a\nl 0777 0 0 \"d/b\" \"a\"",
	} {
		k := key(change, req)
		if other, ok := seen[k]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[k] = name
	}
	req.Context = true
	if key(base, req) != key(strings.Replace(base, "0644 0 0", "0664 5 5", 1), req) {
		t.Error("from a context, the checkout's mode bits are in the key")
	}
}

// archives are the same three members in all formats.
func archives(t *testing.T) map[string][]byte {
	plain := rawTar(t,
		tar.Header{Name: "./pkg/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "./pkg/z", Typeflag: tar.TypeReg, Mode: 0o755, PAXRecords: map[string]string{"TEST.content": "zz"}},
		tar.Header{Name: "./pkg/l", Typeflag: tar.TypeSymlink, Linkname: "z"},
	)
	out := map[string][]byte{"a.tar": plain}
	for ext, tool := range map[string]string{"gz": "gzip", "xz": "xz", "zst": "zstd", "bz2": "bzip2"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("%s is missing, so .%s is not tested", tool, ext)
			continue
		}
		cmd := exec.Command(tool, "-c")
		cmd.Stdin = bytes.NewReader(plain)
		data, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		out["a.tar."+ext] = data
	}
	var buf bytes.Buffer
	zw := zip.NewWriter(&buf)
	for _, m := range []struct {
		name, content string
		mode          os.FileMode
	}{{"pkg/l", "z", os.ModeSymlink | 0o777}, {"pkg/z", "zz", 0o755}} {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		h.SetMode(m.mode)
		w, err := zw.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	out["a.zip"] = buf.Bytes()
	return out
}

// copyArchive unpacks one archive into /opt.
func copyArchive(t *testing.T, name string, data []byte, req CopyRequest) ([]Item, error) {
	t.Helper()
	src, err := Merge(&TOC{Entries: []Entry{{Path: name, Type: File, Size: int64(len(data))}}})
	if err != nil {
		t.Fatal(err)
	}
	req.Sources, req.Unpack, req.Context = []string{name}, true, true
	open := func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return Copy(req, src, open, &Tree{})
}

func TestCopyUnpacks(t *testing.T) {
	t.Parallel()
	for name, data := range archives(t) {
		items, err := copyArchive(t, name, data, CopyRequest{To: "/opt/"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, w := writeTar(t, items)
		equal(t, lines(w.TOC.Entries), `
			d 0755 0 0 "opt"
			d 0755 0 0 "opt/pkg"
			l 0777 0 0 "opt/pkg/l" "z"
			f 0755 0 0 2 "opt/pkg/z"`)
		if got, want := w.TOC.Entries[3].Digest, digestOf(sha256.Sum256([]byte("zz"))); got != want {
			t.Errorf("%s: digest %s, want %s", name, got, want)
		}
	}
}

func TestCopyRefusesArchives(t *testing.T) {
	t.Parallel()
	for _, c := range escapes {
		if c.says == "more than 20 entries" || strings.Contains(c.says, "whiteout") {
			continue
		}
		_, err := copyArchive(t, "a.tar", rawTar(t, c.headers...), CopyRequest{To: "/opt/", Limits: Limits{Size: 1000}})
		if err == nil {
			t.Errorf("%s is unpacked", c.name)
		}
	}
	for name, member := range map[string]string{"up": "../x", "absolute": "/x", "backslash": `..\x`} {
		var buf bytes.Buffer
		zw := zip.NewWriter(&buf)
		if _, err := zw.Create(member); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := copyArchive(t, "a.zip", buf.Bytes(), CopyRequest{To: "/opt/"}); err == nil {
			t.Errorf("zip with a name that is %s is unpacked", name)
		}
	}
	_, err := copyArchive(t, "a.txt", []byte("no archive at all"), CopyRequest{To: "/opt/"})
	wantError(t, err, "cannot unpack")
}

// The archives themselves are what a copy with unpack depends on.
func TestSelectOfArchives(t *testing.T) {
	t.Parallel()
	src := treeOf(t, "f 0644 0 0 \"a.tar\" = x\nf 0644 0 0 \"b.tar\" = y")
	entries, err := Select(CopyRequest{Sources: []string{"*.tar"}, To: "/opt/", Unpack: true}, src)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(entries), `
		f 0644 0 0 1 "a.tar"
		f 0644 0 0 1 "b.tar"`)
	_, err = Select(CopyRequest{Sources: []string{"*.zip"}, To: "/opt/", Unpack: true}, src)
	wantError(t, err, "nothing matches")
	_, err = Copy(CopyRequest{Sources: []string{"/"}, To: "/opt/", Unpack: true}, src, nil, &Tree{})
	wantError(t, err, "`unpack` takes archives")
}

func TestCopyOfArchivesSaysOwnerAndMode(t *testing.T) {
	t.Parallel()
	data := rawTar(t,
		tar.Header{Name: "a", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 5, Gid: 6, PAXRecords: map[string]string{"TEST.content": "a"}},
		tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"},
	)
	items, err := copyArchive(t, "a.tar", data, CopyRequest{To: "/"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), `
		f 4755 5 6 1 "a"
		h 4755 5 6 "b" "a"`)
	items, err = copyArchive(t, "a.tar", data, CopyRequest{To: "/", Owner: &Owner{0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), `
		f 0755 0 0 1 "a"
		h 0755 0 0 "b" "a"`)
}

func BenchmarkCopy(b *testing.B) {
	src, err := Merge(bigTOC(50_000))
	if err != nil {
		b.Fatal(err)
	}
	req := CopyRequest{To: "/src/", Context: true, Exclude: []string{"**/*.md"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Copy(req, src, nil, &Tree{}); err != nil {
			b.Fatal(err)
		}
	}
}
