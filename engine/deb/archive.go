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
	at, from := frameKey{r.a.source, int(r.at / frameSize)}, int(r.at%frameSize)
	n, err := r.a.source.frames.read(at, p[:min(int64(len(p)), r.end-r.at)], from, r.end-r.at, r.a.decodeFrame)
	r.at += int64(n)
	return n, err
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
