package layer

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// User is one to be added to /etc/passwd.
type User struct {
	Name   string
	UID    int
	GID    int      // the primary group; one of the user's name is made if none has this id
	Home   string   // absolute; made 0750 of the user's if it is not there
	Shell  string   // absolute
	Groups []string // further groups by name, which exist below or are added too
}

// Group is one to be added to /etc/group.
type Group struct {
	Name string
	GID  int
}

// The account files; the shadows are edited only where they exist.
const (
	passwdPath  = "etc/passwd"
	groupPath   = "etc/group"
	shadowPath  = "etc/shadow"
	gshadowPath = "etc/gshadow"
)

// AddUsers gives the items of a layer that adds users and groups to a root:
// the account files as they are below with lines appended, and the homes.
// read gives the content of a file below by its path without links. The
// result depends on the arguments alone; passwords are locked (`!*`) and
// have no date. A name or id that is taken already is a [*CopyError].
//
// A root without /etc/passwd gets one with root in it.
func AddUsers(below Below, read func(path string) ([]byte, error), users []User, groups []Group) ([]Item, error) {
	a := &accounts{below: below, read: read}
	if err := a.load(); err != nil {
		return nil, err
	}
	for _, g := range groups {
		if err := a.addGroup(g); err != nil {
			return nil, err
		}
	}
	for _, u := range users {
		if err := a.addUser(u); err != nil {
			return nil, err
		}
	}
	items, err := a.homes(users)
	if err != nil {
		return nil, err
	}
	for _, t := range []*table{&a.passwd, &a.group, &a.shadow, &a.gshadow} {
		if t.changed {
			items = append(items, t.item())
		}
	}
	return Files(below, items)
}

// accounts is the four files while they are edited.
type accounts struct {
	below                          Below
	read                           func(string) ([]byte, error)
	passwd, group, shadow, gshadow table
}

// table is one file of lines of fields, with the metadata that it keeps.
type table struct {
	entry   Entry
	lines   []string
	exists  bool
	changed bool
}

func (a *accounts) load() error {
	for _, f := range []struct {
		t     *table
		path  string
		first string
		need  bool
	}{
		{&a.passwd, passwdPath, "root:x:0:0:root:/root:/usr/sbin/nologin", true},
		{&a.group, groupPath, "root:x:0:", true},
		{&a.shadow, shadowPath, "", false},
		{&a.gshadow, gshadowPath, "", false},
	} {
		if err := a.loadTable(f.t, f.path); err != nil {
			return err
		}
		if f.need && !f.t.exists {
			f.t.entry = Entry{Path: f.path, Type: File, Mode: 0o644}
			f.t.lines, f.t.exists = []string{f.first}, true
		}
	}
	return nil
}

func (a *accounts) loadTable(t *table, path string) error {
	r := resolver{below: a.below}
	at, err := r.resolve(path)
	if err != nil {
		return &CopyError{To: "/" + path, Reason: err.Error()}
	}
	e, ok := a.below.Lookup(at)
	if !ok {
		return nil
	}
	if e.Type != File && e.Type != Hardlink {
		return &CopyError{To: "/" + path, Reason: fmt.Sprintf("it is a %s below, not a file", e.Type.noun())}
	}
	data, err := a.read(at)
	if err != nil {
		return fmt.Errorf("read %q: %w", "/"+at, err)
	}
	t.entry = Entry{Path: at, Type: File, Mode: e.Mode, UID: e.UID, GID: e.GID, Xattrs: e.Xattrs}
	t.exists = true
	if text := strings.TrimSuffix(string(data), "\n"); text != "" {
		t.lines = strings.Split(text, "\n")
	}
	return nil
}

// find gives the line whose field number i is value.
func (t *table) find(i int, value string) (fields []string, at int, ok bool) {
	for at, line := range t.lines {
		fields := strings.Split(line, ":")
		if i < len(fields) && fields[i] == value {
			return fields, at, true
		}
	}
	return nil, 0, false
}

func (t *table) add(fields ...string) {
	t.lines = append(t.lines, strings.Join(fields, ":"))
	t.changed = true
}

