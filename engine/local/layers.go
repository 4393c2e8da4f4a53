package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/layer/blob"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
)

// layerRef is a layer by its DiffID, with every way to its bytes. The bytes
// are in one or more of these forms: the tar as a blob, the compressed blob,
// an unpacked snapshot, and, for a base's, the registry.
type layerRef struct {
	e      *Engine
	diffID string
	size   int64 // of the tar in bytes; of a base's compressed blob until it was streamed
	base   *baseLayer
	sel    *source.Selection // a copy of local files, whose times steps must see; else nil
	when   time.Time         // the time of all files, of a copy from a commit
	items  []layer.Item      // files of a layer that was just made; nil otherwise
}

// baseLayer is where a base's layer comes from.
type baseLayer struct {
	ref  string
	blob engine.Blob

	placed  sync.Once   // of the lowest layer: parents of all of them are known
	failed  error       // why not
	parents layer.Shape // directories of the layers below that this one leaves out
}

var _ engine.Layer = (*layerRef)(nil)

// DiffID, Origin, Blob, Open and Tar are engine.Layer.
func (l *layerRef) DiffID() string { return l.diffID }

// Origin is the repository of a base's layer.
func (l *layerRef) Origin() string {
	if l.base == nil {
		return ""
	}
	return image.Origin(l.base.ref)
}

// available reports whether the bytes can be had without running the step
// again.
func (l *layerRef) available() bool {
	if l.base != nil || l.e.o.Store.HasBlob(l.diffID, l.size) {
		return true
	}
	if _, ok := l.packed(); ok {
		return true
	}
	_, ok := l.e.o.Store.FindSnapshot(l.e.snapKind(), l.diffID)
	return ok
}

// Blob describes the compressed layer; a base's is as its registry has it.
func (l *layerRef) Blob(ctx context.Context) (engine.Blob, error) {
	if l.base != nil {
		return l.base.blob, nil
	}
	id := l.e.o.Compressor.ID()
	if b, ok := l.compressed(id); ok {
		return b, nil
	}
	unlock, err := l.e.o.Store.Lock(ctx, "blob-"+l.diffID+"-"+id, nil)
	if err != nil {
		return engine.Blob{}, err
	}
	defer unlock()
	if b, ok := l.compressed(id); ok {
		return b, nil
	}
	return l.compress(ctx)
}

func (l *layerRef) compressed(id string) (engine.Blob, bool) {
	r, ok := l.e.o.Store.Ref(l.diffID, id)
	if !ok || !l.e.o.Store.HasBlob(r.Digest, r.Size) {
		return engine.Blob{}, false
	}
	return engine.Blob{MediaType: r.MediaType, Digest: r.Digest, Size: r.Size}, true
}

// packed is the layer as any compressor of ours has left it: another may be
// asked for today.
func (l *layerRef) packed() (engine.Blob, bool) {
	for _, c := range append([]blob.Compressor{l.e.o.Compressor}, blob.Compressors()...) {
		if b, ok := l.compressed(c.ID()); ok {
			return b, true
		}
	}
	return engine.Blob{}, false
}

func (l *layerRef) compress(ctx context.Context) (engine.Blob, error) {
	tar, err := l.Tar(ctx)
	if err != nil {
		return engine.Blob{}, err
	}
	defer tar.Close()
	p, err := l.e.pack()
	if err != nil {
		return engine.Blob{}, err
	}
	defer p.abort()
	if _, err := p.ReadFrom(&ctxReader{ctx, tar}); err != nil {
		return engine.Blob{}, fmt.Errorf("compressing layer %s: %w", l.diffID, err)
	}
	return p.commit(l.diffID)
}

// Open gives the compressed bytes; a base's are streamed through from its
// registry unless the store has them.
func (l *layerRef) Open(ctx context.Context) (io.ReadCloser, error) {
	b, err := l.Blob(ctx)
	if err != nil {
		return nil, err
	}
	if l.base != nil && !l.e.o.Store.HasBlob(b.Digest, b.Size) {
		return l.e.o.Registry.OpenBlob(ctx, l.base.ref, b.Digest)
	}
	return l.e.o.Store.OpenBlob(b.Digest)
}

