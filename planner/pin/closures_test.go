package pin

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/planner/pin/deb"
	"github.com/specbuild/specbuild/planner/pin/deb/debtest"
	"github.com/specbuild/specbuild/spec/diag"
)

// shelves is an archive of ours on loopback, as specs and locks see it.
type shelves struct {
	t      *testing.T
	dir    string
	key    debtest.Key
	server *debtest.Server
	repo   Repo
}

func newShelves(t *testing.T, packages ...debtest.Package) *shelves {
	t.Helper()
	key, err := debtest.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &shelves{t: t, dir: t.TempDir(), key: key}
	s.stock(packages...)
	s.server = debtest.Serve(s.dir, nil)
	t.Cleanup(s.server.Close)
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	s.repo = Repo{Type: "deb", Sources: []Source{{URL: s.server.URL, Suites: []string{"stable"}, Components: []string{"main"}, SignedBy: public}}}
	return s
}

// stock replaces what the archive has.
func (s *shelves) stock(packages ...debtest.Package) {
	s.t.Helper()
	suite := debtest.Suite{Name: "stable", Arches: []string{"amd64", "arm64"}, Components: map[string][]debtest.Package{"main": packages}}
	if err := debtest.Write(s.dir, s.key, suite); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelves) resolvers() Resolvers {
	client := fetch.New(fetch.Options{Retries: -1, Connect: time.Second, Stall: 2 * time.Second})
	closest := func(given string, known []string) (string, bool) {
		for _, k := range known {
			if len(k) == len(given) && k[0] == given[0] {
				return k, true
			}
		}
		return "", false
	}
	return Resolvers{Packages: Debian{Resolver: deb.NewResolver(deb.Options{Client: client}), Closest: closest}}
}

// need is a step at a line of image.hcl.
func (s *shelves) need(line int, install string, below ...string) ClosureNeed {
	n := ClosureNeed{
		Repo: s.repo, Names: []string{"shelves"}, Arch: "amd64", Request: NewRequest(strings.Fields(install), false, false),
		Range: diag.Range{File: "image.hcl", Start: diag.Pos{Line: line, Column: 3}},
	}
	for _, b := range below {
		n.Below = append(n.Below, NewRequest(strings.Fields(b), false, false))
	}
	return n
}

func (s *shelves) update(lock Lock, policy UpgradePolicy, closures ...ClosureNeed) (Lock, diag.List) {
	s.t.Helper()
	var n Needs
	for _, c := range closures {
		n.AddClosure(c)
	}
	out, _, ds := Update(s.t.Context(), lock, n, s.resolvers(), policy)
	return out, ds
}

