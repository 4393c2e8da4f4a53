//go:build linux

package sandbox

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// escape is an attempt to get out. It is made with everything in place, when
// it has to be held, and without the guards that off names, when it has to
// get through: else the test would prove nothing.
type escape struct {
	name string
	args []string // of the probe; none: its name
	off  guard
	// with prepares; open says that guards are off.
	with func(t *testing.T, s *Spec, open bool)
	// lacking is why it cannot get through on some machine in spite of all.
	lacking func() string
	// process1 is about a process 1 that is not the command, as ours is.
	process1 bool
}

const privilege = guardSeccomp | guardCaps | guardNoNewPrivs

// missing says that the machine lacks a file.
func missing(name string) func() string {
	return func() string {
		if _, err := os.Stat(name); err != nil {
			return "this kernel has no " + name
		}
		return ""
	}
}

var escapes = []escape{
	{name: "mount", off: privilege}, {name: "umount", off: privilege}, {name: "remount", off: privilege},
	{name: "open_tree", off: privilege}, {name: "fsopen", off: privilege}, {name: "pivot_root", off: privilege},
	{name: "keyctl", off: privilege}, {name: "add_key", off: privilege}, {name: "request_key", off: privilege},
	{name: "bpf", off: privilege}, {name: "perf", off: privilege}, {name: "kexec", off: privilege},
	{name: "reboot", off: privilege}, {name: "init_module", off: privilege}, {name: "finit_module", off: privilege},
	{name: "delete_module", off: privilege}, {name: "io_uring", off: privilege}, {name: "userfaultfd", off: privilege},
	{name: "clock_settime", off: privilege}, {name: "swapon", off: privilege}, {name: "quotactl", off: privilege},
	{name: "acct", off: privilege}, {name: "syslog", off: privilege}, {name: "vhangup", off: privilege},
	{name: "setns", off: privilege}, {name: "unshare-user", off: privilege}, {name: "unshare-net", off: privilege},
	{name: "clone-user", off: privilege}, {name: "clone-mount", off: privilege}, {name: "sethostname", off: privilege},
	{name: "handle", off: privilege}, {name: "net-admin", off: privilege}, {name: "vsock", off: privilege}, {name: "alg", off: privilege},
	{name: "packet", off: privilege, with: outbound}, {name: "raw", off: privilege, with: outbound},
	{name: "ptrace", off: privilege | guardExe}, {name: "proc-mem", off: privilege | guardExe, process1: true},
	{name: "proc-root", off: privilege | guardExe, process1: true}, {name: "proc-fd", off: privilege | guardExe, process1: true},
	{name: "proc-environ", off: privilege | guardExe, process1: true}, {name: "proc-exe", off: privilege | guardExe, process1: true},
	{name: "kcore", off: privilege | guardMasks, lacking: missing("/proc/kcore")},
	{name: "sysrq", off: privilege | guardMasks, lacking: missing("/proc/sysrq-trigger")},
	{name: "core_pattern", off: privilege | guardMasks}, {name: "proc-irq", off: privilege | guardMasks},
	{name: "sys", off: privilege | guardMasks, lacking: missing("/sys/kernel/mm/transparent_hugepage/enabled")},
	{name: "mknod", off: privilege | guardNodev},
	{name: "mknod-disk", off: privilege | guardNodev, lacking: noDisk},
	{name: "mknod-disk-dev", off: privilege | guardNodev, lacking: noDisk},
	{name: "tiocsti", lacking: func() string { return "no run has a controlling terminal, whatever is taken away" }},
	{name: "chroot", off: privilege | guardPivot, with: func(t *testing.T, s *Spec, _ bool) {
		marker := filepath.Join(t.TempDir(), "marker")
		mustWrite(t, marker, "")
		s.Args = append(s.Args, marker)
	}},
	{name: "setuid", off: privilege, with: func(t *testing.T, s *Spec, _ bool) {
		su := filepath.Join(s.Root.Lower[0], "bin/su")
		text, err := os.ReadFile(probe)
		if err == nil {
			err = os.WriteFile(su, text, 0o755)
		}
		if err == nil {
			err = os.Chmod(su, 0o755|os.ModeSetuid)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.UID, s.GID = 1000, 1000
	}},
	{name: "host-network", with: func(t *testing.T, s *Spec, open bool) {
		s.Args = append(s.Args, listen(t, "tcp", "127.0.0.1:0"))
		shareNetwork(s, open)
	}},
	{name: "host-abstract", with: func(t *testing.T, s *Spec, open bool) {
		s.Args = append(s.Args, listen(t, "unix", fmt.Sprintf("@specbuild-test-%d", os.Getpid())))
		shareNetwork(s, open)
	}},
	{name: "host-ipc", off: guardIPC, with: func(t *testing.T, s *Spec, _ bool) {
		key := 0x5bec0000 | os.Getpid()&0xffff
		id, err := unix.SysvShmGet(key, 4096, unix.IPC_CREAT|0o666)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
		s.Args = append(s.Args, fmt.Sprint(key))
	}},
	{name: "hostname", off: guardUTS, with: func(t *testing.T, s *Spec, _ bool) {
		name, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		s.Args = append(s.Args, name)
	}},
	{name: "host-processes", off: guardPid},
	{name: "secret-of-another", off: privilege | guardPid | guardExe, with: func(t *testing.T, s *Spec, open bool) {
		const target = "/run/secrets/other"
		other := spec(t, "polite")
		secret(t, &other, target)
		ready, done := make(chan struct{}), make(chan struct{})
		out := &notify{word: "ready", then: func() { close(ready) }}
		other.Stdout, other.Stderr, other.off = out, out, s.off
		go func() {
			defer close(done)
			other.Timeout = 3 * time.Second
			_, _ = Native(Options{}).Run(t.Context(), other) // it is only there to be looked at
		}()
		t.Cleanup(func() { <-done })
		<-ready
		s.Args = append(s.Args, target)
	}},
	{name: "descriptors", off: guardFDs, with: func(t *testing.T, s *Spec, _ bool) {
		name := filepath.Join(t.TempDir(), "left-open")
		mustWrite(t, name, "")
		fd, err := unix.Open(name, unix.O_RDONLY, 0) // without O_CLOEXEC
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		s.Args = append(s.Args, "left-open")
	}},
	{name: "fork-bomb", with: func(_ *testing.T, s *Spec, open bool) {
		if !open {
			s.Limits.Pids = 20
		}
	}},
}

// noDisk says that this machine opens no disk for anybody.
func noDisk() string {
	disks, _ := filepath.Glob("/dev/[vsn][dv][a-z]*")
	for _, d := range disks {
		if fd, err := unix.Open(d, unix.O_RDONLY, 0); err == nil {
			unix.Close(fd)
			return ""
		}
	}
	return "this machine lets nobody open a disk"
}

func outbound(_ *testing.T, s *Spec, _ bool) { s.Network = NetworkOutbound }

// shareNetwork takes the guard away that the network namespace is.
func shareNetwork(s *Spec, open bool) {
	if open {
		s.Network = NetworkHost
	}
}

func listen(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestEscapesAreHeld(t *testing.T) {
	for name, r := range runners(t) {
		for _, e := range escapes {
			t.Run(name+"/"+e.name, func(t *testing.T) {
				if e.process1 && name == "runc" {
					t.Skip("in runc process 1 is the command itself")
				}
				s := spec(t, append([]string{e.name}, e.args...)...)
				if e.with != nil {
					e.with(t, &s, false)
				}
				got := run(t, r, s)
				if absent := e.lacking != nil && e.lacking() != "" && got.Code == 0; absent {
					t.Skip(e.lacking())
				}
				if got.Code != 42 || got.failed != nil {
					t.Errorf("exit %d (%q, %q), error %v: not held", got.Code, got.out, got.err, got.failed)
				}
			})
		}
	}
}

func TestEscapesWorkWithoutGuards(t *testing.T) {
	r, ok := runners(t)["native"]
	if !ok {
		t.Skip("needs root")
	}
	for _, e := range escapes {
		t.Run(e.name, func(t *testing.T) {
			if e.lacking != nil && e.lacking() != "" {
				t.Skip(e.lacking())
			}
			s := spec(t, append([]string{e.name}, e.args...)...)
			s.off = e.off
			if e.with != nil {
				e.with(t, &s, true)
			}
			if got := run(t, r, s); got.Code != 0 || got.failed != nil {
				t.Errorf("exit %d (%q, %q), error %v: held by something else", got.Code, got.out, got.err, got.failed)
			}
		})
	}
}

// A daemon in a session of its own dies with the command.
func TestSurvivors(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			if survived(t, r, 0) {
				t.Error("a daemon outlived the command")
			}
		})
	}
	if r, ok := runners(t)["native"]; ok && !survived(t, r, guardPid) {
		t.Error("no daemon outlives a command without a pid namespace: the test proves nothing")
	}
}

