package dockerfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// lookup finds the value of a variable of the Dockerfile.
type lookup func(name string) (text, bool)

// expander replaces variables in a word by BuildKit's rules
// (frontend/dockerfile/shell), but for values that are expressions: there an
// operator such as :- becomes an expression too.
type expander struct {
	src     []rune
	pos     int
	escape  rune
	quotes  bool // whether quotes are taken off; not in here-documents
	get     lookup
	missing []string // names without a value
}

// expand answers an error for what BuildKit refuses, and for an operator on a
// value that is not known yet and that no function of the language has.
func (e *expander) expand(word string) (text, error) {
	e.src, e.pos = []rune(word), 0
	return e.until(0, false)
}

func (e *expander) peek() rune {
	if e.pos < len(e.src) {
		return e.src[e.pos]
	}
	return 0
}

func (e *expander) next() rune {
	r := e.peek()
	if e.pos < len(e.src) {
		e.pos++
	}
	return r
}

func (e *expander) done() bool { return e.pos >= len(e.src) }

// assembly is a text that is being put together, rune by rune.
type assembly struct {
	done text
	lit  strings.Builder
}

func (a *assembly) rune(r rune) { a.lit.WriteRune(r) }

func (a *assembly) add(t text) {
	for _, p := range t {
		if p.expr == "" {
			a.lit.WriteString(p.lit)
			continue
		}
		a.done = append(a.text(), p)
		a.lit.Reset()
	}
}

func (a *assembly) text() text { return a.done.with(part{lit: a.lit.String()}) }

// until reads up to a rune, which is taken too; 0 is the end.
func (e *expander) until(stop rune, raw bool) (text, error) {
	var out assembly
	for !e.done() {
		var t text
		var err error
		switch r := e.next(); {
		case stop != 0 && r == stop:
			return out.text(), nil
		case r == '$':
			t, err = e.dollar()
		case e.quotes && r == '\'':
			t, err = e.single()
		case e.quotes && r == '"':
			t, err = e.double()
		case r == e.escape:
			if raw {
				out.rune(r)
			}
			if !e.done() {
				out.rune(e.next())
			}
		default:
			out.rune(r)
		}
		if err != nil {
			return nil, err
		}
		out.add(t)
	}
	if stop != 0 {
		return nil, fmt.Errorf("%q is missing", string(stop))
	}
	return out.text(), nil
}

func (e *expander) single() (text, error) {
	start := e.pos
	for !e.done() {
		if e.next() == '\'' {
			return literal(string(e.src[start : e.pos-1])), nil
		}
	}
	return nil, errors.New("a single quote is not closed")
}

func (e *expander) double() (text, error) {
	var out assembly
	for !e.done() {
		switch r := e.next(); r {
		case '"':
			return out.text(), nil
		case '$':
			t, err := e.dollar()
			if err != nil {
				return nil, err
			}
			out.add(t)
		case e.escape:
			if n := e.peek(); !e.done() && (n == '"' || n == '$' || n == e.escape) {
				r = e.next()
			}
			out.rune(r)
		default:
			out.rune(r)
		}
	}
	return nil, errors.New("a double quote is not closed")
}

// dollar reads what follows a $.
func (e *expander) dollar() (text, error) {
	start := e.pos - 1
	if e.peek() != '{' || e.done() {
		name := e.name()
		if name == "" {
			return literal("$"), nil
		}
		return e.value(name), nil
	}
	e.next()
	if e.done() || strings.ContainsRune("{}:", e.peek()) {
		return nil, errors.New("a bad substitution")
	}
	name := e.name()
	op := e.next()
	colon := op == ':'
	if colon {
		op = e.next()
	}
	switch {
	case op == '}' && !colon:
		return e.value(name), nil
	case strings.ContainsRune("-+?", op) && op != 0:
		word, err := e.until('}', false)
		if err != nil {
			return nil, err
		}
		return e.choose(name, op, colon, word), nil
	case !colon && op != 0 && strings.ContainsRune("#%/", op):
		return e.cut(name, op, start)
	}
	return nil, fmt.Errorf("the operator %q is not known", string(op))
}

