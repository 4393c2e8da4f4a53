package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// accountSyntax are the options that take a value, of the tools of
// shadow-utils, of Debian's adduser and of busybox.
var accountSyntax = map[string]syntaxOf{
	"useradd":  {"ugGdscbekKp", []string{"--uid", "--gid", "--groups", "--home", "--home-dir", "--shell", "--comment"}},
	"adduser":  {"uGhsgk", []string{"--uid", "--gid", "--ingroup", "--home", "--shell", "--gecos", "--comment"}},
	"groupadd": {"gKp", []string{"--gid"}},
	"addgroup": {"g", []string{"--gid"}},
}

// accountOptions say what an option of a tool becomes; "" is one that says
// what a step does anyway, or that only has a meaning for a login.
var accountOptions = map[string]map[string]string{
	"useradd": {
		"-u": "uid", "--uid": "uid", "-g": "group", "--gid": "group", "-G": "groups", "--groups": "groups", "-d": "home", "--home": "home", "--home-dir": "home",
		"-s": "shell", "--shell": "shell", "-c": "", "--comment": "", "-m": "", "--create-home": "", "-M": "", "--no-create-home": "", "-r": "", "--system": "",
		"-U": "", "--user-group": "", "-l": "", "--no-log-init": "",
	},
	"adduser": {
		"-u": "uid", "--uid": "uid", "-G": "group", "--ingroup": "group", "--gid": "group", "-h": "home", "--home": "home", "-s": "shell", "--shell": "shell",
		"-g": "", "--gecos": "", "--comment": "", "-D": "", "--disabled-password": "", "--disabled-login": "", "-H": "", "--no-create-home": "",
		"-S": "", "--system": "", "--group": "", "-q": "", "--quiet": "",
	},
	"groupadd": {"-g": "gid", "--gid": "gid", "-r": "", "--system": ""},
	"addgroup": {"-g": "gid", "--gid": "gid", "-S": "", "--system": ""},
}

// made is an account that a command makes.
type made struct {
	user   bool
	name   string
	id     int
	values map[string]string // group, groups, home, shell
}

var accountName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// account reads a call that makes a user or a group; ok is false where not
// all of it is known, or can be said by a step.
func account(c call) (m made, ok bool) {
	options, known := accountOptions[c.name]
	if !known {
		return made{}, false
	}
	o := c.parse(accountSyntax[c.name])
	m = made{user: strings.Contains(c.name, "user"), id: -1, values: map[string]string{}}
	if o.open || len(o.operands) != 1 || !accountName.MatchString(c.args[o.operands[0]]) || slices.ContainsFunc(c.args, func(w string) bool { return strings.ContainsAny(w, dynamic+`"\`) }) {
		return made{}, false
	}
	m.name = c.args[o.operands[0]]
	for _, f := range o.flags {
		as, known := options[f.name]
		switch {
		case !known:
			return made{}, false
		case as == "uid" || as == "gid":
			n, err := strconv.Atoi(f.value)
			if err != nil {
				return made{}, false
			}
			m.id = n
		case as != "":
			m.values[as] = f.value
		}
	}
	return m, m.id >= 0
}

// accountFix writes `user` and `group` steps in the place of the commands
// that a step begins with, if the one that was found is among them.
func (d *docket) accountFix(st runStep, found call) *diag.Fix {
	commands, ends, whole := st.opening()
	var all []made
	first, past := -1, false
	for i, c := range commands {
		m, ok := account(c.call)
		if !ok {
			commands, ends, whole = commands[:i], ends[:i], false
			break
		}
		if c.call.at == found.at {
			past = true
		}
		if first < 0 {
			first = i
		}
		all = append(all, m)
	}
	if !past || !d.asRoot(st.body(), st.run) {
		return nil
	}
	steps, ok := d.accountSteps(st, all)
	if !ok {
		return nil
	}
	upTo := -1
	if !whole {
		upTo = ends[len(ends)-1]
	}
	return d.instead(st, steps, commands[first], upTo, "user")
}

// accountSteps are the steps for accounts, in order. A group of a user's own
// name and number needs none: the user brings it.
func (d *docket) accountSteps(st runStep, all []made) (steps []string, ok bool) {
	groups := d.groupSteps(st.inst)
	for _, m := range all {
		if !m.user {
			groups[m.name] = m.id
		}
	}
	for _, m := range all {
		twin := func(o made) bool { return o.user != m.user && o.name == m.name && o.id == m.id }
		i := slices.IndexFunc(all, twin)
		if !m.user {
			if i < 0 || primary(all[i], groups) != m.name {
				steps = append(steps, d.writeStep(st.run.Range, "group", m.name, [][2]string{{"gid", strconv.Itoa(m.id)}}))
			}
			continue
		}
		attributes := [][2]string{{"uid", strconv.Itoa(m.id)}}
		group := primary(m, groups)
		_, there := groups[group]
		switch {
		case m.values["group"] != "" && group == "":
			return nil, false // one that only the base could know
		case group != "" && there && (i < 0 || group != m.name):
			attributes = append(attributes, [2]string{"group", strconv.Quote(group)})
		}
		if list := m.values["groups"]; list != "" {
			attributes = append(attributes, [2]string{"groups", `["` + strings.ReplaceAll(list, ",", `", "`) + `"]`})
		}
		for _, name := range []string{"home", "shell"} {
			if v := m.values[name]; v != "" {
				if !strings.HasPrefix(v, "/") {
					return nil, false
				}
				attributes = append(attributes, [2]string{name, strconv.Quote(v)})
			}
		}
		steps = append(steps, d.writeStep(st.run.Range, "user", m.name, attributes))
	}
	return steps, true
}

// primary is the name of the group that a user has by -g or -G, given by name
// or number; "" where none is given, or where no step makes it.
func primary(m made, groups map[string]int) string {
	given := m.values["group"]
	if _, ok := groups[given]; ok {
		return given
	}
	for name, gid := range groups {
		if strconv.Itoa(gid) == given {
			return name
		}
	}
	if given != "" && given == strconv.Itoa(m.id) {
		return m.name // its own
	}
	return ""
}

// groupSteps are the groups that steps of a chain make.
func (d *docket) groupSteps(inst *Instance) map[string]int {
	out := map[string]int{}
	for _, i := range d.chain(inst) {
		for _, step := range i.Body.Steps {
			switch t := step.(type) {
			case *spec.Group:
				out[t.Name] = t.GID.V
			case *spec.User:
				if !t.Group.Set && !t.GID.Set {
					out[t.Name] = t.UID.V
				}
			}
		}
	}
	return out
}
