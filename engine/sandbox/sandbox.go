// Package sandbox runs one command in a root, from a closed [Spec].
//
// There are two implementations of [Runner]. [Native] is pure Go: it starts
// this very program again, as a server of runs. For each it makes new
// namespaces, with a process 1 of ours, and every mount in the run's own mount
// namespace, so that whatever becomes of us the kernel cleans up; no daemon, no helper program, no C. [Runc] makes the same root in
// the same way and hands the command to an installed runc; it is the reference
// that the first is checked against.
//
// A program that imports this package and is started under the server's name is
// that, and never comes to its main.
//
// What is guarded, and by what, is in docs/adr/0002-sandbox.md; what works
// where without root, in docs/rootless.md.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Runner runs commands. It may be used by many goroutines at once.
type Runner interface {
	// Run runs a command to its end. A command that fails, is killed by a
	// limit or takes too long is told by Exit and a nil error. An error is
	// about the sandbox, wraps ErrCommand when the command could not be
	// started in the root, and is ctx's when that ended first.
	Run(ctx context.Context, s Spec) (Exit, error)
	// Expect says that a run like s will likely be asked for before ctx ends,
	// so that what a run needs first can be started already. Only Network and
	// IDMap of s count. It may be called once for every run to come, costs
	// nothing to speak of, and what was started in vain ends with ctx.
	Expect(ctx context.Context, s Spec)
}

// Errors that callers tell apart.
var (
	// ErrCommand is wrapped when the root has no such command, or it cannot
	// be executed there: the fault of the spec, not of the machine.
	ErrCommand = errors.New("cannot start the command")
	// ErrLimits is wrapped when limits were asked for and this process cannot
	// set them: they are never silently ignored.
	ErrLimits = errors.New("cannot set limits")
	// ErrUnsupported is wrapped when this machine cannot run commands at all.
	ErrUnsupported = errors.New("cannot run commands on this machine")
)

// Spec is all that a run depends on.
type Spec struct {
	Root     Root
	Args     []string // argv; a name without slash is looked up in PATH of Env, in the root
	Env      []string // "NAME=value", all of it: nothing is inherited
	Workdir  string   // absolute in the root, made 0755 0:0 if missing; empty is "/"
	UID, GID uint32
	Groups   []uint32 // supplementary groups
	Network  Network
	Hosts    []Host  // further lines of /etc/hosts
	Mounts   []Mount // parents are mounted before what is below them, whatever the order
	ShmSize  int64   // bytes of /dev/shm; zero is 64 MiB, as in Docker
	Limits   Limits
	Timeout  time.Duration // zero is none
	// Stdout and Stderr get what the command prints, while it runs; the same
	// writer in both keeps the order. Standard input is empty.
	Stdout, Stderr io.Writer
	IDMap          IDMap
	// Emulator is a static emulator on the machine for a foreign platform,
	// which is registered inside the sandbox only. Empty where the command
	// runs natively or the machine has the emulator registered itself.
	Emulator *Emulator
	// Once says that no other run is to be served by the process that serves
	// this one, since it gets to see a secret.
	Once bool

	off guard // tests only: what is not guarded
}

// Hostname is the name of the machine that every command sees.
const Hostname = "specbuild"

// Root is the file system of a command: an overlay, or a plain directory.
type Root struct {
	// Lower holds directories of the machine, the lowest first. Upper takes
	// what is written, and Work is an empty directory on Upper's file system
	// that was used for no other mount; what the kernel leaves in it is the
	// caller's to remove, also before it is mounted again. Without Upper the root is read-only.
	// Without Lower, Upper is the whole root.
	Lower       []string
	Upper, Work string
	// Dir is a directory to use as it is, instead of an overlay.
	Dir string
	// ReadOnly forbids writing; a mount target that is missing is still made
	// in an overlay, since only Upper sees it.
	ReadOnly bool
}

// Network says what a command reaches.
type Network uint8

// The networks. Outbound and Host both share the machine's network as yet:
// its loopback and abstract sockets are then in reach.
const (
	NetworkNone     Network = iota // a loopback interface of its own
	NetworkOutbound                // what the machine reaches
	NetworkHost                    // the same, asked for by that name
)

