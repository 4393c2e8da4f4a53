package dockerfile

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// account is a user or group that a command makes.
type account struct {
	user, group bool
	name        string
	uid, gid    string // as expressions: digits, or what computes them
	main        string // name of the main group
	others      []string
	home, shell string
	noHome      bool
	nogroup     bool
}

// accountOf understands useradd, adduser of Debian and of busybox, groupadd
// and addgroup, if they say nothing that a step cannot.
func accountOf(name string, words []text) (account, bool) {
	a := account{user: name == "useradd" || name == "adduser", group: name == "groupadd" || name == "addgroup"}
	if !a.user && !a.group {
		return a, false
	}
	var args []string
	for _, w := range words {
		s, ok := w.constant()
		switch {
		case computedID(w):
			args = append(args, computed+w.hcl())
			continue
		case !ok:
			return a, false
		}
		if head, value, glued := strings.Cut(s, "="); glued && strings.HasPrefix(s, "--") {
			args = append(args, head)
			s = value
		}
		args = append(args, letters(name, s)...)
	}
	ok := a.options(name, args)
	for _, id := range []string{a.uid, a.gid} {
		ok = ok && (id == "" || isID(id))
	}
	a.uid, a.gid = strings.TrimPrefix(a.uid, computed), strings.TrimPrefix(a.gid, computed)
	return a, ok && a.name != "" && isAccountName(a.name)
}

// computed begins an argument that is an expression.
const computed = "\x00"

// computedID reports whether a word is one expression, and a number by default.
func computedID(t text) bool {
	return len(t) == 1 && t[0].expr != "" && isID(t[0].now)
}

// letters takes options apart that are written as one: -rm of useradd.
func letters(program, s string) []string {
	const plain = "rmMUlNSDH" // those without a value
	if len(s) < 3 || s[0] != '-' || strings.Trim(s[1:len(s)-1], plain) != "" || !strings.HasSuffix(program, "add") {
		return []string{s}
	}
	var out []string
	for _, c := range s[1:] {
		out = append(out, "-"+string(c))
	}
	return out
}

// options reads the options of the four programs, which agree on most letters.
func (a *account) options(program string, args []string) bool {
	busybox := program == "adduser" || program == "addgroup"
	system := false
	for i := 0; i < len(args); i++ {
		value := func() string {
			if i++; i < len(args) {
				return args[i]
			}
			return ""
		}
		arg := args[i]
		switch {
		case !strings.HasPrefix(arg, "-"):
			if a.name != "" {
				return false // adduser USER GROUP adds to a group
			}
			a.name = arg
		case a.group && (arg == "-g" || arg == "--gid"):
			a.gid = value()
		case arg == "-r" || arg == "--system" || busybox && arg == "-S":
			system = busybox && a.user
		case a.group:
			return false
		case arg == "-u" || arg == "--uid":
			a.uid = value()
		case !busybox && (arg == "-g" || arg == "--gid") || busybox && (arg == "-G" || arg == "--ingroup" || arg == "--gid"):
			a.setGroup(value())
		case !busybox && (arg == "-G" || arg == "--groups"):
			a.others = strings.Split(value(), ",")
		case arg == "-d" && !busybox || arg == "--home-dir" || arg == "--home" || arg == "-h" && busybox:
			a.home = value()
		case arg == "-s" || arg == "--shell":
			a.shell = value()
		case arg == "-k" || arg == "--skel":
			value()
		case arg == "-c" && !busybox || arg == "--comment" || arg == "--gecos" || arg == "-g" && busybox:
			value()
		case arg == "-m" || arg == "--create-home" || arg == "-l" || arg == "--no-log-init" || arg == "-U" || arg == "--user-group" ||
			arg == "-D" && busybox || arg == "--disabled-password" || arg == "--disabled-login" || arg == "--group":
		case arg == "-M" || arg == "--no-create-home" || arg == "-H" && busybox:
			a.noHome = true
		default:
			return false
		}
	}
	// Without a group, a system user of adduser is put into nogroup.
	a.nogroup = system && a.main == "" && a.gid == "" && !slices.Contains(args, "--group")
	return true
}

// firstFree is the first number that is given where a Dockerfile leaves it to
// a tool, or to its base: above what distributions give out themselves.
const firstFree = 10001

// free is a number that nothing of the Dockerfile has.
func (im *importer) free() string {
	for n := firstFree; ; n++ {
		if s := strconv.Itoa(n); !im.ids[s] {
			im.ids[s] = true
			return s
		}
	}
}

// number gives an account the number that its tool would have chosen. A user
// and the group of its name are one.
func (st *stage) number(cmd instructions.Command, a *account) {
	id := &a.uid
	if a.group {
		id = &a.gid
	}
	if *id != "" {
		st.im.ids[*id] = true
		return
	}
	same := slices.IndexFunc(st.groups, func(g account) bool { return g.name == a.name })
	if a.user && same >= 0 {
		*id = st.groups[same].gid
	} else {
		*id = st.im.free()
	}
	st.im.note(firstLine(cmd.Location()), Changed, "%s has no number in the Dockerfile; here it is %s.", a.name, *id)
}

