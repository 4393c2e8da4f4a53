package layer

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// unpackAll gives the members of archives. Their owners and modes are part
// of the archive and so the same on every machine: they stay, unless the
// step says otherwise, also from a context.
func (r *CopyRequest) unpackAll(args []argument, to string, open func(string) (io.ReadCloser, error)) ([]selected, error) {
	var out []selected
	for _, arg := range args {
		if arg.entry.Type != File && arg.entry.Type != Hardlink {
			return nil, r.fail(arg.source, fmt.Sprintf("%q is a %s; `unpack` takes archives (tar, also with gz, xz, zst or bz2, and zip)", "/"+arg.path, arg.entry.Type.noun()))
		}
		members, err := r.unpack(arg, to, open)
		if err != nil {
			return nil, r.fail(arg.source, fmt.Sprintf("cannot unpack %q: %v", "/"+arg.path, err))
		}
		out = append(out, members...)
	}
	return out, nil
}

// unpack reads one archive. A tar's contents go into one file without a
// name, because members are opened later and in another order, in the
// system's folder for temporary files; it is gone when the last item is.
func (r *CopyRequest) unpack(arg argument, to string, open func(string) (io.ReadCloser, error)) (out []selected, err error) {
	in, err := open(arg.entry.Path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	spool, err := unnamedFile()
	if err != nil {
		return nil, err
	}
	tarball := &ratioReader{in: bufio.NewReaderSize(in, 128<<10), ratio: r.Limits.withDefaults().Ratio}
	kind := tarball.kind()
	if kind == "zip" {
		return r.unzip(arg, to, spool, tarball.in)
	}
	if err := tarball.open(kind); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tarball.Close()) }()
	s := newScanner(tarball, ReadOptions{Limits: r.Limits})
	places := make(map[string]int64)
	end := int64(0)
	entries, err := s.scan(func(e *Entry, content io.Reader) error {
		if e.Type.deletes() {
			return fmt.Errorf("a name that starts with %q means a deletion in an image layer", whiteoutPrefix)
		}
		if e.Type != File {
			return nil
		}
		places[e.Path] = end
		end += e.Size
		return s.digest(e, content, spool)
	})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("it holds nothing, or is no archive")
	}
	for _, e := range entries {
		m := member(arg, to, e)
		switch e.Type {
		case File:
			m.group = arg.path + "\x00" + e.Path
			m.open = section(spool, places[e.Path], e.Size)
		case Hardlink:
			file, _ := s.lookup(e.Link)
			m.Entry, m.group = *file, arg.path+"\x00"+e.Link
			m.Entry.Path = e.Path
			m.open = section(spool, places[e.Link], file.Size)
		}
		out = append(out, m)
	}
	return out, nil
}

func member(arg argument, to string, e Entry) selected {
	m := selected{Entry: e, to: joinPath(to, e.Path), source: arg.source}
	return m
}

func section(f *os.File, at, size int64) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(f, at, size)), nil
	}
}

// unnamedFile is a temporary file that leaves nothing behind, however the
// process ends. It is closed when nothing refers to it any more.
func unnamedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "specbuild-unpack-*")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("make a temporary file: %w", err), f.Close())
	}
	return f, nil
}

// unzip reads a zip, whose table stands at the end.
func (r *CopyRequest) unzip(arg argument, to string, spool *os.File, in io.Reader) ([]selected, error) {
	size, err := io.Copy(spool, in)
	if err != nil {
		return nil, err
	}
	zr, err := zip.NewReader(spool, size)
	if err != nil {
		return nil, err
	}
	limits := r.Limits.withDefaults()
	if len(zr.File) > limits.Entries {
		return nil, fmt.Errorf("it has more than %d entries", limits.Entries)
	}
	var toc TOC
	opens := make(map[string]func() (io.ReadCloser, error))
	var total uint64
	for _, f := range zr.File {
		total += f.UncompressedSize64
		if total > uint64(limits.Size) || total > ratioFree && total/uint64(limits.Ratio) > uint64(size) {
			return nil, fmt.Errorf("its %d bytes unpack to more than %d: this looks like a decompression bomb", size, total)
		}
		e, err := zipEntry(f, limits)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", f.Name, err)
		}
		if e.Type == File { // a key of these files is one of their contents
			if e.Digest, err = zipDigest(f); err != nil {
				return nil, fmt.Errorf("entry %q: %w", f.Name, err)
			}
		}
		toc.Entries = append(toc.Entries, e)
		opens[e.Path] = f.Open
	}
	// Merging on nothing refuses names twice and files used as folders, and
	// puts the rest in order.
	tree, err := (&Tree{}).With(&toc)
	if err != nil {
		return nil, err
	}
	var out []selected
	for e := range tree.Walk("") {
		m := member(arg, to, e)
		if e.Type == File {
			m.open = opens[e.Path]
		}
		out = append(out, m)
	}
	return out, nil
}

func zipEntry(f *zip.File, limits Limits) (Entry, error) {
	if strings.HasPrefix(f.Name, "/") || strings.Contains(f.Name, `\`) {
		return Entry{}, errors.New("the name is absolute or has a backslash")
	}
	path, err := cleanPath(f.Name)
	if err != nil {
		return Entry{}, err
	}
	if len(path) > limits.Path || strings.Count(path, "/") >= limits.Depth {
		return Entry{}, errors.New("the path is too long")
	}
	mode := f.Mode()
	e := Entry{Path: path, Type: File, Size: int64(f.UncompressedSize64), Mode: 0o644 | uint32(mode.Perm())&0o111}
	switch {
	case mode.IsDir():
		e.Type, e.Size, e.Mode = Dir, 0, 0o755
	case mode&os.ModeSymlink != 0:
		link, err := readAll(f, int64(limits.Path))
		if err != nil {
			return Entry{}, err
		}
		e.Type, e.Size, e.Mode, e.Link = Symlink, 0, 0o777, link
	case !mode.IsRegular():
		return Entry{}, errors.New("is neither file, directory nor symlink")
	}
	return e, nil
}

// zipDigest reads a member to its end, where its checksum is compared too, and
// no further than its table says: what it inflates to may be without end.
func zipDigest(f *zip.File) (digest string, err error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := sha256.New()
	size := int64(f.UncompressedSize64)
	if n, err := io.Copy(sum, io.LimitReader(r, size+1)); err != nil || n != size {
		return "", errors.Join(err, fmt.Errorf("it holds %d bytes or more, its table says %d", n, size))
	}
	return digestOf([sha256.Size]byte(sum.Sum(nil))), nil
}

func readAll(f *zip.File, limit int64) (text string, err error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var out bytes.Buffer
	_, err = io.Copy(&out, io.LimitReader(r, limit))
	return out.String(), err
}
