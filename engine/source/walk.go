package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/patternmatcher"
)

// node is one folder of the walk. Its tasks fill it; nothing reads it before
// the pool is done.
type node struct {
	dir     string // where it is, links followed
	items   []item // by name
	partial bool   // only one file was looked at

	// For the stat index. Once all files are read, same says that the folder's
	// block in it is right as it is; the records are dropped then.
	same    bool
	records []record // of files, in the order of items; only those that may be kept
	kept    []string // names that are there but were not looked at
	subdirs []string
}

// item is a name of a folder that is selected, or a folder that something
// selected may be in.
type item struct {
	Entry // Path is set when the tree is flattened
	name  string
	taken bool
	hits  []int // sources that name it
	child *node
}

// chunk is how many files one task looks at: a folder may have all 50,000.
const chunk = 128

// large is the size from which on a file that has to be hashed is a task of
// its own.
const large = 1 << 20

// worker is what a goroutine of the pool has for itself.
type worker struct {
	docker *patternmatcher.PatternMatcher
	buf    []byte
}

// pool runs tasks last in, first out, so that few folders are open at once.
type pool struct {
	mu     sync.Mutex
	wake   sync.Cond
	tasks  []func(*worker) error
	active int
	err    error
}

func newPool() *pool {
	p := &pool{}
	p.wake.L = &p.mu
	return p
}

func (p *pool) add(task func(*worker) error) {
	p.mu.Lock()
	p.tasks = append(p.tasks, task)
	p.mu.Unlock()
	p.wake.Signal()
}

// run works until there are no tasks, or one fails; tasks that were added and
// not begun are dropped then.
func (p *pool) run(ctx context.Context, newWorker func() *worker) error {
	stop := context.AfterFunc(ctx, func() { p.fail(context.Cause(ctx)) })
	defer stop()
	var wg sync.WaitGroup
	for range max(4, runtime.GOMAXPROCS(0)) { // more than cores: some wait for the disk
		wg.Go(func() { p.work(newWorker()) })
	}
	wg.Wait()
	return p.err
}

func (p *pool) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.wake.Broadcast()
}

func (p *pool) work(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for p.err == nil && len(p.tasks) == 0 && p.active > 0 {
			p.wake.Wait()
		}
		if p.err != nil || len(p.tasks) == 0 {
			p.wake.Broadcast()
			return
		}
		task := p.tasks[len(p.tasks)-1]
		p.tasks = p.tasks[:len(p.tasks)-1]
		p.active++
		p.mu.Unlock()
		err := task(w)
		p.mu.Lock()
		p.active--
		if err != nil && p.err == nil {
			p.err = err
		}
	}
}

// walk reads everything below a folder that may be selected.
func (s *selector) walk(ctx context.Context, dir string, st state) (*node, error) {
	n := &node{dir: dir}
	p := newPool()
	p.add(func(w *worker) error { return s.readDir(p, w, n, st) })
	err := p.run(ctx, func() *worker {
		return &worker{docker: s.filter.dockerMatcher(), buf: make([]byte, 64<<10)}
	})
	if err != nil {
		return nil, err
	}
	s.visited = appendNodes(s.visited, n)
	return n, nil
}

func appendNodes(list []*node, n *node) []*node {
	list = append(list, n)
	for i := range n.items {
		if c := n.items[i].child; c != nil {
			list = appendNodes(list, c)
		}
	}
	return list
}

// readDir is the task of one folder.
func (s *selector) readDir(p *pool, w *worker, n *node, st state) error {
	d, err := s.openDir(n.dir)
	if errors.Is(err, fs.ErrNotExist) && n.dir != "" {
		return nil // removed since its parent was read
	}
	if err != nil {
		return fmt.Errorf("reading folder %s: %w", s.show(n.dir), err)
	}
	names, err := d.names()
	if err != nil {
		d.close()
		return fmt.Errorf("reading folder %s: %w", s.show(n.dir), err)
	}
	slices.SortFunc(names, func(a, b name) int { return strings.Compare(a.name, b.name) })
	n.items = make([]item, 0, len(names))
	files := 0
	for _, e := range names {
		isFile, err := s.readName(p, w, n, d, st, e)
		if err != nil {
			d.close()
			return err
		}
		if isFile {
			files++
		}
	}
	s.readFiles(p, n, d, files)
	return nil
}

