package rules

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/specbuild/specbuild/spec/diag"
)

func clockRule() Rule {
	return Rule{
		ID: "run-deterministic", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "No script writes the time, a random number or the machine's name into its results",
		Why: "The same step would give other files each time, so nothing that stands on it is ever reused, and nobody can check an image by building it again.",
		Bad: `run {
  script = "date > /etc/build-time"
}`,
		Good: `run {
  script = "date --date=@$SOURCE_DATE_EPOCH > /etc/build-time"
}`,
		Mend:    "Use SOURCE_DATE_EPOCH, which every step has, and say the real time in `stamp`.",
		Sources: []string{"own"},
		check:   nondeterministic,
	}
}

// nondeterministic follows what is read to where it is written, within one
// script: a clock that only times the script is nobody's business.
func nondeterministic(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		if st.script.file == nil || !slices.ContainsFunc(timely, func(w string) bool { return strings.Contains(st.text.V, w) }) {
			return
		}
		c := clock{script: st.script, tainted: map[string]bool{}}
		c.taint(st.script.file)
		c.sinks(st.script.file)
		for i, at := range c.at {
			d.found(st.body().Addr, d.within(st.text, at, ""), "A result depends on the moment",
				"The script of %s writes what %s gives, so that the step is another one each time. Use SOURCE_DATE_EPOCH, or say it in `stamp`, which is in no key.", st.local(), c.what[i])
		}
	})
}

// timely are parts of the names of all that changes: few scripts have any, and
// the text is looked through faster than the tree.
var timely = []string{"date", "uuid", "rand", "hostname", "HOSTNAME", "RANDOM", "EPOCH", "uname"}

// clock finds sources of what changes, and where it goes.
type clock struct {
	script  *script
	tainted map[string]bool // variables that hold it
	at      []span
	what    []string
}

// source is what a node reads that changes, or "".
func (c *clock) source(node syntax.Node, variables bool) (what string, at span) {
	syntax.Walk(node, func(n syntax.Node) bool {
		if what != "" {
			return false
		}
		switch t := n.(type) {
		case *syntax.ArithmExp, *syntax.FuncDecl:
			return false
		case *syntax.CallExpr:
			if name := reads(t); name != "" {
				what, at = name, spanOf(t)
			}
		case *syntax.ParamExp:
			if name := t.Param; name != nil && t.Exp == nil && (slices.Contains([]string{"RANDOM", "SRANDOM", "EPOCHSECONDS", "EPOCHREALTIME", "HOSTNAME"}, name.Value) && !c.assigned(name.Value) || variables && c.tainted[name.Value]) {
				what, at = "$"+name.Value, spanOf(t)
			}
		}
		return what == ""
	})
	return what, at
}

func (c *clock) assigned(name string) bool {
	return slices.ContainsFunc(c.script.assigns, func(a assign) bool { return a.name == name })
}

// reads is the name of a command that gives something else each time.
func reads(n *syntax.CallExpr) string {
	if len(n.Args) == 0 {
		return ""
	}
	var args []string
	for _, a := range n.Args {
		args = append(args, render(a))
	}
	c := call{name: args[0], args: args[1:]}
	switch c.name {
	case "date":
		fixed := slices.ContainsFunc(c.args, func(w string) bool {
			return strings.HasPrefix(w, dynamic) || strings.HasPrefix(w, "-r") || strings.HasPrefix(w, "-d")
		})
		if !fixed && !c.option("--date", "--reference", "--set", "--version", "--help", "-f", "--file") {
			return "date"
		}
	case "uuidgen":
		if !c.option("--sha1", "--md5", "-s", "-m") {
			return "uuidgen"
		}
	case "openssl":
		if len(c.args) > 0 && c.args[0] == "rand" {
			return "openssl rand"
		}
	case "hostname":
		if !slices.ContainsFunc(c.args, func(w string) bool { return !strings.HasPrefix(w, "-") }) {
			return "hostname"
		}
	case "uname":
		if c.option("-n", "--nodename", "-a", "--all") {
			return "uname"
		}
	case "cat", "head", "od", "dd", "tr":
		for _, w := range c.args {
			if w = strings.TrimPrefix(w, "if="); w == "/dev/urandom" || w == "/dev/random" || w == "/proc/sys/kernel/random/uuid" {
				return w
			}
		}
	}
	return ""
}

// taint notes variables that are given what changes.
func (c *clock) taint(file *syntax.File) {
	syntax.Walk(file, func(n syntax.Node) bool {
		if a, ok := n.(*syntax.Assign); ok && a.Name != nil && a.Value != nil {
			if what, _ := c.source(a.Value, true); what != "" {
				c.tainted[a.Name.Value] = true
			}
		}
		return true
	})
}

// talkers are commands that only print, set or compare.
var talkers = []string{"echo", "printf", ":", "true", "test", "[", "[[", "export", "local", "readonly", "declare", "sleep", "expr", "logger", "mktemp", "mkdir", "cd", "rm", "exit", "return", "shift", "eval", "trap", "kill", "seq", "bc", "ls", "set"}

// sinks looks at statements: one that writes a file, and a command that is
// handed what changes.
func (c *clock) sinks(file *syntax.File) {
	syntax.Walk(file, func(n syntax.Node) bool {
		st, ok := n.(*syntax.Stmt)
		if !ok {
			return true
		}
		if writes(st) {
			if what, at := c.source(st, true); what != "" {
				c.note(what, at)
				return false
			}
		}
		if cmd, ok := st.Cmd.(*syntax.CallExpr); ok && len(cmd.Args) > 1 && cmd.Args[0].Lit() != "" && !slices.Contains(talkers, cmd.Args[0].Lit()) && reads(cmd) == "" {
			for _, a := range cmd.Args[1:] {
				if what, at := c.source(a, true); what != "" {
					c.note(what, at)
					return false
				}
			}
		}
		return true
	})
}

func (c *clock) note(what string, at span) {
	c.what, c.at = append(c.what, what), append(c.at, at)
}

// writes reports whether what a statement prints goes to a file: by itself,
// or by tee at the end of a pipeline.
func writes(st *syntax.Stmt) bool {
	for _, r := range st.Redirs {
		switch r.Op {
		case syntax.RdrOut, syntax.AppOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll:
			if (r.N == nil || r.N.Value == "1") && r.Word != nil && !strings.HasPrefix(render(r.Word), "/dev/") && !strings.HasPrefix(render(r.Word), "/tmp/") {
				return true
			}
		}
	}
	b, ok := st.Cmd.(*syntax.BinaryCmd)
	if !ok || b.Op != syntax.Pipe && b.Op != syntax.PipeAll {
		return false
	}
	if end, ok := b.Y.Cmd.(*syntax.CallExpr); ok && len(end.Args) > 1 && end.Args[0].Lit() == "tee" {
		return true
	}
	return writes(b.Y)
}
