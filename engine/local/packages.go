package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/deb"
	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/lower/dag"
)

// fixupsVersion is part of every key of unpacked packages: it moves when the
// fix-ups give other files for the same archives.
const fixupsVersion = "v1"

// packages unpacks a closure natively. Below may be nothing, or what earlier
// packages steps have written.
func (b *build) packages(ctx context.Context, s *state, op *dag.Packages) (executor, error) {
	if op.Manager != "deb" {
		return executor{}, fmt.Errorf("packages %q cannot be unpacked natively", op.Manager)
	}
	chain, err := b.chain(ctx, s.n.Inputs[0])
	if err != nil {
		return executor{}, err
	}
	k := cache.NewKey("packages v1")
	k.Line("manager", op.Manager, op.Arch)
	if op.Configure {
		k.Line("configure")
	}
	addRoot(k, chain)
	for _, p := range op.Packages {
		k.Line("package", p.Name, p.Version, p.Arch, p.SHA256)
	}
	k.Line("fixups", fixupsVersion)
	return action(k, func(ctx context.Context) (result, error) {
		req, t, err := b.installRequest(ctx, s, op)
		if err != nil {
			return result{}, err
		}
		u := deb.Unpacker{Store: debStore{b.o.Store}}
		if err := b.decodeAll(ctx, u, req.Packages, t); err != nil {
			return result{}, err
		}
		got, err := u.Install(ctx, req)
		if err != nil {
			return result{}, err
		}
		r, err := b.provenAs(ctx, got.Items, b.forms(s))
		for _, l := range r.own {
			l.made(got.Items)
		}
		r.entry.Output = notes(got.Warnings)
		for _, w := range got.Warnings {
			b.send(s.n, engine.Event{Kind: engine.Note, Text: "warning: " + s.n.Meta.Name + ": " + w})
		}
		return r, err
	}), nil
}

func notes(warnings []string) string {
	if len(warnings) == 0 {
		return ""
	}
	return strings.Join(warnings, "\n") + "\n"
}

func (b *build) installRequest(ctx context.Context, s *state, op *dag.Packages) (deb.Request, *transfer, error) {
	tree, err := b.tree(ctx, s.n.Inputs[0])
	if err != nil {
		return deb.Request{}, nil, err
	}
	req := deb.Request{Arch: op.Arch, Asked: s.n.Meta.Asked, Configure: op.Configure}
	if tree.Len() > 0 {
		req.Below = deb.Below{Tree: tree, Read: func(path string) ([]byte, error) { return b.readFile(ctx, s.n.Inputs[0], path) }}
	}
	var t *transfer
	req.Packages, t = b.archives(s.n, op)
	return req, t, nil
}

// archives are the packages with the way to their bytes.
func (b *build) archives(n *dag.Node, op *dag.Packages) ([]deb.Package, *transfer) {
	t := &transfer{send: func(done, total int64) {
		b.send(n, engine.Event{Kind: engine.Progress, Text: "downloading", Done: done, Total: total})
	}}
	mirrors := map[string][]string{}
	for _, m := range n.Meta.Mirrors {
		mirrors[m.Name] = m.URLs
	}
	out := make([]deb.Package, len(op.Packages))
	for i, p := range op.Packages {
		r := fetch.Request{Size: p.Size, SHA256: p.SHA256}
		for _, u := range mirrors[p.Source] {
			r.URLs = append(r.URLs, strings.TrimSuffix(u, "/")+"/"+p.Path)
		}
		t.total.Add(p.Size)
		out[i] = deb.Package{
			Name: p.Name, Version: p.Version, Arch: p.Arch, SHA256: p.SHA256, Size: p.Size,
			Open: func(ctx context.Context) (io.ReadCloser, error) { return b.download(ctx, p, r, t) },
		}
	}
	return out, t
}

// atOnce is how many archives are fetched at the same time: a mirror answers
// each in some 30 ms, and most are small.
const atOnce = 8

