package pin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/specbuild/specbuild/spec/diag"
)

// closures of one archive and architecture are resolved one after another:
// one may lie on another. Archives and architectures have nothing to do with
// each other.
func (u *updater) closures(ctx context.Context, needs []ClosureNeed) {
	var groups []*group
	byKey := map[string]*group{}
	for _, n := range needs {
		key := n.Repo.Key() + "\x00" + n.Arch
		g := byKey[key]
		if g == nil {
			old := u.lock.Repositories[n.Repo.Key()]
			g = &group{updater: u, key: n.Repo.Key(), old: old, keep: u.upgrade.keeps(old, n.Arch), fresh: map[string]Closure{}}
			byKey[key], groups = g, append(groups, g)
		}
		g.needs = append(g.needs, n)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, g := range groups {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			g.resolve(ctx)
		})
	}
	wg.Wait()
	var failures []failure
	for _, g := range groups {
		g.put()
		failures = append(failures, g.failures...)
	}
	u.reportClosures(failures)
}

// failure is a closure that could not be resolved.
type failure struct {
	need ClosureNeed
	err  error
}

// mistake is one thing that is wrong, with all closures that it stops.
type mistake struct {
	failure
	arches []string
	notes  []diag.Note
}

// mistakes joins what fails alike: an archive that cannot be reached fails all
// that is asked of it, and a name that does not exist has no architecture.
func mistakes(all []failure) []mistake {
	type kind struct {
		repo, text string
		elsewhere  bool
	}
	var out []mistake
	first := map[kind]int{}
	for _, f := range all {
		k := kind{f.need.Repo.Key(), strings.ReplaceAll(f.err.Error(), f.need.Arch, ""), f.need.Elsewhere}
		at, ok := first[k]
		if !ok {
			at = len(out)
			first[k], out = at, append(out, mistake{failure: f})
		}
		m := &out[at]
		m.arches = union(m.arches, []string{f.need.Arch})
		if f.need.Range != m.need.Range && !slices.ContainsFunc(m.notes, func(n diag.Note) bool { return n.Range == f.need.Range }) {
			m.notes = append(m.notes, diag.Note{Message: "so is " + f.need.Request.String(), Range: f.need.Range})
		}
	}
	return out
}

func (u *updater) reportClosures(all []failure) {
	var warnings diag.List
	for _, m := range mistakes(all) {
		detail := fmt.Sprintf("%s for %s from %s: %s.", m.need.Request, strings.Join(m.arches, ", "), m.need.Repo.Key(), strings.TrimRight(m.err.Error(), "."))
		if m.need.Elsewhere {
			warnings.Warnf("locked-elsewhere", m.need.Range, "Packages are locked for fewer machines",
				"%s Name the machines that build, workspace { build_platforms = [\"linux/amd64\"] }, and only theirs are looked for.", detail)
			continue
		}
		u.problems.Errorf(m.need.Range, "The packages cannot be resolved", "%s", detail)
		u.problems[len(u.problems)-1].Notes = m.notes
	}
	if !u.problems.HasErrors() { // else it is mostly the same mistake
		u.problems = append(u.problems, warnings...)
	}
}

// group is needs of one archive and architecture.
type group struct {
	*updater
	key   string
	needs []ClosureNeed
	old   Repository
	keep  map[string]string

	fresh    map[string]Closure // resolved anew, by key
	releases []Release          // that they were chosen from
	failures []failure
}

func (g *group) resolve(ctx context.Context) {
	for _, n := range g.needs {
		have, ok := g.old.Closure(n.Arch, n.Request, n.Below)
		if ok && !g.upgrade.closure(n, have) && !g.lower(n) {
			continue
		}
		c, err := g.closure(ctx, n)
		if err != nil {
			g.failures = append(g.failures, failure{n, err})
			continue
		}
		g.fresh[c.key()] = c
	}
}

// lower reports whether the closure that n lies directly on was made anew.
func (g *group) lower(n ClosureNeed) bool {
	last := len(n.Below) - 1
	if last < 0 {
		return false
	}
	_, anew := g.fresh[closureKey(n.Arch, n.Below[last], n.Below[:last])]
	return anew
}

func (g *group) find(arch string, r Request, below []Request) (Closure, bool) {
	if c, ok := g.fresh[closureKey(arch, r, below)]; ok {
		return c, true
	}
	return g.old.Closure(arch, r, below)
}

func (g *group) closure(ctx context.Context, n ClosureNeed) (Closure, error) {
	if g.resolvers.Packages == nil {
		return Closure{}, errNoResolver
	}
	q := Query{Repo: n.Repo, Arch: n.Arch, Request: n.Request}
	if !slices.ContainsFunc(n.Names, func(s string) bool { return slices.Contains(g.upgrade.Names, s) }) {
		q.Prefer = g.keep
	}
	for i, r := range n.Below {
		c, ok := g.find(n.Arch, r, n.Below[:i])
		if !ok {
			return Closure{}, fmt.Errorf("%s below it could not be resolved", r)
		}
		q.Installed = append(q.Installed, c.Packages...)
	}
	a, err := g.resolvers.Packages.Resolve(ctx, q)
	if err != nil {
		return Closure{}, err
	}
	if err := newer(g.old.Releases, a.Releases); err != nil {
		return Closure{}, err
	}
	if len(a.Releases) > 0 {
		g.releases = a.Releases
	}
	c := Closure{Arch: n.Arch, Request: n.Request, Below: n.Below, Packages: slices.Clone(a.Packages)}
	slices.SortFunc(c.Packages, comparePackages)
	return c, nil
}

// lag is how far behind another a mirror may be.
const lag = 24 * time.Hour

// newer refuses a release that is older than the one that the lock was made
// from. Its signature is good, and a stable suite states no end: a mirror that
// gives an old one keeps its users from every update since, with packages
// whose holes are known.
func newer(locked, now []Release) error {
	for _, r := range now {
		i := slices.IndexFunc(locked, func(l Release) bool { return l.Source == r.Source })
		if i < 0 {
			continue
		}
		before, err := time.Parse(time.RFC3339, locked[i].Date)
		after, aerr := time.Parse(time.RFC3339, r.Date)
		if err == nil && aerr == nil && after.Before(before.Add(-lag)) {
			return fmt.Errorf("the mirror has %s of %s, and the lock was made from one of %s: it is stale, or gives an old state on purpose. Take another mirror, or, if that is meant, take the line `%s … %s …` out of %s",
				r.Source, r.Date, locked[i].Date, kindRelease, r.Source, FileName)
		}
	}
	return nil
}

// put writes what was resolved into the lock.
func (g *group) put() {
	if len(g.fresh) == 0 {
		return
	}
	repo := g.lock.Repositories[g.key]
	repo.Closures = slices.DeleteFunc(slices.Clone(repo.Closures), func(c Closure) bool {
		_, anew := g.fresh[c.key()]
		return anew
	})
	for _, c := range g.fresh {
		repo.Closures = append(repo.Closures, c)
	}
	if len(g.releases) > 0 {
		repo.Releases = slices.Clone(g.releases)
	}
	repo.collect()
	g.lock.Repositories[g.key] = repo
}
