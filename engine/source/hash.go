package source

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
)

// attempts is how often a file that changes under our hands is read anew.
const attempts = 3

// hashFile reads a file of an open folder. What it says of the file was true
// before and after reading.
func hashFile(d *folder, name string, buf []byte) (meta, [sha256.Size]byte, error) {
	for range attempts {
		m, sum, stable, err := hashOnce(d, name, buf)
		if err != nil {
			return meta{}, sum, err
		}
		if stable {
			return m, sum, nil
		}
	}
	return meta{}, [sha256.Size]byte{}, &ChangedError{Path: name}
}

func hashOnce(d *folder, name string, buf []byte) (m meta, sum [sha256.Size]byte, stable bool, err error) {
	f, err := d.file(name)
	if isLink(err) || errors.Is(err, fs.ErrNotExist) {
		return m, sum, false, nil // it was a file a moment ago
	}
	if err != nil {
		return m, sum, false, err
	}
	defer f.Close()
	m, err = statFile(f)
	if err != nil || m.kind() != kindFile {
		return m, sum, false, err
	}
	h := sha256.New()
	n, err := io.CopyBuffer(onlyWriter{h}, onlyReader{f}, buf)
	if err != nil {
		return m, sum, false, fmt.Errorf("hashing: %w", err)
	}
	after, err := statFile(f)
	h.Sum(sum[:0])
	return m, sum, n == m.size && m == after, err
}

// onlyWriter and onlyReader keep io.CopyBuffer from ignoring the buffer for
// the sake of ReadFrom or WriteTo.
type onlyWriter struct{ io.Writer }

type onlyReader struct{ io.Reader }

// Open opens a selected file. Reading it to the end fails with a
// *ChangedError if it is not what was hashed; so does opening it, if its size
// is another already.
func (s *Selection) Open(path string) (io.ReadCloser, error) {
	e, ok := s.find(path)
	if !ok || e.Type != File {
		return nil, fmt.Errorf("opening %s: not a selected file: %w", path, fs.ErrNotExist)
	}
	root, err := openRoot(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the context: %w", err)
	}
	defer root.close()
	real := path
	if e.real != "" {
		real = e.real
	}
	f, err := root.file(real)
	if isLink(err) || errors.Is(err, fs.ErrNotExist) {
		return nil, &ChangedError{Path: path}
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	m, err := statFile(f)
	if err == nil && (m.kind() != kindFile || m.size != e.Size) {
		err = &ChangedError{Path: path}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &verifier{f: f, h: sha256.New(), e: e, left: e.Size}, nil
}

// verifier hashes what is read and compares at the end, which it knows by the
// size: a reader that stops after the last byte is told too.
type verifier struct {
	f    *os.File
	h    hash.Hash
	e    Entry
	left int64
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.left == 0 {
		if [sha256.Size]byte(v.h.Sum(nil)) != v.e.Sum {
			return 0, &ChangedError{Path: v.e.Path}
		}
		return 0, io.EOF
	}
	n, err := v.f.Read(p[:min(int64(len(p)), v.left)])
	v.h.Write(p[:n])
	v.left -= int64(n)
	switch {
	case err == io.EOF: // shorter than it was
		return n, &ChangedError{Path: v.e.Path}
	case err != nil:
		return n, fmt.Errorf("reading %s: %w", v.e.Path, err)
	case v.left == 0 && [sha256.Size]byte(v.h.Sum(nil)) != v.e.Sum:
		return 0, &ChangedError{Path: v.e.Path}
	}
	return n, nil
}

func (v *verifier) Close() error { return v.f.Close() }
