package rules

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/specbuild/specbuild/spec/diag"
)

func runRules() []Rule {
	return []Rule{
		{
			ID: "run-fails-on-error", By: ByJudge, Title: "A script stops at its first error: -e, -u, and pipefail where there is a pipe",
			Why: "What failed in the middle, or on the left of a pipe, is else an image that was built in good order and does not work.",
			Bad: `shell = ["/bin/bash", "-c"]
run {
  script = "tar xf /src.tar -C /src; make -C /src install"
}`,
			Good: `shell = ["/bin/bash", "-euo", "pipefail", "-c"]
run {
  script = "tar xf /src.tar -C /src; make -C /src install"
}`,
			Mend:    "Say shell = [\"/bin/bash\", \"-euo\", \"pipefail\", \"-c\"] in the stage; `validate --fix` adds the options to a shell that is there. busybox's ash has pipefail as well, Debian's sh does not.",
			Sources: []string{"DL4006", "KICS:shell_running_a_pipe_without_pipefail_flag", "sg:set-pipefail"},
			check:   scriptGoesOn,
		},
		{
			ID: "run-shell-declared", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "Which shell runs scripts is said by `shell`; nobody replaces /bin/sh",
			Why: "Programs of the distribution count on /bin/sh being what it was, in the finished image too.",
			Bad: `run {
  script = "ln -sf /bin/bash /bin/sh"
}`,
			Good: `shell = ["/bin/bash", "-euo", "pipefail", "-c"]
run {
  script = "make install"
}`,
			Mend:    "Leave the command out, and say `shell` in the stage; `validate --fix` does it where a step begins with a link from /bin/sh to bash.",
			Sources: []string{"DL4005", "KICS:changing_default_shell_using_run_command", "KICS:changing_default_shell_using_shell_command", "sg:use-shell-instruction"},
			check:   shellReplaced,
		},
		{
			ID: "run-script-parses", By: ByJudge, Title: "A script is in the grammar of its shell",
			Why: "It would fail when the step runs, or worse, do half of its work first.",
			Bad: `run {
  script = "if [ -e /etc/passwd ]; then id"
}`,
			Good: `run {
  script = "if [ -e /etc/passwd ]; then id; fi"
}`,
			Mend:    "Mend the script, or say the shell that it is written for: shell = [\"/bin/bash\", \"-euo\", \"pipefail\", \"-c\"].",
			Sources: []string{"hadolint SC*"},
			check:   scriptParses,
		},
		workdirRule(), hostRule(), clockRule(),
	}
}

// flagsOf are the options that a shell is started with: of its own list, and
// of a list that is the whole command.
func (st runStep) flagsOf() (set shellFlags) {
	args := []string{"/bin/sh", "-eu", "-c"}
	switch {
	case !st.run.Script.Set:
		args = st.run.Command.V
	case len(st.body().Shell.V) > 0:
		args = st.body().Shell.V
	}
	if path.Base(args[0]) == "busybox" && len(args) > 1 {
		args = args[1:]
	}
	set.read(args[1:])
	return set
}

// shellFlags are options of a shell that matter here.
type shellFlags struct{ e, u, pipefail bool }

// read is for the words of a shell or of set, up to the script of -c.
func (f *shellFlags) read(args []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		on := strings.HasPrefix(arg, "-")
		if !on && !strings.HasPrefix(arg, "+") || arg == "-" || strings.HasPrefix(arg, "--") {
			if strings.Contains(arg, dynamic) {
				f.e, f.u, f.pipefail = true, true, true // who knows
			}
			return
		}
		for _, letter := range arg[1:] {
			switch letter {
			case 'e':
				f.e = on
			case 'u':
				f.u = on
			case 'o':
				if i+1 < len(args) {
					i++
					f.long(args[i], on)
				}
			}
		}
		if strings.Contains(arg, "c") {
			return
		}
	}
}

func (f *shellFlags) long(name string, on bool) {
	switch name {
	case "errexit":
		f.e = on
	case "nounset":
		f.u = on
	case "pipefail":
		f.pipefail = on
	}
}

