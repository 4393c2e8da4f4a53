package survey

import (
	"strconv"
	"strings"
)

// User is a line of /etc/passwd.
type User struct {
	Name  string `json:"name"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"` // of its own group; -1 where the file has no number there
	Home  string `json:"home"`
	Shell string `json:"shell"`

	// Password is "locked", "empty" or "set", also from the shadow file.
	Password string `json:"password"`
	// Layer is that of the file that says so, counted from the lowest, 0.
	Layer int `json:"layer"`
}

// Group is a line of /etc/group.
type Group struct {
	Name     string   `json:"name"`
	GID      int      `json:"gid"`
	Members  []string `json:"members"`  // users that it is not the own group of, as the file has them
	Password string   `json:"password"` // as of User
	Layer    int      `json:"layer"`    // as of User
}

// What a password field comes to.
const (
	Locked = "locked" // no password opens it
	Empty  = "empty"  // anybody may log in without one
	Set    = "set"    // a hash that can be guessed at
)

// maxAccounts is more than any passwd or group file that is not an attack.
const maxAccounts = 1 << 20

// accounts reads the files that name users and groups. Services that lie
// elsewhere, such as LDAP, are not the image's.
func accounts(root Root) (users []User, groups []Group, err error) {
	found, err := table(root, "/etc/passwd", "/etc/shadow", 7)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range found {
		gid, err := strconv.Atoi(a.fields[3])
		if err != nil {
			gid = -1
		}
		users = append(users, User{Name: a.name, UID: a.id, GID: gid, Home: a.fields[5], Shell: a.fields[6], Password: a.password, Layer: a.layer})
	}
	if found, err = table(root, "/etc/group", "/etc/gshadow", 4); err != nil {
		return nil, nil, err
	}
	for _, a := range found {
		if a.password == Empty {
			a.password = Locked // who is no member and has no password to give does not get in
		}
		members := strings.FieldsFunc(a.fields[3], func(r rune) bool { return r == ',' })
		groups = append(groups, Group{Name: a.name, GID: a.id, Members: members, Password: a.password, Layer: a.layer})
	}
	return users, groups, nil
}

// account is what lines of both files have.
type account struct {
	name     string
	id       int
	fields   []string // of the line, all
	password string
	layer    int
}

// table reads one of them with its shadow.
func table(root Root, name, shadow string, fields int) ([]account, error) {
	text, layer, err := lines(root, name)
	if err != nil {
		return nil, err
	}
	hidden, hiddenLayer, err := lines(root, shadow)
	if err != nil {
		return nil, err
	}
	passwords := map[string]string{}
	for _, line := range hidden {
		if f := strings.Split(line, ":"); len(f) > 1 {
			passwords[f[0]] = f[1]
		}
	}
	var out []account
	for _, line := range text {
		f := strings.Split(line, ":")
		if len(f) < fields || len(out) == Most {
			continue
		}
		id, err := strconv.Atoi(f[2])
		if err != nil || f[0] == "" || f[0][0] == '+' || f[0][0] == '-' {
			continue // NIS, or no line of an account at all
		}
		a := account{name: f[0], id: id, fields: f, password: password(f[1]), layer: layer}
		if field, ok := passwords[f[0]]; ok && f[1] == "x" {
			a.password, a.layer = password(field), hiddenLayer
		}
		out = append(out, a)
	}
	return out, nil
}

// password reads a field as crypt(5) has it: what no hash comes to is locked;
// "x" without a line in the shadow file is, too.
func password(field string) string {
	switch {
	case field == "":
		return Empty
	case strings.HasPrefix(field, "$"), len(field) == 13 && !strings.ContainsAny(field, "!*"), strings.HasPrefix(field, "_") && len(field) == 20:
		return Set
	}
	return Locked
}

func lines(root Root, name string) ([]string, int, error) {
	f, _, ok := root.Resolve(name)
	if !ok || f.Kind != Regular {
		return nil, 0, nil
	}
	text, err := root.Head(f.Path, maxAccounts, true)
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' }), f.Layer, err
}
