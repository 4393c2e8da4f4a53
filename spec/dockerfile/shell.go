package dockerfile

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// script is a shell's text with its tree.
type script struct {
	text string
	file *syntax.File // nil where it does not parse, or its shell has another grammar
}

// parseScript reads a script in the grammar of the shell that it is given to.
func parseScript(text string, shell []string) script {
	s := script{text: text}
	variants := map[string]syntax.LangVariant{
		"sh": syntax.LangPOSIX, "dash": syntax.LangPOSIX, "ash": syntax.LangPOSIX, "bash": syntax.LangBash,
	}
	lang, ok := variants[path.Base(shell[0])]
	if !ok || !slices.Contains(shell, "-c") && !strings.HasSuffix(shell[len(shell)-1], "c") {
		return s
	}
	if f, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(text), ""); err == nil {
		s.file = f
	}
	return s
}

// posix reports whether a shell reads a backslash at a line's end as ours do.
func posix(shell []string) bool {
	return slices.Contains([]string{"sh", "dash", "ash", "bash", "ksh", "zsh"}, path.Base(shell[0]))
}

// alone is the one simple command that a script is, without anything that
// would need a shell around it.
func (s script) alone() *syntax.CallExpr {
	if s.file == nil || len(s.file.Stmts) != 1 {
		return nil
	}
	call, _ := plainCall(s.file.Stmts[0])
	return call
}

// plainCall is the command of a statement that is nothing more than it.
func plainCall(st *syntax.Stmt) (*syntax.CallExpr, bool) {
	call, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || st.Negated || st.Background || st.Coprocess || st.Disown || len(st.Redirs) > 0 || len(call.Args) == 0 {
		return nil, false
	}
	return call, true
}

// plainWord is a word that every shell gives on as it is; unquoted values must
// be one word whatever they are. tilde is where ~ and patterns mean something,
// which they do not in assignments.
func plainWord(w *syntax.Word, get lookup, assigned bool) (text, bool) {
	var out text
	for i, p := range w.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			s, ok := bareText(p.Value, i == 0, assigned)
			if !ok {
				return nil, false
			}
			out = out.with(part{lit: s})
		case *syntax.SglQuoted:
			if p.Dollar {
				return nil, false
			}
			out = out.with(part{lit: p.Value})
		case *syntax.DblQuoted:
			t, ok := quotedText(p, get)
			if !ok {
				return nil, false
			}
			out = out.with(t...)
		case *syntax.ParamExp:
			t, ok := parameter(p, get)
			if !ok || !assigned && !oneWord(t) {
				return nil, false
			}
			out = out.with(t...)
		default:
			return nil, false
		}
	}
	return out, true
}

// bareText takes the backslashes off an unquoted word.
func bareText(s string, first, assigned bool) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			i++
			if s[i] != '\n' {
				b.WriteByte(s[i])
			}
		case strings.IndexByte("*?[]{}", c) >= 0 && !assigned:
			return "", false
		case c == '~' && (assigned || first && i == 0):
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

func quotedText(q *syntax.DblQuoted, get lookup) (text, bool) {
	if q.Dollar {
		return nil, false
	}
	var out text
	for _, p := range q.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			var b strings.Builder
			for i := 0; i < len(p.Value); i++ {
				c := p.Value[i]
				if c == '\\' && i+1 < len(p.Value) && strings.IndexByte("$`\"\\\n", p.Value[i+1]) >= 0 {
					if i++; p.Value[i] == '\n' {
						continue
					}
					c = p.Value[i]
				}
				b.WriteByte(c)
			}
			out = out.with(part{lit: b.String()})
		case *syntax.ParamExp:
			t, ok := parameter(p, get)
			if !ok {
				return nil, false
			}
			out = out.with(t...)
		default:
			return nil, false
		}
	}
	return out, true
}

// parameter is $NAME or ${NAME} of what the Dockerfile sets.
func parameter(p *syntax.ParamExp, get lookup) (text, bool) {
	name, ok := plainParameter(p)
	if !ok {
		return nil, false
	}
	t, ok := get(name)
	return t, ok && !t.uses("PATH")
}

func plainParameter(p *syntax.ParamExp) (string, bool) {
	if p.Param == nil || p.Excl || p.Length || p.Width || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 || p.Exp != nil {
		return "", false
	}
	return p.Param.Value, true
}

// oneWord reports whether a value is one word of a shell without quotes.
func oneWord(t text) bool {
	return len(t) > 0 && !slices.ContainsFunc(t, func(p part) bool {
		if p.expr != "" {
			return !p.word
		}
		return strings.ContainsFunc(p.lit, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./:=@%+,-", r))
		})
	})
}

