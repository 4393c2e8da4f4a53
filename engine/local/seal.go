package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/layer/blob"
	"github.com/specbuild/specbuild/lower/dag"
)

// Forms are those in which layers are asked for.
type Forms struct {
	Compressed bool // as an image in a layout or a registry has them
	Tar        bool
}

// forms says how a new layer goes into the store. What only an image needs is
// compressed while it is made and nothing else: writing a tar and reading it
// again to compress it was a fifth of the time of an image of packages. What
// something stands on is a tar, and is compressed when its image is assembled:
// nothing that waits for it waits for the compressor.
func (b *build) forms(s *state) Forms {
	if !b.o.Images.Compressed || !s.shipped || b.read(s) {
		return Forms{Tar: true}
	}
	return b.o.Images
}

// ship notes the nodes whose layers are in the images that were asked for.
func (b *build) ship(images []dag.ID) {
	for _, id := range images {
		for s := b.nodes[id]; ; s = b.nodes[s.n.Inputs[0]] {
			s.shipped = true
			if _, ok := s.n.Op.(*dag.Image); !ok && !hasBelow(s.n.Op) {
				break
			}
		}
	}
}

// read reports whether files of a node's layer are needed for more than an
// image: by a command that runs on it, or by a copy out of it.
func (b *build) read(s *state) bool {
	for _, a := range s.above {
		switch op := a.n.Op.(type) {
		case *dag.Copy, *dag.Files, *dag.Packages:
			from := a.n.Inputs[1:]
			if a.n.Inputs[0] != s.n.ID || len(from) > 0 && from[0] == s.n.ID || b.read(a) {
				return true
			}
		case *dag.Image:
			if b.read(a) {
				return true
			}
		case *dag.Index:
		case *dag.Test:
			if len(op.Args) > 0 {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// seal writes items as a layer of ours: its tar into the store, unless a
// snapshot will hold it, its table of contents beside it. No items are no
// layer.
func (e *Engine) seal(items []layer.Item, tarNeeded bool) (result, error) {
	return e.sealAs(context.Background(), items, Forms{Tar: tarNeeded})
}

// sealAs is seal in any forms, in one pass.
func (e *Engine) sealAs(ctx context.Context, items []layer.Item, f Forms) (result, error) {
	if len(items) == 0 {
		return result{}, nil
	}
	out := ctxWriter{ctx: ctx}
	var blob *cache.BlobWriter
	var packed *packing
	var err error
	if f.Tar {
		if blob, err = e.o.Store.CreateHashed(); err != nil {
			return result{}, err
		}
		defer blob.Abort()
		out.to = append(out.to, blob)
	}
	if f.Compressed {
		if packed, err = e.pack(); err != nil {
			return result{}, err
		}
		defer packed.abort()
		out.to = append(out.to, packed)
	}
	w, err := layer.Write(out, items)
	if err != nil {
		return result{}, err
	}
	if blob != nil {
		err = blob.CommitAs(w.DiffID)
	}
	if packed != nil && err == nil {
		_, err = packed.commit(w.DiffID)
	}
	if err != nil {
		return result{}, err
	}
	toc, err := e.o.Store.PutTOC(w.DiffID, w.TOC.Encode())
	if err != nil {
		return result{}, err
	}
	return result{
		own:   []*layerRef{{e: e, diffID: w.DiffID, size: w.Size}},
		entry: cache.Entry{DiffID: w.DiffID, TarSize: w.Size, TOC: toc},
	}, nil
}

// packing is a layer that is compressed on its way into the store. Either
// commit or abort ends it; abort after commit does nothing.
type packing struct {
	*blob.Writer
	e    *Engine
	blob *cache.BlobWriter
}

func (e *Engine) pack() (*packing, error) {
	blob, err := e.o.Store.CreateHashed()
	if err != nil {
		return nil, err
	}
	w, err := e.o.Compressor.NewWriter(blob)
	if err != nil {
		blob.Abort()
		return nil, err
	}
	return &packing{Writer: w, e: e, blob: blob}, nil
}

// commit puts the blob in place and remembers whose it is.
func (p *packing) commit(diffID string) (engine.Blob, error) {
	if err := p.Close(); err != nil {
		return engine.Blob{}, fmt.Errorf("compressing layer %s: %w", diffID, err)
	}
	digest, size := p.Blob()
	if err := p.blob.CommitAs(digest); err != nil {
		return engine.Blob{}, err
	}
	chunkCache{p.e.o.Store.Chunks()}.put(digest, p.Chunks())
	c := p.e.o.Compressor
	err := p.e.o.Store.PutRef(diffID, cache.BlobRef{Compressor: c.ID(), MediaType: c.MediaType(), Digest: digest, Size: size})
	return engine.Blob{MediaType: c.MediaType(), Digest: digest, Size: size}, err
}

func (p *packing) abort() {
	_ = p.Close() // ends its goroutines; whatever it says, the blob is dropped
	p.blob.Abort()
}

// ctxWriter writes to all of several until the build ends.
type ctxWriter struct {
	ctx context.Context
	to  []io.Writer
}

func (c ctxWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	for _, w := range c.to {
		if _, err := w.Write(p); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// fewItems are those of a layer that are held until the command ends: there are
// layers of a million files.
const fewItems = 20_000

// made remembers what a new layer was made of, so that its files are read from
// there and not out of what they were compressed to.
func (l *layerRef) made(items []layer.Item) {
	if len(items) <= fewItems {
		l.items = items
	}
}

// head gives the first bytes of a file of a layer that was just made; ok is
// false where it is none, or where the file is no longer what it was.
func (l *layerRef) head(f layer.Entry, limit int) (head []byte, ok bool, err error) {
	for i := range l.items {
		it := &l.items[i]
		if it.Type != layer.File || it.Size != f.Size || it.Digest != f.Digest {
			continue
		}
		head, digest, err := readHead(it, limit)
		if it.Proven {
			return head, err == nil, err
		}
		return head, err == nil && digest == f.Digest, nil // else it was changed: the layer has it as it was
	}
	return nil, false, nil
}

// readHead gives the first bytes of an item and, unless that is proven, the
// digest of all.
func readHead(it *layer.Item, limit int) (head []byte, digest string, err error) {
	r, err := it.Open()
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := sha256.New()
	head, err = io.ReadAll(io.TeeReader(io.LimitReader(r, int64(limit)), h))
	if err == nil && !it.Proven {
		_, err = io.Copy(h, r)
	}
	return head, "sha256:" + hex.EncodeToString(h.Sum(nil)), err
}

// keep stores the wanted contents that a layer was just made of as blobs, and
// takes them off the list.
func (l *layerRef) keep(want map[string]bool) error {
	for i := range l.items {
		it := &l.items[i]
		if it.Type != layer.File || !want[it.Digest] {
			continue
		}
		err := l.e.keepItem(it)
		if err == nil {
			delete(want, it.Digest)
		} else if it.Proven {
			return fmt.Errorf("keeping /%s: %w", it.Path, err)
		} // else the file was changed, and the layer has it as it was
	}
	return nil
}

func (e *Engine) keepItem(it *layer.Item) (err error) {
	r, err := it.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	w, err := e.o.Store.CreateBlob(cache.Want{Digest: it.Digest, Size: it.Size})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	_, _, err = w.Commit()
	return err
}
