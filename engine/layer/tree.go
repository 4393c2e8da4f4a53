package layer

import (
	"fmt"
	"iter"
	"slices"
	"sort"
)

// Tree is what a stack of layers shows: their entries merged, deletions
// applied. It never changes; [Tree.With] makes a new one.
//
// A tree holds eight bytes an entry, in the order of paths, and refers to
// the tables it was made of; a lookup is a binary search. So a chain of
// steps, each with a tree of its own, costs little more than its tables.
type Tree struct {
	layers [][]Entry
	order  []ref
}

// ref is the place of an entry: layers[layer][index].
type ref struct{ layer, index uint32 }

// plainRoot is the root directory of a tree whose layers do not state one.
func plainRoot() Entry { return Entry{Type: Dir, Mode: 0o755} }

// Merge stacks tables, lowest first. It fails when a table is not sound: a
// path that is not clean, twice in one table, or below something in the same
// table that is no directory.
func Merge(tocs ...*TOC) (*Tree, error) {
	t := &Tree{}
	for i, toc := range tocs {
		next, err := t.With(toc)
		if err != nil {
			return nil, fmt.Errorf("merge layer %d: %w", i, err)
		}
		t = next
	}
	return t, nil
}

// at gives the entry at a place of the order.
func (t *Tree) at(i int) *Entry {
	r := t.order[i]
	return &t.layers[r.layer][r.index]
}

// seek gives the first place from cur on whose path is not before path. It
// gallops, so that a few changes on a large tree cost a few comparisons, and
// a large table on a large tree one for each.
func (t *Tree) seek(cur int, path string) int {
	step := 1
	lo, hi := cur, cur
	for hi < len(t.order) && comparePaths(t.at(hi).Path, path) < 0 {
		lo, hi = hi+1, hi+step
		step *= 2
	}
	hi = min(hi, len(t.order))
	return lo + sort.Search(hi-lo, func(i int) bool { return comparePaths(t.at(lo+i).Path, path) >= 0 })
}

// end gives the first place from cur on that is neither path nor below it.
func (t *Tree) end(cur int, path string) int {
	if path == "" {
		return len(t.order)
	}
	return cur + sort.Search(len(t.order)-cur, func(i int) bool {
		p := t.at(cur + i).Path
		return p != path && !under(p, path) && comparePaths(p, path) > 0
	})
}

// find gives the place of a path.
func (t *Tree) find(path string) (int, bool) {
	i := sort.Search(len(t.order), func(i int) bool { return comparePaths(t.at(i).Path, path) >= 0 })
	return i, i < len(t.order) && t.at(i).Path == path
}

// Lookup gives the entry of a path; no link is followed, the last one
// neither. The root, "", is always there.
func (t *Tree) Lookup(path string) (Entry, bool) {
	if i, ok := t.find(path); ok {
		return *t.at(i), true
	}
	if path == "" {
		return plainRoot(), true
	}
	return Entry{}, false
}

// Complete is true: what a tree does not show is not there.
func (t *Tree) Complete() bool { return true }

// Content gives the layer that a path's content comes from, counted from the
// lowest, and the entry that holds it there: the path's own, or, of a hard
// link, the file that it is another name of. It is false when there is no
// such path.
func (t *Tree) Content(path string) (layer int, e Entry, ok bool) {
	i, ok := t.find(path)
	if !ok {
		return 0, Entry{}, false
	}
	return int(t.order[i].layer), *t.content(i), true
}

// content follows a hard link within its own layer, where alone it means
// something: a layer above may have replaced the first name.
func (t *Tree) content(i int) *Entry {
	e := t.at(i)
	if e.Type != Hardlink {
		return e
	}
	entries := t.layers[t.order[i].layer]
	k, found := slices.BinarySearchFunc(entries, Entry{Path: e.Link, Type: File}, func(a, b Entry) int { return compareEntries(&a, &b) })
	if !found {
		return e
	}
	return &entries[k]
}

