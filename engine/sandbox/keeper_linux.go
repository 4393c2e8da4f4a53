package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// keeper is process 1 of one run. It is a copy of the server, made by fork
// without exec: starting this program anew took half of what a step costs.
// What it is there for takes a few system calls: it makes the mount of /proc,
// which only a process in the namespace can, lets go of everybody whose parent
// died, and ends, with all of its namespace, when it is killed or the server
// is gone.
type keeper struct {
	pid  int
	life int // a socket whose other end the keeper has; closed, the keeper ends
	proc int // a detached mount of its /proc
}

// ordained is all that a keeper does, written down before the fork: after it
// there is one thread and no runtime, so that no Go can be run which
// allocates, locks or grows its stack.
type ordained struct {
	life   uintptr   // descriptor of its socket
	ignore [4]uint64 // the kernel's struct sigaction, with SIG_IGN
	fs     [5]byte   // "proc"
	attr   uintptr   // of the mount
	errno  [4]byte   // what went wrong, in the order of the machine
	iov    unix.Iovec
	rights []byte // room for one descriptor
	msg    unix.Msghdr
	plain  bool // tests: it may be looked into
}

// newKeeper starts process 1 of the calling thread's next pid namespace.
func newKeeper(plain bool) (*keeper, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket for process 1: %w", err)
	}
	o := &ordained{
		life: uintptr(pair[0]), ignore: [4]uint64{1}, fs: [5]byte{'p', 'r', 'o', 'c'},
		attr: nosuidNodevNoexec, rights: unix.UnixRights(0), plain: plain,
	}
	o.iov = unix.Iovec{Base: &o.errno[0]}
	o.iov.SetLen(len(o.errno))
	o.msg = unix.Msghdr{Iov: &o.iov, Control: &o.rights[0]}
	o.msg.SetIovlen(1)
	o.msg.SetControllen(len(o.rights))
	pid, err := fork(o)
	unix.Close(pair[0])
	if err != nil {
		unix.Close(pair[1])
		return nil, fmt.Errorf("start process 1: %w", err)
	}
	k := &keeper{pid: pid, life: pair[1]}
	if k.proc, err = k.receiveProc(); err != nil {
		k.end(0)
		return nil, err
	}
	return k, nil
}

// receiveProc is the keeper's only word.
func (k *keeper) receiveProc() (int, error) {
	text, rights := make([]byte, 4), make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := unix.Recvmsg(k.life, text, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("wait for process 1: %w", err)
	}
	if n < len(text) {
		return -1, errors.New("process 1 of the sandbox was killed")
	}
	if errno := syscall.Errno(binary.NativeEndian.Uint32(text)); errno != 0 {
		return -1, fmt.Errorf("mount file system proc: %w: is /proc partly covered here, as in a container?", errno)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:m])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("receive /proc: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("receive /proc: %w", err)
	}
	return fds[0], nil
}

// end ends the keeper and everybody in its namespace, and waits for that. The
// kernel lets it go when all the others are gone; child is one of them that
// the server has to let go, zero is none.
func (k *keeper) end(child int) {
	_ = unix.Kill(k.pid, unix.SIGKILL)
	unix.Close(k.life)
	if child != 0 {
		_, _ = wait(child)
	}
	_, _ = wait(k.pid)
}

// fork blocks all signals meanwhile: Go's handlers are not for the copy.
func fork(o *ordained) (int, error) {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, err
	}
	pid, errno := rawFork(o)
	err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	runtime.KeepAlive(o)
	if errno != 0 {
		return 0, errno
	}
	return int(pid), err
}

// rawFork comes back in the server only. It calls nothing but the kernel.
//
//go:norace
//go:nocheckptr
//go:nosplit
func rawFork(o *ordained) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	if !o.plain {
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0)
	}
	// Nothing of the server's stays open but /dev/null.
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOSE_RANGE, 1, o.life-1, 0)
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOSE_RANGE, o.life+1, ^uintptr(0)>>33, 0)
	// The kernel lets go of children whose end is ignored.
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGCHLD), uintptr(unsafe.Pointer(&o.ignore)), 0, 8, 0, 0)
	fs, _, errno := syscall.RawSyscall(unix.SYS_FSOPEN, uintptr(unsafe.Pointer(&o.fs)), 0, 0)
	if errno == 0 {
		_, _, errno = syscall.RawSyscall6(unix.SYS_FSCONFIG, fs, unix.FSCONFIG_CMD_CREATE, 0, 0, 0, 0)
	}
	var proc uintptr
	if errno == 0 {
		proc, _, errno = syscall.RawSyscall(unix.SYS_FSMOUNT, fs, 0, o.attr)
	}
	if errno == 0 {
		*(*int32)(unsafe.Add(unsafe.Pointer(o.msg.Control), unix.SizeofCmsghdr)) = int32(proc)
	} else {
		*(*uint32)(unsafe.Pointer(&o.errno)) = uint32(errno)
		o.msg.Controllen = 0
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_SENDMSG, o.life, uintptr(unsafe.Pointer(&o.msg)), unix.MSG_NOSIGNAL)
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, proc, 0, 0)
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, fs, 0, 0)
	_, _, _ = syscall.RawSyscall(syscall.SYS_READ, o.life, uintptr(unsafe.Pointer(&o.errno)), 1) // until the server is gone
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}
