package sandbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options say how a Runner works on this machine; the zero value is right.
type Options struct {
	// Runc is the path of runc, for [Runc]; empty looks it up in PATH.
	Runc string
	// CgroupRoot is where cgroups are mounted; empty is /sys/fs/cgroup.
	CgroupRoot string
}

// grace is how long a command has between SIGTERM and SIGKILL.
const grace = time.Second

type native struct {
	opts    Options
	filters *filters
}

// Native is the sandbox in pure Go.
func Native(opts Options) Runner { return native{opts, &filters{}} }

// Run implements Runner.
func (n native) Run(ctx context.Context, s Spec) (Exit, error) {
	if err := ctx.Err(); err != nil {
		return Exit{}, err
	}
	j, err := newJob(s, n.filters)
	if err != nil {
		return Exit{}, err
	}
	return launch(ctx, j, s, n.opts)
}

// launch starts process 1, gives it the job and waits for the end of both.
func launch(ctx context.Context, j job, s Spec, opts Options) (Exit, error) {
	group, err := newCgroup(opts.CgroupRoot, s.Limits)
	if err != nil {
		return Exit{}, err
	}
	defer group.remove()
	// The kernel sends PDEATHSIG when the *thread* that forked ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := spawn(j, s)
	if err != nil {
		return Exit{}, err
	}
	defer p.control.Close()
	if err := p.prepare(j, group); err != nil {
		p.kill()
		return Exit{}, err
	}
	exit, err := p.watch(ctx, s.Timeout)
	emptyWork(s.Root.Work)
	exit.OOM = group.oom(exit.Code == 128+int(syscall.SIGKILL))
	return exit, err
}

// emptyWork removes what the kernel left in an overlay's work directory, which
// nobody but root could: the directories have mode 000.
func emptyWork(work string) {
	if work == "" {
		return
	}
	for _, d := range []string{"work", "work/incompat", "work/incompat/volatile"} {
		_ = os.Chmod(filepath.Join(work, d), 0o700)
	}
	_ = os.RemoveAll(filepath.Join(work, "work")) // and if not, it is the caller's to remove
}

// process is a running process 1.
type process struct {
	cmd     *exec.Cmd
	control *os.File
}

// spawn starts ourselves in new namespaces. It holds there until the job comes.
func spawn(j job, s Spec) (*process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make control socket: %w", err)
	}
	theirs, ours := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close()
	self, err := ownProgram(j.UserNS || j.Off&guardExe != 0)
	if err != nil {
		ours.Close()
		return nil, err
	}
	defer self.Close()
	cmd := &exec.Cmd{
		Path: fdPath(int(self.Fd())), Args: []string{initName},
		// One CPU's worth of runtime, no collection: less to start.
		Env: []string{"GOMAXPROCS=1", "GOGC=off"}, Dir: "/",
		Stdout: s.Stdout, Stderr: s.Stderr, ExtraFiles: []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{Cloneflags: cloneFlags(j), Pdeathsig: syscall.SIGKILL, Setsid: true},
	}
	if j.UserNS {
		userNamespace(cmd.SysProcAttr, s.IDMap)
	}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("%w: new namespaces: %w", ErrUnsupported, err)
	}
	return &process{cmd, ours}, nil
}

func cloneFlags(j job) uintptr {
	flags := uintptr(syscall.CLONE_NEWNS)
	for _, f := range []struct {
		on   bool
		flag uintptr
	}{
		{j.Off&guardPid == 0, syscall.CLONE_NEWPID},
		{j.Off&guardIPC == 0, syscall.CLONE_NEWIPC},
		{j.Off&guardUTS == 0, syscall.CLONE_NEWUTS},
		{j.OwnNet, syscall.CLONE_NEWNET},
		{j.UserNS, syscall.CLONE_NEWUSER},
	} {
		if f.on {
			flags |= f.flag
		}
	}
	return flags
}

