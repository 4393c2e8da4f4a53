package local

import (
	"context"
	"io"
	"maps"
	"time"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
)

// maxLowers is how many directories an overlay is made of at most: the kernel
// refuses more than 500, and what the sandbox adds must fit too.
const maxLowers = 400

// lowers unpacks a chain of layers, lowest first. Of a chain that is too long
// the lowest layers become one directory, which is kept for all chains that
// begin alike; the image keeps its layers.
func (b *build) lowers(ctx context.Context, chain []*layerRef) ([]string, error) {
	if err := placeBase(ctx, chain); err != nil {
		return nil, err
	}
	var dirs []string
	if over := len(chain) - maxLowers; over > 0 {
		// In steps of many, so that a chain that grows by one layer finds
		// the same directory again.
		n := (over/maxLowers + 1) * maxLowers
		n = min(n, len(chain)-1)
		flat, err := b.flatten(ctx, chain[:n])
		if err != nil {
			return nil, err
		}
		dirs, chain = append(dirs, flat), chain[n:]
	}
	upper := make([]string, len(chain))
	err := each(len(chain), func(i int) error {
		var err error
		upper[i], err = chain[i].dir(ctx)
		return err
	})
	return append(dirs, upper...), err
}

// placeBase finds out, once for a base, which directories its layers leave out:
// other tools write a layer of /tmp/x without /tmp, and unpacked alone /tmp
// would have lost its sticky bit for every step, and for the image.
func placeBase(ctx context.Context, chain []*layerRef) error {
	n := 0
	for n < len(chain) && chain[n].base != nil {
		n++
	}
	if n < 2 {
		return nil // nothing is below
	}
	first := chain[0].base
	first.placed.Do(func() { first.failed = placeLayers(ctx, chain[:n]) })
	return first.failed
}

func placeLayers(ctx context.Context, base []*layerRef) error {
	tree, err := layer.Merge()
	if err != nil {
		return err
	}
	for _, l := range base {
		toc, err := l.toc(ctx)
		if err != nil {
			return err
		}
		l.base.parents = tree.Unstated(toc)
		if tree, err = tree.With(toc); err != nil {
			return err
		}
	}
	return nil
}

// flatten unpacks what a stack of layers shows into one directory.
func (b *build) flatten(ctx context.Context, chain []*layerRef) (string, error) {
	k := cache.NewKey("flat v1")
	addRoot(k, chain)
	tocs := make([]*layer.TOC, len(chain))
	opens := make([]func() (io.ReadCloser, error), len(chain))
	times := map[string]time.Time{}
	for i, l := range chain {
		toc, err := l.toc(ctx)
		if err != nil {
			return "", err
		}
		tocs[i], opens[i] = toc, func() (io.ReadCloser, error) { return l.Tar(ctx) }
		if which := l.whichTimes(); which != "" {
			maps.Copy(times, l.times(toc))
			k.Line("times", which)
		}
	}
	tree, err := layer.Merge(tocs...)
	if err != nil {
		return "", err
	}
	opts := b.unpackOptions(&layerRef{e: b.Engine, base: &baseLayer{}}) // a base may be among them
	opts.MTimes = times
	return b.o.Store.Snapshot(ctx, b.snapKind(), k.DefID().String(), func(dir string) error {
		return layer.WriteDir(tree, opens, dir, opts)
	})
}
