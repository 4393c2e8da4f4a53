package lower_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/lower"
	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec/diag"
)

const amd64 = "linux/amd64"

// at is the line of a plan's block, by which diagnostics are told apart.
func at(line int) diag.Range {
	return diag.Range{File: "image.hcl", Start: diag.Pos{Line: line, Column: 1}}
}

// planOf has one image, which is the last of the instances.
func planOf(instances ...planner.Instance) *planner.Plan {
	for i := range instances {
		in := &instances[i]
		in.Addr, in.Platform, in.Targets = "//:stage."+in.ID, amd64, []string{amd64}
	}
	last := instances[len(instances)-1]
	return &planner.Plan{
		Images: []planner.Image{{
			Addr: "//:image.web", Range: at(99), Platforms: []planner.PlatformImage{{Platform: amd64, Instance: last.ID}},
		}},
		Instances: instances,
		Contexts:  []planner.Context{{Addr: "src", Path: "src", Dir: "/here/src", Include: []string{"*.go"}, Exclude: []string{"x"}}},
		Secrets:   []planner.Secret{{Addr: "token", Env: "TOKEN", Optional: true}, {Addr: "agent", SSH: true}},
	}
}

func check(name string) planner.Step {
	return planner.Step{Run: &planner.Run{Args: []string{name}, OutputsOn: true}}
}

func run(name string, mounts ...planner.Mount) planner.Step {
	return planner.Step{Run: &planner.Run{Args: []string{name}, Mounts: mounts}}
}

func take(instance string) planner.Step {
	return planner.Step{Copy: &planner.Copy{From: planner.Source{Instance: instance}, To: "/" + instance}}
}

func graph(t *testing.T, p *planner.Plan) *dag.Graph {
	t.Helper()
	g, ds := lower.Lower(p)
	if len(ds) > 0 {
		t.Fatalf("lowering: %+v", ds)
	}
	return g
}

