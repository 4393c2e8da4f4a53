package pin_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec/diag"
)

// answers are Remotes that count what they are asked.
type answers struct {
	mu      sync.Mutex
	asked   map[string]int
	commits map[string]string
	files   map[string]pin.File
	modules map[string]string
}

func (a *answers) ask(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked == nil {
		a.asked = map[string]int{}
	}
	a.asked[what]++
}

func (a *answers) Commit(_ context.Context, url, ref string) (string, error) {
	a.ask(url + "#" + ref)
	if c, ok := a.commits[url+"#"+ref]; ok {
		return c, nil
	}
	return "", errors.New("has no branch or tag")
}

func (a *answers) File(_ context.Context, url string) (pin.File, error) {
	a.ask(url)
	if f, ok := a.files[url]; ok {
		return f, nil
	}
	return pin.File{}, errors.New("server answered 404 Not Found")
}

func (a *answers) Module(_ context.Context, ref string) (string, error) {
	a.ask(ref)
	if d, ok := a.modules[ref]; ok {
		return d, nil
	}
	return "", errors.New("the registry has no such image")
}

const template = "registry.example.com/modules/app:1"

const repo, file = "https://git.example.com/x.git", "https://example.com/a b.tar.gz"

func remoteNeeds() pin.Needs {
	var n pin.Needs
	n.AddGit(pin.GitNeed{URL: repo, Names: []string{"src"}})
	n.AddGit(pin.GitNeed{URL: repo, Ref: "v1", Names: []string{"tools"}})
	n.AddGit(pin.GitNeed{URL: repo, Ref: "v1", Names: []string{"again"}})
	n.AddHTTP(pin.HTTPNeed{URL: file, Names: []string{"data"}})
	n.AddModule(pin.ModuleNeed{Ref: template, Names: []string{"app"}})
	n.AddModule(pin.ModuleNeed{Ref: template, Names: []string{"other"}})
	return n
}

func world() *answers {
	return &answers{
		commits: map[string]string{repo + "#": strings.Repeat("a1", 20), repo + "#v1": strings.Repeat("b2", 32)},
		files:   map[string]pin.File{file: {SHA256: strings.Repeat("c3", 32), Size: 17}},
		modules: map[string]string{template: "sha256:" + strings.Repeat("e5", 32)},
	}
}

func TestRemotesAreAskedOnceAndKept(t *testing.T) {
	t.Parallel()
	a := world()
	if missing := (pin.Lock{}).Missing(remoteNeeds()); len(missing) != 4 || !strings.Contains(missing[0].Detail, "Run `specbuild lock`") {
		t.Errorf("missing: %v", missing)
	}
	lock, changes, ds := pin.Update(t.Context(), pin.Lock{}, remoteNeeds(), pin.Resolvers{Remotes: a}, pin.UpgradePolicy{})
	if len(ds) > 0 || len(changes) != 4 {
		t.Fatalf("%v %v", ds, changes)
	}
	want := `specbuild-lock 1
git https://git.example.com/x.git#HEAD - ` + strings.Repeat("a1", 20) + `
git https://git.example.com/x.git#v1 - ` + strings.Repeat("b2", 32) + `
http "https://example.com/a b.tar.gz" - ` + strings.Repeat("c3", 32) + ` 17
module registry.example.com/modules/app:1 - sha256:` + strings.Repeat("e5", 32) + `
`
	if d := cmp.Diff(want, string(lock.Encode())); d != "" {
		t.Error(d)
	}
	back, ds := pin.Parse("specbuild.lock", lock.Encode())
	if len(ds) > 0 || string(back.Encode()) != want || len(back.Missing(remoteNeeds())) > 0 {
		t.Errorf("read back: %v\n%s", ds, back.Encode())
	}
	again, changes, ds := pin.Update(t.Context(), back, remoteNeeds(), pin.Resolvers{Remotes: a}, pin.UpgradePolicy{})
	if len(ds)+len(changes) > 0 || string(again.Encode()) != want {
		t.Errorf("asked again: %v %v", ds, changes)
	}
	for what, n := range a.asked {
		if n != 1 {
			t.Errorf("%s was asked %d times", what, n)
		}
	}
	if left := back.Only(pin.Needs{}); string(left.Encode()) != "specbuild-lock 1\n" {
		t.Errorf("nobody needs this: %s", left.Encode())
	}
	if kept := back.Only(remoteNeeds()); string(kept.Encode()) != want {
		t.Errorf("needed, and gone:\n%s", kept.Encode())
	}
}

