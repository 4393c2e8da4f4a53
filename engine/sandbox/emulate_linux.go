package sandbox

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Descriptors that the emulating process is started with, beside 0 to 2 and
// the control socket.
const (
	emulatorJobFD = 4
	emulatorFD    = 5
)

// elf says how a kernel recognises programs of an architecture: class and
// byte order of the ELF header, and its e_machine.
type elf struct {
	class, order byte
	machine      uint16
}

// elfs is by GOARCH; the numbers are those of elf(5) and the ELF supplements.
var elfs = map[string]elf{
	"386": {1, 1, 3}, "amd64": {2, 1, 62}, "arm": {1, 1, 40}, "arm64": {2, 1, 183}, "loong64": {2, 1, 258},
	"ppc64le": {2, 1, 21}, "riscv64": {2, 1, 243}, "s390x": {2, 2, 22}, "mips64le": {2, 1, 8},
}

// qemuNames is how qemu calls a GOARCH where it differs.
var qemuNames = map[string]string{
	"386": "i386", "amd64": "x86_64", "arm64": "aarch64", "loong64": "loongarch64", "mips64le": "mips64el",
}

// registration is the line for binfmt_misc
// (Linux' Documentation/admin-guide/binfmt-misc.rst). F opens the emulator
// now, so that the root need not hold it; P and O and C keep argv[0], the
// descriptor and the owner of the program as they would be natively.
func registration(arch, emulator string) (string, error) {
	e, ok := elfs[arch]
	if !ok {
		return "", fmt.Errorf("no way to recognise programs for %s", arch)
	}
	magic := []byte{0x7f, 'E', 'L', 'F', e.class, e.order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	mask := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	// e_type is 2 or 3 (position-independent): the lowest bit does not count.
	if e.order == 1 {
		magic, mask = append(magic, 2, 0), append(mask, 0xfe, 0xff)
		magic = binary.LittleEndian.AppendUint16(magic, e.machine)
	} else {
		magic, mask = append(magic, 0, 2), append(mask, 0xff, 0xfe)
		magic = binary.BigEndian.AppendUint16(magic, e.machine)
	}
	mask = append(mask, 0xff, 0xff)
	var b strings.Builder
	b.WriteString(":specbuild-" + arch + ":M::")
	for i, bytes := range [][]byte{magic, mask} {
		for _, c := range bytes {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		b.WriteString([]string{":", ":" + emulator + ":POCF"}[i])
	}
	return b.String(), nil
}

// register makes the kernel run programs of an architecture by an emulator,
// within the user namespace that we are in alone (Linux 6.7). The mount has
// to stay: the registration ends with it.
func register(emulator int, arch string) error {
	line, err := registration(arch, fdPath(emulator))
	if err != nil {
		return err
	}
	mount, err := newFS("binfmt_misc", nosuidNodevNoexec)
	if err != nil {
		return fmt.Errorf("register the emulator for %s (Linux 6.7 or newer is needed): %w", arch, err)
	}
	defer unix.Close(mount)
	fd, err := unix.Openat(mount, "register", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("register the emulator for %s: %w", arch, err)
	}
	_, err = unix.Write(fd, []byte(line))
	unix.Close(fd) // who writes keeps the mount from becoming read-only
	if err != nil {
		return fmt.Errorf("register the emulator for %s: %w", arch, err)
	}
	const place = "/proc/sys/fs/binfmt_misc"
	at, err := unix.Open(place, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("mount %s: %w", place, err)
	}
	defer unix.Close(at)
	if err := attach(mount, at); err != nil {
		return fmt.Errorf("mount %s: %w", place, err)
	}
	return unix.MountSetattr(unix.AT_FDCWD, place, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// startEmulator starts the process that will become a command of another
// architecture. As root the overlay has been mounted as root, as every layer
// expects; the command alone goes into a user namespace, which has all ids
// but its own registrations.
func startEmulator(j *job) error {
	r, w, err := pipe()
	if err != nil {
		return err
	}
	all := []syscall.SysProcIDMap{{Size: math.MaxInt32}} // what an int holds everywhere
	pid, err := syscall.ForkExec("/proc/self/exe", []string{emulateName}, &syscall.ProcAttr{
		Dir: "/", Env: []string{"GOMAXPROCS=1", "GOGC=off"},
		Files: []uintptr{0, 1, 2, controlFD, uintptr(r), uintptr(j.emulator)},
		Sys: &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, Setsid: true,
			UidMappings: all, GidMappings: all, GidMappingsEnableSetgroups: true,
		},
	})
	unix.Close(r)
	unix.Close(j.emulator)
	if err != nil {
		unix.Close(w)
		return fmt.Errorf("start in a user namespace: %w", err)
	}
	j.emulating, j.waiting = pid, w
	return nil
}

// startEmulated starts a command of another architecture.
func startEmulated(j *job) (int, error) {
	if j.UserNS {
		if err := register(j.emulator, j.Spec.Emulator.Arch); err != nil {
			return 0, err
		}
		return startHere(j)
	}
	defer unix.Close(j.waiting)
	small := job{Spec: j.Spec, Filter: j.Filter, Caps: j.Caps, Off: j.Off, Staging: j.Staging}
	small.Spec.Mounts, small.Spec.Root = nil, Root{}
	text, err := json.Marshal(small)
	if err != nil {
		return 0, err
	}
	if _, err := unix.Write(j.waiting, append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)); err != nil {
		return 0, fmt.Errorf("hand over the job: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("protect the sandbox: %w", err)
	}
	return j.emulating, nil
}

func pipe() (r, w int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, 0, fmt.Errorf("make pipe: %w", err)
	}
	return p[0], p[1], nil
}

// runEmulate is the process that becomes the command: it registers the
// emulator in the user namespace that it was started in.
func runEmulate() int {
	if err := unix.CloseRange(controlFD, ^uint(0)>>33, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fail(err)
	}
	var j job
	if err := receive(emulatorJobFD, &j); err != nil {
		return fail(fmt.Errorf("receive the job: %w", err))
	}
	if err := enterCopy(&j); err != nil {
		return fail(err)
	}
	if err := register(emulatorFD, j.Spec.Emulator.Arch); err != nil {
		return fail(err)
	}
	return fail(become(&j))
}

// enterCopy goes into the root in this process's copy of the mounts. In a
// copy made for a lesser user namespace mounts are locked in their places, so
// what becomes the root is a copy of the tree once more.
func enterCopy(j *job) error {
	top := j.Staging + "/root"
	fd, err := unix.OpenTree(unix.AT_FDCWD, top, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("copy the root: %w", err)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, top, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount the root: %w", err)
	}
	return pivot(j, fd)
}

// become replaces this process by the command; it returns only to say why
// not. The credentials of this thread are those of the command, since
// execve(2) ends the others.
func become(j *job) error {
	name, err := lookPath(j.Spec.Args[0], j.Spec.Env, j.Spec.Workdir)
	if err != nil {
		return err
	}
	if err := drop(j); err != nil {
		return err
	}
	if err := becomeUser(j.Spec.UID, j.Spec.GID, j.Spec.Groups); err != nil {
		return err
	}
	if err := unix.Chdir(path.Clean("/" + j.Spec.Workdir)); err != nil {
		return fmt.Errorf("%w: working directory: %w", ErrCommand, err)
	}
	err = syscall.Exec(name, j.Spec.Args, j.Spec.Env)
	return fmt.Errorf("%w %s: %w", ErrCommand, name, explainExec(err))
}
