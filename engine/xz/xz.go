// Package xz decodes .xz files with several processors and bounded memory.
//
// The decoder itself is github.com/mikelolasagasti/xz, which is serial. What
// dpkg and Debian's archive write is made of independent blocks, so this
// package reads the index at the end of a file, makes of each block a valid
// stream of one block in memory, and decodes these in parallel, each into its
// own stretch of the result. Files of several streams, or with an index that
// does not add up, go through the serial decoder, which also has the last
// word on what is corrupt. The format is the one of xz-file-format 1.2.0.
package xz

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/mikelolasagasti/xz"
	"golang.org/x/sync/errgroup"
)

// MaxDictionary bounds the dictionary that a file may ask for, in bytes: what
// "xz -9" uses. A larger one is refused before it is allocated.
const MaxDictionary = 64 << 20

// ErrTooLarge is returned (wrapped) for a file that decodes to more than the
// caller's limit.
var ErrTooLarge = errors.New("decoded data exceeds the limit")

// Decode returns the decoded content of the size bytes of src. The result
// never exceeds limit bytes (ErrTooLarge), and no more than limit bytes are
// allocated for it, whatever the file declares.
func Decode(ctx context.Context, src io.ReaderAt, size, limit int64) ([]byte, error) {
	blocks, err := readIndex(src, size)
	if err != nil {
		return decodeSerial(ctx, src, size, limit)
	}
	total := int64(0)
	for _, b := range blocks.list {
		// Each is at most limit, so the sum cannot overflow.
		if b.decoded > limit || total+b.decoded > limit {
			return nil, fmt.Errorf("decode xz: %w of %d bytes", ErrTooLarge, limit)
		}
		total += b.decoded
	}
	out := make([]byte, total)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	at := int64(0)
	for i, b := range blocks.list {
		dst := out[at : at+b.decoded : at+b.decoded]
		at += b.decoded
		g.Go(func() error {
			if err := blocks.decode(ctx, src, b, dst); err != nil {
				return fmt.Errorf("decode xz: block %d of %d: %w", i+1, len(blocks.list), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// Copy writes the decoded content of the size bytes of src to dst, in order,
// and returns how many bytes it wrote. At most one block per processor is
// held in memory; a block that is larger than window bytes when decoded makes
// the whole file go through the serial decoder, which holds only its
// dictionary. More than limit bytes are ErrTooLarge.
func Copy(ctx context.Context, dst io.Writer, src io.ReaderAt, size, limit int64) (int64, error) {
	blocks, err := readIndex(src, size)
	if err != nil || len(blocks.list) == 1 || blocks.largest() > window {
		return copySerial(ctx, dst, src, size, limit)
	}
	return blocks.copy(ctx, dst, src, limit)
}

// window is the largest block, decoded, that Copy holds in memory. xz's
// default at level 6 makes blocks of 24 MiB, at level 9 of 192 MiB.
const window = 32 << 20

// NewReader decodes a stream of unknown length serially. It reads more of r
// than the file if bytes follow.
func NewReader(r io.Reader) (io.Reader, error) {
	z, err := xz.NewReader(r, MaxDictionary)
	if err != nil {
		return nil, fmt.Errorf("decode xz: %w", noEOF(err))
	}
	return reader{z}, nil
}

// reader names the format in errors, which otherwise reach users as "data is
// corrupt" of nobody knows what.
type reader struct{ z *xz.Reader }

func (r reader) Read(p []byte) (int, error) {
	n, err := r.z.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("decode xz: %w", err)
	}
	return n, err
}

func decodeSerial(ctx context.Context, src io.ReaderAt, size, limit int64) ([]byte, error) {
	var buf sliceWriter
	if _, err := copySerial(ctx, &buf, src, size, limit); err != nil {
		return nil, err
	}
	return buf, nil
}

type sliceWriter []byte

func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

func copySerial(ctx context.Context, dst io.Writer, src io.ReaderAt, size, limit int64) (int64, error) {
	z, err := NewReader(io.NewSectionReader(src, 0, size))
	if err != nil {
		return 0, err
	}
	// One byte more than allowed tells "exactly limit" from "too large".
	n, err := io.Copy(dst, io.LimitReader(canceler{ctx, z}, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("decode xz: %w of %d bytes", ErrTooLarge, limit)
	}
	return min(n, limit), err
}

// canceler stops a long decoding between reads.
type canceler struct {
	ctx context.Context
	r   io.Reader
}

func (c canceler) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// noEOF is for places where the end of the input is a truncated file.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
