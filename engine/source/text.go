package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"time"
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

// Stamp tells a file's state from all its others and from other files, by
// what the stat index compares; ok is false where times cannot be trusted: of
// a file that was changed a moment ago, and where there are no inodes.
func (e Entry) Stamp() (stamp [2]uint64, ok bool) {
	if e.Type != File || e.list == nil {
		return stamp, false
	}
	m := e.list.files[e.at].meta
	limit := time.Now().UnixNano() - racy
	if m.ino == 0 || m.mtime > limit || m.ctime > limit {
		return stamp, false
	}
	for i, seed := range [2]uint64{0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f} {
		h := seed
		for _, v := range [5]uint64{m.dev, m.ino, uint64(m.size), uint64(m.mtime), uint64(m.ctime)} {
			h = (bits.RotateLeft64(h, 23) ^ v) * 0xff51afd7ed558ccd
			h ^= h >> 32
		}
		stamp[i] = h
	}
	return stamp, true
}