// Tar gives the uncompressed bytes from the nearest form, as long as ctx lasts.
func (l *layerRef) Tar(ctx context.Context) (io.ReadCloser, error) {
	r, err := l.tar(ctx)
	if err != nil {
		return nil, err
	}
	return &pipedReader{Reader: &ctxReader{ctx, r}, closers: []io.Closer{r}}, nil
}

func (l *layerRef) tar(ctx context.Context) (io.ReadCloser, error) {
	// A tar of another length is damaged, and is removed by asking for its own:
	// an empty one would be read as a layer without files.
	if l.base != nil || l.e.o.Store.HasBlob(l.diffID, l.size) {
		f, err := l.e.o.Store.OpenBlob(l.diffID)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if l.base != nil {
		return decompressed(l.base.blob, func() (io.ReadCloser, error) { return l.Open(ctx) })
	}
	if dir, ok := l.e.o.Store.FindSnapshot(l.e.snapKind(), l.diffID); ok {
		return l.fromSnapshot(ctx, dir)
	}
	blob, ok := l.packed()
	if !ok {
		return nil, fmt.Errorf("layer %s is gone from the cache while it was needed; run the command again", l.diffID)
	}
	return decompressed(blob, func() (io.ReadCloser, error) { return l.e.o.Store.OpenBlob(blob.Digest) })
}

func decompressed(blob engine.Blob, open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	d, err := layer.Decompress(r, blob.MediaType, layer.Limits{})
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("layer %s: %w", blob.Digest, err)
	}
	return &pipedReader{Reader: d, closers: []io.Closer{d, r}}, nil
}

// fromSnapshot makes the tar again of an unpacked layer: the rules of a layer
// give the same bytes.
func (l *layerRef) fromSnapshot(ctx context.Context, dir string) (io.ReadCloser, error) {
	toc, err := l.toc(ctx)
	if err != nil {
		return nil, err
	}
	items := snapshotItems(dir, toc)
	pr, pw := io.Pipe()
	go func() {
		w, err := layer.Write(pw, items)
		if err == nil && w.DiffID != l.diffID {
			err = fmt.Errorf("the snapshot of layer %s was changed: it now gives %s", l.diffID, w.DiffID)
		}
		pw.CloseWithError(err)
	}()
	return pr, nil
}

// ctxReader stops long work on a layer when the build ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// pipedReader closes a chain of readers.
type pipedReader struct {
	io.Reader
	closers []io.Closer
}

