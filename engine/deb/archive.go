package deb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// archive is a decoded package: its table, its control data, and its
// contents as far as someone asks for them.
type archive struct {
	Package
	*table
	stanza stanza
	source *source
}

// source reads frames of a stored archive. It opens the store for each frame
// and keeps nothing open, so that items may be dropped at any time.
type source struct {
	store  Store
	key    string
	frames *frameCache
}

// frameCache keeps the frames that were read last. A layer is written in the
// order of paths, which goes to and fro between packages, and a package's own
// order is not always that of paths.
type frameCache struct {
	dec *zstd.Decoder

	mu    sync.Mutex
	used  int64
	items map[frameKey]*cachedFrame
}

type frameKey struct {
	source *source
	index  int
}

// cachedFrame is a frame that somebody decodes or has decoded; done is closed
// when data or err is there.
type cachedFrame struct {
	data []byte
	err  error
	done chan struct{}
	used int64
}

// maxFrames bounds the cache at 32 MiB.
const maxFrames = 128

func newFrameCache() (*frameCache, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxTable))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return &frameCache{dec: dec, items: map[frameKey]*cachedFrame{}}, nil
}

// get gives a frame, decoded by whoever asks first: files that lie side by
// side are read at the same time.
func (c *frameCache) get(k frameKey, decode func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	c.used++
	f, ok := c.items[k]
	if !ok {
		c.evict()
		f = &cachedFrame{done: make(chan struct{})}
		c.items[k] = f
	}
	f.used = c.used
	c.mu.Unlock()
	if ok {
		<-f.done
		return f.data, f.err
	}
	f.data, f.err = decode()
	close(f.done)
	if f.err != nil { // it may be there next time
		c.mu.Lock()
		delete(c.items, k)
		c.mu.Unlock()
	}
	return f.data, f.err
}

// evict makes place for a frame. The lock is held.
func (c *frameCache) evict() {
	if len(c.items) < maxFrames {
		return
	}
	var oldest frameKey
	at := int64(-1)
	for key, f := range c.items {
		if at < 0 || f.used < at {
			oldest, at = key, f.used
		}
	}
	delete(c.items, oldest)
}

// frame gives one frame of the archive.
func (a *archive) frame(i int) ([]byte, error) {
	return a.source.frames.get(frameKey{a.source, i}, func() ([]byte, error) { return a.decodeFrame(i) })
}

func (a *archive) decodeFrame(i int) ([]byte, error) {
	b, err := a.source.store.Open(a.source.key)
	if err != nil {
		return nil, fmt.Errorf("open the decoded %s: %w", a.Package, err)
	}
	defer b.Close()
	packed := make([]byte, a.frames[i+1]-a.frames[i])
	if _, err := b.ReadAt(packed, a.frames[i]); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the decoded %s: %w", a.Package, err)
	}
	data, err := a.source.frames.dec.DecodeAll(packed, make([]byte, 0, frameSize))
	if err != nil {
		return nil, fmt.Errorf("read the decoded %s: %w: %w", a.Package, errDamaged, err)
	}
	return data, nil
}

// open reads a piece of the uncompressed stream.
func (a *archive) open(offset, size int64) io.ReadCloser {
	return &segmentReader{a: a, at: offset, end: offset + size}
}

// file is the content of a file of the data archive, by its entry.
func (a *archive) file(e *entry) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return a.open(e.offset, e.Size), nil }
}

// controlFile is the content of a control file; nil when there is none.
func (a *archive) controlFile(name string) ([]byte, error) {
	s, ok := a.control[name]
	if !ok {
		return nil, nil
	}
	return io.ReadAll(a.open(s.offset, s.size))
}

type segmentReader struct {
	a       *archive
	at, end int64
}

func (r *segmentReader) Read(p []byte) (int, error) {
	if r.at >= r.end {
		return 0, io.EOF
	}
	data, err := r.a.frame(int(r.at / frameSize))
	if err != nil {
		return 0, err
	}
	from := int(r.at % frameSize)
	if from >= len(data) {
		return 0, errDamaged
	}
	n := copy(p[:min(int64(len(p)), r.end-r.at)], data[from:])
	r.at += int64(n)
	return n, nil
}

func (r *segmentReader) Close() error { return nil }

// archives gives the packages decoded, in the order of the request. Those
// that the store does not hold are decoded, the largest first.
func (u Unpacker) archives(ctx context.Context, store Store, packages []Package) ([]*archive, error) {
	order := make([]int, len(packages))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(packages[b].Size - packages[a].Size) })
	frames, err := newFrameCache()
	if err != nil {
		return nil, err
	}
	out := make([]*archive, len(packages))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(u.workers())
	for _, i := range order {
		g.Go(func() (err error) {
			out[i], err = u.load(ctx, store, packages[i], frames)
			return err
		})
	}
	return out, g.Wait()
}

func (u Unpacker) load(ctx context.Context, store Store, p Package, frames *frameCache) (*archive, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !validSHA256(p.SHA256) {
		return nil, fmt.Errorf("%s: the SHA-256 %q is not 64 hexadecimal digits", p, p.SHA256)
	}
	a := &archive{Package: p, source: &source{store: store, key: p.key(), frames: frames}}
	err := a.readTable()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDamaged) {
		a.table, err = decodeInto(ctx, store, a.source.key, p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return a, a.readControl()
}

func (a *archive) readTable() error {
	b, err := a.source.store.Open(a.source.key)
	if err != nil {
		return err
	}
	defer b.Close()
	a.table, err = readTable(b, a.source.frames.dec)
	return err
}

// readControl parses the control file and holds it against what was asked.
func (a *archive) readControl() error {
	text, err := a.controlFile("control")
	if err != nil {
		return err
	}
	stanzas, err := parseStanzas(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", a.Package, err)
	}
	if len(stanzas) != 1 {
		return fmt.Errorf("%s: its control file has %d paragraphs", a.Package, len(stanzas))
	}
	a.stanza = stanzas[0]
	got := Package{Name: a.stanza.get("Package"), Version: a.stanza.get("Version"), Arch: a.stanza.get("Architecture")}
	if got.String() != a.Package.String() {
		return fmt.Errorf("%s: the archive is of %s", a.Package, got)
	}
	return nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func validSHA256(s string) bool {
	for i := range len(s) {
		if c := s[i]; !digit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 64
}

// memoryStore is the store of a call that was given none.
type memoryStore struct {
	mu    sync.Mutex
	blobs map[string][]byte
}

type memoryBlob struct{ *bytes.Reader }

func (memoryBlob) Close() error { return nil }

type memoryWriter struct {
	bytes.Buffer
	store *memoryStore
	key   string
}

func (m *memoryStore) Open(key string) (Blob, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.blobs[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return memoryBlob{bytes.NewReader(data)}, nil
}

func (m *memoryStore) Create(key string) (Writer, error) {
	return &memoryWriter{store: m, key: key}, nil
}

func (w *memoryWriter) Commit() error {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.blobs[w.key] = w.Bytes()
	return nil
}

func (w *memoryWriter) Abort() {}
