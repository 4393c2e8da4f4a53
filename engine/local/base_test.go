package local

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/lower/dag"
)

// countingRegistry is a real registry that counts what is asked of it.
type countingRegistry struct {
	host string
	mu   sync.Mutex
	got  map[string]int // "GET blob", "mount", …
}

func newRegistry(t *testing.T) *countingRegistry {
	t.Helper()
	c := &configuration.Configuration{Storage: configuration.Storage{"inmemory": configuration.Parameters{}}}
	c.Log.Level = "panic"
	inner := handlers.NewApp(context.Background(), c)
	r := &countingRegistry{got: map[string]int{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		if strings.Contains(req.URL.Path, "/blobs/sha256:") {
			r.got[req.Method+" blob"]++
		}
		if req.URL.Query().Get("mount") != "" {
			r.got["mount"]++
		}
		r.mu.Unlock()
		inner.ServeHTTP(w, req)
	}))
	t.Cleanup(s.Close)
	r.host = strings.TrimPrefix(s.URL, "http://")
	return r
}

// count gives how often something was asked since the last call.
func (r *countingRegistry) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.got[what]
	r.got[what] = 0
	return n
}

// push builds a graph on an engine of its own and pushes the result.
func (r *countingRegistry) push(t *testing.T, g *dag.Graph, tag string) (ref, digest string) {
	t.Helper()
	res, _ := mustRun(t, newEngine(t), g)
	a, err := image.Assemble(t.Context(), res[0], image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ref = r.host + "/" + tag
	if err := image.NewRegistry("test").Push(t.Context(), ref, a); err != nil {
		t.Fatal(err)
	}
	r.count("GET blob")
	return ref, a.Digest
}

func onBase(ref, digest string) *graphOf {
	g := &graphOf{}
	g.root = g.Add(&dag.Base{Digest: digest, Platform: native}, nil, dag.Meta{Ref: ref, Platform: native})
	return g
}

func TestABaseThatNothingIsPlacedOnIsNotFetched(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref, digest := r.push(t, fromScratch().file("/a", "A", "").file("/b", "B", "").image(), "base/os:1")
	res, _ := mustRun(t, newEngine(t), onBase(ref, digest).image())
	if n := r.count("GET blob"); n != 1 { // the configuration
		t.Errorf("%d blobs were fetched, wanted the configuration alone", n)
	}
	a, err := image.Assemble(t.Context(), res[0], image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := image.NewRegistry("test").Push(t.Context(), r.host+"/shop/app:1", a); err != nil {
		t.Fatal(err)
	}
	if n, mounted := r.count("GET blob"), r.count("mount"); n != 0 || mounted != 2 {
		t.Errorf("%d blobs fetched and %d mounted, wanted 0 and 2", n, mounted)
	}
}

func TestATableOfABaseIsReadOnce(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref, digest := r.push(t, fromScratch().file("/usr/bin/x", "X", "").image(), "base/os:1")
	e := newEngine(t)
	g := onBase(ref, digest).file("/usr/bin/y", "Y", "").image()
	mustRun(t, e, g)
	if n := r.count("GET blob"); n != 2 {
		t.Errorf("%d blobs were fetched, wanted the configuration and the layer, once", n)
	}
	g = onBase(ref, digest).file("/usr/bin/z", "Z", "").image()
	mustRun(t, e, g)
	if n := r.count("GET blob"); n != 0 {
		t.Errorf("another image on the same base fetched %d blobs", n)
	}
}

func TestABaseIsUnpackedForAStep(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref, digest := r.push(t, withShell(t).file("/msg", "from the base\n", "").image(), "base/os:1")
	res, _ := mustRun(t, newEngine(t), onBase(ref, digest).run("/bin/sh", "-ec", "busybox cp /msg /copy").image())
	if f, ok := treeOf(t, res).Lookup("copy"); !ok || f.Size != int64(len("from the base\n")) {
		t.Errorf("copy is %+v", f)
	}
	if h := res[0].Images[0].History; len(h) != len(res[0].Images[0].Layers) || h[0].CreatedBy != "copy busybox to /bin/busybox" {
		t.Errorf("history %+v for %d layers", h, len(res[0].Images[0].Layers))
	}
}

func TestABaseWhoseLayerIsNotWhatItClaims(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	res, _ := mustRun(t, newEngine(t), fromScratch().file("/a", "A", "").image())
	res[0].Images[0].Layers[0] = &liar{res[0].Images[0].Layers[0]}
	a, err := image.Assemble(t.Context(), res[0], image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ref := r.host + "/base/os:1"
	if err := image.NewRegistry("test").Push(t.Context(), ref, a); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	_, err = e.Run(t.Context(), onBase(ref, a.Digest).file("/b", "B", "").image(), func(engine.Event) {})
	if err == nil || !strings.Contains(err.Error(), "not what its configuration says") {
		t.Errorf("error %v", err)
	}
}

// liar is a layer under another DiffID.
type liar struct{ engine.Layer }

func (liar) DiffID() string { return "sha256:" + strings.Repeat("0", 64) }

func TestStagesAreSharedByImages(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	g := withShell(t)
	stage := g.run("/bin/sh", "-ec", "echo tool > /tool").root
	var images []dag.ID
	for _, name := range []string{"one", "two"} {
		root := g.Add(dag.Scratch{}, nil, dag.Meta{})
		root = g.Add(&dag.Copy{Sources: []string{"/tool"}, To: "/bin/" + name}, []dag.ID{root, stage}, dag.Meta{Name: "image." + name, Title: "copy"})
		img := g.Add(&dag.Image{Platform: native}, []dag.ID{root}, dag.Meta{Name: "image." + name})
		g.Output(dag.Output{Addr: name, Node: img, Images: []dag.ID{img}, Platforms: []string{native}})
		images = append(images, img)
	}
	res, rec := mustRun(t, e, g.Graph())
	runs := 0
	for _, title := range rec.made() {
		if strings.HasPrefix(title, "run ") {
			runs++
		}
	}
	if runs != 1 || len(res) != 2 || images[0] == images[1] {
		t.Errorf("%d runs for %d images, wanted one for two", runs, len(res))
	}
}

func TestAnEqualCopyIsOneLayerOnTwoBases(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	e := newEngine(t)
	var diffIDs []string
	for _, v := range []string{"1", "2"} {
		ref, digest := r.push(t, fromScratch().file("/usr/lib/os-release", v, "").file("/usr/bin/x", "X", "").image(), "base/os:"+v)
		res, _ := mustRun(t, e, onBase(ref, digest).file("/usr/bin/app", "APP", "").image())
		layers := res[0].Images[0].Layers
		diffIDs = append(diffIDs, layers[len(layers)-1].DiffID())
	}
	if diffIDs[0] != diffIDs[1] {
		t.Errorf("the same file is %s on one base and %s on the next", diffIDs[0], diffIDs[1])
	}
}

func TestAPrunedLayerIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := fromScratch().file("/etc/motd", "hello\n", "").image()
	digest := func() string {
		store, err := cache.Open(cache.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		e := newEngine(t, func(o *Options) { o.Store = store })
		res, _ := mustRun(t, e, g)
		a, err := image.Assemble(t.Context(), res[0], image.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return a.Digest
	}
	first := digest()
	store, err := cache.Open(cache.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Prune(t.Context(), cache.PruneOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	store.Close()
	if again := digest(); again != first {
		t.Errorf("made again it is %s, was %s", again, first)
	}
}

func TestChunksAreReused(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	big := strings.Repeat("0123456789abcdef", 1<<16) // one chunk of its own at least
	count := func(small string) int {
		dir := t.TempDir()
		mustWrite(t, dir, "big1", big+"1")
		mustWrite(t, dir, "big2", big+"2")
		mustWrite(t, dir, "big3", big+"3")
		mustWrite(t, dir, "small", small)
		c := &countingChunks{inner: chunkCache{e.o.Store.Chunks()}}
		e.o.Compressor.Cache = c
		g := fromScratch()
		src := g.local(dir)
		res, _ := mustRun(t, e, g.step(&dag.Copy{To: "/"}, "copy", src).image())
		if _, err := image.Assemble(t.Context(), res[0], image.Options{}); err != nil {
			t.Fatal(err)
		}
		return c.missed
	}
	first, second := count("a"), count("b")
	if first == 0 || second >= first {
		t.Errorf("%d chunks were compressed at first, %d after a small file changed", first, second)
	}
}

// countingChunks counts the chunks that had to be compressed.
type countingChunks struct {
	mu     sync.Mutex
	inner  chunkCache
	missed int
}

func (c *countingChunks) Get(key string) ([]byte, bool) {
	data, ok := c.inner.Get(key)
	if !ok {
		c.mu.Lock()
		c.missed++
		c.mu.Unlock()
	}
	return data, ok
}

// A budget is of uncompressed bytes, the base's too, and costs one look at the
// base.
func TestABudgetCountsTheBaseUncompressed(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref, digest := r.push(t, fromScratch().file("/zeros", strings.Repeat("0", 1<<20), "").image(), "base/os:1")
	e := newEngine(t)
	within := func(size int64) error {
		g := onBase(ref, digest).file("/b", "B", "").image()
		g.Outputs[0].Budget.Size = size
		_, err := e.Run(t.Context(), g, func(engine.Event) {})
		return err
	}
	var over *BudgetError
	if err := within(1 << 20); !errors.As(err, &over) {
		t.Errorf("an image of more than a megabyte: %v", err)
	}
	r.count("GET blob")
	if err := within(1<<20 + 64<<10); err != nil {
		t.Error(err)
	}
	if n := r.count("GET blob"); n != 0 {
		t.Errorf("%d blobs were fetched again", n)
	}
	g := onBase(ref, digest).image() // nothing else would look at the base
	g.Outputs[0].Budget.Size = 1 << 20
	if _, err := newEngine(t).Run(t.Context(), g, func(engine.Event) {}); !errors.As(err, &over) {
		t.Errorf("the base alone: %v", err)
	}
}
