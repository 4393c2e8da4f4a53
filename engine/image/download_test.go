package image

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// bad is a registry (distribution, in memory) of which some answers are worse:
// spoil is given the request and the real answer, and says whether it has
// answered itself.
func bad(t *testing.T, spoil func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) bool) (host string) {
	t.Helper()
	c := &configuration.Configuration{Storage: configuration.Storage{"inmemory": configuration.Parameters{}}}
	c.Log.Level = "panic"
	inner := handlers.NewApp(context.Background(), c)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			inner.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		inner.ServeHTTP(answer, r)
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		if spoil(w, r, answer) {
			return
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// half sends the first half of an answer and no more.
func half(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	w.(http.Flusher).Flush()
}

func isBlob(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/sha256:") }

func pushTo(t *testing.T, host string) (ref string, a *Artifact) {
	t.Helper()
	a = assemble(t, testResult(t, "linux/amd64"), Options{})
	ref = host + "/shop/web:1"
	if err := NewRegistry("test").Push(t.Context(), ref, a); err != nil {
		t.Fatal(err)
	}
	return ref, a
}

func TestABlobThatIsCutOffGoesOn(t *testing.T) {
	t.Parallel()
	var cuts atomic.Int64
	host := bad(t, func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) bool {
		if !isBlob(r) || cuts.Add(1)%3 == 0 {
			return false
		}
		half(w, answer)
		panic(http.ErrAbortHandler)
	})
	ref, a := pushTo(t, host)
	r := NewRegistry("test")
	base, err := r.Base(t.Context(), ref, a.Digest) // whose configuration is cut off, twice
	if err != nil {
		t.Fatal(err)
	}
	rc, err := r.OpenBlob(t.Context(), ref, base.Layers[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if data, err := io.ReadAll(rc); err != nil || sum(data) != base.Layers[0].Digest {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if n := cuts.Load(); n != 6 {
		t.Errorf("%d blobs were asked for, wanted 6", n)
	}
}

func TestABlobThatIsSilentGoesOn(t *testing.T) {
	t.Parallel()
	var silent atomic.Int64
	silent.Store(1)
	host := bad(t, func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) bool {
		if !isBlob(r) || silent.Add(-1) != 0 {
			return false
		}
		half(w, answer)
		<-r.Context().Done()
		return true
	})
	ref, a := pushTo(t, host)
	r := NewRegistry("test")
	r.stall = 200 * time.Millisecond
	if _, err := r.Base(t.Context(), ref, a.Digest); err != nil {
		t.Error(err)
	}
	if n := silent.Load(); n != -1 {
		t.Errorf("it was asked for %d times, wanted twice", 1-n)
	}
}

func TestAnotherAnswerAfterACutIsNotTaken(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	host := bad(t, func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) bool {
		if !isBlob(r) || n.Add(1) > 1 {
			return false
		}
		answer.Body.Bytes()[0] ^= 1
		half(w, answer)
		panic(http.ErrAbortHandler)
	})
	ref, a := pushTo(t, host)
	if _, err := NewRegistry("test").Base(t.Context(), ref, a.Digest); err == nil || !strings.Contains(err.Error(), "not what its digest says") {
		t.Errorf("error %v", err)
	}
}

func TestAnEndOfTheBuildEndsADownload(t *testing.T) {
	t.Parallel()
	host := bad(t, func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) bool {
		if isBlob(r) {
			half(w, answer)
			<-r.Context().Done()
		}
		return isBlob(r)
	})
	ref, a := pushTo(t, host)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := NewRegistry("test").Base(ctx, ref, a.Digest)
	if err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("error %v after %v", err, time.Since(began))
	}
}

func TestABlobOfALayoutIsCompared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := assemble(t, testResult(t, "linux/amd64"), Options{})
	if _, err := WriteLayout(t.Context(), dir, a, "web"); err != nil {
		t.Fatal(err)
	}
	r := NewRegistry("test")
	base, err := r.Base(t.Context(), LayoutRef(dir), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(base.Layers[0].Digest, "sha256:"))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1 // the size is right
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	rc, err := r.OpenBlob(t.Context(), LayoutRef(dir), base.Layers[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if _, err := io.ReadAll(rc); err == nil || !strings.Contains(err.Error(), "not what its digest says") {
		t.Errorf("error %v", err)
	}
}

// A registry that says of a small configuration that it is huge, and sends
// without end, is refused before anything is read.
func TestAConfigurationOfAnySizeIsNotRead(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	host := bad(t, func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) bool {
		if isBlob(r) {
			asked.Store(true)
		}
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		var m v1.Manifest
		if err := json.Unmarshal(answer.Body.Bytes(), &m); err != nil {
			return false
		}
		m.Config.Size = 1 << 40
		raw, _ := json.Marshal(m)
		w.Header().Del("Content-Length")
		_, _ = w.Write(raw)
		return true
	})
	ref, _ := pushTo(t, host)
	_, err := NewRegistry("test").Resolve(t.Context(), ref)
	if err == nil || !strings.Contains(err.Error(), "1099511627776 bytes") || asked.Load() {
		t.Errorf("error %v, asked for the configuration: %t", err, asked.Load())
	}
}

func TestARegistryThatIsBusyIsAskedWhenItSays(t *testing.T) {
	t.Parallel()
	var until atomic.Int64
	host := bad(t, func(w http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) bool {
		if time.Now().UnixNano() >= until.Load() {
			return false
		}
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	ref, a := pushTo(t, host)
	until.Store(time.Now().Add(1500 * time.Millisecond).UnixNano()) // longer than three tries of our own
	if idx, err := NewRegistry("test").Resolve(t.Context(), ref); err != nil || idx.Digest != a.Digest {
		t.Errorf("%+v, %v", idx, err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "7": 7 * time.Second, "Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"": -1, "-1": -1, "soon": -1, "99999999999999999999": -1,
	} {
		got, ok := retryAfter(text, now)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
}

// laconic takes headers out of an answer.
type laconic struct {
	http.ResponseWriter
	without string
}

func (l laconic) WriteHeader(code int) {
	l.Header().Del(l.without)
	l.ResponseWriter.WriteHeader(code)
}

// The digest is only recommended in an answer to HEAD, and some proxies allow
// none: a tag that is there is pushed to and asked for all the same.
func TestARegistryThatSaysLittleOfATag(t *testing.T) {
	t.Parallel()
	for _, without := range []string{"Docker-Content-Digest", "Content-Type", "HEAD"} {
		c := &configuration.Configuration{Storage: configuration.Storage{"inmemory": configuration.Parameters{}}}
		c.Log.Level = "panic"
		inner := handlers.NewApp(context.Background(), c)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/manifests/") {
				if without == "HEAD" {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				w = laconic{w, without}
			}
			inner.ServeHTTP(w, r)
		}))
		defer s.Close()
		ref := strings.TrimPrefix(s.URL, "http://") + "/shop/web:1"
		r := NewRegistry("test")
		if got, err := r.Head(t.Context(), ref); got != "" || err != nil {
			t.Errorf("without %s: a tag that is not there is %q, %v", without, got, err)
		}
		for range 2 {
			a := assemble(t, testResult(t, "linux/amd64"), Options{})
			if err := NewRegistry("test").Push(t.Context(), ref, a); err != nil {
				t.Errorf("without %s: %v", without, err)
			}
			if got, err := r.Head(t.Context(), ref); got != a.Digest || err != nil {
				t.Errorf("without %s: %q, %v", without, got, err)
			}
		}
	}
}
