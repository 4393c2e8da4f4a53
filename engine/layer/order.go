package layer

import (
	"fmt"
	"slices"
	"strings"
)

// whiteoutPrefix marks deletions in a tar (OCI image-spec v1.1, layer.md).
// No real name may start with it.
const (
	whiteoutPrefix = ".wh."
	opaqueName     = ".wh..wh..opq"
)

// deletes reports whether the entry is a deletion and not a file.
func (t Type) deletes() bool { return t == Whiteout || t == Opaque }

// comparePaths orders clean paths by components, bytewise, so that all that
// is below a directory follows it at once: a slash sorts before every byte.
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		case a[i] < b[i]:
			return -1
		}
		return 1
	}
	return len(a) - len(b)
}

// compareEntries is the order of a layer: comparePaths, but the deletions of
// a directory come before everything else in it, the opaque mark first. So
// a reader that works in order never deletes what the same layer brought.
func compareEntries(a, b *Entry) int {
	switch wa, wb := a.Type.deletes(), b.Type.deletes(); {
	case wa && wb:
		return compareDeletions(a, b)
	case wa:
		return compareDeletion(a, b)
	case wb:
		return -compareDeletion(b, a)
	}
	return comparePaths(a.Path, b.Path)
}

func compareDeletions(a, b *Entry) int {
	da, na := deletionPlace(a)
	db, nb := deletionPlace(b)
	switch {
	case da == db:
		return strings.Compare(na, nb)
	case under(db, da):
		return -1
	case under(da, db):
		return 1
	}
	return comparePaths(da, db)
}

func compareDeletion(w, e *Entry) int {
	dir, _ := deletionPlace(w)
	switch {
	case dir == e.Path && e.Type == Dir:
		return 1
	case under(e.Path, dir):
		return -1
	}
	if c := comparePaths(dir, e.Path); c != 0 {
		return c
	}
	return 1
}

// deletionPlace gives the directory that a deletion stands in, and the name
// that it deletes there; "" of an opaque mark, which deletes all.
func deletionPlace(e *Entry) (dir, name string) {
	if e.Type == Opaque {
		return e.Path, ""
	}
	return splitPath(e.Path)
}

// under reports whether path is strictly below dir; everything but the root
// is below the root.
func under(path, dir string) bool {
	if dir == "" {
		return path != ""
	}
	return len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

// splitPath gives the parent ("" is the root) and the last name.
func splitPath(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// joinPath is dir/name where either may be empty.
func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	if name == "" {
		return dir
	}
	return dir + "/" + name
}

// cleanPath turns an absolute or relative path of a spec or a tar into the
// form of Entry.Path. A ".." is an error: in a root it could only mean a
// mistake or an escape.
func cleanPath(path string) (string, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return "", fmt.Errorf("path %q has a zero byte", path)
	}
	if validPath(path) {
		return path, nil
	}
	parts := make([]string, 0, strings.Count(path, "/")+1)
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "", ".":
		case "..":
			return "", fmt.Errorf("path %q has a %q", path, "..")
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/"), nil
}

// validPath reports whether path already has the form of Entry.Path.
func validPath(path string) bool {
	if path == "" {
		return true
	}
	for rest := path; ; {
		i := strings.IndexByte(rest, '/')
		name := rest
		if i >= 0 {
			name = rest[:i]
		}
		if name == "" || name == "." || name == ".." {
			return false
		}
		if i < 0 {
			break
		}
		rest = rest[i+1:]
	}
	return strings.IndexByte(path, 0) < 0
}

// checkNames refuses names that every reader of the layer would take for a
// deletion of something else (rule 6).
func checkNames(path string) error {
	if !strings.Contains(path, whiteoutPrefix) {
		return nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(name, whiteoutPrefix) {
			return fmt.Errorf("%q: a name that starts with %q means a deletion in an image layer; rename or exclude it", path, whiteoutPrefix)
		}
	}
	return nil
}

// sortEntries puts entries in the order of a layer and says whether they
// were in it already.
func sortEntries(entries []Entry) (sorted bool) {
	cmp := func(a, b Entry) int { return compareEntries(&a, &b) }
	if slices.IsSortedFunc(entries, cmp) {
		return true
	}
	slices.SortStableFunc(entries, cmp)
	return false
}