func (t *table) item() Item {
	data := []byte(strings.Join(t.lines, "\n") + "\n")
	e := t.entry
	e.Size, e.Digest = int64(len(data)), digestOf(sha256.Sum256(data))
	return Item{Entry: e, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// Columns of passwd(5) and group(5).
const (
	nameField    = 0
	idField      = 2
	membersField = 3
)

func (a *accounts) addGroup(g Group) error {
	if err := checkFields(g.Name); err != nil {
		return err
	}
	gid := strconv.Itoa(g.GID)
	if old, _, ok := a.group.find(nameField, g.Name); ok {
		return taken(groupPath, "group", g.Name, old)
	}
	if old, _, ok := a.group.find(idField, gid); ok {
		return taken(groupPath, "gid", gid, old)
	}
	a.group.add(g.Name, "x", gid, "")
	if a.gshadow.exists {
		a.gshadow.add(g.Name, "!*", "", "")
	}
	return nil
}

func (a *accounts) addUser(u User) error {
	if err := checkFields(u.Name, u.Home, u.Shell); err != nil {
		return err
	}
	uid, gid := strconv.Itoa(u.UID), strconv.Itoa(u.GID)
	if old, _, ok := a.passwd.find(nameField, u.Name); ok {
		return taken(passwdPath, "user", u.Name, old)
	}
	if old, _, ok := a.passwd.find(idField, uid); ok {
		return taken(passwdPath, "uid", uid, old)
	}
	if _, _, ok := a.group.find(idField, gid); !ok {
		if err := a.addGroup(Group{u.Name, u.GID}); err != nil {
			return err
		}
	}
	a.passwd.add(u.Name, "x", uid, gid, "", u.Home, u.Shell)
	if a.shadow.exists {
		a.shadow.add(u.Name, "!*", "", "", "", "", "", "", "")
	}
	for _, group := range u.Groups {
		if err := a.join(u.Name, group); err != nil {
			return err
		}
	}
	return nil
}

// join makes a user a member of a group.
func (a *accounts) join(user, group string) error {
	fields, at, ok := a.group.find(nameField, group)
	if !ok || len(fields) <= membersField {
		return &CopyError{To: "/" + groupPath, Reason: fmt.Sprintf("the user %q is to be in the group %q, which does not exist: add a `group` step before", user, group)}
	}
	a.group.lines[at], a.group.changed = addMember(fields, user), true
	if fields, at, ok := a.gshadow.find(nameField, group); ok && len(fields) > membersField {
		a.gshadow.lines[at], a.gshadow.changed = addMember(fields, user), true
	}
	return nil
}

func addMember(fields []string, user string) string {
	members := strings.Split(fields[membersField], ",")
	for _, m := range members {
		if m == user {
			return strings.Join(fields, ":")
		}
	}
	if fields[membersField] != "" {
		user = fields[membersField] + "," + user
	}
	fields[membersField] = user
	return strings.Join(fields, ":")
}

// checkFields refuses what would forge another field or line.
func checkFields(values ...string) error {
	for _, v := range values {
		if strings.ContainsAny(v, ":\n\r\x00") {
			return &CopyError{To: "/" + passwdPath, Reason: fmt.Sprintf("%q cannot be part of a line: it has a colon or a line break", v)}
		}
	}
	return nil
}

func taken(path, kind, value string, old []string) error {
	return &CopyError{To: "/" + path, Reason: fmt.Sprintf("the %s %s is taken below by %q; choose another, or use that one by number", kind, value, old[nameField])}
}

// homes gives the home directories that are not there yet. /nonexistent is
// Debian's name for none.
func (a *accounts) homes(users []User) ([]Item, error) {
	var items []Item
	seen := make(map[string]bool)
	for _, u := range users {
		path, err := cleanPath(u.Home)
		if err != nil {
			return nil, &CopyError{To: u.Home, Reason: err.Error()}
		}
		r := resolver{below: a.below}
		at, err := r.resolve(path)
		if err != nil {
			return nil, &CopyError{To: u.Home, Reason: err.Error()}
		}
		if _, ok := a.below.Lookup(at); ok || at == "" || path == "nonexistent" || seen[at] {
			continue
		}
		seen[at] = true
		items = append(items, Item{Entry: Entry{Path: path, Type: Dir, Mode: 0o750, UID: u.UID, GID: u.GID}})
	}
	return items, nil
}