// locked is the closures, one a line: request, then packages.
func (s *shelves) locked(l Lock) string {
	var out []string
	for _, c := range l.Repositories[s.repo.Key()].Closures {
		line := c.Request.String() + ":"
		for _, p := range c.Packages {
			line += " " + p.Name + "=" + p.Version
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func (s *shelves) want(l Lock, ds diag.List, lines ...string) {
	s.t.Helper()
	if len(ds) > 0 {
		s.t.Errorf("it says %v", ds)
	}
	if diff := cmp.Diff(strings.Join(lines, "\n"), s.locked(l)); diff != "" {
		s.t.Errorf("closures (-want +got):\n%s", diff)
	}
}

func pkg(name, version, fields string) debtest.Package {
	return debtest.Package{Name: name, Version: version, Fields: fields}
}

// TestANewImageDoesNotMoveOthers: the archive has gone on and still has what
// the lock holds, so a new closure shares the versions of those before.
func TestANewImageDoesNotMoveOthers(t *testing.T) {
	t.Parallel()
	old := []debtest.Package{pkg("lib", "1", ""), pkg("app", "1", "Depends: lib\n"), pkg("tool", "1", "Depends: lib\n"), pkg("strict", "1", "Depends: lib (>= 2)\n")}
	s := newShelves(t, old...)
	l, ds := s.update(Lock{}, UpgradePolicy{}, s.need(1, "app"))
	s.want(l, ds, "app: app=1 lib=1")
	s.stock(append(old, pkg("lib", "2", ""), pkg("app", "2", "Depends: lib\n"), pkg("tool", "2", "Depends: lib\n"))...)
	l, ds = s.update(l, UpgradePolicy{}, s.need(1, "app"), s.need(2, "tool"))
	s.want(l, ds, "app: app=1 lib=1", "tool: lib=1 tool=2")
	// What cannot be met with it moves itself, and nobody else.
	l, ds = s.update(l, UpgradePolicy{}, s.need(1, "app"), s.need(2, "tool"), s.need(3, "strict"))
	s.want(l, ds, "app: app=1 lib=1", "strict: lib=2 strict=1", "tool: lib=1 tool=2")
}

// TestAnOldStateOfAnArchiveIsRefused: its signature is good, and it lacks what
// was mended since.
func TestAnOldStateOfAnArchiveIsRefused(t *testing.T) {
	t.Parallel()
	s := newShelves(t, pkg("app", "1", ""), pkg("tool", "1", ""))
	l, ds := s.update(Lock{}, UpgradePolicy{}, s.need(1, "app"))
	s.want(l, ds, "app: app=1")
	dated := func(by time.Duration) Lock {
		t.Helper()
		old := l.clone()
		r := old.Repositories[s.repo.Key()]
		at, err := time.Parse(time.RFC3339, r.Releases[0].Date)
		if err != nil {
			t.Fatal(err)
		}
		r.Releases[0].Date = at.Add(by).Format(time.RFC3339)
		old.Repositories[s.repo.Key()] = r
		return old
	}
	out, ds := s.update(dated(23*time.Hour), UpgradePolicy{}, s.need(1, "app"), s.need(2, "tool"))
	s.want(out, ds, "app: app=1", "tool: tool=1") // mirrors lag behind one another
	out, ds = s.update(dated(25*time.Hour), UpgradePolicy{All: true}, s.need(1, "app"), s.need(2, "tool"))
	if len(ds) != 1 || !strings.Contains(ds[0].Detail, "stale") || !strings.Contains(ds[0].Detail, "`release … "+s.server.URL+"/stable …`") {
		t.Errorf("it says %v", ds)
	}
	s.want(out, nil, "app: app=1")
}

// TestUpgradesOfOneNameMoveThatAlone, of a repository or of everything all.
func TestUpgradesOfOneNameMoveThatAlone(t *testing.T) {
	t.Parallel()
	first := []debtest.Package{pkg("lib", "1", ""), pkg("app", "1", "Depends: lib\n")}
	s := newShelves(t, first...)
	l, ds := s.update(Lock{}, UpgradePolicy{}, s.need(1, "app"))
	s.want(l, ds, "app: app=1 lib=1")
	s.stock(append(first, pkg("lib", "2", ""), pkg("app", "2", "Depends: lib\n"))...)
	for want, policy := range map[string]UpgradePolicy{
		"app: app=1 lib=1": {}, "app: app=2 lib=1": {Names: []string{"app"}}, "app: app=1 lib=2": {Names: []string{"lib"}},
		"app: app=2 lib=2": {All: true},
	} {
		up, ds := s.update(l, policy, s.need(1, "app"))
		s.want(up, ds, want)
	}
	up, ds := s.update(l, UpgradePolicy{Names: []string{"shelves"}}, s.need(1, "app"))
	s.want(up, ds, "app: app=2 lib=2")
}

// TestAPinIsNotPreferredByOthers: "=1" is the wish of one step.
func TestAPinIsNotPreferredByOthers(t *testing.T) {
	t.Parallel()
	s := newShelves(t, pkg("lib", "1", ""), pkg("lib", "2", ""))
	l, ds := s.update(Lock{}, UpgradePolicy{}, s.need(1, "lib=1"))
	s.want(l, ds, "lib=1: lib=1")
	l, ds = s.update(l, UpgradePolicy{}, s.need(1, "lib=1"), s.need(2, "lib"))
	s.want(l, ds, "lib: lib=2", "lib=1: lib=1")
}

// TestStepsAboveAnotherFollowIt: when what lies below changes, so does what
// is added to it.
func TestStepsAboveAnotherFollowIt(t *testing.T) {
	t.Parallel()
	first := []debtest.Package{pkg("lib", "1", ""), pkg("app", "1", "Depends: lib\n")}
	s := newShelves(t, first...)
	l, ds := s.update(Lock{}, UpgradePolicy{}, s.need(1, "lib"), s.need(2, "app", "lib"))
	s.want(l, ds, "app: app=1", "lib: lib=1")
	s.stock(pkg("lib", "2", ""), pkg("app", "2", "Depends: lib (>= 2)\n"))
	l, ds = s.update(l, UpgradePolicy{Names: []string{"lib"}}, s.need(1, "lib"), s.need(2, "app", "lib"))
	s.want(l, ds, "app: app=2", "lib: lib=2")
	if c, ok := l.Repositories[s.repo.Key()].Closure("amd64", NewRequest([]string{"app"}, false, false), []Request{NewRequest([]string{"lib"}, false, false)}); !ok || len(c.Below) != 1 {
		t.Errorf("what lies below is lost: %+v", c)
	}
}

// TestWhatNobodyUsesLeaves only if the needs are those of all, and only from
// a lock that is whole.
func TestWhatNobodyUsesLeaves(t *testing.T) {
	t.Parallel()
	s := newShelves(t, pkg("lib", "1", ""), pkg("app", "1", "Depends: lib\n"), pkg("tool", "1", "Depends: lib\n"))
	l, ds := s.update(sample(), UpgradePolicy{}, s.need(1, "app"), s.need(2, "tool"))
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	kept, ds := s.update(l, UpgradePolicy{}, s.need(2, "tool"))
	s.want(kept, ds, "app: app=1 lib=1", "tool: lib=1 tool=1")
	pruned, ds := s.update(l, UpgradePolicy{Prune: true}, s.need(2, "tool"))
	s.want(pruned, ds, "tool: lib=1 tool=1")
	if len(pruned.Bases) != 0 || len(pruned.Repositories) != 1 || len(pruned.Repositories[s.repo.Key()].Packages["amd64"]) != 2 {
		t.Errorf("it still has\n%s", pruned.Encode())
	}
	again, ds := Parse(FileName, pruned.Encode())
	if len(ds) > 0 || again.Missing(Needs{Closures: []ClosureNeed{s.need(2, "tool")}}) != nil {
		t.Errorf("the pruned lock is not whole: %v", ds)
	}
	broken, ds := s.update(l, UpgradePolicy{Prune: true}, s.need(2, "tool"), s.need(3, "nosuch"))
	if !ds.HasErrors() || len(broken.Bases) != 1 || len(broken.Repositories) != 2 {
		t.Errorf("a lock with errors was pruned: %v\n%s", ds, broken.Encode())
	}
}

// TestNeedsOfSeveralMachines are looked up as one.
func TestNeedsOfSeveralMachines(t *testing.T) {
	t.Parallel()
	s := newShelves(t, pkg("app", "1", ""), debtest.Package{Name: "app", Arch: "arm64", Version: "2"})
	var amd, arm Needs
	amd.AddClosure(s.need(1, "app"))
	other := s.need(1, "app")
	other.Arch = "arm64"
	arm.AddClosure(other)
	amd.AddBase(BaseNeed{Key: "k", Names: []string{"b"}, Platforms: []string{"linux/amd64"}})
	arm.AddBase(BaseNeed{Key: "k", Names: []string{"a"}, Platforms: []string{"linux/arm64"}})
	both := amd.Merge(arm).Merge(amd)
	if len(both.Closures) != 2 || len(both.Bases) != 1 || len(both.Bases[0].Platforms) != 2 || strings.Join(both.Bases[0].Names, " ") != "a b" {
		t.Fatalf("merged to %+v", both)
	}
	l, ds := s.update(Lock{}, UpgradePolicy{}, both.Closures...)
	s.want(l, ds, "app: app=1", "app: app=2")
}

// TestMistakesOfPackages: each is one diagnostic at the step, with what is
// there instead.
// TestManyClosuresAreFoundByKey: a lock of 4,000 took 8 s to ask for, each
// being compared with all before it.
func TestManyClosuresAreFoundByKey(t *testing.T) {
	t.Parallel()
	const many = 20_000
	need := func(i int) ClosureNeed {
		return ClosureNeed{
			Repo: Repo{Type: "deb", Suite: "trixie", Components: []string{"main"}}, Arch: "amd64", Names: []string{"r"},
			Request: NewRequest([]string{fmt.Sprintf("p%d", i)}, false, false),
		}
	}
	started := time.Now()
	var n Needs
	for i := range 2 * many {
		n.AddClosure(need(i % many))
	}
	if len(n.Closures) != many || len(n.Merge(n).Closures) != many {
		t.Errorf("%d closures, wanted %d", len(n.Closures), many)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	other := n // what is added to needs is not found in those that they were copied from
	other.AddClosure(need(many))
	n.AddClosure(need(many))
	if len(other.Closures) != many+1 || len(n.Closures) != many+1 {
		t.Errorf("copies have %d and %d closures", len(other.Closures), len(n.Closures))
	}
}

func TestMistakesOfPackages(t *testing.T) {
	t.Parallel()
	s := newShelves(t, pkg("nginx", "1", "Depends: libssl\n"), pkg("nginx", "2", "Depends: libssl\n"), pkg("libssl", "3", ""),
		pkg("web", "1", "Depends: nginx\n"), pkg("apache", "1", "Conflicts: nginx\nProvides: httpd\n"), pkg("lighttpd", "1", "Provides: httpd\n"),
		pkg("broken", "1", "Depends: middle\n"), pkg("middle", "1", "Depends: nothing (>= 2)\n"))
	nowhere, suite, component := s.repo, s.repo, s.repo
	change := func(r *Repo, f func(*Source)) {
		r.Sources = []Source{r.Sources[0]}
		f(&r.Sources[0])
	}
	change(&nowhere, func(x *Source) { x.URL = "http://127.0.0.1:1/debian" })
	change(&suite, func(x *Source) { x.Suites = []string{"stabel"} })
	change(&component, func(x *Source) { x.Components = []string{"extra"} })
	for name, c := range map[string]struct {
		install string
		repo    Repo
		arch    string
		want    []string
	}{
		"unknown package":    {install: "nginz", want: []string{`package "nginz" is not in the archive for amd64`, `the nearest name is "nginx"`}},
		"unknown version":    {install: "nginx=9", want: []string{"package nginx has no version 9", "available: 2, 1"}},
		"virtual":            {install: "httpd", want: []string{"provided by apache, lighttpd", "name one of them"}},
		"conflict":           {install: "web apache", want: []string{"nginx", "apache", "conflicts with", "wanted by"}},
		"missing dependency": {install: "broken", want: []string{"broken needs middle needs nothing (>= 2)", "not in the archive in a version that fits"}},
		"unreachable":        {install: "nginx", repo: nowhere, want: []string{"http://127.0.0.1:1/debian/dists/stable/InRelease", "connection refused"}},
		"unknown suite":      {install: "nginx", repo: suite, want: []string{`no suite "stabel"`, "/dists/stabel/InRelease"}},
		"unknown component":  {install: "nginx", repo: component, want: []string{`no component "extra"`, "it has main"}},
		"unknown port":       {install: "nginx", arch: "riscv64", want: []string{"no packages for riscv64", "amd64, arm64"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := s.need(7, c.install)
			if c.repo.Type != "" {
				n.Repo = c.repo
			}
			if c.arch != "" {
				n.Arch = c.arch
			}
			started := time.Now()
			_, _, ds := Update(t.Context(), Lock{}, Needs{Closures: []ClosureNeed{n}}, s.resolvers(), UpgradePolicy{})
			if len(ds) != 1 || ds[0].Summary != "The packages cannot be resolved" || ds[0].Range != n.Range {
				t.Fatalf("it says %v", ds)
			}
			for _, w := range append(c.want, n.Repo.Key(), strings.Fields(c.install)[0]) {
				if !strings.Contains(ds[0].Detail, w) {
					t.Errorf("%q is not in: %s", w, ds[0].Detail)
				}
			}
			if took := time.Since(started); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestOneMessageAnArchive: what is wrong with an archive is said once, with
// all the places that it stops.
func TestOneMessageAnArchive(t *testing.T) {
	t.Parallel()
	s := newShelves(t)
	s.repo.Sources[0].URL = "http://127.0.0.1:1/debian"
	var needs []ClosureNeed
	for i, name := range []string{"a", "b", "c"} {
		n := s.need(i+1, name)
		needs = append(needs, n)
		n.Arch = "arm64"
		needs = append(needs, n)
	}
	_, ds := s.update(Lock{}, UpgradePolicy{}, needs...)
	if len(ds) != 1 || ds[0].Range.Start.Line != 1 || len(ds[0].Notes) != 2 || ds[0].Notes[1].Range.Start.Line != 3 {
		t.Errorf("it says %+v", ds)
	}
}

// TestOtherMachinesMayLackPackages, unless the workspace says that they build.
func TestOtherMachinesMayLackPackages(t *testing.T) {
	t.Parallel()
	s := newShelves(t, pkg("app", "1", ""))
	arm := s.need(1, "app")
	arm.Arch = "arm64"
	own, theirs := Needs{Closures: []ClosureNeed{s.need(1, "app")}}, Needs{Closures: []ClosureNeed{arm}}
	l, ds := s.update(Lock{}, UpgradePolicy{}, own.Merge(theirs.Elsewhere(true)).Closures...)
	if len(ds) != 1 || ds.HasErrors() || !strings.Contains(ds[0].Detail, "arm64") || !strings.Contains(ds[0].Detail, "build_platforms") {
		t.Errorf("it says %v", ds)
	}
	s.want(l, nil, "app: app=1")
	if _, ds := s.update(Lock{}, UpgradePolicy{}, own.Merge(theirs.Elsewhere(false)).Closures...); len(ds) != 1 || !ds.HasErrors() {
		t.Errorf("said to build there: %v", ds)
	}
	if both := theirs.Elsewhere(true).Merge(theirs); both.Closures[0].Elsewhere {
		t.Error("what somebody needs may be missing")
	}
}

// meeting lets nobody pass before two are there.
type meeting struct {
	Packages
	all sync.WaitGroup
}

func (m *meeting) Resolve(ctx context.Context, q Query) (Answer, error) {
	m.all.Done()
	there := make(chan struct{})
	go func() { m.all.Wait(); close(there) }()
	select {
	case <-there:
		return m.Packages.Resolve(ctx, q)
	case <-time.After(10 * time.Second):
		return Answer{}, fmt.Errorf("%s is asked for alone", q.Arch)
	}
}

// TestArchitecturesAreResolvedAtTheSameTime: their indexes are large.
func TestArchitecturesAreResolvedAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := newShelves(t, debtest.Package{Name: "app", Arch: "all"})
	m := &meeting{Packages: s.resolvers().Packages}
	m.all.Add(2)
	amd, arm := s.need(1, "app"), s.need(1, "app")
	arm.Arch = "arm64"
	l, _, ds := Update(t.Context(), Lock{}, Needs{Closures: []ClosureNeed{amd, arm}}, Resolvers{Packages: m}, UpgradePolicy{})
	s.want(l, ds, "app: app=1", "app: app=1")
}
