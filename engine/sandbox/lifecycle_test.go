//go:build linux

package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// childEnv makes a test that is only for a child process run in it.
const childEnv = "SANDBOX_TEST_CHILD"

// child starts this test program again, for one test.
func child(t *testing.T, name string, uid uint32) *exec.Cmd {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sandbox-child-") // whose parents all may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "test")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^"+name+"$", "-test.v", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), childEnv+"="+dir, probeEnv+"="+probe, "TMPDIR="+dir)
	cmd.Dir = dir
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	return cmd
}

// TestRootlessChild runs as an ordinary user, started by TestRootless.
func TestRootlessChild(t *testing.T) {
	if os.Getenv(childEnv) == "" {
		t.Skip("part of TestRootless")
	}
	r := Native(Options{})
	for _, b := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"id"}, 0, "0 0 0 "},
		{[]string{"loopback"}, 0, ""},
		{[]string{"write", "/tmp/x", "y"}, 0, ""},
		{[]string{"write", "/etc/hosts2", "y"}, 0, ""},
		{[]string{"append", "/dev/null", "y"}, 0, ""},
		{[]string{"chown", "/etc"}, 1, ""},
		{[]string{"mount"}, 42, "mount: operation not permitted"},
		{[]string{"proc-exe"}, 42, "proc-exe: permission denied"},
		{[]string{"proc-mem"}, 42, "proc-mem: permission denied"},
		{[]string{"core_pattern"}, 42, ""},
		{[]string{"status", "NoNewPrivs", "Seccomp"}, 0, "NoNewPrivs:\t1\nSeccomp:\t2\n"},
	} {
		for _, r := range []Runner{r, spared{r.(*native)}} {
			s := spec(t, b.args...)
			s.IDMap.Kind = IDMapSingle
			secret(t, &s, "/run/k")
			if got := run(t, r, s); got.Code != b.code || !strings.HasPrefix(got.out, b.out) || got.failed != nil {
				t.Errorf("%T, %q: %+v, error %v", r, b.args, got, got.failed)
			}
		}
	}
	s := spec(t, "true")
	s.IDMap.Kind, s.Limits.Memory = IDMapSingle, 1<<20
	if got := run(t, r, s); !errors.Is(got.failed, ErrLimits) {
		t.Errorf("limits without access to cgroups: %+v, error %v", got, got.failed)
	}
	if err := tryRun(IDMap{Kind: IDMapSingle}, nil); err != nil {
		t.Error(err)
	}
}

func TestRootless(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	out, err := child(t, "TestRootlessChild", 1234).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Ranges of ids, mapped before the child has its job.
func TestIDRanges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	n := Native(Options{}).(*native)
	for _, r := range []Runner{n, spared{n}} {
		s := spec(t, "write", "/tmp/x", "y")
		s.IDMap = IDMap{Kind: IDMapRanges, UIDs: []IDRange{{0, 0, 1}, {1, 100000, 65535}}, GIDs: []IDRange{{0, 0, 1}, {1, 100000, 65535}}}
		s.UID, s.GID, s.Groups = 1000, 1000, []uint32{5}
		if err := os.Chmod(filepath.Join(s.Root.Lower[0], "tmp"), 0o777); err != nil {
			t.Fatal(err)
		}
		got := run(t, r, s)
		st, err := os.Stat(filepath.Join(s.Root.Upper, "tmp/x"))
		if err != nil || got.failed != nil {
			t.Fatalf("%T: %+v, error %v, %v", r, got, got.failed, err)
		}
		if uid := st.Sys().(*syscall.Stat_t).Uid; uid != 100999 {
			t.Errorf("%T: user 1000 is %d on the machine, want 100999", r, uid)
		}
	}
}

// TestVictim is killed while it runs a command, by TestKill.
func TestVictim(t *testing.T) {
	if os.Getenv(childEnv) == "" {
		t.Skip("part of TestKill")
	}
	s := spec(t, "stubborn")
	s.Stdout, s.Stderr = os.Stdout, os.Stdout
	s.Limits.Pids = 50
	_, err := Native(Options{}).Run(t.Context(), s)
	t.Error("not killed", err)
}