// Children gives the entries directly in a directory, in order.
func (t *Tree) Children(dir string) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		i, ok := t.find(dir)
		if ok {
			i++
		}
		for i < len(t.order) && under(t.at(i).Path, dir) {
			e := t.at(i)
			if !yield(*e) {
				return
			}
			i = t.end(i, e.Path)
		}
	}
}

// Walk gives dir and all that is below it, parents first. Nothing when dir
// is not there.
func (t *Tree) Walk(dir string) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		i, _ := t.find(dir)
		for ; i < len(t.order); i++ {
			e := t.at(i)
			if e.Path != dir && !under(e.Path, dir) || !yield(*e) {
				return
			}
		}
	}
}

// All gives every entry with the layer that it comes from, counted from the
// lowest, parents first.
func (t *Tree) All() iter.Seq2[int, Entry] {
	return func(yield func(int, Entry) bool) {
		for i := range t.order {
			if !yield(int(t.order[i].layer), *t.at(i)) {
				return
			}
		}
	}
}

// Shown gives for each layer the bytes of its files that can still be seen,
// under whatever name: the rest was deleted or replaced above.
func (t *Tree) Shown() []int64 {
	out := make([]int64, len(t.layers))
	linked := map[ref]bool{} // seen by a further name only
	for i := range t.order {
		r := t.order[i]
		switch e := t.at(i); e.Type {
		case File:
			out[r.layer] += e.Size
		case Hardlink:
			first := ref{r.layer, t.first(r)}
			if k, ok := t.find(e.Link); ok && t.order[k] == first || linked[first] {
				continue // counted by that name
			}
			linked[first] = true
			out[r.layer] += t.layers[first.layer][first.index].Size
		}
	}
	return out
}

// Sizes gives for each layer the bytes of all its files, seen or not.
func (t *Tree) Sizes() []int64 {
	out := make([]int64, len(t.layers))
	for n, entries := range t.layers {
		for i := range entries {
			out[n] += entries[i].Size
		}
	}
	return out
}

// first is the place of the file that a hard link is another name of, in its
// own layer; the link's own where there is none.
func (t *Tree) first(r ref) uint32 {
	entries := t.layers[r.layer]
	k, found := slices.BinarySearchFunc(entries, Entry{Path: entries[r.index].Link, Type: File}, func(a, b Entry) int { return compareEntries(&a, &b) })
	if !found {
		return r.index
	}
	return uint32(k)
}

// Len is the number of entries.
func (t *Tree) Len() int { return len(t.order) }

// Size is the sum of the sizes of all files, in bytes, a hard-linked one
// once for its first name.
func (t *Tree) Size() int64 {
	var sum int64
	for i := range t.order {
		sum += t.at(i).Size
	}
	return sum
}

// TOC gives the tree as one table, as a layer that holds all of it would
// have: no deletions, hard links to the first name that is still there.
func (t *Tree) TOC() *TOC {
	out := make([]Entry, 0, len(t.order))
	first := make(map[ref]string)
	for i := range t.order {
		e := *t.at(i)
		if e.Type == Hardlink || e.Type == File {
			e = t.regroup(i, first)
		}
		out = append(out, e)
	}
	return &TOC{Entries: out}
}

// regroup gives a file as the first or a further name of its group.
func (t *Tree) regroup(i int, first map[ref]string) Entry {
	e, path := *t.content(i), t.at(i).Path
	group := ref{layer: t.order[i].layer, index: t.order[i].index}
	if t.at(i).Type == Hardlink {
		k, _ := slices.BinarySearchFunc(t.layers[group.layer], e, func(a, b Entry) int { return compareEntries(&a, &b) })
		group.index = uint32(k)
	}
	if name, ok := first[group]; ok {
		return Entry{Path: path, Type: Hardlink, Mode: e.Mode, UID: e.UID, GID: e.GID, Link: name}
	}
	first[group] = path
	e.Path = path
	return e
}
