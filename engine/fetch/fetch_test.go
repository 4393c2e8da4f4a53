package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine/fetch"
)

var content = bytes.Repeat([]byte("0123456789abcdef"), 20_000)

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func client() *fetch.Client {
	return fetch.New(fetch.Options{Stall: 300 * time.Millisecond, Backoff: time.Millisecond})
}

func server(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func whole(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(content))
}

func request(urls ...string) fetch.Request {
	return fetch.Request{URLs: urls, Size: int64(len(content)), SHA256: digest(content)}
}

func TestNextMirror(t *testing.T) {
	t.Parallel()
	flipped := bytes.Clone(content)
	flipped[1000] ^= 1
	urls := []string{
		"http://127.0.0.1:1/refused",
		server(t, http.NotFound),
		server(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(flipped) }),
		server(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(content[:5000]) }),
		server(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(append(bytes.Clone(content), 'x')) }),
		server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
	}
	var dst fetch.Buffer
	err := client().Get(context.Background(), request(urls...), &dst)
	var failed *fetch.Error
	if !errors.As(err, &failed) || !errors.Is(err, fetch.ErrSize) || !errors.Is(err, fetch.ErrDigest) {
		t.Fatalf("got %v", err)
	}
	for _, u := range urls {
		if !strings.Contains(err.Error(), u) {
			t.Errorf("%s is not named in: %v", u, err)
		}
	}
	if failed.Gone() {
		t.Error("an unreachable mirror counts as one that has lost the file")
	}
	if err := client().Get(context.Background(), request(append(urls, server(t, whole))...), &dst); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(dst.Bytes(), content) {
		t.Error("content differs")
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	err := client().Get(context.Background(), request(server(t, http.NotFound)), &fetch.Buffer{})
	var failed *fetch.Error
	if !errors.As(err, &failed) || !failed.Gone() {
		t.Errorf("got %v", err)
	}
}

// TestResume cuts the first answer in the middle: the rest is asked for.
func TestResume(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var asked atomic.Value
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:100_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		asked.Store(r.Header.Get("Range"))
		whole(w, r)
	})
	var dst fetch.Buffer
	if err := client().Get(context.Background(), request(url), &dst); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(dst.Bytes(), content) || asked.Load() != "bytes=100000-" {
		t.Errorf("%d bytes; asked for %v", len(dst.Bytes()), asked.Load())
	}
}

// TestOffset goes on from a file of an earlier run, right or wrong.
func TestOffset(t *testing.T) {
	t.Parallel()
	url := server(t, whole)
	for name, part := range map[string][]byte{"right": content[:777], "wrong": make([]byte, 777), "complete": content} {
		var dst fetch.Buffer
		if _, err := dst.WriteAt(part, 0); err != nil {
			t.Fatal(err)
		}
		req := request(url, url)
		req.Offset = int64(len(part))
		if err := client().Get(context.Background(), req, &dst); err != nil || !bytes.Equal(dst.Bytes(), content) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOffsetOfTheOnlyMirror: what a crash has left wrong is fetched anew where
// there is no other mirror to go to.
func TestOffsetOfTheOnlyMirror(t *testing.T) {
	t.Parallel()
	for name, part := range map[string][]byte{"zeros": make([]byte, 777), "complete and wrong": make([]byte, len(content))} {
		var dst fetch.Buffer
		if _, err := dst.WriteAt(part, 0); err != nil {
			t.Fatal(err)
		}
		req := request(server(t, whole))
		req.Offset = int64(len(part))
		if err := client().Get(context.Background(), req, &dst); err != nil || !bytes.Equal(dst.Bytes(), content) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong := request(server(t, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, len(content))))
	}))
	var dst fetch.Buffer
	if _, err := dst.WriteAt(content[:777], 0); err != nil {
		t.Fatal(err)
	}
	wrong.Offset = 777
	if err := client().Get(context.Background(), wrong, &dst); !errors.Is(err, fetch.ErrDigest) || len(dst.Bytes()) != 0 {
		t.Errorf("a mirror with another file: %v, %d bytes are left", err, len(dst.Bytes()))
	}
}

// TestBusyMirror is asked when it says, unless that is too long to wait.
func TestBusyMirror(t *testing.T) {
	t.Parallel()
	var until, calls atomic.Int64
	busy := func(seconds string) string {
		return server(t, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			if time.Now().UnixNano() < until.Load() {
				w.Header().Set("Retry-After", seconds)
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			whole(w, r)
		})
	}
	until.Store(time.Now().Add(1500 * time.Millisecond).UnixNano())
	if err := client().Get(context.Background(), request(busy("2")), &fetch.Buffer{}); err != nil {
		t.Error(err)
	}
	until.Store(time.Now().Add(time.Hour).UnixNano())
	calls.Store(0)
	began := time.Now()
	err := client().Get(context.Background(), request(busy("3600")), &fetch.Buffer{})
	var s *fetch.StatusError
	if !errors.As(err, &s) || s.After != time.Hour || calls.Load() != 1 || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v and %d requests", err, time.Since(began), calls.Load())
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	url := server(t, whole)
	var jobs []fetch.Job
	var finished atomic.Int32
	for range 20 {
		jobs = append(jobs, fetch.Job{
			Request: request(url),
			Open:    func() (fetch.File, int64, error) { return &fetch.Buffer{}, 0, nil },
			Done: func(dst fetch.File, err error) error {
				if bytes.Equal(dst.(*fetch.Buffer).Bytes(), content) {
					finished.Add(1)
				}
				return err
			},
		})
	}
	var last, total int64
	err := client().All(context.Background(), jobs, func(d, t int64) { last, total = d, t })
	if want := int64(20 * len(content)); err != nil || finished.Load() != 20 || last != want || total != want {
		t.Errorf("%v: %d files, %d of %d bytes", err, finished.Load(), last, total)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	url := server(t, whole)
	doc, err := client().Document(context.Background(), []string{"http://127.0.0.1:1/", url}, 1<<20, fetch.Validators{})
	if err != nil || !bytes.Equal(doc.Body, content) || doc.URL != url {
		t.Fatalf("%d bytes of %s: %v", len(doc.Body), doc.URL, err)
	}
	again, err := client().Document(context.Background(), []string{url}, 1<<20, doc.Validators)
	if err != nil || !again.NotModified || len(again.Body) != 0 {
		t.Errorf("not answered by \"not modified\": %+v, %v", again.Validators, err)
	}
	if _, err := client().Document(context.Background(), []string{url}, 1000, fetch.Validators{}); !errors.Is(err, fetch.ErrSize) {
		t.Errorf("the limit did not hold: %v", err)
	}
}
