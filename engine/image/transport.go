package image

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// byMethod waits longer for the answer to what is sent than to what is asked.
type byMethod struct{ reading, writing http.RoundTripper }

// maxWait is the longest pause that a registry may ask for: whoever is told to
// come back in an hour is to know it now.
const maxWait = 15 * time.Second

// RoundTrip is http.RoundTripper. A registry that is too busy and says for how
// long is asked once more then, before the tries of the client, which are over
// in a second (RFC 9110, 10.2.3).
func (b byMethod) RoundTrip(r *http.Request) (*http.Response, error) {
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
