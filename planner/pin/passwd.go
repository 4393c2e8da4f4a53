package pin

import (
	"fmt"
	"strconv"
	"strings"
)

// lookupUser turns a configuration's user ("", "uid", "uid:gid" or names)
// into numbers as container runtimes do: an unknown uid has group 0, a user
// without a group has that of its line.
func lookupUser(user string, passwd, group []byte) (uid, gid int, err error) {
	if user == "" {
		return 0, 0, nil
	}
	name, groupName, hasGroup := strings.Cut(user, ":")
	uid, numeric := number(name)
	found := false
	for f := range records(passwd, 4) {
		id, ok := number(f[2])
		if ok && (f[0] == name || numeric && id == uid) {
			uid, found = id, true
			gid, _ = number(f[3])
			break
		}
	}
	if !found && !numeric {
		return 0, 0, fmt.Errorf("the configuration's user %q is not in the image's /etc/passwd", name)
	}
	if !hasGroup {
		return uid, gid, nil
	}
	for f := range records(group, 3) {
		if id, ok := number(f[2]); ok && f[0] == groupName {
			return uid, id, nil
		}
	}
	gid, numeric = number(groupName)
	if !numeric {
		return 0, 0, fmt.Errorf("the configuration's group %q is not in the image's /etc/group", groupName)
	}
	return uid, gid, nil
}

// records yields the lines of passwd or group that have enough fields.
func records(data []byte, fields int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(string(data)) {
			f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
			if len(f) >= fields && !yield(f) {
				return
			}
		}
	}
}

// number reads an id: digits alone, so that "-1" and "+1" stay names.
func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil
}
