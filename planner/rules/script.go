package rules

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// useradd counts groups as well: one step makes both, and addgroup is how an
// account is made on busybox.
func useradd(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			if slices.Contains([]string{"useradd", "adduser", "groupadd", "addgroup"}, c.name) {
				step := "user"
				if strings.Contains(c.name, "group") {
					step = "group"
				}
				d.mend(st.body().Addr, d.within(st.text, c.at, c.first), d.accountFix(st, c), "A command makes a user",
					"%s calls %s. Write a `%s` step instead: it needs no tool in the image, and `owner` and `run_as` know its name.", st.local(), c.name, step)
			}
		}
	})
}

// passwords looks at commands, and at account files that the spec writes
// itself.
func passwords(d *docket) {
	d.eachRun(func(b *spec.Body, _ *spec.Run, s *script, text spec.Attr[string]) {
		for _, c := range s.calls {
			if setsPassword(c) {
				d.found(b.Addr, d.within(text, c.at, c.first), "A password is set or emptied",
					"%s calls %s, which puts a password, or the lack of one, into the image for everybody to read. Leave the account locked; who has to log in does so by a key or from outside.",
					b.Addr.Local(), c.name)
			}
		}
	})
	for _, inst := range d.Instances {
		for _, step := range inst.Body.Steps {
			f, ok := step.(*spec.File)
			if !ok || f.Path.V != "/etc/shadow" && f.Path.V != "/etc/passwd" {
				continue
			}
			if name := openAccount(f.Content.V, f.Path.V == "/etc/shadow"); name != "" {
				d.found(inst.Body.Addr, f.Content.Range, "A password is set or emptied",
					"%s writes %s with a password for %s, or none at all. Write `*` in its place, or make the user with a `user` step.",
					inst.Body.Addr.Local(), f.Path.V, name)
			}
		}
	}
}

// setsPassword knows the tools of shadow-utils and of busybox. Locking an
// account (passwd -l, usermod -L) sets nothing.
func setsPassword(c call) bool {
	switch c.name {
	case "chpasswd", "chgpasswd":
		return true
	case "passwd":
		return c.option("-d", "--delete", "--stdin")
	case "useradd", "usermod":
		return c.value("-p", "--password")
	}
	return false
}

// value is option for one that takes a value, of which "!" and "*" are
// locked accounts. Letters before it may be options without one: -mp HASH.
func (c call) value(short, long string) bool {
	locked := func(v string) bool { return v == "" || strings.HasPrefix(v, "!") || v == "*" }
	for i, arg := range c.args {
		next := dynamic
		if i+1 < len(c.args) {
			next = c.args[i+1]
		}
		given, glued := strings.CutPrefix(arg, long+"=")
		switch {
		case glued:
			return !locked(given) || given == ""
		case arg == short || arg == long:
			return !locked(next) || next == ""
		}
	}
	return false
}

// openAccount is the first account whose password field is empty or a hash.
func openAccount(content string, shadow bool) string {
	for line := range strings.Lines(content) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 3 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if field := fields[1]; field == "" || strings.HasPrefix(field, "$") && shadow {
			return fields[0]
		}
	}
	return ""
}

// sudo looks at every script, and at the packages of what is shipped: a
// stage that is only copied from may hold what it likes.
func sudo(d *docket) {
	d.eachRun(func(b *spec.Body, r *spec.Run, s *script, text spec.Attr[string]) {
		for _, c := range s.calls {
			if c.name == "sudo" {
				at := d.within(text, c.at, c.first)
				d.mend(b.Addr, at, d.withoutSudo(b, r, c, at), "A command runs through sudo",
					"%s calls sudo. A step runs as its `user`: say user = \"0:0\" for this one, or leave sudo out.", b.Addr.Local())
			}
		}
	})
	for _, inst := range d.shipped() {
		for _, step := range inst.Body.Steps {
			switch t := step.(type) {
			case *spec.Packages:
				if i := slices.IndexFunc(t.Install.V, isSudo); i >= 0 {
					d.mend(inst.Body.Addr, d.element(t.Install.Range, t.Install.V[i]), d.dropElement(t.Install.Range, t.Install.V[i]), "sudo is installed in the image",
						"%s installs sudo, which is a way to become root. Leave it out; a container that needs root is started as root.", inst.Body.Addr.Local())
				}
			case *spec.Run:
				sc, text := d.runScript(inst.Body, t)
				for _, c := range sc.calls {
					if i := slices.IndexFunc(c.args, isSudo); i >= 0 && installs(c) {
						fix := d.dropOperand(runStep{inst, t, sc, text}, c, c.args[i])
						d.mend(inst.Body.Addr, d.within(text, c.at, c.first), fix, "sudo is installed in the image",
							"%s installs sudo, which is a way to become root. Leave it out; a container that needs root is started as root.", inst.Body.Addr.Local())
					}
				}
			}
		}
	}
}

// withoutSudo takes the word out where the step is root's anyway, which is
// what sudo would make of it.
func (d *docket) withoutSudo(b *spec.Body, r *spec.Run, c call, at diag.Range) *diag.Fix {
	src := d.Spec.Files[at.File]
	if at.Start.Byte > len(src) {
		return nil
	}
	line, _, _ := strings.Cut(string(src[at.Start.Byte:]), "\n")
	rest, ok := strings.CutPrefix(line, "sudo ")
	if !ok || len(c.args) == 0 || strings.HasPrefix(c.args[0], "-") || strings.Contains(c.args[0], "=") || !d.asRoot(b, r) {
		return nil
	}
	word := at
	word.End = word.Start
	taken := len(line) - len(strings.TrimLeft(rest, " "))
	word.End.Byte += taken
	word.End.Column += taken
	return &diag.Fix{Range: word}
}

// asRoot reports whether a step surely runs as root.
func (d *docket) asRoot(b *spec.Body, r *spec.Run) bool {
	if r.User.Set {
		return r.User.V == "0" || r.User.V == "0:0" || r.User.V == "root"
	}
	root := true
	for _, inst := range d.Instances {
		if inst.Body.Addr == b.Addr {
			_, _, read, based := d.base(&inst)
			root = root && (inst.Inherited == "0:0" || inst.Inherited == "" && (read || !based))
		}
	}
	return root
}

func isSudo(pkg string) bool {
	name, _, _ := strings.Cut(pkg, "=")
	name, _, _ = strings.Cut(name, ":")
	return name == "sudo"
}

// installs reports whether a package manager is asked to add packages; to
// remove sudo is fine.
func installs(c call) bool {
	verb := "install"
	switch c.name {
	case "apk":
		verb = "add"
	case "apt", "apt-get", "aptitude", "dnf", "microdnf", "yum", "zypper":
	default:
		return false
	}
	return slices.Contains(c.args, verb)
}
