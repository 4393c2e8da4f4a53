//go:build linux

package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeV2 is a tree that looks like cgroup v2, with our own group where /proc
// says that it is, or the nearest that is there.
func fakeV2(t *testing.T, controllers string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": controllers + "\n", "cgroup.procs": "",
	} {
		mustWrite(t, filepath.Join(root, name), text)
	}
	return root
}

func TestCgroupV2(t *testing.T) {
	t.Parallel()
	root := fakeV2(t, "cpu memory pids")
	g, err := newCgroup(root, Limits{Memory: 1 << 20, CPUs: 1.5, Pids: 10})
	if err != nil {
		t.Fatal(err)
	}
	if !g.v2 || len(g.dirs) != 1 || filepath.Dir(g.dirs[0]) != root {
		t.Fatalf("made %+v, want one group of v2 below %s", g, root)
	}
	for file, want := range map[string]string{
		"memory.max": "1048576", "memory.swap.max": "0", "cpu.max": "150000 100000", "pids.max": "22",
	} {
		wantFile(t, filepath.Join(g.dirs[0], file), want)
	}
	if err := g.add(4711); err != nil {
		t.Error(err)
	}
	wantFile(t, filepath.Join(g.dirs[0], "cgroup.procs"), "4711")
	if g.oom(true) {
		t.Error("out of memory before anything ran")
	}
	mustWrite(t, filepath.Join(g.dirs[0], "memory.events"), "low 0\noom 1\noom_kill 1\n")
	if !g.oom(true) {
		t.Error("a kill for lack of memory is not seen")
	}
}

func TestCgroupEnablesControllers(t *testing.T) {
	t.Parallel()
	root := fakeV2(t, "cpu")
	if _, err := newCgroup(root, Limits{CPUs: 1, Pids: 10}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(root, "cgroup.subtree_control"), "+pids") // the kernel would keep cpu
}

func TestNoLimitsNeedNoCgroups(t *testing.T) {
	t.Parallel()
	if g, err := newCgroup("/nowhere", Limits{}); err != nil || len(g.dirs) != 0 {
		t.Errorf("%+v, error %v", g, err)
	}
	if _, err := newCgroup("/nowhere", Limits{Pids: 1}); !errors.Is(err, ErrLimits) {
		t.Errorf("limits without cgroups: error %v", err)
	}
}

// Leftovers are told from groups of the living by process and its start.
func TestCleanCgroups(t *testing.T) {
	t.Parallel()
	root := fakeV2(t, "")
	alive := filepath.Join(root, cgroupPrefix+owner(os.Getpid())+"-aa")
	reused := filepath.Join(root, cgroupPrefix+strings.Split(owner(os.Getpid()), "-")[0]+"-1-bb")
	dead := filepath.Join(root, cgroupPrefix+"999999999-5-cc")
	foreign := filepath.Join(root, "user.slice")
	for _, d := range []string{alive, reused, dead, foreign} {
		mustMkdir(t, d)
	}
	if err := CleanCgroups(root); err != nil {
		t.Error(err)
	}
	wantMissing(t, dead)
	wantMissing(t, reused)
	for _, d := range []string{alive, foreign} {
		if _, err := os.Stat(d); err != nil {
			t.Error(err)
		}
	}
}

// A container sees the hierarchy from its own group on.
func TestUpward(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ root, group, want string }{
		{"/", "/a/b", "/cg/a/b /cg/a /cg"},
		{"/docker/x", "/docker/x/y", "/cg/y /cg"},
		{"/", "/", "/cg"},
		{"/", "/../../up", "/up"},
	} {
		if got := strings.Join(cgroupMount{"/cg", c.root}.upward(c.group), " "); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestSubordinateIDs(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "subuid")
	mustWrite(t, file, "other:1:5\nme:100000:65536\n# comment\nme:x:1\n1234:300000:10\n")
	var got []IDRange
	if err := readSubordinate(file, "me", "1234", &got); err != nil {
		t.Fatal(err)
	}
	if want := (IDRange{65537, 300000, 10}); len(got) != 2 || got[0] != (IDRange{1, 100000, 65536}) || got[1] != want {
		t.Errorf("%+v", got)
	}
	if err := readSubordinate(file, "nobody", "7", &got); err == nil || !strings.Contains(err.Error(), "usermod") {
		t.Errorf("error %v, want what to do", err)
	}
}
