package dockerfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"mvdan.cc/sh/v3/syntax"
)

// runStep is a RUN, or what is left of it after packages and accounts were
// taken out.
type runStep struct {
	script   script
	argv     []string // exec form, instead of script
	shell    []string // what Docker gives the script to
	network  string   // --network
	mounts   []*instructions.Mount
	line     int
	prepared bool // go mod download ran before
}

// runCommand takes over a RUN: as steps of packages and accounts where the
// whole of it is understood, and the rest as it is.
func (st *stage) runCommand(c *instructions.RunCommand) {
	line := firstLine(c.Location())
	r := &runStep{network: instructions.GetNetwork(c), shell: st.dockerShell(), line: line, prepared: st.fetched}
	st.at = line
	if err := c.Expand(st.mountWord); err != nil {
		st.rest = append(st.rest, st.im.todo(line, "RUN is left out: %s", err))
		st.rest = append(st.rest, "  "+oneLine(c.String()))
		return
	}
	r.mounts = instructions.GetMounts(c)
	for _, flag := range c.FlagsUsed {
		switch flag {
		case "security":
			st.im.note(line, Dropped, "RUN --security: steps have no more rights than others.")
		case "device":
			st.im.note(line, Dropped, "RUN --device: steps have no devices.")
		}
	}
	if !c.PrependShell {
		r.argv = c.CmdLine
		b := st.add("run", c)
		st.last().run = r
		if len(c.CmdLine) == 0 {
			b.refused = st.im.todo(line, "RUN without a command")[len(todoMark):]
		}
		return
	}
	body, argv := st.runBody(c)
	if argv != nil {
		r.argv = argv
		st.add("run", c)
		st.last().run = r
		return
	}
	r.script = parseScript(body, r.shell)
	if strings.TrimSpace(body) == "" {
		st.im.note(line, Dropped, "RUN does nothing.")
		return
	}
	st.splitRun(c, r)
	for _, k := range r.script.calls() {
		if k.name == "go" && k.subcommand() == "mod" && slices.Contains(k.args, "download") {
			st.fetched = true
		}
	}
}

// mountWord expands a value of --mount. One that is not known keeps a mark,
// which the mount puts the expression back for.
func (st *stage) mountWord(word string) (string, error) {
	e := newExpander(st.im.escape, st.scope.get)
	t, err := e.expand(word)
	if err != nil {
		return "", err
	}
	st.notSet(e, st.at)
	if s, ok := t.constant(); ok {
		return s, nil
	}
	return st.im.mark(t), nil
}

// runBody is the text that the shell is given, or the program of a
// here-document that names it in its first line.
func (st *stage) runBody(c *instructions.RunCommand) (body string, argv []string) {
	joined := strings.Join(c.CmdLine, " ")
	if len(c.Files) == 0 {
		if !posix(st.dockerShell()) {
			return joined, nil
		}
		return st.im.original(c, joined), nil
	}
	if doc := parser.MustParseHeredoc(joined); doc != nil && len(c.Files) == 1 {
		data := c.Files[0].Data
		if c.Files[0].Chomp {
			data = parser.ChompHeredocContent(data)
		}
		if strings.HasPrefix(data, "#!") {
			return st.interpreted(c, data)
		}
		return flush(data), nil
	}
	var b strings.Builder
	b.WriteString(joined)
	for _, f := range c.Files {
		b.WriteString("\n" + f.Data + f.Name)
	}
	return b.String(), nil
}

// interpreted is a script that says its own program. The kernel would start
// it from a file; here it is an argument, so the program must be one that
// takes it as such.
func (st *stage) interpreted(c *instructions.RunCommand, data string) (string, []string) {
	head, _, _ := strings.Cut(strings.TrimPrefix(data, "#!"), "\n")
	words := strings.Fields(head)
	name := ""
	for _, w := range words {
		if w = w[strings.LastIndexByte(w, '/')+1:]; w != "env" && !strings.HasPrefix(w, "-") {
			name = w
			break
		}
	}
	flag := "-c"
	switch strings.TrimRight(name, "0123456789.") {
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "python":
	case "perl", "ruby", "node", "lua":
		flag = "-e"
	default:
		st.rest = append(st.rest, st.im.todo(firstLine(c.Location()), "the script is for %q, which may not take it as an argument", head))
	}
	return "", append(words, flag, data)
}

// original is a command over several lines as it was written, if the shell
// reads the same in it: BuildKit joins lines and drops comments.
func (im *importer) original(c *instructions.RunCommand, joined string) string {
	loc := c.Location()
	if len(loc) == 0 || loc[0].Start.Line == loc[0].End.Line && len(loc) == 1 {
		return joined
	}
	first, last := loc[0].Start.Line, loc[len(loc)-1].End.Line
	if first < 1 || last > len(im.lines) {
		return joined
	}
	var lines []string
	for _, l := range im.lines[first-1 : last] {
		l = strings.TrimRight(l, " \t\r\n")
		if trimmed := strings.TrimSpace(l); trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		lines = append(lines, strings.TrimRight(strings.TrimSuffix(l, string(im.escape)), " \t"))
	}
	// What is before the command, RUN and its flags, is as long as what is
	// left of the joined lines.
	lines = afterFlags(lines)
	if len(lines) < 2 {
		return joined
	}
	for i := range lines[1:] {
		lines[i+1] = "  " + strings.TrimSpace(lines[i+1])
	}
	written := strings.Join(lines, " \\\n")
	if same(written, joined) {
		return written
	}
	return joined
}

