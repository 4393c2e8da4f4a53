package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// textHead is how much of a file tells whether it is a text, as git tells it.
const textHead = 8000

// Text is what a selected file holds now, if that is a text: nil for one with
// a zero byte near its beginning, or of more than most bytes. It is compared
// with nothing that was hashed, so that it does after List too: it is for a
// look at a file, and decides nothing that is built. A file that is gone is
// fs.ErrNotExist.
func (s *Selection) Text(path string, most int64) ([]byte, error) {
	e, ok := s.find(path)
	if !ok || e.Type != File {
		return nil, fmt.Errorf("reading %s: not a selected file: %w", path, fs.ErrNotExist)
	}
	root, err := openRoot(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the context: %w", err)
	}
	defer root.close()
	f, err := root.file(e.list.real(e.at))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer f.Close()
	m, err := statFile(f)
	if err != nil || m.kind() != kindFile || m.size > most {
		return nil, err
	}
	text := make([]byte, m.size)
	head := text[:min(len(text), textHead)]
	n, err := io.ReadFull(f, head)
	if err == nil && bytes.IndexByte(head, 0) >= 0 {
		return nil, nil
	}
	if err == nil {
		var more int
		more, err = io.ReadFull(f, text[n:])
		n += more
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) { // shorter than a moment ago
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return text[:n], nil
}
