// Package module packs the folder of a module into one archive, and unpacks
// one: what `specbuild module push` publishes and a module block with an
// oci:// source fetches.
package module

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// The limits of a module. One holds specs, templates and small files; what is
// larger is a context of its own, or a mistake, or hostile.
const (
	MaxBytes = 64 << 20 // unpacked, all files together
	MaxFiles = 10_000
)

// epoch is the time of every entry, so that equal folders are equal archives.
// It is the one that layers use, too.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Pack gives a folder as a gzipped tar: regular files and symbolic links that
// stay inside, sorted, without owners, modes 0644 or 0755, without names that
// begin with a dot. Equal folders give equal bytes. It answers the names of
// the files beside them.
func Pack(dir string) (archive []byte, names []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("packing a module: %w", err)
	}
	defer func() { _ = root.Close() }()
	p := packer{root: root}
	zw := gzip.NewWriter(&p.out)
	p.tw = tar.NewWriter(zw)
	if err := fs.WalkDir(root.FS(), ".", p.add); err != nil {
		return nil, nil, fmt.Errorf("packing a module: %w", err)
	}
	if err := errors.Join(p.tw.Close(), zw.Close()); err != nil {
		return nil, nil, fmt.Errorf("packing a module: %w", err)
	}
	return p.out.Bytes(), p.names, nil
}

type packer struct {
	root  *os.Root
	out   bytes.Buffer
	tw    *tar.Writer
	names []string
	bytes int64
}

func (p *packer) add(name string, e fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case name == ".":
		return nil
	case strings.HasPrefix(e.Name(), ".") && e.IsDir():
		return fs.SkipDir
	case strings.HasPrefix(e.Name(), "."), e.IsDir():
		return nil
	}
	if p.names = append(p.names, name); len(p.names) > MaxFiles {
		return fmt.Errorf("it holds more than %d files; a module is a folder of its own", MaxFiles)
	}
	if e.Type()&fs.ModeSymlink != 0 {
		return p.link(name)
	}
	if !e.Type().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a link", name)
	}
	return p.file(name)
}

func (p *packer) link(name string) error {
	to, err := p.root.Readlink(name)
	if err != nil {
		return err
	}
	if leaves(name, to) {
		return fmt.Errorf("%s is a link to %s, which is not in the folder", name, to)
	}
	return p.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: filepath.ToSlash(to), Mode: 0o777, ModTime: epoch, Format: tar.FormatPAX})
}

func (p *packer) file(name string) error {
	f, err := p.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if p.bytes += info.Size(); p.bytes > MaxBytes {
		return fmt.Errorf("it is larger than %d bytes; large files belong into a context of their own", MaxBytes)
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	if err := p.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: mode, ModTime: epoch, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.CopyN(p.tw, f, info.Size())
	return err
}

// leaves reports whether a link at name leads out of the folder.
func leaves(name, to string) bool {
	if filepath.IsAbs(to) || strings.HasPrefix(to, "/") {
		return true
	}
	p := path.Join(path.Dir(name), filepath.ToSlash(to))
	return p == ".." || strings.HasPrefix(p, "../")
}

// Unpack writes what Pack gave into a folder, which must be empty. What is not
// a file, a folder or a link inside, and what is too large, is an error; what
// was written until then is left.
func Unpack(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpacking a module: %w", err)
	}
	defer func() { _ = root.Close() }()
	zr, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("unpacking a module: %w", err)
	}
	// The limit is over everything that is inflated, headers too.
	tr := tar.NewReader(io.LimitReader(zr, MaxBytes+MaxFiles*4096))
	var total int64
	var links []string
	for files := 0; ; files++ {
		h, err := tr.Next()
		switch {
		case errors.Is(err, io.EOF):
			return checkLinks(root, links)
		case err != nil:
			return fmt.Errorf("unpacking a module: %w", err)
		case files == MaxFiles:
			return fmt.Errorf("unpacking a module: it holds more than %d files", MaxFiles)
		}
		if total += h.Size; h.Size < 0 || total > MaxBytes {
			return fmt.Errorf("unpacking a module: it is larger than %d bytes", MaxBytes)
		}
		if err := unpackOne(root, h, tr); err != nil {
			return fmt.Errorf("unpacking a module: %w", err)
		}
		if h.Typeflag == tar.TypeSymlink {
			links = append(links, path.Clean(h.Name))
		}
	}
}

// checkLinks follows all links once they are there: one that stays inside by
// its words may lead out by way of another.
func checkLinks(root *os.Root, links []string) error {
	for _, name := range links {
		if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("unpacking a module: %q is a link that leads out of the module, or nowhere: %w", name, err)
		}
	}
	return nil
}

func unpackOne(root *os.Root, h *tar.Header, content io.Reader) error {
	name := path.Clean(h.Name)
	if name == "." {
		return nil
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) || strings.HasPrefix(h.Name, "/") {
		return fmt.Errorf("%q leads out of the module", h.Name)
	}
	if h.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o755)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		if leaves(name, h.Linkname) {
			return fmt.Errorf("%q is a link to %q, which leads out of the module", h.Name, h.Linkname)
		}
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(h.Mode)&0o755|0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	}
	return fmt.Errorf("%q is neither a file nor a link", h.Name)
}