// Host is a line of /etc/hosts.
type Host struct{ Name, IP string }

// MountKind is the kind of a mount.
type MountKind uint8

// The kinds of mounts.
const (
	MountBind   MountKind = iota // a file, directory or socket of the machine, at Source
	MountTmpfs                   // empty, of Size bytes
	MountSecret                  // a file in memory that holds Content, mode 0400, of the command's user
)

// Mount is something mounted into the root. A missing Target is made and told
// by Exit.Stubs.
type Mount struct {
	Kind     MountKind
	Source   string // bind: absolute path on the machine
	Target   string // absolute in the root, resolved through its links
	ReadOnly bool   // bind
	Size     int64  // tmpfs, bytes; zero is half of the memory
	Content  []byte // secret
}

// Limits bound a command and all its children; zero is no limit.
type Limits struct {
	Memory int64   // bytes, swap included
	CPUs   float64 // of one core
	Pids   int64   // processes and threads of the command
}

// IDMapKind says what users the root knows.
type IDMapKind uint8

// The kinds of maps. Full needs root and uses no user namespace. Single maps
// user 0 to the caller and nothing else. Ranges maps what UIDs and GIDs say,
// by newuidmap and newgidmap unless we are root.
const (
	IDMapFull IDMapKind = iota
	IDMapSingle
	IDMapRanges
)

// IDMap maps users of the root to users of the machine.
type IDMap struct {
	Kind       IDMapKind
	UIDs, GIDs []IDRange
	// Owners names what the ids are on the disk, where Outside does not say
	// it: for ranges within a namespace ([IDMap.Within]). It is of letters,
	// digits and dashes; what was unpacked under another name is others'.
	Owners string
}

// IDRange maps Count ids from Inside (the root's) to Outside (the machine's).
type IDRange struct{ Inside, Outside, Count uint32 }

// Emulator is a static program that runs programs of another architecture.
type Emulator struct {
	Path string // on the machine, "/usr/bin/qemu-aarch64-static"
	Arch string // GOARCH of what it runs, "arm64"
}

// Exit tells how a command ended.
type Exit struct {
	Code     int            // exit status; 128 plus the signal when killed by one
	Signal   syscall.Signal // zero if it ended by itself
	TimedOut bool           // Spec.Timeout passed
	OOM      bool           // the memory limit was hit and something was killed
	// Stubs are files and directories that were made in the root for mounts,
	// as clean absolute paths in the root, parents before children. They are
	// to be removed where still empty: they are no work of the command.
	Stubs []string
	// Mounting is how long it took to make the root and all that is
	// mounted in it, for who wants to know where time goes.
	Mounting time.Duration
}

// guard is something that holds a command back. Tests take guards away, to
// see that a probe would succeed without them.
type guard uint32

const (
	guardSeccomp guard = 1 << iota
	guardCaps
	guardNoNewPrivs
	guardNodev
	guardMasks    // masked and read-only paths of /proc and /sys
	guardPid      // pid namespace; with it /proc is the machine's
	guardIPC      //
	guardUTS      //
	guardFDs      // closing of inherited descriptors
	guardInRoot   // targets resolved in the root, by descriptor
	guardExe      // our own program is not reachable from inside
	guardPivot    // pivot_root; without it chroot
	guardNewMount // not a guard: mount(2) instead of fsopen for the overlay
)

