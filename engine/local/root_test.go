package local

import (
	"slices"
	"testing"

	"github.com/specbuild/specbuild/lower/dag"
)

// TestRootOfAnImage holds what is known of a finished image's files, and that
// looking at them fetches nothing that the build has not fetched.
func TestRootOfAnImage(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	passwd := "root:x:0:0:root:/root:/bin/sh\n"
	ref, digest := r.push(t, fromScratch().file("/etc/passwd", passwd, "").file("/b", "four", "").file("/b", "five5", "").image(), "base/os:1")
	e := newEngine(t)
	g := onBase(ref, digest)
	base := g.root
	own := g.file("/b", "of the image", "0755").root
	res, _ := mustRun(t, e, g.image())
	r.count("GET blob")
	img := res[0].Images[0]
	if !slices.Equal(img.Steps[len(img.Steps)-1:], []dag.ID{own}) || img.Steps[0] != base || len(img.Steps) != len(img.Layers) {
		t.Errorf("steps %v for %d layers", img.Steps, len(img.Layers))
	}
	roots := e.Roots()
	if !roots.AtHand(img) {
		t.Error("the tables are not at hand")
	}
	root, err := roots.Open(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	// What a base wastes by itself is not counted, what the image hides of it is.
	if n := len(root.Sizes); n != len(img.Layers) || root.Sizes[n-1] != int64(len("of the image")) || sum(root.Wasted) != int64(len("five5")) {
		t.Errorf("sizes %v, wasted %v", root.Sizes, root.Wasted)
	}
	if got, err := root.Read(t.Context(), "etc/passwd"); err != nil || string(got) != passwd {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := root.Head("b", 6); err != nil || string(got) != "of the" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := root.Head("nothing", 6); err != nil || got != nil {
		t.Errorf("%q, %v", got, err)
	}
	if n := r.count("GET blob"); n != 0 {
		t.Errorf("looking at the image fetched %d blobs", n)
	}
	// Another image on the same layers is merged from what is known.
	again, err := roots.Open(t.Context(), img)
	if err != nil || again.Tree != root.Tree {
		t.Errorf("merged anew: %v", err)
	}
}

// TestRootOfABaseAlone holds that a base that nothing was built on is read
// only when it is opened.
func TestRootOfABaseAlone(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	ref, digest := r.push(t, fromScratch().file("/a", "A", "").image(), "base/os:1")
	e := newEngine(t)
	res, _ := mustRun(t, e, onBase(ref, digest).image())
	img := res[0].Images[0]
	r.count("GET blob")
	roots := e.Roots()
	if roots.AtHand(img) || r.count("GET blob") != 0 {
		t.Error("the base was fetched to be looked at")
	}
	root, err := roots.Open(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.count("GET blob"); n != 1 || root.Tree.Len() == 0 {
		t.Errorf("%d blobs for %d entries", n, root.Tree.Len())
	}
	if got, err := root.Head("a", 6); err != nil || got != nil || r.count("GET blob") != 0 {
		t.Errorf("%q, %v: the base was fetched for the bytes of a file", got, err)
	}
}

func sum(list []int64) (n int64) {
	for _, x := range list {
		n += x
	}
	return n
}
