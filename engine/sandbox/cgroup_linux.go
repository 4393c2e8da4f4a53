package sandbox

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	cgroupRoot   = "/sys/fs/cgroup"
	cgroupPrefix = "specbuild-"
	// ownThreads is room for the server beside what the limit of pids says:
	// it is in the same cgroup, with as many threads as Go's runtime makes.
	ownThreads = 12
)

// cgroup is where a limited run lives: one directory in v2, one a controller
// in v1. The zero value limits nothing.
type cgroup struct {
	dirs []string
	v2   bool
}

// hierarchies says where cgroups can be made on this machine: for each
// controller the directory of our own group, nearest first.
type hierarchies struct {
	v2   []string            // candidates: our own group, then its parents
	root string              // of v2
	v1   map[string][]string // the same by controller
}

// setting is a line to write into a file of a controller.
type setting struct {
	controller, file, value string
	optional                bool // not on every kernel
}

func (l Limits) none() bool { return l == Limits{} }

// settings spells limits for a version of cgroups.
func (l Limits) settings(v2 bool) []setting {
	var out []setting
	add := func(controller, v1, two, value string, optional bool) {
		file := v1
		if v2 {
			file = two
		}
		if file != "" {
			out = append(out, setting{controller, file, value, optional})
		}
	}
	if l.Memory > 0 {
		n := strconv.FormatInt(l.Memory, 10)
		add("memory", "memory.limit_in_bytes", "memory.max", n, false)
		if v2 {
			add("memory", "", "memory.swap.max", "0", true)
		} else { // memory and swap together
			add("memory", "memory.memsw.limit_in_bytes", "", n, true)
		}
	}
	if l.CPUs > 0 {
		const period = 100_000 // microseconds, the kernel's default
		quota := strconv.FormatInt(max(1000, int64(l.CPUs*period)), 10)
		if v2 {
			add("cpu", "", "cpu.max", quota+" "+strconv.Itoa(period), false)
		} else {
			add("cpu", "cpu.cfs_period_us", "", strconv.Itoa(period), false)
			add("cpu", "cpu.cfs_quota_us", "", quota, false)
		}
	}
	if l.Pids > 0 {
		add("pids", "pids.max", "pids.max", strconv.FormatInt(l.Pids+ownThreads, 10), false)
	}
	return out
}

// newCgroup makes a cgroup with limits below our own, or where the machine
// allows it. The name holds our process, so that others know a leftover.
func newCgroup(root string, l Limits) (*cgroup, error) {
	g := &cgroup{}
	if l.none() {
		return g, nil
	}
	h, err := findCgroups(root, "/proc/self")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLimits, err)
	}
	name := cgroupPrefix + owner(os.Getpid()) + "-" + random()
	wanted := l.settings(false)
	g.v2 = !h.serves(wanted)
	if g.v2 {
		wanted = l.settings(true)
	}
	for _, s := range wanted {
		dir, err := g.dir(h, s.controller, name, wanted)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, s.file), []byte(s.value), 0o644)
		}
		if err != nil && !s.optional {
			g.remove()
			return nil, fmt.Errorf("%w: %s: %w (root or a delegated cgroup is needed; without limits the step runs)", ErrLimits, s.controller, err)
		}
	}
	return g, nil
}

// serves says whether cgroup v1 has every controller that is wanted.
func (h hierarchies) serves(wanted []setting) bool {
	return !slices.ContainsFunc(wanted, func(s setting) bool { return h.v1[s.controller] == nil })
}

// dir gives the directory of the run for a controller, made on first use.
func (g *cgroup) dir(h hierarchies, controller, name string, wanted []setting) (string, error) {
	if g.v2 && len(g.dirs) == 1 {
		return g.dirs[0], nil
	}
	candidates := h.v1[controller]
	if g.v2 {
		candidates = h.v2
	}
	err := errors.New("no such controller is mounted")
	for _, parent := range candidates {
		if g.v2 {
			if err = enable(parent, wanted); err != nil {
				continue
			}
		}
		dir := filepath.Join(parent, name)
		if slices.Contains(g.dirs, dir) {
			return dir, nil
		}
		if err = os.Mkdir(dir, 0o755); err == nil {
			g.dirs = append(g.dirs, dir)
			return dir, nil
		}
	}
	return "", err
}

// enable lets the children of a v2 group have the controllers. A group with
// processes of its own, but the root, cannot have such children.
func enable(parent string, wanted []setting) error {
	file := filepath.Join(parent, "cgroup.subtree_control")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	on := strings.Fields(string(text))
	for _, s := range wanted {
		if slices.Contains(on, s.controller) {
			continue
		}
		on = append(on, s.controller)
		if err := os.WriteFile(file, []byte("+"+s.controller), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// add moves a process into the group.
func (g *cgroup) add(pid int) error {
	for _, dir := range g.dirs {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return fmt.Errorf("%w: %w", ErrLimits, err)
		}
	}
	return nil
}

// oom says whether the kernel killed something for lack of memory. In v1 the
// kill is counted where the victim was, and runc's group inside ours is gone
// by now; that the limit was hit, and a death by SIGKILL, tell it too.
func (g *cgroup) oom(killed bool) bool {
	for _, dir := range g.dirs {
		for _, file := range []string{"memory.oom_control", "memory.events"} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				continue
			}
			if killed && full(dir) {
				return true
			}
			for line := range strings.Lines(string(text)) {
				if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok && n != "0" {
					return true
				}
			}
		}
	}
	return false
}

