package rules

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/specbuild/specbuild/spec"
)

// dynamic stands in a word for what is known only when the script runs: a
// variable, a command's output. It is in no script, which is text.
const dynamic = "\x00"

// script is what rules ask of a shell script. A script that does not parse
// is empty: it is no rule's business here.
type script struct {
	calls   []call
	assigns []assign
	words   []word // all there are, those of calls and here-documents too
	pipes   []pipe
	file    *syntax.File // nil for a plain command, and for what does not parse
	wrong   *wrong       // why it does not parse
}

// wrong is why a script does not parse, and where.
type wrong struct {
	why string
	at  span
}

// pipe is a pipeline of a script; the calls in it name it by its index.
type pipe struct {
	at     span
	last   int  // index of its last command
	tested bool // by if, while, || or !: set -e does not count there
}

// Rules never look at the text of a script by patterns: what a comment, a
// string or a here-document says is not what is run. The grammar is that of
// the shell which the step names, and other languages are nobody's business.

// call is a command that runs, with the wrappers in front of it (env, exec,
// xargs …) taken off.
type call struct {
	name  string // without its folder; empty where it is not known
	first string // the same as it was written
	args  []string
	at    span

	places  []span   // of args; nil in a list, and in a script of a script
	heredoc string   // what it reads, where the script says it
	pipe    int      // its pipeline, plus one; 0 is none
	element int      // its place there
	tested  bool     // as of a pipe
	plain   bool     // a line of the script, or one of its chain by &&, with nothing behind its words
	fed     []string // commands whose output is part of its words: sh -c "$(curl …)"
}

// assign is a variable that gets a value.
type assign struct {
	name, value string
	at          span
}

type word struct {
	text string // with dynamic for what is not known
	at   span
}

// span is a stretch of a script, in bytes.
type span struct{ start, end int }

// scriptKey is a script for a dialect, since the same text is often there
// for several platforms.
type scriptKey struct {
	text    string
	dialect syntax.LangVariant
}

// dialect is the grammar of a shell, by its name; ok is false for what is no
// shell.
func dialect(program string) (lang syntax.LangVariant, ok bool) {
	switch path.Base(program) {
	case "sh", "dash", "ash":
		return syntax.LangPOSIX, true
	case "bash":
		return syntax.LangBash, true
	case "ksh", "mksh":
		return syntax.LangMirBSDKorn, true
	}
	return 0, false
}

// runScript is the script of a step: of `script`, or of a command that is a
// shell with -c. A plain command is a script of one call.
func (d *docket) runScript(b *spec.Body, r *spec.Run) (*script, spec.Attr[string]) {
	if r.Script.Set {
		shell := []string{"/bin/sh"}
		if len(b.Shell.V) > 0 {
			shell = b.Shell.V
		}
		if lang, ok := shellOf(shell); ok && !r.Script.Unknown {
			return d.parse(r.Script.V, lang), r.Script
		}
		return &script{}, r.Script
	}
	at := spec.Attr[string]{Range: r.Command.Range}
	if r.Command.Unknown || len(r.Command.V) == 0 {
		return &script{}, at
	}
	if text, lang, ok := shellCommand(r.Command.V); ok {
		at.V = text
		return d.parse(text, lang), at
	}
	s := &script{}
	s.call(r.Command.V, nil, call{})
	for _, arg := range r.Command.V {
		s.words = append(s.words, word{text: arg})
	}
	return s, at
}

func shellOf(args []string) (syntax.LangVariant, bool) {
	if len(args) == 0 {
		return 0, false
	}
	if path.Base(args[0]) == "busybox" && len(args) > 1 {
		args = args[1:]
	}
	return dialect(args[0])
}

// shellCommand takes the script out of ["bash", "-euo", "pipefail", "-c", "…"].
func shellCommand(args []string) (text string, lang syntax.LangVariant, ok bool) {
	lang, ok = shellOf(args)
	if !ok {
		return "", 0, false
	}
	for i, arg := range args[:len(args)-1] {
		if i > 0 && strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "c") {
			script := args[i+1]
			if strings.HasSuffix(arg, "o") && i+2 < len(args) {
				script = args[i+2] // -co pipefail '…'
			}
			return script, lang, true
		}
	}
	return "", 0, false
}

// parse reads a script once, however many rules and platforms ask for it.
func (d *docket) parse(text string, lang syntax.LangVariant) *script {
	key := scriptKey{text, lang}
	if s := d.scripts[key]; s != nil {
		return s
	}
	s := &script{}
	parser := d.parsers[lang]
	if parser == nil {
		parser = syntax.NewParser(syntax.Variant(lang))
		d.parsers[lang] = parser
	}
	file, err := parser.Parse(strings.NewReader(text), "")
	if err != nil {
		s.wrong = whyNot(err, len(text))
		file = lenient(text, lang, s)
	}
	if file != nil {
		newReader(s).read(file, 0)
		s.file = file
	}
	d.scripts[key] = s
	return s
}

