package deb

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Installed is a package that lies below: it stays, in its version.
type Installed struct{ Name, Version string }

// Request is what a packages step asks for.
type Request struct {
	Install    []string          // "name", "name=version" or "name:arch"
	Recommends bool              // Recommends too, where they can be met
	Configure  bool              // also Essential, Priority required and apt, which maintainer scripts rely on
	Installed  []Installed       // of steps below
	Prefer     map[string]string // versions to keep by name, where the archive still has them and they fit
}

// UnknownPackage is a name that the archive neither has nor provides.
type UnknownPackage struct {
	Name, Arch string
	Names      []string // all names of the archive, sorted, for a suggestion
}

// Error names the package.
func (e *UnknownPackage) Error() string {
	return fmt.Sprintf("package %q is not in the archive for %s", e.Name, e.Arch)
}

// UnknownVersion is a pin on a version that is not there.
type UnknownVersion struct {
	Name, Version string
	Available     []string // best first
}

// Error names what there is instead.
func (e *UnknownVersion) Error() string {
	return fmt.Sprintf("package %s has no version %s; available: %s", e.Name, e.Version, strings.Join(e.Available, ", "))
}

// Ambiguous is a virtual package that several packages provide.
type Ambiguous struct {
	Name      string
	Providers []string
}

// Error lists the providers.
func (e *Ambiguous) Error() string {
	return fmt.Sprintf("%s is a virtual package provided by %s: name one of them", e.Name, strings.Join(e.Providers, ", "))
}

// Conflict says why a request has no closure.
type Conflict struct {
	Chain  []string // from what was asked for to what cannot be, each needing the next
	Reason string   // "conflicts with d (<< 2), wanted by e", or what is missing

	names []string // of packages whose other versions might fit
}

// Error is the chain and its end.
func (e *Conflict) Error() string {
	return strings.Join(e.Chain, " needs ") + ": " + e.Reason
}

// Solve finds the packages that a request adds, sorted by name. The order of
// choices is local first, and global where that ends in a contradiction
// (smaller changes in an archive then change fewer closures). A version that
// is preferred gives way where it stands against the request, and only it.
// The result is a function of the index and the request alone.
func (x *Index) Solve(req Request) ([]Package, error) {
	req.Prefer = maps.Clone(req.Prefer)
	for {
		out, err := x.solveTwice(req)
		if fault := x.broken(); fault != nil {
			return nil, fault
		}
		var conflict *Conflict
		if !errors.As(err, &conflict) || len(req.Prefer) == 0 {
			return out, err
		}
		before := len(req.Prefer)
		for _, name := range conflict.names {
			delete(req.Prefer, name)
		}
		if len(req.Prefer) == before {
			req.Prefer = nil // the cause lies further back
		}
	}
}

func (x *Index) solveTwice(req Request) ([]Package, error) {
	out, err := x.solve(req, false)
	var conflict *Conflict
	if errors.As(err, &conflict) {
		if wider, werr := x.solve(req, true); werr == nil {
			return wider, nil
		}
	}
	return out, err
}

