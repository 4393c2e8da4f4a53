package dockerfile

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// What a script calls decides what a step needs beside it: a network, which
// Docker gives to all, and variables that no line of the script names.

// call is a command somewhere in a script, wrappers taken off.
type call struct {
	name string
	args []string
	// local is true for a program that is named by a path: most often a script
	// of the project.
	local bool
}

// unknownWord stands for a word that only the run knows.
const unknownWord = "\x00"

// calls are all commands of a script, those of sh -c '…' too.
func (s script) calls() []call {
	var out []call
	if s.file == nil {
		return nil
	}
	syntax.Walk(s.file, func(n syntax.Node) bool {
		if st, ok := n.(*syntax.Stmt); ok {
			out = append(out, fed(st)...)
		}
		c, ok := n.(*syntax.CallExpr)
		if !ok || len(c.Args) == 0 {
			return true
		}
		var words []string
		for _, w := range c.Args {
			t, ok := plainWord(w, func(string) (text, bool) { return nil, false }, true)
			word := t.now()
			if !ok {
				word = unknownWord
			}
			words = append(words, word)
		}
		out = append(out, callOf(words)...)
		return true
	})
	return out
}

// fed are the commands of a here-document that a shell reads.
func fed(st *syntax.Stmt) []call {
	c, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || len(c.Args) != 1 {
		return nil
	}
	name := path.Base(c.Args[0].Lit())
	var out []call
	for _, r := range st.Redirs {
		if r.Hdoc != nil {
			t, _ := plainWord(r.Hdoc, func(string) (text, bool) { return nil, true }, true)
			out = append(out, parseScript(t.now(), []string{name, "-c"}).calls()...)
		}
	}
	return out
}

// callOf is a command and, if it runs another, that one.
func callOf(words []string) []call {
	for len(words) > 0 {
		name := path.Base(words[0])
		this := call{name, words[1:], strings.Contains(words[0], "/") && !strings.HasPrefix(words[0], "/usr/") && !strings.HasPrefix(words[0], "/bin/")}
		switch name {
		case "sudo", "env", "exec", "command", "time", "nice", "nohup", "xargs", "eval", "timeout", "gosu", "su-exec":
			words = words[1:]
			for len(words) > 0 && (strings.HasPrefix(words[0], "-") || strings.Contains(words[0], "=") || isNumber(words[0])) {
				words = words[1:]
			}
			if len(words) == 0 && name == "env" {
				return []call{this} // it prints them all
			}
			continue
		case "sh", "bash", "dash", "ash":
			if i := slices.Index(words, "-c"); i > 0 && i+1 < len(words) {
				return append([]call{this}, parseScript(words[i+1], []string{name, "-c"}).calls()...)
			}
		}
		return []call{this}
	}
	return nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789smh.") == ""
}
