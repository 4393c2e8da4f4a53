package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/lower/dag"
)

// shipping asks for the layers of images as layouts and registries have them.
func shipping(o *Options) { o.Images = Forms{Compressed: true} }

// inStore are the forms in which the store has a layer.
func inStore(l engine.Layer) Forms {
	own := l.(*layerRef)
	_, packed := own.packed()
	return Forms{Compressed: packed, Tar: own.e.o.Store.HasBlob(own.diffID, own.size)}
}

// What reads a layer as files gets a tar; what only an image needs is nothing
// but compressed.
func TestFormsOfANewLayer(t *testing.T) {
	t.Parallel()
	test := func(args ...string) func(*graphOf) *dag.Graph {
		return func(g *graphOf) *dag.Graph {
			img := g.Add(&dag.Image{Platform: native}, []dag.ID{g.root}, dag.Meta{Name: "image.test"})
			check := g.Add(&dag.Test{Name: "t", Platform: native, Args: args}, []dag.ID{img}, dag.Meta{Name: "image.test"})
			g.Output(dag.Output{Addr: "//:image.test", Node: img, Images: []dag.ID{img}, Platforms: []string{native}, Tests: []dag.ID{check}})
			return g.Graph()
		}
	}
	alone := func(g *graphOf) *dag.Graph { return g.image() }
	compressed, tar := Forms{Compressed: true}, Forms{Tar: true}
	for name, c := range map[string]struct {
		asked, want Forms
		finish      func(g *graphOf) *dag.Graph
	}{
		"in an image alone":          {compressed, compressed, alone},
		"nobody said what for":       {Forms{}, tar, alone},
		"for a bill of materials":    {Forms{Compressed: true, Tar: true}, Forms{Compressed: true, Tar: true}, alone},
		"another layer on it":        {compressed, compressed, func(g *graphOf) *dag.Graph { return g.file("/b", "b", "").image() }},
		"a command on it":            {compressed, tar, func(g *graphOf) *dag.Graph { return g.run("true").image() }},
		"a command on what is on it": {compressed, tar, func(g *graphOf) *dag.Graph { return g.file("/b", "b", "").run("true").image() }},
		"a test that looks at files": {compressed, compressed, test()},
		"a test that runs a command": {compressed, tar, test("true")},
		"a copy out of it onto itself": {compressed, tar, func(g *graphOf) *dag.Graph {
			return g.step(&dag.Copy{Sources: []string{"/a"}, To: "/c"}, "copy", g.root).image()
		}},
		"a stage that is copied from": {compressed, tar, func(g *graphOf) *dag.Graph {
			stage := g.root
			g.root = g.Add(dag.Scratch{}, nil, dag.Meta{})
			return g.step(&dag.Copy{Sources: []string{"/a"}, To: "/c"}, "copy", stage).image()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(o *Options) { o.Images = c.asked })
			g := fromScratch().file("/a", "a", "")
			made := g.root
			b := newBuild(e, c.finish(g), func(engine.Event) {}, func(error) {})
			if got := b.forms(b.nodes[made]); got != c.want {
				t.Errorf("is made as %+v, want %+v", got, c.want)
			}
		})
	}
}

