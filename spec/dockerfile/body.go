package dockerfile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// step is a block that makes a layer, with what was set when its instruction
// ran. What differs from the end of the stage is written into the block.
type step struct {
	block *block
	at    point
	run   *runStep // nil for what is no run
	toRef text     // of a copy: as it was written, a slash at its end for a folder
}

func (st *stage) add(name string, cmd instructions.Command, labels ...string) *block {
	b := &block{name: name, labels: labels, line: firstLine(cmd.Location())}
	b.source = sourceOf(cmd)
	b.comments = append(st.rest, st.im.comments(cmd.Comments())...)
	st.rest = nil
	at := st.point
	at.scope = maps.Clone(st.scope)
	st.steps = append(st.steps, &step{block: b, at: at})
	return b
}

// sourceOf is the instruction as it was written.
func sourceOf(cmd instructions.Command) string {
	if s, ok := cmd.(fmt.Stringer); ok {
		return s.String()
	}
	return cmd.Name()
}

// last is the step that was added last.
func (st *stage) last() *step { return st.steps[len(st.steps)-1] }

// word expands a word of an instruction. Where that cannot be, the comment
// says so, and the answer is false.
func (st *stage) word(cmd instructions.Command, s string) (text, bool) {
	line := firstLine(cmd.Location())
	e := newExpander(st.im.escape, st.scope.get)
	t, err := e.expand(s)
	if err != nil {
		st.rest = append(st.rest, st.im.todo(line, "%s is left out: %s", strings.ToUpper(cmd.Name()), err))
		return nil, false
	}
	st.notSet(e, line)
	return t, true
}

// notSet says which names had no value.
func (st *stage) notSet(e *expander, line int) {
	for _, name := range e.missing {
		hint := "If the base sets it, write its value"
		if _, ok := st.im.platformArg(name); ok {
			hint = "An ARG without a value would give it"
		}
		st.rest = append(st.rest, st.im.todo(line, "$%s is set by nothing here; it is taken as empty. %s", name, hint))
	}
}

// instruction takes over one instruction.
func (st *stage) instruction(cmd instructions.Command) {
	switch c := cmd.(type) {
	case *instructions.ArgCommand:
		st.argument(c)
	case *instructions.EnvCommand:
		st.environment(c)
	case *instructions.WorkdirCommand:
		st.changeWorkdir(c)
	case *instructions.UserCommand:
		if t, ok := st.word(c, c.User); ok && len(t) > 0 {
			st.user, st.hasUser = t, true
			st.keep("run_as", c)
		}
	case *instructions.ShellCommand:
		st.shell = c.Shell
		st.keep("shell", c)
	case *instructions.RunCommand:
		st.runCommand(c)
	case *instructions.CopyCommand:
		st.copyCommand(c)
	case *instructions.AddCommand:
		st.addCommand(c)
	case *instructions.OnbuildCommand:
		st.rest = append(st.rest, st.im.comments(c.Comments())...)
		st.rest = append(st.rest, st.im.todo(firstLine(c.Location()), "ONBUILD %s is not kept: what builds on this says it itself", c.Expression))
	default:
		st.configure(cmd)
	}
}

// keep remembers the comments of an instruction that becomes an attribute.
func (st *stage) keep(name string, cmd instructions.Command) {
	st.said[name] = append(append(st.said[name], st.rest...), st.im.comments(cmd.Comments())...)
	st.written[name] = cmd
	st.rest = nil
}

// environment is ENV: all values of one instruction see what was set before it.
func (st *stage) environment(c *instructions.EnvCommand) {
	before := st.scope
	next, env := maps.Clone(before), maps.Clone(st.env)
	for i, kv := range c.Env {
		st.scope = before
		name, ok := st.word(c, kv.Key)
		value, ok2 := st.word(c, kv.Value)
		key, constant := name.constant()
		if !ok || !ok2 {
			continue
		}
		if !constant || !isKey(key) {
			st.rest = append(st.rest, st.im.todo(firstLine(c.Location()), "ENV %s is left out: it is no name of a variable", kv.Key))
			continue
		}
		next[key] = binding{value: value}
		env[key] = value
		if !st.own[key] {
			st.own[key] = true
			st.order = append(st.order, key)
		}
		if i == 0 {
			st.keep("env "+key, c)
		}
		if isSecretName(key) && len(value) > 0 {
			st.im.note(firstLine(c.Location()), Todo, "ENV %s looks like a secret, and whoever has the image can read it.", key)
		}
	}
	st.scope, st.env = next, env
}

// isKey reports whether a variable or label can be called so.
func isKey(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '=' })
}