// ownProgram opens this program by a read-only mount that exists nowhere but
// in the descriptor: who gets hold of process 1's executable in spite of all
// (CVE-2019-5736) cannot write to it. Mounting needs root; without it the
// file is the user's own, and process 1 not to be inspected anyway.
func ownProgram(plain bool) (*os.File, error) {
	const self = "/proc/self/exe"
	if !plain {
		fd, err := clone(unix.AT_FDCWD, self, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID)
		if err == nil {
			return os.NewFile(uintptr(fd), self), nil
		}
	}
	fd, err := unix.Open(self, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open own program: %w", err)
	}
	return os.NewFile(uintptr(fd), self), nil
}

// prepare does what needs the child to exist and not to run yet.
func (p *process) prepare(j job, group *cgroup) error {
	if j.UserNS {
		if err := mapIDs(p.cmd.Process.Pid, j.Spec.IDMap); err != nil {
			return err
		}
	}
	if err := group.add(p.cmd.Process.Pid); err != nil {
		return err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
	if _, err := p.control.Write(append(head, text...)); err != nil {
		return fmt.Errorf("hand the job to process 1: %w", err)
	}
	return nil
}

// kill ends process 1 and with it all of its namespace.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // its status says nothing that the reports do not
}

// outcome gathers the reports of process 1.
type outcome struct {
	exit            Exit
	err             error
	started, exited bool
}

// watch waits for the command, or for a reason to end it.
func (p *process) watch(ctx context.Context, timeout time.Duration) (Exit, error) {
	done := make(chan outcome, 1)
	go func() { done <- p.collect() }()
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	var out outcome
	timedOut := false
	select {
	case out = <-done:
	case <-late:
		timedOut = true
		out = p.end(done)
	case <-ctx.Done():
		out = p.end(done)
	}
	p.kill()
	out.exit.TimedOut = timedOut
	switch {
	case ctx.Err() != nil && !timedOut && out.err == nil:
		return out.exit, ctx.Err()
	case timedOut && out.started:
		return out.exit, nil
	}
	return out.exit, out.err
}

// end asks the command to end, waits a moment, and ends everything.
func (p *process) end(done <-chan outcome) outcome {
	_, _ = p.control.Write([]byte{'T'}) // if it is gone, done tells
	select {
	case out := <-done:
		return out
	case <-time.After(grace):
	}
	_ = p.cmd.Process.Kill()
	out := <-done
	if out.started && !out.exited { // killed with the command
		out.exit.Signal, out.exit.Code, out.err = syscall.SIGKILL, 128+int(syscall.SIGKILL), nil
	}
	return out
}

// collect reads reports until the last one, or until process 1 is gone.
func (p *process) collect() outcome {
	var out outcome
	dec := json.NewDecoder(p.control)
	for {
		var r report
		if err := dec.Decode(&r); err != nil {
			if !out.exited && out.err == nil {
				out.err = errors.New("process 1 of the sandbox was killed")
				if !errors.Is(err, io.EOF) {
					out.err = fmt.Errorf("process 1 of the sandbox: %w", err)
				}
			}
			return out
		}
		switch {
		case r.Error != "":
			out.err = &runError{text: r.Error, command: r.Command}
			return out
		case r.Started:
			out.started = true
		case r.Exited:
			out.exited = true
			out.exit.Code, out.exit.Signal = status(syscall.WaitStatus(r.Status))
			return out // process 1 has no more to do: it is killed rather than waited for
		default:
			out.exit.Stubs = r.Stubs
		}
	}
}

func status(ws syscall.WaitStatus) (int, syscall.Signal) {
	if ws.Signaled() {
		return 128 + int(ws.Signal()), ws.Signal()
	}
	return ws.ExitStatus(), 0
}

// runError is an error of process 1, which came as text.
type runError struct {
	text    string
	command bool
}

func (e *runError) Error() string { return e.text }

// Is makes ErrCommand survive the way through the socket.
func (e *runError) Is(target error) bool { return e.command && target == ErrCommand }