func (x *Index) solve(req Request, global bool) ([]Package, error) {
	s := &solver{Index: x, global: global, pick: map[string]*Package{}, chosen: map[string]*Package{}, why: map[string]string{}, against: map[string][]negation{}}
	below := map[string]bool{}
	for name, version := range req.Prefer {
		if p := x.find(name, version); p != nil {
			s.pick[name] = p
		}
	}
	for _, in := range req.Installed {
		p := x.find(in.Name, in.Version)
		if p == nil {
			// The archive has moved on; the package stays what it is.
			p = &Package{Name: in.Name, Version: in.Version, Arch: x.arch}
		}
		s.pick[in.Name], below[in.Name] = p, true
		s.mark(p, "")
	}
	groups, err := s.wanted(req)
	if err != nil {
		return nil, err
	}
	if err := s.meet("", groups); err != nil {
		return nil, err
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	if req.Recommends {
		s.recommend()
	}
	var out []Package
	for _, name := range slices.Sorted(maps.Keys(s.chosen)) {
		if !below[name] {
			out = append(out, *s.chosen[name])
		}
	}
	return out, nil
}

func (x *Index) find(name, version string) *Package {
	for _, p := range x.named(name) {
		if p.Version == version {
			return p
		}
	}
	return nil
}

// wanted turns the request into groups of relations, and fixes pinned
// versions before anything is chosen.
func (s *solver) wanted(req Request) ([][]relation, error) {
	var groups [][]relation
	for _, item := range req.Install {
		name, version, pinned := strings.Cut(item, "=")
		name, arch, _ := strings.Cut(name, ":")
		if arch != "" && arch != s.arch && arch != "any" && arch != "native" && arch != "all" {
			return nil, &UnknownPackage{Name: item, Arch: s.arch, Names: s.names()}
		}
		list := s.named(name)
		if pinned {
			p := s.find(name, version)
			if p == nil && len(list) > 0 {
				return nil, &UnknownVersion{name, version, versionsOf(list)}
			}
			if p != nil {
				if in := s.chosen[name]; in != nil && in != p {
					return nil, &Conflict{Chain: []string{item}, Reason: fmt.Sprintf("version %s is installed below", in.Version)}
				}
				s.pick[name] = p
			}
		}
		if len(list) == 0 && s.chosen[name] == nil {
			var err error
			if name, err = s.virtual(name); err != nil {
				return nil, err
			}
		}
		groups = append(groups, []relation{{name: name}})
	}
	if req.Configure {
		for _, name := range s.relied() {
			if p := s.best(name); p != nil && (p.Essential || p.Priority == "required" || name == "apt") {
				groups = append(groups, []relation{{name: name}})
			}
		}
	}
	return groups, nil
}

// virtual is the one package that provides a name.
func (s *solver) virtual(name string) (string, error) {
	var names []string
	for _, c := range s.candidates([]relation{{name: name}}) {
		names = append(names, c.Name)
	}
	switch len(names) {
	case 0:
		return "", &UnknownPackage{Name: name, Arch: s.arch, Names: s.names()}
	case 1:
		return names[0], nil
	}
	slices.Sort(names)
	return "", &Ambiguous{name, names}
}

func versionsOf(list []*Package) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Version)
	}
	return slices.Compact(out)
}

// solver is one attempt. chosen only grows, but for recommendations that
// turn out to be impossible.
type solver struct {
	*Index
	global  bool
	pick    map[string]*Package // versions that are not the best, by name
	chosen  map[string]*Package
	why     map[string]string // by name: who needed it first; "" for the request
	against map[string][]negation
	waiting []wait // global order: groups with a choice
}

type negation struct {
	by  *Package
	rel relation
}

type wait struct {
	by    string
	group []relation
}

// best is the version of a name that may be chosen.
func (s *solver) best(name string) *Package {
	if p := s.pick[name]; p != nil {
		return p
	}
	if list := s.named(name); len(list) > 0 {
		return list[0]
	}
	return nil
}

// candidates are the packages that meet a group, in order of preference.
func (s *solver) candidates(group []relation) []*Package {
	var out []*Package
	add := func(p *Package) {
		if slices.Contains(out, p) {
			return
		}
		if p.Name == "usr-is-merged" {
			// Trees are always merged here; the alternative converts one by a script.
			out = slices.Insert(out, 0, p)
			return
		}
		out = append(out, p)
	}
	for _, r := range group {
		if p := s.best(r.name); p != nil && r.allows(p.Version) && s.archMet(r, p) {
			add(p)
		}
		for _, v := range s.providers(r.name) {
			if v.pkg.Name != r.name && s.best(v.pkg.Name) == v.pkg && r.allows(v.version) && s.archMet(r, v.pkg) {
				add(v.pkg)
			}
		}
	}
	return out
}

// archMet: an image has one architecture, so a foreign one cannot be met, and
// ":native" is its own. ":any" is met by packages that allow it, as apt has it.
func (s *solver) archMet(r relation, p *Package) bool {
	switch r.arch {
	case "any":
		return p.MultiArch == "allowed"
	case "", "native", s.arch:
		return true
	default:
		return false
	}
}

// clash finds what of the chosen cannot stand beside p, in both directions.
func (s *solver) clash(p *Package) (with, reason string) {
	for _, r := range negative(p) {
		for _, q := range s.candidates([]relation{r}) {
			if q.Name != p.Name && s.chosen[q.Name] == q {
				return q.Name, fmt.Sprintf("%s conflicts with %s (it says %s), wanted by %s", p.Name, q.Name, r, s.wantedBy(q.Name))
			}
		}
	}
	hits := func(name, version string) (with, reason string) {
		for _, n := range s.against[name] {
			if n.by.Name != p.Name && n.rel.allows(version) {
				return n.by.Name, fmt.Sprintf("%s, wanted by %s, conflicts with %s (it says %s)", n.by.Name, s.wantedBy(n.by.Name), p.Name, n.rel)
			}
		}
		return "", ""
	}
	if with, r := hits(p.Name, p.Version); r != "" {
		return with, r
	}
	for _, g := range parseRelations(p.Provides) {
		if with, r := hits(g[0].name, g[0].version); r != "" {
			return with, r
		}
	}
	return "", ""
}