// scriptGoesOn asks for -e where there is a second command, for -u where
// there is a variable too, and for pipefail where the left side of a pipe can
// fail.
func scriptGoesOn(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		file := st.script.file
		if file == nil || st.text.V == "" {
			return
		}
		flags := st.flagsOf()
		for _, c := range st.script.calls {
			if c.name == "set" && c.places != nil {
				flags.read(c.args) // wherever it stands: a script that knows of it is left alone
			}
		}
		var missing []string
		at := st.text.Range
		commands := commandsOf(file)
		if commands > 1 && !flags.e {
			missing = append(missing, "-e")
		}
		if commands > 1 && !flags.u && expands(file) {
			missing = append(missing, "-u")
		}
		if i := slices.IndexFunc(st.script.pipes, func(p pipe) bool { return st.script.leaks(p) }); i >= 0 && !flags.pipefail {
			missing = append(missing, "-o pipefail")
			if len(missing) == 1 {
				at = d.within(st.text, st.script.pipes[i].at, "")
			}
		}
		if len(missing) == 0 {
			return
		}
		why := "an error in its middle goes unseen"
		switch missing[0] {
		case "-u":
			why = "a misspelt variable is an empty string"
		case "-o pipefail":
			why = "an error on the left of the pipe goes unseen"
		}
		d.mend(st.body().Addr, at, d.shellFix(st, missing), "A script goes on after errors",
			"The script of %s runs without %s, so %s. Say shell = [\"/bin/bash\", \"-euo\", \"pipefail\", \"-c\"], or another shell of the base that has these options.",
			st.local(), strings.Join(missing, " and "), why)
	})
}

// commandsOf counts the commands of a script that -e stands between, without
// set itself. A chain by && stops by itself.
func commandsOf(file *syntax.File) int {
	n := 0
	for _, st := range file.Stmts {
		if c, ok := st.Cmd.(*syntax.CallExpr); ok && len(c.Args) > 0 && c.Args[0].Lit() == "set" {
			continue
		}
		switch c := st.Cmd.(type) {
		case *syntax.Block:
			n += len(c.Stmts)
		case *syntax.Subshell:
			n += len(c.Stmts)
		case *syntax.ForClause, *syntax.WhileClause:
			n += 2 // what fails in one round is forgotten in the next
		case *syntax.FuncDecl:
		default:
			n++
		}
	}
	return n
}

// expands reports whether a script uses the value of a variable that -u would
// ask for: $1, $? and ${x:-y} it would not.
func expands(file *syntax.File) bool {
	found := false
	syntax.Walk(file, func(node syntax.Node) bool {
		if p, ok := node.(*syntax.ParamExp); ok && p.Exp == nil && p.Param != nil {
			name := p.Param.Value
			found = found || name != "" && (name[0] == '_' || alphanumeric(name[0]) && (name[0] < '0' || name[0] > '9'))
		}
		return !found
	})
	return found
}

// harmless are commands on the left of a pipe whose failure is none, or whose
// end by a closed pipe is meant.
var harmless = []string{"echo", "printf", "yes", "true", ":"}

// leaks reports whether an error in a pipeline goes unseen without pipefail.
func (s *script) leaks(p pipe) bool {
	if p.tested {
		return false
	}
	i := slices.IndexFunc(s.pipes, func(q pipe) bool { return q == p })
	return slices.ContainsFunc(s.calls, func(c call) bool {
		if c.pipe != i+1 || c.element == p.last || slices.Contains(harmless, c.name) {
			return false
		}
		return c.name != "cat" || c.heredoc == ""
	})
}

