package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// stall is how long a blob may be silent: as long as a file of a mirror.
	stall = 20 * time.Second
	// tries is how often what was cut off is asked for, and tryPause how long is
	// waited before the second, and twice that before the third.
	tries    = 3
	tryPause = 200 * time.Millisecond
)

var errStall = errors.New("no data arrived in time")

// download is a blob on its way. What has come of it stays: after a cut the
// rest is taken of another answer, and the digest is that of what was given
// out, whoever sent it.
type download struct {
	ctx    context.Context
	answer context.Context // of the answer that is being read
	cancel context.CancelCauseFunc
	open   func(ctx context.Context) (io.ReadCloser, error)
	stall  time.Duration // 0 is none
	left   int           // tries
	in     io.ReadCloser
	want   v1.Hash
	sum    hash.Hash
	got    int64
	err    error
}

// openDownload asks for a blob, so that what is not there is said at once.
func openDownload(ctx context.Context, want v1.Hash, stall time.Duration, open func(context.Context) (io.ReadCloser, error)) (io.ReadCloser, error) {
	d := &download{ctx: ctx, open: open, stall: stall, left: tries, want: want, sum: sha256.New()}
	if want.Algorithm != "sha256" {
		return nil, fmt.Errorf("blob %s: only sha256 is read", want)
	}
	return d, d.again()
}

// again asks for the blob and passes over what was had of it.
func (d *download) again() error {
	d.left--
	ctx, cancel := context.WithCancelCause(d.ctx)
	in, err := d.open(ctx)
	if err != nil {
		cancel(nil)
		return err
	}
	d.in, d.answer, d.cancel = in, ctx, cancel
	buf := make([]byte, min(d.got, 64<<10))
	for pass := d.got; pass > 0; {
		n, err := d.read(buf[:min(pass, int64(len(buf)))])
		if pass -= int64(n); pass > 0 && err != nil {
			if errors.Is(err, io.EOF) { // the first answer was longer
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// read reads of the answer, which may not be silent for too long.
func (d *download) read(p []byte) (int, error) {
	if d.stall > 0 {
		t := time.AfterFunc(d.stall, func() { d.cancel(errStall) })
		defer t.Stop()
	}
	n, err := d.in.Read(p)
	if err != nil && errors.Is(context.Cause(d.answer), errStall) {
		err = errStall
	}
	return n, err
}

// Read is io.Reader.
func (d *download) Read(p []byte) (int, error) {
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	n, err := d.read(p)
	d.sum.Write(p[:n])
	d.got += int64(n)
	for pause := tryPause; d.left > 0 && d.ctx.Err() == nil && cut(err); pause *= 2 {
		_ = d.Close()
		select {
		case <-d.ctx.Done():
		case <-time.After(pause):
		}
		if err = d.again(); err == nil && n == 0 {
			return d.Read(p)
		}
	}
	if d.err = err; errors.Is(err, io.EOF) {
		if got := hex.EncodeToString(d.sum.Sum(nil)); got != d.want.Hex {
			d.err = fmt.Errorf("blob %s is not what its digest says: its content is sha256:%s (%d bytes)", d.want, got, d.got)
		}
	}
	return n, d.err
}

// Close gives the connection back.
func (d *download) Close() error {
	if d.in == nil {
		return nil
	}
	err := d.in.Close()
	d.in = nil
	d.cancel(nil)
	return err
}

// cut reports whether a transfer that had begun broke off, and another may not.
func cut(err error) bool {
	if err == nil || errors.Is(err, io.EOF) {
		return false
	}
	text := err.Error() // net/http does not export what HTTP/2 says
	return errors.Is(err, errStall) || worthRetrying(err) || strings.HasPrefix(text, "stream error:") || strings.HasPrefix(text, "http2:")
}

// again does what reads a small document as a whole, up to three times where
// it is cut off.
func again[T any](ctx context.Context, do func() (T, error)) (out T, err error) {
	for n := 1; ; n++ {
		out, err = do()
		if n == tries || ctx.Err() != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
			return out, err
		}
	}
}
