package deb

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/specbuild/specbuild/engine/deb/version"
)

// Package is a package of an archive: what the lock keeps of it, and the
// relations that resolving needs, as written in the index.
type Package struct {
	Name, Version, Arch string
	Source              string // "debian", "debian-security" or an archive's URL
	Path                string // below the archive's root
	Size                int64  // of the .deb, bytes
	SHA256              string // hexadecimal
	InstalledSize       int64  // KiB, as the archive states it

	Priority, MultiArch                                          string
	Essential                                                    bool
	PreDepends, Depends, Recommends, Conflicts, Breaks, Provides string
}

// Index is all packages of an archive for one architecture. It may be used
// by several goroutines. Stanzas are read when they are looked at: a closure
// touches some hundred of an archive's 70,000.
type Index struct {
	arch    string
	shelves []shelf

	mu       sync.Mutex // guards the rest
	read     map[place]*Package
	versions map[string][]*Package // by name, best first
	provides map[string][]provider
	fault    error // of a table; what was solved since is void
}

// shelf is one component of one suite.
type shelf struct {
	table  *table
	source string // of its packages
}

// place is a stanza of a shelf.
type place struct{ shelf, stanza int }

type provider struct {
	pkg     *Package
	version string // empty for an unversioned Provides
}

// newIndex joins the components of an archive. Of equal versions that of the
// first shelf stays first.
func newIndex(arch string, shelves []shelf) *Index {
	return &Index{
		arch: arch, shelves: shelves,
		read: map[place]*Package{}, versions: map[string][]*Package{}, provides: map[string][]provider{},
	}
}

// named are the versions of a package, best first.
func (x *Index) named(name string) []*Package {
	x.mu.Lock()
	defer x.mu.Unlock()
	list, ok := x.versions[name]
	if ok {
		return list
	}
	for i, s := range x.shelves {
		from, to := s.table.find(name)
		for n := from; n < to; n++ {
			if p := x.at(place{i, n}); p != nil {
				list = append(list, p)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *Package) int { return version.Compare(b.Version, a.Version) })
	x.versions[name] = list
	return list
}

// at reads a stanza once, so that a package is one pointer; nil is one of
// another architecture. The caller holds mu.
func (x *Index) at(at place) *Package {
	if p, ok := x.read[at]; ok {
		return p
	}
	s := x.shelves[at.shelf]
	r, err := s.table.stanza(at.stanza)
	if err != nil {
		x.fault = cmp.Or(x.fault, err)
		return nil
	}
	p := r.pkg(s.source)
	if p.Arch != x.arch && p.Arch != "all" {
		p = nil
	}
	x.read[at] = p
	return p
}

// providers are who provides a name, in the order of preference.
func (x *Index) providers(name string) []provider {
	x.mu.Lock()
	defer x.mu.Unlock()
	list, ok := x.provides[name]
	if ok {
		return list
	}
	for i, s := range x.shelves {
		for _, n := range s.table.providers(name) {
			p := x.at(place{i, n})
			if p == nil {
				continue
			}
			for _, r := range slices.Concat(parseRelations(p.Provides)...) {
				if r.name == name {
					list = append(list, provider{p, r.version})
				}
			}
		}
	}
	// Not file order: a mirror's way of listing must decide nothing.
	slices.SortStableFunc(list, func(a, b provider) int {
		return cmp.Or(boolFirst(a.pkg.Essential, b.pkg.Essential), cmp.Compare(rank(a.pkg.Priority), rank(b.pkg.Priority)),
			cmp.Compare(a.pkg.Name, b.pkg.Name), version.Compare(b.pkg.Version, a.pkg.Version))
	})
	x.provides[name] = list
	return list
}

// names are all names of packages, sorted.
func (x *Index) names() []string {
	var out []string
	for _, s := range x.shelves {
		out = append(out, s.table.names.all()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// relied are the names of packages some version of which maintainer scripts
// rely on without saying so, sorted.
func (x *Index) relied() []string {
	var out []string
	for _, s := range x.shelves {
		for _, n := range s.table.relied {
			out = append(out, s.table.names.at(n))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// broken is what went wrong while stanzas were read.
func (x *Index) broken() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.fault
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func rank(priority string) int {
	i := slices.Index([]string{"required", "important", "standard", "optional", "extra"}, priority)
	if i < 0 {
		return 5
	}
	return i
}

// relation is one alternative of a dependency: "name:arch (op version)".
type relation struct{ name, arch, op, version string }

// String is the relation as deb822 writes it.
func (r relation) String() string {
	s := r.name
	if r.arch != "" {
		s += ":" + r.arch
	}
	if r.op != "" {
		s += " (" + r.op + " " + r.version + ")"
	}
	return s
}

// parseRelations reads "a | b (>= 1), c": groups, each of alternatives.
func parseRelations(s string) [][]relation {
	if s == "" {
		return nil
	}
	var out [][]relation
	for group := range strings.SplitSeq(s, ",") {
		var alts []relation
		for alt := range strings.SplitSeq(group, "|") {
			name, rest, _ := strings.Cut(strings.TrimSpace(alt), "(")
			var r relation
			r.name, r.arch, _ = strings.Cut(strings.TrimSpace(name), ":")
			cond := strings.TrimSpace(strings.TrimRight(strings.TrimSpace(rest), ")"))
			r.version = strings.TrimLeft(cond, "<>= ")
			r.op = strings.TrimSpace(cond[:len(cond)-len(r.version)])
			if r.name != "" {
				alts = append(alts, r)
			}
		}
		if len(alts) > 0 {
			out = append(out, alts)
		}
	}
	return out
}

// allows reports whether a version meets the relation's.
func (r relation) allows(has string) bool {
	if r.op == "" {
		return true
	}
	// An unversioned Provides meets no versioned relation.
	return has != "" && version.Satisfies(has, r.op, r.version)
}
