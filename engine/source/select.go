package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// selector is one selection in the making.
type selector struct {
	tree   *contents
	req    Request
	filter *filter

	mu      sync.Mutex
	skipped []string
}

// list finds what a request selects; equal rules are applied once.
func (t *contents) list(ctx context.Context, r Request) (*Selection, error) {
	rules := fmt.Sprintf("%q %q %q %t", r.Include, r.Exclude, r.Sources, r.UseDockerignore)
	if sel := t.found[rules]; sel != nil {
		return sel, nil
	}
	s, err := t.selector(r)
	if err != nil {
		return nil, err
	}
	sel, err := s.gather(ctx)
	if err != nil {
		return nil, err
	}
	t.found[rules] = sel
	return sel, nil
}

// selector reads the rules of a request.
func (t *contents) selector(r Request) (*selector, error) {
	if _, err := t.openRoot(); err != nil {
		return nil, err
	}
	s := &selector{tree: t, req: r}
	var err error
	if s.filter, err = newFilter(r); err != nil {
		return nil, err
	}
	if r.UseDockerignore {
		patterns, err := s.dockerignore()
		if err != nil {
			return nil, err
		}
		s.filter.setDockerignore(patterns)
	}
	return s, nil
}

// gather walks the context for the plain sources, and the targets of those
// that are links, and puts all together.
func (s *selector) gather(ctx context.Context) (*Selection, error) {
	g := &gathering{s: s, sel: &Selection{Dir: s.tree.dir}}
	if err := g.findLinks(); err != nil {
		return nil, err
	}
	if len(s.req.Sources) == 0 || len(g.followed) < len(s.filter.sources) {
		top := s.filter.top()
		n, err := s.walk(ctx, "", top)
		if err != nil {
			return nil, err
		}
		g.sel.Entries = make([]Entry, 0, n.count())
		some := g.flatten(n, "")
		for _, i := range top.hits {
			if some {
				g.addRoot(i, "", true)
			}
		}
	}
	for i := 0; i < len(g.followed); i++ { // a followed folder adds none: its links stay
		if err := g.follow(ctx, g.followed[i]); err != nil {
			return nil, err
		}
	}
	return g.finish()
}

// gathering collects entries and what each source named.
type gathering struct {
	s        *selector
	sel      *Selection
	followed []target
	sources  []int             // the source of each root
	ignored  map[int][]Ignored // by source: links that lead to something ignored
}

func (g *gathering) addRoot(source int, path string, dir bool) {
	g.sel.Roots = append(g.sel.Roots, Root{Source: g.s.filter.sources[source].text, Path: path, Dir: dir})
	g.sources = append(g.sources, source)
}

// findLinks takes literal sources that go through a link out of the walk.
func (g *gathering) findLinks() error {
	for i, p := range g.s.filter.sources {
		if !p.literal || len(p.segments) == 0 {
			continue
		}
		t, err := g.s.resolve(p.path())
		if errors.Is(err, fs.ErrNotExist) {
			continue // reported with all that match nothing
		}
		if err != nil {
			return err
		}
		if t.real != t.path {
			t.sources = []int{i}
			g.followed = append(g.followed, t)
			g.s.filter.sources[i].off = true
		}
	}
	return nil
}

// count is how many entries a folder's content comes to at most.
func (n *node) count() int {
	sum := len(n.items)
	for i := range n.items {
		if c := n.items[i].child; c != nil {
			sum += c.count()
		}
	}
	return sum
}

