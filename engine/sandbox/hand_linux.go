package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// born is what a server knows of all its runs before the first one comes.
type born struct {
	OwnNet bool
	Off    guard

	filter []byte // of the first job, and so of all
}

// flags are the namespaces that each run has of its own.
func (b born) flags() int {
	flags := syscall.CLONE_NEWNS
	for _, f := range []struct {
		on   bool
		flag int
	}{
		{b.Off&guardPid == 0, syscall.CLONE_NEWPID},
		{b.Off&guardIPC == 0, syscall.CLONE_NEWIPC},
		{b.Off&guardUTS == 0, syscall.CLONE_NEWUTS},
		{b.OwnNet, syscall.CLONE_NEWNET},
	} {
		if f.on {
			flags |= f.flag
		}
	}
	return flags
}

// hand is a thread of the server that does one run. In Linux namespaces,
// working directory, capabilities and seccomp belong to a thread: it goes to
// namespaces of its own, makes the root, strips itself of what the command is
// not to have, starts the command and ends. No thread gets back what it gave
// away, so none serves twice; the others, which no command can reach, keep
// what they need.
type hand struct {
	tid    int
	keeper *keeper       // nil without a pid namespace
	err    error         // why it cannot serve
	ready  chan struct{} // closed when the three above are known

	jobs    chan *job
	started chan begun
	child   int // the process that it started, until somebody has waited for it

	over  func()        // says that the command has ended
	ended chan struct{} // closed then
	said  chan error    // runc's word, after that
}

// begun is how a command started.
type begun struct {
	pid int
	err error
}

// newHand starts to make a run's namespaces, and does not wait for them.
func newHand(b born) *hand {
	h := &hand{
		ready: make(chan struct{}), jobs: make(chan *job), started: make(chan begun),
		ended: make(chan struct{}), said: make(chan error, 1),
	}
	h.over = sync.OnceFunc(func() { close(h.ended) })
	go h.work(b)
	return h
}

// work is the thread from its beginning to its end: Go ends a thread whose
// goroutine does not unlock it.
func (h *hand) work(b born) {
	runtime.LockOSThread()
	h.tid = unix.Gettid()
	h.err = h.prepare(b)
	close(h.ready)
	j, ok := <-h.jobs
	if !ok {
		return
	}
	if h.keeper != nil {
		j.proc = h.keeper.proc
	}
	pid, err := play(j)
	h.started <- begun{pid, err}
	if err == nil && j.Runc != "" {
		<-h.ended // its log is in the root, which others do not see
		h.said <- j.runcError()
	}
}

// prepare makes what does not depend on the job.
func (h *hand) prepare(b born) error {
	if err := unix.Unshare(b.flags()); err != nil {
		return fmt.Errorf("%w: new namespaces: %w", ErrUnsupported, err)
	}
	unix.Umask(0o022)
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := machine(b); err != nil || b.Off&guardPid != 0 {
		return err
	}
	var err error
	h.keeper, err = newKeeper(b.Off&guardExe != 0)
	return err
}

// play makes the root and starts the command.
func play(j *job) (int, error) {
	began := time.Now()
	stubs, err := enter(j)
	if err != nil {
		return 0, err
	}
	send(report{Stubs: stubs, Mounting: time.Since(began)})
	pid, err := start(j)
	if err == nil {
		send(report{Started: true})
	}
	return pid, err
}

// end waits until nothing is left of the run, mounts included.
func (h *hand) end() {
	// The thread holds on to all namespaces. It ends when the command has
	// started, so that in fact there is no wait here.
	for h.over(); unix.Tgkill(unix.Getpid(), h.tid, 0) == nil; {
		time.Sleep(20 * time.Microsecond)
	}
	if h.keeper != nil {
		h.keeper.end(h.child)
	}
}

// dismiss ends a hand that gets no job.
func (h *hand) dismiss() {
	<-h.ready
	close(h.jobs)
	h.end()
}

// serve serves one run, and gives the hand for the next one, which gets ready
// while the command works; nil is none. An error says that the parent is gone.
func serve(b *born, h *hand) (next *hand, err error) {
	var j job
	if err := receiveJob(&j); err != nil {
		h.dismiss()
		return nil, err
	}
	// Without any filter the command is not started (see drop).
	if len(j.Filter) > 0 {
		b.filter = j.Filter
	}
	j.Filter = b.filter
	status, err := h.run(&j, func() {
		if j.Again {
			next = newHand(*b)
		}
	})
	var failed *failure
	switch {
	case err == nil:
		send(report{Exited: true, Status: uint32(status)})
	case errors.As(err, &failed):
		fail(failed.error)
	default:
		if next != nil {
			next.dismiss()
		}
		return nil, err
	}
	return next, nil
}

// failure is an error that the parent is to know of.
type failure struct{ error }

// run has the command started, calls working, and waits for the end of all.
func (h *hand) run(j *job, working func()) (syscall.WaitStatus, error) {
	<-h.ready
	if h.err != nil {
		h.dismiss()
		return 0, &failure{h.err}
	}
	defer h.end()
	h.jobs <- j
	begun := <-h.started
	h.child = max(begun.pid, j.emulating)
	// The command has its output, and who copies that waits until the last one
	// has let go.
	for fd := 1; fd <= 2; fd++ {
		if err := unix.Dup3(0, fd, 0); err != nil {
			return 0, &failure{err}
		}
	}
	if begun.err != nil {
		return 0, &failure{begun.err}
	}
	working()
	status, err := attend(begun.pid)
	if err != nil {
		return 0, err
	}
	h.child = 0
	if j.Runc != "" {
		h.over()
		if err := <-h.said; err != nil {
			return 0, &failure{err}
		}
	}
	return status, nil
}

// attend waits for a command, and for the parent's word: a byte asks the
// command to end, and the end of the socket means that the parent died.
func attend(pid int) (syscall.WaitStatus, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	for {
		polled := []unix.PollFd{{Fd: controlFD, Events: unix.POLLIN}, {Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(polled, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return 0, err
		}
		if polled[1].Revents != 0 {
			return wait(pid)
		}
		if err := readFull(controlFD, make([]byte, 1)); err != nil {
			return 0, err
		}
		// The command leads a session, and what it started in it.
		_ = unix.Kill(-pid, unix.SIGTERM)
	}
}

// wait waits for a child.
func wait(pid int) (syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			return status, err
		}
	}
}