// An image is the same whichever way its layers went into the store, and all
// that may be asked of a layer later can be had of what is left.
func TestALayerThatIsOnlyCompressedServesAll(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 1<<16)
	graph := func() *graphOf { return fromScratch().file("/a", big, "").file("/b", "b\n", "") }
	digest := func(e *Engine) (string, []engine.Layer) {
		res, _ := mustRun(t, e, graph().image())
		a, err := image.Assemble(t.Context(), res[0], image.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return a.Digest, res[0].Images[0].Layers
	}
	plain, layers := digest(newEngine(t))
	want, err := layers[0].Tar(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	tar, err := io.ReadAll(want)
	if err != nil {
		t.Fatal(err)
	}

	e := newEngine(t, shipping)
	shipped, layers := digest(e)
	if shipped != plain {
		t.Errorf("the image is %s, and %s where its layers were tars first", shipped, plain)
	}
	for i, l := range layers {
		if got := inStore(l); got != (Forms{Compressed: true}) {
			t.Errorf("layer %d is in the store as %+v", i, got)
		}
	}
	r, err := layers[0].Tar(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, tar) {
		t.Errorf("its tar has %d bytes of %d, %v", len(got), len(tar), err)
	}

	// The steps are known, and what reads them finds their files.
	again := New(e.o)
	again.o.Compressor.Kind = "zstd"
	stage := graph()
	from := stage.root
	stage.root = stage.Add(dag.Scratch{}, nil, dag.Meta{})
	res, rec := mustRun(t, again, stage.step(&dag.Copy{Sources: []string{"/b"}, To: "/c"}, "copy", from).image())
	if got := rec.made(); len(got) != 1 || got[0] != "copy" {
		t.Errorf("made %q", got)
	}
	if f, ok := treeOf(t, res).Lookup("c"); !ok || f.Size != 2 {
		t.Errorf("the copy is %+v", f)
	}
	if _, layers = digest(again); layers[0].(*layerRef).e != again {
		t.Fatal("the second engine gave the first one's layer")
	}
	if b, err := layers[0].Blob(t.Context()); err != nil || !strings.HasSuffix(b.MediaType, "+zstd") {
		t.Errorf("its blob for zstd is %+v, %v", b, err)
	}
}

// A blob that lost its end is no layer: the step is done again.
func TestACompressedLayerThatIsCutShortIsMadeAgain(t *testing.T) {
	t.Parallel()
	e := newEngine(t, shipping)
	g := func() *dag.Graph { return fromScratch().file("/a", "some text", "").image() }
	res, _ := mustRun(t, e, g())
	b, err := res[0].Images[0].Layers[0].Blob(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hex := strings.TrimPrefix(b.Digest, "sha256:")
	path := e.o.Store.Dir() + "/blob/" + hex[:2] + "/" + hex
	if err := os.Truncate(path, b.Size-1); err != nil {
		t.Fatal(err)
	}
	if _, rec := mustRun(t, e, g()); len(rec.made()) != 1 {
		t.Errorf("made %q", rec.made())
	}
	if st, err := os.Stat(path); err != nil || st.Size() != b.Size {
		t.Errorf("the blob is %v, %v", st, err)
	}
}

// Chunks of a layer that is compressed on its way are kept and found as those
// of a tar.
func TestChunksAreReusedOnTheWay(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	big := strings.Repeat("0123456789abcdef", 1<<16)
	count := func(small string, f Forms) int {
		c := &countingChunks{inner: chunkCache{e.o.Store.Chunks()}}
		e.o.Compressor.Cache, e.o.Images = c, f
		steps := []dag.FileStep{}
		for _, name := range []string{"1", "2", "3"} {
			steps = append(steps, dag.FileStep{Entry: &dag.FileEntry{Type: "file", Path: "/big" + name, Content: big + name}})
		}
		steps = append(steps, dag.FileStep{Entry: &dag.FileEntry{Type: "file", Path: "/small", Content: small}})
		res, _ := mustRun(t, e, fromScratch().step(&dag.Files{Steps: steps}, "files").image())
		if _, err := image.Assemble(t.Context(), res[0], image.Options{}); err != nil {
			t.Fatal(err)
		}
		return c.missed
	}
	first := count("a", Forms{Compressed: true})
	for small, f := range map[string]Forms{"b": {Compressed: true}, "c": {}} {
		if n := count(small, f); first == 0 || n == 0 || n >= first {
			t.Errorf("%d chunks were compressed at first, %d after a small file changed (%+v)", first, n, f)
		}
	}
}

// An interrupted build leaves no blob behind, and reads no further.
func TestSealingEndsWithTheBuild(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const size = 64 << 20
	read := &counter{at: 8 << 20, f: cancel}
	items := []layer.Item{{
		Entry: layer.Entry{Path: "large", Type: layer.File, Mode: 0o644, Size: size},
		Open:  func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(read, size)), nil },
	}}
	_, err := e.sealAs(ctx, items, Forms{Compressed: true, Tar: true})
	if !errors.Is(err, context.Canceled) || read.n > size/2 {
		t.Errorf("error %v after %d bytes", err, read.n)
	}
	usage, err := e.o.Store.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range usage {
		if u.Kind == "blob" && u.Bytes > 0 {
			t.Errorf("the store holds %+v", u)
		}
	}
}

// counter counts the bytes that are read, and calls f at some.
type counter struct {
	n, at int64
	f     func()
}

func (c *counter) Read(p []byte) (int, error) {
	clear(p)
	before := c.n
	c.n += int64(len(p))
	if before < c.at && c.n >= c.at {
		c.f()
	}
	return len(p), nil
}

