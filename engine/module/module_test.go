package module

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// list is a folder as text: a line an entry.
func list(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if to, err := os.Readlink(p); err == nil {
			b.WriteString(rel + " -> " + to + "\n")
			return nil
		}
		text, err := os.ReadFile(p)
		info, _ := e.Info()
		b.WriteString(rel + " " + info.Mode().String() + " " + string(text) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPackedAndUnpackedIsTheSame(t *testing.T) {
	t.Parallel()
	var archives [][]byte
	for i := range 2 { // other times and modes, the same bytes
		dir := t.TempDir()
		write(t, dir, map[string]string{
			"image.hcl": "image", "files/a.sh": "#!/bin/sh", "z": "", ".git/config": "secret", ".env": "secret", "deep/.hidden": "x",
		})
		if err := os.Symlink("../image.hcl", filepath.Join(dir, "files/link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, "files/a.sh"), []fs.FileMode{0o755, 0o700}[i]); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1000*i), 0)
		if err := os.Chtimes(filepath.Join(dir, "z"), when, when); err != nil {
			t.Fatal(err)
		}
		a, names, err := Pack(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(names, " "); got != "files/a.sh files/link image.hcl z" {
			t.Errorf("packed %s", got)
		}
		archives = append(archives, a)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two equal folders give two archives")
	}
	to := t.TempDir()
	if err := Unpack(bytes.NewReader(archives[0]), to); err != nil {
		t.Fatal(err)
	}
	want := "files/a.sh -rwxr-xr-x #!/bin/sh\nfiles/link -> ../image.hcl\nimage.hcl -rw-r--r-- image\nz -rw-r--r-- \n"
	if got := list(t, to); got != want {
		t.Errorf("unpacked:\n%swant:\n%s", got, want)
	}
}

func TestPackRefuses(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T, dir string){
		"which is not in the folder": func(t *testing.T, dir string) {
			if err := os.Symlink("../../x", filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
		},
		"larger than": func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, "image.hcl"), MaxBytes+1); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"image.hcl": "x"})
		make(t, dir)
		if _, _, err := Pack(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v; want %q", err, name)
		}
	}
	if _, _, err := Pack(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there is packed")
	}
}

func TestUnpackRefusesWhatIsHostile(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		headers []tar.Header
		want    string
	}{
		{"parent", []tar.Header{{Name: "../x", Typeflag: tar.TypeReg}}, "leads out"},
		{"inner parent", []tar.Header{{Name: "a/../../x", Typeflag: tar.TypeReg}}, "leads out"},
		{"absolute", []tar.Header{{Name: "/etc/x", Typeflag: tar.TypeReg}}, "leads out"},
		{"link out", []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "../x"}}, "leads out"},
		{"link out by way of a link", []tar.Header{
			{Name: "deep/er", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "deep/er/l", Typeflag: tar.TypeSymlink, Linkname: "../../x"},
		}, "leads out"},
		{"link out by way of a link to come", []tar.Header{
			{Name: "a/l", Typeflag: tar.TypeSymlink, Linkname: "b/../../x"}, {Name: "a/b", Typeflag: tar.TypeSymlink, Linkname: ".."},
		}, "leads out"},
		{"absolute link", []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, "leads out"},
		{"through a file", []tar.Header{{Name: "a", Typeflag: tar.TypeReg}, {Name: "a/b", Typeflag: tar.TypeReg}}, "a"},
		{"device", []tar.Header{{Name: "d", Typeflag: tar.TypeBlock}}, "neither a file"},
		{"hard link", []tar.Header{{Name: "h", Typeflag: tar.TypeLink, Linkname: "x"}}, "neither a file"},
		{"twice", []tar.Header{{Name: "a", Typeflag: tar.TypeReg}, {Name: "a", Typeflag: tar.TypeReg}}, "exists"},
		{"huge", []tar.Header{{Name: "a", Typeflag: tar.TypeReg, Size: MaxBytes + 1}}, "larger than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			zw := gzip.NewWriter(&b)
			tw := tar.NewWriter(zw)
			for _, h := range c.headers {
				h.Mode = 0o644
				if err := tw.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			_ = tw.Flush() // a size without its bytes is part of the test
			if err := zw.Close(); err != nil {
				t.Fatal(err)
			}
			top := t.TempDir()
			dir := filepath.Join(top, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := Unpack(&b, dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
			if _, err := os.Lstat(filepath.Join(top, "x")); err == nil {
				t.Error("something was written outside")
			}
		})
	}
	if err := Unpack(strings.NewReader("no gzip"), t.TempDir()); err == nil {
		t.Error("what is no archive was unpacked")
	}
}
