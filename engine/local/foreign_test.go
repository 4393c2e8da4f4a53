package local

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/lower/dag"
)

// foreign is a layer of another tool: an uncompressed tar as it is.
type foreign struct{ tar []byte }

func newForeign(t *testing.T, headers ...tar.Header) foreign {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := h.Uname // the content of a file
		h.Uname, h.Size = "", int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return foreign{b.Bytes()}
}

func (f foreign) DiffID() string { return digestOf(f.tar) }

func (f foreign) Blob(context.Context) (engine.Blob, error) {
	return engine.Blob{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: f.DiffID(), Size: int64(len(f.tar))}, nil
}

func (f foreign) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.tar)), nil
}
func (f foreign) Tar(ctx context.Context) (io.ReadCloser, error) { return f.Open(ctx) }
func (foreign) Origin() string                                   { return "" }

// pushWith pushes the image of a graph with further layers on top.
func (r *countingRegistry) pushWith(t *testing.T, g *dag.Graph, tag string, more ...engine.Layer) (ref, digest string) {
	t.Helper()
	res, _ := mustRun(t, newEngine(t), g)
	res[0].Images[0].Layers = append(res[0].Images[0].Layers, more...)
	a, err := image.Assemble(t.Context(), res[0], image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ref = r.host + "/" + tag
	if err := image.NewRegistry("test").Push(t.Context(), ref, a); err != nil {
		t.Fatal(err)
	}
	return ref, a.Digest
}

func TestStepsSeeTheParentsThatAForeignLayerLeavesOut(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	tmp := &dag.Files{Steps: []dag.FileStep{{Entry: &dag.FileEntry{Type: "directory", Path: "/tmp", Mode: "1777"}}}}
	ref, digest := r.pushWith(t, withShell(t).step(tmp, "tmp").image(), "base/os:1",
		newForeign(t, tar.Header{Name: "tmp/foo", Mode: 0o644, Uname: "foo"}))
	e := newEngine(t)
	res, _ := mustRun(t, e, onBase(ref, digest).run("/bin/sh", "-ec", "busybox stat -c %a /tmp > /seen; echo x > /tmp/x").image())
	if got := contentOf(t, e, res, "seen"); got != "1777\n" {
		t.Errorf("the step saw /tmp with the mode %q, wanted 1777", got)
	}
	if e, _ := treeOf(t, res).Lookup("tmp"); e.Mode != 0o1777 {
		t.Errorf("/tmp of the image has the mode %o, wanted 1777", e.Mode)
	}
}

// Tars that were appended to hold a path twice, and the last one counts; GNU
// tar has a type of its own for files with holes.
func TestFilesAreTakenOutOfForeignTars(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref, digest := r.pushWith(t, fromScratch().file("/x", "X", "").image(), "base/os:1", newForeign(t,
		tar.Header{Name: "./a", Mode: 0o644, Uname: "first, and longer"},
		tar.Header{Name: "cont", Typeflag: tar.TypeCont, Mode: 0o644, Uname: "contiguous"},
		tar.Header{Name: "b", Mode: 0o644, Uname: "1"},
		tar.Header{Name: "a", Mode: 0o644, Uname: "second"},
		tar.Header{Name: "b", Mode: 0o644, Uname: "2"}))
	g := fromScratch()
	base := g.Add(&dag.Base{Digest: digest, Platform: native}, nil, dag.Meta{Ref: ref, Platform: native})
	g.step(&dag.Copy{Sources: []string{"/a", "/b", "/cont"}, To: "/"}, "copy", base)
	e := newEngine(t)
	res, _ := mustRun(t, e, g.image())
	for path, want := range map[string]string{"a": "second", "b": "2", "cont": "contiguous"} {
		if got := contentOf(t, e, res, path); got != want {
			t.Errorf("%s is %q, wanted %q", path, got, want)
		}
	}
}
