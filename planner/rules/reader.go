package rules

import (
	"errors"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// reader gathers from the tree of a script what rules ask for.
type reader struct {
	*script
	stack  []syntax.Node // that the walk is in, outermost first
	tested map[*syntax.Stmt]bool
	plain  map[*syntax.Stmt]bool
	piped  map[*syntax.Stmt][2]int // index of the pipe plus one, and the place in it
}

func newReader(s *script) *reader {
	return &reader{script: s, tested: map[*syntax.Stmt]bool{}, plain: map[*syntax.Stmt]bool{}, piped: map[*syntax.Stmt][2]int{}}
}

// whyNot is the parser's reason. What only the grammar of another shell has
// is told apart from what none has.
func whyNot(err error, length int) *wrong {
	at := func(p syntax.Pos) span {
		i := min(int(p.Offset()), max(0, length-1))
		return span{i, i + 1}
	}
	var lang syntax.LangError
	var parse syntax.ParseError
	switch {
	case errors.As(err, &lang):
		return &wrong{"the grammar of this shell does not have " + strings.ReplaceAll(lang.Feature, "`", ""), at(lang.Pos)}
	case errors.As(err, &parse):
		return &wrong{strings.ReplaceAll(parse.Text, "`", ""), at(parse.Pos)}
	}
	return &wrong{why: err.Error()}
}

// tolerated are expansions that POSIX does not have and some /bin/sh do:
// busybox's, and bash under that name.
var tolerated = []string{"search and replace", "slicing", "this expansion operator"}

// lenient is the tree of a script for sh that uses what only some of them
// have: nothing is known to be wrong then.
func lenient(text string, lang syntax.LangVariant, s *script) *syntax.File {
	if lang != syntax.LangPOSIX || !slices.ContainsFunc(tolerated, func(f string) bool { return strings.HasSuffix(s.wrong.why, f) }) {
		return nil
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	s.wrong = nil
	return file
}

// read gathers from a tree. depth counts scripts in scripts: sh -c "…".
func (s *reader) read(file *syntax.File, depth int) {
	s.chain(file.Stmts)
	syntax.Walk(file, func(node syntax.Node) bool {
		if node == nil {
			s.stack = s.stack[:len(s.stack)-1]
			return true
		}
		s.stack = append(s.stack, node)
		switch n := node.(type) {
		case *syntax.Word:
			s.words = append(s.words, word{render(n), spanOf(n)})
		case *syntax.Assign:
			if n.Name != nil && n.Value != nil {
				s.assigns = append(s.assigns, assign{n.Name.Value, render(n.Value), spanOf(n)})
			}
		case *syntax.IfClause:
			s.test(n.Cond)
		case *syntax.WhileClause:
			s.test(n.Cond)
		case *syntax.BinaryCmd:
			s.binary(n)
		case *syntax.Stmt:
			if n.Negated {
				s.tested[n] = true
			}
			if c, ok := n.Cmd.(*syntax.CallExpr); ok {
				s.callExpr(n, c, depth)
			}
		}
		return true
	})
}

// chain marks the lines of a script that have nothing but && between them.
func (s *reader) chain(stmts []*syntax.Stmt) {
	for _, st := range stmts {
		if st.Negated || st.Background || st.Coprocess || len(st.Redirs) > 0 {
			continue
		}
		switch c := st.Cmd.(type) {
		case *syntax.CallExpr:
			s.plain[st] = true
		case *syntax.BinaryCmd:
			if c.Op == syntax.AndStmt {
				s.chain([]*syntax.Stmt{c.X, c.Y})
			}
		}
	}
}

func (s *reader) test(stmts []*syntax.Stmt) {
	for _, st := range stmts {
		s.tested[st] = true
	}
}

// binary marks what || tests, and numbers pipelines: the parser makes those
// of three commands a pipeline in a pipeline.
func (s *reader) binary(n *syntax.BinaryCmd) {
	switch n.Op {
	case syntax.OrStmt:
		s.tested[n.X] = true
	case syntax.Pipe, syntax.PipeAll:
		if len(s.stack) > 2 {
			if outer, ok := s.stack[len(s.stack)-3].(*syntax.BinaryCmd); ok && (outer.Op == syntax.Pipe || outer.Op == syntax.PipeAll) {
				return // it is part of that one
			}
		}
		elements := flatten(n)
		s.pipes = append(s.pipes, pipe{at: spanOf(n), last: len(elements) - 1, tested: s.isTested()})
		for i, st := range elements {
			s.piped[st] = [2]int{len(s.pipes), i}
		}
	}
}

// flatten is the commands of a pipeline in order.
func flatten(n *syntax.BinaryCmd) []*syntax.Stmt {
	var out []*syntax.Stmt
	for _, st := range []*syntax.Stmt{n.X, n.Y} {
		if b, ok := st.Cmd.(*syntax.BinaryCmd); ok && (b.Op == syntax.Pipe || b.Op == syntax.PipeAll) {
			out = append(out, flatten(b)...)
			continue
		}
		out = append(out, st)
	}
	return out
}

func (s *reader) isTested() bool {
	return slices.ContainsFunc(s.stack, func(n syntax.Node) bool {
		st, ok := n.(*syntax.Stmt)
		return ok && s.tested[st]
	})
}

// callExpr adds a command of a script with what stands around it.
func (s *reader) callExpr(st *syntax.Stmt, n *syntax.CallExpr, depth int) {
	if len(n.Args) == 0 {
		return
	}
	var args []string
	var places []span
	like := s.around(st)
	for _, a := range n.Args {
		args = append(args, render(a))
		places = append(places, spanOf(a))
		like.fed = append(like.fed, fed(a)...)
	}
	args = s.call(args, places, like)
	places = places[len(places)-len(args):] // wrappers are gone
	// POSIX has no grammar for export A=b: it is a call with a word.
	if slices.Contains([]string{"export", "readonly", "local"}, args0(args)) {
		for i, a := range args[1:] {
			if name, value, ok := strings.Cut(a, "="); ok {
				s.assigns = append(s.assigns, assign{name, value, places[i+1]})
			}
		}
	}
	const deepest = 3
	if text, lang, ok := shellCommand(args); ok && depth < deepest && !strings.Contains(text, dynamic) {
		if file, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(text), ""); err == nil {
			inner := newReader(&script{})
			inner.read(file, depth+1)
			s.adopt(inner.script, places[0])
		}
	}
}

// around is what a command's calls share.
func (s *reader) around(st *syntax.Stmt) call {
	like := call{plain: s.plain[st], tested: s.isTested()}
	for _, node := range slices.Backward(s.stack) {
		if outer, ok := node.(*syntax.Stmt); ok {
			if at, in := s.piped[outer]; in {
				like.pipe, like.element = at[0], at[1]
				break
			}
		}
	}
	for _, r := range st.Redirs {
		if r.Hdoc != nil {
			like.heredoc = render(r.Hdoc)
		}
	}
	return like
}

// adopt takes over what a script in the script does; the place is the outer
// command's, since quotes shift what is within.
func (s *script) adopt(inner *script, at span) {
	for _, c := range inner.calls {
		c.at, c.places, c.plain = at, nil, false
		if c.pipe > 0 {
			c.pipe += len(s.pipes)
		}
		s.calls = append(s.calls, c)
	}
	for _, a := range inner.assigns {
		a.at = at
		s.assigns = append(s.assigns, a)
	}
	for _, p := range inner.pipes {
		p.at = at
		s.pipes = append(s.pipes, p)
	}
}

// fed are the commands whose output is part of a word: $(curl …), <(curl …).
func fed(w *syntax.Word) []string {
	if w.Lit() != "" {
		return nil
	}
	var out []string
	syntax.Walk(w, func(node syntax.Node) bool {
		if c, ok := node.(*syntax.CallExpr); ok && len(c.Args) > 0 {
			inner := &script{}
			var args []string
			for _, a := range c.Args {
				args = append(args, render(a))
			}
			inner.call(args, nil, call{})
			for _, c := range inner.calls {
				out = append(out, c.name)
			}
		}
		return true
	})
	return out
}
