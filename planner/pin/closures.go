package pin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

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

// reportClosures says what is wrong once: an archive that cannot be reached
// fails all that is asked of it in the same words.
func (u *updater) reportClosures(all []failure) {
	type mistake struct{ repo, text string }
	first := map[mistake]int{} // into problems
	for _, f := range all {
		m := mistake{f.need.Repo.Key(), f.err.Error()}
		if at, ok := first[m]; ok {
			d := &u.problems[at]
			if d.Range != f.need.Range && !slices.ContainsFunc(d.Notes, func(n diag.Note) bool { return n.Range == f.need.Range }) {
				d.Notes = append(d.Notes, diag.Note{Message: "so is " + f.need.Request.String(), Range: f.need.Range})
			}
			continue
		}
		first[m] = len(u.problems)
		u.report(f.need.Range, "The packages cannot be resolved",
			fmt.Sprintf("%s for %s from %s: %s.", f.need.Request, f.need.Arch, m.repo, strings.TrimRight(m.text, ".")))
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
	if len(a.Releases) > 0 {
		g.releases = a.Releases
	}
	c := Closure{Arch: n.Arch, Request: n.Request, Below: n.Below, Packages: slices.Clone(a.Packages)}
	slices.SortFunc(c.Packages, comparePackages)
	return c, nil
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