// finish writes what the whole stage has in common, and into each step where
// it differs.
func (st *stage) finish() {
	b := st.block
	if p := st.from.parent; st.hasWorkdir && (p == nil || !p.hasWorkdir || !p.workdir.equal(st.workdir)) {
		b.set("workdir", st.workdir.hcl()).comments = st.said["workdir"]
	}
	st.writeEnv()
	st.writeShell()
	for i, s := range st.steps {
		if s.block.name == "directory" && st.impliedDirectory(i) {
			continue
		}
		st.settle(s)
		b.items = append(b.items, s.block)
	}
	if len(st.rest) > 0 {
		b.items = append(b.items, &remark{lines: st.rest})
	}
	if st.image {
		st.writeConfig()
	}
}

// settle writes what a step has of its own.
func (st *stage) settle(s *step) {
	switch {
	case s.run != nil:
		st.settleRun(s)
	case s.block.name == "directory":
		if owner := st.ownerOfWorkdir(s); owner != "" {
			s.block.set("owner", owner)
		}
	case s.block.name == "copy":
		s.block.setNeeded("to", st.destination(s).hcl())
		s.block.items = ordered(s.block.items, "from", "source", "to")
	}
}

// destination is where a copy goes: relative to the stage's workdir where that
// was the one when it was written.
func (st *stage) destination(s *step) text {
	to := s.toRef
	if now := to.now(); strings.HasPrefix(now, "/") {
		return slashed(clean(to), now)
	}
	if st.hasWorkdir && s.at.hasWorkdir && s.at.workdir.equal(st.workdir) && !strings.Contains(to.now(), "..") {
		if c, ok := to.constant(); ok {
			folder := strings.HasSuffix(c, "/") || c == "." || c == ""
			c = path.Clean("./" + c)
			switch {
			case c == ".":
				c = "./"
			case folder:
				c += "/"
			}
			return literal(c)
		}
		return to
	}
	if !s.at.hasWorkdir && st.from.known.workdir == "" {
		s.block.comments = append(s.block.comments, st.im.todo(s.block.line, "%q is relative to the base's own workdir, which is not known here; it is taken from /", to.now()))
	}
	return slashed(join(s.at.workdir, to), to.now())
}

// slashed keeps the slash that says that a destination is a folder.
func slashed(t text, written string) text {
	last := path.Base("x/" + written)
	folder := strings.HasSuffix(written, "/") || written == "" || last == "." || last == ".."
	if folder && !strings.HasSuffix(t.now(), "/") {
		return t.with(part{lit: "/"})
	}
	return t
}

// ordered puts the attributes of these names first, in this order.
func ordered(items []item, names ...string) []item {
	rank := func(it item) int {
		if a, ok := it.(*attribute); ok {
			if i := slices.Index(names, a.name); i >= 0 {
				return i
			}
		}
		return len(names)
	}
	out := slices.Clone(items)
	slices.SortStableFunc(out, func(a, b item) int { return rank(a) - rank(b) })
	return out
}

// writeEnv writes the environment at the end of the stage.
func (st *stage) writeEnv() {
	var pairs []pair
	for _, name := range st.order {
		v := st.env[name]
		comments := st.said["env "+name]
		if name == "PATH" && v.uses("PATH") {
			st.writePath(v, comments)
			continue
		}
		pairs = append(pairs, pair{name, v.hcl(), comments})
	}
	if len(pairs) > 0 {
		st.block.set("env", object(pairs))
	}
}

// writePath takes the folders that a stage adds to PATH. What it appends goes
// first as well: the language has no other way.
func (st *stage) writePath(v text, comments []string) {
	at := slices.IndexFunc(v, func(p part) bool { return p.expr == "PATH" })
	before, after := folders(v[:at]), folders(v[at+1:])
	if slices.ContainsFunc(after, func(t text) bool { return t.uses("PATH") }) {
		after = nil
	}
	if len(after) > 0 {
		comments = append(comments, st.im.todo(st.line, "ENV PATH puts folders after PATH; here they go before it"))
	}
	var list2 []string
	for _, f := range append(before, after...) {
		if e := f.hcl(); !slices.Contains(list2, e) {
			list2 = append(list2, e)
		}
	}
	if len(list2) > 0 {
		st.block.set("path_prepend", list(list2)).comments = comments
	}
}

// folders splits a list such as PATH.
func folders(t text) []text {
	var out []text
	var cur text
	flush := func() {
		if len(cur) > 0 {
			out = append(out, clean(cur))
		}
		cur = nil
	}
	for _, p := range t {
		if p.expr != "" {
			cur = cur.with(p)
			continue
		}
		for i, s := range strings.Split(p.lit, ":") {
			if i > 0 {
				flush()
			}
			cur = cur.with(part{lit: s})
		}
	}
	flush()
	return out
}
