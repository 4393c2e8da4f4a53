package deb

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDamagedArchives(t *testing.T) {
	t.Parallel()
	good := spec{files: []file{{name: "./usr/f", content: strings.Repeat("text ", 1000)}}, compress: "gz"}.withDefaults()
	control, data := compressed(t, "gz", good.controlTar(t)), compressed(t, "gz", tarOf(t, good.files))
	version := []byte("2.0\n")
	entry := func(f file) []byte { return spec{files: []file{f}}.bytes(t) }
	bad := bytes.Clone(data)
	bad[len(bad)-6] ^= 1 // in gzip's checksum
	for _, c := range []struct {
		name string
		deb  []byte
		want string
	}{
		{"empty", nil, "reading the ar header"},
		{"another file", []byte("PK\x03\x04 something else"), "does not start as an ar archive"},
		{"wrong order", arOf("debian-binary", version, "data.tar.gz", data, "control.tar.gz", control), `"data.tar.gz" where control.tar must be`},
		{"no version", arOf("control.tar.gz", control, "data.tar.gz", data), "where debian-binary must be"},
		{"version 3", arOf("debian-binary", []byte("3.0\n"), "control.tar.gz", control), `format "3.0"`},
		{"no data", arOf("debian-binary", version, "control.tar.gz", control), "the archive has no data.tar"},
		{"unknown compression", arOf("debian-binary", version, "control.tar.br", control), "compression that is not known"},
		{"bad checksum", arOf("debian-binary", version, "control.tar.gz", control, "data.tar.gz", bad), "checksum"},
		{"cut inside", arOf("debian-binary", version, "control.tar.gz", control, "data.tar.gz", data[:len(data)/2]), "unexpected EOF"},
		{"no control file", arOf("debian-binary", version, "control.tar", tarOf(t, []file{{name: "./postinst", content: "x"}}), "data.tar", tarOf(t, nil)), "no control file"},
		{"climbing", entry(file{name: "./usr/../../etc/passwd", content: "x"}), "leads out of the archive"},
		{"absolute", entry(file{name: "/etc/passwd", content: "x"}), "is absolute"},
		{"climbing hard link", entry(file{name: "./f", kind: tar.TypeLink, link: "../../etc/passwd"}), "leads out of the archive"},
		{"hard link to nothing", entry(file{name: "./f", kind: tar.TypeLink, link: "./g"}), "hard link to /g, which is not a file"},
		{"device", entry(file{name: "./dev/null", kind: tar.TypeChar}), "is a device"},
		{"whiteout", entry(file{name: "./usr/.wh.f", content: "x"}), "means a deletion"},
		{"root as a file", entry(file{name: ".", content: "x"}), "the root is not a directory"},
		{"twice", spec{files: []file{{name: "./f", content: "1"}, {name: "./f", content: "2"}}}.bytes(t), "ships /f twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Unpacker{}.Install(t.Context(), Request{Arch: "amd64", Packages: []Package{packageOf("x", "1", "amd64", c.deb)}})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x 1 amd64") {
				t.Errorf("error %v, want the package and %q", err, c.want)
			}
		})
	}
}

func TestCompressions(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"", "gz", "zst", "xz"} {
		r := mustInstall(t, spec{compress: how, files: []file{{name: "./usr/f", content: "text"}}})
		if got := content(t, r, "usr/f"); got != "text" {
			t.Errorf("%q: %q", how, got)
		}
	}
}

