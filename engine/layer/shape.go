package layer

import (
	"fmt"
	"sort"
	"strings"
)

// Shape is what placement must know of a root and cannot guess: its
// symlinks that lead to directories, and its directories that are not plain
// 0755 0:0. They are few (Debian 12 has 30 such links among 9,537 entries), so
// they fit into a lock file and a plan needs no layer of a base.
//
// A path that a shape does not hold is taken for a plain directory or for
// nothing, which placement treats alike.
type Shape struct {
	entries []Entry
}

// plainDir reports whether a directory is as a new one is.
func (e *Entry) plainDir() bool {
	return e.Type == Dir && e.Mode == 0o755 && e.UID == 0 && e.GID == 0 && len(e.Xattrs) == 0
}

// Shape gives the shape of a tree.
func (t *Tree) Shape() Shape {
	var s Shape
	r := resolver{below: t}
	for i := range t.order {
		e := t.at(i)
		switch e.Type {
		case Dir:
			if e.Path != "" && !e.plainDir() {
				s.entries = append(s.entries, *e)
			}
		case Symlink:
			to, err := r.resolve(e.Path)
			if err != nil || r.missing {
				continue
			}
			if at, ok := t.Lookup(to); ok && at.Type == Dir {
				s.entries = append(s.entries, *e)
			}
		}
	}
	return s
}

// Lookup gives the entry of a path, if the shape holds it.
func (s Shape) Lookup(path string) (Entry, bool) {
	if path == "" {
		return plainRoot(), true
	}
	i := sort.Search(len(s.entries), func(i int) bool { return comparePaths(s.entries[i].Path, path) >= 0 })
	if i == len(s.entries) || s.entries[i].Path != path {
		return Entry{}, false
	}
	return s.entries[i], true
}

// Complete is false: a shape holds neither files nor plain directories.
func (s Shape) Complete() bool { return false }

// Lines is the shape as text for a lock file, one line an entry, sorted by
// path, in the form of [TOC.Encode].
func (s Shape) Lines() []string {
	lines := make([]string, len(s.entries))
	for i := range s.entries {
		lines[i] = s.entries[i].String()
	}
	return lines
}

// ParseShape reads what [Shape.Lines] gave. It is strict: a line out of
// order, or about anything that a shape does not hold, is an error.
func ParseShape(lines []string) (Shape, error) {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line)
		text.WriteByte('\n')
	}
	entries, err := decodeLines(text.String())
	if err != nil {
		return Shape{}, fmt.Errorf("read the shape of a base: %w", err)
	}
	for _, e := range entries {
		if e.Type != Dir && e.Type != Symlink || e.Path == "" {
			return Shape{}, fmt.Errorf("read the shape of a base: %s is neither a directory nor a symlink", e)
		}
	}
	return Shape{entries: entries}, nil
}
