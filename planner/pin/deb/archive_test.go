package deb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/planner/pin/deb/debtest"
)

// archiveTest is an archive of ours on loopback.
type archiveTest struct {
	t      *testing.T
	dir    string
	key    debtest.Key
	server *debtest.Server
}

func newKey(t *testing.T) debtest.Key {
	t.Helper()
	key, err := debtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// stable has two components.
func stable() debtest.Suite {
	return debtest.Suite{Name: "stable", Components: map[string][]debtest.Package{
		"main":  {{Name: "app", Fields: "Depends: lib (>= 1), data\n"}, {Name: "lib", Version: "1.2-3"}, {Name: "data", Arch: "all"}},
		"extra": {{Name: "plugin", Fields: "Depends: app\nProvides: addon\n"}},
	}}
}

func newArchive(t *testing.T, suites ...debtest.Suite) *archiveTest {
	t.Helper()
	a := &archiveTest{t: t, dir: t.TempDir(), key: newKey(t)}
	a.write(suites...)
	a.server = debtest.Serve(a.dir, nil)
	t.Cleanup(a.server.Close)
	return a
}

func (a *archiveTest) write(suites ...debtest.Suite) {
	a.t.Helper()
	if err := debtest.Write(a.dir, a.key, suites...); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archiveTest) path(name string) string { return filepath.Join(a.dir, "dists/stable", name) }

func (a *archiveTest) change(name string, f func([]byte) []byte) {
	a.t.Helper()
	raw, err := os.ReadFile(a.path(name))
	if err == nil {
		err = os.WriteFile(a.path(name), f(raw), 0o644)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// resolver gives up at once.
func resolver(cache string) *Resolver {
	return NewResolver(Options{Cache: cache, Client: fetch.New(fetch.Options{Retries: -1, Connect: time.Second, Stall: 2 * time.Second})})
}

func (a *archiveTest) source(url string) Source {
	a.t.Helper()
	public, err := a.key.Public()
	if err != nil {
		a.t.Fatal(err)
	}
	return Source{URL: url, Suites: []string{"stable"}, Components: []string{"main", "extra"}, SignedBy: []byte(public)}
}

func (a *archiveTest) query(install ...string) Query {
	return Query{Archive: Archive{Sources: []Source{a.source(a.server.URL)}}, Arch: "amd64", Request: Request{Install: install}}
}

// resolve gives "name=version" of a closure.
func (a *archiveTest) resolve(r *Resolver, q Query) (string, error) {
	c, err := r.Resolve(a.t.Context(), q)
	var out []string
	for _, p := range c.Packages {
		out = append(out, p.Name+"="+p.Version)
	}
	return strings.Join(out, " "), err
}

const whole = "app=1 data=1 lib=1.2-3 plugin=1"

func (a *archiveTest) wantWhole(r *Resolver) {
	a.t.Helper()
	if got, err := a.resolve(r, a.query("plugin")); err != nil || got != whole {
		a.t.Errorf("got %q, %v", got, err)
	}
}

// TestFormsOfArchives: whatever an archive keeps, the closure is the same.
func TestFormsOfArchives(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*debtest.Suite){
		"xz":          func(*debtest.Suite) {},
		"gz":          func(s *debtest.Suite) { s.Forms = []string{"gz"} },
		"plain":       func(s *debtest.Suite) { s.Forms = []string{""} },
		"all":         func(s *debtest.Suite) { s.Forms = []string{"", "gz", "xz"} },
		"by hash":     func(s *debtest.Suite) { s.ByHash = true },
		"Release.gpg": func(s *debtest.Suite) { s.Detached = true },
		"binary-all":  func(s *debtest.Suite) { s.ArchAll = true },
		"valid":       func(s *debtest.Suite) { s.ValidUntil = time.Now().Add(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stable()
			change(&s)
			a := newArchive(t, s)
			cache := t.TempDir()
			a.wantWhole(resolver(cache))
			asked := a.server.Requests("Packages") + a.server.Requests("by-hash")
			a.wantWhole(resolver(cache))
			if again := a.server.Requests("Packages") + a.server.Requests("by-hash") - asked; again != 0 {
				t.Errorf("%d indexes were fetched again", again)
			}
		})
	}
}

// TestWhatAMirrorMayNotDo: each is refused, and by the reason that is meant.
func TestWhatAMirrorMayNotDo(t *testing.T) {
	t.Parallel()
	const main, extra = "main/binary-amd64/Packages.xz", "extra/binary-amd64/Packages.xz"
	for name, c := range map[string]struct {
		suite func(*debtest.Suite)
		files func(*archiveTest)
		want  string // part of the error
		is    error
	}{
		"swapped indexes": {files: func(a *archiveTest) {
			var other []byte
			a.change(extra, func(b []byte) []byte { other = b; return b })
			a.change(main, func([]byte) []byte { return other })
		}, is: fetch.ErrSize},
		"truncated": {files: func(a *archiveTest) {
			a.change(main, func(b []byte) []byte { return b[:len(b)/2] })
		}, is: fetch.ErrSize},
		"longer": {files: func(a *archiveTest) {
			a.change(main, func(b []byte) []byte { return append(b, 0) })
		}, is: fetch.ErrSize},
		"flipped bit": {files: func(a *archiveTest) {
			a.change(main, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, is: fetch.ErrDigest},
		"another key": {files: func(a *archiveTest) {
			a.key = newKey(a.t)
		}, is: ErrSignature},
		"changed release": {files: func(a *archiveTest) {
			a.change("InRelease", func(b []byte) []byte { return []byte(strings.Replace(string(b), "Origin: Test", "Origin: Tost", 1)) })
		}, is: ErrSignature},
		"unsigned": {files: func(a *archiveTest) {
			a.change("InRelease", func([]byte) []byte { return []byte("Suite: stable\n") })
		}, is: ErrSignature},
		"no Release.gpg": {
			suite: func(s *debtest.Suite) { s.Detached = true },
			files: func(a *archiveTest) { os.Remove(a.path("Release.gpg")) }, is: ErrSignature,
		},
		"another's Release.gpg": {
			suite: func(s *debtest.Suite) { s.Detached = true },
			files: func(a *archiveTest) {
				a.change("Release", func(b []byte) []byte { return append(b, "X: y\n"...) })
			}, is: ErrSignature,
		},
		"ended":  {suite: func(s *debtest.Suite) { s.ValidUntil = time.Now().Add(-time.Hour) }, want: "stale"},
		"future": {suite: func(s *debtest.Suite) { s.Date = time.Now().Add(72 * time.Hour) }, want: "in the future"},
		"another suite": {files: func(a *archiveTest) {
			other := stable()
			other.Name = "testing"
			a.write(other)
			if err := os.Rename(filepath.Join(a.dir, "dists/testing/InRelease"), a.path("InRelease")); err != nil {
				a.t.Fatal(err)
			}
		}, want: `is of suite "testing"`},
		"no index": {files: func(a *archiveTest) { os.Remove(a.path(main)) }, want: "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stable()
			if c.suite != nil {
				c.suite(&s)
			}
			a := newArchive(t, s)
			if c.files != nil {
				c.files(a)
			}
			cache := t.TempDir()
			_, err := a.resolve(resolver(cache), a.query("plugin"))
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("got %v, want %q %v", err, c.want, c.is)
			}
			if !strings.Contains(err.Error(), "stable") {
				t.Errorf("the suite is not named: %v", err)
			}
			// Nothing that was refused is found in the cache later.
			a.key = newKey(t)
			a.write(stable())
			a.wantWhole(resolver(cache))
		})
	}
}

// TestDamagedCache damages each kept file in turn, and all at once: what is
// wrong is fetched again.
func TestDamagedCache(t *testing.T) {
	t.Parallel()
	a := newArchive(t, stable())
	cache := t.TempDir()
	a.wantWhole(resolver(cache))
	names, err := os.ReadDir(cache)
	if err != nil || len(names) != 3 { // the release, two components
		t.Fatalf("%d files, %v", len(names), err)
	}
	for how, damage := range map[string]func([]byte) []byte{
		"flipped": func(b []byte) []byte { b[len(b)-3] ^= 1; return b },
		"cut":     func(b []byte) []byte { return b[:len(b)-1] },
		"empty":   func([]byte) []byte { return nil },
		"head":    func(b []byte) []byte { return b[:20] },
		"longer":  func(b []byte) []byte { return append(b, 0) },
	} {
		for _, n := range names {
			at := filepath.Join(cache, n.Name())
			raw, err := os.ReadFile(at)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, damage(slices.Clone(raw)), 0o644); err != nil {
				t.Fatal(err)
			}
			a.wantWhole(resolver(cache))
			if now, err := os.ReadFile(at); err != nil || !slices.Equal(now, raw) {
				t.Errorf("%s, %s: it was not made anew (%v)", how, n.Name(), err)
			}
		}
	}
}

// TestFilesOfTheCacheDoNotChangePlaces: a right file under a wrong name would
// answer with other packages.
func TestFilesOfTheCacheDoNotChangePlaces(t *testing.T) {
	t.Parallel()
	k := kept(t.TempDir())
	if err := k.write("a", []byte("content")); err != nil {
		t.Fatal(err)
	}
	if got := k.read("a"); string(got) != "content" {
		t.Errorf("it was not kept: %q", got)
	}
	if err := os.Rename(k.path("a"), k.path("b")); err != nil {
		t.Fatal(err)
	}
	if got := k.read("b"); got != nil {
		t.Errorf("it was taken for another: %q", got)
	}
}

// TestReleasesAreAskedForWithValidators: an archive that has not changed
// sends no release twice, one that has changed is seen.
func TestReleasesAreAskedForWithValidators(t *testing.T) {
	t.Parallel()
	a := newArchive(t, stable())
	var mu sync.Mutex
	var statuses []int
	server := debtest.Serve(a.dir, func(files http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := &status{ResponseWriter: w}
			files.ServeHTTP(s, r)
			if strings.HasSuffix(r.URL.Path, "InRelease") {
				mu.Lock()
				defer mu.Unlock()
				statuses = append(statuses, s.code)
			}
		})
	})
	t.Cleanup(server.Close)
	a.server = server
	cache := t.TempDir()
	a.wantWhole(resolver(cache))
	a.wantWhole(resolver(cache))
	if want := []int{200, 304}; !slices.Equal(statuses, want) {
		t.Errorf("answers %v, want %v", statuses, want)
	}
	newer := stable()
	newer.Components["main"][1].Version = "1.2-4"
	a.write(newer)
	if got, err := a.resolve(resolver(cache), a.query("lib")); err != nil || got != "lib=1.2-4" {
		t.Errorf("after a change: %q, %v", got, err)
	}
}

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// TestMirrorsFailOver: Debian's mirrors are tried in order, whatever is wrong
// with the first, and redirects are followed.
func TestMirrorsFailOver(t *testing.T) {
	t.Parallel()
	a := newArchive(t, stable())
	bad := newArchive(t, stable()) // signed by a key that is not asked for
	cut := debtest.Serve(a.dir, func(files http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "Packages") {
				http.Error(w, "gone", http.StatusGone)
				return
			}
			files.ServeHTTP(w, r)
		})
	})
	t.Cleanup(cut.Close)
	redirect := debtest.Serve(a.dir, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, a.server.URL+r.URL.Path, http.StatusFound)
		})
	})
	t.Cleanup(redirect.Close)
	circle := debtest.Serve(a.dir, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	})
	t.Cleanup(circle.Close)
	keys := a.source("").SignedBy
	load := func(bases ...string) error {
		s := suite{source: "x", bases: bases, name: "stable", components: []string{"main", "extra"}, keys: keys}
		l, err := resolver("").load(context.Background(), []suite{s}, "amd64")
		if err == nil {
			_, err = l.index.Solve(Request{Install: []string{"plugin"}})
		}
		return err
	}
	for name, bases := range map[string][]string{
		"refused": {"http://127.0.0.1:1", a.server.URL}, "another key": {bad.server.URL, a.server.URL}, "without indexes": {cut.URL, a.server.URL},
		"not found": {a.server.URL + "/none", a.server.URL}, "redirect": {redirect.URL}, "circle": {circle.URL, a.server.URL},
	} {
		if err := load(bases...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct{ base, want string }{
		"circle": {circle.URL, "stopped after 10 redirects"}, "refused": {"http://127.0.0.1:1", "connection refused"},
	} {
		if err := load(c.base); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.base) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestWhatAnArchiveLacks is said with what there is.
func TestWhatAnArchiveLacks(t *testing.T) {
	t.Parallel()
	a := newArchive(t, stable())
	for want, change := range map[string]func(*Query){
		`no suite "sable"`:           func(q *Query) { q.Archive.Sources[0].Suites = []string{"sable"} },
		`no component "man"; it has`: func(q *Query) { q.Archive.Sources[0].Components = []string{"man"} },
		"it has them for amd64":      func(q *Query) { q.Arch = "arm64" },
	} {
		q := a.query("app")
		change(&q)
		if got, err := a.resolve(resolver(""), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	q := a.query("app")
	q.Archive.Sources[0].Suites = []string{"sable"}
	_, err := a.resolve(resolver(""), q)
	var unknown *UnknownSuite
	if !errors.As(err, &unknown) || unknown.Suite != "sable" || !strings.Contains(err.Error(), a.server.URL+"/dists/sable/InRelease") {
		t.Errorf("got %v", err)
	}
}

// TestOneStateOfAnArchive: a resolver asks once, for all closures of a lock.
func TestOneStateOfAnArchive(t *testing.T) {
	t.Parallel()
	s := stable()
	s.Arches = []string{"amd64", "arm64"}
	a := newArchive(t, s)
	r := resolver("")
	for _, arch := range []string{"amd64", "arm64", "amd64"} {
		q := a.query("data")
		q.Arch = arch
		if got, err := a.resolve(r, q); err != nil || got != "data=1" {
			t.Errorf("%s: %q, %v", arch, got, err)
		}
	}
	if n := a.server.Requests("InRelease"); n != 1 {
		t.Errorf("the release was asked for %d times", n)
	}
	if n := a.server.Requests("main/binary-amd64"); n != 1 {
		t.Errorf("an index was asked for %d times", n)
	}
}

// TestCanceledIsNotRemembered: the next one asks again.
func TestCanceledIsNotRemembered(t *testing.T) {
	t.Parallel()
	a := newArchive(t, stable())
	r := resolver("")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Resolve(ctx, a.query("app")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	a.wantWhole(r)
}

// TestTimeoutsAreRemembered, although net says of them that a context ended.
func TestTimeoutsAreRemembered(t *testing.T) {
	t.Parallel()
	a := newArchive(t, stable())
	silent := debtest.Serve(a.dir, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	})
	t.Cleanup(silent.Close)
	r := NewResolver(Options{Client: fetch.New(fetch.Options{Retries: -1, Stall: 100 * time.Millisecond})})
	for range 3 {
		if _, err := r.Resolve(t.Context(), Query{Archive: Archive{Sources: []Source{a.source(silent.URL)}}, Arch: "amd64"}); err == nil {
			t.Error("nobody answered, and nobody said so")
		}
	}
	if n := silent.Requests(""); n != 1 {
		t.Errorf("a silent server was asked %d times", n)
	}
	var m memo[int]
	calls := 0
	for range 3 {
		_, err := m.do(t.Context(), "x", func() (int, error) { calls++; return 0, fmt.Errorf("dial: %w", context.DeadlineExceeded) })
		if err == nil || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
	}
}
