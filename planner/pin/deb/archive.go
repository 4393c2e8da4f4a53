// Package deb turns requests for Debian packages into closures: it fetches
// and verifies an archive's indexes, and resolves dependencies as apt does.
//
// A mirror is trusted for bytes only: InRelease is signed by a known key, it
// names the digests of the indexes, and these the digests of the packages.
package deb

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/specbuild/specbuild/engine/fetch"
)

// Archive is a package archive as a spec states it.
type Archive struct {
	Suite      string   // of Debian, with its updates and security; empty with Sources alone
	Components []string // of Suite; main if empty
	Snapshot   string   // "20260912T075541Z" of snapshot.debian.org; empty for the present
	Sources    []Source // other archives
}

// Source is an archive other than Debian's.
type Source struct {
	URL        string
	Suites     []string
	Components []string // main if empty
	SignedBy   []byte   // keys, armoured or binary; Debian's if empty
}

// Options are the settings of a [Resolver].
type Options struct {
	Mirrors Mirrors          // see MachineMirrors
	Cache   string           // a folder for releases and trimmed indexes; none are kept if empty
	Client  *fetch.Client    // a new one if nil
	Now     func() time.Time // time.Now if nil
}

// Resolver resolves queries. It is safe for use by several goroutines. What
// it learnt of an archive holds for its lifetime, failures too, so that all
// closures of one lock are chosen from one state of the archive and a server
// that does not answer is waited for once.
type Resolver struct {
	opt      Options
	releases memo[signed]
	tables   memo[*table]
	indexes  memo[loaded]
}

// NewResolver returns a resolver.
func NewResolver(opt Options) *Resolver {
	if opt.Client == nil {
		opt.Client = fetch.New(fetch.Options{})
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Resolver{opt: opt}
}

// Query is a request to an archive for one architecture.
type Query struct {
	Archive Archive
	Arch    string // Debian's word, "amd64"
	Request
}

// Closure is what a query brings.
type Closure struct {
	Releases []Release // that it was resolved against, in the archive's order
	Packages []Package // sorted by name
}

// Resolve fetches what it needs of the archive and solves the request. Errors
// are a *fetch.Error where no mirror answered, ErrSignature for what cannot
// be trusted, an *UnknownSuite or *MissingIndex for what the archive does not
// have, and those of [Index.Solve].
func (r *Resolver) Resolve(ctx context.Context, q Query) (Closure, error) {
	index, releases, err := r.Load(ctx, q.Archive, q.Arch)
	if err != nil {
		return Closure{}, err
	}
	packages, err := index.Solve(q.Request)
	return Closure{releases, packages}, err
}

// suite is one suite of one archive.
type suite struct {
	source     string
	bases      []string
	name       string
	components []string
	keys       []byte
	stale      bool // a snapshot's Valid-Until is over by intent
}

// Bases are the URLs below which the paths of a source's packages lie, tried
// in order. source is a Package.Source.
func (m Mirrors) Bases(source, snapshot string) []string {
	switch {
	case source != sourceDebian && source != sourceSecurity:
		return []string{strings.TrimRight(source, "/")}
	case snapshot != "":
		return []string{"https://snapshot.debian.org/archive/" + source + "/" + snapshot}
	case source == sourceDebian:
		return m.Debian
	}
	return m.Security
}

func (r *Resolver) suites(a Archive) []suite {
	var out []suite
	add := func(source, name string, components []string, keys []byte) {
		if len(components) == 0 {
			components = []string{"main"}
		}
		if len(keys) == 0 {
			keys = debianKeys
		}
		bases := r.opt.Mirrors.Bases(source, a.Snapshot)
		out = append(out, suite{source, bases, name, components, keys, a.Snapshot != ""})
	}
	if a.Suite != "" {
		add(sourceDebian, a.Suite, a.Components, nil)
		if a.Suite != "sid" && a.Suite != "unstable" && a.Suite != "experimental" {
			add(sourceDebian, a.Suite+"-updates", a.Components, nil)
			add(sourceSecurity, a.Suite+"-security", a.Components, nil)
		}
	}
	for _, s := range a.Sources {
		for _, name := range s.Suites {
			add(strings.TrimRight(s.URL, "/"), name, s.Components, s.SignedBy)
		}
	}
	return out
}

// loaded is an archive for one architecture.
type loaded struct {
	index    *Index
	releases []Release
}

// Load fetches, verifies and reads the indexes of an archive: its suites at
// the same time, and what one machine's cache knows not at all.
func (r *Resolver) Load(ctx context.Context, a Archive, arch string) (*Index, []Release, error) {
	suites := r.suites(a)
	key := arch
	for _, s := range suites {
		key += "\x00" + s.key() + "\x00" + strings.Join(s.components, " ")
	}
	l, err := r.indexes.do(ctx, key, func() (loaded, error) { return r.load(ctx, suites, arch) })
	return l.index, l.releases, err
}

func (r *Resolver) load(ctx context.Context, suites []suite, arch string) (loaded, error) {
	type part struct {
		release Release
		shelves []shelf
		err     error
	}
	parts := make([]part, len(suites))
	var wg sync.WaitGroup
	for i, s := range suites {
		wg.Go(func() {
			p := &parts[i]
			p.release, p.shelves, p.err = r.loadSuite(ctx, s, arch)
		})
	}
	wg.Wait()
	var out loaded
	var shelves []shelf
	for i, p := range parts {
		if p.err != nil { // that of the first suite, whichever ended first
			return loaded{}, fmt.Errorf("archive %s, suite %s: %w", suites[i].source, suites[i].name, p.err)
		}
		out.releases, shelves = append(out.releases, p.release), append(shelves, p.shelves...)
	}
	out.index = newIndex(arch, shelves)
	return out, nil
}

// memo does a thing once for each key, also when several want it at once.
type memo[T any] struct {
	mu    sync.Mutex
	cells map[string]*cell[T]
}

type cell[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (m *memo[T]) do(ctx context.Context, key string, f func() (T, error)) (T, error) {
	m.mu.Lock()
	if m.cells == nil {
		m.cells = map[string]*cell[T]{}
	}
	c := m.cells[key]
	if c == nil {
		c = &cell[T]{}
		m.cells[key] = c
	}
	m.mu.Unlock()
	c.once.Do(func() { c.value, c.err = f() })
	// Not errors.Is: net's time-outs say that they are context's, and a server
	// that does not answer must not be waited for again.
	if c.err != nil && ctx.Err() != nil {
		m.mu.Lock() // the error says nothing of the archive
		if m.cells[key] == c {
			delete(m.cells, key)
		}
		m.mu.Unlock()
	}
	return c.value, c.err
}
