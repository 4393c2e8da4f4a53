package deb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/specbuild/specbuild/engine/layer"
)

// file is an entry of a .deb in the making; kind is a tar type flag, 0 a
// plain file.
type file struct {
	name, content string
	kind          byte
	mode          int64
	uid, gid      int
	link          string
}

// spec is a .deb in the making.
type spec struct {
	name, version, arch string            // "x", "1", "amd64" when empty
	fields              string            // further lines of the control file
	control             map[string]string // further control files
	files               []file
	compress            string // "", "gz", "xz" or "zst"
}

func tarOf(t testing.TB, files []file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Typeflag: f.kind, Mode: f.mode, Uid: f.uid, Gid: f.gid, Linkname: f.link, Size: int64(len(f.content))}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if f.kind == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed(t testing.TB, how string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	switch how {
	case "":
		return data
	case "gz":
		w := gzip.NewWriter(&b)
		_, _ = w.Write(data)
		_ = w.Close()
	case "xz":
		cmd := exec.Command("xz", "-1", "--threads=2", "--block-size=1MiB")
		cmd.Stdin, cmd.Stdout = bytes.NewReader(data), &b
		if err := cmd.Run(); err != nil {
			t.Skip("needs xz: ", err)
		}
	case "zst":
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(data)
		_ = w.Close()
	}
	return b.Bytes()
}

// arOf writes members, given as name and content in turn.
func arOf(members ...any) []byte {
	b := bytes.NewBufferString(arMagic)
	for i := 0; i < len(members); i += 2 {
		data := members[i+1].([]byte)
		fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", members[i], 0, 0, 0, "100644", len(data))
		b.Write(data)
		if len(data)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func (s spec) withDefaults() spec {
	if s.name == "" {
		s.name = "x"
	}
	if s.version == "" {
		s.version = "1"
	}
	if s.arch == "" {
		s.arch = "amd64"
	}
	return s
}

func (s spec) controlTar(t testing.TB) []byte {
	text := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: N <n@example.com>\n%sDescription: a test\n more\n",
		s.name, s.version, s.arch, s.fields)
	files := []file{{name: "./", kind: tar.TypeDir}, {name: "./control", content: text}}
	for _, name := range []string{"conffiles", "md5sums", "preinst", "postinst", "triggers"} {
		if c, ok := s.control[name]; ok {
			files = append(files, file{name: "./" + name, content: c, mode: 0o755})
		}
	}
	return tarOf(t, files)
}

// bytes builds the .deb.
func (s spec) bytes(t testing.TB) []byte {
	t.Helper()
	s = s.withDefaults()
	ext := ".tar"
	if s.compress != "" {
		ext += "." + s.compress
	}
	return arOf("debian-binary", []byte("2.0\n"), "control"+ext, compressed(t, s.compress, s.controlTar(t)),
		"data"+ext, compressed(t, s.compress, tarOf(t, s.files)))
}

func (s spec) pkg(t testing.TB) Package {
	t.Helper()
	s = s.withDefaults()
	return packageOf(s.name, s.version, s.arch, s.bytes(t))
}

func packageOf(name, version, arch string, data []byte) Package {
	sum := sha256.Sum256(data)
	return Package{Name: name, Version: version, Arch: arch, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// install installs small packages on nothing.
func install(t testing.TB, specs ...spec) (Result, error) {
	t.Helper()
	req := Request{Arch: "amd64"}
	for _, s := range specs {
		req.Packages = append(req.Packages, s.pkg(t))
	}
	return Unpacker{}.Install(t.Context(), req)
}

func mustInstall(t testing.TB, specs ...spec) Result {
	t.Helper()
	r, err := install(t, specs...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// find gives an item by its path.
func find(t testing.TB, r Result, path string) layer.Item {
	t.Helper()
	for _, it := range r.Items {
		if it.Path == path {
			return it
		}
	}
	t.Fatalf("no /%s among %d items", path, len(r.Items))
	return layer.Item{}
}

func has(r Result, path string) bool {
	for _, it := range r.Items {
		if it.Path == path {
			return true
		}
	}
	return false
}

func content(t testing.TB, r Result, path string) string {
	t.Helper()
	it := find(t, r, path)
	if it.Open == nil {
		t.Fatalf("/%s has no content: %s", path, it.Entry.String())
	}
	f, err := it.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func warned(r Result, part string) bool {
	return strings.Contains(strings.Join(r.Warnings, "\n"), part)
}

// below turns what was installed into what a next step stands on.
func below(t testing.TB, results ...Result) Below {
	t.Helper()
	var tocs []*layer.TOC
	files := map[string]layer.Item{}
	for _, r := range results {
		w, err := layer.Write(io.Discard, r.Items)
		if err != nil {
			t.Fatal(err)
		}
		tocs = append(tocs, w.TOC)
		for _, it := range r.Items {
			files[it.Path] = it
		}
	}
	tree, err := layer.Merge(tocs...)
	if err != nil {
		t.Fatal(err)
	}
	return Below{Tree: tree, Read: func(path string) ([]byte, error) {
		it, ok := files[path]
		if !ok || it.Open == nil {
			return nil, fs.ErrNotExist
		}
		f, err := it.Open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(f)
	}}
}

// dirStore keeps blobs as files, as the program's store does.
type dirStore string

type dirBlob struct{ *os.File }

func (b dirBlob) Size() int64 {
	info, err := b.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

type dirWriter struct {
	*os.File
	to string
}

func (d dirStore) Open(key string) (Blob, error) {
	f, err := os.Open(filepath.Join(string(d), key))
	if err != nil {
		return nil, err
	}
	return dirBlob{f}, nil
}

func (d dirStore) Create(key string) (Writer, error) {
	f, err := os.CreateTemp(string(d), ".new-*")
	if err != nil {
		return nil, err
	}
	return dirWriter{f, filepath.Join(string(d), key)}, nil
}

func (w dirWriter) Commit() error {
	if err := w.Close(); err != nil {
		return err
	}
	return os.Rename(w.Name(), w.to)
}

func (w dirWriter) Abort() {
	_ = w.Close()
	_ = os.Remove(w.Name())
}