// flush takes away the blanks that all lines of a script begin with, where they
// mean nothing to a shell.
func flush(script string) string {
	indent := -1
	for line := range strings.Lines(script) {
		if strings.TrimSpace(line) != "" {
			n := len(line) - len(strings.TrimLeft(line, " \t"))
			if indent < 0 || n < indent {
				indent = n
			}
		}
	}
	if indent <= 0 {
		return script
	}
	var b strings.Builder
	for line := range strings.Lines(script) {
		if strings.TrimSpace(line) == "" {
			b.WriteByte('\n')
			continue
		}
		b.WriteString(line[indent:])
	}
	if out := b.String(); same(out, script) {
		return out
	}
	return script
}

// afterFlags drops RUN and its flags from the lines of an instruction.
func afterFlags(lines []string) []string {
	for i, l := range lines {
		l = strings.TrimSpace(l)
		if i == 0 && len(l) >= 3 {
			l = strings.TrimSpace(l[3:])
		}
		for strings.HasPrefix(l, "--") {
			_, rest, _ := strings.Cut(l, " ")
			l = strings.TrimSpace(rest)
		}
		if l != "" {
			return append([]string{l}, lines[i+1:]...)
		}
	}
	return nil
}

// same reports whether a shell reads the same program in two texts.
func same(a, b string) bool {
	pa, ok := normal(a)
	pb, ok2 := normal(b)
	return ok && ok2 && pa == pb
}

func normal(s string) (string, bool) {
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(s), "")
	if err != nil {
		return "", false
	}
	var b bytes.Buffer
	if err := syntax.NewPrinter(syntax.SingleLine(true)).Print(&b, f); err != nil {
		return "", false
	}
	return b.String(), true
}

// settleRun writes what a step does, with what differs from its stage.
func (st *stage) settleRun(s *step) {
	r, b := s.run, s.block
	items := b.items // mounts, if they were written before
	b.items = nil
	var env []pair
	read := map[string]bool{}
	var calls []call
	switch {
	case r.argv != nil:
		b.setNeeded("command", list(quoteAll(r.argv)))
		calls = callOf(r.argv)
		if i := slices.Index(r.argv, "-c"); i > 0 && i+1 < len(r.argv) {
			read, _ = parseScript(r.argv[i+1], []string{r.argv[0], "-c"}).names()
		}
	default:
		calls = r.script.calls()
		read, _ = r.script.names()
		if args, assigned, ok := r.script.command(s.at.scope.get); ok {
			words := make([]string, len(args))
			for i, a := range args {
				words[i] = a.hcl()
			}
			b.setNeeded("command", list(words))
			env, read = assigned, map[string]bool{}
		} else {
			st.writeScript(b, r)
		}
	}
	env = st.stepEnv(s, env, read, calls)
	if len(env) > 0 {
		b.set("env", object(env))
	}
	st.writeWhere(s)
	st.writeNetwork(s, calls)
	st.mounts(s)
	b.items = append(b.items, items...)
}

// writeScript writes a script for the stage's shell, or with its own where
// SHELL was another then.
func (st *stage) writeScript(b *block, r *runStep) {
	if shell := st.shellOf(); shell != nil && !slices.Equal(shell, r.shell) {
		b.setNeeded("command", list(append(quoteAll(r.shell), quote(r.script.text))))
		return
	}
	b.setNeeded("script", literal(r.script.text).lines(false))
}

// writeShell decides what the stage's scripts are given to: what most of them
// are in the Dockerfile. The language's own default is stricter than Docker's,
// so it stands only for scripts that do the same under it.
func (st *stage) writeShell() {
	shell := st.shellOf()
	if shell == nil {
		return
	}
	if len(shell) == 2 && shell[0] == "/bin/sh" && shell[1] == "-c" {
		strict := true
		for _, s := range st.scripts() {
			strict = strict && s.run.script.strict(s.at.scope.get)
		}
		if strict {
			return
		}
		st.im.note(st.line, Changed, "The scripts of this stage run by /bin/sh -c as in Docker, which goes on after a failure; without `shell` they would run under -eu.")
	}
	st.block.set("shell", list(quoteAll(shell))).comments = st.said["shell"]
}

// scripts are the steps that need a shell.
func (st *stage) scripts() []*step {
	var out []*step
	for _, s := range st.steps {
		if s.run == nil || s.run.argv != nil {
			continue
		}
		if _, _, ok := s.run.script.command(s.at.scope.get); !ok {
			out = append(out, s)
		}
	}
	return out
}

// shellOf is the shell of most scripts of the stage; nil where there is none.
func (st *stage) shellOf() []string {
	count := map[string]int{}
	var best []string
	for _, s := range st.scripts() {
		k := fmt.Sprintf("%q", s.run.shell)
		count[k]++
		if best == nil || count[k] > count[fmt.Sprintf("%q", best)] {
			best = s.run.shell
		}
	}
	return best
}