func survived(t *testing.T, r Runner, off guard) bool {
	t.Helper()
	s := spec(t, "survivor", "/b/alive")
	dir := bind(t, &s, "/b", false)
	s.off = off
	var out bytes.Buffer
	s.Stdout, s.Stderr = &out, &out
	if got := run(t, r, s); got.Code != 0 || got.failed != nil {
		t.Fatalf("%+v %s", got, out.String())
	}
	time.Sleep(700 * time.Millisecond)
	_, err := os.Stat(filepath.Join(dir, "alive"))
	return err == nil
}

// Links in the root lead nowhere outside, also when they change meanwhile.
func TestLinksOnTargets(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			s := spec(t, "true")
			linkTo(t, filepath.Join(s.Root.Lower[0], "out"), outside)
			secret(t, &s, "/out/k")
			if got := run(t, r, s); got.failed == nil && got.Code == 0 {
				wantFile(t, filepath.Join(s.Root.Upper, outside, "k"), "")
			}
			wantMissing(t, filepath.Join(outside, "k"))
		})
	}
}

func TestRacedLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	outside, cache := t.TempDir(), t.TempDir()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // another step, which shares a cache with this one
		defer close(done)
		for place := filepath.Join(cache, "d"); ; {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Symlink(outside, place)
			_ = os.Remove(place)
			_ = os.Mkdir(place, 0o755)
			_ = os.RemoveAll(place)
		}
	}()
	for range 40 {
		s := spec(t, "true")
		s.Mounts = []Mount{{Source: cache, Target: "/c"}}
		secret(t, &s, "/c/d/k")
		run(t, Native(Options{}), s) // it may well fail
	}
	close(stop)
	<-done
	if list, err := os.ReadDir(outside); err != nil || len(list) > 0 {
		t.Errorf("a mount target was made outside: %v %v", list, err)
	}
}

