package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
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

// A step that mounts one cache in two places has it once: it used to wait for
// itself.
func TestAStepMayMountACacheTwice(t *testing.T) {
	t.Parallel()
	for _, sharing := range [][2]string{{"locked", "locked"}, {"shared", "locked"}, {"private", "private"}, {"shared", "shared"}} {
		e := newEngine(t)
		g := withShell(t)
		check := g.Add(&dag.Run{
			Args: []string{"/bin/sh", "-ec", "echo x > /a/x; test -e /b/x"},
			Env:  []dag.KV{{Name: "PATH", Value: "/bin"}}, Workdir: "/", User: "0:0", Network: "none", Platform: native, OutputsOn: true,
			Mounts: []dag.Mount{{Type: "cache", Target: "/a"}, {Type: "cache", Target: "/b"}},
		}, []dag.ID{g.root}, dag.Meta{Name: "image.test", Platform: native, Caches: []dag.CacheMount{
			{ID: "one", Sharing: sharing[0]}, {ID: "one", Sharing: sharing[1]},
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if _, err := e.Run(ctx, g.image(check), func(engine.Event) {}); err != nil {
			t.Errorf("%v: %v", sharing, err)
		}
		cancel()
	}
}

// A process that was killed while it moved in the first content of a cache
// leaves a part of it, which the next one makes whole. What is missing later
// is what steps have removed.
func TestAPartOfAFirstContentIsMadeWhole(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	dir := t.TempDir()
	mustWrite(t, dir, "one", "1")
	mustWrite(t, dir, "two", "2")
	round := 0
	sees := func(want string) error {
		round++
		g := withShell(t)
		src := g.local(dir, "one", "two")
		check := g.Add(&dag.Run{
			Args: []string{"/bin/sh", "-ec", fmt.Sprintf("cd /seed; set -- *; test \"$*\" = '%s'; : %d", want, round)},
			Env:  []dag.KV{{Name: "PATH", Value: "/bin"}}, Workdir: "/", User: "0:0", Network: "none", Platform: native, OutputsOn: true,
			Mounts: []dag.Mount{{Type: "cache", Target: "/seed", Input: 1, Sources: []string{"one", "two"}}},
		}, []dag.ID{g.root, src}, dag.Meta{Name: "image.test", Platform: native, Caches: []dag.CacheMount{{ID: "seed", Sharing: "shared"}}})
		_, err := e.Run(t.Context(), g.image(check), func(engine.Event) {})
		return err
	}
	if err := sees("one two"); err != nil {
		t.Fatal(err)
	}
	caches, err := filepath.Glob(filepath.Join(e.o.Store.Dir(), "mounts", "*", "data"))
	if err != nil || len(caches) != 1 {
		t.Fatalf("caches are %q, %v", caches, err)
	}
	mark := cache.Bringing(caches[0])
	if _, err := os.Lstat(mark); err == nil {
		t.Error("the mark of a cache in the making stayed")
	}
	if err := os.Remove(filepath.Join(caches[0], "two")); err != nil {
		t.Fatal(err)
	}
	if err := sees("one"); err != nil {
		t.Errorf("what a step has removed: %v", err)
	}
	mustWrite(t, filepath.Dir(mark), filepath.Base(mark), "")
	if err := sees("one two"); err != nil {
		t.Errorf("a part is left a part: %v", err)
	}
	if _, err := os.Lstat(mark); err == nil {
		t.Error("the mark stayed over a whole cache")
	}
}
