//go:build linux

package sandbox

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// foreign gives the programs of others, as they are used in a namespace.
func foreign(t *testing.T) map[string]Runner {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	out := map[string]Runner{}
	for _, name := range []string{"runc", crun} {
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		r, err := Runc(Options{Runc: name})
		if err != nil {
			t.Fatal(err)
		}
		out[name] = r
	}
	if len(out) == 0 {
		t.Skip("needs runc or crun")
	}
	return out
}

// namespaced is the map of a namespace in which each id is itself, so that
// tests can look at what a run has written.
func namespaced() IDMap {
	all := []IDRange{{0, 0, 1}, {1, 1, 65535}}
	return IDMap{Kind: IDMapRanges, UIDs: all, GIDs: all}
}

func TestBehaviourInANamespace(t *testing.T) {
	all := foreign(t)
	all["native"] = Native(Options{})
	for name, r := range all {
		for _, b := range behaviours {
			t.Run(name+"/"+b.name, func(t *testing.T) {
				s := spec(t, b.args...)
				s.IDMap = namespaced()
				if b.with != nil {
					b.with(t, &s)
				}
				got := run(t, r, s)
				if got.failed != nil || got.Code != b.code || (b.code == 0 && got.out != b.out) {
					t.Errorf("exit %d, printed %q and %q, error %v; want exit %d, %q", got.Code, got.out, got.err, got.failed, b.code, b.out)
				}
			})
		}
	}
}

func TestEscapesAreHeldInANamespace(t *testing.T) {
	for name, r := range foreign(t) {
		for _, e := range escapes {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				if e.process1 {
					t.Skip("there is no process 1 of ours")
				}
				s := spec(t, append([]string{e.name}, e.args...)...)
				s.IDMap = namespaced()
				if e.with != nil {
					e.with(t, &s, false)
				}
				got := run(t, r, s)
				if absent := e.lacking != nil && e.lacking() != "" && got.Code == 0; absent {
					t.Skip(e.lacking())
				}
				if got.Code != 42 || got.failed != nil {
					t.Errorf("exit %d (%q, %q), error %v: not held", got.Code, got.out, got.err, got.failed)
				}
			})
		}
	}
}

func TestForeignEnds(t *testing.T) {
	for name, r := range foreign(t) {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{"nothing", "/bin/nothing"} {
				s := spec(t)
				s.Args, s.IDMap = []string{command}, namespaced()
				if got := run(t, r, s); !errors.Is(got.failed, ErrCommand) {
					t.Errorf("%s: exit %+v, error %v, want one of the command", command, got.Exit, got.failed)
				}
			}
			s := spec(t, "sleep", "1m")
			s.Timeout, s.IDMap = 300*time.Millisecond, namespaced()
			if got := run(t, r, s); !got.TimedOut || got.failed != nil {
				t.Errorf("%+v, error %v, want a timeout", got.Exit, got.failed)
			}
			s = spec(t, "memory-bomb")
			s.Limits.Memory, s.IDMap = 64<<20, namespaced()
			if got := run(t, r, s); !got.OOM || got.Code == 0 {
				t.Errorf("%+v, error %v, want a death for lack of memory", got.Exit, got.failed)
			}
		})
	}
}

// Without a user namespace crun would give the machine's devices away.
func TestCrunIsNotForRoot(t *testing.T) {
	r, ok := foreign(t)[crun]
	if !ok {
		t.Skip("needs crun")
	}
	if got := run(t, r, spec(t, "true")); !errors.Is(got.failed, ErrUnsupported) {
		t.Errorf("%+v, error %v", got.Exit, got.failed)
	}
}

func TestWithinAMapIDsAreThemselves(t *testing.T) {
	t.Parallel()
	m := IDMap{Kind: IDMapRanges, UIDs: []IDRange{{0, 1000, 1}, {1, 100000, 65536}, {65537, 300000, 10}}, GIDs: []IDRange{{0, 100, 1}, {1, 200000, 65536}}}
	in := m.Within()
	// One line would reach over several of the map around it, which the kernel refuses.
	if want := []IDRange{{0, 0, 1}, {1, 1, 65536}, {65537, 65537, 10}}; !slices.Equal(in.UIDs, want) {
		t.Errorf("users %v, want %v", in.UIDs, want)
	}
	if want := []IDRange{{0, 0, 1}, {1, 1, 65536}}; !slices.Equal(in.GIDs, want) {
		t.Errorf("groups %v, want %v", in.GIDs, want)
	}
	seen := map[string]bool{in.Owners: true}
	for _, change := range []func(){func() { m.UIDs[1].Outside++ }, func() { m.GIDs[0].Outside++ }, func() { m.GIDs[1].Count-- }} {
		change()
		if name := m.Within().Owners; seen[name] || m.Within().Owners != name {
			t.Errorf("owners %v are named %s, as others or not always", m, name)
		} else {
			seen[name] = true
		}
	}
}
