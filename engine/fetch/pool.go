package fetch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Job is one file of [Client.All].
type Job struct {
	Request
	// Open makes the destination when its turn comes; offset is how many
	// bytes an earlier attempt left in it.
	Open func() (dst File, offset int64, err error)
	// Done takes the checked file. It, or the pool after an error, is the last
	// to touch dst: err is nil, or why the download failed.
	Done func(dst File, err error) error
}

// All downloads files, several at once and the largest first, so that no
// large one is left alone at the end. progress, which may be nil, gets the
// bytes so far and the total; its calls do not overlap. The first error stops
// the rest.
func (c *Client) All(ctx context.Context, jobs []Job, progress func(done, total int64)) error {
	order := slices.Clone(jobs)
	slices.SortStableFunc(order, func(a, b Job) int { return cmp.Compare(b.Size, a.Size) })
	var mu sync.Mutex
	var done, total int64
	for _, j := range order {
		total += max(j.Size, 0)
	}
	count := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		done += n
		if progress != nil && n != 0 {
			progress(done, total)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.opt.AtOnce)
	for _, j := range order {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			dst, offset, err := j.Open()
			if err != nil {
				return fmt.Errorf("open the destination of a download: %w", err)
			}
			req := j.Request
			req.Offset = offset
			return j.Done(dst, c.get(ctx, req, dst, count))
		})
	}
	return g.Wait()
}

// Validators say which version of a document one has already; both may be
// empty.
type Validators struct {
	ETag         string // as the server sent it
	LastModified string // as the server sent it, an HTTP date
}

// Document is a small file whose content is judged by the caller, by a
// signature in it for instance.
type Document struct {
	Body []byte
	Validators
	NotModified bool   // Body is empty: the version one has is the newest
	URL         string // that answered
}

// Document downloads a file of at most limit bytes into memory, unless it is
// the version that have names.
func (c *Client) Document(ctx context.Context, urls []string, limit int64, have Validators) (Document, error) {
	failed := &Error{}
	for _, url := range urls {
		for attempt := 0; ; attempt++ {
			doc, err := c.document(ctx, url, limit, have)
			if err == nil {
				return doc, nil
			}
			if ctx.Err() != nil {
				return Document{}, fmt.Errorf("download %s: %w", url, ctx.Err())
			}
			failed.Attempts = append(failed.Attempts, Attempt{url, err})
			if attempt >= c.opt.Retries || !passing(err) {
				break
			}
			if err := c.pause(ctx, attempt, err); err != nil {
				return Document{}, fmt.Errorf("download %s: %w", url, err)
			}
		}
	}
	return Document{}, failed
}

func (c *Client) document(ctx context.Context, url string, limit int64, have Validators) (Document, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Document{}, err
	}
	req.Header.Set("User-Agent", c.opt.UserAgent)
	// A cache on the way may hold an InRelease that is older than the indexes.
	req.Header.Set("Cache-Control", "max-age=0")
	if have.ETag != "" {
		req.Header.Set("If-None-Match", have.ETag)
	}
	if have.LastModified != "" {
		req.Header.Set("If-Modified-Since", have.LastModified)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Document{}, reason(ctx, err)
	}
	defer resp.Body.Close()
	doc := Document{URL: url, Validators: Validators{resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")}}
	switch {
	case resp.StatusCode == http.StatusNotModified && have != (Validators{}):
		doc.NotModified, doc.Validators = true, have
		return doc, nil
	case resp.StatusCode != http.StatusOK:
		return Document{}, newStatusError(resp)
	}
	var buf Buffer
	t := &transfer{client: c, req: Request{Size: -1, Limit: limit}, dst: &buf, progress: func(int64) {}}
	if err := errors.Join(t.restart(0), t.stream(ctx, cancel, resp.Body)); err != nil {
		return Document{}, err
	}
	doc.Body = buf.Bytes()
	return doc, nil
}

// Buffer is a [File] in memory. The zero value is empty and ready.
type Buffer struct{ data []byte }

// Bytes is the content; it is valid until the next write.
func (b *Buffer) Bytes() []byte { return b.data }

// ReadAt is io.ReaderAt.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(b.data).ReadAt(p, off)
}

// WriteAt is io.WriterAt, for writes that begin within or at the end of the
// content, as those of a download do.
func (b *Buffer) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(b.data)) {
		return 0, io.ErrShortWrite
	}
	n := copy(b.data[off:], p)
	b.data = append(b.data, p[n:]...)
	return len(p), nil
}

// Truncate cuts the content; it does not extend it.
func (b *Buffer) Truncate(size int64) error {
	if size < 0 || size > int64(len(b.data)) {
		return io.ErrShortBuffer
	}
	b.data = b.data[:size]
	return nil
}