// Without resolution in the root the same link does lead outside.
func TestLinksWithoutGuard(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	outside := t.TempDir()
	s := spec(t, "true")
	linkTo(t, filepath.Join(s.Root.Lower[0], "out"), outside)
	secret(t, &s, "/out/k")
	s.off = guardInRoot
	run(t, Native(Options{}), s)
	if _, err := os.Stat(filepath.Join(outside, "k")); err != nil {
		t.Errorf("the link did not lead outside: %v", err)
	}
}

func linkTo(t *testing.T, name, target string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// The machine's device nodes are the machine's.
func TestDeviceNodesAreNotChanged(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			run(t, r, spec(t, "chmod", "/dev/null"))
			wantMode(t, "/dev/null", 0o666)
		})
	}
}

func TestMemoryLimit(t *testing.T) {
	for name, r := range runners(t) {
		t.Run(name, func(t *testing.T) {
			s := spec(t, "memory-bomb")
			s.Limits.Memory = 64 << 20
			got := run(t, r, s)
			if got.failed != nil || got.Code == 0 || !got.OOM {
				t.Errorf("%+v, want a death for lack of memory", got)
			}
			if open := run(t, r, spec(t, "memory-bomb")); open.Code != 0 || open.OOM {
				t.Errorf("%+v without a limit", open)
			}
		})
	}
}
