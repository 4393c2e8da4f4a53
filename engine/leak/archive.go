package leak

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// The bounds of looking into compressed files. What is beyond them is
// searched as it is only; docs/secrets.md says so.
const (
	maxUnpacked = 256 << 20 // bytes that are unpacked of one file
	maxZip      = 64 << 20  // bytes of a zip archive, which is read as a whole
	maxDepth    = 2         // archives in archives
)

// File searches a file, and what is in it where it is gzip or zip. open may be
// called twice.
func (m *Matcher) File(open func() (io.ReadCloser, error), size int64) (Hit, bool, error) {
	if m == nil {
		return Hit{}, false, nil
	}
	r, err := open()
	if err != nil {
		return Hit{}, false, err
	}
	defer r.Close()
	br := bufio.NewReaderSize(r, 4096)
	head, _ := br.Peek(4) // a shorter file has a shorter head
	hit, ok, err := m.Reader(br)
	if ok || err != nil || kindOf(head) == plain {
		return hit, ok, err
	}
	again, err := open()
	if err != nil {
		return Hit{}, false, err
	}
	defer again.Close()
	left := int64(maxUnpacked)
	return m.unpacked(again, kindOf(head), size, 0, &left)
}

// kind is how a file is compressed.
type kind int

const (
	plain kind = iota
	gzipped
	zipped
)

func kindOf(head []byte) kind {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")):
		return gzipped
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return zipped
	default:
		return plain
	}
}

// unpacked searches what is in a compressed file. One that is broken was
// searched as it is, and holds nothing that a program could read.
func (m *Matcher) unpacked(r io.Reader, k kind, size int64, depth int, left *int64) (Hit, bool, error) {
	if k == gzipped {
		z, err := gzip.NewReader(r)
		if err != nil {
			return Hit{}, false, nil //nolint:nilerr // no gzip after all
		}
		return m.member(z, "(gzip)", depth, left)
	}
	if size > maxZip {
		return Hit{}, false, nil
	}
	data, err := io.ReadAll(io.LimitReader(r, maxZip))
	if err != nil {
		return Hit{}, false, err
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return Hit{}, false, nil //nolint:nilerr // no zip after all
	}
	for _, f := range archive.File {
		if hit, ok := m.Text(f.Name + "\x00" + f.Comment); ok {
			hit.Member = "the name of a file"
			return hit, true, nil
		}
		z, err := f.Open()
		if err != nil {
			continue // a method that nobody here can read
		}
		hit, ok, err := m.member(z, fmt.Sprintf("%q", f.Name), depth, left)
		_ = z.Close() // was only read
		if ok || err != nil {
			return hit, ok, err
		}
	}
	return Hit{}, false, nil
}

// member searches one unpacked file, and what is packed in it.
func (m *Matcher) member(r io.Reader, name string, depth int, left *int64) (Hit, bool, error) {
	br := bufio.NewReader(&bounded{r, left})
	head, _ := br.Peek(4)
	var hit Hit
	var ok bool
	var err error
	if k := kindOf(head); k != plain && depth+1 < maxDepth {
		hit, ok, err = m.unpacked(br, k, 0, depth+1, left)
	} else {
		hit, ok, err = m.Reader(br)
	}
	if ok && hit.Member == "" {
		hit.Member = name
	} else if ok {
		hit.Member = name + " " + hit.Member
	}
	if errors.Is(err, errBroken) {
		err = nil
	}
	return hit, ok, err
}

// errBroken marks compressed bytes that cannot be read on.
var errBroken = errors.New("the compressed file is broken")

// bounded ends a stream where the bound of its file does.
type bounded struct {
	r    io.Reader
	left *int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if *b.left <= 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), *b.left)])
	*b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errBroken, err)
	}
	return n, err
}
