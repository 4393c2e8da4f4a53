package cache

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	childEnv = "SPECBUILD_CACHE_TEST" // what this binary does instead of testing
	treeSize = 20                     // files of each test snapshot
)

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := child(what, os.Args[1]); err != nil {
			fmt.Println("child:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child is another process of the store in dir.
func child(what, dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	defer s.Close()
	switch what {
	case "use": // looks one entry up and lives until its input ends
		e, ok := s.Def(DefID{1})
		fmt.Println("ready", ok, e.Output)
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	case "lock":
		unlock, err := s.Lock(context.Background(), "the lock", nil)
		if err != nil {
			return err
		}
		defer unlock()
		fmt.Println("ready")
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	default:
		return hammer(s)
	}
}

// hammer does everything over and over; it ends only by being killed.
func hammer(s *Store) error {
	for i := 0; ; i++ {
		n := rand.IntN(20)
		for _, do := range []func(*Store, int) error{hammerEntry, hammerSnapshot, hammerLock, hammerMount, hammerPrune} {
			if err := do(s, n); err != nil {
				return err
			}
		}
	}
}

func hammerEntry(s *Store, n int) error {
	content := strings.Repeat(strconv.Itoa(n), 20000)
	digest, err := s.PutBlob([]byte(content))
	if err != nil {
		return err
	}
	e := Entry{Output: content, Blobs: []BlobRef{{Digest: digest, Size: int64(len(content))}}}
	if err := s.Publish(DefID{byte(n)}, ActionID{byte(n)}, e); err != nil {
		return err
	}
	chunk := []byte(content[n:])
	s.Chunks().Put(digest, []Chunk{{Key: [32]byte{byte(n)}, Offset: int64(n), Size: int64(len(chunk)), Sum: checksum(chunk)}})
	if got, ok := s.Def(DefID{byte(n)}); ok && got.Output != content {
		return fmt.Errorf("entry %d has another's output", n)
	}
	if got, ok := s.Chunks().Get([32]byte{byte(n)}); ok && !bytes.Equal(got, chunk) {
		return fmt.Errorf("chunk %d has another's content", n)
	}
	return nil
}

func hammerSnapshot(s *Store, n int) error {
	path, err := s.Snapshot(context.Background(), "full", "tree "+strconv.Itoa(n), func(dir string) error {
		for i := range treeSize {
			if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), []byte(strconv.Itoa(n)), 0o600); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return checkTree(path, n)
}

func checkTree(path string, n int) error {
	for i := range treeSize {
		data, err := os.ReadFile(filepath.Join(path, strconv.Itoa(i)))
		if err != nil || string(data) != strconv.Itoa(n) {
			return fmt.Errorf("snapshot %d has %q in %d: %w", n, data, i, err)
		}
	}
	return nil
}

// hammerLock makes a file that must not be there: only one holder at a time.
// It holds its own pid, as a killed holder leaves it behind.
func hammerLock(s *Store, _ int) error {
	unlock, err := s.Lock(context.Background(), "shared lock", nil)
	if err != nil {
		return err
	}
	defer unlock()
	return alone(filepath.Join(s.Dir(), "holder"))
}

func hammerMount(s *Store, _ int) error {
	dir, release, err := s.Mount(context.Background(), "locked mount", Locked)
	if err != nil {
		return err
	}
	defer release()
	return alone(filepath.Join(dir, "holder"))
}

func alone(path string) error {
	if data, err := os.ReadFile(path); err == nil && len(data) > 0 {
		if pid, _ := strconv.Atoi(string(data)); pid != os.Getpid() && running(pid) {
			return fmt.Errorf("%d and %d hold %s at one time", pid, os.Getpid(), path)
		}
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	time.Sleep(time.Millisecond)
	return os.WriteFile(path, nil, 0o600)
}

// running is false for one that was killed, too: its locks go before it does,
// and until it is waited for there is a zombie.
func running(pid int) bool {
	const exiting = 0x4 // PF_EXITING of the kernel's include/linux/sched.h
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(data), ") ")
	if err != nil || !ok {
		return false
	}
	fields := strings.Fields(rest) // from the third on: state … flags is the ninth (proc_pid_stat(5))
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	return err == nil && fields[0] != "Z" && fields[0] != "X" && flags&exiting == 0
}

func hammerPrune(s *Store, n int) error {
	if n != 0 {
		return nil
	}
	_, err := s.Prune(context.Background(), PruneOptions{KeepBytes: 100 << 10})
	if errors.Is(err, ErrBusy) {
		return nil
	}
	return err
}

// spawn starts another process of the store; input keeps it alive.
func spawn(t *testing.T, what, dir string) (cmd *exec.Cmd, out *bufio.Reader, input io.Closer) {
	t.Helper()
	cmd = exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewReader(stdout), stdin
}

func expectLine(t *testing.T, out *bufio.Reader, want string) {
	t.Helper()
	if line, err := out.ReadString('\n'); err != nil || line != want+"\n" {
		t.Fatalf("the other process says %q, %v; want %q", line, err, want)
	}
}

// TestKilledProcessesLeaveNothingWrong has four processes do everything at
// once and kills them at random moments, then looks at every file.
func TestKilledProcessesLeaveNothingWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 15 {
		var cmds []*exec.Cmd
		var outs []*bufio.Reader
		for range 4 {
			cmd, out, _ := spawn(t, "hammer", dir)
			cmds, outs = append(cmds, cmd), append(outs, out)
		}
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
		for i, cmd := range cmds {
			cmd.Process.Kill()
			said, _ := io.ReadAll(outs[i])
			cmd.Wait()
			if len(said) > 0 {
				t.Fatalf("a process failed: %s", said)
			}
		}
	}
	checkStore(t, dir)
}

// checkStore opens a store that nobody is in and looks at all of it.
func checkStore(t *testing.T, dir string) {
	t.Helper()
	s := open(t, dir)
	<-s.reaped
	for _, sub := range []string{"tmp", "leases"} {
		left, _ := os.ReadDir(s.path(sub))
		left = dropOwn(left, s.Lease())
		if len(left) > 0 {
			t.Errorf("%s holds %v", sub, left)
		}
	}
	files := 0
	err := filepath.WalkDir(s.path("blob"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		if got, err := digestFile(path); err != nil || got != "sha256:"+d.Name() {
			t.Errorf("blob %s is %s, %v", d.Name(), got, err)
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%d blobs: %v", files, err)
	}
	hits := 0
	for n := range 20 {
		if e, ok := s.Def(DefID{byte(n)}); ok {
			hits++
			if _, err := readBlob(t, s, e.Blobs[0].Digest); err != nil {
				t.Error(err)
			}
		}
		if path, ok := s.FindSnapshot("full", "tree "+strconv.Itoa(n)); ok {
			hits++
			if err := checkTree(path, n); err != nil {
				t.Error(err)
			}
		}
	}
	if hits == 0 {
		t.Error("nothing was published")
	}
}

func dropOwn(list []fs.DirEntry, lease string) []fs.DirEntry {
	var left []fs.DirEntry
	for _, d := range list {
		// One killed between making its lease and locking it leaves a "new."
		// file, which is removed when it is an hour old.
		if d.Name() != lease && !strings.HasPrefix(d.Name(), newLease) && !strings.HasPrefix(d.Name(), "format.") {
			left = append(left, d)
		}
	}
	return left
}

func TestReapHookHearsOfDeadLeases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir)
	cmd, out, _ := spawn(t, "use", dir)
	expectLine(t, out, "ready false ")
	names, _ := os.ReadDir(filepath.Join(dir, "leases"))
	if len(names) != 2 {
		t.Fatalf("leases are %v", names)
	}
	cmd.Process.Kill()
	cmd.Wait()
	var dead []string
	s, err := Open(Options{Dir: dir, Reap: func(l string) { dead = append(dead, l) }})
	if err != nil {
		t.Fatal(err)
	}
	<-s.reaped
	defer s.Close()
	if len(dead) != 1 || !strings.Contains(dead[0], strconv.Itoa(cmd.Process.Pid)) {
		t.Errorf("dead leases are %v", dead)
	}
}

func TestWaiterIsToldWhoHoldsTheLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	cmd, out, input := spawn(t, "lock", dir)
	expectLine(t, out, "ready")
	told := 0
	unlock, err := s.Lock(context.Background(), "the lock", func(pid int) {
		told = pid
		input.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if told != cmd.Process.Pid {
		t.Errorf("told of %d, want %d", told, cmd.Process.Pid)
	}
}

func TestKilledHolderLetsGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	cmd, out, _ := spawn(t, "lock", dir)
	expectLine(t, out, "ready")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, "the lock", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("while it is held: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	unlock, err := s.Lock(context.Background(), "the lock", nil)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if left, _ := os.ReadDir(s.path("locks")); len(left) != 0 {
		t.Errorf("lock files are left: %v", left)
	}
}
