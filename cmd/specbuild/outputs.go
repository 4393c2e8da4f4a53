package main

import (
	"context"
	"path"
	"path/filepath"
	"strings"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/spec/diag"
)

// swallowed warns of outputs, and of a cache, that a step would copy the next
// time: images would hold those that were built before, and nothing would
// ever be done.
func (w *world) swallowed(ctx context.Context, g *dag.Graph, outs []output) (diag.List, error) {
	var ds diag.List
	for _, o := range append([]output{{"--cache-dir", w.store.Dir()}}, outs...) {
		full, err := filepath.Abs(o.path)
		if err != nil {
			return nil, err
		}
		at, found := w.taker(ctx, g, full, o.within())
		if !found {
			continue
		}
		what := "-o " + o.kind + ":" + o.path
		if o.kind == "--cache-dir" {
			what = "The cache, " + o.path + ","
		}
		ds.Warnf("output-copied", at, "The output will be copied", "%s lies in what this step copies: the next build would have it in itself, and all that comes after would be made anew. "+
			"Choose another folder, or leave it out by `exclude` or .dockerignore.", what)
	}
	return ds, nil
}

// taker is the first step that copies a file below full from a context.
func (w *world) taker(ctx context.Context, g *dag.Graph, full, file string) (diag.Range, bool) {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		op, ok := n.Op.(*dag.Local)
		if !ok {
			continue
		}
		rel, err := filepath.Rel(n.Meta.Dir, full)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			continue
		}
		takes, err := w.contexts.Takes(ctx, source.Request{
			Dir: n.Meta.Dir, Include: op.Include, Exclude: op.Exclude, Sources: op.Sources, UseDockerignore: true,
		}, path.Join(filepath.ToSlash(rel), file))
		if err == nil && takes { // what is wrong with a context is said by the engine
			return n.Meta.Range, true
		}
	}
	return diag.Range{}, false
}

// within is a file of an output that is a folder.
func (o output) within() string {
	switch o.kind {
	case "oci":
		return "index.json"
	case "dir":
		return "etc/passwd"
	case "--cache-dir":
		return "blobs/x"
	case "attest":
		return "image-linux-amd64.spdx.json"
	}
	return ""
}
