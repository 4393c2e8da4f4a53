package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/sandbox"
	"github.com/specbuild/specbuild/lower/dag"
)

// native is the platform of this machine.
var native = "linux/" + runtime.GOARCH

// newEngine makes an engine on a store of its own.
func newEngine(t *testing.T, change ...func(*Options)) *Engine {
	t.Helper()
	store, err := cache.Open(cache.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	o := Options{
		Store: store, Registry: image.NewRegistry("test"), Sandbox: sandbox.Native(sandbox.Options{}),
		Machine: Machine{
			IDMap:    func() sandbox.IDMap { return sandbox.IDMap{} },
			CanRun:   func(string) error { return nil },
			Emulator: func(string) *sandbox.Emulator { return nil },
		},
	}
	for _, f := range change {
		f(&o)
	}
	return New(o)
}

// recorder keeps the events of a run.
type recorder struct {
	mu     sync.Mutex
	events []engine.Event
}

func (r *recorder) event(e engine.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// made lists the titles of steps that were run, not found.
func (r *recorder) made() []string {
	var out []string
	for _, e := range r.events {
		if e.Kind == engine.Finished && !e.Cached && e.Err == nil {
			out = append(out, e.Title)
		}
	}
	slices.Sort(out)
	return out
}

func mustRun(t *testing.T, e *Engine, g *dag.Graph) ([]engine.Result, *recorder) {
	t.Helper()
	rec := &recorder{}
	res, err := e.Run(t.Context(), g, rec.event)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return res, rec
}

// treeOf is the merged tree of the first image of a result.
func treeOf(t *testing.T, res []engine.Result) *layer.Tree {
	t.Helper()
	var tocs []*layer.TOC
	for _, l := range res[0].Images[0].Layers {
		toc, err := l.(*layerRef).toc(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tocs = append(tocs, toc)
	}
	tree, err := layer.Merge(tocs...)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// graphOf builds an image of steps, one on the other.
type graphOf struct {
	dag.Builder
	root dag.ID
}

func fromScratch() *graphOf {
	g := &graphOf{}
	g.root = g.Add(dag.Scratch{}, nil, dag.Meta{})
	return g
}

func (g *graphOf) step(op dag.Op, title string, more ...dag.ID) *graphOf {
	g.root = g.Add(op, append([]dag.ID{g.root}, more...), dag.Meta{Name: "image.test", Title: title, Platform: native})
	return g
}

func (g *graphOf) file(path, content, mode string) *graphOf {
	return g.step(&dag.Files{Steps: []dag.FileStep{{Entry: &dag.FileEntry{Type: "file", Path: path, Content: content, Mode: mode}}}}, "file "+path)
}

func (g *graphOf) local(dir string, sources ...string) dag.ID {
	return g.Add(&dag.Local{Context: ".", Sources: sources}, nil, dag.Meta{Dir: dir})
}

func (g *graphOf) copy(dir, source, to string) *graphOf {
	src := g.local(dir, source)
	return g.step(&dag.Copy{Sources: []string{source}, To: to}, "copy "+source, src)
}

func (g *graphOf) run(args ...string) *graphOf {
	return g.step(&dag.Run{
		Args: args, Env: []dag.KV{{Name: "PATH", Value: "/bin"}}, Workdir: "/", User: "0:0", Network: "none", Platform: native,
	}, "run "+strings.Join(args, " "))
}

func (g *graphOf) image(checks ...dag.ID) *dag.Graph {
	img := g.Add(&dag.Image{Platform: native}, append([]dag.ID{g.root}, checks...), dag.Meta{Name: "image.test"})
	g.Output(dag.Output{Addr: "//:image.test", Node: img, Images: []dag.ID{img}, Platforms: []string{native}})
	return g.Graph()
}

// shell is a folder with one static program that is a shell and its tools.
func shell(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: steps are run")
	}
	path, err := exec.LookPath("busybox")
	if err != nil {
		if os.Getenv("SPECBUILD_TEST_REQUIRE") != "" {
			t.Fatal("busybox is required here")
		}
		t.Skip("needs busybox (busybox-static)")
	}
	dir := t.TempDir()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "busybox"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// withShell is a root that has busybox and a shell.
func withShell(t *testing.T) *graphOf {
	t.Helper()
	dir := shell(t)
	g := fromScratch().copy(dir, "busybox", "/bin/busybox")
	g.step(&dag.Files{Steps: []dag.FileStep{{Entry: &dag.FileEntry{Type: "symlink", Path: "/bin/sh", Content: "busybox"}}}}, "symlink /bin/sh")
	return g
}

func TestFilesMakeAnImage(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	g := fromScratch().file("/etc/motd", "hello\n", "").image()
	res, rec := mustRun(t, e, g)
	tree := treeOf(t, res)
	if f, ok := tree.Lookup("etc/motd"); !ok || f.Mode != 0o644 || f.Size != 6 {
		t.Errorf("etc/motd is %+v", f)
	}
	if got := rec.made(); len(got) != 1 {
		t.Errorf("made %q", got)
	}
	_, rec = mustRun(t, e, g)
	if got := rec.made(); len(got) != 0 {
		t.Errorf("the second time it made %q", got)
	}
}

func TestRunChangesTheRoot(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	g := withShell(t).run("/bin/sh", "-ec", "echo built > /out; busybox rm /bin/sh").image()
	res, _ := mustRun(t, e, g)
	tree := treeOf(t, res)
	if _, ok := tree.Lookup("out"); !ok {
		t.Error("what the step wrote is missing")
	}
	if _, ok := tree.Lookup("bin/sh"); ok {
		t.Error("what the step removed is there")
	}
	for _, stub := range []string{"proc", "sys", "dev", "etc"} {
		if _, ok := tree.Lookup(stub); ok {
			t.Errorf("the sandbox left %s behind", stub)
		}
	}
	a, err := image.Assemble(t.Context(), res[0], image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := image.WriteLayout(t.Context(), t.TempDir(), a, "test"); err != nil {
		t.Fatal(err)
	}
}

func TestEarlyCutOff(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	build := func(comment string) []string {
		g := withShell(t).
			run("/bin/sh", "-ec", "echo same > /result # "+comment).
			run("/bin/sh", "-ec", "busybox cp /result /copy").image()
		_, rec := mustRun(t, e, g)
		return rec.made()
	}
	build("first")
	if got := build("second"); len(got) != 1 || !strings.Contains(got[0], "second") {
		t.Errorf("made %q: only the step that changed may run, since its result did not", got)
	}
}

func TestADeepStackIsFlattened(t *testing.T) {
	t.Parallel()
	g := withShell(t)
	const depth = 430
	for i := range depth {
		g.file(fmt.Sprintf("/f/%d", i), "x", "")
	}
	g.run("/bin/sh", "-ec", "busybox ls /f | busybox wc -l > /n; busybox rm /f/7")
	res, _ := mustRun(t, newEngine(t), g.image())
	tree := treeOf(t, res)
	if _, ok := tree.Lookup("f/7"); ok {
		t.Error("what was removed of the flattened part is there")
	}
	if n := len(res[0].Images[0].Layers); n != depth+3 {
		t.Errorf("%d layers, wanted %d: the image keeps its own", n, depth+3)
	}
	if f, _ := tree.Lookup("n"); f.Digest != digestOf([]byte("430\n")) {
		t.Error("the step did not see all files")
	}
}

func TestFailedStepSaysEverything(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	g := withShell(t).run("/bin/sh", "-c", "echo one; echo two >&2; exit 7").run("/bin/sh", "-c", "true").image()
	_, err := e.Run(context.Background(), g, func(engine.Event) {})
	var se *engine.StepError
	if !asStep(err, &se) {
		t.Fatalf("error %v", err)
	}
	if se.Output != "one\ntwo\n" || !strings.Contains(se.Err.Error(), "exit status 7") || se.Skipped != 1 || len(se.Command) != 3 {
		t.Errorf("got %+v", se)
	}
}

func asStep(err error, se **engine.StepError) bool { return errors.As(err, se) }

func mustWrite(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestStepsSeeTheTimesOfLocalFiles: with constant times, make with a cache
// mount ships the old program.
func TestStepsSeeTheTimesOfLocalFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := newEngine(t)
	for _, when := range []int64{1_600_000_000, 1_500_000_000} {
		mustWrite(t, dir, "main.c", "int main;")
		if err := os.Chtimes(filepath.Join(dir, "main.c"), time.Unix(when, 0), time.Unix(when, 0)); err != nil {
			t.Fatal(err)
		}
		g := withShell(t).copy(dir, "main.c", "/src/").
			run("/bin/sh", "-ec", fmt.Sprintf("busybox stat -c %%Y /src/main.c > /time # %d", when))
		res, _ := mustRun(t, e, g.image())
		want := fmt.Sprintf("%d\n", when)
		if f, _ := treeOf(t, res).Lookup("time"); f.Digest != digestOf([]byte(want)) {
			t.Errorf("the step did not see the time %d of the local file", when)
		}
	}
}

func TestACancelledBuildStopsItsStep(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	ctx, cancel := context.WithCancel(t.Context())
	g := withShell(t).run("/bin/sh", "-c", "echo ready; busybox sleep 60").image()
	began := time.Now()
	_, err := e.Run(ctx, g, func(ev engine.Event) {
		if ev.Kind == engine.Output {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}

// Whoever reads a layer, to unpack it or to look into it, ends with the build.
func TestReadingALayerEndsWithTheBuild(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	res, _ := mustRun(t, e, fromScratch().file("/a", strings.Repeat("x", 1<<20), "").image())
	l := res[0].Images[0].Layers[0].(*layerRef)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := l.Tar(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 1024); err != nil {
		t.Fatal(err)
	}
	cancel()
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes more were read, %v", n, err)
	}
	if _, err := l.dir(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it was unpacked: %v", err)
	}
}

func TestKeptDirectoryOfAFailedStep(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.KeepFailed = true })
	g := withShell(t).run("/bin/sh", "-c", "echo half > /half; exit 1").image()
	_, err := e.Run(t.Context(), g, func(engine.Event) {})
	var se *engine.StepError
	if !asStep(err, &se) {
		t.Fatalf("error %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(se.Kept, "half")); err != nil || string(b) != "half\n" {
		t.Errorf("%s holds %q (%v)", se.Kept, b, err)
	}
	out, err := exec.Command("sh", "-c", strings.Replace(se.Enter, "/bin/sh'", "/bin/sh -c \"busybox cat /half\"'", 1)).CombinedOutput()
	if err != nil || string(out) != "half\n" {
		t.Errorf("%s\ngave %q (%v)", se.Enter, out, err)
	}
}

// TestAMissingSecretIsNoMiss: who has not got a secret still has the result.
func TestAMissingSecretIsNoMiss(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	file := filepath.Join(t.TempDir(), "secret")
	g := withShell(t)
	g.root = g.Add(&dag.Run{
		Args: []string{"/bin/sh", "-ec", "busybox cat /s > /dev/null"}, Env: []dag.KV{{Name: "PATH", Value: "/bin"}},
		Workdir: "/", User: "0:0", Network: "none", Platform: native,
		Mounts: []dag.Mount{{Type: "secret", Target: "/s"}},
	}, []dag.ID{g.root}, dag.Meta{Name: "image.test", Title: "run", Platform: native, Secrets: []dag.Secret{{Addr: "secret.s", File: file}}})
	graph := g.image()
	_, err := e.Run(t.Context(), graph, func(engine.Event) {})
	if err == nil || !strings.Contains(err.Error(), "secret.s") {
		t.Fatalf("without the secret: %v", err)
	}
	mustWrite(t, filepath.Dir(file), "secret", "hush")
	mustRun(t, e, graph)
	os.Remove(file)
	if _, rec := mustRun(t, e, graph); len(rec.made()) != 0 {
		t.Errorf("it was made again: %q", rec.made())
	}
}

func TestTwoFailedStepsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 3 { // the second and third find the same in the cache
		store, err := cache.Open(cache.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		e := newEngine(t, func(o *Options) { o.Store, o.KeepFailed = store, true })
		_, err = e.Run(t.Context(), withShell(t).run("/bin/sh", "-c", "exit 3").image(), func(engine.Event) {})
		var se *engine.StepError
		if !asStep(err, &se) || se.Kept == "" {
			t.Errorf("%d: %v, kept %q", i, err, se.Kept)
		}
		store.Close()
	}
}
