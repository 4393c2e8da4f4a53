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
