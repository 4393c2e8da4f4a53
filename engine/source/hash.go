package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// attempts is how often a file that changes under our hands is read anew.
const attempts = 3

// hashFile reads a file of an open folder. What it says of the file was true
// before and after reading.
func hashFile(ctx context.Context, d *folder, name string, buf []byte) (meta, [sha256.Size]byte, error) {
	for range attempts {
		m, sum, stable, err := hashOnce(ctx, d, name, buf)
		if err != nil {
			return meta{}, sum, err
		}
		if stable {
			return m, sum, nil
		}
	}
	return meta{}, [sha256.Size]byte{}, &ChangedError{Path: name}
}

func hashOnce(ctx context.Context, d *folder, name string, buf []byte) (m meta, sum [sha256.Size]byte, stable bool, err error) {
	f, err := d.file(name)
	if isLink(err) || errors.Is(err, fs.ErrNotExist) {
		return m, sum, false, nil // it was a file a moment ago
	}
	if err != nil {
		return m, sum, false, err
	}
	defer f.Close()
	m, err = statFile(f)
	if err != nil || m.kind() != kindFile {
		return m, sum, false, err
	}
	h := sha256.New()
	n, err := io.CopyBuffer(onlyWriter{h}, ctxReader{ctx, f}, buf)
	if err != nil {
		return m, sum, false, fmt.Errorf("hashing: %w", err)
	}
	after, err := statFile(f)
	h.Sum(sum[:0])
	return m, sum, n == m.size && m == after, err
}

// onlyWriter keeps io.CopyBuffer from ignoring the buffer for the sake of
// ReadFrom, as ctxReader does of WriteTo.
type onlyWriter struct{ io.Writer }

// ctxReader ends with the command, also within a file of many gigabytes.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// large is the size from which on a file that has to be hashed is a task of
// its own.
const large = 1 << 20

// statIndex is a context's index while somebody hashes.
type statIndex struct {
	path string // "" is none
	old  *index

	clock sync.Once
	start int64 // when hashing began, by the file system's clock
}

// openIndex opens the index unless times cannot be relied upon.
func (t *contents) openIndex(r Request) {
	t.index = &statIndex{}
	for _, l := range t.folders {
		l.recalled, l.stale = false, false
	}
	if r.StatIndex != "" && (r.TrustTimes || !untimely(r.Dir)) {
		t.index.path, t.index.old = r.StatIndex, openIndex(r.StatIndex)
	}
}

// began reads the clock once before the first file is hashed: the time of a
// file just made beside the index. Without a clock nothing is old enough to be
// kept.
func (x *statIndex) began() int64 {
	x.clock.Do(func() {
		dir := filepath.Dir(x.path)
		if x.path == "" || os.MkdirAll(dir, 0o700) != nil {
			return
		}
		f, err := os.CreateTemp(dir, filepath.Base(x.path)+".clock*")
		if err != nil {
			return
		}
		defer os.Remove(f.Name())
		defer f.Close()
		if m, err := statFile(f); err == nil {
			x.start = m.mtime
		}
	})
	return x.start
}

// closeIndex writes the index if more is known now, or less.
func (t *contents) closeIndex() error {
	x := t.index
	t.index = nil
	defer x.old.close()
	if x.path == "" {
		return nil
	}
	stale := false
	for _, l := range t.folders {
		if !l.recalled {
			l.recall(x.old.block(l.dir), t.view.coarse)
		}
		stale = stale || l.stale
	}
	if !stale {
		return nil
	}
	if err := saveIndex(x.path, t.folders, t.view.coarse); err != nil {
		return fmt.Errorf("writing the stat index: %w", err)
	}
	return nil
}

// hashed is list with the sums of all files.
func (t *contents) hashed(ctx context.Context, r Request) (*Selection, error) {
	found, err := t.list(ctx, r)
	if err != nil {
		return nil, err
	}
	read, err := t.hash(ctx, found.Entries)
	if err != nil {
		return nil, err
	}
	sel := *found
	sel.Hashed = read
	sel.Entries = slices.Clone(found.Entries)
	for i := range sel.Entries {
		if e := &sel.Entries[i]; e.Type == File {
			f := &e.list.files[e.at]
			e.Exec, e.Size, e.ModTime, e.Sum = f.meta.exec(), f.meta.size, time.Unix(0, f.meta.mtime), f.sum
		}
	}
	return &sel, nil
}

// hash gives every file of a selection its sum, and says how many were read.
func (t *contents) hash(ctx context.Context, entries []Entry) (read int, err error) {
	var folders []*listing
	for i := range entries {
		e := &entries[i]
		if e.Type != File || e.list.files[e.at].hashed {
			continue
		}
		if e.list.want == nil {
			folders = append(folders, e.list)
		}
		e.list.want = append(e.list.want, e.at)
	}
	if len(folders) == 0 {
		return 0, nil
	}
	var n atomic.Int64
	p := newPool(ctx, t, &filter{})
	for _, l := range folders {
		p.add(func(*worker) error { return t.hashFolder(p, l, &n) })
	}
	err = p.run()
	return int(n.Load()), err
}