func TestUpgradeAsksForTheNamedContext(t *testing.T) {
	t.Parallel()
	a := world()
	old, _, _ := pin.Update(t.Context(), pin.Lock{}, remoteNeeds(), pin.Resolvers{Remotes: a}, pin.UpgradePolicy{})
	a.commits = map[string]string{repo + "#v1": strings.Repeat("d4", 20)}
	now, changes, ds := pin.Update(t.Context(), old, remoteNeeds(), pin.Resolvers{Remotes: a}, pin.UpgradePolicy{Names: []string{"again"}})
	if len(ds) > 0 || len(changes) != 1 || changes[0].What != "git "+repo+"#v1" {
		t.Errorf("%v %v", ds, changes)
	}
	a.modules[template] = "sha256:" + strings.Repeat("f6", 32)
	_, changes, ds = pin.Update(t.Context(), old, remoteNeeds(), pin.Resolvers{Remotes: a}, pin.UpgradePolicy{Names: []string{"other"}})
	if len(ds) > 0 || len(changes) != 1 || changes[0].What != "module "+template {
		t.Errorf("%v %v", ds, changes)
	}
	if now.Git[repo+"#v1"] != strings.Repeat("d4", 20) || old.Git[repo+"#v1"] == now.Git[repo+"#v1"] {
		t.Error("the new lock has the old commit, or the old lock was changed")
	}
}

func TestRemotesThatDoNotAnswerAreReportedAtTheirBlocks(t *testing.T) {
	t.Parallel()
	var n pin.Needs
	at := func(line int) diag.Range {
		return diag.Range{File: "image.hcl", Start: diag.Pos{Line: line, Column: 1}}
	}
	n.AddGit(pin.GitNeed{URL: repo, Ref: "v2", Range: at(3)})
	n.AddHTTP(pin.HTTPNeed{URL: "https://example.com/none", Range: at(9)})
	n.AddModule(pin.ModuleNeed{Ref: "registry.example.com/none:1", Range: at(12)})
	_, _, ds := pin.Update(t.Context(), pin.Lock{}, n, pin.Resolvers{Remotes: world()}, pin.UpgradePolicy{})
	if len(ds) != 3 || ds[2].Range.Start.Line != 12 || ds[0].Range.Start.Line != 3 || ds[1].Range.Start.Line != 9 || !strings.Contains(ds[0].Detail, repo) || !strings.Contains(ds[1].Detail, "404") {
		t.Errorf("%v", ds)
	}
	_, _, ds = pin.Update(t.Context(), pin.Lock{}, n, pin.Resolvers{}, pin.UpgradePolicy{})
	if len(ds) != 3 {
		t.Errorf("nobody to ask: %v", ds)
	}
}

func TestAnotherRefOfTheRepositoryIsNamed(t *testing.T) {
	t.Parallel()
	lock := pin.Lock{Git: map[string]string{repo + "#v1": strings.Repeat("a1", 20)}}
	ds := lock.Missing(pin.Needs{Git: []pin.GitNeed{{URL: repo, Ref: "v2"}}})
	if len(ds) != 1 || !strings.Contains(ds[0].Detail, "it has `git "+repo+"#v1 …`") {
		t.Errorf("%v", ds)
	}
}

func TestDamagedLinesOfRemotes(t *testing.T) {
	t.Parallel()
	sum, commit := strings.Repeat("c3", 32), strings.Repeat("a1", 20)
	for line, want := range map[string]string{
		"git k - xyz": "no commit",
		"git k - " + commit + "\ngit k - " + strings.Repeat("b2", 20):                  "said otherwise",
		"git k - " + commit + " more":                                                  "2 values",
		"module m - sha256:abc":                                                        "no digest",
		"module m - sha256:" + sum + "\nmodule m - sha256:" + strings.Repeat("d4", 32): "said otherwise",
		"http u - " + sum:                                                              "1 values",
		"http u - abc 1":                                                               "no sha256",
		"http u - " + sum + " -1":                                                      "no number",
		"http u - " + sum + " 1\nhttp u - " + sum + " 2":                               "said otherwise",
	} {
		_, ds := pin.Parse("specbuild.lock", []byte("specbuild-lock 1\n"+line+"\n"))
		if len(ds) != 1 || !strings.Contains(ds[0].Detail, want) {
			t.Errorf("%q: %v, want %q", line, ds, want)
		}
	}
}