func (a *account) setGroup(s string) {
	if isID(s) {
		a.gid = s
		return
	}
	a.main = s
}

func isID(s string) bool {
	if strings.HasPrefix(s, computed) {
		return true
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return err == nil && n < 1<<32-1 && strconv.FormatUint(n, 10) == s
}

func isAccountName(s string) bool {
	return len(s) <= 32 && s[0] != '-' && (s[0] < '0' || s[0] > '9') && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// addAccount writes a step. A group that is a user's own and was made just
// before is the user's gid.
func (st *stage) addAccount(cmd instructions.Command, a *account) {
	st.number(cmd, a)
	if a.group {
		b := st.add("group", cmd, a.name)
		b.setNeeded("gid", a.gid)
		st.groups = append(st.groups, *a)
		st.accounts[a.name] = true
		return
	}
	if a.nogroup {
		a.main = st.groups[0].name
		st.im.note(firstLine(cmd.Location()), Changed, "User %s is in the group %s; adduser puts a system user without a group into nogroup.", a.name, a.main)
	}
	own := slices.IndexFunc(st.groups, func(g account) bool { return g.name == a.main || a.main == "" && g.gid == a.gid })
	group, gid := "", ""
	switch {
	case own >= 0 && st.groups[own].name == a.name:
		gid = st.groups[own].gid
		st.steps = slices.DeleteFunc(st.steps, func(s *step) bool {
			return s.block.name == "group" && s.block.labels[0] == a.name
		})
	case own >= 0:
		group = st.groups[own].name
	case a.main == a.name || a.main == "":
		gid = a.gid
	default:
		group = a.main
	}
	b := st.add("user", cmd, a.name)
	b.setNeeded("uid", a.uid)
	if gid != "" && gid != a.uid {
		b.set("gid", gid)
	}
	if group != "" {
		b.set("group", quote(group))
	}
	if a.home != "" && a.home != "/home/"+a.name {
		b.set("home", quote(a.home))
	}
	if a.shell != "" && a.shell != "/usr/sbin/nologin" {
		b.set("shell", quote(a.shell))
	}
	if len(a.others) > 0 {
		b.set("groups", list(quoteAll(a.others)))
	}
	st.accounts[a.name] = true
	home := a.home
	if home == "" {
		home = "/home/" + a.name
	}
	st.workdirs = append(st.workdirs, quote(path.Clean(home)))
	more := "."
	if a.shell == "" {
		more = ", and its shell is nologin, since none is said."
	}
	if a.noHome {
		more += " --no-create-home is not kept."
	}
	st.im.note(b.line, Changed, "User %s is made by specbuild: its home is made too, 0750 and without files of /etc/skel%s", a.name, more)
}

// owner is a USER or an owner of files as the spec says it: numbers, or names
// of its own `user` steps. The names of a base are not known to a spec, so
// those that are public knowledge are written as numbers; for another one a
// number stands in that nobody has, and a comment above the block asks for its own.
func (st *stage) owner(b *block, t text) string {
	s, ok := t.constant()
	if !ok {
		return t.hcl()
	}
	user, group, both := strings.Cut(s, ":")
	uid, gid, known := st.account(user)
	if both && group != "" {
		g, _, groupKnown := st.account(group)
		if known2, ok := st.from.known.users[group]; ok && !st.accounts[group] {
			_, g, _ = strings.Cut(known2, ":")
		}
		gid, known = g, known && groupKnown
	}
	out := uid
	if gid != "" {
		out += ":" + gid
	}
	if !known {
		b.comment(st.im.todo(b.line, "%q is a name whose number the spec does not know; %s stands for it: write its own, or make it by a `user` step", s, out))
	}
	return quote(out)
}

// standIn is a number for a name that only a base knows; the same for the
// same name, so that what belongs together stays so.
func (im *importer) standIn(name string) string {
	if im.standIns[name] == "" {
		im.standIns[name] = im.free()
	}
	return im.standIns[name]
}

// runsAsRoot reports whether the Dockerfile's USER is root.
func (p point) runsAsRoot() bool {
	return slices.Contains([]string{"root", "0", "0:0", "root:root", "0:root", "root:0"}, p.user.now())
}

// account is a name or number as a spec says it, with the group that goes with
// it where that must be said. It is false for a name that nobody here knows.
func (st *stage) account(name string) (id, group string, known bool) {
	if st.accounts[name] {
		return name, "", true
	}
	if ids, ok := st.from.known.users[name]; ok {
		id, group, _ = strings.Cut(ids, ":")
		return id, group, true
	}
	if name == "root" {
		return "0", "0", true
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		id := strconv.FormatUint(n, 10)
		st.im.ids[id] = true
		return id, "", true
	}
	number := st.im.standIn(name)
	return number, number, false
}
