package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
)

// executor is a node whose inputs are done: its action's key, and how to make
// it when the key is new.
type executor struct {
	act  cache.ActionID
	text string
	make func(ctx context.Context) (result, error)
	// facts are what the entry of a copy is to remember, whichever copy made
	// the layer.
	facts map[string]string
}

func action(k *cache.Key, f func(ctx context.Context) (result, error)) executor {
	k.Line("format", layer.Format)
	return executor{act: k.ActionID(), text: k.Text(), make: f}
}

// executor brings the inputs of a node about and says how to make it.
func (b *build) executor(ctx context.Context, s *state) (executor, error) {
	switch op := s.n.Op.(type) {
	case dag.Scratch, *dag.Local, *dag.Git, *dag.HTTP:
		return executor{make: func(context.Context) (result, error) { return result{}, nil }}, nil
	case *dag.Base:
		return b.base(s, op), nil
	case *dag.Copy:
		return b.copy(ctx, s, op)
	case *dag.Files:
		return b.files(ctx, s, op)
	case *dag.Packages:
		return b.packages(ctx, s, op)
	case *dag.Run:
		return b.run(ctx, s, op)
	case *dag.Test:
		return b.testStep(ctx, s, op)
	default:
		return executor{}, fmt.Errorf("a %s is not a step of its own", op.Kind())
	}
}

// base reads the manifest and the configuration, and no layer.
func (b *build) base(s *state, op *dag.Base) executor {
	k := cache.NewKey("base v1")
	k.Line("digest", op.Digest)
	k.Line("platform", op.Platform)
	return action(k, func(ctx context.Context) (result, error) {
		base, err := b.o.Registry.Base(ctx, s.n.Meta.Ref, op.Digest)
		if err != nil {
			return result{}, err
		}
		facts, err := encodeBase(base)
		if err != nil {
			return result{}, err
		}
		return result{own: b.refs(base, s.n.Meta), entry: cache.Entry{Facts: facts}}, nil
	})
}

func encodeBase(base image.Base) (map[string]string, error) {
	layers, err := json.Marshal(base.Layers)
	if err != nil {
		return nil, err
	}
	return map[string]string{"digest": base.Digest, "config": string(base.Config), "layers": string(layers)}, nil
}

func decodeBase(facts map[string]string) (image.Base, error) {
	base := image.Base{Digest: facts["digest"], Config: []byte(facts["config"])}
	err := json.Unmarshal([]byte(facts["layers"]), &base.Layers)
	return base, err
}

// copy puts files of a context or a root on what is below.
func (b *build) copy(ctx context.Context, s *state, op *dag.Copy) (executor, error) {
	below, err := b.tree(ctx, s.n.Inputs[0])
	if err != nil {
		return executor{}, err
	}
	from, err := b.openInput(ctx, s.n.Inputs[1])
	if err != nil {
		return executor{}, err
	}
	req := layer.CopyRequest{
		Sources: op.Sources, To: op.To, Exclude: op.Exclude, Parents: op.Parents, Unpack: op.Unpack, Context: from.context,
	}
	if req.Owner, err = parseOwner(op.Owner); err != nil {
		return executor{}, err
	}
	if req.Mode, err = parseMode(op.Mode); err != nil {
		return executor{}, err
	}
	items, err := layer.Copy(req, from.tree, from.open, below)
	if err != nil {
		return executor{}, err
	}
	k := cache.NewKey("copy v1")
	k.Line("option", fmt.Sprintf("unpack=%t", op.Unpack))
	if err := addItems(k, items); err != nil {
		return executor{}, err
	}
	ex := action(k, func(ctx context.Context) (result, error) {
		if err := from.fetch(ctx, items); err != nil {
			return result{}, err
		}
		r, err := b.provenAs(ctx, items, b.forms(s))
		for _, l := range r.own {
			l.sel, l.when = from.sel, from.when
			l.made(items)
		}
		r.entry.Facts = timeFacts(from.when)
		return r, err
	})
	ex.facts = timeFacts(from.when)
	return ex, nil
}

// fileSource is something that a copy or a bind mount takes from.
type fileSource struct {
	tree    *layer.Tree
	sel     *source.Selection // a folder's, else nil
	when    time.Time         // of all files, if they are a commit's
	context bool              // files of a context have no owner and no mode but the x bit
	open    func(path string) (io.ReadCloser, error)
	fetch   func(ctx context.Context, items []layer.Item) error // makes open work for the items' files
}

