package dockerfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/specbuild/specbuild/spec/format"
)

// text is a string of a Dockerfile after its variables were looked up. What a
// build argument or the platform decides stays an expression of the spec.
type text []part

// part is literal text, or an expression where expr is not empty.
type part struct {
	lit  string
	expr string
	// now is what the expression is worth if nobody sets anything: for
	// guesses only, never written.
	now string
	// compound is true for an expression with operators, which needs
	// parentheses within another.
	compound bool
	// word is true where the value is always one word of a shell.
	word bool
}

func literal(s string) text {
	if s == "" {
		return nil
	}
	return text{{lit: s}}
}

// constant is the string, where nothing but literals is in it.
func (t text) constant() (string, bool) {
	var b strings.Builder
	for _, p := range t {
		if p.expr != "" {
			return "", false
		}
		b.WriteString(p.lit)
	}
	return b.String(), true
}

// now is the string with every expression at its default.
func (t text) now() string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.lit)
		b.WriteString(p.now)
	}
	return b.String()
}

func (t text) equal(u text) bool { return t.hcl() == u.hcl() }

// with is a new text; adjoining literals are one.
func (t text) with(more ...part) text {
	out := slices.Clone(t)
	for _, p := range more {
		last := len(out) - 1
		switch {
		case p.expr == "" && p.lit == "":
		case p.expr == "" && last >= 0 && out[last].expr == "":
			out[last].lit += p.lit
		default:
			out = append(out, p)
		}
	}
	return out
}

// uses reports whether an expression names something that begins so.
func (t text) uses(prefix string) bool {
	return slices.ContainsFunc(t, func(p part) bool { return strings.Contains(p.expr, prefix) })
}

// hcl is the text as an expression: a quoted string, or the expression alone.
func (t text) hcl() string {
	if len(t) == 1 && t[0].expr != "" {
		return t[0].expr
	}
	var b strings.Builder
	b.WriteByte('"')
	for i, p := range t {
		if p.expr != "" {
			fmt.Fprintf(&b, "${%s}", p.expr)
			continue
		}
		b.WriteString(format.Escape(p.lit))
		closeDollar(&b, p.lit, i+1 < len(t))
	}
	b.WriteByte('"')
	return b.String()
}

// operand is hcl for a place in a larger expression.
func (t text) operand() string {
	if len(t) == 1 && t[0].compound {
		return "(" + t[0].expr + ")"
	}
	return t.hcl()
}

// closeDollar keeps a literal that ends in $ or % from making an escape of the
// interpolation that follows.
func closeDollar(b *strings.Builder, lit string, followed bool) {
	if !followed || !strings.HasSuffix(lit, "$") && !strings.HasSuffix(lit, "%") {
		return
	}
	s := b.String()
	b.Reset()
	fmt.Fprintf(b, `%s${"%s"}`, s[:len(s)-1], s[len(s)-1:])
}

// quote is a constant as a string of HCL.
func quote(s string) string { return literal(s).hcl() }

func quoteAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote(s)
	}
	return out
}

// lines is a text of several lines as a here-document, where that can hold it
// exactly; else it is hcl. A here-document always ends with a line end: exact
// asks for one, without it, one more is of no matter.
func (t text) lines(exact bool) string {
	whole, all := &strings.Builder{}, t.now()
	for i, p := range t {
		if p.expr != "" {
			fmt.Fprintf(whole, "${%s}", p.expr)
			continue
		}
		whole.WriteString(format.EscapeTemplate(p.lit))
		closeDollar(whole, p.lit, i+1 < len(t))
	}
	body := whole.String()
	if !strings.HasSuffix(all, "\n") {
		if exact {
			return t.hcl()
		}
		body += "\n"
	}
	if !strings.Contains(strings.TrimSuffix(body, "\n"), "\n") || !plainLines(body) {
		return t.hcl()
	}
	end := "EOT"
	for n := 2; hasLine(body, end); n++ {
		end = fmt.Sprintf("EOT%d", n)
	}
	var b strings.Builder
	b.WriteString("<<-" + end + "\n")
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	b.WriteString(end)
	return b.String()
}

// plainLines reports whether HCL takes away from these lines exactly the
// indentation that is put before them: it counts graphemes, counts other
// blanks than ours, does not count lines of blanks alone, and takes away what
// all lines have.
func plainLines(body string) bool {
	flush := false
	for line := range strings.Lines(body) {
		flush = flush || !unicode.IsSpace(rune(line[0]))
		for i, r := range line {
			if unicode.IsSpace(r) && r != ' ' && r != '\t' && r != '\n' || r != '\t' && r != '\n' && !unicode.IsPrint(r) {
				return false
			}
			if r > 0x7e && strings.TrimLeft(line[:i], " \t") == "" {
				return false
			}
		}
		if trimmed := strings.TrimRight(line, "\n"); trimmed != "" && strings.TrimSpace(trimmed) == "" {
			return false
		}
	}
	return flush
}

func hasLine(body, want string) bool {
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) == want {
			return true
		}
	}
	return false
}
