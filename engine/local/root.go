package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/layer"
)

// Roots opens the files of finished images. Images that share their lower
// layers share the work of merging them.
type Roots struct {
	e     *Engine
	mu    sync.Mutex
	trees map[string]*layer.Tree // by the DiffIDs of the layers, one a line
}

// Roots is an empty one; it lives as long as one command looks at images.
func (e *Engine) Roots() *Roots { return &Roots{e: e, trees: map[string]*layer.Tree{}} }

// Root is the merged files of a finished image.
type Root struct {
	Tree   *layer.Tree
	Sizes  []int64 // of each layer's files, in bytes
	Wasted []int64 // of those, bytes that are hidden by layers above that are not the base's
	e      *Engine
	chain  []*layerRef
}

// AtHand reports whether the tables of contents of an image's layers are in the
// store: then Open fetches nothing.
func (rs *Roots) AtHand(img engine.Image) bool {
	for _, l := range img.Layers {
		if _, ok := rs.e.o.Store.TOC(l.DiffID()); !ok {
			return false
		}
	}
	return true
}

// Open merges the layers of an image that this engine made. A base's layer
// whose table of contents is not known is streamed once.
func (rs *Roots) Open(ctx context.Context, img engine.Image) (*Root, error) {
	root := &Root{e: rs.e}
	for _, l := range img.Layers {
		own, ok := l.(*layerRef)
		if !ok {
			return nil, fmt.Errorf("layer %s was made by another engine", l.DiffID())
		}
		root.chain = append(root.chain, own)
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	tree, err := layer.Merge()
	if err != nil {
		return nil, err
	}
	var shown []int64
	var name strings.Builder
	for _, l := range root.chain {
		if l.base == nil && shown == nil {
			shown = tree.Shown() // of the base by itself
		}
		name.WriteString(l.diffID + "\n")
		if known := rs.trees[name.String()]; known != nil {
			tree = known
			continue
		}
		toc, err := l.toc(ctx)
		if err != nil {
			return nil, err
		}
		if tree, err = tree.With(toc); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.diffID, err)
		}
		rs.trees[name.String()] = tree
	}
	root.Tree, root.Sizes = tree, tree.Sizes()
	root.Wasted = make([]int64, len(root.Sizes))
	for i, visible := range tree.Shown() {
		before := root.Sizes[i]
		if i < len(shown) {
			before = shown[i]
		}
		root.Wasted[i] = before - visible
	}
	return root, nil
}

// Read gives the whole of a small file, which is fetched if need be; a path
// that leads to no file gives nil.
func (r *Root) Read(ctx context.Context, path string) ([]byte, error) {
	return r.e.readIn(ctx, r.Tree, func() ([]*layerRef, error) { return r.chain, nil }, path)
}

// Head gives the first bytes of a file, no link followed. It is nil where they
// would have to be fetched from a registry.
func (r *Root) Head(path string, limit int) ([]byte, error) {
	n, f, ok := r.Tree.Content(path)
	if !ok || f.Type != layer.File {
		return nil, nil
	}
	if head, ok, err := r.chain[n].head(f, limit); ok || err != nil {
		return head, err
	}
	in, err := r.near(r.chain[n], f)
	if in == nil || err != nil {
		return nil, err
	}
	defer in.Close()
	head, err := io.ReadAll(io.LimitReader(in, int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("reading /%s: %w", path, err)
	}
	return head, nil
}

// near opens a file from the nearest form of its layer; nil is that none is on
// this machine.
func (r *Root) near(l *layerRef, f layer.Entry) (io.ReadCloser, error) {
	if in, err := r.e.o.Store.OpenBlob(f.Digest); err == nil {
		return in, nil
	}
	if dir, ok := r.e.o.Store.FindSnapshot(r.e.snapKind(), l.diffID); ok {
		return os.Open(filepath.Join(dir, filepath.FromSlash(f.Path)))
	}
	if l.base != nil && !r.e.o.Store.HasBlob(l.base.blob.Digest, l.base.blob.Size) {
		return nil, nil
	}
	tar, err := l.Tar(context.Background())
	if err != nil {
		return nil, err
	}
	var found io.Reader
	err = contents(tar, &layer.TOC{Entries: []layer.Entry{f}}, func(_ layer.Entry, content io.Reader) error {
		found = content
		return errFound
	})
	if !errors.Is(err, errFound) {
		return nil, errors.Join(err, tar.Close())
	}
	return &pipedReader{Reader: found, closers: []io.Closer{tar}}, nil
}

// errFound ends the reading of a layer where a file begins.
var errFound = errors.New("found")
