package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call makes a system call whose arguments are at most wrong, never harmful.
func call(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return errno
	}
	return nil
}

const bad = ^uintptr(0)

var attempts = map[string]func([]string) error{
	"mount":         func([]string) error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") },
	"umount":        func([]string) error { return unix.Unmount("/dev/shm", unix.MNT_DETACH) },
	"remount":       func([]string) error { return unix.Mount("", "/dev/shm", "", unix.MS_REMOUNT|unix.MS_BIND, "") },
	"open_tree":     func([]string) error { return call(unix.SYS_OPEN_TREE, bad, 0, unix.OPEN_TREE_CLONE) },
	"fsopen":        func([]string) error { return call(unix.SYS_FSOPEN, 0, 0) },
	"pivot_root":    func([]string) error { return unix.PivotRoot("/none", "/none") },
	"keyctl":        func([]string) error { return call(unix.SYS_KEYCTL, 0, ^uintptr(2), 0) }, // the session's keyring
	"add_key":       func([]string) error { return call(unix.SYS_ADD_KEY, 0, 0, 0, 0, 0) },
	"request_key":   func([]string) error { return call(unix.SYS_REQUEST_KEY, 0, 0, 0, 0) },
	"bpf":           func([]string) error { return call(unix.SYS_BPF, 5, 0, 0) },
	"perf":          func([]string) error { return call(unix.SYS_PERF_EVENT_OPEN, 0, 0, bad, bad, 0) },
	"kexec":         func([]string) error { return call(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0xffff) },
	"reboot":        func([]string) error { return call(unix.SYS_REBOOT, 0, 0, 0, 0) },
	"init_module":   func([]string) error { return call(unix.SYS_INIT_MODULE, 0, 0, 0) },
	"finit_module":  func([]string) error { return call(unix.SYS_FINIT_MODULE, bad, 0, 0) },
	"delete_module": func([]string) error { return call(unix.SYS_DELETE_MODULE, 0, 0) },
	"io_uring":      func([]string) error { return call(unix.SYS_IO_URING_SETUP, 1, 0) },
	"userfaultfd":   func([]string) error { return call(unix.SYS_USERFAULTFD, 0xffff) },
	"clock_settime": func([]string) error {
		return call(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&unix.Timespec{Nsec: -1})))
	},
	"swapon":   func([]string) error { return call(unix.SYS_SWAPON, 0, 0) },
	"quotactl": func([]string) error { return call(unix.SYS_QUOTACTL, bad, 0, 0, 0) },
	"acct":     func([]string) error { return unix.Acct("/none") },
	"syslog":   func([]string) error { _, err := unix.Klogctl(10, nil); return err },
	"vhangup":  func([]string) error { return call(unix.SYS_VHANGUP) },
	"setns": func([]string) error {
		fd, err := unix.Open("/proc/self/ns/uts", unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		return unix.Setns(fd, 0)
	},
	"unshare-user": func([]string) error { return unix.Unshare(unix.CLONE_NEWUSER) }, // of threads: EINVAL
	"unshare-net":  func([]string) error { return unix.Unshare(unix.CLONE_NEWNET) },
	"clone-user":   func([]string) error { return cloned(syscall.CLONE_NEWUSER) },
	"clone-mount":  func([]string) error { return cloned(syscall.CLONE_NEWNS) },
	"sethostname": func([]string) error {
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		return unix.Sethostname([]byte(name)) // what it is already
	},
	"hostname": func(a []string) error {
		name, err := os.Hostname()
		if err == nil && name != a[0] {
			err = errHeld
		}
		return err
	},
	"ptrace":       func([]string) error { return call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, 1, 0, 0) },
	"proc-mem":     func([]string) error { return openFor("/proc/1/mem", unix.O_RDWR) },
	"proc-root":    func([]string) error { return openFor("/proc/1/root/", unix.O_RDONLY) },
	"proc-fd":      func([]string) error { return openFor("/proc/1/fd/0", unix.O_RDONLY) },
	"proc-environ": func([]string) error { return openFor("/proc/1/environ", unix.O_RDONLY) },
	// A program that runs cannot be written to (ETXTBSY); that this is what
	// the kernel answers means that permission was given.
	"proc-exe": func([]string) error { return openFor("/proc/1/exe", unix.O_WRONLY) },
	"kcore": func([]string) error {
		f, err := os.Open("/proc/kcore")
		if err != nil {
			return err
		}
		if n, _ := f.Read(make([]byte, 16)); n == 0 {
			return errHeld
		}
		return nil
	},
	"sysrq":        func([]string) error { return openFor("/proc/sysrq-trigger", unix.O_WRONLY) },
	"core_pattern": func([]string) error { return openFor("/proc/sys/kernel/core_pattern", unix.O_WRONLY) },
	"sys":          func([]string) error { return openFor("/sys/kernel/mm/transparent_hugepage/enabled", unix.O_WRONLY) },
	"sys-uevent":   func([]string) error { return openFor("/sys/kernel/uevent_seqnum", unix.O_WRONLY) },
	"proc-irq":     func([]string) error { return openFor("/proc/irq/default_smp_affinity", unix.O_WRONLY) },
	"mknod-disk": func([]string) error {
		if err := unix.Mknod("/tmp/disk", unix.S_IFBLK|0o600, int(firstDisk())); err != nil {
			return err
		}
		defer os.Remove("/tmp/disk")
		return openFor("/tmp/disk", unix.O_RDONLY)
	},
	// /dev/zero by another name: no harm, but as good as any device.
	"mknod": func([]string) error {
		if err := unix.Mknod("/tmp/node", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))); err != nil {
			return err
		}
		return openFor("/tmp/node", unix.O_RDONLY)
	},
	"mknod-disk-dev": func([]string) error {
		if err := unix.Mknod("/dev/disk", unix.S_IFBLK|0o600, int(firstDisk())); err != nil {
			return err
		}
		return openFor("/dev/disk", unix.O_RDONLY)
	},
	"handle": func([]string) error {
		h, id, err := unix.NameToHandleAt(unix.AT_FDCWD, "/tmp", 0)
		if err != nil {
			h = unix.NewFileHandle(1, make([]byte, 8))
		}
		_ = id
		_, err = unix.OpenByHandleAt(unix.AT_FDCWD, h, unix.O_RDONLY)
		return err
	},
	"chroot": func(a []string) error { return leaveRoot(a[0]) },
	"packet": func([]string) error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err },
	"raw": func([]string) error {
		_, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
		return err
	},
	"vsock":         func([]string) error { _, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0); return err },
	"alg":           func([]string) error { _, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0); return err },
	"net-admin":     loopbackDown,
	"host-network":  func(a []string) error { return dial("tcp", a[0]) },
	"host-abstract": func(a []string) error { return dial("unix", a[0]) },
	"host-ipc": func(a []string) error {
		key, err := strconv.Atoi(a[0])
		if err == nil {
			_, err = unix.SysvShmGet(key, 0, 0)
		}
		if errors.Is(err, unix.ENOENT) {
			return errHeld
		}
		return err
	},
	"host-processes": func([]string) error {
		dirs, err := filepath.Glob("/proc/[0-9]*")
		if err == nil && len(dirs) < 5 {
			err = errHeld
		}
		return err
	},
	"secret-of-another": func(a []string) error {
		files, _ := filepath.Glob("/proc/[0-9]*/root" + a[0])
		for _, f := range append(files, a[0]) {
			if _, err := os.ReadFile(f); err == nil {
				return nil
			}
		}
		return errHeld
	},
	"survivor": func(a []string) error {
		_, err := spawn("survive", a[0])
		return err
	},
	"survive": func(a []string) error {
		time.Sleep(500 * time.Millisecond)
		return os.WriteFile(a[0], nil, 0o644)
	},
	"fork-bomb": func([]string) error {
		for range 150 {
			if _, err := spawn("sleep", "3s"); err != nil {
				return fmt.Errorf("%w: %w", errHeld, err)
			}
		}
		return nil
	},
	"memory-bomb": func([]string) error {
		block := make([]byte, 256<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		runtime.KeepAlive(block)
		return nil
	},
	"tiocsti": func([]string) error {
		fd, err := unix.Open("/dev/tty", unix.O_RDWR, 0)
		if errors.Is(err, unix.ENXIO) {
			return errHeld // no controlling terminal
		}
		if err != nil {
			return err
		}
		return unix.IoctlSetInt(fd, unix.TIOCGPGRP, 0)
	},
	"descriptors": func(a []string) error {
		links, _ := filepath.Glob("/proc/self/fd/*")
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && strings.Contains(to, a[0]) {
				return nil
			}
		}
		return errHeld
	},
	"setuid": func([]string) error {
		pid, err := syscall.ForkExec("/bin/su", []string{"su", "euid"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		if err != nil {
			return err
		}
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
			return err
		}
		if ws.ExitStatus() != 0 {
			return errHeld
		}
		return nil
	},
	"euid": func([]string) error {
		if os.Geteuid() != 0 {
			return errHeld
		}
		return nil
	},
}

