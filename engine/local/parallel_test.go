package local

import (
	"fmt"
	"testing"

	"github.com/specbuild/specbuild/lower/dag"
)

// meets is a step that only ends well while the others of the same place run:
// each says in a cache mount that it is here, and waits for all.
func (g *graphOf) meets(me, all int, root dag.ID, place string) dag.ID {
	script := fmt.Sprintf("touch /meet/%d; n=0; until [ $(ls /meet | wc -l) -ge %d ]; do n=$((n+1)); [ $n -lt 400 ] || exit 1; sleep 0.05; done; echo %d >/out", me, all, me)
	return g.Add(&dag.Run{
		Args: []string{"/bin/busybox", "sh", "-c", script}, Env: []dag.KV{{Name: "PATH", Value: "/bin"}}, Workdir: "/", User: "0:0", Network: "none", Platform: native,
		Mounts: []dag.Mount{{Type: "cache", Target: "/meet"}},
	}, []dag.ID{root}, dag.Meta{
		Name: fmt.Sprintf("stage.s%d", me), Title: fmt.Sprintf("meet %d", me), Platform: native,
		Caches: []dag.CacheMount{{ID: place, Sharing: "shared"}},
	})
}

// Stages that one image copies from are made at the same time, though its root
// is made from below.
func TestStagesOfOneImageAreMadeTogether(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.Parallel = 3 })
	g := withTools(t)
	tools := g.root
	for i := range 3 {
		g.step(&dag.Copy{Sources: []string{"/out"}, To: fmt.Sprintf("/out%d", i)}, "copy", g.meets(i, 3, tools, "stages"))
	}
	res, _ := mustRun(t, e, g.image())
	for i := range 3 {
		if _, ok := treeOf(t, res).Lookup(fmt.Sprintf("out%d", i)); !ok {
			t.Errorf("out%d is missing", i)
		}
	}
}

// A check does not keep the image's own steps waiting.
func TestChecksRunBesideTheSteps(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.Parallel = 2 })
	g := withTools(t)
	check := g.meets(0, 2, g.root, "checks")
	g.root = g.meets(1, 2, g.root, "checks")
	mustRun(t, e, g.image(check))
}

// withTools is withShell with the tools that meets calls.
func withTools(t *testing.T) *graphOf {
	t.Helper()
	g := withShell(t)
	var links []dag.FileStep
	for _, tool := range []string{"touch", "ls", "wc", "sleep"} {
		links = append(links, dag.FileStep{Entry: &dag.FileEntry{Type: "symlink", Path: "/bin/" + tool, Content: "busybox"}})
	}
	return g.step(&dag.Files{Steps: links}, "tools")
}