// readName decides about one name. Files are looked at later, in chunks.
func (s *selector) readName(p *pool, w *worker, n *node, d *folder, up state, e name) (isFile bool, err error) {
	file := join(n.dir, e.name)
	st, err := s.filter.enter(up, file, e.name, w.docker)
	if err != nil {
		return false, err
	}
	it := item{name: e.name, taken: s.filter.selected(st, file), hits: st.hits}
	if e.kind == kindDir {
		n.subdirs = append(n.subdirs, e.name)
		it.Type = Dir
		if s.filter.enters(st, file) {
			it.child = &node{dir: file}
			p.add(func(w *worker) error { return s.readDir(p, w, it.child, st) })
		}
		if it.child == nil && !it.taken {
			return false, nil
		}
	} else if !it.taken {
		n.kept = append(n.kept, e.name)
		return false, nil
	}
	if it.taken && strings.HasPrefix(e.name, ".wh.") {
		return false, &EntryError{Path: file, Reason: `has a name that starts with ".wh.", which every reader of a layer takes for a deletion`}
	}
	switch e.kind {
	case kindSocket:
		s.skip(file)
		return false, nil
	case kindFifo:
		return false, &EntryError{Path: file, Reason: "is a FIFO, which no copy from a context can take"}
	case kindDevice, kindUnknown:
		return false, &EntryError{Path: file, Reason: "is a device, which no copy from a context can take"}
	case kindFile:
		it.Type = File
	case kindLink:
		it.Type = Symlink
		if it.Link, err = d.readlink(e.name); err != nil {
			return false, &ChangedError{Path: file}
		}
	}
	if it.Type != File {
		m, err := d.lstat(e.name)
		if err != nil {
			return false, &ChangedError{Path: file}
		}
		it.ModTime = time.Unix(0, m.mtime)
	}
	n.items = append(n.items, it)
	return it.Type == File, nil
}

// readFiles makes tasks for the files of a folder; the last one closes it.
func (s *selector) readFiles(p *pool, n *node, d *folder, files int) {
	known := s.index.find(n.dir)
	if files == 0 {
		d.close()
		n.settle(known)
		return
	}
	var left atomic.Int64
	n.records = make([]record, len(n.items))
	done := func() {
		if left.Add(-1) == 0 {
			d.close()
			n.settle(known)
		}
	}
	var batches [][]int
	batch := make([]int, 0, chunk)
	for i := range n.items {
		if n.items[i].Type != File {
			continue
		}
		if batch = append(batch, i); len(batch) == chunk {
			batches, batch = append(batches, batch), make([]int, 0, chunk)
		}
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	left.Store(int64(len(batches)))
	for _, batch := range batches {
		p.add(func(w *worker) error {
			defer done()
			for _, i := range batch {
				if err := s.readFile(p, w, n, d, i, known, &left, done); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// readFile looks at one file, and hashes it unless the index knows it.
func (s *selector) readFile(p *pool, w *worker, n *node, d *folder, i int, known []record, left *atomic.Int64, done func()) error {
	it := &n.items[i]
	m, err := d.lstat(it.name)
	if err != nil || m.kind() != kindFile {
		return &ChangedError{Path: join(n.dir, it.name)}
	}
	it.set(m)
	if !s.hash {
		return nil
	}
	if r, ok := findRecord(known, it.name); ok && r.meta == s.coarsened(m) {
		it.Sum = r.sum
		n.records[i] = r
		return nil
	}
	if m.size < large {
		return s.hashItem(w, n, d, i)
	}
	left.Add(1)
	p.add(func(w *worker) error {
		defer done()
		return s.hashItem(w, n, d, i)
	})
	return nil
}

func (s *selector) hashItem(w *worker, n *node, d *folder, i int) error {
	it := &n.items[i]
	m, sum, err := hashFile(d, it.name, w.buf)
	if err != nil {
		if errors.As(err, new(*ChangedError)) {
			return &ChangedError{Path: join(n.dir, it.name)}
		}
		return fmt.Errorf("reading %s: %w", s.show(join(n.dir, it.name)), err)
	}
	it.set(m)
	it.Sum = sum
	s.hashed.Add(1)
	if s.settled(m) {
		n.records[i] = record{name: it.name, meta: s.coarsened(m), sum: sum}
	}
	return nil
}

func (it *item) set(m meta) {
	it.Exec, it.Size, it.ModTime = m.exec(), m.size, time.Unix(0, m.mtime)
}

func (s *selector) openDir(dir string) (*folder, error) {
	if dir == "" {
		dir = "."
	}
	return s.root.open(dir)
}

func (s *selector) skip(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = append(s.skipped, file)
}

// show is how a path is named in a message: below the context's folder.
func (s *selector) show(rel string) string { return join(strings.TrimSuffix(s.req.Dir, "/"), rel) }
