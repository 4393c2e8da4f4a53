package diag

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TextOptions is how diagnostics are laid out for a person.
type TextOptions struct {
	Color bool // ANSI colours
	Width int  // columns of the terminal; 0 means not known: text is not wrapped
}

// WriteText renders a list in its sorted order, each diagnostic with the
// lines of source that it is about, and a line of counts at the end. An empty
// list writes nothing. Sources holds the bytes of files by the names in
// ranges; a file that is not in it is named without its lines.
//
// What users wrote reaches the terminal escaped: no control character, no
// character that reorders text, and nothing that is not UTF-8.
func WriteText(w io.Writer, l List, sources map[string][]byte, o TextOptions) error {
	t := textWriter{w: bufio.NewWriter(w), sources: l.masked(sources), o: o}
	l = l.Sorted()
	for _, d := range l {
		t.diagnostic(d)
	}
	if len(l) > 0 {
		t.line(0, l.Counts())
	}
	return t.w.Flush()
}

// masked is the sources with asterisks for what is secret: a byte for a byte,
// so that places stay what they are. The sources themselves are not changed.
func (l List) masked(sources map[string][]byte) map[string][]byte {
	var out map[string][]byte
	for _, d := range l {
		src := sources[d.Range.File]
		start, end := d.Range.Start.Byte, min(d.Range.End.Byte, len(src))
		if !d.Secret || start < 0 || start >= end {
			continue
		}
		if out == nil {
			out = maps.Clone(sources)
		}
		if &out[d.Range.File][0] == &src[0] {
			out[d.Range.File] = slices.Clone(src)
		}
		for i, c := range src[start:end] {
			if c > ' ' && c != '"' && c != '\'' {
				out[d.Range.File][start+i] = '*'
			}
		}
	}
	if out == nil {
		return sources
	}
	return out
}

// Counts is "2 errors, 1 warning", with what there is none of left out.
func (l List) Counts() string {
	var n [3]int
	for _, d := range l {
		n[min(d.Severity, Info)]++
	}
	var parts []string
	for s, count := range n {
		switch {
		case count == 1:
			parts = append(parts, "1 "+Severity(s).String())
		case count > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", count, Severity(s)))
		}
	}
	return strings.Join(parts, ", ")
}

// textWriter keeps the first error of its buffered writer for Flush.
type textWriter struct {
	w       *bufio.Writer
	sources map[string][]byte
	o       TextOptions
}

const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
	blue   = "1;34"
)

func (s Severity) color() string {
	switch s {
	case Error:
		return red
	case Warning:
		return yellow
	default:
		return blue
	}
}

func (t textWriter) paint(color, s string) string {
	if !t.o.Color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

func (t textWriter) line(indent int, s string) {
	fmt.Fprintf(t.w, "%s%s\n", strings.Repeat(" ", indent), s)
}

func (t textWriter) diagnostic(d Diagnostic) {
	head := t.paint(d.Severity.color(), d.Severity.String()+":") + " " + t.paint(bold, escape(d.Summary))
	if d.Code != "" {
		head += " [" + escape(d.Code) + "]"
	}
	t.line(0, head)
	t.place(2, d.Range, d.Severity.color())
	t.wrapped(2, d.Detail)
	for _, n := range d.Notes {
		t.wrapped(2, "note: "+n.Message)
		t.place(4, n.Range, blue)
	}
	if d.Fix != nil {
		t.fix(*d.Fix)
	}
	t.line(0, "")
}

// place prints where something is, and its lines.
func (t textWriter) place(indent int, r Range, color string) {
	if r.IsZero() {
		return
	}
	t.line(indent, "at "+escape(r.String()))
	for _, e := range excerpt(t.sources[r.File], r, t.o.Width-indent) {
		number := "…"
		if e.number > 0 {
			number = fmt.Sprint(e.number)
		}
		t.line(indent, strings.TrimRight(fmt.Sprintf("%5s | %s", number, e.text), " "))
		if e.marks != "" {
			pad := len(e.marks) - len(strings.TrimLeft(e.marks, " "))
			t.line(indent, "      | "+e.marks[:pad]+t.paint(color, e.marks[pad:]))
		}
	}
}

func (t textWriter) fix(f Fix) {
	at := ""
	if !f.Range.IsZero() {
		at = " at " + f.Range.String()
	}
	old := slice(t.sources[f.Range.File], f.Range)
	put := brief(f.Replacement)
	switch {
	case old == "" && f.Range.Start == f.Range.End:
		t.wrapped(2, fmt.Sprintf("fix: write `%s`%s", put, at))
	case f.Replacement == "":
		t.wrapped(2, fmt.Sprintf("fix: leave out `%s`%s", brief(old), at))
	case old == "":
		t.wrapped(2, fmt.Sprintf("fix: write `%s` instead%s", put, at))
	default:
		t.wrapped(2, fmt.Sprintf("fix: write `%s` instead of `%s`%s", put, brief(old), at))
	}
}

// brief is the first line of a text, and how many more there are: a block that
// is left out stands in the file, and its place is told.
func brief(s string) string {
	first, rest, several := strings.Cut(strings.TrimRight(s, "\n"), "\n")
	if !several {
		return first
	}
	if n := strings.Count(rest, "\n") + 1; n > 1 {
		return fmt.Sprintf("%s … (%d lines)", first, n+1)
	}
	return s
}

// slice is the text of a range, or "" if the source does not hold it.
func slice(src []byte, r Range) string {
	if r.Start.Byte < 0 || r.End.Byte < r.Start.Byte || r.End.Byte > len(src) {
		return ""
	}
	return string(src[r.Start.Byte:r.End.Byte])
}

// wrapped prints paragraphs, broken at spaces where the width is known. A
// line that the text itself indents is kept as it is.
func (t textWriter) wrapped(indent int, s string) {
	if s == "" {
		return
	}
	for _, par := range strings.Split(strings.TrimRight(s, "\n"), "\n") {
		par = escape(par)
		limit := t.o.Width - indent
		for t.o.Width > 0 && utf8.RuneCountInString(par) > max(limit, 20) && !strings.HasPrefix(par, " ") {
			head, tail := breakAt(par, max(limit, 20))
			if tail == "" {
				break
			}
			t.line(indent, head)
			par = tail
		}
		if par == "" {
			t.line(0, "")
			continue
		}
		t.line(indent, par)
	}
}

// breakAt cuts at the last space that leaves at most limit runes, else at the
// first space there is: a word is never cut, since it may be a path or a name
// that is copied.
func breakAt(s string, limit int) (head, tail string) {
	at, runes := -1, 0
	for i, r := range s {
		if r == ' ' && (runes <= limit || at < 0) {
			at = i
		}
		if runes++; runes > limit && at >= 0 {
			break
		}
	}
	if at < 0 {
		return s, ""
	}
	return s[:at], strings.TrimLeft(s[at:], " ")
}

// escape makes text safe for a terminal.
func escape(s string) string {
	safe := true
	for i, r := range s {
		if _, n := utf8.DecodeRuneInString(s[i:]); !printable(r) || r == utf8.RuneError && n == 1 {
			safe = false
			break
		}
	}
	if safe {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		b.WriteString(escapeRune(r, s[i:i+n]))
		i += n
	}
	return b.String()
}

func escapeRune(r rune, raw string) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case printable(r):
		return raw
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// printable is false for what a terminal would act on, and for what shows
// text in another order than it is in ("Trojan Source", CVE-2021-42574).
func printable(r rune) bool {
	return r == ' ' || unicode.IsGraphic(r) || r == 0x200d // joins emoji
}
