package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespaceName in argv[0] is how the program knows that it was started again
// in a namespace; it is also what ps(1) shows.
const namespaceName = "specbuild-namespace"

// The descriptors of the program in the namespace: what it is told comes in by
// the first, and by the second goes out that it is root there.
const (
	toldFD  = 3
	readyFD = 4
)

// welcome is what the program in the namespace is told: not before its ids are
// mapped, so that waiting for the one is waiting for the other.
type welcome struct {
	IDs  IDMap
	Note string
}

// Reenter starts this program again with the same arguments, as root of a user
// namespace that has the ids of m, and a mount namespace. It waits for its end
// and gives the exit code; 128 and the signal for one that was killed. An
// error means that nothing was run.
//
// Both are one process group, so a terminal's signals reach both; others are
// handed on. The one inside dies with the one outside, however that ends.
func Reenter(m IDMap, note string) (code int, err error) {
	// PDEATHSIG is sent when the thread ends that forked, not the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	told, tell, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("enter a user namespace: %w", err)
	}
	defer told.Close()
	defer tell.Close()
	answer, ready, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("enter a user namespace: %w", err)
	}
	defer answer.Close()
	defer ready.Close()
	signals := make(chan os.Signal, 16)
	defer signal.Stop(signals)
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT} {
		if !signal.Ignored(s) { // nohup(1) goes for the inner one, too
			signal.Notify(signals, s)
		}
	}
	cmd := again(m, told, ready)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("enter a user namespace: %w", err)
	}
	told.Close()
	ready.Close()
	if err := introduce(cmd.Process.Pid, m, note, tell, answer); err != nil {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		return 0, fmt.Errorf("enter a user namespace: %w", err)
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("wait for the user namespace: %w", err)
	}
	code, _ = status(cmd.ProcessState.Sys().(syscall.WaitStatus))
	return code, nil
}

// again is this program in the namespaces, before its ids are mapped.
func again(m IDMap, told, ready *os.File) *exec.Cmd {
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: append([]string{namespaceName}, os.Args[1:]...),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{told, ready},
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		},
	}
	userNamespace(cmd.SysProcAttr, m)
	return cmd
}

// introduce maps the ids of the new process, tells it, and waits until it says
// that it is root.
func introduce(pid int, m IDMap, note string, tell io.WriteCloser, ready io.Reader) error {
	if err := mapIDs(pid, m); err != nil {
		return err
	}
	text, err := json.Marshal(welcome{m, note})
	if err == nil {
		_, err = tell.Write(text)
	}
	if err = errors.Join(err, tell.Close()); err != nil {
		return err
	}
	answer, err := io.ReadAll(ready)
	if err != nil || string(answer) == "ready" {
		return err
	}
	if len(answer) == 0 {
		answer = []byte("the program ended at once")
	}
	return errors.New(string(answer))
}

// Inside says whether [Reenter] started this program. It must be called early
// in main: it waits for the ids to be mapped. ids is the map for steps, note
// what Reenter was given.
func Inside() (ids IDMap, note string, ok bool) {
	if os.Args[0] != namespaceName {
		return IDMap{}, "", false
	}
	// A parent that dies from now on takes us along, and one that died before
	// tells nothing.
	err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	var t welcome
	if err == nil {
		err = json.NewDecoder(os.NewFile(toldFD, "told")).Decode(&t)
	}
	_ = unix.Close(toldFD)
	if err == nil && (os.Geteuid() != 0 || os.Getegid() != 0) {
		err = fmt.Errorf("the user is %d:%d there, and not 0:0", os.Geteuid(), os.Getegid())
	}
	answer := "ready"
	if err != nil {
		answer = err.Error()
	}
	if _, werr := unix.Write(readyFD, []byte(answer)); err != nil || werr != nil {
		os.Exit(1) // the parent says why, or there is none
	}
	_ = unix.Close(readyFD)
	return t.IDs.Within(), t.Note, true
}

// minimumIDs is how many subordinate ids make a user's builds like root's:
// distributions number their users up to 65534, "nobody".
const minimumIDs = 65536

// Subordinate gives the ids that this user may have in a namespace: itself as
// 0, and its ranges of /etc/subuid and /etc/subgid from 1 on. The error says
// in a line what is missing: the programs that map, or enough ids.
func Subordinate() (IDMap, error) {
	m, err := subordinate()
	if err != nil {
		return IDMap{}, err
	}
	for _, k := range []struct {
		file   string
		ranges []IDRange
	}{{"/etc/subuid", m.UIDs}, {"/etc/subgid", m.GIDs}} {
		var n uint64
		for _, r := range k.ranges[1:] { // the first is the user's own
			n += uint64(r.Count)
		}
		if n < minimumIDs {
			return IDMap{}, fmt.Errorf("%s gives this user %d ids, and %d are needed", k.file, n, minimumIDs)
		}
	}
	return m, nil
}
