package layer

import (
	"fmt"
	"maps"
	"slices"
)

// CopyError says why files cannot be put where a step wants them. The parts
// are for a diagnostic; Error joins them.
type CopyError struct {
	Source string // what was to be copied; "" when that does not matter
	To     string // where to, absolute
	Reason string // what was found and what to do, as sentences
}

// Error is the message in one line.
func (e *CopyError) Error() string {
	if e.Source == "" {
		return fmt.Sprintf("place %q: %s", e.To, e.Reason)
	}
	return fmt.Sprintf("copy %q to %q: %s", e.Source, e.To, e.Reason)
}

// Placement is where a destination really is in a root, and the directories
// that lead there. It is all of what is below that a copy's layer depends
// on, so it is in the copy's key and the chain of layers is not.
type Placement struct {
	Path    string  // without links, in the form of Entry.Path
	Parents []Entry // every directory above Path, highest first, with the metadata it has or is to get
}

// Lines is the placement as text for a key.
func (p Placement) Lines() []string {
	lines := []string{fmt.Sprintf("place %q", p.Path)}
	for _, e := range p.Parents {
		lines = append(lines, "parent "+e.String())
	}
	return lines
}

// Place finds where a path is in a root: links in its directories are
// followed inside the root, its last name is not. Every parent is listed,
// because stores that unpack a layer on its own take the metadata of a
// directory from the uppermost layer that has something in it: an existing
// one as it is below, a new one 0755 0:0. A link that dangles or loops, and
// a path through something that is no directory, are a [*CopyError].
func Place(below Below, to string) (Placement, error) {
	clean, err := cleanPath(to)
	if err != nil {
		return Placement{}, &CopyError{To: to, Reason: err.Error()}
	}
	p := newPlacer(below)
	path, err := p.leaf(clean)
	if err != nil {
		return Placement{}, err
	}
	parents := slices.SortedFunc(maps.Values(p.parents), func(a, b Entry) int { return comparePaths(a.Path, b.Path) })
	return Placement{Path: path, Parents: parents}, nil
}

// placer places many paths on one root, and remembers the directories that
// they have in common.
type placer struct {
	below   Below
	parents map[string]Entry  // by resolved path
	dirs    map[string]string // directory as asked for → resolved
}

func newPlacer(below Below) *placer {
	return &placer{below: below, parents: make(map[string]Entry), dirs: map[string]string{"": ""}}
}

// dir resolves a directory and takes it, and all above it, as parents.
func (p *placer) dir(path string) (string, error) {
	if to, ok := p.dirs[path]; ok {
		return to, nil
	}
	r := resolver{below: p.below}
	to, err := r.resolve(path)
	if err != nil {
		return "", &CopyError{To: "/" + path, Reason: err.Error()}
	}
	if e, ok := p.below.Lookup(to); ok && e.Type != Dir {
		return "", &CopyError{To: "/" + path, Reason: fmt.Sprintf("%q is a %s, not a directory", "/"+to, e.Type.noun())}
	}
	for _, parent := range ancestors(to) {
		if _, ok := p.parents[parent]; !ok {
			p.parents[parent] = p.existing(parent)
		}
	}
	p.dirs[path] = to
	return to, nil
}

// existing is a directory as it is below, or a new one.
func (p *placer) existing(path string) Entry {
	if e, ok := p.below.Lookup(path); ok && e.Type == Dir {
		return e
	}
	return Entry{Path: path, Type: Dir, Mode: 0o755}
}

// leaf resolves the directory of a path and keeps its last name.
func (p *placer) leaf(path string) (string, error) {
	dir, name := splitPath(path)
	to, err := p.dir(dir)
	if err != nil {
		return "", err
	}
	return joinPath(to, name), nil
}

// file is leaf for something that is no directory: it replaces a file or a
// link to one, but an overlay would hide all of a directory behind it.
func (p *placer) file(path string) (string, error) {
	to, err := p.leaf(path)
	if err != nil {
		return "", err
	}
	e, ok := p.below.Lookup(to)
	if to == "" || ok && e.Type == Dir {
		return "", &CopyError{To: "/" + path, Reason: fmt.Sprintf("%q is a directory below; to put the file into it, end `to` with a slash", "/"+to)}
	}
	if ok && e.Type == Symlink && p.leadsToDir(to) {
		return "", &CopyError{To: "/" + path, Reason: fmt.Sprintf("%q is a link to a directory (%q) below; to put the file into it, end `to` with a slash", "/"+to, e.Link)}
	}
	return to, nil
}

func (p *placer) leadsToDir(path string) bool {
	r := resolver{below: p.below}
	to, err := r.resolve(path)
	if err != nil {
		return false
	}
	e, ok := p.below.Lookup(to)
	return ok && e.Type == Dir || !ok && !p.below.Complete()
}

// folder places a directory that brings its own metadata. One that exists,
// also behind a link, keeps what it has, and old is true.
func (p *placer) folder(path string) (to string, old bool, err error) {
	at, err := p.leaf(path)
	if err != nil {
		return "", false, err
	}
	e, ok := p.below.Lookup(at)
	if !ok && at != "" {
		return at, false, nil
	}
	if ok && e.Type != Dir && e.Type != Symlink {
		return "", false, &CopyError{To: "/" + path, Reason: fmt.Sprintf("a directory is to stand where a %s is below", e.Type.noun())}
	}
	to, err = p.dir(path)
	return to, true, err
}
