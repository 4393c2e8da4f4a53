package local

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
)

// fetching is an engine that fetches, in a hurry.
func fetching(o *Options) {
	o.Git = git.New(git.Options{Env: []string{"no_proxy=*"}})
	o.Fetch = fetch.New(fetch.Options{Retries: -1, Backoff: time.Millisecond, Proxy: fetch.Network{}.Proxy()})
}

// fileServer gives files of any path and counts what it is asked.
type fileServer struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	asked atomic.Int64
}

func newFileServer(t *testing.T) *fileServer {
	t.Helper()
	s := &fileServer{files: map[string][]byte{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		body, ok := s.files[r.URL.Path]
		s.mu.Unlock()
		switch {
		case strings.HasPrefix(r.URL.Path, "/moved/"):
			http.Redirect(w, r, strings.TrimPrefix(r.URL.Path, "/moved"), http.StatusFound)
		case !ok:
			http.NotFound(w, r)
		case strings.HasPrefix(r.URL.Path, "/cut/") && r.Header.Get("Range") == "":
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body[:len(body)/2])
			panic(http.ErrAbortHandler)
		default:
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *fileServer) put(path string, body []byte) (url, sum string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = body
	h := sha256.Sum256(body)
	return s.URL + path, hex.EncodeToString(h[:])
}

// from copies everything of a context to /to/.
func (g *graphOf) from(op dag.Op, meta dag.Meta) *graphOf {
	meta.Name, meta.Title = "context.src", "fetched files"
	var sources []string
	if o, ok := op.(*dag.Git); ok {
		sources = o.Sources
	} else if o, ok := op.(*dag.HTTP); ok {
		sources = o.Sources
	}
	return g.step(&dag.Copy{Sources: sources, To: "/to/"}, "copy", g.Add(op, nil, meta))
}

// paths of what /to has: "x name", "- name", "l name", "d name/".
func pathsOf(t *testing.T, res []engine.Result) []string {
	t.Helper()
	var out []string
	for e := range treeOf(t, res).Walk("to") {
		if name, ok := strings.CutPrefix(e.Path, "to/"); ok {
			out = append(out, fmt.Sprintf("%c %04o %s%s", e.Type, e.Mode, name, e.Link))
		}
	}
	return out
}

// commitOf makes a repository with one commit of some files.
func commitOf(t *testing.T, files map[string]string, date string) (url, commit string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo")
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_COMMITTER_DATE="+date, "GIT_AUTHOR_DATE="+date)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run("init", "--quiet", "--initial-branch=main")
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, dir, name, content)
		if strings.HasSuffix(name, ".sh") {
			if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Symlink("../etc/passwd", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	run("add", "--all")
	run("commit", "--quiet", "-m", "x")
	return "file://" + dir, run("rev-parse", "HEAD")
}

func TestACommitIsFetchedOnceAndKnownWithoutFetching(t *testing.T) {
	t.Parallel()
	url, commit := commitOf(t, map[string]string{"go.mod": "m", "cmd/run.sh": "s", "doc/x": "d"}, "2020-01-02T03:04:05Z")
	e := newEngine(t, fetching)
	graph := func(op dag.Git) *dag.Graph {
		op.Commit = commit
		return fromScratch().from(&op, dag.Meta{URL: url, Ref: "main"}).image()
	}
	res, _ := mustRun(t, e, graph(dag.Git{}))
	want := []string{"d 0755 cmd", "f 0755 cmd/run.sh", "d 0755 doc", "f 0644 doc/x", "f 0644 go.mod", "l 0777 out../etc/passwd"}
	if got := pathsOf(t, res); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if err := os.RemoveAll(strings.TrimPrefix(url, "file://")); err != nil { // whoever asks it now fails
		t.Fatal(err)
	}
	if _, rec := mustRun(t, e, graph(dag.Git{})); len(rec.made()) > 0 {
		t.Errorf("made again: %q", rec.made())
	}
	res, _ = mustRun(t, e, graph(dag.Git{Include: []string{"cmd", "go.mod"}, Exclude: []string{"go.*"}}))
	if got := pathsOf(t, res); !slices.Equal(got, want[:2]) {
		t.Errorf("another selection of the tree gave %q", got)
	}
	// Equal files are one action, wherever they come from.
	dir := t.TempDir()
	mustWrite(t, dir, "x", "d")
	_, _ = mustRun(t, e, fromScratch().from(&dag.Git{Commit: commit, Sources: []string{"doc/x"}}, dag.Meta{URL: url}).image())
	src := fromScratch()
	_, rec := mustRun(t, e, src.step(&dag.Copy{Sources: []string{"x"}, To: "/to/"}, "copy", src.local(dir, "x")).image())
	if len(rec.made()) > 0 {
		t.Errorf("equal files from a folder were made again: %q", rec.made())
	}
}

func TestNothingIsFetchedForWhatIsKnown(t *testing.T) {
	t.Parallel()
	s := newFileServer(t)
	url, sum := s.put("/a/tool.bin", []byte("bytes"))
	e := newEngine(t, fetching)
	graph := func() *dag.Graph {
		return fromScratch().from(&dag.HTTP{SHA256: sum, Name: "tool.bin"}, dag.Meta{URL: url, Size: 5}).image()
	}
	forecast, err := e.Forecast(t.Context(), graph())
	if err != nil || len(forecast) != 1 || forecast[0].State != engine.WillRun || s.asked.Load() != 0 {
		t.Errorf("forecast %+v, %v, after %d requests", forecast, err, s.asked.Load())
	}
	res, _ := mustRun(t, e, graph())
	if got := pathsOf(t, res); !slices.Equal(got, []string{"f 0644 tool.bin"}) {
		t.Errorf("%q", got)
	}
	for range 3 {
		mustRun(t, e, graph())
	}
	// Another URL with the same content, a redirect, and an engine that looks nothing up: the store has it.
	again := New(Options{Store: e.o.Store, Registry: e.o.Registry, Sandbox: e.o.Sandbox, Machine: e.o.Machine, Fetch: e.o.Fetch, NoCache: true})
	mustRun(t, again, fromScratch().from(&dag.HTTP{SHA256: sum, Name: "tool.bin"}, dag.Meta{URL: s.URL + "/elsewhere"}).image())
	mustRun(t, e, fromScratch().from(&dag.HTTP{SHA256: sum, Name: "other"}, dag.Meta{URL: s.URL + "/elsewhere"}).image())
	if n := s.asked.Load(); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}

func TestSeveralStepsFetchOnce(t *testing.T) {
	t.Parallel()
	s := newFileServer(t)
	url, sum := s.put("/x.tar", tarOf(t, tarFile{name: "a", body: "1"}, tarFile{name: "b", body: "2"}))
	g := fromScratch()
	for _, name := range []string{"a", "b"} {
		in := g.Add(&dag.HTTP{SHA256: sum, Unpack: true, Sources: []string{name}}, nil, dag.Meta{URL: url})
		g.step(&dag.Copy{Sources: []string{name}, To: "/to/"}, "copy "+name, in)
	}
	res, _ := mustRun(t, newEngine(t, fetching), g.image())
	if got := pathsOf(t, res); len(got) != 2 || s.asked.Load() != 1 {
		t.Errorf("%q after %d requests", got, s.asked.Load())
	}
}

func TestDownloadsFollowRedirectsAndGoOn(t *testing.T) {
	t.Parallel()
	s := newFileServer(t)
	body := bytes.Repeat([]byte("0123456789"), 100_000)
	_, sum := s.put("/cut/big", body)
	e := newEngine(t, fetching, func(o *Options) {
		o.Fetch = fetch.New(fetch.Options{Retries: 2, Backoff: time.Millisecond, Proxy: fetch.Network{}.Proxy()})
	})
	res, _ := mustRun(t, e, fromScratch().from(&dag.HTTP{SHA256: sum, Name: "big"}, dag.Meta{URL: s.URL + "/moved/cut/big", Size: int64(len(body))}).image())
	if got := pathsOf(t, res); !slices.Equal(got, []string{"f 0644 big"}) {
		t.Errorf("%q", got)
	}
}

func TestAnotherFileIsRefusedAtTheContextsPlace(t *testing.T) {
	t.Parallel()
	s := newFileServer(t)
	url, got := s.put("/f", []byte("what it is now"))
	_, want := s.put("/g", []byte("what it was"))
	for size, says := range map[int64]string{0: "the sha256 " + got + ", and " + want, 11: "the lock knows another file"} {
		meta := dag.Meta{URL: url, Size: size}
		meta.Range.File, meta.Range.Start.Line = "image.hcl", 4
		_, err := newEngine(t, fetching).Run(t.Context(), fromScratch().from(&dag.HTTP{SHA256: want, Name: "f"}, meta).image(), func(engine.Event) {})
		var se *engine.StepError
		if !asStep(err, &se) || se.Range.Start.Line != 4 || !strings.Contains(err.Error(), says) {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestWhatIsGoneSaysWhatToDo(t *testing.T) {
	t.Parallel()
	url, _ := commitOf(t, map[string]string{"f": "1"}, "2020-01-02T03:04:05Z")
	gone := strings.Repeat("ab", 20)
	_, err := newEngine(t, fetching).Run(t.Context(), fromScratch().from(&dag.Git{Commit: gone}, dag.Meta{URL: url}).image(), func(engine.Event) {})
	if err == nil || !strings.Contains(err.Error(), gone) || !strings.Contains(err.Error(), "specbuild lock --upgrade") {
		t.Error(err)
	}
	s := newFileServer(t)
	_, err = newEngine(t, fetching).Run(t.Context(), fromScratch().from(&dag.HTTP{SHA256: strings.Repeat("cd", 32), Name: "x"}, dag.Meta{URL: s.URL + "/none"}).image(), func(engine.Event) {})
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Error(err)
	}
}

func TestASourceThatMatchesNothingNamesTheContext(t *testing.T) {
	t.Parallel()
	url, commit := commitOf(t, map[string]string{"src/main.c": "1"}, "2020-01-02T03:04:05Z")
	_, err := newEngine(t, fetching).Run(t.Context(), fromScratch().from(&dag.Git{Commit: commit, Sources: []string{"srd"}}, dag.Meta{URL: url}).image(), func(engine.Event) {})
	var un *source.UnmatchedError
	if !errors.As(err, &un) || !slices.Contains(un.Similar, "src") || !strings.Contains(err.Error(), "context.src") {
		t.Error(err)
	}
}

type tarFile struct {
	name, body, link string
	kind             byte
	mode             int64
}

func tarOf(t *testing.T, files ...tarFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Linkname: f.link, Typeflag: f.kind, Mode: f.mode, Size: int64(len(f.body)), Uid: 7, Gid: 8}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o600
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An unpacked archive is a context like a folder: of its modes only the x bit
// stays, of its owners nothing.
func TestUnpackedArchivesAreContexts(t *testing.T) {
	t.Parallel()
	s := newFileServer(t)
	archive := tarOf(t, tarFile{name: "bin/", kind: tar.TypeDir, mode: 0o700}, tarFile{name: "bin/tool", body: "t", mode: 0o4711},
		tarFile{name: "bin/same", kind: tar.TypeLink, link: "bin/tool"}, tarFile{name: "l", kind: tar.TypeSymlink, link: "bin/tool"})
	unpacked := []string{"d 0755 bin", "f 0755 bin/same", "f 0755 bin/tool", "l 0777 lbin/tool"}
	for name, c := range map[string]struct {
		body []byte
		want []string
	}{
		"/a.tar": {archive, unpacked}, "/a.tgz": {gz(t, archive), unpacked},
		"/a.zip": {zipOf(t, "d/x", "y"), []string{"d 0755 d", "f 0644 d/x", "f 0644 y"}},
	} {
		url, sum := s.put(name, c.body)
		res, _ := mustRun(t, newEngine(t, fetching), fromScratch().from(&dag.HTTP{SHA256: sum, Unpack: true}, dag.Meta{URL: url}).image())
		if got := pathsOf(t, res); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	t.Parallel()
	s := newFileServer(t)
	var bomb bytes.Buffer
	zw := zip.NewWriter(&bomb)
	if _, err := zw.CreateRaw(&zip.FileHeader{Name: "zeros", Method: zip.Deflate, UncompressedSize64: 1 << 40, CompressedSize64: 0}); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"/up.tar":       tarOf(t, tarFile{name: "../../escaped", body: "x"}),
		"/abs.zip":      zipOf(t, "/escaped"),
		"/up.zip":       zipOf(t, "../escaped"),
		"/through.tar":  tarOf(t, tarFile{name: "l", kind: tar.TypeSymlink, link: "/tmp"}, tarFile{name: "l/escaped", body: "x"}),
		"/hardlink.tar": tarOf(t, tarFile{name: "h", kind: tar.TypeLink, link: "../../etc/passwd"}),
		"/device.tar":   tarOf(t, tarFile{name: "null", kind: tar.TypeChar}),
		"/bomb.zip":     bomb.Bytes(),
		"/text":         []byte("this is no archive"),
		"/whiteout.tar": tarOf(t, tarFile{name: ".wh.x", body: "x"}),
	} {
		url, sum := s.put(name, body)
		e := newEngine(t, fetching)
		_, err := e.Run(t.Context(), fromScratch().from(&dag.HTTP{SHA256: sum, Unpack: true}, dag.Meta{URL: url}).image(), func(engine.Event) {})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(e.o.Store.Dir(), "snap", treeKind, "*")); len(left) > 0 {
			t.Errorf("%s left a tree: %q", name, left)
		}
	}
	if _, err := os.Lstat("/tmp/escaped"); err == nil {
		t.Error("a file was written outside")
	}
}

// TestStepsSeeTheTimeOfTheCommit: also where the copy is remembered and
// nothing of the commit is here any more.
func TestStepsSeeTheTimeOfTheCommit(t *testing.T) {
	t.Parallel()
	e := newEngine(t, fetching)
	times := map[string]string{"2020-01-02T03:04:05Z": "1577934245\n", "2019-01-02T03:04:05Z": "1546398245\n"}
	for date, want := range times {
		url, commit := commitOf(t, map[string]string{"main.c": "int main;"}, date)
		for n := range 2 {
			g := withShell(t).from(&dag.Git{Commit: commit}, dag.Meta{URL: url}).
				run("/bin/sh", "-ec", fmt.Sprintf("busybox stat -c %%Y /to/main.c > /time # %d", n))
			res, _ := mustRun(t, e, g.image())
			if f, _ := treeOf(t, res).Lookup("time"); f.Digest != digestOf([]byte(want)) {
				t.Errorf("round %d: the step did not see the time of the commit of %s", n, date)
			}
			dropSnapshots(t, e)
			if err := os.RemoveAll(strings.TrimPrefix(url, "file://")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// dropSnapshots acts a trimmer: what is unpacked is gone, what is remembered
// is not.
func dropSnapshots(t *testing.T, e *Engine) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(e.o.Store.Dir(), "snap")); err != nil {
		t.Fatal(err)
	}
}

func TestABindMountOfARemoteContext(t *testing.T) {
	t.Parallel()
	url, commit := commitOf(t, map[string]string{"data/x": "from git"}, "2020-01-02T03:04:05Z")
	g := withShell(t)
	in := g.Add(&dag.Git{Commit: commit, Sources: []string{"data"}}, nil, dag.Meta{Name: "context.src", URL: url})
	g.step(&dag.Run{
		Args: []string{"/bin/sh", "-ec", "busybox cat /mnt/x > /out"}, Env: []dag.KV{{Name: "PATH", Value: "/bin"}}, Workdir: "/", User: "0:0", Network: "none", Platform: native,
		Mounts: []dag.Mount{{Type: "bind", Target: "/mnt", Input: 1, Sources: []string{"data"}}},
	}, "run", in)
	res, _ := mustRun(t, newEngine(t, fetching), g.image())
	if f, _ := treeOf(t, res).Lookup("out"); f.Digest != digestOf([]byte("from git")) {
		t.Error("the step did not see the commit's file")
	}
}

func TestTwoProcessesShareAFetchedTree(t *testing.T) {
	t.Parallel()
	s := newFileServer(t)
	url, sum := s.put("/f", []byte("x"))
	dir := t.TempDir()
	for range 2 {
		store, err := cache.Open(cache.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		e := newEngine(t, fetching, func(o *Options) { o.Store, o.NoCache = store, true })
		mustRun(t, e, fromScratch().from(&dag.HTTP{SHA256: sum, Name: "f"}, dag.Meta{URL: url}).image())
		if _, ok := FetchedTree(store, &dag.HTTP{SHA256: sum, Name: "f"}); !ok {
			t.Error("the tree is not found")
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s.asked.Load() != 1 {
		t.Errorf("asked %d times", s.asked.Load())
	}
}