// node finds the only node of a kind with this argument or path.
func node(t *testing.T, g *dag.Graph, title string) dag.Node {
	t.Helper()
	var found []dag.Node
	for _, n := range g.Nodes {
		if n.Meta.Title == title {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		var text strings.Builder
		if err := g.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("there are %d nodes %q in\n%s", len(found), title, text.String())
	}
	return found[0]
}

// A plan of Make is consistent; a document that says it is one may not be.
func TestPlansThatDoNotHold(t *testing.T) {
	t.Parallel()
	context := planner.Source{Context: "gone"}
	for want, p := range map[string]*planner.Plan{
		"1 The plan does not hold this instance: gone is not listed before a.": planOf(
			planner.Instance{ID: "a", Range: at(1), From: planner.Source{Instance: "gone"}}),
		"1 The plan does not hold this instance: b is not listed before a.": planOf(
			planner.Instance{ID: "a", Range: at(1), From: planner.Source{Instance: "b"}}, planner.Instance{ID: "b"}),
		"2 The plan does not hold this instance: gone is not listed before a.": planOf(
			planner.Instance{ID: "a", Steps: []planner.Step{{Range: at(2), Copy: take("gone").Copy}}}),
		"1 The plan is not consistent: A context (gone) cannot be a root.": planOf(
			planner.Instance{ID: "a", Range: at(1), From: context}),
		"3 The plan does not hold this context: gone is not listed.": planOf(
			planner.Instance{ID: "a", Steps: []planner.Step{{Range: at(3), Copy: &planner.Copy{From: context}}}}),
		"4 The plan does not hold this secret: gone is not listed.": planOf(
			planner.Instance{ID: "a", Steps: []planner.Step{{Range: at(4), Run: run("x", planner.Mount{Type: "secret", Secret: "gone"}).Run}}}),
		"5 The plan is not consistent: A step of a says nothing.": planOf(
			planner.Instance{ID: "a", Steps: []planner.Step{{Range: at(5)}}}),
		"6 The plan does not hold this instance: gone of image.web is not listed.": {
			Images: []planner.Image{{Addr: "//:image.web", Range: at(6), Platforms: []planner.PlatformImage{{Platform: amd64, Instance: "gone"}}}}},
		"7 The plan is not consistent: image.web has no platform.": {
			Images: []planner.Image{{Addr: "//:image.web", Range: at(7)}}},
	} {
		g, ds := lower.Lower(p)
		if g != nil || len(ds) != 1 {
			t.Errorf("%s: there is a graph (%v), or other than one diagnostic: %+v", want, g != nil, ds)
			continue
		}
		line := string(rune('0' + ds[0].Range.Start.Line))
		got := line + " " + ds[0].Summary + ": " + strings.ReplaceAll(ds[0].Detail, "//:", "")
		if got != want {
			t.Errorf("said: %s, not: %s", got, want)
		}
	}
}

// An image waits for the checks of all that its files come from: through
// from, copies and mounts, however far, each once.
func TestChecksAreGathered(t *testing.T) {
	t.Parallel()
	mount := planner.Mount{Type: "bind", Target: "/m", From: &planner.Source{Instance: "mounted"}}
	g := graph(t, planOf(
		planner.Instance{ID: "deep", Steps: []planner.Step{check("vet deep")}},
		planner.Instance{ID: "below", Steps: []planner.Step{take("deep"), check("vet below"), run("make below")}},
		planner.Instance{ID: "mounted", Steps: []planner.Step{take("deep"), check("vet mounted")}},
		planner.Instance{ID: "aside", Steps: []planner.Step{check("vet aside")}},
		planner.Instance{ID: "web", From: planner.Source{Instance: "below"}, Steps: []planner.Step{run("make web", mount), check("vet web"), run("more")}},
	))
	image := node(t, g, "image")
	var waits []string
	for _, in := range image.Inputs {
		n, _ := g.Node(in)
		waits = append(waits, n.Meta.Title)
	}
	want := []string{"run more", "run vet deep", "run vet below", "run vet mounted", "run vet web"}
	if d := cmp.Diff(want, waits); d != "" {
		t.Errorf("the image's inputs (-want +got):\n%s", d)
	}
	if more := node(t, g, "run more"); more.Inputs[0] != node(t, g, "run make web").ID {
		t.Error("a step stands on a check")
	}
	if slices.ContainsFunc(g.Nodes, func(n dag.Node) bool { return n.Meta.Title == "run vet aside" }) {
		t.Error("a check of what nobody takes from is there")
	}
}

// Caches and secrets of Meta stand in the order of the mounts, and the inputs
// where the mounts say.
func TestMountsFindWhatTheyTake(t *testing.T) {
	t.Parallel()
	step := run("make",
		planner.Mount{Type: "secret", Secret: "token", Env: "T"},
		planner.Mount{Type: "bind", Target: "/src", From: &planner.Source{Context: "src"}, Sources: []string{"a"}},
		planner.Mount{Type: "cache", Target: "/c", CacheID: "one", Sharing: "locked", MaxSize: 5, From: &planner.Source{Instance: "seed"}},
		planner.Mount{Type: "tmpfs", Target: "/t", Size: 7},
		planner.Mount{Type: "cache", Target: "/d", CacheID: "two", Sharing: "shared"},
		planner.Mount{Type: "ssh", Target: "/s", Secret: "agent"},
	)
	step.Run.Timeout, step.Run.Memory, step.Run.CPUs, step.Run.Pids, step.Run.Shm = int64(time.Minute), 1, 2.5, 3, 4
	g := graph(t, planOf(
		planner.Instance{ID: "seed", Steps: []planner.Step{{Entry: &planner.Entry{Type: "file", Path: "/seed"}}}},
		planner.Instance{ID: "web", Steps: []planner.Step{step}},
	))
	n := node(t, g, "run make")
	op := n.Op.(*dag.Run)
	var inputs []int
	for _, m := range op.Mounts {
		inputs = append(inputs, m.Input)
	}
	if d := cmp.Diff([]int{0, 1, 2, 0, 0, 0}, inputs); d != "" {
		t.Errorf("inputs of the mounts:\n%s", d)
	}
	local, _ := g.Node(n.Inputs[1])
	want := &dag.Local{Context: "src", Include: []string{"*.go"}, Exclude: []string{"x"}, Sources: []string{"a"}}
	if d := cmp.Diff(dag.Op(want), local.Op); d != "" || local.Meta.Dir != "/here/src" {
		t.Errorf("the selection in %s:\n%s", local.Meta.Dir, d)
	}
	if n.Inputs[2] != node(t, g, "write /seed").ID {
		t.Error("the cache does not begin with its first content")
	}
	if d := cmp.Diff([]dag.CacheMount{{ID: "one", Sharing: "locked", MaxSize: 5}, {ID: "two", Sharing: "shared"}}, n.Meta.Caches); d != "" {
		t.Errorf("caches:\n%s", d)
	}
	if d := cmp.Diff([]dag.Secret{{Addr: "token", Env: "TOKEN", Optional: true}, {Addr: "agent", SSH: true}}, n.Meta.Secrets); d != "" {
		t.Errorf("secrets:\n%s", d)
	}
	if !op.Mounts[0].Optional || op.Mounts[5].Optional {
		t.Error("that a secret may be missing is not with its mount")
	}
	if n.Meta.Timeout != time.Minute || n.Meta.Limits != (dag.Limits{Memory: 1, CPUs: 2.5, Pids: 3, Shm: 4}) {
		t.Errorf("limits: %+v", n.Meta)
	}
}

// What is in no key is in no ID: identity of caches, values of secrets,
// limits. Two stages that differ in nothing else are one node; which secret a
// step takes is something else.
func TestEqualStepsAreOneNode(t *testing.T) {
	t.Parallel()
	step := func(cache, secret string, timeout int64) planner.Step {
		s := run("make", planner.Mount{Type: "cache", Target: "/c", CacheID: cache}, planner.Mount{Type: "secret", Target: "/s", Secret: secret})
		s.Run.Timeout, s.Range = timeout, at(int(timeout))
		return s
	}
	p := planOf(
		planner.Instance{ID: "a", Steps: []planner.Step{step("one", "token", 1)}},
		planner.Instance{ID: "b", Steps: []planner.Step{step("two", "token", 2)}},
		planner.Instance{ID: "web", Steps: []planner.Step{take("a"), take("b")}},
	)
	g := graph(t, p)
	n := node(t, g, "run make")
	if n.Meta.Caches[0].ID != "one" || n.Meta.Timeout != 1 || n.Meta.Range != at(1) {
		t.Errorf("the first one's Meta is kept: %+v", n.Meta)
	}
	for _, title := range []string{"copy stage.a to /a", "copy stage.b to /b"} {
		if c := node(t, g, title); c.Inputs[1] != n.ID {
			t.Errorf("%s does not take from the one node", title)
		}
	}
}

// The secret that a step takes is part of what the step is, as the id of one
// is to BuildKit; where its bytes come from is not. An agent is an agent.
func TestWhichSecretIsPartOfAStep(t *testing.T) {
	t.Parallel()
	id := func(typ string, s planner.Secret) dag.ID {
		p := planOf(planner.Instance{ID: "web", Steps: []planner.Step{run("make", planner.Mount{Type: typ, Target: "/s", Secret: s.Addr})}})
		p.Secrets = []planner.Secret{s}
		return node(t, graph(t, p), "run make").ID
	}
	token := id("secret", planner.Secret{Addr: "//a:secret.token", Env: "TOKEN"})
	if id("secret", planner.Secret{Addr: "//a:secret.other", Env: "TOKEN"}) == token || id("secret", planner.Secret{Addr: "//b:secret.token", Env: "TOKEN"}) == token {
		t.Error("steps with different secrets are one node")
	}
	if id("secret", planner.Secret{Addr: "//a:secret.token", File: "~/.token"}) != token {
		t.Error("where a secret is read is part of the step")
	}
	if id("ssh", planner.Secret{Addr: "//a:secret.x", SSH: true}) != id("ssh", planner.Secret{Addr: "//a:secret.y", SSH: true}) {
		t.Error("two names of the one agent are two nodes")
	}
}

// Excludes of a copy narrow the selection of a context, and stay with the
// copy where it takes from a root.
func TestExcludes(t *testing.T) {
	t.Parallel()
	p := planOf(
		planner.Instance{ID: "a"},
		planner.Instance{ID: "web", Steps: []planner.Step{
			{Copy: &planner.Copy{From: planner.Source{Context: "src"}, Sources: []string{"f"}, To: "/f", Exclude: []string{"y"}}},
			{Copy: &planner.Copy{From: planner.Source{Instance: "a"}, Sources: []string{"g"}, To: "/g", Exclude: []string{"z"}}},
		}},
	)
	g := graph(t, p)
	first, second := node(t, g, "copy f to /f"), node(t, g, "copy g to /g")
	local, _ := g.Node(first.Inputs[1])
	if d := cmp.Diff([]string{"x", "y"}, local.Op.(*dag.Local).Exclude); d != "" || first.Op.(*dag.Copy).Exclude != nil {
		t.Errorf("of a context: %v, %s", first.Op, d)
	}
	if d := cmp.Diff([]string{"z"}, second.Op.(*dag.Copy).Exclude); d != "" {
		t.Errorf("of a stage: %s", d)
	}
	if d := cmp.Diff([]string{"x"}, p.Contexts[0].Exclude); d != "" {
		t.Errorf("the plan was changed: %s", d)
	}
}
