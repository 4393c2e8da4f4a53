package local

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path"
	"time"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/layer/blob"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
)

// hashContexts hashes what each Local node takes. What the planner looked at
// is not looked at again.
func (b *build) hashContexts(ctx context.Context) error {
	view := b.o.Contexts
	if view == nil {
		view = new(source.View)
	}
	var nodes []*dag.Node
	var requests []source.Request
	for i := range b.g.Nodes {
		n := &b.g.Nodes[i]
		if op, ok := n.Op.(*dag.Local); ok {
			nodes = append(nodes, n)
			requests = append(requests, source.Request{
				Dir: n.Meta.Dir, Include: op.Include, Exclude: op.Exclude, Sources: op.Sources, UseDockerignore: true,
				StatIndex: b.o.Store.StatIndex(n.Meta.Dir),
			})
		}
	}
	sels, errs := view.Select(ctx, requests...)
	for i, n := range nodes {
		if errs[i] != nil {
			return b.failed(n, errs[i])
		}
		b.selections[n.ID] = sels[i]
	}
	return nil
}

// contextFiles shows a context's selection as a tree, with the owner and the
// modes that files of a context have.
func (b *build) contextFiles(sel *source.Selection) (fileSource, error) {
	toc := &layer.TOC{Entries: make([]layer.Entry, len(sel.Entries))}
	for i, e := range sel.Entries {
		le := layer.Entry{Path: e.Path, Mode: e.Mode(), Link: e.Link}
		switch e.Type {
		case source.Dir:
			le.Type = layer.Dir
		case source.Symlink:
			le.Type = layer.Symlink
		default:
			le.Type, le.Size, le.Digest = layer.File, e.Size, e.Digest()
		}
		toc.Entries[i] = le
	}
	tree, err := layer.Merge(toc)
	if err != nil {
		return fileSource{}, fmt.Errorf("the files of %s: %w", sel.Dir, err)
	}
	return fileSource{
		tree: tree, open: sel.Open, sel: sel, context: true,
		fetch: func(context.Context, []layer.Item) error { return nil },
	}, nil
}

// mtimesFor gives the files of a layer the times of the local files they are
// copies of: a step that compares times, as make does, must see them.
func mtimesFor(toc *layer.TOC, sel *source.Selection) map[string]time.Time {
	type key struct{ digest, name string }
	byName := map[key]time.Time{}
	byContent := map[string]time.Time{}
	for _, e := range sel.Entries {
		if e.Type != source.File {
			continue
		}
		d := e.Digest()
		byName[key{d, path.Base(e.Path)}] = e.ModTime
		if e.ModTime.After(byContent[d]) {
			byContent[d] = e.ModTime
		}
	}
	out := map[string]time.Time{}
	for _, e := range toc.Entries {
		if e.Type != layer.File {
			continue
		}
		if t, ok := byName[key{e.Digest, path.Base(e.Path)}]; ok {
			out[e.Path] = t
		} else if t, ok := byContent[e.Digest]; ok {
			out[e.Path] = t
		}
	}
	return out
}

// whichTimes names the times that a layer's files have for the steps on it;
// empty is the one of all layers.
func (l *layerRef) whichTimes() string {
	switch {
	case l.sel != nil:
		return l.sel.TimesDigest()
	case !l.when.IsZero():
		return l.when.UTC().Format(time.RFC3339)
	default:
		return ""
	}
}

// times are those of a layer's files that whichTimes names.
func (l *layerRef) times(toc *layer.TOC) map[string]time.Time {
	if l.sel != nil {
		return mtimesFor(toc, l.sel)
	}
	out := map[string]time.Time{}
	for _, e := range toc.Entries {
		if e.Type == layer.File {
			out[e.Path] = l.when
		}
	}
	return out
}

// chunkCache finds pieces of compressed layers in the store.
type chunkCache struct{ chunks cache.Chunks }

// Get is blob.ChunkCache.
func (c chunkCache) Get(key string) ([]byte, bool) { return c.chunks.Get(sha256.Sum256([]byte(key))) }

// put notes the chunks of a blob that is in the store.
func (c chunkCache) put(digest string, made []blob.Chunk) {
	list := make([]cache.Chunk, len(made))
	for i, m := range made {
		list[i] = cache.Chunk{Key: sha256.Sum256([]byte(m.Key)), Offset: m.Offset, Size: m.Size, Sum: m.Sum}
	}
	c.chunks.Put(digest, list)
}
