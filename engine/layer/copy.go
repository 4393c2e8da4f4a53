package layer

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Copy maps files of one tree to the items of a layer on another: what the
// sources select, renamed by the language's rules, with the owner and mode
// asked for, placed on what is below, with an entry for every parent. open
// gives the content of a file of src; it is not called before the items are
// written, but for archives. Mistakes of the spec are a [*CopyError].
//
// A folder keeps the metadata that it has below; one that is new gets that
// of the folder it is a copy of, and 0755 0:0 if it is only on the way.
func Copy(req CopyRequest, src *Tree, open func(path string) (io.ReadCloser, error), below Below) ([]Item, error) {
	files, err := req.selectFiles(src, open)
	if err != nil {
		return nil, err
	}
	b := newBuilder(below)
	for i := range files {
		s := &files[i]
		if err := req.normalise(s); err != nil {
			return nil, err
		}
		if err := b.add(s, false); err != nil {
			return nil, req.blame(s, err)
		}
	}
	return b.items()
}

// Select gives the entries that a copy would take, by their paths in the
// source, with owner, mode and links as the request wants them and in the
// order of the destination: the leaf of the copy's DefID, for which nothing
// below needs to be known. Lines of [Entry.String] and the request itself
// are all that it depends on. For archives it is the archives themselves.
func Select(req CopyRequest, src *Tree) ([]Entry, error) {
	if req.Unpack {
		args, err := req.arguments(src)
		if err != nil {
			return nil, err
		}
		out := make([]Entry, len(args))
		for i := range args {
			out[i] = args[i].entry
		}
		return out, nil
	}
	files, err := req.selectFiles(src, nil)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, len(files))
	first := make(map[string]string)
	for i := range files {
		if err := req.normalise(&files[i]); err != nil {
			return nil, err
		}
		out[i] = files[i].Entry
		if g := files[i].group; g == "" {
			continue
		} else if name, ok := first[g]; ok {
			e := out[i]
			out[i] = Entry{Path: e.Path, Type: Hardlink, Mode: e.Mode, UID: e.UID, GID: e.GID, Link: name}
		} else {
			first[g] = out[i].Path
		}
	}
	return out, nil
}

// blame adds the source to an error of placement.
func (r *CopyRequest) blame(s *selected, err error) error {
	var place *CopyError
	if errors.As(err, &place) {
		return &CopyError{Source: "/" + s.Path, To: place.To, Reason: place.Reason}
	}
	return err
}

// normalise gives an entry the owner and mode that it is to have.
func (r *CopyRequest) normalise(s *selected) error {
	if s.Type == Char || s.Type == Block {
		return r.fail("/"+s.Path, "this is a device, and a layer holds none: exclude it; the runtime makes those in /dev")
	}
	if r.Context && !r.Unpack {
		if s.Type == Fifo {
			return r.fail("/"+s.Path, "this is a named pipe, which a context cannot hold: exclude it")
		}
		s.UID, s.GID, s.Xattrs, s.group = 0, 0, nil, ""
		if s.Mode = 0o644 | s.Mode&0o100/0o100*0o111; s.Type == Dir {
			s.Mode = 0o755
		}
	}
	if r.Owner != nil {
		s.UID, s.GID = r.Owner.UID, r.Owner.GID
		if s.Type != Dir { // as chown(2) does
			s.Mode &^= 0o6000
		}
		if _, ok := s.Xattrs["security.capability"]; ok {
			s.Xattrs = maps.Clone(s.Xattrs)
			delete(s.Xattrs, "security.capability")
		}
	}
	if r.Mode != nil {
		if s.Mode = *r.Mode; s.Type == Dir {
			s.Mode |= s.Mode & 0o444 >> 2
		}
	}
	if s.Type == Symlink {
		s.Mode = 0o777
	}
	return nil
}

// builder puts entries together to a layer on a root.
type builder struct {
	place  *placer
	placed map[string]*placed
	groups map[string][]string // hard links: group → destinations
}

type placed struct {
	item   Item
	source string
}

func newBuilder(below Below) *builder {
	return &builder{place: newPlacer(below), placed: make(map[string]*placed), groups: make(map[string][]string)}
}