// A member of several blocks goes through the parallel decoder.
func TestLargeXZ(t *testing.T) {
	t.Parallel()
	noise := make([]byte, minParallel+2<<20)
	rand.NewChaCha8([32]byte{}).Read(noise)
	s := spec{compress: "xz", files: []file{{name: "./usr/noise", content: string(noise)}, {name: "./usr/zeros", content: strings.Repeat("\x00", 3<<20)}}}
	r := mustInstall(t, s)
	for _, f := range s.files {
		if got := content(t, r, f.name[2:]); got != f.content {
			t.Errorf("%s: %d bytes, want %d", f.name, len(got), len(f.content))
		}
	}
	deb := s.bytes(t)
	for name, damaged := range map[string][]byte{"flipped": append(append(bytes.Clone(deb[:len(deb)/2]), deb[len(deb)/2]^1), deb[len(deb)/2+1:]...), "cut": deb[:len(deb)*2/3]} {
		_, err := Unpacker{}.Install(t.Context(), Request{Arch: "amd64", Packages: []Package{packageOf("x", "1", "amd64", damaged)}})
		if err == nil || !strings.Contains(err.Error(), "data.tar.xz") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBombs(t *testing.T) {
	t.Parallel()
	big := spec{compress: "zst", fields: "Installed-Size: 1\n", files: []file{{name: "./bomb", content: strings.Repeat("\x00", slack+8<<20)}}}
	_, err := install(t, big)
	if !errors.Is(err, errTooLarge) {
		t.Errorf("a bomb in data.tar: %v", err)
	}
	control := arOf("debian-binary", []byte("2.0\n"), "control.tar.zst",
		compressed(t, "zst", tarOf(t, []file{{name: "./control", content: strings.Repeat("\n", maxControl+1)}})))
	if _, err := decode(t.Context(), bytes.NewReader(control), packageOf("", "", "", control).SHA256, io.Discard); !errors.Is(err, errTooLarge) {
		t.Errorf("a bomb in control.tar: %v", err)
	}
}

func TestWrongArchive(t *testing.T) {
	t.Parallel()
	store := dirStore(t.TempDir())
	u := Unpacker{Store: store}
	data := spec{files: []file{{name: "./f", content: "x"}}}.bytes(t)
	p := packageOf("x", "1", "amd64", data)
	other := p
	other.SHA256 = strings.Repeat("0", 64)
	if err := u.Decode(t.Context(), other); err == nil || !strings.Contains(err.Error(), "instead of 000") {
		t.Errorf("a wrong digest: %v", err)
	}
	cut := p
	cut.Open = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data[:len(data)-700])), nil
	}
	if err := u.Decode(t.Context(), cut); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("a truncated archive: %v", err)
	}
	if files, _ := os.ReadDir(string(store)); len(files) != 0 {
		t.Errorf("what failed left %d files in the store", len(files))
	}
	renamed := p
	renamed.Version = "2"
	if err := u.Decode(t.Context(), renamed); err == nil || !strings.Contains(err.Error(), "the archive is of x 1 amd64") {
		t.Errorf("another version: %v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := u.Decode(stopped, p); !errors.Is(err, context.Canceled) {
		t.Errorf("a stopped context: %v", err)
	}
	if err := (Unpacker{}).Decode(t.Context(), p); err == nil {
		t.Error("decoded into no store")
	}
}

func TestStoredArchive(t *testing.T) {
	t.Parallel()
	store := dirStore(t.TempDir())
	u := Unpacker{Store: store}
	// Small files, one over several frames, one that ends on a border.
	var files []file
	for i := range 50 {
		files = append(files, file{name: fmt.Sprintf("./usr/share/%02d", i), content: strings.Repeat(string(rune('a'+i%26)), i*977)})
	}
	files = append(files, file{name: "./usr/big", content: strings.Repeat("0123456789abcdef", 3*frameSize/16)}, file{name: "./usr/\xff\"\n", content: "odd"})
	p := spec{files: files}.pkg(t)
	if err := u.Decode(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.Open = nil // everything must now come from the store
	r, err := u.Install(t.Context(), Request{Arch: "amd64", Packages: []Package{p}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		path := strings.TrimPrefix(f.name, "./")
		if got := content(t, r, path); got != f.content {
			t.Errorf("%q: %d bytes, want %d", path, len(got), len(f.content))
		}
		if it := find(t, r, path); it.Size != int64(len(f.content)) || it.Digest != digest(f.content) {
			t.Errorf("%q: %s", path, it.Entry.String())
		}
	}
	// A damaged blob is decoded anew where that is possible, and never
	// believed.
	name := filepath.Join(string(store), packFormat+"-"+p.SHA256)
	blob, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range [][]byte{nil, blob[:len(blob)-1], blob[:len(blob)/2], append(bytes.Clone(blob), 0)} {
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := u.Install(t.Context(), Request{Arch: "amd64", Packages: []Package{p}}); err == nil {
			t.Errorf("a blob of %d of %d bytes was believed", len(damaged), len(blob))
		}
		if err := u.Decode(t.Context(), spec{files: files}.pkg(t)); err != nil {
			t.Errorf("a damaged blob was not replaced: %v", err)
		}
	}
}
