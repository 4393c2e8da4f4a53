package local

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/sandbox"
	"github.com/specbuild/specbuild/lower/dag"
)

// account is a user as a root knows it.
type account struct {
	uid, gid int
	home     string
	groups   []uint32 // supplementary, sorted
}

func (a account) key(k *cache.Key) {
	ids := []string{strconv.Itoa(a.uid), strconv.Itoa(a.gid)}
	for _, g := range a.groups {
		ids = append(ids, strconv.FormatUint(uint64(g), 10))
	}
	k.Line("user", ids...)
	k.Line("home", a.home)
}

// account looks a user's home and groups up in the root's passwd and group.
// A user who has no line there has the home "/", as in Docker.
func (b *build) account(ctx context.Context, root dag.ID, user string) (account, error) {
	owner, err := parseOwner(user)
	if err != nil {
		return account{}, err
	}
	if owner == nil {
		owner = &layer.Owner{}
	}
	a := account{uid: owner.UID, gid: owner.GID, home: "/"}
	if a.uid == 0 {
		a.home = "/root"
	}
	passwd, err := b.readFile(ctx, root, "etc/passwd")
	if err != nil {
		return account{}, err
	}
	name := ""
	for f := range fields(passwd, 6) {
		if f[2] == strconv.Itoa(a.uid) {
			name, a.home = f[0], f[5]
			break
		}
	}
	if name == "" {
		return a, nil
	}
	group, err := b.readFile(ctx, root, "etc/group")
	if err != nil {
		return account{}, err
	}
	for f := range fields(group, 4) {
		if !slices.Contains(strings.Split(f[3], ","), name) {
			continue
		}
		if gid, err := strconv.ParseUint(f[2], 10, 32); err == nil && int(gid) != a.gid {
			a.groups = append(a.groups, uint32(gid))
		}
	}
	slices.Sort(a.groups)
	return a, nil
}

// fields yields the lines of a file such as passwd that have at least n
// fields.
func fields(file []byte, n int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range bytes.Lines(file) {
			f := strings.Split(strings.TrimRight(string(line), "\n"), ":")
			if len(f) >= n && !yield(f) {
				return
			}
		}
	}
}

// parseOwner reads "uid:gid"; empty is nil.
func parseOwner(s string) (*layer.Owner, error) {
	if s == "" {
		return nil, nil
	}
	u, g, _ := strings.Cut(s, ":")
	uid, err := strconv.ParseUint(u, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("owner %q is not uid:gid", s)
	}
	if g == "" {
		g = u
	}
	gid, err := strconv.ParseUint(g, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("owner %q is not uid:gid", s)
	}
	return &layer.Owner{UID: int(uid), GID: int(gid)}, nil
}

// parseMode reads four octal digits; empty is nil.
func parseMode(s string) (*uint32, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(s, 8, 12)
	if err != nil {
		return nil, fmt.Errorf("mode %q is not four octal digits", s)
	}
	mode := uint32(n)
	return &mode, nil
}

// idmap is the kind of map in keys: with a single id, changing owners fails
// or is faked, so results differ and are never shared.
func (e *Engine) idmap() string {
	if e.o.Machine.IDMap().Kind == sandbox.IDMapSingle {
		return "single"
	}
	return "full"
}

// snapKind keeps unpacked trees apart whose owners are different numbers on
// the machine.
func (e *Engine) snapKind() string {
	m := e.o.Machine.IDMap()
	switch m.Kind {
	case sandbox.IDMapSingle:
		return "single"
	case sandbox.IDMapRanges:
		if m.Owners != "" {
			return m.Owners
		}
		return fmt.Sprintf("ranges-%d", m.UIDs[len(m.UIDs)-1].Outside)
	default:
		return "full"
	}
}

// unshare is the command that gives a person the users of steps, and what has
// to be said to overlay then.
func (e *Engine) unshare() (command, option string) {
	switch e.o.Machine.IDMap().Kind {
	case sandbox.IDMapSingle:
		return "unshare --map-root-user -m", "userxattr,"
	case sandbox.IDMapRanges:
		return "unshare --map-root-user --map-auto -m", "userxattr,"
	default:
		return "unshare -m", ""
	}
}

// cacheID is the identity of a cache mount in the store. What users of a
// namespace leave in one is a stranger's to everybody else.
func (e *Engine) cacheID(id string) string {
	if owners := e.o.Machine.IDMap().Owners; owners != "" {
		return id + " of " + owners
	}
	return id
}

func (e *Engine) idRanges(users bool) []layer.IDRange {
	ranges := e.o.Machine.IDMap().GIDs
	if users {
		ranges = e.o.Machine.IDMap().UIDs
	}
	var out []layer.IDRange
	for _, r := range ranges {
		out = append(out, layer.IDRange{Container: int(r.Inside), Host: int(r.Outside), Size: int(r.Count)})
	}
	if e.o.Machine.IDMap().Kind == sandbox.IDMapSingle {
		id := os.Getgid()
		if users {
			id = os.Getuid()
		}
		out = []layer.IDRange{{Container: 0, Host: id, Size: 1}}
	}
	return out
}

// chown gives a directory on the machine to a user of a step.
func (b *build) chown(dir string, a account) error {
	if b.o.Machine.IDMap().Kind == sandbox.IDMapSingle {
		return nil // there is one user only, and the directory is its own
	}
	uid, gid := hostID(b.idRanges(true), a.uid), hostID(b.idRanges(false), a.gid)
	return os.Lchown(dir, uid, gid)
}

func hostID(ranges []layer.IDRange, id int) int {
	for _, r := range ranges {
		if id >= r.Container && id < r.Container+r.Size {
			return r.Host + id - r.Container
		}
	}
	return id
}

// copyTree copies a directory or a file of the store to a place of its own,
// with modes and owners.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(to, rel), d)
	})
}
