// Package fetch downloads files from mirrors that are trusted for bytes
// only: what a file must be is known beforehand, by size and SHA-256, and
// checked while it streams.
//
// Mirrors are tried in order. A cut transfer resumes by Range where the bytes
// so far ended; a mirror that answers with other bytes is left for the next
// one, and the file starts anew. An error lists everything that was tried.
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Defaults of [Options].
const (
	defaultConnect = 10 * time.Second
	defaultStall   = 20 * time.Second
	defaultBackoff = 300 * time.Millisecond
	defaultRetries = 2
	defaultAtOnce  = 8
)

// Options are the settings of a [Client]; zero values mean the defaults.
type Options struct {
	Connect time.Duration // to reach a server, 10 s
	Stall   time.Duration // without a byte, headers included, 20 s
	Retries int           // more attempts at one mirror after a fault that may pass, 2; none if negative
	Backoff time.Duration // before the second attempt, doubled each time, 0.3 s
	AtOnce  int           // files at once in All, 8
	// UserAgent is sent with each request; servers ask for a name.
	UserAgent string
	// Proxy chooses the proxy of a request and TLS whom to trust, as
	// [Network.Proxy] and [Network.TLS] do; nil are the machine's own.
	Proxy func(*http.Request) (*url.URL, error)
	TLS   *tls.Config
}

// Client downloads. It is safe for use by several goroutines.
type Client struct {
	opt  Options
	http *http.Client
}

// New returns a client. Without a Proxy it honours HTTP_PROXY, HTTPS_PROXY and
// NO_PROXY.
func New(opt Options) *Client {
	if opt.Connect == 0 {
		opt.Connect = defaultConnect
	}
	if opt.Stall == 0 {
		opt.Stall = defaultStall
	}
	if opt.Backoff == 0 {
		opt.Backoff = defaultBackoff
	}
	if opt.Retries == 0 {
		opt.Retries = defaultRetries
	}
	if opt.AtOnce == 0 {
		opt.AtOnce = defaultAtOnce
	}
	if opt.UserAgent == "" {
		opt.UserAgent = "specbuild"
	}
	if opt.Proxy == nil {
		opt.Proxy = http.ProxyFromEnvironment
	}
	return &Client{opt: opt, http: &http.Client{Transport: &http.Transport{
		Proxy:                 opt.Proxy,
		TLSClientConfig:       opt.TLS,
		ForceAttemptHTTP2:     opt.TLS != nil, // a config of one's own switches it off
		DialContext:           (&net.Dialer{Timeout: opt.Connect}).DialContext,
		TLSHandshakeTimeout:   opt.Connect,
		ResponseHeaderTimeout: opt.Stall,
		MaxIdleConnsPerHost:   opt.AtOnce,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true, // sizes and digests are of the bytes as stored
	}}}
}

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Request is one file and where it may be had.
type Request struct {
	URLs   []string // tried in order
	Size   int64    // in bytes; negative if unknown, then Limit counts
	Limit  int64    // the most that is read where Size is unknown
	SHA256 string   // hexadecimal; empty if unknown
	Offset int64    // bytes of the destination that are there already, from an earlier cut attempt
}

// Attempt is one failed try of an [Error].
type Attempt struct {
	URL string
	Err error
}

// Error says that a file could not be had from any of its mirrors.
type Error struct {
	Attempts []Attempt // in the order tried; never empty but for a request without URLs
}

// Error lists what was tried, once a mirror and reason.
func (e *Error) Error() string {
	if len(e.Attempts) == 0 {
		return "download: no mirror is known"
	}
	var b strings.Builder
	last := ""
	for _, a := range e.Attempts {
		line := fmt.Sprintf("%s: %v", a.URL, a.Err)
		if line == last {
			continue // the retries of one mirror mostly fail alike
		}
		if last != "" {
			b.WriteString("; ")
		}
		b.WriteString(line)
		last = line
	}
	return "download: " + b.String()
}

// Unwrap gives the reasons to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	out := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		out[i] = a.Err
	}
	return out
}

// Gone reports whether every mirror was reached and none has the file: old
// packages leave mirrors, and the caller can then ask an archive of them.
func (e *Error) Gone() bool {
	for _, a := range e.Attempts {
		var s *StatusError
		if !errors.As(a.Err, &s) || s.Code != http.StatusNotFound && s.Code != http.StatusGone {
			return false
		}
	}
	return len(e.Attempts) > 0
}

// StatusError is an answer that is no file.
type StatusError struct {
	Code   int
	Status string        // "404 Not Found"
	After  time.Duration // how long the server asks to be left alone; 0 where it does not say
}

func newStatusError(resp *http.Response) *StatusError {
	e := &StatusError{Code: resp.StatusCode, Status: resp.Status}
	value := resp.Header.Get("Retry-After") // seconds or a date (RFC 9110, 10.2.3)
	if n, err := strconv.Atoi(value); err == nil && n > 0 && n < 1<<30 {
		e.After = time.Duration(n) * time.Second
	} else if when, err := http.ParseTime(value); err == nil {
		e.After = max(time.Until(when), 0)
	}
	return e
}

// maxWait is the longest pause that a server may ask for: there may be other
// mirrors, and the user waits.
const maxWait = 15 * time.Second

// Error is the status line.
func (e *StatusError) Error() string { return "server answered " + e.Status }

// Errors of a transfer, always wrapped in an [Error].
var (
	ErrSize   = errors.New("size differs from what was expected")
	ErrDigest = errors.New("SHA-256 differs from what was expected")
	ErrStall  = errors.New("no data arrived in time")
)

// DigestError is a file that is another than the one that was expected.
type DigestError struct{ Got, Want string } // hexadecimal SHA-256

// Error says both.
func (e *DigestError) Error() string {
	return fmt.Sprintf("%v: %s, expected %s", ErrDigest, e.Got, e.Want)
}

// Unwrap is [ErrDigest].
func (e *DigestError) Unwrap() error { return ErrDigest }

// passing reports whether the same mirror may do better in a moment.
func passing(err error) bool {
	var s *StatusError
	if errors.As(err, &s) {
		return s.After <= maxWait && (s.Code >= 500 || s.Code == http.StatusTooManyRequests || s.Code == http.StatusRequestTimeout)
	}
	if errors.Is(err, ErrSize) || errors.Is(err, ErrDigest) || errors.Is(err, ErrStall) {
		return false
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		// A refused or unknown host stays so: the answer must come in seconds.
		return false
	}
	return true
}

// pause waits before another attempt, as long as the server has asked for.
func (c *Client) pause(ctx context.Context, attempt int, failed error) error {
	wait := c.opt.Backoff << attempt
	var s *StatusError
	if errors.As(failed, &s) {
		wait = max(wait, s.After)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