func (p *pipedReader) Close() error {
	var first error
	for _, c := range p.closers {
		if err := c.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// toc is the layer's table of contents. A base's is made once by streaming
// the layer, which proves the DiffID that its configuration claims.
func (l *layerRef) toc(ctx context.Context) (*layer.TOC, error) {
	if t, ok, err := l.storedTOC(); ok || err != nil {
		return t, err
	}
	if l.base == nil {
		return nil, fmt.Errorf("the table of contents of layer %s is gone from the cache; run the command again", l.diffID)
	}
	unlock, err := l.e.o.Store.Lock(ctx, "blob-toc-"+l.diffID, nil)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if t, ok, err := l.storedTOC(); ok || err != nil {
		return t, err
	}
	r, err := l.Tar(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	kept := accountFiles()
	toc, diffID, size, err := layer.ReadTOC(r, layer.ReadOptions{Devices: true, Keep: kept})
	if err != nil {
		return nil, fmt.Errorf("reading layer %s of %s: %w", l.base.blob.Digest, l.base.ref, err)
	}
	if diffID != l.diffID {
		return nil, l.notAsClaimed(diffID)
	}
	l.keepSize(size)
	if err := KeepAccounts(l.e.o.Store, kept); err != nil {
		return nil, err
	}
	_, err = l.e.o.Store.PutTOC(l.diffID, toc.Encode())
	return toc, err
}

// sizeKind is how the size of a base's layer is remembered, by its DiffID:
// manifests say that of the compressed blob alone.
const sizeKind = "tar-size"

func (l *layerRef) keepSize(size int64) {
	_ = l.e.o.Store.PutRecord(sizeKind, l.diffID, strconv.FormatInt(size, 10)) // lost, it is streamed once more
}

// tarSize is the size of the tar in bytes. Of a base's layer that nobody has
// read it is found out by streaming it, as its table of contents is.
func (l *layerRef) tarSize(ctx context.Context) (int64, error) {
	if l.base == nil {
		return l.size, nil
	}
	if value, ok := l.e.o.Store.Record(sizeKind, l.diffID); ok {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			return n, nil
		}
	}
	r, err := l.Tar(ctx)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, r)
	if err != nil {
		return 0, fmt.Errorf("reading layer %s of %s: %w", l.base.blob.Digest, l.base.ref, err)
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != l.diffID {
		return 0, l.notAsClaimed(got)
	}
	l.keepSize(size)
	return size, nil
}

// accountFiles are what is asked of nearly every base besides its table: kept
// when a layer is streamed, so that it is streamed once.
func accountFiles() map[string][]byte {
	return map[string][]byte{"etc/passwd": nil, "etc/group": nil, "etc/shadow": nil, "etc/gshadow": nil}
}

// KeepAccounts puts files of a base that were read while its layer was
// streamed into the store, where a build looks for them first.
func KeepAccounts(store *cache.Store, files map[string][]byte) error {
	for name, content := range files {
		if content == nil {
			continue
		}
		if _, err := store.PutBlob(content); err != nil {
			return fmt.Errorf("keeping /%s: %w", name, err)
		}
	}
	return nil
}

func (l *layerRef) storedTOC() (*layer.TOC, bool, error) {
	data, ok := l.e.o.Store.TOC(l.diffID)
	if !ok {
		return nil, false, nil
	}
	t, err := layer.DecodeTOC(data)
	return t, err == nil, nil // one that cannot be read is made again
}

// dir is the layer unpacked, for a step to stand on.
func (l *layerRef) dir(ctx context.Context) (string, error) {
	name := l.diffID
	opts := l.e.unpackOptions(l)
	if which := l.whichTimes(); which != "" {
		toc, err := l.toc(ctx)
		if err != nil {
			return "", err
		}
		name += "+" + which
		opts.MTimes = l.times(toc)
	}
	if l.base != nil {
		if lines := l.base.parents.Lines(); len(lines) > 0 {
			name += "+parents " + digestOf([]byte(strings.Join(lines, "\n")))
			opts.Below = l.base.parents
		}
	}
	return l.e.o.Store.Snapshot(ctx, l.e.snapKind(), name, func(dir string) error {
		r, err := l.Tar(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		_, diffID, _, err := layer.Unpack(r, dir, opts)
		if err == nil && diffID != l.diffID {
			// Its table of contents may be that of a layer of somebody else's,
			// who would be given these files as his own.
			err = l.notAsClaimed(diffID)
		}
		return err
	})
}

// notAsClaimed is the error of a layer whose bytes are not those of its DiffID.
func (l *layerRef) notAsClaimed(got string) error {
	if l.base == nil {
		return fmt.Errorf("layer %s is damaged in the cache: its content is %s; `specbuild cache prune --all` makes it anew", l.diffID, got)
	}
	return fmt.Errorf("layer %s of %s is not what its configuration says: its content is %s, claimed is %s",
		l.base.blob.Digest, l.base.ref, got, l.diffID)
}

// baseLayers reads a base's layers from its entry.
func (b *build) baseLayers(op *dag.Base, meta dag.Meta, e cache.Entry) ([]*layerRef, bool) {
	base, err := decodeBase(e.Facts)
	if err != nil || base.Digest != op.Digest {
		return nil, false
	}
	return b.refs(base, meta), true
}

func (b *build) refs(base image.Base, meta dag.Meta) []*layerRef {
	var out []*layerRef
	for _, l := range base.Layers {
		out = append(out, &layerRef{
			e: b.Engine, diffID: l.DiffID, size: l.Size,
			base: &baseLayer{ref: meta.Ref, blob: engine.Blob{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size}},
		})
	}
	return out
}
