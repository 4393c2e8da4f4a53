package survey

import (
	"strconv"
	"strings"
)

// Account is a user of /etc/passwd or a group of /etc/group.
type Account struct {
	Name  string `json:"name"`
	ID    int    `json:"id"`
	Home  string `json:"home,omitempty"`
	Shell string `json:"shell,omitempty"`

	// Password is "locked", "empty" or "set", also from the shadow file.
	Password string `json:"password"`
	// Layer is that of the file that says so, counted from the lowest, 0.
	Layer int `json:"layer"`
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
func accounts(root Root) (users, groups []Account, err error) {
	if users, err = table(root, "/etc/passwd", "/etc/shadow", 7); err != nil {
		return nil, nil, err
	}
	groups, err = table(root, "/etc/group", "/etc/gshadow", 4)
	return users, groups, err
}

// table reads one of them with its shadow.
func table(root Root, name, shadow string, fields int) ([]Account, error) {
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
	var out []Account
	for _, line := range text {
		f := strings.Split(line, ":")
		if len(f) < fields || len(out) == Most {
			continue
		}
		id, err := strconv.Atoi(f[2])
		if err != nil || f[0] == "" || f[0][0] == '+' || f[0][0] == '-' {
			continue // NIS, or no line of an account at all
		}
		a := Account{Name: f[0], ID: id, Password: password(f[1]), Layer: layer}
		if field, ok := passwords[f[0]]; ok && f[1] == "x" {
			a.Password, a.Layer = password(field), hiddenLayer
		}
		if fields == 7 {
			a.Home, a.Shell = f[5], f[6]
		} else if a.Password == Empty {
			a.Password = Locked // who is no member and has no password to give does not get in
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
