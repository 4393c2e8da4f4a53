package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Probe looks at this machine by trying: versions and settings say too little.
// It takes a tenth of a second where many emulators are installed, and needs [Init] as a run does.
func Probe(opts Options) Capability { return look(opts, IDMap{}) }

// ProbeInside is Probe for a program that [Reenter] started, with the map that
// [Inside] gave.
func ProbeInside(opts Options, ids IDMap) Capability { return look(opts, ids) }

func look(opts Options, within IDMap) Capability {
	c := Capability{Root: os.Geteuid() == 0 && within.Kind == IDMapFull}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		c.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	c.find("kernel", true, c.Kernel, "")
	runs := c.tryRuns(within)
	c.tryOverlay()
	c.tryCgroup(opts.CgroupRoot)
	if r, err := Runc(opts); err == nil {
		c.RuncPath = r.(*runc).path
		c.find("runc", true, c.RuncPath, "")
	} else {
		c.find("runc", false, err.Error(), "not needed: it is the second implementation (--sandbox=runc)")
	}
	c.platforms(runs)
	return c
}

func (c *Capability) find(name string, ok bool, detail, advice string) {
	if ok {
		advice = ""
	}
	c.Findings = append(c.Findings, Finding{name, ok, detail, advice})
}

// tryRuns finds the widest id map with which a run gets as far as looking for
// its command; the reason when none does.
func (c *Capability) tryRuns(within IDMap) error {
	single := IDMap{Kind: IDMapSingle}
	userErr := tryRun(single, nil)
	c.UserNS = userErr == nil
	const allow = "allow them (sysctl user.max_user_namespaces; Ubuntu 24.04: kernel.apparmor_restrict_unprivileged_userns=0; in a container: --security-opt seccomp=unconfined, or a user-namespaced pod), or run as root, or use --engine buildkit, or native packages only"
	c.find("user namespaces", c.UserNS, explain(userErr), allow)
	if within.Kind != IDMapFull {
		err := tryRun(within, nil)
		c.SubIDs, c.IDMap = err == nil, within
		c.find("sandbox", c.SubIDs, explain(err), allow)
		return err
	}
	if c.Root {
		if err := tryRun(IDMap{}, nil); err != nil {
			c.find("sandbox", false, err.Error(), "give this container its privileges (--privileged), or use --engine buildkit")
			if !c.UserNS {
				return err
			}
			c.IDMap = single
			return nil
		}
		c.find("sandbox", true, "runs as root, with all ids", "")
		return nil
	}
	sub, err := Subordinate()
	if err == nil {
		err = tryRun(sub, nil)
	}
	detail := "work: builds run in a namespace of their own, with all users"
	if c.SubIDs = err == nil; !c.SubIDs {
		c.OneID = err.Error()
		detail = "steps know one user, root: " + c.OneID
	}
	c.find("subordinate ids", c.SubIDs, detail, "install uidmap and give this user 65536 ids in /etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME)")
	if c.IDMap = sub; !c.SubIDs {
		c.IDMap = single
	}
	return userErr
}

func explain(err error) string {
	if err == nil {
		return "work"
	}
	return err.Error()
}

// tryRun makes a whole sandbox, over an empty root, and asks for a command
// that is not there: getting to miss it takes all that a run needs.
func tryRun(m IDMap, e *Emulator) error {
	dir, err := os.MkdirTemp("", "specbuild-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := Spec{Root: Root{Lower: []string{filepath.Join(dir, "lower")}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}, IDMap: m, Emulator: e, Args: []string{"/none"}}
	for _, d := range []string{s.Root.Lower[0], s.Root.Upper, s.Root.Work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err = Native(Options{}).Run(ctx, s); strings.Contains(fmt.Sprint(err), ErrCommand.Error()) {
		return nil
	}
	return err
}

func (c *Capability) tryCgroup(root string) {
	const advice = "run as root or in a delegated cgroup (systemd-run --user --scope -p Delegate=yes); without, steps with resources { } fail and others run"
	g, err := newCgroup(root, Limits{Memory: 1 << 30, CPUs: 1, Pids: 100})
	if err != nil {
		c.find("limits", false, err.Error(), advice)
		return
	}
	defer g.remove()
	if c.Cgroup = "v1"; g.v2 {
		c.Cgroup = "v2"
	}
	c.find("limits", true, "cgroup "+c.Cgroup, "")
}

// tryOverlay asks for "lowerdir+" and not for a version: it came in 6.8, and
// was ported back.
func (c *Capability) tryOverlay() {
	c.Overlay = "mount"
	if fd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC); err == nil {
		if unix.FsconfigSetString(fd, "lowerdir+", "/") == nil {
			c.Overlay = "lowerdir+"
		}
		unix.Close(fd)
	}
	c.find("overlay", true, c.Overlay, "")
}

// platforms says for each architecture whether and how it runs.
func (c *Capability) platforms(native error) {
	own := "linux/" + runtime.GOARCH
	p := Platform{Name: own, Runs: native == nil, Reason: "natively"}
	if native != nil {
		p.Reason = native.Error()
	}
	c.Platforms = []Platform{p}
	archs := make([]string, 0, len(elfs))
	for arch := range elfs {
		if arch != runtime.GOARCH {
			archs = append(archs, arch)
		}
	}
	slices.Sort(archs)
	for _, arch := range archs {
		p := c.foreign(arch)
		if native != nil {
			p = Platform{Name: p.Name, Reason: native.Error()}
		}
		c.Platforms = append(c.Platforms, p)
		c.find("commands of "+p.Name, p.Runs, p.Reason, "install qemu-user-static")
	}
}

// foreign looks for what runs an architecture: the processor itself, the
// machine's registrations, or an emulator that we register.
func (c *Capability) foreign(arch string) Platform {
	p := Platform{Name: "linux/" + arch}
	if runtime.GOARCH == "amd64" && arch == "386" {
		p.Runs, p.Reason = true, "natively"
		return p
	}
	qemu := arch
	if q, ok := qemuNames[arch]; ok {
		qemu = q
	}
	if registered(qemu) {
		p.Runs, p.Reason = true, "by the emulator registered on this machine"
		return p
	}
	path, err := exec.LookPath("qemu-" + qemu + "-static")
	if err != nil {
		p.Reason = "no emulator: qemu-" + qemu + "-static is not installed"
		return p
	}
	e := &Emulator{Path: path, Arch: arch}
	if err := tryRun(c.IDMap, e); err != nil {
		p.Reason = path + " is there, but: " + err.Error()
		return p
	}
	p.Runs, p.Emulator, p.Reason = true, e, "by "+path+", registered within each sandbox"
	return p
}

// registered says whether the machine has an emulator that it opened when it
// was registered (F): others are looked for in the root, and not found.
func registered(qemu string) bool {
	files, _ := filepath.Glob("/proc/sys/fs/binfmt_misc/*")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || !bytes.HasPrefix(text, []byte("enabled")) || !bytes.Contains(text, []byte("qemu-"+qemu)) {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if flags, ok := strings.CutPrefix(line, "flags: "); ok && strings.Contains(flags, "F") {
				return true
			}
		}
	}
	return false
}
