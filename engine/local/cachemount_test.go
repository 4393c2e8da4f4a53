package local

import (
	"fmt"
	"testing"

	"github.com/specbuild/specbuild/lower/dag"
)

// Two steps that run at the same time and share a new cache both see all of
// what it is to begin with.
func TestStepsThatShareANewCacheSeeItsFirstContent(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.Parallel = 4 })
	dir := t.TempDir()
	for i := range 500 {
		mustWrite(t, dir, fmt.Sprintf("f%03d", i), "x")
	}
	g := withShell(t)
	src := g.local(dir, "f*")
	var checks []dag.ID
	for i := range 4 {
		checks = append(checks, g.Add(&dag.Run{
			Args: []string{"/bin/sh", "-ec", fmt.Sprintf("set -- /seed/f*; test $# = 500; : %d", i)},
			Env:  []dag.KV{{Name: "PATH", Value: "/bin"}}, Workdir: "/", User: "0:0", Network: "none", Platform: native, OutputsOn: true,
			Mounts: []dag.Mount{{Type: "cache", Target: "/seed", Input: 1, Sources: []string{"f*"}}},
		}, []dag.ID{g.root, src}, dag.Meta{Name: "image.test", Platform: native, Caches: []dag.CacheMount{{ID: "seed", Sharing: "shared"}}}))
	}
	mustRun(t, e, g.image(checks...))
}