// flatten appends what is selected of a folder's content, a folder in it
// before what is below, and says whether anything was. path is where the
// content is to be.
func (g *gathering) flatten(n *node, path string) bool {
	some := false
	for i := range n.items {
		it := &n.items[i]
		e := n.list.entry(it.at, join(path, n.list.files[it.at].name))
		if e.Type == Symlink && g.named(it.hits) {
			g.followed = append(g.followed, target{path: e.Path, sources: it.hits})
			continue
		}
		at := len(g.sel.Entries)
		g.sel.Entries = append(g.sel.Entries, e)
		below := it.child != nil && g.flatten(it.child, e.Path)
		if !it.taken && !below {
			g.sel.Entries = g.sel.Entries[:at]
			continue
		}
		some = true
		for _, h := range it.hits {
			g.addRoot(h, e.Path, e.Type == Dir)
		}
	}
	return some
}

// entry is a name of a folder as a selection has it, under a path of its own.
func (l *listing) entry(i int, path string) Entry {
	f := &l.files[i]
	e := Entry{Path: path, Link: f.link, ModTime: time.Unix(0, f.meta.mtime), list: l, at: i}
	switch f.meta.kind() {
	case kindDir:
		e.Type = Dir
	case kindLink:
		e.Type = Symlink
	default:
		e.Type, e.Exec, e.Size = File, f.meta.exec(), f.meta.size
	}
	return e
}

// named reports whether a source names a link itself, rather than finding it
// below a folder by `**`.
func (g *gathering) named(hits []int) bool {
	for _, h := range hits {
		if !g.s.filter.sources[h].deep {
			return true
		}
	}
	return false
}

// finish sorts, closes under parents, and reports sources without a match.
func (g *gathering) finish() (*Selection, error) {
	sel := g.sel
	if len(g.followed) > 0 { // else the walk's own order is right
		sel.Entries = closeParents(sel.Entries)
	}
	g.sortRoots()
	if err := g.unmatched(); err != nil {
		return nil, err
	}
	if len(g.s.req.Sources) == 0 {
		sel.Roots = []Root{{Source: ".", Dir: true}}
	}
	for p := range g.s.filter.literal {
		if e, ok := sel.find(p); ok && e.Type != Dir && builtinOnPath(p) {
			sel.Literal = append(sel.Literal, p)
		}
	}
	slices.Sort(sel.Literal)
	sel.Skipped = g.s.skipped
	slices.Sort(sel.Skipped)
	for _, p := range g.s.filter.include {
		if !slices.ContainsFunc(sel.Entries, func(e Entry) bool { return p.match(e.Path) || len(p.segments) == 0 }) {
			sel.UnusedInclude = append(sel.UnusedInclude, p.text)
		}
	}
	return sel, nil
}

func builtinOnPath(p string) bool {
	return slices.ContainsFunc(components(p), func(name string) bool { _, is := builtin(name); return is })
}

// sortRoots orders by source, then path.
func (g *gathering) sortRoots() {
	order := make([]int, len(g.sources))
	for i := range order {
		order[i] = i
	}
	roots := g.sel.Roots
	slices.SortStableFunc(order, func(a, b int) int {
		if g.sources[a] != g.sources[b] {
			return g.sources[a] - g.sources[b]
		}
		return comparePaths(roots[a].Path, roots[b].Path)
	})
	sorted := make([]Root, len(roots))
	for i, j := range order {
		sorted[i] = roots[j]
	}
	g.sel.Roots = sorted
}

// closeParents sorts entries, drops what two sources found, and adds the
// folders above those that were found through a link.
func closeParents(list []Entry) []Entry {
	have := map[string]int{}
	for i, e := range list {
		have[e.Path] = i
	}
	for i := range list {
		for up, _ := split(list[i].Path); up != ""; up, _ = split(up) {
			j, ok := have[up]
			if ok && list[j].Type == Dir {
				break
			}
			parent := Entry{Path: up, Type: Dir, ModTime: list[i].ModTime}
			if ok { // a link that another source found: it is followed here
				list[j] = parent
				continue
			}
			have[up] = len(list)
			list = append(list, parent)
		}
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return comparePaths(a.Path, b.Path) })
	return slices.CompactFunc(list, func(a, b Entry) bool { return a.Path == b.Path })
}