// shellFix adds the options to a shell that the stage says, where it is one
// that has them.
func (d *docket) shellFix(st runStep, missing []string) *diag.Fix {
	shell := st.body().Shell
	text := d.source(shell.Range)
	if !st.run.Script.Set || len(shell.V) < 2 || !strings.HasPrefix(text, "[") || strings.Contains(text, "${") || strings.Contains(text, "\n") {
		return nil
	}
	name := path.Base(shell.V[0])
	if path.Base(shell.V[0]) == "busybox" {
		name = path.Base(shell.V[1])
	}
	if slices.Contains(missing, "-o pipefail") && !slices.Contains([]string{"bash", "ash", "ksh", "mksh"}, name) && path.Base(shell.V[0]) != "busybox" {
		return nil
	}
	const last = `"-c"]`
	if !strings.HasSuffix(text, last) {
		return nil
	}
	var options []string
	for _, m := range missing {
		for word := range strings.FieldsSeq(m) {
			options = append(options, `"`+word+`"`)
		}
	}
	end := len(text) - len(last)
	return &diag.Fix{Range: stretch(shell.Range, text, end, end+len(`"-c"`)), Replacement: strings.Join(options, ", ") + `, "-c"`}
}

// otherShells are those that /bin/sh is replaced by; sh from busybox or dash
// is a distribution's own choice.
var otherShells = []string{"bash", "zsh", "ksh", "ksh93", "mksh", "fish", "yash"}

func shellReplaced(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			if how := replacesShell(c); how != "" {
				d.mend(st.body().Addr, d.arg(st, c, -1), d.declareShell(st, c), "A command replaces the shell",
					"%s %s. Leave that out, and say shell = [\"/bin/bash\", \"-euo\", \"pipefail\", \"-c\"]: it holds for scripts of this stage alone.", st.local(), how)
			}
		}
	})
}

// replacesShell says what a call does to the shell, or "".
func replacesShell(c call) string {
	isShell := func(w string) bool { return slices.Contains(otherShells, path.Base(w)) }
	isSh := func(w string) bool { return w == "/bin/sh" || w == "/usr/bin/sh" }
	switch c.name {
	case "ln", "cp", "mv", "install":
		o := c.parse(syntaxOf{"tSmog", []string{"--target-directory", "--suffix", "--mode", "--owner", "--group"}})
		if n := len(o.operands); n == 2 && isShell(c.args[o.operands[0]]) && isSh(c.args[o.operands[1]]) {
			return "puts " + path.Base(c.args[o.operands[0]]) + " in the place of " + c.args[o.operands[1]]
		}
	case "update-alternatives":
		if slices.ContainsFunc(c.args, isShell) && (slices.Contains(c.args, "--set") || slices.Contains(c.args, "--install")) && (slices.ContainsFunc(c.args, isSh) || slices.Contains(c.args, "sh")) {
			return "makes another program /bin/sh"
		}
	case "dpkg-reconfigure":
		if slices.Contains(c.args, "dash") || slices.Contains(c.args, "bash") {
			return "makes another program /bin/sh"
		}
	case "chsh", "usermod":
		o := c.parse(syntaxOf{"scdeGguLpR", []string{"--shell", "--comment", "--home", "--groups", "--gid", "--uid"}})
		i := o.index("-s", "--shell")
		root := len(o.operands) == 0 || c.args[o.operands[0]] == "root"
		if i >= 0 && root && !o.open && (isShell(o.flags[i].value) || isSh(o.flags[i].value)) {
			return "sets a login shell, which no step uses"
		}
	}
	return ""
}

// scriptParses speaks of steps whose shell is known to us. The parser's words
// are lower case, and no sentence.
func scriptParses(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		w := st.script.wrong
		if w == nil || st.text.V == "" || w.why == "" {
			return
		}
		shell := "sh"
		switch {
		case !st.run.Script.Set:
			shell = path.Base(st.run.Command.V[0])
		case len(st.body().Shell.V) > 0:
			shell = path.Base(st.body().Shell.V[0])
		}
		line := 1 + strings.Count(st.text.V[:min(w.at.start, len(st.text.V))], "\n")
		at, ok := d.exact(st.text, w.at)
		if !ok {
			at = st.text.Range
		}
		d.found(st.body().Addr, at, "The script does not parse",
			"Line %d of the script of %s is nothing that %s understands: %s. Mend it, or say the `shell` that it is written for.", line, st.local(), shell, w.why)
	})
}
