package deb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/engine/layer"
)

// passwdMaster and groupMaster are base-passwd's tables: the ids 0 to 99 and
// 65534 are fixed by Debian's policy (9.2.2), so that files of packages have
// the same owners everywhere.
const passwdMaster = `root:*:0:0:root:/root:/bin/bash
daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:*:2:2:bin:/bin:/usr/sbin/nologin
sys:*:3:3:sys:/dev:/usr/sbin/nologin
sync:*:4:65534:sync:/bin:/bin/sync
games:*:5:60:games:/usr/games:/usr/sbin/nologin
man:*:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:*:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:*:8:8:mail:/var/mail:/usr/sbin/nologin
news:*:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:*:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:*:13:13:proxy:/bin:/usr/sbin/nologin
www-data:*:33:33:www-data:/var/www:/usr/sbin/nologin
backup:*:34:34:backup:/var/backups:/usr/sbin/nologin
list:*:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:*:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:*:42:65534::/nonexistent:/usr/sbin/nologin
nobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`

const groupMaster = `root:*:0:
daemon:*:1:
bin:*:2:
sys:*:3:
adm:*:4:
tty:*:5:
disk:*:6:
lp:*:7:
mail:*:8:
news:*:9:
uucp:*:10:
man:*:12:
proxy:*:13:
kmem:*:15:
dialout:*:20:
fax:*:21:
voice:*:22:
cdrom:*:24:
floppy:*:25:
tape:*:26:
sudo:*:27:
audio:*:29:
dip:*:30:
www-data:*:33:
backup:*:34:
operator:*:37:
list:*:38:
irc:*:39:
src:*:40:
shadow:*:42:
utmp:*:43:
video:*:44:
sasl:*:45:
plugdev:*:46:
staff:*:50:
games:*:60:
users:*:100:
nogroup:*:65534:
`

// accounts makes /etc/passwd and /etc/group where there are none (fix-up 3).
func (in *installation) accounts() error {
	for _, f := range [...]struct{ path, master, builtin string }{
		{"etc/passwd", "usr/share/base-passwd/passwd.master", passwdMaster},
		{"etc/group", "usr/share/base-passwd/group.master", groupMaster},
	} {
		if _, ok := in.tree.lookup(f.path); ok {
			continue
		}
		text := f.builtin
		data, ok, err := in.tree.read(f.master)
		if err != nil {
			return err
		}
		if ok {
			text = string(data)
		}
		in.tree.setFile(f.path, 0o644, text)
	}
	return nil
}

// ids are the accounts of a root by name.
type ids struct {
	users, groups map[string]int
	passwd, group string // the files as they are
}

func (in *installation) readIDs() (*ids, error) {
	x := &ids{}
	for _, f := range [...]struct {
		path string
		text *string
		ids  *map[string]int
	}{{"etc/passwd", &x.passwd, &x.users}, {"etc/group", &x.group, &x.groups}} {
		data, _, err := in.tree.read(f.path)
		if err != nil {
			return nil, err
		}
		*f.text, *f.ids = string(data), map[string]int{}
		for line := range strings.Lines(*f.text) {
			parts := strings.Split(strings.TrimSpace(line), ":")
			if len(parts) < 3 {
				continue
			}
			if id, err := strconv.Atoi(parts[2]); err == nil {
				(*f.ids)[parts[0]] = id
			}
		}
	}
	return x, nil
}

// systemd does what systemd-sysusers and systemd-tmpfiles would do at boot
// or in scripts (fix-up 6), for users, groups, directories and links.
func (in *installation) systemd() error {
	x, err := in.readIDs()
	if err != nil {
		return err
	}
	before := *x
	// Fixed ids first, so that none of them is given away before.
	lines := in.configLines("usr/lib/sysusers.d")
	slices.SortStableFunc(lines, func(a, b []string) int { return fixedID(b) - fixedID(a) })
	for _, words := range lines {
		x.declare(words)
	}
	if x.passwd != before.passwd {
		in.tree.setFile("etc/passwd", 0o644, x.passwd)
	}
	if x.group != before.group {
		in.tree.setFile("etc/group", 0o644, x.group)
	}
	for _, words := range in.configLines("usr/lib/tmpfiles.d") {
		in.tmpfile(words, x)
	}
	return nil
}

// configLines gives the words of the lines of the files that packages ship
// in a folder, in the order of the files' names. Lines with specifiers (%)
// are left out: they mean the running machine.
func (in *installation) configLines(dir string) [][]string {
	var lines [][]string
	for _, p := range in.tree.filesBelow(dir, false) {
		if !strings.HasSuffix(p, ".conf") {
			continue
		}
		data, _, err := in.tree.read(p)
		if err != nil {
			in.warn("/%s was passed over: %v.", p, err)
			continue
		}
		for line := range strings.Lines(string(data)) {
			if words := splitWords(line); len(words) > 1 && words[0] != "" && words[0][0] != '#' && !strings.Contains(line, "%") {
				lines = append(lines, words)
			}
		}
	}
	return lines
}

