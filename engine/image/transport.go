package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// byMethod waits longer for the answer to what is sent than to what is asked.
type byMethod struct{ reading, writing http.RoundTripper }

// maxWait is the longest pause that a registry may ask for: whoever is told to
// come back in an hour is to know it now.
const maxWait = 15 * time.Second

// RoundTrip is http.RoundTripper.
func (b byMethod) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.patient(r)
	if err != nil || r.Method != http.MethodHead || !strings.Contains(r.URL.Path, "/manifests/") || says(resp) {
		return resp, err
	}
	_ = resp.Body.Close()
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	if resp, err = b.patient(get); err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	return headOf(resp)
}

// says reports whether an answer to HEAD tells what it was asked for. The
// digest is only recommended (distribution-spec v1.1, "Checking if content
// exists in the registry"), and proxies there are that allow no HEAD.
func says(resp *http.Response) bool {
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode != http.StatusMethodNotAllowed
	}
	return resp.Header.Get("Docker-Content-Digest") != "" && resp.Header.Get("Content-Type") != "" && resp.ContentLength >= 0
}

// maxManifest is what go-containerregistry reads of one, in bytes.
const maxManifest = 100 << 20

// headOf makes of an answer with a manifest one that only tells of it.
func headOf(resp *http.Response) (*http.Response, error) {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxManifest+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if len(raw) > maxManifest {
		return nil, fmt.Errorf("a manifest of more than %d bytes", maxManifest)
	}
	resp.Header.Set("Docker-Content-Digest", digestOf(raw))
	if resp.Header.Get("Content-Type") == "" {
		resp.Header.Set("Content-Type", string(types.OCIManifestSchema1))
	}
	resp.Body, resp.ContentLength = http.NoBody, int64(len(raw))
	return resp, nil
}

// patient does a request. A registry that is too busy and says for how long is
// asked once more then, before the tries of the client, which are over in a
// second (RFC 9110, 10.2.3).
func (b byMethod) patient(r *http.Request) (*http.Response, error) {
	resp, err := b.once(r)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return resp, err
	}
	wait, ok := retryAfter(resp.Header.Get("Retry-After"), time.Now())
	if !ok || wait > maxWait || r.Body != nil && r.GetBody == nil {
		return resp, nil
	}
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return resp, nil //nolint:nilerr // the registry's own answer says more
		}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // for the connection to be used again
	_ = resp.Body.Close()
	select {
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	case <-time.After(wait):
		return b.once(again)
	}
}

// retryAfter reads seconds or a date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.Atoi(value); err == nil && n >= 0 && n < 1<<30 {
		return time.Duration(n) * time.Second, true
	}
	when, err := http.ParseTime(value)
	return max(when.Sub(now), 0), err == nil
}

func (b byMethod) once(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return b.reading.RoundTrip(r)
	}
	return b.writing.RoundTrip(r)
}

// worthRetrying is a connection that broke. One that was silent until the time
// was over would only be silent again, and the user waits.
func worthRetrying(err error) bool {
	var timeout net.Error
	if errors.Is(err, context.Canceled) || errors.As(err, &timeout) && timeout.Timeout() {
		return false
	}
	var te *transport.Error
	if errors.As(err, &te) {
		return te.Temporary()
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET, syscall.ECONNREFUSED, net.ErrClosed} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return false
}
