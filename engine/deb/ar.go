package deb

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// arMagic starts every ar archive (deb(5)).
const arMagic = "!<arch>\n"

// arReader reads the members of a .deb in order: the common ar format
// without long names, which deb(5) does not allow.
type arReader struct {
	r       io.Reader
	body    io.LimitedReader
	padding bool // a member of odd size is followed by a newline
}

func newArReader(r io.Reader) (*arReader, error) {
	var magic [len(arMagic)]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, fmt.Errorf("reading the ar header: %w", noEOF(err))
	}
	if string(magic[:]) != arMagic {
		return nil, errors.New("not a .deb: it does not start as an ar archive")
	}
	return &arReader{r: r}, nil
}

// next skips to the next member and gives its name, size and content;
// io.EOF after the last.
func (a *arReader) next() (name string, size int64, body io.Reader, err error) {
	if _, err := io.Copy(io.Discard, &a.body); err != nil {
		return "", 0, nil, err
	}
	if a.body.N > 0 {
		return "", 0, nil, fmt.Errorf("the archive ends %d bytes early: %w", a.body.N, io.ErrUnexpectedEOF)
	}
	if a.padding {
		var pad [1]byte
		if _, err := io.ReadFull(a.r, pad[:]); err != nil && !errors.Is(err, io.EOF) {
			return "", 0, nil, err
		}
		a.padding = false
	}
	var h [60]byte
	if _, err := io.ReadFull(a.r, h[:]); err != nil {
		return "", 0, nil, err
	}
	size, err = strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
	if err != nil || size < 0 || string(h[58:]) != "`\n" {
		return "", 0, nil, fmt.Errorf("a member's ar header is damaged: %q", h[:])
	}
	// Some tools end names with a slash, as System V's ar does.
	name = strings.TrimSuffix(strings.TrimRight(string(h[:16]), " "), "/")
	a.body = io.LimitedReader{R: a.r, N: size}
	a.padding = size%2 == 1
	return name, size, &a.body, nil
}

// noEOF makes an end that came too early an error of its own.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
