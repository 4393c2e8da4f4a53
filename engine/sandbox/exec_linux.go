package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// start starts the command, without waiting for it.
func start(j *job) (int, error) {
	if j.Runc != "" {
		return startRunc(j) // runc gives the pipes away itself
	}
	giveOutput(j.Spec.UID, j.Spec.GID)
	if j.Spec.Emulator != nil {
		return startEmulated(j)
	}
	return startHere(j)
}

// giveOutput makes the command the owner of its pipes: who opens /dev/stderr
// by name, as nginx does, opens the pipe again and is asked for permission.
// That it cannot be given away, to a user that is not mapped, hurts only them.
func giveOutput(uid, gid uint32) {
	for fd := 1; fd <= 2; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
			_ = unix.Fchown(fd, int(uid), int(gid))
		}
	}
}

// startHere starts the command, in the namespaces of this thread.
func startHere(j *job) (int, error) {
	name, err := lookPath(j.Spec.Args[0], j.Spec.Env, j.Spec.Workdir)
	if err != nil {
		return 0, err
	}
	if err := drop(j); err != nil {
		return 0, err
	}
	attr := &syscall.ProcAttr{
		Dir: path.Clean("/" + j.Spec.Workdir), Env: j.Spec.Env, Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setsid: true, Credential: credential(j)},
	}
	pid, err := syscall.ForkExec(name, j.Spec.Args, attr)
	if err != nil {
		return 0, fmt.Errorf("%w %s: %w", ErrCommand, name, explainExec(err))
	}
	return pid, nil
}

// credential is the user of the command. Where one id alone is mapped the
// kernel forbids setgroups(2).
func credential(j *job) *syscall.Credential {
	return &syscall.Credential{
		Uid: j.Spec.UID, Gid: j.Spec.GID, Groups: j.Spec.Groups,
		NoSetGroups: j.Spec.IDMap.Kind == IDMapSingle,
	}
}

// explainExec adds what an errno of execve(2) usually means.
func explainExec(err error) error {
	switch {
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%w: built for another architecture, or neither a program nor a script that begins with #! and its interpreter", err)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: its interpreter or dynamic loader is not in the root", err)
	}
	return err
}

// lookPath finds the command in the root, which must be ours already.
func lookPath(name string, env []string, dir string) (string, error) {
	if strings.Contains(name, "/") {
		return name, runnable(path.Join("/", dir), name)
	}
	search := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			search = v
		}
	}
	for _, d := range strings.Split(search, ":") {
		if d == "" || !path.IsAbs(d) {
			continue // the working directory is no place for commands
		}
		if full := path.Join(d, name); runnable("/", full) == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("%w %s: not found in PATH=%q of the step", ErrCommand, name, search)
}

func runnable(dir, name string) error {
	full := name
	if !path.IsAbs(full) {
		full = path.Join(dir, name)
	}
	st, err := os.Stat(full)
	switch {
	case err != nil:
		return fmt.Errorf("%w %s: %w", ErrCommand, name, errors.Unwrap(err))
	case !st.Mode().IsRegular() || st.Mode()&0o111 == 0:
		return fmt.Errorf("%w %s: %w", ErrCommand, name, unix.EACCES)
	}
	return nil
}

// drop takes from this thread, and so from what it starts, everything that a
// command may not have. The order matters: each line needs what later ones
// take away.
func drop(j *job) error {
	if j.Off&guardCaps == 0 {
		if err := dropCaps(j.Caps); err != nil {
			return err
		}
	}
	if j.Off&guardNoNewPrivs == 0 {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("set no_new_privs: %w", err)
		}
	}
	if j.Off&guardExe == 0 {
		// This thread is as weak as the command now, so the command could
		// trace it, and through it reach our memory and /proc/1/exe.
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return fmt.Errorf("protect the sandbox: %w", err)
		}
	}
	if j.Off&guardSeccomp != 0 {
		return nil
	}
	if len(j.Filter) == 0 {
		return errors.New("there is no seccomp filter")
	}
	prog := unix.SockFprog{
		Len:    uint16(len(j.Filter) / 8),
		Filter: (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(j.Filter))),
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("install seccomp filter: %w", errno)
	}
	return nil
}

func dropCaps(mask uint64) error {
	for c := uintptr(0); c < 64; c++ {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
		if err != nil {
			break // the kernel knows no more
		}
		if has == 0 || mask&(1<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for i := range data {
		data[i].Permitted &= uint32(mask >> (32 * i))
		data[i].Effective, data[i].Inheritable = data[i].Permitted, 0
	}
	if err := unix.Capset(&head, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	return nil
}