// openInput opens an input as a tree of files: a context's selection, or the root
// that a node leaves.
func (b *build) openInput(ctx context.Context, id dag.ID) (fileSource, error) {
	if sel, ok := b.selections[id]; ok {
		return b.contextFiles(sel)
	}
	if n := b.node(id); isRemote(n.Op) {
		return b.remoteFiles(ctx, n)
	}
	tree, err := b.tree(ctx, id)
	if err != nil {
		return fileSource{}, err
	}
	chain, err := b.chain(ctx, id)
	if err != nil {
		return fileSource{}, err
	}
	return b.rootFiles(tree, chain), nil
}

// rootFiles opens files of a chain of layers by their content: what is needed
// is taken out of each layer in one pass over its tar, so that nothing has to
// be unpacked.
func (e *Engine) rootFiles(tree *layer.Tree, chain []*layerRef) fileSource {
	open := func(path string) (io.ReadCloser, error) {
		_, f, ok := tree.Content(path)
		if !ok {
			return nil, fmt.Errorf("%s is not in the root", path)
		}
		return e.o.Store.OpenBlob(f.Digest)
	}
	fetch := func(ctx context.Context, items []layer.Item) error {
		want := map[string]bool{}
		for _, it := range items {
			if it.Type == layer.File && it.Digest != "" && !e.o.Store.HasBlob(it.Digest, it.Size) {
				want[it.Digest] = true
			}
		}
		for i := len(chain) - 1; i >= 0 && len(want) > 0; i-- {
			if err := e.extract(ctx, chain[i], want); err != nil {
				return err
			}
		}
		for digest := range want {
			return fmt.Errorf("the content %s is in no layer of the cache; run the command again", digest)
		}
		return nil
	}
	return fileSource{tree: tree, open: open, fetch: fetch}
}

// extract stores the wanted contents that a layer holds as blobs, and takes
// them off the list.
func (e *Engine) extract(ctx context.Context, l *layerRef, want map[string]bool) error {
	if err := l.keep(want); err != nil {
		return err
	}
	toc, err := l.toc(ctx)
	if err != nil {
		return err
	}
	has := false
	for _, f := range toc.Entries {
		has = has || want[f.Digest] && f.Type == layer.File
	}
	if !has {
		return nil
	}
	tar, err := l.Tar(ctx)
	if err != nil {
		return err
	}
	defer tar.Close()
	return contents(tar, toc, func(f layer.Entry, r io.Reader) error {
		if !want[f.Digest] {
			return nil
		}
		w, err := e.o.Store.CreateBlob(cache.Want{Digest: f.Digest, Size: f.Size})
		if err != nil {
			return err
		}
		defer w.Abort()
		_, err = io.Copy(w, r)
		if err == nil {
			_, _, err = w.Commit()
		}
		var other *cache.MismatchError
		if errors.As(err, &other) {
			return nil // a tar that was appended to holds a path twice, and the last one counts
		}
		if err != nil {
			return fmt.Errorf("reading %s of layer %s: %w", f.Path, l.diffID, err)
		}
		delete(want, f.Digest)
		return nil
	})
}

// readFile reads one small file of a root; missing is nil.
func (b *build) readFile(ctx context.Context, id dag.ID, path string) ([]byte, error) {
	tree, err := b.tree(ctx, id)
	if err != nil {
		return nil, err
	}
	return b.readIn(ctx, tree, func() ([]*layerRef, error) { return b.chain(ctx, id) }, path)
}

// maxSmall is more than any passwd or group file that is not an attack.
const maxSmall = 16 << 20

func (e *Engine) readIn(ctx context.Context, tree *layer.Tree, chain func() ([]*layerRef, error), path string) ([]byte, error) {
	real, err := tree.Resolve(path)
	if err != nil {
		return nil, nil //nolint:nilerr // a file that is not there, or behind a broken link, has no lines
	}
	_, f, ok := tree.Content(real)
	if !ok || f.Type != layer.File {
		return nil, nil
	}
	if f.Size > maxSmall {
		return nil, fmt.Errorf("/%s has %d bytes, which is more than such a file can have", real, f.Size)
	}
	layers, err := chain()
	if err != nil {
		return nil, err
	}
	src := e.rootFiles(tree, layers)
	if err := src.fetch(ctx, []layer.Item{{Entry: f}}); err != nil {
		return nil, err
	}
	r, err := src.open(real)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
