package layer

import (
	"fmt"
	"slices"
)

// change is what one layer does at one path.
type change struct {
	path     string
	delAll   bool // a whiteout: the path and all below it
	delBelow bool // an opaque mark: all below the path
	entry    int  // place in the layer's entries, -1 when it only deletes
}

// With gives the tree with one more layer on top. Both forms of deletion are
// understood. Parents that the layer does not state keep what is below, and
// are directories 0755 0:0 where there is none or something else, which is
// what overlay-based runtimes make of such a layer.
func (t *Tree) With(toc *TOC) (*Tree, error) {
	entries := toc.Entries
	if !slices.IsSortedFunc(entries, func(a, b Entry) int { return compareEntries(&a, &b) }) {
		entries = slices.Clone(entries)
		sortEntries(entries)
	}
	changes, err := collectChanges(entries)
	if err != nil {
		return nil, err
	}
	entries, changes, err = t.addParents(entries, changes)
	if err != nil {
		return nil, err
	}
	out := &Tree{
		layers: append(slices.Clip(t.layers), entries),
		order:  make([]ref, 0, len(t.order)+len(changes)),
	}
	layer := uint32(len(t.layers))
	cur := 0
	for _, c := range changes {
		// All that is before this path is copied in one piece; cur is then
		// at the path or behind what earlier changes deleted.
		pos := t.seek(cur, c.path)
		out.order = append(out.order, t.order[cur:pos]...)
		cur = pos
		exists := pos < len(t.order) && t.at(pos).Path == c.path
		switch {
		case c.delAll, c.entry >= 0 && entries[c.entry].Type != Dir:
			cur = t.end(cur, c.path)
		case c.entry >= 0 && exists:
			cur++ // a directory: its entry is replaced, its children stay
		}
		if c.delBelow {
			if c.entry < 0 && exists {
				out.order = append(out.order, t.order[cur])
			}
			cur = t.end(cur, c.path)
		}
		if c.entry >= 0 {
			out.order = append(out.order, ref{layer, uint32(c.entry)})
		}
	}
	out.order = append(out.order, t.order[cur:]...)
	return out, nil
}

// collectChanges turns a layer's entries into one change a path, in the
// order of paths.
func collectChanges(entries []Entry) ([]change, error) {
	changes := make([]change, 0, len(entries))
	sorted := true
	for i := range entries {
		e := &entries[i]
		if !validPath(e.Path) {
			return nil, fmt.Errorf("%q is not a clean relative path", e.Path)
		}
		c := change{path: e.Path, entry: -1, delAll: e.Type == Whiteout, delBelow: e.Type == Opaque}
		if !e.Type.deletes() {
			c.entry = i
		}
		if k := len(changes); k > 0 && comparePaths(changes[k-1].path, c.path) >= 0 {
			sorted = false
		}
		changes = append(changes, c)
	}
	if !sorted {
		slices.SortStableFunc(changes, func(a, b change) int { return comparePaths(a.path, b.path) })
	}
	return foldChanges(changes)
}

// foldChanges joins a deletion and an entry of the same path.
func foldChanges(changes []change) ([]change, error) {
	out := changes[:0]
	for _, c := range changes {
		k := len(out) - 1
		if k < 0 || out[k].path != c.path {
			out = append(out, c)
			continue
		}
		last := &out[k]
		if last.entry >= 0 && c.entry >= 0 {
			return nil, fmt.Errorf("%q is in the layer twice", c.path)
		}
		last.entry = max(last.entry, c.entry)
		last.delAll = last.delAll || c.delAll
		last.delBelow = last.delBelow || c.delBelow
	}
	return out, nil
}

// addParents adds the directories that a foreign layer left out, where below
// there is no directory to keep. Layers of ours state every parent.
func (t *Tree) addParents(entries []Entry, changes []change) ([]Entry, []change, error) {
	if err := checkParents(entries, changes); err != nil {
		return nil, nil, err
	}
	var missing []Entry
	var gone deletions
	var stated []string // the chain of directories down to the last change
	for _, c := range changes {
		gone.add(c.path, c.delAll, c.delBelow)
		if c.entry < 0 {
			continue
		}
		for len(stated) > 0 && !under(c.path, stated[len(stated)-1]) {
			stated = stated[:len(stated)-1]
		}
		parent, _ := splitPath(c.path)
		if parent != "" && (len(stated) == 0 || stated[len(stated)-1] != parent) {
			for _, dir := range ancestors(parent) {
				if slices.Contains(stated, dir) {
					continue
				}
				if !t.keepsDir(dir, gone) {
					missing = append(missing, Entry{Path: dir, Type: Dir, Mode: 0o755})
				}
				stated = append(stated, dir)
			}
		}
		if entries[c.entry].Type == Dir {
			stated = append(stated, c.path)
		}
	}
	if len(missing) == 0 {
		return entries, changes, nil
	}
	entries = append(slices.Clip(entries), missing...)
	sortEntries(entries)
	changes, err := collectChanges(entries)
	return entries, changes, err
}

// ancestors lists the directories down to dir, dir included, without the
// root.
func ancestors(dir string) []string {
	var out []string
	for ; dir != ""; dir, _ = splitPath(dir) {
		out = append(out, dir)
	}
	slices.Reverse(out)
	return out
}

// deletions are the paths that a layer deletes with all below them, and the
// directories that it only empties.
type deletions struct{ all, below []string }

func (d *deletions) add(path string, all, below bool) {
	if all {
		d.all = append(d.all, path)
	}
	if below {
		d.below = append(d.below, path)
	}
}

// keepsDir reports whether a directory of the tree outlives the deletions.
func (t *Tree) keepsDir(dir string, gone deletions) bool {
	for _, d := range gone.all {
		if d == dir || under(dir, d) {
			return false
		}
	}
	for _, d := range gone.below {
		if under(dir, d) {
			return false
		}
	}
	e, ok := t.Lookup(dir)
	return ok && e.Type == Dir
}

// Unstated gives the directories of the tree in which a layer has something
// without stating them, as far as they are not plain 0755 0:0: who unpacks the
// layer alone has to be told of them ([UnpackOptions]). Layers of ours state
// every parent.
func (t *Tree) Unstated(toc *TOC) Shape {
	var gone deletions
	done := map[string]bool{} // stated or seen
	for i := range toc.Entries {
		e := &toc.Entries[i]
		gone.add(e.Path, e.Type == Whiteout, e.Type == Opaque)
		done[e.Path] = done[e.Path] || e.Type == Dir
	}
	var s Shape
	for i := range toc.Entries {
		e := &toc.Entries[i]
		dir := e.Path
		if e.Type != Opaque {
			dir, _ = splitPath(dir)
		}
		for ; dir != "" && !done[dir]; dir, _ = splitPath(dir) {
			done[dir] = true
			if at, ok := t.Lookup(dir); ok && !at.plainDir() && t.keepsDir(dir, gone) {
				s.entries = append(s.entries, at)
			}
		}
	}
	sortEntries(s.entries)
	return s
}

// checkParents refuses a layer that puts something below what it states to
// be no directory: readers that follow links would write somewhere else.
func checkParents(entries []Entry, changes []change) error {
	leaf := ""
	for _, c := range changes {
		if c.entry < 0 {
			continue
		}
		if leaf != "" && under(c.path, leaf) {
			return fmt.Errorf("%q is below %q, which is no directory in the same layer", c.path, leaf)
		}
		if e := &entries[c.entry]; e.Type != Dir {
			leaf = e.Path
		}
	}
	return nil
}