// builtins are what a shell does itself, or may: without one they would be
// something else, or nothing.
func builtin(name string) bool {
	return slices.Contains(strings.Fields(`. : [ alias bg break builtin caller cd command compgen complete continue declare dirs disown echo
		enable eval exec exit export false fc fg getopts hash help history jobs kill let local logout mapfile popd printf pushd pwd read
		readarray readonly return set shift shopt source suspend test times trap true type typeset ulimit umask unalias unset wait`), name)
}

// command is a script as the arguments of one program and the environment
// before it, if a shell would do nothing more than start it.
func (s script) command(get lookup) (args []text, env []pair, ok bool) {
	call := s.alone()
	if call == nil {
		return nil, nil, false
	}
	for _, a := range call.Assigns {
		if a.Naked || a.Append || a.Index != nil || a.Array != nil || a.Name == nil {
			return nil, nil, false
		}
		var v text
		if a.Value != nil {
			if v, ok = plainWord(a.Value, get, true); !ok {
				return nil, nil, false
			}
		}
		if a.Name.Value == "PATH" {
			return nil, nil, false
		}
		env = slices.DeleteFunc(env, func(p pair) bool { return p.key == a.Name.Value })
		env = append(env, pair{key: a.Name.Value, value: v.hcl()})
	}
	for _, w := range call.Args {
		t, ok := plainWord(w, get, false)
		if !ok {
			return nil, nil, false
		}
		args = append(args, t)
	}
	name, constant := args[0].constant()
	if !constant || name == "" || builtin(name) || strings.ContainsRune(name, '=') {
		return nil, nil, false
	}
	return args, env, true
}

// names are the variables that a script reads and those that it sets.
func (s script) names() (read, set map[string]bool) {
	read, set = map[string]bool{}, map[string]bool{}
	if s.file == nil {
		return read, set
	}
	syntax.Walk(s.file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ParamExp:
			if n.Param != nil {
				read[n.Param.Value] = true
			}
		case *syntax.Assign:
			if n.Name != nil && n.Value != nil {
				set[n.Name.Value] = true
			}
		case *syntax.WordIter:
			set[n.Name.Value] = true
		case *syntax.CallExpr:
			if len(n.Args) > 0 && n.Args[0].Lit() == "read" {
				for _, w := range n.Args[1:] {
					set[w.Lit()] = true
				}
			}
		}
		return true
	})
	return read, set
}

// strict reports whether a script does the same under -e and -u, which are
// the language's default: it ends at its first failure anyway, and every
// variable that it reads is there.
func (s script) strict(get lookup) bool {
	if s.file == nil {
		return false
	}
	if len(s.file.Stmts) > 1 && !setsErrexit(s.file.Stmts[0]) {
		return false
	}
	ok := true
	syntax.Walk(s.file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst:
			ok = ok && len(n.Stmts) <= 1
		case *syntax.Subshell, *syntax.Block, *syntax.FuncDecl, *syntax.ProcSubst, *syntax.WhileClause, *syntax.ForClause, *syntax.IfClause, *syntax.CaseClause:
			ok = ok && (len(s.file.Stmts) > 1 || !several(n))
		}
		return ok
	})
	read, set := s.names()
	for name := range read {
		_, given := get(name)
		ok = ok && (given || set[name] || special(name))
	}
	return ok
}

// several reports whether a compound command holds lists, which go on after a
// failure without -e.
func several(n syntax.Node) bool {
	found := false
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Block:
			found = found || len(n.Stmts) > 1
		case *syntax.Subshell:
			found = found || len(n.Stmts) > 1
		case *syntax.WhileClause, *syntax.ForClause, *syntax.FuncDecl:
			found = true
		case *syntax.IfClause:
			found = found || len(n.Then) > 1
		case *syntax.CaseItem:
			found = found || len(n.Stmts) > 1
		}
		return !found
	})
	return found
}

// special are the variables that are always there.
func special(name string) bool {
	return slices.Contains([]string{"HOME", "PATH", "PWD", "IFS", "PPID", "OPTIND", "@", "*", "#", "?", "-", "$", "!", "0"}, name)
}

// setsErrexit reports set -e, among other letters.
func setsErrexit(st *syntax.Stmt) bool {
	call, ok := plainCall(st)
	if !ok || len(call.Args) < 2 || call.Args[0].Lit() != "set" {
		return false
	}
	e := false
	for _, w := range call.Args[1:] {
		s := w.Lit()
		e = e || strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "--") && strings.Contains(s, "e")
	}
	return e
}