// hashFolder is the task of one folder: what the index knows is not read.
func (t *contents) hashFolder(p *pool, l *listing, read *atomic.Int64) error {
	l.recall(t.index.old.block(l.dir), t.view.coarse)
	want := slices.DeleteFunc(l.want, func(i int) bool { return l.files[i].hashed })
	l.want = nil
	if len(want) == 0 {
		return nil
	}
	d, err := t.openDir(l.dir)
	if err != nil {
		return fmt.Errorf("reading folder %s: %w", join(strings.TrimSuffix(t.dir, "/"), l.dir), err)
	}
	var own []int
	var parts [][]int
	for _, i := range want {
		if l.files[i].meta.size >= large {
			parts = append(parts, []int{i})
		} else {
			own = append(own, i)
		}
	}
	parts = slices.AppendSeq(parts, slices.Chunk(own, chunk))
	var left, fresh atomic.Int64
	left.Store(int64(len(parts)))
	for _, part := range parts {
		p.add(func(*worker) error {
			defer func() {
				if left.Add(-1) == 0 {
					l.stale = l.stale || fresh.Load() > 0
					d.close()
				}
			}()
			return t.hashFiles(p.ctx, l, d, part, read, &fresh)
		})
	}
	return nil
}

// hashFiles reads files of an open folder. Those that are old enough for the
// index are fresh to it.
func (t *contents) hashFiles(ctx context.Context, l *listing, d *folder, files []int, read, fresh *atomic.Int64) error {
	start := t.index.began()
	buf := t.view.buffer()
	defer t.view.buffers.Put(buf)
	for _, i := range files {
		f := &l.files[i]
		m, sum, err := hashFile(ctx, d, f.name, *buf)
		if errors.As(err, new(*ChangedError)) {
			return &ChangedError{Path: l.real(i)}
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", join(strings.TrimSuffix(t.dir, "/"), l.real(i)), err)
		}
		f.meta, f.sum, f.hashed = m, sum, true
		read.Add(1)
		if t.view.settled(m, start) {
			f.kept = true
			fresh.Add(1)
		}
	}
	return nil
}

// settled reports whether a file is old enough: a later change is certain to
// show in its times. A time in the future is not.
func (v *View) settled(m meta, start int64) bool {
	margin := racy
	if v.racy > 0 {
		margin = v.racy
	}
	m = m.cut(v.coarse)
	start = meta{mtime: start}.cut(v.coarse).mtime
	return m.mtime <= start-margin && m.ctime <= start-margin
}

// Open opens a selected file. Reading it to the end fails with a
// *ChangedError if it is not what was hashed; so does opening it, if its size
// is another already.
func (s *Selection) Open(path string) (io.ReadCloser, error) {
	e, ok := s.find(path)
	if !ok || e.Type != File {
		return nil, fmt.Errorf("opening %s: not a selected file: %w", path, fs.ErrNotExist)
	}
	root, err := openRoot(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the context: %w", err)
	}
	defer root.close()
	f, err := root.file(e.list.real(e.at))
	if isLink(err) || errors.Is(err, fs.ErrNotExist) {
		return nil, &ChangedError{Path: path}
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	m, err := statFile(f)
	if err == nil && (m.kind() != kindFile || m.size != e.Size) {
		err = &ChangedError{Path: path}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &verifier{f: f, h: sha256.New(), e: e, left: e.Size}, nil
}

// verifier hashes what is read and compares at the end, which it knows by the
// size: a reader that stops after the last byte is told too.
type verifier struct {
	f    *os.File
	h    hash.Hash
	e    Entry
	left int64
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.left == 0 {
		if [sha256.Size]byte(v.h.Sum(nil)) != v.e.Sum {
			return 0, &ChangedError{Path: v.e.Path}
		}
		return 0, io.EOF
	}
	n, err := v.f.Read(p[:min(int64(len(p)), v.left)])
	v.h.Write(p[:n])
	v.left -= int64(n)
	switch {
	case err == io.EOF: // shorter than it was
		return n, &ChangedError{Path: v.e.Path}
	case err != nil:
		return n, fmt.Errorf("reading %s: %w", v.e.Path, err)
	case v.left == 0 && [sha256.Size]byte(v.h.Sum(nil)) != v.e.Sum:
		return 0, &ChangedError{Path: v.e.Path}
	}
	return n, nil
}

func (v *verifier) Close() error { return v.f.Close() }
