//go:build linux

package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// spared is the native sandbox with a server that was started before each run,
// and, where a root can be made beside that of the run, has served another.
type spared struct{ *native }

// Run waits until the spare is there, so that the run has it for sure.
func (s spared) Run(ctx context.Context, spec Spec) (Exit, error) {
	s.Expect(ctx, spec)
	if spec.Root.Upper != "" && len(spec.Root.Lower) > 0 {
		if err := s.first(ctx, spec); err != nil {
			return Exit{}, err
		}
	}
	if idle := s.idle(spec); idle != nil {
		<-idle.started
	}
	return s.native.Run(ctx, spec)
}

// first runs something else on what will run spec.
func (s spared) first(ctx context.Context, spec Spec) error {
	dir, err := os.MkdirTemp(filepath.Dir(spec.Root.Upper), "first-")
	if err != nil {
		return err
	}
	first := Spec{
		Root: Root{Lower: spec.Root.Lower, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")},
		Args: []string{"/bin/probe", "true"}, Network: spec.Network, IDMap: spec.IDMap, off: spec.off,
	}
	for _, d := range []string{first.Root.Upper, first.Root.Work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	s.Expect(ctx, spec)
	idle := s.idle(spec)
	exit, err := s.native.Run(ctx, first)
	if err != nil || exit.Code != 0 {
		return fmt.Errorf("the run before: exit status %d: %w", exit.Code, err)
	}
	if idle == nil || s.idle(spec) != idle {
		return errors.New("the run before left no server behind")
	}
	return nil
}

// idle is the spare for runs like s.
func (n *native) idle(s Spec) *process {
	n.spares.mu.Lock()
	defer n.spares.mu.Unlock()
	if st := n.spares.kind[birthOf(s).key()]; st != nil {
		if len(st.idle) > 0 {
			return st.idle[len(st.idle)-1].process
		}
	}
	return nil
}

// waiting expects a run and gives the process that waits for it.
func waiting(t *testing.T, ctx context.Context, n *native, s Spec) *process {
	t.Helper()
	n.Expect(ctx, s)
	p := n.idle(s)
	if p == nil {
		t.Fatal("no spare")
	}
	if <-p.started; p.err != nil {
		t.Fatal(p.err)
	}
	return p
}

// ends waits for a condition that is about to come true.
func ends(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func newNative(t *testing.T) *native {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	return Native(Options{}).(*native)
}

func TestASpareEndsWithTheLastRunThatIsExpected(t *testing.T) {
	n := newNative(t)
	s := spec(t, "true")
	p := waiting(t, t.Context(), n, s)
	if got := run(t, n, s); got.failed != nil || got.Code != 0 {
		t.Fatalf("%+v, error %v", got, got.failed)
	}
	if !p.gone() {
		t.Error("the spare was not used, or outlived its run")
	}
	if left := n.idle(s); left != nil {
		t.Error("a spare waits for a run that nobody expects")
	}
}

// Run after run, each in a process 1, namespaces and a root of its own, and
// between them the server has what it had before.
func TestASpareServesOneRunAfterAnother(t *testing.T) {
	n := newNative(t)
	s := spec(t, "true")
	p := waiting(t, t.Context(), n, s)
	const runs = 6
	for range runs {
		n.Expect(t.Context(), s)
	}
	dir := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	open := 0
	before := 0
	for range runs {
		keepers := descendants(p.cmd.Process.Pid)
		if n.idle(s) != p {
			t.Fatal("another spare")
		}
		ends(t, "it does not get ready", func() bool {
			keepers = descendants(p.cmd.Process.Pid)
			return len(keepers) == 1
		})
		for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts"} {
			link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", keepers[0], ns))
			ours, _ := os.Readlink("/proc/self/ns/" + ns)
			if err != nil || link == ours {
				t.Errorf("process 1 is in the machine's %s (%v)", link, err)
			}
		}
		if keepers[0] == before {
			t.Errorf("process %d serves a second run", before)
		}
		before = keepers[0]
		ends(t, "descriptors are left of a run", func() bool {
			list, err := os.ReadDir(dir + "fd")
			if open == 0 {
				time.Sleep(50 * time.Millisecond) // everything is there that stays
				list, err = os.ReadDir(dir + "fd")
				open = len(list)
			}
			return err == nil && len(list) > 3 && len(list) <= open
		})
		s.Root = newRoot(t)
		if got := run(t, n, s); got.failed != nil || got.Code != 0 {
			t.Fatalf("%+v, error %v", got, got.failed)
		}
		if slices.Contains(descendants(os.Getpid()), keepers[0]) {
			t.Error("process 1 outlived its run")
		}
	}
}

// What has seen a secret, is in a group with limits or did not end as it should
// serves nobody else.
func TestAServerThatServesNobodyElse(t *testing.T) {
	once, limited, killed := spec(t, "true"), spec(t, "true"), spec(t, "stubborn")
	once.Once = true
	limited.Limits.Pids = 50
	killed.Timeout = 50 * time.Millisecond
	for what, s := range map[string]Spec{"a secret": once, "limits": limited, "a timeout": killed} {
		n := newNative(t)
		ctx, cancel := context.WithCancel(t.Context())
		p := waiting(t, ctx, n, s)
		n.Expect(ctx, s)
		if got := run(t, n, s); got.failed != nil || !p.gone() || n.idle(s) != nil {
			t.Errorf("%s: error %v, gone %v", what, got.failed, p.gone())
		}
		cancel()
	}
}

func TestAnUnusedSpareEndsWithItsContext(t *testing.T) {
	n := newNative(t)
	run(t, n, spec(t, "true")) // what the runtime opens once
	before, mounts := fds(t), mountsOf(t, t.Name())
	ctx, cancel := context.WithCancel(t.Context())
	s := spec(t, "true")
	p := waiting(t, ctx, n, s)
	if n := len(descendants(os.Getpid())); n < 1 || n > 2 {
		t.Errorf("processes %v, want the spare and a process 1", descendants(os.Getpid()))
	}
	cancel()
	ends(t, "the spare is still there", p.gone)
	ends(t, "descriptors are left", func() bool { return fds(t) <= before })
	if left := descendants(os.Getpid()); len(left) > 0 || mountsOf(t, t.Name()) != mounts {
		t.Errorf("processes %v or mounts are left", left)
	}
	if got := run(t, n, s); got.failed != nil || got.Code != 0 { // and a later run does without
		t.Errorf("%+v, error %v", got, got.failed)
	}
}

// A run that is cancelled before it begins leaves its spare to the context.
func TestCancelledWhileASpareWaits(t *testing.T) {
	n := newNative(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := spec(t, "true")
	p := waiting(t, ctx, n, s)
	cancel()
	if _, err := n.Run(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	ends(t, "the spare is still there", p.gone)
}

// Nobody but the server knows of a run; when it is killed the kernel ends the
// run, which the server's socket to process 1 sees to.
func TestAServerThatIsKilledTakesItsRunAlong(t *testing.T) {
	n := newNative(t)
	s := spec(t, "stubborn")
	p := waiting(t, t.Context(), n, s)
	ready := make(chan struct{})
	out := &notify{word: "ready", then: func() { close(ready) }}
	s.Stdout, s.Stderr = out, out
	failed := make(chan error, 1)
	go func() {
		_, err := n.Run(t.Context(), s)
		failed <- err
	}()
	<-ready
	below := descendants(p.cmd.Process.Pid)
	if len(below) < 2 {
		t.Errorf("no process 1 and no command below the server: %v", below)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("a run without its server went on")
	}
	for _, pid := range below {
		ends(t, "it still runs", func() bool { return !running(pid) })
	}
}

// running says whether a process is more than an entry in the table, which is
// whose parent it is to remove.
func running(pid int) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err == nil && exe != ""
}

func TestASpareThatDiedIsReplaced(t *testing.T) {
	n := newNative(t)
	s := spec(t, "echo", "x")
	p := waiting(t, t.Context(), n, s)
	if err := syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ends(t, "it does not die", p.gone)
	if got := run(t, n, s); got.out != "x\n" || got.failed != nil {
		t.Errorf("%+v, error %v", got, got.failed)
	}
}

// What a process is born with cannot be changed later, so each kind of run
// has its own spare.
func TestSparesOfSeveralKinds(t *testing.T) {
	n := newNative(t)
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	alone, shared := spec(t, "true"), spec(t, "true")
	shared.Network = NetworkOutbound
	for _, s := range []Spec{alone, shared} {
		p := waiting(t, t.Context(), n, s)
		var keepers []int
		ends(t, "it does not get ready", func() bool {
			keepers = descendants(p.cmd.Process.Pid)
			return len(keepers) == 1
		})
		net, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", keepers[0]))
		if err != nil || (net == ours) != (s.Network == NetworkOutbound) {
			t.Errorf("network %v: namespace %s (%v), ours is %s", s.Network, net, err, ours)
		}
	}
	kept := n.idle(alone)
	if got := run(t, n, shared); got.failed != nil || n.idle(alone) != kept || kept.gone() {
		t.Errorf("%v; a run with another network took the spare", got.failed)
	}
	single := spec(t, "id")
	single.IDMap.Kind = IDMapSingle
	waiting(t, t.Context(), n, single)
	if got := run(t, n, single); got.out != "0 0 0 []\n" && got.out != "0 0 0 [65534]\n" || got.failed != nil {
		t.Errorf("%+v, error %v", got, got.failed)
	}
}

// A spare has the descriptors, the environment and the memory of nothing that
// was there when it started.
func TestASpareKnowsNothing(t *testing.T) {
	n := newNative(t)
	t.Setenv("SPECBUILD_TEST_TOKEN", "of-the-machine")
	name := filepath.Join(t.TempDir(), "left-open")
	mustWrite(t, name, "")
	open, err := os.Open(name) // with O_CLOEXEC, as everything of ours
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	other := spec(t, "polite")
	secret(t, &other, "/run/secrets/other")
	ready, done := make(chan struct{}), make(chan struct{})
	out := &notify{word: "ready", then: func() { close(ready) }}
	other.Stdout, other.Stderr, other.Timeout = out, out, 2*time.Second
	go func() {
		defer close(done)
		_, _ = n.Run(t.Context(), other) // it is there while the spare starts
	}()
	<-ready
	s := spec(t, "env")
	p := waiting(t, t.Context(), n, s)
	dir := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	var targets []string
	ends(t, "it does not get ready", func() bool { // once it runs our program
		env, err := os.ReadFile(dir + "environ")
		return err == nil && string(env) == "GOMAXPROCS=1\x00"
	})
	list, err := os.ReadDir(dir + "fd")
	if err != nil {
		t.Fatal(err)
	}
	leaked := leftOpen(t)
	for _, fd := range list {
		target, _ := os.Readlink(dir + "fd/" + fd.Name())
		targets = append(targets, target)
		known := target == "/dev/null" || strings.HasPrefix(target, "socket:") && fd.Name() == "3" ||
			strings.HasPrefix(target, "/sys/fs/cgroup/") || // Go's runtime, which looks how much CPU there is
			target == dir+"maps" // the C library's start, which looks for its stack
		if !known && !slices.Contains(leaked, target) {
			t.Errorf("descriptor %s is %s", fd.Name(), target)
		}
	}
	if len(targets) < 4 {
		t.Errorf("descriptors %q: /proc shows too little to judge", targets)
	}
	if got := run(t, n, s); got.out != "PATH=/bin\n" || !p.gone() {
		t.Errorf("printed %q; spare used %v", got.out, p.gone())
	}
	<-done
}

// leftOpen lists what whoever started this program left open in it. No command
// gets it: that is an escape of its own.
func leftOpen(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		fd, _ := strconv.Atoi(e.Name())
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			target, _ := os.Readlink("/proc/self/fd/" + e.Name())
			out = append(out, target)
		}
	}
	return out
}

// TestSpareVictim is killed while a spare of it waits, by TestKilledWithASpare.
func TestSpareVictim(t *testing.T) {
	if os.Getenv(childEnv) == "" {
		t.Skip("part of TestKilledWithASpare")
	}
	n := newNative(t)
	waiting(t, t.Context(), n, spec(t, "true"))
	fmt.Println("ready")
	time.Sleep(20 * time.Second)
	t.Error("not killed")
}

func TestKilledWithASpare(t *testing.T) {
	newNative(t)
	mounts := mountsOf(t, t.Name())
	cmd := child(t, "TestSpareVictim", 0)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for sc := bufio.NewScanner(out); sc.Scan() && sc.Text() != "ready"; {
	}
	below := descendants(cmd.Process.Pid)
	if len(below) < 1 || len(below) > 2 {
		t.Errorf("processes %v below the victim, want one spare and a process 1", below)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	for _, p := range below {
		ends(t, "the spare is still there", func() bool { return syscall.Kill(p, 0) != nil })
	}
	if n := mountsOf(t, t.Name()); n != mounts {
		t.Errorf("%d mounts, %d before", n, mounts)
	}
}

// Many at once, all expected: each has its own output, and nothing is left.
func TestParallelRunsWithSpares(t *testing.T) {
	n := newNative(t)
	run(t, n, spec(t, "true")) // what the runtime opens once
	before, mounts := fds(t), mountsOf(t, t.Name())
	ctx, cancel := context.WithCancel(t.Context())
	specs := make([]Spec, 40)
	for i := range specs {
		specs[i] = spec(t, "cat", "/run/secrets/k")
		specs[i].Mounts = []Mount{{Kind: MountSecret, Target: "/run/secrets/k", Content: fmt.Append(nil, "secret ", i)}}
		specs[i].Network = Network(i % 2)
		n.Expect(ctx, specs[i])
	}
	n.Expect(ctx, specs[0]) // one that never comes
	var wg sync.WaitGroup
	for i, s := range specs {
		wg.Go(func() {
			if got := run(t, n, s); got.out != fmt.Sprint("secret ", i) || got.failed != nil {
				t.Errorf("%d: %+v, error %v", i, got, got.failed)
			}
		})
	}
	wg.Wait()
	cancel()
	ends(t, "processes are left", func() bool { return len(descendants(os.Getpid())) == 0 })
	ends(t, "descriptors are left", func() bool { return fds(t) <= before })
	if n := mountsOf(t, t.Name()); n != mounts {
		t.Errorf("%d mounts, %d before", n, mounts)
	}
}

// A pipe that is handed over must block: who writes to one that does not
// loses output.
func TestOutputBlocks(t *testing.T) {
	t.Parallel()
	s, err := newStreams(&strings.Builder{}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	flags, err := unix.FcntlInt(s.stdout.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %#x, error %v", flags, err)
	}
	if s.stderr != os.Stderr {
		t.Error("a file is not handed over as it is")
	}
}

func TestSameWriters(t *testing.T) {
	t.Parallel()
	var a, b strings.Builder
	if !same(&a, &a) || same(&a, &b) || same(&a, nil) || !same(nil, nil) || same(uncomparable{}, uncomparable{}) {
		t.Error("writers are told apart wrongly")
	}
}

type uncomparable struct{ _ []byte }

func (uncomparable) Write(p []byte) (int, error) { return len(p), nil }