// add places one entry. override gives a directory that exists below the
// entry's metadata, as a `directory` step asks; a copy only merges.
func (b *builder) add(s *selected, override bool) error {
	if err := checkNames(s.to); err != nil {
		return &CopyError{To: "/" + s.to, Reason: err.Error()}
	}
	item := Item{Entry: s.Entry, Open: s.open}
	if s.Type == Dir {
		return b.folder(s, item, override)
	}
	to, err := b.place.file(s.to)
	if err != nil {
		return err
	}
	if s.Type == Hardlink {
		item.Type, item.Link = File, ""
	}
	// Two names may meet only here, behind links of what is below.
	if old, ok := b.placed[to]; ok {
		return &CopyError{To: "/" + to, Reason: fmt.Sprintf("two sources end up here, this one and %q; rename one, or give each a copy of its own", old.source)}
	}
	item.Path = to
	if s.group != "" {
		b.groups[s.group] = append(b.groups[s.group], to)
	}
	b.placed[to] = &placed{item, "/" + s.Path}
	return nil
}

func (b *builder) folder(s *selected, item Item, override bool) error {
	to, old, err := b.place.folder(s.to)
	if err != nil {
		return err
	}
	if at, ok := b.placed[to]; ok {
		if at.item.Type != Dir {
			return &CopyError{To: "/" + to, Reason: fmt.Sprintf("a folder and a %s (%q) end up here; give each a copy of its own", at.item.Type.noun(), at.source)}
		}
		return nil // folders merge
	}
	if to == "" {
		return nil // the root is always there
	}
	item.Path = to
	// What is below stays, whatever the source says: /tmp keeps its sticky
	// bit when a folder is copied there.
	if old && !override {
		item.Entry = b.place.existing(to)
	}
	b.placed[to] = &placed{item, "/" + s.Path}
	return nil
}

// items gives the layer: what was placed, and the parents.
func (b *builder) items() ([]Item, error) {
	out := make([]Item, 0, len(b.placed)+len(b.place.parents))
	for path, p := range b.placed {
		if err := b.checkParents(path, p); err != nil {
			return nil, err
		}
		out = append(out, p.item)
	}
	for path, e := range b.place.parents {
		if _, ok := b.placed[path]; !ok {
			out = append(out, Item{Entry: e})
		}
	}
	// Maps gave any order; the result, and the key made of it, has one.
	slices.SortFunc(out, func(a, b Item) int { return comparePaths(a.Path, b.Path) })
	b.link(out)
	return out, nil
}

// checkParents refuses something below what this very step makes a file or
// a link.
func (b *builder) checkParents(path string, p *placed) error {
	for dir, _ := splitPath(path); dir != ""; dir, _ = splitPath(dir) {
		if at, ok := b.placed[dir]; ok && at.item.Type != Dir {
			return &CopyError{
				Source: p.source, To: "/" + path,
				Reason: fmt.Sprintf("the same step puts a %s (%q) at %q, where a directory is needed", at.item.Type.noun(), at.source, "/"+dir),
			}
		}
	}
	return nil
}

// link makes all but the first of each group hard links.
func (b *builder) link(items []Item) {
	first := make(map[string]string)
	for _, paths := range b.groups {
		slices.SortFunc(paths, comparePaths)
		for _, path := range paths[1:] {
			first[path] = paths[0]
		}
	}
	for i := range items {
		if to, ok := first[items[i].Path]; ok {
			e := items[i].Entry
			items[i] = Item{Entry: Entry{Path: e.Path, Type: Hardlink, Mode: e.Mode, UID: e.UID, GID: e.GID, Link: to}}
		}
	}
}

// Files places files, directories and symlinks that a spec states, with
// their parents. Directories get the metadata stated here also where they
// exist below; a path twice, and mistakes like those of a copy, are a
// [*CopyError].
func Files(below Below, items []Item) ([]Item, error) {
	b := newBuilder(below)
	for i := range items {
		e := items[i].Entry
		to, err := cleanPath(e.Path)
		if err != nil {
			return nil, &CopyError{To: e.Path, Reason: err.Error()}
		}
		if e.Type == Symlink {
			e.Mode = 0o777
		}
		if _, ok := b.placed[to]; ok {
			return nil, &CopyError{To: "/" + to, Reason: "two steps of this stage state it; keep one"}
		}
		s := &selected{Entry: e, to: to, open: items[i].Open}
		s.Path = strings.TrimPrefix(e.Path, "/")
		if err := b.add(s, true); err != nil {
			return nil, err
		}
	}
	return b.items()
}
