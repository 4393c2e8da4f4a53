package rules

import (
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// within is the place of a stretch of a script in the spec: exact where the
// script stands there as it is, else the whole attribute. Without a stretch,
// it is the element of a list.
func (d *docket) within(attr spec.Attr[string], at span, element string) diag.Range {
	if at == (span{}) {
		return d.element(attr.Range, element)
	}
	source := d.source(attr.Range)
	if attr.V == "" || at.end <= at.start || at.end > len(attr.V) {
		return attr.Range
	}
	start := strings.LastIndexByte(attr.V[:at.start], '\n') + 1
	end := len(attr.V)
	if i := strings.IndexByte(attr.V[at.start:], '\n'); i >= 0 {
		end = at.start + i
	}
	stop := min(at.end, end) // of a stretch over several lines, the first
	line, own := attr.V[start:end], attr.V[at.start:stop]
	// What is there twice has no certain place. A line with ${…} in it is not
	// there at all, but the stretch alone may be.
	begin := -1
	switch {
	case !ascii(source):
	case strings.Count(source, line) == 1:
		begin = strings.Index(source, line) + at.start - start
	case strings.Count(source, own) == 1:
		begin = strings.Index(source, own)
	}
	if begin < 0 {
		return attr.Range
	}
	return stretch(attr.Range, source, begin, begin+len(own))
}

// element is the place of one string of a list, where it is written out and
// there once; else the whole list.
func (d *docket) element(list diag.Range, value string) diag.Range {
	source, quoted := d.source(list), `"`+value+`"`
	if value == "" || strings.Count(source, quoted) != 1 || !ascii(source) {
		return list
	}
	i := strings.Index(source, quoted)
	return stretch(list, source, i, i+len(quoted))
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

// stretch is a part of a range whose text is source, by bytes. Columns of
// ASCII are bytes.
func stretch(whole diag.Range, source string, from, to int) diag.Range {
	pos := func(i int) diag.Pos {
		p := diag.Pos{Line: whole.Start.Line + strings.Count(source[:i], "\n"), Byte: whole.Start.Byte + i}
		if nl := strings.LastIndexByte(source[:i], '\n'); nl >= 0 {
			p.Column = i - nl
		} else {
			p.Column = whole.Start.Column + i
		}
		return p
	}
	return diag.Range{File: whole.File, Start: pos(from), End: pos(to)}
}

// inYAML reports whether a place is in a spec in YAML.
func inYAML(at diag.Range) bool { return strings.HasSuffix(at.File, ".yaml") }

// beside is a fix that adds a list of strings to a block: on a line of its
// own, after an attribute that is alone on one or more. It is nil where the
// attribute stands beside others.
func (d *docket) beside(at diag.Range, name string, values []string) *diag.Fix {
	return d.besideText(at, name, quotedList(values))
}

// besideText is beside for a value as it is written, in both syntaxes alike.
func (d *docket) besideText(at diag.Range, name, value string) *diag.Fix {
	src := string(d.Spec.Files[at.File])
	if at.End.Byte > len(src) || at.Start.Byte > at.End.Byte {
		return nil
	}
	begin := strings.LastIndexByte(src[:at.Start.Byte], '\n') + 1
	line, _, _ := strings.Cut(src[at.End.Byte:], "\n")
	rest := strings.TrimSpace(line)
	head := src[begin:at.Start.Byte]
	indent := head[:len(head)-len(strings.TrimLeft(head, " \t-"))]
	if rest != "" && !strings.HasPrefix(rest, "#") || strings.ContainsAny(head, "{[,") {
		return nil
	}
	sign := " = "
	if inYAML(at) {
		sign = ": "
	}
	end := at.Start
	end.Byte = at.End.Byte + len(line)
	end.Line, end.Column = at.End.Line, at.End.Column+len(line)
	return &diag.Fix{
		Range:       diag.Range{File: at.File, Start: end, End: end},
		Replacement: "\n" + strings.ReplaceAll(indent, "-", " ") + name + sign + value,
	}
}

// literal is the place of a string of a list in the spec's own text, without
// quotes; ok is false where it is computed, or there more than once.
func (d *docket) literal(list diag.Range, value string) (at diag.Range, ok bool) {
	source := d.source(list)
	if value == "" || !ascii(source) {
		return diag.Range{}, false
	}
	found := -1
	for from := 0; ; {
		i := strings.Index(source[from:], value)
		if i < 0 {
			break
		}
		i += from
		from = i + len(value)
		if inName(source, i-1) || inName(source, from) {
			continue // of a longer one
		}
		if found >= 0 {
			return diag.Range{}, false
		}
		found = i
	}
	if found < 0 {
		return diag.Range{}, false
	}
	return stretch(list, source, found, found+len(value)), true
}

// inName reports whether the byte at i goes on with an image's name.
func inName(s string, i int) bool {
	if i < 0 || i >= len(s) {
		return false
	}
	c := s[i]
	return c == '.' || c == '_' || c == '-' || c == '/' || c == ':' || c == '@' || c == '}' || c == '$' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// prepend is a fix that writes something in front of a string of a list. Of
// one that ends in ${…}, the beginning up to the tag is enough to know it by.
func (d *docket) prepend(list diag.Range, value, before string) *diag.Fix {
	at, ok := d.literal(list, value)
	if !ok {
		name, _, tagged := strings.Cut(value, ":")
		source := d.source(list)
		quoted := `"` + name + ":$"
		if !tagged || !ascii(source) || strings.Count(source, quoted) != 1 {
			return nil
		}
		i := strings.Index(source, quoted) + 1
		at = stretch(list, source, i, i+len(name))
	}
	at.End = at.Start
	return &diag.Fix{Range: at, Replacement: before}
}
