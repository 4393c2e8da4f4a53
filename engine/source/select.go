package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// racy is how much older than the start of hashing a file's times must
	// be for its record to be kept: the coarsest clock of file systems is 2 s.
	racy = int64(2 * time.Second)

	maxDockerignore = 1 << 20
)

// selector is one selection in the making.
type selector struct {
	req    Request
	hash   bool
	filter *filter
	root   *folder
	index  *index
	start  int64 // when hashing began, by the file system's clock

	racy   int64 // nanoseconds, shorter in tests
	coarse int64 // nanoseconds that times are cut to, to act an old kernel in tests; 0 is none

	visited []*node
	hashed  atomic.Int64

	mu      sync.Mutex
	skipped []string
}

func newSelector(r Request, hash bool) *selector { return &selector{req: r, hash: hash, racy: racy} }

func (s *selector) run(ctx context.Context) (*Selection, error) {
	var err error
	if !filepath.IsAbs(s.req.Dir) {
		return nil, fmt.Errorf("selecting from %q: the folder must be absolute", s.req.Dir)
	}
	if s.filter, err = newFilter(s.req); err != nil {
		return nil, err
	}
	if s.root, err = openRoot(s.req.Dir); err != nil {
		return nil, fmt.Errorf("opening the context: %w", err)
	}
	defer s.root.close()
	if s.req.UseDockerignore {
		if err := s.readDockerignore(); err != nil {
			return nil, err
		}
	}
	s.openIndex()
	defer s.index.close()
	sel, err := s.gather(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.keepIndex(); err != nil {
		return nil, err
	}
	return sel, nil
}

func (s *selector) readDockerignore() error {
	t, err := s.resolve(".dockerignore")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := s.root.file(t.real)
	if err != nil {
		return fmt.Errorf("reading .dockerignore: %w", err)
	}
	defer f.Close()
	if m, err := statFile(f); err != nil || m.kind() != kindFile || m.size > maxDockerignore {
		return &EntryError{Path: ".dockerignore", Reason: "is not a file of at most 1 MB"}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxDockerignore))
	if err != nil {
		return fmt.Errorf("reading .dockerignore: %w", err)
	}
	return s.filter.setDockerignore(data)
}

// openIndex opens the index unless times cannot be relied upon, and reads the
// clock: the time of a file just made beside the index. Without a clock
// nothing is old enough to be kept.
func (s *selector) openIndex() {
	if s.req.StatIndex == "" {
		return
	}
	if !s.req.TrustTimes && untimely(s.req.Dir) {
		s.req.StatIndex = ""
		return
	}
	dir := filepath.Dir(s.req.StatIndex)
	if os.MkdirAll(dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(dir, filepath.Base(s.req.StatIndex)+".clock*")
	if err != nil {
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if m, err := statFile(f); err == nil {
		s.start = s.coarsened(m).mtime
	}
	s.index = openIndex(s.req.StatIndex)
}

// settled reports whether a file is old enough: a later change is certain to
// show in its times. A time in the future is not.
func (s *selector) settled(m meta) bool {
	m = s.coarsened(m)
	return m.mtime <= s.start-s.racy && m.ctime <= s.start-s.racy
}

func (s *selector) coarsened(m meta) meta {
	if s.coarse > 0 {
		m.mtime -= m.mtime % s.coarse
		m.ctime -= m.ctime % s.coarse
	}
	return m
}

// keepIndex writes the index if the walk knows better.
func (s *selector) keepIndex() error {
	if s.req.StatIndex == "" || !s.hash || !slices.ContainsFunc(s.visited, func(n *node) bool { return !n.same }) {
		return nil
	}
	if err := saveIndex(s.req.StatIndex, s.visited); err != nil {
		return fmt.Errorf("writing the stat index: %w", err)
	}
	return nil
}

// gather walks the context for the plain sources, and the targets of those
// that are links, and puts all together.
func (s *selector) gather(ctx context.Context) (*Selection, error) {
	g := &gathering{s: s, sel: &Selection{Dir: s.req.Dir}}
	if err := g.findLinks(); err != nil {
		return nil, err
	}
	if len(s.req.Sources) == 0 || len(g.followed) < len(s.filter.sources) {
		top := s.filter.top()
		n, err := s.walk(ctx, "", top)
		if err != nil {
			return nil, err
		}
		some := g.flatten(n, "", "")
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

// flatten appends what is selected of a folder's content, a folder in it
// before what is below, and says whether anything was. path is where the
// content is to be, real where it is.
func (g *gathering) flatten(n *node, path, real string) bool {
	some := false
	for i := range n.items {
		it := &n.items[i]
		e := it.Entry
		e.Path = join(path, it.name)
		if path != real {
			e.real = join(real, it.name)
		}
		if e.Type == Symlink && g.named(it.hits) {
			g.followed = append(g.followed, target{path: e.Path, sources: it.hits})
			continue
		}
		at := len(g.sel.Entries)
		g.sel.Entries = append(g.sel.Entries, e)
		below := it.child != nil && g.flatten(it.child, e.Path, join(real, it.name))
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
	sel.Hashed = int(g.s.hashed.Load())
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
