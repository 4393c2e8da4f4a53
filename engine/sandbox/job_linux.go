package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// job is what the server is told: a Spec with all that needs the machine read.
type job struct {
	Spec   Spec
	Files  []file
	UserNS bool
	OwnNet bool
	// Filter is struct sock_filter, in memory order. It comes with the first
	// job of a server only: all its runs have the same network, so the same one.
	Filter  []byte `json:",omitempty"`
	Caps    uint64 // the most the command may have
	Off     guard
	Runc    string // path of runc; empty: ours
	State   string // runc: name of the container, of its cgroups and state
	Staging string
	Again   bool // another run will likely follow, for the same server

	// Of the server alone, as it goes on.
	proc      int           // detached mount of /proc
	emulator  int           // descriptor of the emulator's program
	emulating int           // process that waits to become the command
	waiting   int           // pipe that it waits on
	binds     []specs.Mount // for runc
}

// file is a small file of ours that the command finds in its root.
type file struct {
	Target  string
	Content []byte
}

// capabilities are Docker's default set (moby/moby oci/caps/defaults.go).
var capabilities = []struct {
	name string
	bit  uint
}{
	{"CAP_CHOWN", unix.CAP_CHOWN}, {"CAP_DAC_OVERRIDE", unix.CAP_DAC_OVERRIDE},
	{"CAP_FSETID", unix.CAP_FSETID}, {"CAP_FOWNER", unix.CAP_FOWNER},
	{"CAP_MKNOD", unix.CAP_MKNOD}, {"CAP_NET_RAW", unix.CAP_NET_RAW},
	{"CAP_SETGID", unix.CAP_SETGID}, {"CAP_SETUID", unix.CAP_SETUID},
	{"CAP_SETFCAP", unix.CAP_SETFCAP}, {"CAP_SETPCAP", unix.CAP_SETPCAP},
	{"CAP_NET_BIND_SERVICE", unix.CAP_NET_BIND_SERVICE},
	{"CAP_SYS_CHROOT", unix.CAP_SYS_CHROOT}, {"CAP_KILL", unix.CAP_KILL},
	{"CAP_AUDIT_WRITE", unix.CAP_AUDIT_WRITE},
}

// granted names the capabilities of a run. Raw sockets are for a network of
// one's own only: in the machine's they read everybody's packets.
func granted(n Network) (names []string, mask uint64) {
	for _, c := range capabilities {
		if c.bit == unix.CAP_NET_RAW && n != NetworkNone {
			continue
		}
		names, mask = append(names, c.name), mask|1<<c.bit
	}
	return names, mask
}

// filters are those of one Runner: compiling one takes longer than many a
// whole run, so each is compiled once, when it is first asked for.
type filters struct{ ownNetwork, otherNetwork compiled }

type compiled struct {
	once sync.Once
	text []byte
	err  error
}

func (f *filters) get(n Network) ([]byte, error) {
	c := &f.otherNetwork
	if n == NetworkNone {
		c = &f.ownNetwork
	}
	c.once.Do(func() {
		names, _ := granted(n)
		raw, err := filter(runtime.GOARCH, names)
		c.text, c.err = packFilter(raw), err
	})
	return c.text, c.err
}

// newJob reads from the machine what the child will need.
func newJob(s Spec, filters *filters) (job, error) {
	if err := s.validate(); err != nil {
		return job{}, err
	}
	_, mask := granted(s.Network)
	text, err := filters.get(s.Network)
	if err != nil {
		return job{}, err
	}
	j := job{
		Spec: s, Filter: text, Caps: mask, Off: s.off, Staging: staging,
		OwnNet: s.Network == NetworkNone, UserNS: s.IDMap.Kind != IDMapFull,
	}
	j.Spec.Stdout, j.Spec.Stderr = nil, nil
	j.Files = []file{
		{"/etc/hosts", hostsFile(s.Hosts)},
		{"/etc/hostname", []byte(Hostname + "\n")},
	}
	if s.Network != NetworkNone {
		text, err := os.ReadFile("/etc/resolv.conf")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return job{}, fmt.Errorf("read the machine's resolver configuration: %w", err)
		}
		j.Files = append(j.Files, file{"/etc/resolv.conf", text})
	}
	return j, nil
}

// hostsFile is part of what "sandbox v1" means in a run's key.
func hostsFile(hosts []Host) []byte {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t" + Hostname + "\n")
	for _, h := range hosts {
		fmt.Fprintf(&b, "%s\t%s\n", h.IP, h.Name)
	}
	return []byte(b.String())
}

// maskedPaths and readonlyPaths are Docker's (moby/moby oci/defaults.go).
var (
	maskedPaths = []string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware", "/sys/devices/virtual/powercap",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	devices       = []string{"null", "zero", "full", "random", "urandom", "tty"}
	deviceLinks   = [][2]string{
		{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
		{"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"},
	}
)

// shmSize is the size of /dev/shm in bytes.
func (s *Spec) shmSize() int64 {
	if s.ShmSize > 0 {
		return s.ShmSize
	}
	return 64 << 20
}