// decodeAll brings the archives into the store, fetching and decoding at the
// same time.
func (b *build) decodeAll(ctx context.Context, u deb.Unpacker, packages []deb.Package, t *transfer) error {
	largest := slices.Clone(packages)
	slices.SortStableFunc(largest, func(x, y deb.Package) int { return cmp.Compare(y.Size, x.Size) })
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(atOnce)
	for _, p := range largest {
		eg.Go(func() error {
			fetched := false
			open := p.Open
			p.Open = func(ctx context.Context) (io.ReadCloser, error) {
				fetched = true
				return open(ctx)
			}
			err := u.Decode(ctx, p)
			if !fetched {
				t.known(p.Size)
			}
			return err
		})
	}
	return eg.Wait()
}

// download fetches one archive. What had arrived when an earlier process was
// cut off is not fetched again.
func (b *build) download(ctx context.Context, p dag.Package, r fetch.Request, t *transfer) (io.ReadCloser, error) {
	if b.o.Fetch == nil {
		return nil, fmt.Errorf("%s %s is not in the cache, and nothing was given to fetch it with", p.Name, p.Version)
	}
	unlock, err := b.o.Store.Lock(ctx, "blob-partial-"+p.SHA256, nil)
	if err != nil {
		return nil, err
	}
	f, err := b.o.Store.Partial(p.SHA256)
	if err != nil {
		unlock()
		return nil, err
	}
	if st, err := f.Stat(); err == nil {
		r.Offset = st.Size()
	}
	t.add(r.Offset)
	if err := b.o.Fetch.Get(ctx, r, &countedFile{f, t}); err != nil {
		f.Close()
		unlock()
		return nil, gone(p, err)
	}
	return &downloaded{f, unlock}, nil
}

// gone adds what to do when no mirror has a locked version any more: they drop
// it at each point release and security update.
func gone(p dag.Package, err error) error {
	var fe *fetch.Error
	if errors.As(err, &fe) && fe.Gone() {
		return fmt.Errorf("%s %s is gone from the mirrors; run `specbuild lock --upgrade=%s`: %w", p.Name, p.Version, p.Name, err)
	}
	return fmt.Errorf("fetching %s %s: %w", p.Name, p.Version, err)
}

// downloaded is a finished download; closing it, when it has been decoded,
// removes it.
type downloaded struct {
	*os.File
	unlock func()
}

func (d *downloaded) Close() error {
	defer d.unlock()
	err := d.File.Close()
	return errors.Join(err, os.Remove(d.Name()))
}

// countedFile tells what has arrived.
type countedFile struct {
	*os.File
	t *transfer
}

func (c *countedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := c.File.WriteAt(p, off)
	c.t.add(int64(n))
	return n, err
}

// transfer adds up the bytes of several downloads.
type transfer struct {
	done, total atomic.Int64
	send        func(done, total int64)
}

// known counts an archive that was there already: the total is that of all
// from the start, so that the figure says how far the whole is.
func (t *transfer) known(size int64) { t.done.Add(size) }

func (t *transfer) add(n int64) { t.send(t.done.Add(n), t.total.Load()) }

// debStore keeps decoded archives as blobs, found by a record.
type debStore struct{ store *cache.Store }

const debKind = "deb"

// Open finds a decoded archive.
func (d debStore) Open(key string) (deb.Blob, error) {
	digest, ok := d.store.Record(debKind, key)
	if !ok {
		return nil, fmt.Errorf("decoded archive %s: %w", key, fs.ErrNotExist)
	}
	f, err := d.store.OpenBlob(digest)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &debBlob{f, st.Size()}, nil
}

type debBlob struct {
	*os.File
	size int64
}

func (b *debBlob) Size() int64 { return b.size }

// Create starts a decoded archive.
func (d debStore) Create(key string) (deb.Writer, error) {
	w, err := d.store.CreateBlob(cache.Want{})
	if err != nil {
		return nil, err
	}
	return &debWriter{w, d.store, key}, nil
}

type debWriter struct {
	*cache.BlobWriter
	store *cache.Store
	key   string
}

func (w *debWriter) Commit() error {
	digest, _, err := w.BlobWriter.Commit()
	if err != nil {
		return err
	}
	return w.store.PutRecord(debKind, w.key, digest)
}

var _ deb.Store = debStore{}