// validate finds what no sandbox could run, before anything is started.
func (s *Spec) validate() error {
	if len(s.Args) == 0 || s.Args[0] == "" {
		return fmt.Errorf("%w: no command", ErrCommand)
	}
	for _, a := range append(append([]string{s.Workdir}, s.Args...), s.Env...) {
		if strings.IndexByte(a, 0) >= 0 {
			return fmt.Errorf("%w: a zero byte in %q", ErrCommand, a)
		}
	}
	if s.Workdir != "" && !path.IsAbs(s.Workdir) {
		return fmt.Errorf("working directory %q is not absolute", s.Workdir)
	}
	for _, h := range s.Hosts {
		if !address(h.IP) || h.Name == "" || strings.ContainsAny(h.IP+h.Name, " \t\r\n#") {
			return fmt.Errorf("host %q with address %q is no line of /etc/hosts", h.Name, h.IP)
		}
	}
	for _, m := range s.Mounts {
		if err := m.validate(); err != nil {
			return err
		}
	}
	if s.Limits.Memory < 0 || s.Limits.CPUs < 0 || s.Limits.Pids < 0 {
		return fmt.Errorf("%w: negative", ErrLimits)
	}
	if err := s.IDMap.validate(s.UID, s.GID, s.Groups); err != nil {
		return err
	}
	return s.Root.validate()
}

// address says whether something looks like the address of a host. Whoever
// reads it from a user judges it with net/netip, which would make the server
// start late (see init).
func address(s string) bool {
	if strings.Contains(s, ":") {
		return true
	}
	parts := strings.Split(s, ".")
	return len(parts) == 4 && !slices.ContainsFunc(parts, func(p string) bool {
		_, err := strconv.ParseUint(p, 10, 8)
		return err != nil
	})
}

func (m *Mount) validate() error {
	if !path.IsAbs(m.Target) || strings.IndexByte(m.Target, 0) >= 0 {
		return fmt.Errorf("mount target %q is not an absolute path", m.Target)
	}
	// Everything that we mask or make read-only is below these three: nothing
	// of the caller's may come to lie above it.
	switch c := path.Clean(m.Target); {
	case c == "/" || c == "/proc" || c == "/sys" || c == "/dev",
		strings.HasPrefix(c, "/proc/"), strings.HasPrefix(c, "/sys/"):
		return fmt.Errorf("nothing can be mounted on %q", m.Target)
	}
	if m.Kind == MountBind && !path.IsAbs(m.Source) {
		return fmt.Errorf("mount source %q is not an absolute path", m.Source)
	}
	if m.Kind > MountSecret || m.Size < 0 {
		return fmt.Errorf("mount on %q has an unknown kind or a negative size", m.Target)
	}
	return nil
}

func (r *Root) validate() error {
	switch {
	case r.Dir != "" && (len(r.Lower) > 0 || r.Upper != ""):
		return errors.New("a root is a directory or an overlay, not both")
	case r.Dir == "" && len(r.Lower) == 0 && r.Upper == "":
		return errors.New("no root")
	case r.Upper != "" && len(r.Lower) > 0 && r.Work == "":
		return errors.New("an overlay needs a work directory")
	}
	for _, p := range append([]string{r.Dir, r.Upper, r.Work}, r.Lower...) {
		if p != "" && !path.IsAbs(p) {
			return fmt.Errorf("root directory %q is not absolute", p)
		}
	}
	return nil
}

// validate says whether user, group and groups exist under the map.
func (m *IDMap) validate(uid, gid uint32, groups []uint32) error {
	const advice = "; give this user subordinate ids (/etc/subuid, /etc/subgid and the package uidmap), or run as root"
	switch m.Kind {
	case IDMapFull:
		return nil
	case IDMapSingle:
		if uid != 0 || gid != 0 {
			return fmt.Errorf("user %d:%d does not exist: only 0:0 is mapped%s", uid, gid, advice)
		}
		return nil
	case IDMapRanges:
		if !covered(m.UIDs, uid) || !covered(m.GIDs, gid) {
			return fmt.Errorf("user %d:%d is outside the subordinate ids%s", uid, gid, advice)
		}
		for _, g := range groups {
			if !covered(m.GIDs, g) {
				return fmt.Errorf("group %d is outside the subordinate ids%s", g, advice)
			}
		}
		return nil
	}
	return fmt.Errorf("unknown kind %d of id map", m.Kind)
}

func covered(ranges []IDRange, id uint32) bool {
	for _, r := range ranges {
		if id >= r.Inside && uint64(id) < uint64(r.Inside)+uint64(r.Count) {
			return true
		}
	}
	return false
}
