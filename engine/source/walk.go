package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
)

// node is one folder of a walk. Its task fills it; nothing reads it before
// the pool is done.
type node struct {
	list  *listing // nil if the folder was removed since its parent was read
	items []item   // by name
}

// item is a name of a folder that is selected, or a folder that something
// selected may be in.
type item struct {
	at    int // in the listing
	taken bool
	hits  []int // sources that name it
	child *node
}

// chunk is how many files one task looks at: a folder may have all 50,000.
const chunk = 128

// walk finds everything below a folder that may be selected.
func (s *selector) walk(ctx context.Context, dir string, st state) (*node, error) {
	n := &node{}
	p := newPool(ctx, s.tree, s.filter)
	p.add(func(w *worker) error { return s.readDir(p, w, n, dir, st) })
	return n, p.run()
}

// readDir is the task of one folder.
func (s *selector) readDir(p *pool, w *worker, n *node, dir string, st state) error {
	l, d, err := s.tree.read(dir)
	if errors.Is(err, fs.ErrNotExist) && dir != "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading folder %s: %w", s.show(dir), err)
	}
	n.list, n.items = l, make([]item, 0, len(l.files))
	var unseen []int
	for i := range l.files {
		it := item{at: i}
		if err := s.judge(p, w, l, &it, st); err != nil {
			d.close()
			return err
		}
		if !it.taken && it.child == nil {
			continue
		}
		n.items = append(n.items, it)
		if !l.files[i].looked {
			unseen = append(unseen, i)
		}
	}
	return s.lookAll(p, l, d, unseen)
}

// judge decides about one name; what is below a folder is a task.
func (s *selector) judge(p *pool, w *worker, l *listing, it *item, up state) error {
	f := &l.files[it.at]
	file := join(l.dir, f.name)
	st, err := s.filter.enter(up, file, f.name, w.docker)
	if err != nil {
		return err
	}
	it.taken, it.hits = s.filter.selected(st, file), st.hits
	if f.kind == kindDir && s.filter.enters(st, file) {
		child := &node{}
		it.child = child
		p.add(func(w *worker) error { return s.readDir(p, w, child, file, st) })
	}
	if !it.taken {
		return nil
	}
	if strings.HasPrefix(f.name, ".wh.") {
		return &EntryError{Path: file, Reason: `has a name that starts with ".wh.", which every reader of a layer takes for a deletion`}
	}
	switch f.kind {
	case kindSocket:
		it.taken = false
		s.skip(file)
	case kindFifo:
		return &EntryError{Path: file, Reason: "is a FIFO, which no copy from a context can take"}
	case kindDevice, kindUnknown:
		return &EntryError{Path: file, Reason: "is a device, which no copy from a context can take"}
	}
	return nil
}

// lookAll looks at names of a folder that nobody looked at yet, and closes
// it. Many are tasks of their own; the last one closes.
func (s *selector) lookAll(p *pool, l *listing, d *folder, names []int) error {
	if len(names) == 0 {
		d.close()
		return nil
	}
	if d == nil {
		var err error
		if d, err = s.tree.openDir(l.dir); err != nil {
			return fmt.Errorf("reading folder %s: %w", s.show(l.dir), err)
		}
	}
	var left atomic.Int64
	left.Store(int64((len(names) + chunk - 1) / chunk))
	look := func(names []int) error {
		defer func() {
			if left.Add(-1) == 0 {
				d.close()
			}
		}()
		for _, i := range names {
			f := &l.files[i]
			if err := d.look(f); err != nil || f.meta.kind() != f.kind {
				return &ChangedError{Path: l.real(i)}
			}
		}
		return nil
	}
	var own []int
	for names := range slices.Chunk(names, chunk) {
		if own == nil {
			own = names
			continue
		}
		p.add(func(*worker) error { return look(names) })
	}
	return look(own)
}

func (s *selector) skip(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = append(s.skipped, file)
}

// show is how a path is named in a message: below the context's folder.
func (s *selector) show(rel string) string { return join(strings.TrimSuffix(s.tree.dir, "/"), rel) }
