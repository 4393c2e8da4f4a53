package sandbox

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fixture is a mount that waits for its target to be resolved.
type fixture struct {
	fd     int
	target string
	dir    bool
	ours   bool // of every sandbox, not of the Spec
	runc   bool // runc makes this one itself

	readOnly bool // fd says so as well, but for runc
}

// enter makes the root, with all that is mounted in it, and goes there. It
// tells what had to be made in the root as mount targets.
func enter(j *job) ([]string, error) {
	// Everything that lies on the machine is opened before anything covers it.
	if err := openEmulator(j); err != nil {
		return nil, err
	}
	fixtures, err := fixtures(j)
	if err != nil {
		return nil, err
	}
	root, err := rootMount(j)
	if err != nil {
		return nil, err
	}
	t, err := stage(j, root, &fixtures)
	if err != nil {
		return nil, err
	}
	if err := furnish(j, t, fixtures); err != nil {
		return nil, err
	}
	if j.Runc != "" {
		return t.created, nil
	}
	if err := restrict(j, t); err != nil {
		return nil, err
	}
	if j.Spec.Emulator != nil && !j.UserNS {
		// The process that becomes the command is started while our own
		// program's loader is in reach, with a copy of all mounts.
		if err := startEmulator(j); err != nil {
			return nil, err
		}
	}
	return t.created, pivot(j, t.root)
}

// openEmulator opens the emulator's program, which is not in the root.
func openEmulator(j *job) error {
	if j.Spec.Emulator == nil {
		return nil
	}
	fd, err := unix.Open(j.Spec.Emulator.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("emulator %s: %w", j.Spec.Emulator.Path, err)
	}
	j.emulator = fd
	return nil
}

