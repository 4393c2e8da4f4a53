package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// File is where a download goes: *os.File is one. It is read only where
// Request.Offset says that bytes are there already.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// Get downloads one file into dst from its beginning, or goes on at Offset.
// After an error dst holds bytes that a later Get with their number as Offset
// can go on from, unless they were found to be wrong: then it is empty.
func (c *Client) Get(ctx context.Context, req Request, dst File) error {
	return c.get(ctx, req, dst, func(int64) {})
}

func (c *Client) get(ctx context.Context, req Request, dst File, progress func(int64)) error {
	t := &transfer{client: c, req: req, dst: dst, progress: progress}
	if err := t.restart(req.Offset); err != nil {
		return err
	}
	failed := &Error{}
	for _, url := range req.URLs {
		for attempt := 0; ; attempt++ {
			resumed := t.done > 0
			err := t.try(ctx, url)
			if err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return fmt.Errorf("download %s: %w", url, ctx.Err())
			}
			failed.Attempts = append(failed.Attempts, Attempt{url, err})
			var local *writeError
			if errors.As(err, &local) {
				return failed // a full disk is not the mirror's fault
			}
			// Of a file that was gone on from, the first part may be the wrong one:
			// an earlier run's, which a crash of the machine has left as zeros.
			again := resumed && t.done == 0 && (errors.Is(err, ErrDigest) || errors.Is(err, ErrSize))
			if !again && (attempt >= c.opt.Retries || !passing(err)) {
				break
			}
			if err := c.pause(ctx, attempt, err); err != nil {
				return fmt.Errorf("download %s: %w", url, err)
			}
		}
	}
	return failed
}

// transfer is the state of one file over all its attempts: dst holds done
// bytes, and sum is their hash.
type transfer struct {
	client   *Client
	req      Request
	dst      File
	progress func(int64)
	done     int64
	sum      hash.Hash
}

// restart keeps the first n bytes of the destination and hashes them.
func (t *transfer) restart(n int64) error {
	if n < 0 || n > t.limit() {
		n = 0
	}
	t.progress(n - t.done)
	t.done, t.sum = n, sha256.New()
	if n > 0 {
		if _, err := io.Copy(t.sum, io.NewSectionReader(t.dst, 0, n)); err != nil {
			return fmt.Errorf("read partial download: %w", err)
		}
	}
	if err := t.dst.Truncate(n); err != nil {
		return fmt.Errorf("truncate partial download: %w", err)
	}
	return nil
}

// limit is the most bytes that the file may have.
func (t *transfer) limit() int64 {
	switch {
	case t.req.Size >= 0:
		return t.req.Size
	case t.req.Limit > 0:
		return t.req.Limit
	}
	return math.MaxInt64 - 1
}

// try does one request and checks what has come.
func (t *transfer) try(ctx context.Context, url string) error {
	if t.req.Size >= 0 && t.done == t.req.Size && t.done > 0 {
		// An earlier run was cut between the last byte and the check.
		if t.check() == nil {
			return nil
		}
		if err := t.restart(0); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", t.client.opt.UserAgent)
	if t.done > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(t.done, 10)+"-")
	}
	resp, err := t.client.http.Do(req)
	if err != nil {
		return reason(ctx, err)
	}
	defer resp.Body.Close()
	if err := t.accept(resp); err != nil {
		return err
	}
	if err := t.stream(ctx, cancel, resp.Body); err != nil {
		return err
	}
	if err := t.check(); err != nil {
		// Wrong bytes cannot be gone on from, whoever sent them.
		return errors.Join(err, t.restart(0))
	}
	return nil
}

// accept makes state and answer agree on where the body starts.
func (t *transfer) accept(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		if t.done > 0 { // the server does not do ranges
			return t.restart(0)
		}
		return nil
	case http.StatusPartialContent:
		if strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(t.done, 10)+"-") {
			return nil
		}
		return errors.Join(fmt.Errorf("server answered another range: %q", resp.Header.Get("Content-Range")), t.restart(0))
	case http.StatusRequestedRangeNotSatisfiable:
		return errors.Join(errors.New("server has fewer bytes than were received"), t.restart(0))
	}
	return newStatusError(resp)
}

// writeError is a fault of the destination.
type writeError struct{ err error }

func (e *writeError) Error() string { return "write download: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// stream copies the body, and gives up when nothing comes for a while.
func (t *transfer) stream(ctx context.Context, cancel context.CancelCauseFunc, body io.Reader) error {
	stall := time.AfterFunc(t.client.opt.Stall, func() { cancel(ErrStall) })
	defer stall.Stop()
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		stall.Reset(t.client.opt.Stall)
		if int64(n) > t.limit()-t.done {
			return errors.Join(fmt.Errorf("%w: more than %d bytes", ErrSize, t.limit()), t.restart(0))
		}
		if n > 0 {
			if _, werr := t.dst.WriteAt(buf[:n], t.done); werr != nil {
				return &writeError{werr}
			}
			t.sum.Write(buf[:n])
			t.done += int64(n)
			t.progress(int64(n))
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return reason(ctx, err)
		}
	}
}

// check compares what has come with what was expected.
func (t *transfer) check() error {
	if t.req.Size >= 0 && t.done != t.req.Size {
		return fmt.Errorf("%w: %d bytes, expected %d", ErrSize, t.done, t.req.Size)
	}
	if got := hex.EncodeToString(t.sum.Sum(nil)); t.req.SHA256 != "" && got != t.req.SHA256 {
		return &DigestError{Got: got, Want: t.req.SHA256}
	}
	return nil
}

// reason prefers why we canceled to "context canceled", and drops the URL
// that net/http repeats.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrStall) {
		return cause
	}
	var u interface{ Unwrap() error }
	if strings.HasPrefix(err.Error(), "Get ") && errors.As(err, &u) {
		return u.Unwrap()
	}
	return err
}
