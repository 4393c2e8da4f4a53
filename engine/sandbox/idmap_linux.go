package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// userNamespace asks for a user namespace. A single id is mapped by the fork
// itself. Ranges are mapped later, by programs with the privilege to do so;
// until then the child is nobody, and would lose its capabilities by
// execve(2), were they not ambient.
func userNamespace(attr *syscall.SysProcAttr, m IDMap) {
	if m.Kind == IDMapSingle {
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		return
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err != nil {
			break
		}
		attr.AmbientCaps = append(attr.AmbientCaps, c)
	}
}

// mapIDs writes the maps of ranges: directly as root, else by newuidmap and
// newgidmap, which check them against /etc/subuid and /etc/subgid.
func mapIDs(pid int, m IDMap) error {
	if m.Kind != IDMapRanges {
		return nil
	}
	for _, k := range []struct {
		tool, file string
		ranges     []IDRange
	}{{"newuidmap", "uid_map", m.UIDs}, {"newgidmap", "gid_map", m.GIDs}} {
		if os.Geteuid() == 0 {
			var b strings.Builder
			for _, r := range k.ranges {
				fmt.Fprintf(&b, "%d %d %d\n", r.Inside, r.Outside, r.Count)
			}
			if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, k.file), []byte(b.String()), 0); err != nil {
				return fmt.Errorf("map ids: %w", err)
			}
			continue
		}
		args := []string{strconv.Itoa(pid)}
		for _, r := range k.ranges {
			args = append(args, decimal(r.Inside), decimal(r.Outside), decimal(r.Count))
		}
		if out, err := exec.Command(k.tool, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("map ids: %s: %w: %s", k.tool, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// subordinate gives the map of the current user: itself as 0, and its first
// ranges of /etc/subuid and /etc/subgid from 1 on.
func subordinate() (IDMap, error) {
	uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
	name := ""
	if u, err := user.LookupId(decimal(uid)); err == nil {
		name = u.Username
	}
	for _, tool := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(tool); err != nil {
			return IDMap{}, fmt.Errorf("%s is not installed (Debian and Ubuntu: apt install uidmap)", tool)
		}
	}
	m := IDMap{Kind: IDMapRanges, UIDs: []IDRange{{0, uid, 1}}, GIDs: []IDRange{{0, gid, 1}}}
	for _, f := range []struct {
		file   string
		ranges *[]IDRange
	}{{"/etc/subuid", &m.UIDs}, {"/etc/subgid", &m.GIDs}} {
		if err := readSubordinate(f.file, name, decimal(uid), f.ranges); err != nil {
			return IDMap{}, err
		}
	}
	return m, nil
}

// readSubordinate reads lines "user:first:count" (subuid(5)).
func readSubordinate(file, name, uid string, ranges *[]IDRange) error {
	f, err := os.Open(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read subordinate ids: %w", err)
	}
	next := uint32(1)
	if err == nil {
		defer f.Close()
		for sc := bufio.NewScanner(f); sc.Scan(); {
			part := strings.Split(strings.TrimSpace(sc.Text()), ":")
			if len(part) != 3 || (part[0] != name && part[0] != uid) || part[0] == "" {
				continue
			}
			first, err1 := strconv.ParseUint(part[1], 10, 32)
			count, err2 := strconv.ParseUint(part[2], 10, 32)
			if err1 != nil || err2 != nil || count == 0 {
				continue
			}
			*ranges = append(*ranges, IDRange{next, uint32(first), uint32(count)})
			next += uint32(count)
		}
	}
	if next == 1 {
		return fmt.Errorf("%s has no line for this user (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s)", file, name)
	}
	return nil
}