func args0(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// wrapper is a command that runs the one that follows it.
type wrapper struct {
	own     int    // arguments of its own that come before that, beside options
	options string // its options of one letter that take the next word
}

var wrappers = map[string]wrapper{
	"busybox": {}, "chronic": {}, "chroot": {own: 1}, "command": {}, "doas": {options: "u"}, "env": {options: "uCS"}, "eval": {}, "exec": {options: "a"}, "fakeroot": {},
	"gosu": {own: 1}, "ionice": {options: "cnp"}, "nice": {options: "n"}, "nohup": {}, "setsid": {}, "stdbuf": {options: "ioe"},
	"su-exec": {own: 1}, "sudo": {options: "ugpCDhRTU"}, "time": {options: "fo"}, "timeout": {own: 1, options: "ks"}, "unbuffer": {},
	"xargs": {options: "adEILnPs"},
}

// wrapped is what is left of a wrapper's arguments.
func (w wrapper) wrapped(args []string) []string {
	own := w.own
	for len(args) > 0 {
		word := args[0]
		switch {
		case len(word) == 2 && word[0] == '-' && strings.Contains(w.options, word[1:]) && len(args) > 1:
			args = args[2:]
		case strings.HasPrefix(word, "-"), strings.Contains(word, "="): // A=b of env and sudo
			args = args[1:]
		case own > 0:
			own--
			args = args[1:]
		default:
			return args
		}
	}
	return nil
}

// call adds a command and gives its words without wrappers. Each wrapper is a
// call too. places are those of the words; none is a command without a
// script. What else is known of the command is in like.
func (s *script) call(args []string, places []span, like call) []string {
	for len(args) > 0 {
		c := like
		c.name, c.first, c.args = path.Base(args[0]), args[0], args[1:]
		if places != nil {
			here := places[len(places)-len(args):]
			c.at, c.places = here[0], here[1:]
		}
		s.calls = append(s.calls, c)
		w, wraps := wrappers[c.name]
		switch {
		case c.name == "command" && len(c.args) > 0 && (c.args[0] == "-v" || c.args[0] == "-V"):
			return args // asks, and runs nothing
		case c.name == "find":
			args = executed(c.args)
		case wraps:
			args = w.wrapped(c.args)
		default:
			return args
		}
	}
	return nil
}

// executed is the command of find -exec, with what follows it.
func executed(args []string) []string {
	i := slices.IndexFunc(args, func(a string) bool { return a == "-exec" || a == "-execdir" || a == "-ok" || a == "-okdir" })
	if i < 0 {
		return nil
	}
	return args[i+1:]
}

// render is a word as the command will see it, with what only the run knows
// marked.
func render(w *syntax.Word) string {
	if text := w.Lit(); text != "" {
		return text
	}
	var b strings.Builder
	for _, part := range w.Parts {
		renderPart(&b, part)
	}
	return b.String()
}

func renderPart(b *strings.Builder, part syntax.WordPart) {
	switch p := part.(type) {
	case *syntax.Lit:
		b.WriteString(p.Value)
	case *syntax.SglQuoted:
		b.WriteString(p.Value)
	case *syntax.DblQuoted:
		for _, inner := range p.Parts {
			renderPart(b, inner)
		}
	default:
		b.WriteString(dynamic)
	}
}

func spanOf(n syntax.Node) span {
	return span{int(n.Pos().Offset()), int(n.End().Offset())}
}

// option reports whether one of the options is among the arguments, alone, as
// -x=value, or as one letter of several: -px.
func (c call) option(names ...string) bool {
	return slices.ContainsFunc(c.args, func(arg string) bool {
		head, _, _ := strings.Cut(arg, "=")
		return slices.ContainsFunc(names, func(name string) bool {
			letter := len(name) == 2 && strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--")
			return head == name || letter && strings.Contains(arg[1:], name[1:])
		})
	})
}

// eachRun calls visit for every run step, with its script.
func (d *docket) eachRun(visit func(b *spec.Body, r *spec.Run, s *script, text spec.Attr[string])) {
	for _, inst := range d.Instances {
		for _, step := range inst.Body.Steps {
			if r, ok := step.(*spec.Run); ok {
				s, text := d.runScript(inst.Body, r)
				visit(inst.Body, r, s, text)
			}
		}
	}
}
