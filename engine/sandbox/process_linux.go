package sandbox

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// birth is what a server is started with and cannot become later: the ids in
// its user namespace, and what namespaces it makes for each run. It is all that
// it knows of a run until the job comes.
type birth struct {
	ids    IDMap
	ownNet bool
	off    guard
}

func birthOf(s Spec) birth { return birth{s.IDMap, s.Network == NetworkNone, s.off} }

// key tells births apart.
func (b birth) key() string { return fmt.Sprint(b) }

func (b birth) userNS() bool { return b.ids.Kind != IDMapFull }

// born is what the server is to know of it.
func (b birth) born() born { return born{OwnNet: b.ownNet, Off: b.off} }

// process is a server: it serves one run at a time.
type process struct {
	started chan struct{} // closed when it runs, or err says why it does not
	ended   chan struct{} // closed when it is gone
	err     error
	cmd     *exec.Cmd
	control *os.File
	served  bool // it has had a job
}

// newProcess starts a server and does not wait until it runs.
func newProcess(b birth) *process {
	p := &process{started: make(chan struct{}), ended: make(chan struct{})}
	go p.keep(b)
	return p
}

// keep stays with the process to its end.
func (p *process) keep(b birth) {
	defer close(p.ended)
	p.err = p.spawn(b)
	close(p.started)
	if p.err == nil {
		_ = p.cmd.Wait() // its status says nothing that the reports do not
	}
}

// spawn starts ourselves in new namespaces. There it holds until the job
// comes.
func (p *process) spawn(b birth) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make control socket: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[0]), "control")
	defer theirs.Close()
	// What waits for reports is then a goroutine, and not a thread.
	err = unix.SetNonblock(pair[1], true)
	p.control = os.NewFile(uintptr(pair[1]), "control")
	if err == nil {
		err = p.exec(b, theirs)
	}
	if err != nil {
		p.control.Close()
	}
	return err
}

func (p *process) exec(b birth, control *os.File) error {
	self, err := ownProgram(b.userNS() || b.off&guardExe != 0)
	if err != nil {
		return err
	}
	defer self.Close()
	p.cmd = &exec.Cmd{
		Path: fdPath(int(self.Fd())), Args: []string{initName},
		// One CPU's worth of runtime: less to start.
		Env: []string{"GOMAXPROCS=1"}, Dir: "/", ExtraFiles: []*os.File{control},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if b.userNS() {
		p.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		userNamespace(p.cmd.SysProcAttr, b.ids)
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("%w: new namespaces: %w", ErrUnsupported, err)
	}
	err = mapIDs(p.cmd.Process.Pid, b.ids)
	if err == nil {
		err = p.tell(b.born()) // its word to begin
	}
	if err != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		_ = p.cmd.Wait()
	}
	return err
}

// tell writes one length-prefixed JSON value.
func (p *process) tell(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = p.control.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

// ownProgram opens this program by a read-only mount that exists nowhere but
// in the descriptor: who gets hold of the server's executable in spite of all
// (CVE-2019-5736) cannot write to it. Mounting needs root; without it the
// file is the user's own, and the server not to be inspected anyway.
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

// give hands the job over, with the files that the command is to print to.
func (p *process) give(j job, stdout, stderr *os.File) error {
	if p.served {
		j.Filter = nil
	}
	p.served = true
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
	rights := unix.UnixRights(int(stdout.Fd()), int(stderr.Fd()))
	raw, err := p.control.SyscallConn()
	if err == nil {
		var sent error
		err = raw.Write(func(fd uintptr) bool {
			sent = unix.Sendmsg(int(fd), head, rights, nil, unix.MSG_NOSIGNAL)
			return sent != unix.EAGAIN
		})
		if err == nil {
			err = sent
		}
	}
	if err == nil {
		_, err = p.control.Write(text)
	}
	if err != nil {
		return fmt.Errorf("hand the job to the sandbox: %w", err)
	}
	return nil
}

// gone says whether the process has ended, or never ran.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the server, and with it the run that it serves, and waits for it.
// It is told to by the end of its socket, so that it waits for all that it has
// started: SIGKILL would leave that to the kernel, and zombies to the machine's
// process 1.
func (p *process) kill() {
	<-p.started
	if p.err != nil {
		return
	}
	if raw, err := p.control.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
	}
	select {
	case <-p.ended:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
	p.control.Close()
}