// kill -9 leaves no process, no mount, and cgroups only until the next run.
func TestKill(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	mounts := mountsOf(t, "TestVictim")
	cmd := child(t, "TestVictim", 0)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for sc := bufio.NewScanner(out); sc.Scan() && sc.Text() != "ready"; {
	}
	pid := cmd.Process.Pid
	below := descendants(pid)
	if len(below) < 2 {
		t.Errorf("no process 1 and command below the victim: %v", below)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	deadline := time.Now().Add(2 * time.Second)
	for _, p := range below {
		for syscall.Kill(p, 0) == nil {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is still there", p)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if n := mountsOf(t, "TestVictim"); n != mounts {
		t.Errorf("%d mounts, %d before", n, mounts)
	}
	if left := cgroupsOf(t, pid); left == 0 {
		t.Error("no cgroup was left: the rest proves nothing")
	}
	if err := CleanCgroups(""); err != nil {
		t.Error(err)
	}
	if left := cgroupsOf(t, pid); left != 0 {
		t.Errorf("%d cgroups are left", left)
	}
}

func cgroupsOf(t *testing.T, pid int) int {
	t.Helper()
	h, err := findCgroups("", "/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, parents := range append(values(h.v1), h.v2) {
		for _, dir := range parents {
			found, _ := filepath.Glob(fmt.Sprintf("%s/%s%d-*", dir, cgroupPrefix, pid))
			n += len(found)
		}
	}
	return n
}

// descendants lists the processes below one.
func descendants(pid int) []int {
	var out []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		for _, word := range strings.Fields(string(text)) {
			var c int
			if _, err := fmt.Sscan(word, &c); err == nil {
				out = append(append(out, c), descendants(c)...)
			}
		}
	}
	return out
}

// mountsOf counts the mounts in the folders of a test: tests of other packages
// come and go on the same machine.
func mountsOf(t *testing.T, test string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "/"+test) {
			n++
		}
	}
	return n
}

// Many at once leave nothing behind.
func TestParallelLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	r := Native(Options{})
	run(t, r, spec(t, "true")) // what the runtime opens once
	before, mounts := fds(t), mountsOf(t, t.Name())
	var wg sync.WaitGroup
	for i := range 40 {
		s := spec(t, "echo", fmt.Sprint(i))
		s.Limits.Pids = 30
		secret(t, &s, "/run/secrets/k")
		wg.Go(func() {
			if got := run(t, r, s); got.out != fmt.Sprintln(i) || got.failed != nil {
				t.Errorf("%d: %+v, error %v", i, got, got.failed)
			}
		})
	}
	wg.Wait()
	if after := fds(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
	if n := mountsOf(t, t.Name()); n != mounts {
		t.Errorf("%d mounts, %d before", n, mounts)
	}
	if left := descendants(os.Getpid()); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if left := cgroupsOf(t, os.Getpid()); left > 0 {
		t.Errorf("%d cgroups are left", left)
	}
}

func fds(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// layers makes an overlay of n lower directories with long names.
func layers(t testing.TB, r Root, n int) Root {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		d := filepath.Join(dir, fmt.Sprintf("%064d", i))
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		r.Lower = append(r.Lower, d)
	}
	return r
}

func TestManyLayers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, c := range []struct {
		n    int
		off  guard
		fits bool
	}{{60, 0, true}, {498, 0, true}, {30, guardNewMount, true}, {200, guardNewMount, false}} {
		t.Run(fmt.Sprint(c.n, " old mount: ", c.off != 0), func(t *testing.T) {
			s := spec(t, "true")
			s.Root, s.off = layers(t, s.Root, c.n), c.off
			got := run(t, Native(Options{}), s)
			if fits := got.failed == nil && got.Code == 0; fits != c.fits {
				t.Errorf("%+v, error %v", got, got.failed)
			}
			if !c.fits && !strings.Contains(got.failed.Error(), "flatten") {
				t.Errorf("the error does not say what to do: %v", got.failed)
			}
		})
	}
}

// Cost of a run of nothing, its overlay included.
func BenchmarkTrue(b *testing.B) {
	for _, n := range []int{0, 60, 498} {
		b.Run(fmt.Sprint(n+1, " layers"), func(b *testing.B) {
			s, r := spec(b, "true"), Native(Options{})
			s.Root = layers(b, s.Root, n)
			run(b, r, s) // compiles the filter
			for i := 0; b.Loop(); i++ {
				s.Root.Work = filepath.Join(b.TempDir(), fmt.Sprint(i))
				s.Root.Upper = s.Root.Work + "u"
				if err := errors.Join(os.Mkdir(s.Root.Work, 0o755), os.Mkdir(s.Root.Upper, 0o755)); err != nil {
					b.Fatal(err)
				}
				if got := run(b, r, s); got.failed != nil || got.Code != 0 {
					b.Fatal(got)
				}
			}
		})
	}
}
