package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
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

// launcher is what the implementations share.
type launcher struct {
	opts    Options
	filters filters
	spares  spares
}

// Expect implements Runner.
func (l *launcher) Expect(ctx context.Context, s Spec) { l.spares.expect(ctx, birthOf(s)) }

type native struct{ launcher }

// Native is the sandbox in pure Go.
func Native(opts Options) Runner { return &native{launcher{opts: opts}} }

// Run implements Runner.
func (n *native) Run(ctx context.Context, s Spec) (Exit, error) {
	if err := ctx.Err(); err != nil {
		return Exit{}, err
	}
	j, err := newJob(s, &n.filters)
	if err != nil {
		return Exit{}, err
	}
	return n.launch(ctx, j, s)
}

// launch gives the job to a server and waits for the end of the run.
func (l *launcher) launch(ctx context.Context, j job, s Spec) (Exit, error) {
	group, err := newCgroup(l.opts.CgroupRoot, s.Limits)
	if err != nil {
		return Exit{}, err
	}
	defer group.remove()
	b := birthOf(s)
	p, more := l.spares.take(b)
	// A server goes to the group of a run with its command, and not back.
	j.Again = more && !s.Once && s.Limits.none() && s.Emulator == nil && j.Runc == ""
	again := false
	defer func() {
		if again {
			l.spares.put(b, p)
		} else {
			p.kill()
		}
	}()
	out, err := newStreams(s.Stdout, s.Stderr)
	if err != nil {
		return Exit{}, err
	}
	defer out.close()
	if <-p.started; p.err != nil {
		return Exit{}, p.err
	}
	if err := group.add(p.cmd.Process.Pid); err != nil {
		return Exit{}, err
	}
	if err := p.give(j, out.stdout, out.stderr); err != nil {
		return Exit{}, err
	}
	out.copy()
	exit, whole, err := p.watch(ctx, s.Timeout)
	again = whole && j.Again
	out.wait()
	openWork(s.Root.Work)
	exit.OOM = group.oom(exit.Code == 128+int(syscall.SIGKILL))
	return exit, err
}

// openWork makes what the kernel left in an overlay's work directory
// removable for its owner: the directories have mode 000. Removing them is
// left to the caller, who can do it while nobody waits: on ext4 it may take as
// long as everything else.
func openWork(work string) {
	if work == "" || os.Geteuid() == 0 {
		return
	}
	for _, d := range []string{"work", "work/incompat", "work/incompat/volatile"} {
		_ = os.Chmod(filepath.Join(work, d), 0o700) // it need not be there
	}
}

// outcome gathers the reports of a run.
type outcome struct {
	exit            Exit
	err             error
	started, exited bool
}

// watch waits for the command, or for a reason to end it. If all went as it
// should the server is ready for another run, else it has ended.
func (p *process) watch(ctx context.Context, timeout time.Duration) (exit Exit, whole bool, err error) {
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
	if out.exited && !timedOut && ctx.Err() == nil {
		return out.exit, true, nil
	}
	p.kill()
	out.exit.TimedOut = timedOut
	switch {
	case ctx.Err() != nil && !timedOut && out.err == nil:
		return out.exit, false, ctx.Err()
	case timedOut && out.started:
		return out.exit, false, nil
	}
	return out.exit, false, out.err
}

// end asks the command to end, waits a moment, and ends everything.
func (p *process) end(done <-chan outcome) outcome {
	_, _ = p.control.Write([]byte{'T'}) // if it is gone, done tells
	select {
	case out := <-done:
		return out
	case <-time.After(grace):
	}
	p.kill()
	out := <-done
	if out.started && !out.exited { // killed with the command
		out.exit.Signal, out.exit.Code, out.err = syscall.SIGKILL, 128+int(syscall.SIGKILL), nil
	}
	return out
}

// collect reads reports until the last one, or until the server is gone.
func (p *process) collect() outcome {
	var out outcome
	dec := json.NewDecoder(p.control)
	for {
		var r report
		if err := dec.Decode(&r); err != nil {
			if !out.exited && out.err == nil {
				out.err = errors.New("the process that makes the sandbox was killed")
				if !errors.Is(err, io.EOF) {
					out.err = fmt.Errorf("the process that makes the sandbox: %w", err)
				}
			}
			return out
		}
		switch {
		case r.Error != "":
			out.err = &runError{text: r.Error, command: r.Command, unsupported: r.Unsupported}
			return out
		case r.Started:
			out.started = true
		case r.Exited:
			out.exited = true
			out.exit.Code, out.exit.Signal = status(syscall.WaitStatus(r.Status))
			return out
		default:
			out.exit.Stubs, out.exit.Mounting = r.Stubs, r.Mounting
		}
	}
}

func status(ws syscall.WaitStatus) (int, syscall.Signal) {
	if ws.Signaled() {
		return 128 + int(ws.Signal()), ws.Signal()
	}
	return ws.ExitStatus(), 0
}

// runError is an error of the server, which came as text.
type runError struct {
	text                 string
	command, unsupported bool
}

func (e *runError) Error() string { return e.text }

// Is makes ErrCommand and ErrUnsupported survive the way through the socket.
func (e *runError) Is(target error) bool {
	return e.command && target == ErrCommand || e.unsupported && target == ErrUnsupported
}