// machine sets what a new machine lacks: its name and a loopback interface.
func machine(b born) error {
	if b.Off&guardUTS == 0 {
		if err := unix.Sethostname([]byte(Hostname)); err != nil {
			return fmt.Errorf("set the host name: %w", err)
		}
	}
	if !b.OwnNet {
		return nil
	}
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	defer unix.Close(sock)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(sock, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	return nil
}

const nosuidNodevNoexec = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// nodev is on every mount that can hold a node that the command made: this,
// and not a cgroup of devices, is what keeps disks out of its reach.
func (j *job) nodev() int {
	if j.Off&guardNodev != 0 {
		return 0
	}
	return unix.MOUNT_ATTR_NODEV
}

// fixtures makes all mounts but the root, detached.
func fixtures(j *job) ([]fixture, error) {
	var out []fixture
	if j.Runc == "" {
		system, err := systemMounts(j)
		if err != nil {
			return nil, err
		}
		out = system
	} else {
		for _, p := range []string{"/proc", "/sys", "/dev"} {
			out = append(out, fixture{fd: -1, target: p, dir: true, ours: true, runc: true})
		}
	}
	for _, m := range j.Spec.Mounts {
		f := fixture{target: path.Clean(m.Target)}
		switch m.Kind {
		case MountBind:
			attr := uint64(j.nodev())
			if m.ReadOnly {
				attr |= unix.MOUNT_ATTR_RDONLY
				f.readOnly = true
			}
			fd, err := clone(unix.AT_FDCWD, m.Source, attr)
			if err != nil {
				return nil, fmt.Errorf("bind %s: %w", m.Source, err)
			}
			f.fd, f.dir = fd, isDir(fd)
		case MountTmpfs:
			options := []string{"mode=1777"}
			if m.Size > 0 {
				options = append(options, "size="+strconv.FormatInt(m.Size, 10))
			}
			fd, err := newFS("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, options...)
			if err != nil {
				return nil, err
			}
			f.fd, f.dir = fd, true
		case MountSecret:
			f.fd = -1 // made in stage
		}
		out = append(out, f)
	}
	return out, nil
}

func isDir(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// systemMounts makes /proc, /sys and /dev.
func systemMounts(j *job) ([]fixture, error) {
	proc := j.proc
	var err error
	if j.Off&guardPid != 0 {
		if proc, err = newFS("proc", nosuidNodevNoexec); err != nil {
			return nil, err
		}
	}
	sysAttr := nosuidNodevNoexec | unix.MOUNT_ATTR_RDONLY
	if j.Off&guardMasks != 0 {
		sysAttr = nosuidNodevNoexec
	}
	sys, err := newFS("sysfs", sysAttr)
	if err != nil {
		// Of a network that is not ours the kernel gives no view: an empty
		// directory says so and shows nothing.
		sys, err = newFS("tmpfs", nosuidNodevNoexec|unix.MOUNT_ATTR_RDONLY, "size=4k", "mode=555")
	}
	if err != nil {
		return nil, err
	}
	dev, err := newFS("tmpfs", unix.MOUNT_ATTR_NOSUID|j.nodev(), "mode=755", "size=65536k")
	if err != nil {
		return nil, err
	}
	out := []fixture{
		{fd: proc, target: "/proc", dir: true, ours: true},
		{fd: sys, target: "/sys", dir: true, ours: true},
		{fd: dev, target: "/dev", dir: true, ours: true},
	}
	for _, l := range deviceLinks {
		if err := unix.Symlinkat(l[0], dev, l[1]); err != nil {
			return nil, fmt.Errorf("make /dev/%s: %w", l[1], err)
		}
	}
	pts := []string{"newinstance", "ptmxmode=0666", "mode=0620"}
	if j.Spec.IDMap.Kind == IDMapFull || covered(j.Spec.IDMap.GIDs, 5) {
		pts = append(pts, "gid=5") // tty, in every distribution
	}
	for _, d := range []struct {
		fstype, target string
		options        []string
	}{
		{"devpts", "/dev/pts", pts},
		{"mqueue", "/dev/mqueue", nil},
		{"tmpfs", "/dev/shm", []string{"mode=1777", "size=" + strconv.FormatInt(j.Spec.shmSize(), 10)}},
	} {
		attr := nosuidNodevNoexec
		if d.fstype == "devpts" {
			attr &^= unix.MOUNT_ATTR_NODEV // its nodes are made by the kernel
		}
		fd, err := newFS(d.fstype, attr, d.options...)
		if err != nil {
			return nil, err
		}
		out = append(out, fixture{fd: fd, target: d.target, dir: true, ours: true})
	}
	for _, name := range devices {
		// Read-only, so that chmod(2) in the sandbox does not reach the
		// machine's node; writing into a device needs no writable mount.
		fd, err := clone(unix.AT_FDCWD, "/dev/"+name, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
		if err != nil {
			return nil, fmt.Errorf("device /dev/%s of the machine: %w", name, err)
		}
		out = append(out, fixture{fd: fd, target: "/dev/" + name, ours: true})
	}
	return out, nil
}

// rootMount makes the mount of the root, detached; -1 says that it has to be
// made in place.
func rootMount(j *job) (int, error) {
	r := j.Spec.Root
	dir := r.Dir
	if dir == "" && len(r.Lower) == 0 {
		dir = r.Upper
	}
	if dir != "" {
		attr := uint64(j.nodev())
		if r.ReadOnly { // from the start: no mount target may be made in it
			attr |= unix.MOUNT_ATTR_RDONLY
		}
		fd, err := clone(unix.AT_FDCWD, dir, attr)
		if err != nil {
			return -1, fmt.Errorf("root %s: %w", dir, err)
		}
		return fd, nil
	}
	if j.Off&guardNewMount != 0 {
		return -1, nil
	}
	fd, err := mountOverlay(r, j.nodev(), j.UserNS, false, "")
	if errors.Is(err, errNoLowerPlus) {
		return -1, nil
	}
	return fd, err
}

// stage attaches the root where it can be worked on, and puts the small files
// and secrets into memory beside it.
func stage(j *job, root int, fixtures *[]fixture) (*tree, error) {
	mem, err := newFS("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, "mode=700", "size=64m")
	if err != nil {
		return nil, err
	}
	at, err := unix.Open(j.Staging, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", j.Staging, err)
	}
	err = attach(mem, at)
	unix.Close(at)
	if err != nil {
		return nil, fmt.Errorf("mount on %s: %w", j.Staging, err)
	}
	if err := unix.Mkdirat(mem, "root", 0o755); err != nil {
		return nil, err
	}
	top := j.Staging + "/root"
	if root < 0 {
		_, err = mountOverlay(j.Spec.Root, j.nodev(), j.UserNS, true, top)
		if err == nil {
			err = unix.MountSetattr(unix.AT_FDCWD, top, 0, &unix.MountAttr{Attr_set: uint64(j.nodev())})
		}
		if err != nil {
			return nil, err
		}
	} else {
		fd, err := unix.Openat(mem, "root", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		err = attach(root, fd)
		unix.Close(fd)
		unix.Close(root)
		if err != nil {
			return nil, fmt.Errorf("mount the root: %w", err)
		}
	}
	for i, f := range j.Files {
		fd, err := memoryFile(mem, "file"+strconv.Itoa(i), f.Content, 0o644, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", f.Target, err)
		}
		*fixtures = append(*fixtures, fixture{fd: fd, target: f.Target, ours: true})
	}
	for i, m := range j.Spec.Mounts {
		if m.Kind != MountSecret {
			continue
		}
		fd, err := memoryFile(mem, "secret"+strconv.Itoa(i), m.Content, 0o400, int(j.Spec.UID), int(j.Spec.GID))
		if err != nil {
			return nil, fmt.Errorf("make secret %s: %w", m.Target, err)
		}
		k := slices.IndexFunc(*fixtures, func(f fixture) bool { return f.fd < 0 && !f.runc })
		(*fixtures)[k].fd = fd
	}
	unix.Close(mem)
	return openTree(top)
}

// memoryFile writes a file into the staging area, which is never swapped to
// the layers and gone with the sandbox, and gives a mount of it alone.
func memoryFile(mem int, name string, content []byte, mode uint32, uid, gid int) (int, error) {
	fd, err := unix.Openat(mem, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, mode)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	for len(content) > 0 {
		n, err := unix.Write(fd, content)
		if err != nil {
			return -1, err
		}
		content = content[n:]
	}
	if err := unix.Fchown(fd, uid, gid); err != nil {
		return -1, err
	}
	return clone(mem, name, nosuidNodevNoexec)
}

// furnish mounts everything, parents first, and makes the working directory.
func furnish(j *job, t *tree, fixtures []fixture) error {
	t.unsafe = j.Off&guardInRoot != 0
	slices.SortStableFunc(fixtures, func(a, b fixture) int {
		return strings.Count(a.target, "/") - strings.Count(b.target, "/")
	})
	for i, f := range fixtures {
		if err := place(j, t, f, i); err != nil {
			return err
		}
	}
	if dir := path.Clean("/" + j.Spec.Workdir); dir != "/" {
		made := len(t.created)
		fd, err := t.target(dir, true, false)
		if err != nil {
			return fmt.Errorf("%w: working directory %s: %w", ErrCommand, dir, err)
		}
		if !isDir(fd) {
			return fmt.Errorf("%w: working directory %s is not a directory", ErrCommand, dir)
		}
		unix.Close(fd)
		t.created = t.created[:made] // it is part of the step's work
	}
	if !j.Spec.Root.ReadOnly {
		return nil
	}
	err := unix.MountSetattr(t.root, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if err != nil {
		return fmt.Errorf("make the root read-only: %w", err)
	}
	return nil
}

// place mounts one fixture. The caller's mounts must not reach the file
// systems of the kernel, whatever links lead there.
func place(j *job, t *tree, f fixture, i int) error {
	if j.Runc != "" {
		return t.placeForRunc(j, f, i)
	}
	if !f.ours {
		if fd, err := t.open(f.target, unix.O_PATH); err == nil {
			var st unix.Statfs_t
			err := unix.Fstatfs(fd, &st)
			unix.Close(fd)
			if err == nil && (st.Type == unix.PROC_SUPER_MAGIC || st.Type == unix.SYSFS_MAGIC) {
				return fmt.Errorf("mount target %s leads into /proc or /sys", f.target)
			}
		}
	}
	small := f.ours && strings.HasPrefix(f.target, "/etc/")
	err := t.put(f.fd, f.target, f.dir, small)
	// A read-only root without /etc/hosts stays without; so does one where
	// something else of the caller's is mounted on /etc.
	if small && (errors.Is(err, unix.EROFS) || errors.Is(err, unix.ENOENT)) {
		return nil
	}
	return err
}

// restrict hides and locks what Docker does of /proc and /sys.
func restrict(j *job, t *tree) error {
	if j.Off&guardMasks != 0 {
		return nil
	}
	for _, p := range readonlyPaths {
		at, err := t.open(p, unix.O_PATH)
		if err != nil {
			continue // this kernel has none
		}
		fd, err := clone(at, "", unix.MOUNT_ATTR_RDONLY|nosuidNodevNoexec)
		if err == nil {
			err = attach(fd, at)
			unix.Close(fd)
		}
		unix.Close(at)
		if err != nil {
			return fmt.Errorf("make %s read-only: %w", p, err)
		}
	}
	for _, p := range maskedPaths {
		if err := mask(t, p); err != nil {
			return fmt.Errorf("mask %s: %w", p, err)
		}
	}
	return nil
}

func mask(t *tree, p string) error {
	at, err := t.open(p, unix.O_PATH)
	if err != nil {
		return nil
	}
	defer unix.Close(at)
	var fd int
	if isDir(at) {
		fd, err = newFS("tmpfs", nosuidNodevNoexec|unix.MOUNT_ATTR_RDONLY, "size=4k", "mode=555")
	} else {
		var null int
		if null, err = t.open("/dev/null", unix.O_PATH); err == nil {
			fd, err = clone(null, "", unix.MOUNT_ATTR_RDONLY)
			unix.Close(null)
		}
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return attach(fd, at)
}

// pivot makes the tree the root and lets go of everything else.
func pivot(j *job, root int) error {
	if err := unix.Fchdir(root); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	unix.Close(root)
	if j.Off&guardPivot != 0 {
		return unix.Chroot(".")
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot into the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	return unix.Chdir("/")
}