// full says whether a group of v1 has used all that it may. Memory is taken in
// batches, so that the most that was used may end some pages below the limit;
// and the refusals are counted in runc's group inside, not in this one.
func full(dir string) bool {
	number := func(file string) int64 {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return -1
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	most, limit := number("memory.max_usage_in_bytes"), number("memory.limit_in_bytes")
	return most >= 0 && limit >= 0 && most >= limit-limit/64
}

// remove removes the group. What is left in spite of all is CleanCgroups's.
func (g *cgroup) remove() {
	for _, dir := range g.dirs {
		_ = removeGroup(dir)
	}
}

// CleanCgroups removes cgroups of runs whose specbuild was killed. root is as
// in [Options]. Groups with processes in them are left alone by the kernel.
func CleanCgroups(root string) error {
	h, err := findCgroups(root, "/proc/self")
	if err != nil {
		return nil // no cgroups, so none left over
	}
	parents := slices.Clone(h.v2)
	for _, list := range h.v1 {
		parents = append(parents, list...)
	}
	var errs []error
	for _, parent := range parents {
		found, _ := filepath.Glob(filepath.Join(parent, cgroupPrefix+"*"))
		for _, dir := range found {
			id := strings.Split(strings.TrimPrefix(filepath.Base(dir), cgroupPrefix), "-")
			pid, err := strconv.Atoi(id[0])
			if err != nil || len(id) != 3 || owner(pid) == id[0]+"-"+id[1] {
				continue
			}
			if err := removeGroup(dir); err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOENT) {
				errs = append(errs, fmt.Errorf("remove cgroup %s: %w", dir, err))
			}
		}
	}
	return errors.Join(errs...)
}

// removeGroup removes a group and those in it: runc makes one of its own.
func removeGroup(dir string) error {
	inside, _ := filepath.Glob(filepath.Join(dir, "*", "cgroup.procs"))
	for _, f := range inside {
		_ = unix.Rmdir(filepath.Dir(f))
	}
	return unix.Rmdir(dir)
}

// owner names a process for as long as the machine runs: its id and start.
// It is empty for one that is gone.
func owner(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name of the program, in brackets, may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return strconv.Itoa(pid) + "-" + fields[19]
}

func random() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	return hex.EncodeToString(b[:])
}

// findCgroups reads where a process is and where that is mounted. With a root
// other than the machine's, the groups of /proc are below that root.
func findCgroups(root, proc string) (hierarchies, error) {
	h := hierarchies{v1: map[string][]string{}}
	if root == "" {
		root = cgroupRoot
	}
	text, err := os.ReadFile(proc + "/cgroup")
	if err != nil {
		return h, err
	}
	mounts, err := cgroupMounts(root, proc)
	if err != nil {
		return h, err
	}
	for line := range strings.Lines(string(text)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3) // cgroups(7): id:controllers:path
		if len(part) != 3 {
			continue
		}
		if part[1] == "" {
			if m, ok := mounts["2"]; ok {
				h.root, h.v2 = m.at, m.upward(part[2])
			}
			continue
		}
		for _, c := range strings.Split(part[1], ",") {
			if m, ok := mounts[c]; ok {
				h.v1[c] = m.upward(part[2])
			}
		}
	}
	if h.v2 == nil && len(h.v1) == 0 {
		return h, errors.New("no cgroups are mounted at " + root)
	}
	return h, nil
}

type cgroupMount struct{ at, root string }

// upward lists the directory of a group and its parents, nearest first. A
// mount in a container shows only what is below its root.
func (m cgroupMount) upward(group string) []string {
	rel := strings.TrimPrefix(group, strings.TrimSuffix(m.root, "/"))
	var out []string
	for dir := filepath.Join(m.at, rel); ; dir = filepath.Dir(dir) {
		out = append(out, dir)
		if dir == m.at || !strings.HasPrefix(dir, m.at) {
			return out
		}
	}
}

// cgroupMounts reads mountinfo (proc_pid_mountinfo(5)) by controller; "2" is
// the unified hierarchy. A root that is no mount is taken as it looks.
func cgroupMounts(root, proc string) (map[string]cgroupMount, error) {
	f, err := os.Open(proc + "/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]cgroupMount{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		before, after, _ := strings.Cut(sc.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 5 || len(right) < 3 || (left[4] != root && !strings.HasPrefix(left[4], root+"/")) {
			continue
		}
		m := cgroupMount{at: left[4], root: left[3]}
		switch right[0] {
		case "cgroup2":
			out["2"] = m
		case "cgroup":
			for _, c := range strings.Split(right[2], ",") {
				out[c] = m
			}
		}
	}
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil && len(out) == 0 {
		out["2"] = cgroupMount{root, "/"}
	}
	return out, nil
}