// name is letters, digits and _, or a special parameter, or a number.
func (e *expander) name() string {
	start := e.pos
	for !e.done() {
		r := e.peek()
		first := e.pos == start
		switch {
		case first && unicode.IsDigit(r):
			for !e.done() && unicode.IsDigit(e.peek()) {
				e.next()
			}
			return string(e.src[start:e.pos])
		case first && strings.ContainsRune("@*#?-$!", r):
			e.next()
			return string(r)
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_':
			e.next()
		default:
			return string(e.src[start:e.pos])
		}
	}
	return string(e.src[start:e.pos])
}

func (e *expander) value(name string) text {
	v, ok := e.get(name)
	if !ok && !slices.Contains(e.missing, name) {
		e.missing = append(e.missing, name)
	}
	return v
}

// choose is ${name:-word} and its like. A name that nobody sets is no mistake
// here: the operator says what then.
func (e *expander) choose(name string, op rune, colon bool, word text) text {
	v, set := e.get(name)
	_, known := v.constant()
	switch {
	case op == '?':
		return e.value(name)
	case !set, known && len(v) == 0 && colon:
		if op == '-' {
			return word
		}
		return nil
	case known && op == '-':
		return v
	case known:
		return word
	case op == '+':
		return condition(v, word, nil)
	}
	if w, ok := word.constant(); ok && w != "" {
		now := v.now()
		if now == "" {
			now = w
		}
		return text{{expr: fmt.Sprintf("coalesce(%s, %s)", v.hcl(), word.hcl()), now: now}}
	}
	return condition(v, v, word)
}

// condition is a if v is not empty, else b.
func condition(v, a, b text) text {
	now := a.now()
	if v.now() == "" {
		now = b.now()
	}
	return text{{expr: fmt.Sprintf("%s != \"\" ? %s : %s", v.operand(), a.operand(), b.operand()), now: now, compound: true}}
}

// cut is ${name#pattern}, ${name%pattern} and ${name/pattern/text}. On
// constants BuildKit's own code does it.
func (e *expander) cut(name string, op rune, start int) (text, error) {
	all := op == '/' && e.peek() == '/'
	stop := '}'
	if op == '/' {
		stop = '/'
		if all {
			e.next()
		}
	}
	pattern, err := e.until(stop, true)
	if err != nil {
		return nil, err
	}
	var by text
	if op == '/' {
		if by, err = e.until('}', true); err != nil {
			return nil, err
		}
	}
	source := string(e.src[start:e.pos])
	v := e.value(name)
	find, ok := pattern.constant()
	_, plain := by.constant()
	if _, known := v.constant(); known && ok && plain {
		return e.original(source)
	} else if known {
		return nil, fmt.Errorf("%s has no counterpart while its pattern is not known", source)
	}
	if op != '/' && len(find) > 0 && rune(find[0]) == op {
		find = find[1:]
	}
	if !ok || strings.ContainsAny(find, `*?\`) || op == '/' && !all {
		return nil, fmt.Errorf("%s has no counterpart while %s is not known", source, name)
	}
	fn := map[rune]string{'#': "trimprefix", '%': "trimsuffix", '/': "replace"}[op]
	args := v.hcl() + ", " + quote(find)
	now := v.now()
	switch op {
	case '#':
		now = strings.TrimPrefix(now, find)
	case '%':
		now = strings.TrimSuffix(now, find)
	default:
		args += ", " + by.hcl()
		now = strings.ReplaceAll(now, find, by.now())
	}
	return text{{expr: fmt.Sprintf("%s(%s)", fn, args), now: now}}, nil
}

// original asks BuildKit. The names in it are constants, or were judged.
func (e *expander) original(source string) (text, error) {
	s, _, err := shell.NewLex(e.escape).ProcessWord(source, getter{e.get})
	if err != nil {
		return nil, err
	}
	return literal(s), nil
}

type getter struct{ get lookup }

func (g getter) Get(name string) (string, bool) {
	v, ok := g.get(name)
	return v.now(), ok
}

func (g getter) Keys() []string { return nil }