// splitWords splits at white space outside of double or single quotes.
func splitWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	open := false
	for _, r := range line + "\n" {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if open || word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
		}
	}
	return words
}

// fixedID is 1 for a line of sysusers.d that states an id.
func fixedID(words []string) int {
	if len(words) > 2 && words[2] != "" && digit(words[2][0]) {
		return 1
	}
	return 0
}

// declare adds what a line of sysusers.d(5) says: u, g and m.
func (x *ids) declare(words []string) {
	words = append(words, "-", "-", "-", "-", "-")
	kind, name, id := strings.TrimRight(words[0], "!"), words[1], words[2]
	switch kind {
	case "g":
		x.addGroup(name, id)
	case "u":
		if _, ok := x.users[name]; ok {
			return
		}
		uidText, gidText, _ := strings.Cut(id, ":")
		uid, err := strconv.Atoi(uidText)
		if err != nil {
			uid = x.free()
		}
		gid, err := strconv.Atoi(gidText)
		if g, ok := x.groups[gidText]; ok && err != nil {
			gid, err = g, nil
		}
		if err != nil {
			gid = x.addGroup(name, strconv.Itoa(uid))
		}
		gecos, home, shell := dash(words[3], ""), dash(words[4], "/"), dash(words[5], "/usr/sbin/nologin")
		x.users[name] = uid
		x.passwd += fmt.Sprintf("%s:!*:%d:%d:%s:%s:%s\n", name, uid, gid, gecos, home, shell)
	case "m":
		x.addGroup(id, "-")
		if _, ok := x.users[name]; !ok {
			x.declare([]string{"u", name})
		}
		x.addMember(name, id)
	}
}

func dash(s, otherwise string) string {
	if s == "-" {
		return otherwise
	}
	return strings.ReplaceAll(s, ":", "")
}

// free is the highest id below 1000 that neither a user nor a group has:
// the order of the files decides, so the same packages give the same ids.
func (x *ids) free() int {
	used := map[int]bool{}
	for _, m := range []map[string]int{x.users, x.groups} {
		for _, id := range m {
			used[id] = true
		}
	}
	id := 999
	for used[id] {
		id--
	}
	return id
}

func (x *ids) addGroup(name, id string) int {
	if gid, ok := x.groups[name]; ok {
		return gid
	}
	gid, err := strconv.Atoi(id)
	if err != nil {
		gid = x.free()
	}
	x.groups[name] = gid
	x.group += fmt.Sprintf("%s:!*:%d:\n", name, gid)
	return gid
}

func (x *ids) addMember(user, group string) {
	lines := strings.SplitAfter(x.group, "\n")
	for i, line := range lines {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if parts[0] != group || len(parts) != 4 {
			continue
		}
		members := strings.FieldsFunc(parts[3], func(r rune) bool { return r == ',' })
		if !slices.Contains(members, user) {
			parts[3] = strings.Join(append(members, user), ",")
			lines[i] = strings.Join(parts, ":") + "\n"
		}
	}
	x.group = strings.Join(lines, "")
}

// tmpfile does a d, D or L line of tmpfiles.d(5).
func (in *installation) tmpfile(words []string, x *ids) {
	words = append(words, "-", "-", "-", "-", "-")
	p, err := cleanPath(strings.TrimPrefix(words[1], "/"))
	if err != nil || p == "" || strings.ContainsAny(p, "*?[") {
		return
	}
	if p, err = in.tree.resolveParent(merged(p)); err != nil {
		return
	}
	if e, ok := in.tree.lookup(parent(p)); ok && e.Type != layer.Dir {
		return
	}
	switch words[0][:1] {
	case "d", "D":
		mode, err := strconv.ParseUint(strings.TrimLeft(words[2], "~:"), 8, 12)
		if err != nil {
			mode = 0o755
		}
		uid, okUser := id(words[3], x.users)
		gid, okGroup := id(words[4], x.groups)
		if !okUser || !okGroup {
			in.warn("/%s was not made: its owner %s:%s is not in /etc/passwd and /etc/group.", p, words[3], words[4])
			return
		}
		in.tree.addDir(p, uint32(mode), uid, gid)
	case "L":
		if target := words[6]; target != "-" {
			in.tree.addLink(p, target)
		}
	}
}

func id(name string, known map[string]int) (int, bool) {
	if name = strings.TrimLeft(name, ":"); name == "-" {
		return 0, true
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n, true
	}
	n, ok := known[name]
	return n, ok
}