// A layer that was just made gives their files without its tar.
func TestFilesOfALayerThatWasJustMade(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	text := func(s string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
	}
	file := func(path, s string) layer.Item {
		return layer.Item{Entry: layer.Entry{Path: path, Type: layer.File, Mode: 0o644, Size: int64(len(s))}, Open: text(s)}
	}
	items := []layer.Item{file("etc/group", "root:x:0:\n"), file("etc/passwd", "root:x:0:0::/root:/bin/sh\n")}
	r, err := e.sealAs(t.Context(), items, Forms{Compressed: true})
	if err != nil {
		t.Fatal(err)
	}
	l := r.own[0]
	toc, err := l.toc(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range toc.Entries {
		items[i].Digest = f.Digest // as archives have them
	}
	l.items = items
	tree, err := layer.Merge(toc)
	if err != nil {
		t.Fatal(err)
	}
	hex := strings.TrimPrefix(mustBlob(t, l).Digest, "sha256:")
	if err := os.Remove(e.o.Store.Dir() + "/blob/" + hex[:2] + "/" + hex); err != nil {
		t.Fatal(err)
	}
	root := &Root{Tree: tree, e: e, chain: []*layerRef{l}}
	if head, err := root.Head("etc/group", 4); err != nil || string(head) != "root" {
		t.Errorf("the head of /etc/group is %q, %v", head, err)
	}
	passwd := toc.Entries[1]
	if e.o.Store.HasBlob(passwd.Digest, passwd.Size) {
		t.Fatal("/etc/passwd is in the store already")
	}
	if whole, err := root.Read(t.Context(), "etc/passwd"); err != nil || string(whole) != "root:x:0:0::/root:/bin/sh\n" {
		t.Errorf("/etc/passwd is %q, %v", whole, err)
	}
	// A file that was changed since is not what the layer has.
	want := map[string]bool{toc.Entries[0].Digest: true}
	for _, open := range []func() (io.ReadCloser, error){text("changed!!\n"), func() (io.ReadCloser, error) { return nil, fs.ErrNotExist }} {
		l.items[0].Open = open
		if err := l.keep(want); err != nil || len(want) != 1 {
			t.Errorf("what is not the content is kept: %v", err)
		}
		if head, ok, err := l.head(toc.Entries[0], 4); ok || err != nil {
			t.Errorf("the head of what is not the content is %q, %v", head, err)
		}
	}
	broken := errors.New("broken")
	l.items[0].Open, l.items[0].Proven = func() (io.ReadCloser, error) { return nil, broken }, true
	if err := l.keep(want); !errors.Is(err, broken) {
		t.Errorf("keeping gives %v", err)
	}
	if _, _, err := l.head(toc.Entries[0], 4); !errors.Is(err, broken) {
		t.Errorf("the head gives %v", err)
	}
}

// A layer of very many files does not keep them all in memory.
func TestOnlyAFewItemsAreHeld(t *testing.T) {
	t.Parallel()
	l := &layerRef{}
	l.made(make([]layer.Item, fewItems+1))
	if l.items != nil {
		t.Errorf("%d items are held", len(l.items))
	}
	if l.made(make([]layer.Item, fewItems)); len(l.items) != fewItems {
		t.Errorf("%d items are held", len(l.items))
	}
}

// A copied program's first bytes are read where it was copied from.
func TestACopyIsCompressedOnTheWay(t *testing.T) {
	t.Parallel()
	e := newEngine(t, shipping)
	dir := t.TempDir()
	mustWrite(t, dir, "app", "#!/bin/sh\necho\n")
	res, _ := mustRun(t, e, fromScratch().copy(dir, "app", "/app").image())
	l := res[0].Images[0].Layers[0]
	if got := inStore(l); got != (Forms{Compressed: true}) {
		t.Errorf("it is in the store as %+v", got)
	}
	root, err := e.Roots().Open(t.Context(), res[0].Images[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []string{"#!/bin/sh\necho\n", "#!/bin/no\necho\n"} { // the second is read from the layer
		mustWrite(t, dir, "app", now)
		if head, err := root.Head("app", 9); err != nil || string(head) != "#!/bin/sh" {
			t.Errorf("its head is %q, %v", head, err)
		}
	}
}

func mustBlob(t *testing.T, l *layerRef) engine.Blob {
	t.Helper()
	b, err := l.Blob(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
