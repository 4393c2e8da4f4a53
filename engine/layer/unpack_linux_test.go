package layer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEscapes(t *testing.T) {
	t.Parallel()
	limits := Limits{Entries: 20, Size: 1000}
	for _, c := range escapes {
		for i := range c.headers {
			if c.headers[i].Name == "" {
				c.headers[i] = tar.Header{Name: fmt.Sprint("n", i), Typeflag: tar.TypeDir}
			}
		}
		data := rawTar(t, c.headers...)
		_, _, _, err := ReadTOC(bytes.NewReader(data), ReadOptions{Limits: limits})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: ReadTOC gives %v, want %q", c.name, err, c.says)
		}
		top := t.TempDir()
		dir := filepath.Join(top, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_, _, _, err = Unpack(bytes.NewReader(data), dir, UnpackOptions{ReadOptions: ReadOptions{Limits: limits}, Unprivileged: true})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: Unpack gives %v, want %q", c.name, err, c.says)
		}
		if names, _ := os.ReadDir(top); len(names) != 1 {
			t.Errorf("%s: something was written beside the directory: %v", c.name, names)
		}
	}
}

// A foreign tar: not sorted, parents missing, "./" names, a path twice.
func foreignTar(t *testing.T) []byte {
	return rawTar(t,
		tar.Header{Name: "./z/deep/x", Typeflag: tar.TypeReg, Mode: 0o644, PAXRecords: map[string]string{"TEST.content": "1"}},
		tar.Header{Name: "./a", Typeflag: tar.TypeReg, Mode: 0o600, PAXRecords: map[string]string{"TEST.content": "old"}},
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "./a", Typeflag: tar.TypeReg, Mode: 0o644, PAXRecords: map[string]string{"TEST.content": "newer"}},
		tar.Header{Name: "z/", Typeflag: tar.TypeDir, Mode: 0o700},
		tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "./a"},
		tar.Header{Name: "c", Typeflag: tar.TypeLink, Linkname: "b"},
		tar.Header{Name: "z/.wh.gone", Typeflag: tar.TypeReg},
	)
}

func TestForeignTar(t *testing.T) {
	t.Parallel()
	toc, _, _, err := ReadTOC(bytes.NewReader(foreignTar(t)), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(toc.Entries), `
		d 0755 0 0 ""
		f 0644 0 0 5 "a"
		h 0644 0 0 "b" "a"
		h 0644 0 0 "c" "a"
		d 0700 0 0 "z"
		w "z/gone"
		f 0644 0 0 1 "z/deep/x"`)
	dir := t.TempDir()
	got, _, _, err := Unpack(bytes.NewReader(foreignTar(t)), dir, UnpackOptions{Unprivileged: os.Geteuid() != 0})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, string(got.Encode()), string(toc.Encode()))
	if data, err := os.ReadFile(filepath.Join(dir, "c")); err != nil || string(data) != "newer" {
		t.Errorf("c holds %q, %v", data, err)
	}
}

func TestUnpackWantsEmptyDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, _, err := Unpack(bytes.NewReader(nil), dir, UnpackOptions{})
	wantError(t, err, "not an empty directory")
}