func negative(p *Package) []relation {
	return slices.Concat(slices.Concat(parseRelations(p.Conflicts)...), slices.Concat(parseRelations(p.Breaks)...))
}

func (s *solver) wantedBy(name string) string { return cmp.Or(s.why[name], "the request") }

func (s *solver) mark(p *Package, by string) {
	s.chosen[p.Name], s.why[p.Name] = p, by
	for _, r := range negative(p) {
		s.against[r.name] = append(s.against[r.name], negation{p, r})
	}
}

func (s *solver) met(group []relation) bool {
	return slices.ContainsFunc(s.candidates(group), func(p *Package) bool { return s.chosen[p.Name] == p })
}

// viable are the candidates that stand beside what is chosen; with none left
// the error says why.
func (s *solver) viable(by string, group []relation) ([]*Package, error) {
	all := s.candidates(group)
	reason := "it is not in the archive in a version that fits"
	var out []*Package
	var involved []string
	for _, p := range all {
		if with, r := s.clash(p); r != "" {
			reason = r
			involved = append(involved, p.Name, with)
		} else {
			out = append(out, p)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	var chain []string
	for at := by; at != ""; at = s.why[at] {
		chain = append(chain, at)
	}
	slices.Reverse(chain)
	var texts []string
	for _, r := range group {
		texts, involved = append(texts, r.String()), append(involved, r.name)
	}
	return nil, &Conflict{append(chain, strings.Join(texts, " | ")), reason, append(involved, by)}
}

// meet chooses for groups that by needs: first all with one candidate, then
// each of these packages' own, then the groups with a choice.
func (s *solver) meet(by string, groups [][]relation) error {
	var fresh []*Package
	var open [][]relation
	for _, g := range groups {
		if s.met(g) {
			continue
		}
		v, err := s.viable(by, g)
		if err != nil {
			return err
		}
		if len(v) > 1 {
			open = append(open, g)
			continue
		}
		s.mark(v[0], by)
		fresh = append(fresh, v[0])
	}
	for _, p := range fresh {
		if err := s.meet(p.Name, needs(p)); err != nil {
			return err
		}
	}
	for _, g := range open {
		if s.global {
			s.waiting = append(s.waiting, wait{by, g})
			continue
		}
		if err := s.choose(by, g); err != nil {
			return err
		}
	}
	return nil
}

func needs(p *Package) [][]relation {
	return slices.Concat(parseRelations(p.PreDepends), parseRelations(p.Depends))
}

// choose takes the first viable candidate of a group that is still not met.
func (s *solver) choose(by string, group []relation) error {
	if s.met(group) {
		return nil
	}
	v, err := s.viable(by, group)
	if err != nil {
		return err
	}
	s.mark(v[0], by)
	return s.meet(v[0].Name, needs(v[0]))
}

// finish works off what the global order put back.
func (s *solver) finish() error {
	for len(s.waiting) > 0 {
		w := s.waiting[0]
		s.waiting = s.waiting[1:]
		if err := s.choose(w.by, w.group); err != nil {
			return err
		}
	}
	return nil
}

// recommend adds what chosen packages recommend, as far as it fits: names in
// order, until nothing new comes.
func (s *solver) recommend() {
	seen := map[string]bool{}
	for more := true; more; {
		more = false
		for _, name := range slices.Sorted(maps.Keys(s.chosen)) {
			if seen[name] {
				continue
			}
			seen[name], more = true, true
			for _, g := range parseRelations(s.chosen[name].Recommends) {
				s.attempt(name, g)
			}
		}
	}
}

// attempt chooses for a group, or leaves everything as it was.
func (s *solver) attempt(by string, group []relation) {
	trial := *s
	trial.chosen, trial.why, trial.against = maps.Clone(s.chosen), maps.Clone(s.why), maps.Clone(s.against)
	for name, list := range trial.against {
		trial.against[name] = slices.Clip(list) // so that appends do not write into ours
	}
	if trial.choose(by, group) == nil && trial.finish() == nil {
		*s = trial
	}
}
