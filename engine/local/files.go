package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/lower/dag"
)

// files writes what the spec itself says: one layer for all adjacent steps.
func (b *build) files(ctx context.Context, s *state, op *dag.Files) (executor, error) {
	below, err := b.tree(ctx, s.n.Inputs[0])
	if err != nil {
		return executor{}, err
	}
	w := &fileWriter{tree: below, items: map[string]layer.Item{}}
	w.below = func(path string) ([]byte, error) { return b.readFile(ctx, s.n.Inputs[0], path) }
	for group := range groups(op.Steps) {
		if err := w.add(group); err != nil {
			return executor{}, err
		}
	}
	items := slices.SortedFunc(maps.Values(w.items), func(x, y layer.Item) int { return strings.Compare(x.Path, y.Path) })
	items = dropUnchanged(items, below)
	k := cache.NewKey(keyTitle(op))
	if err := addItems(k, items); err != nil {
		return executor{}, err
	}
	return action(k, func(ctx context.Context) (result, error) { return b.provenAs(ctx, items, b.forms(s)) }), nil
}

// groups yields stretches of steps of one kind: entries, or accounts.
func groups(steps []dag.FileStep) func(yield func([]dag.FileStep) bool) {
	return func(yield func([]dag.FileStep) bool) {
		for len(steps) > 0 {
			n := 1
			for n < len(steps) && (steps[n].Entry != nil) == (steps[0].Entry != nil) {
				n++
			}
			if !yield(steps[:n]) {
				return
			}
			steps = steps[n:]
		}
	}
}

// fileWriter gathers items of several groups, each of which sees those before
// it.
type fileWriter struct {
	tree  *layer.Tree // what is below, with the items so far
	items map[string]layer.Item
	below func(path string) ([]byte, error)
}

func (w *fileWriter) add(group []dag.FileStep) error {
	var items []layer.Item
	var err error
	if group[0].Entry != nil {
		items, err = w.entries(group)
	} else {
		items, err = w.accounts(group)
	}
	if err != nil {
		return err
	}
	for _, it := range items {
		w.items[it.Path] = it
	}
	written, err := layer.Write(io.Discard, items)
	if err != nil || written.Empty {
		return err
	}
	w.tree, err = w.tree.With(written.TOC)
	return err
}

func (w *fileWriter) entries(group []dag.FileStep) ([]layer.Item, error) {
	var items []layer.Item
	for _, s := range group {
		it, skip, err := w.entry(s.Entry)
		if err != nil {
			return nil, err
		}
		if !skip {
			items = append(items, it)
		}
	}
	return layer.Files(w.tree, items)
}

// entry is a file, directory or link of the spec as an item. A directory
// without mode and owner that exists already keeps what it is.
func (w *fileWriter) entry(f *dag.FileEntry) (it layer.Item, skip bool, err error) {
	path := strings.Trim(f.Path, "/")
	it.Entry = layer.Entry{Path: path, Mode: 0o644}
	switch f.Type {
	case "file":
		it.Type, it.Size, it.Digest = layer.File, int64(len(f.Content)), digestOf([]byte(f.Content))
		it.Open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(f.Content)), nil }
	case "directory":
		it.Type, it.Mode = layer.Dir, 0o755
		real, err := w.tree.Resolve(f.Path)
		if e, ok := w.tree.Lookup(real); err == nil && ok && e.Type == layer.Dir {
			if f.Mode == "" && f.Owner == "" {
				return it, true, nil
			}
			it.Mode, it.UID, it.GID, it.Xattrs = e.Mode, e.UID, e.GID, e.Xattrs
			it.Path = real
		}
	case "symlink":
		it.Type, it.Mode, it.Link = layer.Symlink, 0o777, f.Content
	default:
		return it, false, fmt.Errorf("unknown entry %q", f.Type)
	}
	mode, err := parseMode(f.Mode)
	if err != nil {
		return it, false, err
	}
	if mode != nil {
		it.Mode = *mode
	}
	owner, err := parseOwner(f.Owner)
	if owner != nil {
		it.UID, it.GID = owner.UID, owner.GID
	}
	return it, false, err
}

func (w *fileWriter) accounts(group []dag.FileStep) ([]layer.Item, error) {
	var users []layer.User
	var made []layer.Group
	for _, s := range group {
		if u := s.User; u != nil {
			users = append(users, layer.User{Name: u.Name, UID: u.UID, GID: u.GID, Home: u.Home, Shell: u.Shell, Groups: u.Groups})
		} else {
			made = append(made, layer.Group{Name: s.Group.Name, GID: s.Group.GID})
		}
	}
	return layer.AddUsers(w.tree, w.read, users, made)
}

// read gives a file as the steps so far have left it.
func (w *fileWriter) read(path string) ([]byte, error) {
	it, ok := w.items[path]
	if !ok {
		return w.below(path)
	}
	r, err := it.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// dropUnchanged leaves out parents that only lead somewhere else's items when
// nothing remains but directories that are below already: an empty change is
// no layer.
func dropUnchanged(items []layer.Item, below *layer.Tree) []layer.Item {
	for _, it := range items {
		e, ok := below.Lookup(it.Path)
		if it.Type != layer.Dir || !ok || e.Type != layer.Dir || e.Mode != it.Mode || e.UID != it.UID || e.GID != it.GID {
			return items
		}
	}
	return nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