// What Unpack makes is what was written, read back with the system's calls.
func TestUnpackRestoresAll(t *testing.T) {
	t.Parallel()
	needRoot(t)
	items := parse(t, `
		d 0755 0 0 "d"
		d 0500 1000 1000 "d/closed"
		f 4711 1000 5 "d/closed/su" "security.capability" "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" "user.a" "1" = su
		f 0644 0 0 "d/first" = linked
		h 0644 0 0 "d/second" "d/first"
		d 2777 0 7 "d/setgid"
		f 0644 0 0 "d/setgid/mine" = 0:0, not the group of the directory
		l 0777 3 4 "d/link" "/nowhere"
		p 0622 3 4 "d/pipe"
		f 0666 0 0 "d/open" = o`)
	data, want := writeTar(t, items)
	dir := t.TempDir()
	toc, diffID, size, err := Unpack(bytes.NewReader(data), dir, UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diffID != want.DiffID || size != want.Size || toc.Digest() != want.TOC.Digest() {
		t.Errorf("got %s, %d, %s", diffID, size, toc.Digest())
	}
	// Reading it as an upper directory describes every property.
	back, _, err := FromUpper(dir, UpperOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, again := writeTar(t, back); again.DiffID != want.DiffID {
		t.Errorf("read back:\n%swritten:\n%s", lines(back), lines(want.TOC.Entries))
	}
}

func TestUnpackTimes(t *testing.T) {
	t.Parallel()
	data, _ := writeTar(t, parse(t, `
		d 0755 0 0 "d"
		f 0644 0 0 "d/a" = a
		f 0644 0 0 "d/b" = b
		l 0777 0 0 "d/l" "a"`))
	dir := t.TempDir()
	old := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	times := map[string]time.Time{"d": old, "d/a": old, "d/l": old}
	if _, _, _, err := Unpack(bytes.NewReader(data), dir, UnpackOptions{MTimes: times, Unprivileged: true}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"d", "d/a", "d/l", "d/b"} {
		st, err := os.Lstat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if _, given := times[path]; given != st.ModTime().Equal(old) {
			t.Errorf("%s is of %s", path, st.ModTime())
		}
		if time.Since(st.ModTime()) > time.Hour && path == "d/b" {
			t.Errorf("%s has not the time of unpacking but %s", path, st.ModTime())
		}
	}
}

func TestUnpackTranslatesIDs(t *testing.T) {
	t.Parallel()
	needRoot(t)
	data, _ := writeTar(t, parse(t, `f 4755 7 0 "a" = a`))
	ids := []IDRange{{0, 1000, 1}, {1, 100000, 65536}}
	dir := t.TempDir()
	if _, _, _, err := Unpack(bytes.NewReader(data), dir, UnpackOptions{UIDs: ids, GIDs: ids}); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(dir, "a"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Uid != 100006 || st.Gid != 1000 || st.Mode&0o7777 != 0o4755 {
		t.Errorf("got %d:%d %o", st.Uid, st.Gid, st.Mode)
	}
	items, _, err := FromUpper(dir, UpperOptions{UIDs: ids, GIDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), `f 4755 7 0 1 "a"`)
	_, _, _, err = Unpack(bytes.NewReader(data), t.TempDir(), UnpackOptions{UIDs: ids[:1], GIDs: ids})
	wantError(t, err, "subordinate ids")
	_, _, err = FromUpper(dir, UpperOptions{UIDs: ids[:1], GIDs: ids})
	wantError(t, err, "not one of the container's")
}

// mountOverlay shows lower directories, topmost first, with an upper one.
func mountOverlay(t *testing.T, upper, opts string, lower ...string) string {
	t.Helper()
	needRoot(t)
	work, merged := t.TempDir(), t.TempDir()
	data := "lowerdir=" + strings.Join(lower, ":") + opts
	if upper != "" {
		data += ",upperdir=" + upper + ",workdir=" + work
	}
	if err := unix.Mount("overlay", merged, "overlay", 0, data); err != nil {
		t.Skipf("cannot mount an overlay here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(merged, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return merged
}

// listing describes a tree through the system's calls, without overlay's
// own attributes.
func listing(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `cd "$1" && find . -mindepth 1 ! -type s -printf '%p %y %m %U:%G %l\n' | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum`, "sh", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("list: %v\n%s", err, out)
	}
	return string(out)
}

func TestUnpackedDeletionsHideInOverlay(t *testing.T) {
	t.Parallel()
	needRoot(t)
	below, _ := writeTar(t, parse(t, `
		d 0755 0 0 "d"
		f 0644 0 0 "d/a" = a
		f 0644 0 0 "d/b" = b
		d 0755 0 0 "e"
		f 0644 0 0 "e/old" = old
		d 0755 0 0 "r"
		f 0644 0 0 "r/old" = old`))
	above := rawTar(t,
		tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "d/.wh.a", Typeflag: tar.TypeReg},
		tar.Header{Name: "e/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "e/new", Typeflag: tar.TypeReg, Mode: 0o644},
		tar.Header{Name: "e/.wh..wh..opq", Typeflag: tar.TypeReg},
		tar.Header{Name: ".wh.r", Typeflag: tar.TypeReg}, // and again, as something new
		tar.Header{Name: "r/", Typeflag: tar.TypeDir, Mode: 0o700},
		tar.Header{Name: "r/new", Typeflag: tar.TypeReg, Mode: 0o644},
	)
	const want = `
		./d d 755 0:0
		./d/b f 644 0:0
		./e d 755 0:0
		./e/new f 644 0:0
		./r d 700 0:0
		./r/new f 644 0:0`
	for name, opts := range map[string]UnpackOptions{
		"": {}, ",userxattr": {UserXattr: true}, ",userxattr,": {UserXattr: true, XattrWhiteouts: true},
	} {
		low, high := t.TempDir(), t.TempDir()
		for dir, data := range map[string][]byte{low: below, high: above} {
			if _, _, _, err := Unpack(bytes.NewReader(data), dir, opts); err != nil {
				t.Fatal(err)
			}
		}
		merged := mountOverlay(t, "", strings.TrimSuffix(name, ","), high, low)
		var lines strings.Builder
		for line := range strings.Lines(listing(t, merged)) {
			if strings.HasPrefix(line, "./") { // the rest are digests
				lines.WriteString(strings.TrimSpace(line) + "\n")
			}
		}
		equal(t, lines.String(), want)
	}
	// The merged table says the same.
	tree := treeOf(t, `d 0755 0 0 "d"`)
	for _, data := range [][]byte{below, above} {
		toc, _, _, err := ReadTOC(bytes.NewReader(data), ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if tree, err = tree.With(toc); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, lines(tree.entries()), `
		d 0755 0 0 "d"
		f 0644 0 0 1 "d/b"
		d 0755 0 0 "e"
		f 0644 0 0 0 "e/new"
		d 0700 0 0 "r"
		f 0644 0 0 0 "r/new"`)
}

func TestWriteDir(t *testing.T) {
	t.Parallel()
	needRoot(t)
	var layers []func() (io.ReadCloser, error)
	tree := &Tree{}
	for _, items := range []string{`
		d 0755 0 0 "bin"
		f 0755 0 0 "bin/a" = busybox
		h 0755 0 0 "bin/b" "bin/a"
		h 0755 0 0 "bin/c" "bin/a"
		d 0700 5 5 "d"
		f 0600 0 0 "d/gone" = secret
		l 0777 0 0 "lib" "usr/lib"`, `
		d 0755 0 0 "bin"
		f 0755 0 0 "bin/a" = other
		d 1777 0 0 "d"
		w "d/gone"
		d 0755 0 0 "lib"
		f 0644 0 0 "lib/x" = not through the link`} {
		data, w := writeTar(t, parse(t, items))
		layers = append(layers, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
		var err error
		if tree, err = tree.With(w.TOC); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := WriteDir(tree, layers, dir, UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	items, _, err := FromUpper(dir, UpperOptions{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, lines(items), lines(tree.TOC().Entries))
	equal(t, lines(items), `
		d 0755 0 0 "bin"
		f 0755 0 0 5 "bin/a"
		f 0755 0 0 7 "bin/b"
		h 0755 0 0 "bin/c" "bin/b"
		d 1777 0 0 "d"
		d 0755 0 0 "lib"
		f 0644 0 0 20 "lib/x"`)
}

func TestWriteDirRefusesATarThatIsNotTheTables(t *testing.T) {
	t.Parallel()
	needRoot(t)
	_, said := writeTar(t, parse(t, `
		d 0755 0 0 "bin"
		f 0755 0 0 "bin/a" = busybox
		l 0777 0 0 "lib" "usr/lib"`))
	tree, err := Merge(said.TOC)
	if err != nil {
		t.Fatal(err)
	}
	for name, items := range map[string]string{
		"content": `
			d 0755 0 0 "bin"
			f 0755 0 0 "bin/a" = busybex
			l 0777 0 0 "lib" "usr/lib"`,
		"link": `
			d 0755 0 0 "bin"
			f 0755 0 0 "bin/a" = busybox
			l 0777 0 0 "lib" "usr/lob"`,
	} {
		data, _ := writeTar(t, parse(t, items))
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		err := WriteDir(tree, []func() (io.ReadCloser, error){open}, t.TempDir(), UnpackOptions{})
		if err == nil || !strings.Contains(err.Error(), "table of contents") {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	var data bytes.Buffer
	if _, err := Write(&data, manyFiles(5000, 12<<10)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(data.Len()))
	b.ReportAllocs()
	for b.Loop() {
		dir := b.TempDir()
		if _, _, _, err := Unpack(bytes.NewReader(data.Bytes()), dir, UnpackOptions{Unprivileged: true}); err != nil {
			b.Fatal(err)
		}
	}
}
