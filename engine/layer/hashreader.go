package layer

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// hashReader hashes all that is read through it, in a goroutine of its own
// that also reads ahead, so that reading (often decompressing), hashing and
// unpacking go on at once.
type hashReader struct {
	full chan readBlock
	free chan []byte
	quit chan struct{}
	rest []byte // of the current block
	cur  []byte
	err  error
	sum  hash.Hash
	size int64
}

type readBlock struct {
	data []byte
	err  error
}

func newHashReader(r io.Reader) *hashReader {
	h := &hashReader{full: make(chan readBlock, 4), free: make(chan []byte, 6), quit: make(chan struct{}), sum: sha256.New()}
	go h.run(r)
	return h
}

func (h *hashReader) run(r io.Reader) {
	defer close(h.full)
	for {
		var buf []byte
		select {
		case buf = <-h.free:
		default:
			buf = make([]byte, smallFile)
		}
		n, err := io.ReadFull(r, buf[:smallFile])
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		h.sum.Write(buf[:n])
		select {
		case h.full <- readBlock{buf[:n], err}:
		case <-h.quit:
			return
		}
		if err != nil {
			return
		}
	}
}

func (h *hashReader) Read(p []byte) (int, error) {
	for len(h.rest) == 0 {
		if h.err != nil {
			return 0, h.err
		}
		if h.cur != nil {
			select {
			case h.free <- h.cur:
			default:
			}
			h.cur = nil
		}
		block, ok := <-h.full
		if !ok {
			h.err = io.ErrUnexpectedEOF
			continue
		}
		h.cur, h.rest, h.err = block.data, block.data, block.err
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	h.size += int64(n)
	return n, nil
}

// finish reads what follows the end of the tar (padding, which is in the
// DiffID too) and gives digest and size of everything.
func (h *hashReader) finish() (digest string, size int64, err error) {
	if _, err := io.Copy(io.Discard, onlyReader{h}); err != nil {
		return "", 0, err
	}
	return "sha256:" + hex.EncodeToString(h.sum.Sum(nil)), h.size, nil
}

// stop ends the goroutine, and waits for the read that is under way: the
// underlying reader is its caller's again then. Decoders that are closed while
// they are read from crash.
func (h *hashReader) stop() {
	close(h.quit)
	for range h.full {
		continue // up to the end, which is when the goroutine ends
	}
}
