package rules

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func workdirRule() Rule {
	return Rule{
		ID: "run-workdir-declared", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "A script does not begin with cd: `workdir` says where it runs",
		Why: "`workdir` is in the plan and is made when it is missing; the steps after a cd do not know of it.",
		Bad: `run {
  script = "cd /src && make install"
}`,
		Good: `run {
  workdir = "/src"
  script  = "make install"
}`,
		Mend:    "Say `workdir` in the step, or in the stage for all of its steps; `validate --fix` does the first.",
		Sources: []string{"DL3003", "DS-0013", "KICS:run_command_cd_instead_of_workdir", "sg:use-workdir"},
		check:   beginsWithCD,
	}
}

// beginsWithCD is for scripts whose first command goes to a folder that is
// known, and has something to do there.
func beginsWithCD(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		if st.script.file == nil || !st.run.Script.Set || st.run.Workdir.Set {
			return
		}
		cd, rest, more := leadingCD(st.script.file)
		if cd == nil || !more {
			return
		}
		dir := render(cd.Args[1])
		d.mend(st.body().Addr, d.within(st.text, spanOf(cd), ""), d.workdirFix(st, dir, span{int(cd.Pos().Offset()), rest}), "A script begins with cd",
			"The script of %s goes to %s first. Say workdir = %q in the step instead.", st.local(), dir, dir)
	})
}

// leadingCD is the cd that a script begins with, after set; rest is where the
// next command begins.
func leadingCD(file *syntax.File) (cd *syntax.CallExpr, rest int, more bool) {
	for i, st := range file.Stmts {
		first, next := st, -1
		for {
			b, ok := first.Cmd.(*syntax.BinaryCmd)
			if !ok || b.Op != syntax.AndStmt || len(first.Redirs) > 0 || first.Negated {
				break
			}
			first, next = b.X, int(b.Y.Pos().Offset())
		}
		c, ok := first.Cmd.(*syntax.CallExpr)
		if !ok || len(c.Args) == 0 || first.Negated || first.Background || len(first.Redirs) > 0 || len(c.Assigns) > 0 {
			return nil, 0, false
		}
		switch c.Args[0].Lit() {
		case "set":
			if next >= 0 {
				return nil, 0, false
			}
			continue
		case "cd":
		default:
			return nil, 0, false
		}
		if next < 0 && i+1 < len(file.Stmts) {
			next = int(file.Stmts[i+1].Pos().Offset())
		}
		if len(c.Args) != 2 || next < 0 {
			return nil, 0, false
		}
		dir := render(c.Args[1])
		return c, next, dir != "" && dir != "-" && !strings.Contains(dir, dynamic) && !strings.HasPrefix(dir, "~")
	}
	return nil, 0, false
}

// workdirFix takes the cd away and puts the attribute behind the script's: so
// it is one replacement.
func (d *docket) workdirFix(st runStep, dir string, gone span) *diag.Fix {
	source := d.source(st.text.Range)
	if !path.IsAbs(dir) || path.Clean(dir) != dir || strings.HasSuffix(st.text.Range.File, ".yaml") || strings.ContainsAny(dir, "\"\\$%") {
		return nil
	}
	text := st.text.V[gone.start:gone.end]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		if strings.TrimLeft(text[i:], " \t\n") != "" {
			return nil // a comment in between
		}
		gone.end = gone.start + i
		text = text[:i]
	}
	at, ok := d.exact(st.text, gone)
	if !ok || strings.Contains(text, "#") {
		return nil
	}
	from, to := at.Start.Byte-st.text.Range.Start.Byte, at.End.Byte-st.text.Range.Start.Byte
	if strings.HasSuffix(strings.TrimRight(source[:from], " \t"), "\n") && strings.HasPrefix(source[to:], "\n") {
		from, to = strings.LastIndexByte(source[:from], '\n')+1, to+1 // the line was all cd
	}
	kept := source[:from] + source[to:]
	file := d.Spec.Files[st.text.Range.File]
	line := strings.LastIndexByte(string(file[:st.text.Range.Start.Byte]), '\n') + 1
	indent := string(file[line:st.text.Range.Start.Byte])
	indent = indent[:len(indent)-len(strings.TrimLeft(indent, " \t"))]
	attr := indent + "workdir = \"" + dir + "\""
	if strings.HasSuffix(kept, "\n") { // a here-document ends with its line
		kept += attr + "\n"
	} else {
		kept += "\n" + attr
	}
	return &diag.Fix{Range: st.text.Range, Replacement: kept}
}

func hostRule() Rule {
	return Rule{
		ID: "run-no-host-commands", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "A step calls nothing that is for a person at a running machine",
		Why: "No service is up in a step and nobody is there to type: what such a command does is gone when the step ends, or it waits.",
		Bad: `run {
  script = "service nginx start"
}`,
		Good: `run {
  script = "nginx -t"
}`,
		Mend:    "Leave the command out. What has to run when the container starts belongs to `entrypoint`.",
		Sources: []string{"DL3001", "KICS:run_utilities_and_posix_commands", "sg:nonsensical-command"},
		check:   hostCommands,
	}
}

// hostCommandNames are of machines that run, with what each is about.
var hostCommandNames = map[string]string{
	"ssh": "another machine", "vim": "a person", "vi": "a person", "nano": "a person", "emacs": "a person", "less": "a person",
	"shutdown": "a machine that runs", "reboot": "a machine that runs", "halt": "a machine that runs", "poweroff": "a machine that runs",
	"service": "services that run", "systemctl": "services that run", "journalctl": "services that run", "rc-service": "services that run",
	"ps": "processes that run", "top": "processes that run", "htop": "processes that run", "kill": "processes that run", "free": "a machine that runs",
	"mount": "a machine that runs", "umount": "a machine that runs", "ifconfig": "a machine that runs",
}

func hostCommands(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			what, ok := hostCommandNames[c.name]
			if !ok || c.tested || offline(st, c) {
				continue
			}
			d.found(st.body().Addr, d.arg(st, c, -1), "A command for a running machine",
				"%s calls %s, which is about %s: there is none in a step. Leave it out; what has to run at the start of a container belongs to `entrypoint`.", st.local(), c.name, what)
		}
	})
}

// offline are uses that make sense in a step all the same.
func offline(st runStep, c call) bool {
	switch c.name {
	case "systemctl":
		return slices.ContainsFunc(c.args, func(w string) bool {
			return strings.Contains(w, dynamic) || slices.Contains([]string{"enable", "disable", "mask", "unmask", "preset", "preset-all", "set-default", "--version", "--root"}, w) || strings.HasPrefix(w, "--root=")
		}) && !slices.Contains(c.args, "--now")
	case "kill", "ps":
		return background(st.script.file) // what the step itself has started
	case "ssh":
		return c.option("-V", "-G", "-Q") || slices.ContainsFunc(st.run.Mounts, func(m spec.Mount) bool { return m.Type == "ssh" })
	case "vim", "vi", "emacs":
		return c.option("-e", "-E", "-s", "--version", "--batch", "-c") || slices.ContainsFunc(c.args, func(w string) bool { return strings.HasPrefix(w, "+") })
	case "service":
		return len(c.args) == 0 || c.option("--version")
	case "less":
		return c.pipe > 0 || len(c.args) == 0
	}
	return c.option("--version", "--help")
}

// background reports whether a script leaves something running beside it.
func background(file *syntax.File) bool {
	found := false
	if file != nil {
		syntax.Walk(file, func(node syntax.Node) bool {
			st, ok := node.(*syntax.Stmt)
			found = found || ok && (st.Background || st.Coprocess)
			return !found
		})
	}
	return found
}