func openFor(name string, flags int) error {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func cloned(flags uintptr) error {
	_, err := syscall.ForkExec("/proc/self/exe", []string{"probe", "true"}, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Cloneflags: flags},
	})
	return err
}

// firstDisk is the device number of a disk of the machine.
func firstDisk() uint64 {
	text, _ := os.ReadFile("/proc/partitions")
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 4 && f[0] != "major" && f[0] != "1" && f[0] != "7" {
			major, _ := strconv.Atoi(f[0])
			minor, _ := strconv.Atoi(f[1])
			return unix.Mkdev(uint32(major), uint32(minor))
		}
	}
	return unix.Mkdev(1, 0)
}

// leaveRoot is the way out of a chroot: keep a directory open, change the
// root to one below it, and walk up from the open one.
func leaveRoot(marker string) error {
	root, err := unix.Open("/", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := unix.Chroot("/tmp"); err != nil {
		return err
	}
	if err := unix.Fchdir(root); err != nil {
		return err
	}
	for range 20 {
		if err := unix.Chdir(".."); err != nil {
			return err
		}
	}
	if _, err := os.Stat("." + marker); err != nil {
		return errHeld
	}
	return nil
}

func loopbackDown([]string) error {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	return unix.IoctlIfreq(sock, unix.SIOCSIFFLAGS, lo)
}

func dial(network, address string) error {
	c, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return fmt.Errorf("%w: %w", errHeld, err)
	}
	return c.Close()
}
