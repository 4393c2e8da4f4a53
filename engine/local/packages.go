package local

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/deb"
	"github.com/specbuild/specbuild/lower/dag"
)

// fixupsVersion is part of every key of unpacked packages: it moves when the
// fix-ups give other files for the same archives.
const fixupsVersion = "v1"

// Download is a file to be fetched, by what it must turn out to be.
type Download struct {
	URLs   []string // of the same file, tried in order
	Size   int64
	SHA256 string // hexadecimal
}

// Fetcher opens downloads. Reading ends in an error when the bytes are not
// the wanted ones: a mirror is trusted for nothing.
type Fetcher interface {
	Fetch(ctx context.Context, d Download, progress func(bytes int64)) (io.ReadCloser, error)
}

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
	addRoot(k, chain)
	for _, p := range op.Packages {
		k.Line("package", p.Name, p.Version, p.Arch, p.SHA256)
	}
	k.Line("fixups", fixupsVersion)
	return action(k, func(ctx context.Context) (result, error) {
		req, err := b.installRequest(ctx, s, op)
		if err != nil {
			return result{}, err
		}
		got, err := (deb.Unpacker{Store: debStore{b.o.Store}}).Install(ctx, req)
		if err != nil {
			return result{}, err
		}
		r, err := b.seal(got.Items, true)
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

func (b *build) installRequest(ctx context.Context, s *state, op *dag.Packages) (deb.Request, error) {
	tree, err := b.tree(ctx, s.n.Inputs[0])
	if err != nil {
		return deb.Request{}, err
	}
	req := deb.Request{Arch: op.Arch}
	if tree.Len() > 0 {
		req.Below = deb.Below{Tree: tree, Read: func(path string) ([]byte, error) { return b.readFile(ctx, s.n.Inputs[0], path) }}
	}
	t := &transfer{send: func(done, total int64) {
		b.send(s.n, engine.Event{Kind: engine.Progress, Text: "downloading", Done: done, Total: total})
	}}
	mirrors := map[string][]string{}
	for _, m := range s.n.Meta.Mirrors {
		mirrors[m.Name] = m.URLs
	}
	for _, p := range op.Packages {
		d := Download{Size: p.Size, SHA256: p.SHA256}
		for _, u := range mirrors[p.Source] {
			d.URLs = append(d.URLs, strings.TrimSuffix(u, "/")+"/"+p.Path)
		}
		req.Packages = append(req.Packages, deb.Package{
			Name: p.Name, Version: p.Version, Arch: p.Arch, SHA256: p.SHA256, Size: p.Size,
			Open: func(ctx context.Context) (io.ReadCloser, error) {
				if b.o.Fetcher == nil {
					return nil, fmt.Errorf("%s %s is not in the cache, and nothing was given to fetch it", p.Name, p.Version)
				}
				return b.o.Fetcher.Fetch(ctx, d, t.file(p.Size))
			},
		})
	}
	return req, nil
}

// transfer adds up the bytes of several downloads.
type transfer struct {
	done, total atomic.Int64
	send        func(done, total int64)
}

// file announces one more download and gives the function that it reports to,
// with all its bytes so far.
func (t *transfer) file(size int64) func(int64) {
	t.total.Add(size)
	var last int64
	return func(n int64) {
		t.send(t.done.Add(n-last), t.total.Load())
		last = n
	}
}

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
