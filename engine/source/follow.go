package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// maxLinks is how many links one path may go through, as in Linux.
const maxLinks = 40

// target is a source that is, or goes through, a link.
type target struct {
	path    string   // as the source names it
	sources []int    // which sources do
	real    string   // where it is
	links   []string // the links on the way, by where they are
	kind    kind
	found   bool // real, links and kind are set
}

// resolve follows the links of a path inside the context, as chroot would: an
// absolute target starts at the context's folder. One that is not there is
// fs.ErrNotExist, one behind a link that leads astray a *LinkError.
func (s *selector) resolve(path string) (target, error) {
	t := target{path: path, kind: kindDir, found: true}
	var link, to string // the last link that was followed
	parts := components(path)
	for len(parts) > 0 {
		name := parts[0]
		parts = parts[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if t.real == "" {
				return t, &LinkError{Path: link, Target: to, Reason: "leaves the context"}
			}
			t.real, _ = split(t.real)
			continue
		}
		f, err := s.tree.lookAt(t.real, name)
		if errors.Is(err, fs.ErrNotExist) || isLink(err) {
			return t, missing(path, link, to)
		}
		if err != nil {
			return t, fmt.Errorf("looking at %s: %w", s.show(join(t.real, name)), err)
		}
		if f.meta.kind() != kindLink {
			t.real, t.kind = join(t.real, name), f.meta.kind()
			continue
		}
		target := f.link
		link, to = join(t.real, name), target
		if t.links = append(t.links, link); len(t.links) > maxLinks {
			return t, &LinkError{Path: t.links[0], Target: to, Reason: "is part of a loop"}
		}
		if strings.HasPrefix(target, "/") {
			t.real = ""
		}
		t.kind = kindDir
		parts = append(strings.Split(target, "/"), parts...)
	}
	return t, nil
}

func missing(path, link, to string) error {
	switch {
	case link == "":
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	case strings.HasPrefix(to, "/"):
		return &LinkError{Path: link, Target: to, Reason: "leaves the context, and there is no such path inside it"}
	default:
		return &LinkError{Path: link, Target: to, Reason: "leads to nothing"}
	}
}

// follow adds what a link leads to under the name that the source gives it.
// Neither a link on the way nor the target may be ignored: a link must not
// bring in what the lists keep out.
func (g *gathering) follow(ctx context.Context, t target) error {
	if !t.found {
		sources := t.sources
		var err error
		if t, err = g.s.resolve(t.path); err != nil {
			return err
		}
		t.sources = sources
	}
	for _, p := range append(append([]string(nil), t.links...), t.real) {
		if by := g.s.filter.strictReason(p); by != "" {
			g.ignore(t.sources, Ignored{Path: p, By: by})
			return nil
		}
	}
	st, err := g.s.filter.at(t.real)
	if err != nil {
		return err
	}
	if !st.included && !matchAny(g.s.filter.include, t.path) {
		g.ignore(t.sources, Ignored{Path: t.real, By: "include, which does not name it"})
		return nil
	}
	st.included, st.sourced, st.hits = true, true, nil
	switch t.kind {
	case kindDir:
		n, err := g.s.walk(ctx, t.real, st)
		if err != nil {
			return err
		}
		g.sel.Entries = append(g.sel.Entries, Entry{Path: t.path, Type: Dir})
		clearHits(n)
		g.flatten(n, t.path)
	case kindFile:
		dir, name := split(t.real)
		l, _, err := g.s.tree.read(dir) // which resolve did
		if err != nil {
			return err
		}
		g.sel.Entries = append(g.sel.Entries, l.entry(l.find(name), t.path))
	default:
		return &EntryError{Path: t.real, Reason: "is neither a file nor a folder"}
	}
	for _, i := range t.sources {
		g.addRoot(i, t.path, t.kind == kindDir)
	}
	return nil
}

// clearHits makes a followed folder one without sources of its own: links in
// it stay links, and no source names anything in it.
func clearHits(n *node) {
	for i := range n.items {
		n.items[i].hits = nil
		if c := n.items[i].child; c != nil {
			clearHits(c)
		}
	}
}

func (g *gathering) ignore(sources []int, ig Ignored) {
	if g.ignored == nil {
		g.ignored = map[int][]Ignored{}
	}
	for _, i := range sources {
		g.ignored[i] = append(g.ignored[i], ig)
	}
}

// at is the state of a path from the top.
func (f *filter) at(file string) (state, error) {
	m := f.dockerMatcher()
	st, at := f.top(), ""
	var err error
	for _, name := range components(file) {
		at = join(at, name)
		if st, err = f.enter(st, at, name, m); err != nil {
			return state{}, err
		}
	}
	return st, nil
}

// strictReason is reason without include: what a list takes away on purpose.
func (f *filter) strictReason(file string) string {
	by := f.reason(file)
	if strings.HasPrefix(by, "include") {
		return ""
	}
	return by
}
