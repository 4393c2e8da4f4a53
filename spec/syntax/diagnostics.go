package syntax

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
)

// Range is the place of a range of hcl.
func Range(r hcl.Range) diag.Range {
	return diag.Range{File: r.Filename, Start: pos(r.Start), End: pos(r.End)}
}

// HCLRange is the inverse of [Range].
func HCLRange(r diag.Range) hcl.Range {
	return hcl.Range{Filename: r.File, Start: hclPos(r.Start), End: hclPos(r.End)}
}

func pos(p hcl.Pos) diag.Pos    { return diag.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }
func hclPos(p diag.Pos) hcl.Pos { return hcl.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }

// Diagnostics converts what hcl reports, in the words of this language, and
// keeps one message for one place.
func Diagnostics(diags hcl.Diagnostics) diag.List {
	var l diag.List
	seen := make(map[diag.Range]bool)
	for _, d := range diags {
		c := Diagnostic(d)
		if seen[c.Range] && !c.Range.IsZero() {
			continue
		}
		seen[c.Range] = true
		l = append(l, c)
	}
	return l
}

// Diagnostic converts one diagnostic of hcl.
func Diagnostic(d *hcl.Diagnostic) diag.Diagnostic {
	out := diag.Diagnostic{Severity: diag.Error, Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		out.Severity = diag.Warning
	}
	if d.Subject != nil {
		out.Range = Range(*d.Subject)
	}
	if d.Expression == nil { // not about a value
		reword(&out)
	}
	return out
}

// reword replaces the phrases of hcl that speak of another language, or that
// name things in the summary.
func reword(d *diag.Diagnostic) {
	switch {
	case d.Summary == "Argument or block definition required" || d.Summary == "Argument definition required":
		d.Summary = "Attribute or block expected"
	case d.Summary == "Invalid multi-line string":
		d.Detail = "A quoted string ends on its own line. For several lines use a heredoc, \"<<-EOT\" to \"EOT\", or write \\n."
	case d.Summary == "Missing newline after argument":
		d.Detail += " If this belongs to a text, the text is written in quotes."
	case d.Summary == "Invalid single-argument block definition":
		d.Detail = "A block on one line holds one attribute. Write each on a line of its own."
	case d.Summary == "Attribute redefined":
		d.Summary = "Attribute set twice"
	case d.Summary == "Unsupported argument":
		d.Summary = "Unknown attribute"
	case d.Summary == "Unsupported block type" || strings.HasPrefix(d.Summary, "Unexpected \"") && strings.HasSuffix(d.Summary, " block"):
		d.Summary = "Unknown block"
	case d.Summary == "Missing required argument":
		d.Summary = "Missing attribute"
	case strings.HasPrefix(d.Summary, "Extraneous label for "):
		d.Summary = "Too many labels"
	case strings.HasPrefix(d.Summary, "Missing ") && strings.Contains(d.Summary, " for "):
		d.Summary = "Missing label"
	case strings.HasSuffix(d.Summary, " directive") && strings.HasPrefix(d.Summary, "Unexpected "):
		d.Summary = "Unbalanced template directive"
	case strings.HasPrefix(d.Summary, "Extra characters in ") && strings.HasSuffix(d.Summary, " marker"):
		d.Summary = "Unexpected text in directive"
	case d.Summary == "Extra characters after interpolation expression":
		d.Summary = "Unexpected text in template"
		d.Detail = "A closing brace was expected after the expression."
	case strings.Contains(d.Summary, "configuration b"):
		d.Summary = "Unclosed block"
	}
	words := strings.NewReplacer(
		"function argument", "function argument", "argument(s)", "argument(s)", "argument separator", "argument separator",
		"expanding argument", "expanding argument", "argument or block definition", "attribute or block",
		"argument definition", "attribute", "argument", "attribute", "Argument definition", "Attribute", "Argument", "Attribute")
	d.Summary, d.Detail = words.Replace(d.Summary), words.Replace(d.Detail)
	if what, place, ok := strings.Cut(d.Detail, " was already set at "); ok {
		if note, ok := firstPlace(d.Range.File, place); ok {
			d.Detail = what + " may be set only once."
			d.Notes = append(d.Notes, note)
		}
	}
}

// firstPlace reads the place of an earlier attribute, which hcl gives only as
// text: "image.hcl:3,5-9. Each …".
func firstPlace(file, text string) (diag.Note, bool) {
	var p diag.Pos
	if _, err := fmt.Sscanf(strings.TrimPrefix(text, file+":"), "%d,%d-", &p.Line, &p.Column); err != nil {
		return diag.Note{}, false
	}
	end := p
	end.Column++
	return diag.Note{Message: "It is set here first.", Range: diag.Range{File: file, Start: p, End: end}}, true
}

// maxMistakes is how many lines of one file are looked at for syntax errors:
// a file that is no spec at all has one a line, and each costs a search.
const maxMistakes = 100

// parseDiagnostics converts what the parser says about src. After a mistake
// the parser looks for a place to go on and often reports the same one again
// from there, so the first one of a line, and of a template sequence, counts.
func parseDiagnostics(diags hcl.Diagnostics, src []byte, lex lexer) diag.List {
	if len(diags) == 0 {
		return nil
	}
	if at, ok := dockerfile(src, diags[0].Subject); ok {
		return diag.List{{
			Severity: diag.Error, Summary: "Not a spec", Range: at,
			Detail: "This is a Dockerfile. `specbuild import` writes a spec from one, beside it.",
		}}
	}
	l := Diagnostics(diags).Sorted()
	tokens, _ := lex(src, l[0].Range.File, hcl.InitialPos)
	lines, openers := make(map[int]bool), make(map[int]bool)
	kept := l[:0]
	for _, d := range l {
		if lines[d.Range.Start.Line] || len(lines) == maxMistakes {
			continue
		}
		lines[d.Range.Start.Line] = true
		opener, inTemplate := enclosingTemplate(tokens, d.Range.Start.Byte)
		if !inTemplate && strings.HasPrefix(d.Summary, "Unclosed template") {
			opener, inTemplate = unclosedTemplate(tokens)
		}
		if strings.HasPrefix(d.Detail, "Template sequences are not allowed") {
			// Only labels are such strings, and nobody means the shell there.
			d.Detail = "A label is a fixed text. Where it is computed, the block is written by dynamic, with labels = […]."
			inTemplate = false
		}
		if inTemplate {
			if openers[opener.Range.Start.Byte] {
				continue
			}
			openers[opener.Range.Start.Byte] = true
			d.Fix = EscapeFix(src, Range(opener.Range))
			d.Detail = strings.TrimSpace(d.Detail) + "\n\n" + EscapeHint
			d = atOpener(d, Range(opener.Range))
		}
		kept = append(kept, d)
	}
	return kept
}

// dockerfile finds the first instruction of a text that is a Dockerfile: it
// would be a mistake a line. No block of a spec is written so.
func dockerfile(src []byte, subject *hcl.Range) (diag.Range, bool) {
	if subject == nil {
		return diag.Range{}, false
	}
	at := hcl.Pos{Line: 1, Column: 1}
	for line := range bytes.Lines(src) {
		text := bytes.TrimSpace(line)
		if len(text) > 0 && text[0] != '#' {
			word, rest, _ := bytes.Cut(text, []byte(" "))
			end := hcl.Pos{Line: at.Line, Column: 1 + len(text), Byte: at.Byte + len(text)}
			from := (string(word) == "FROM" || string(word) == "ARG") && len(rest) > 0 && !bytes.ContainsAny(rest, "{\"")
			return Range(hcl.Range{Filename: subject.Filename, Start: at, End: end}), from
		}
		at.Line, at.Byte = at.Line+1, at.Byte+len(line)
	}
	return diag.Range{}, false
}

// atOpener moves a mistake that swallowed the end of its line (`${A#x}` is a
// comment to the parser) back to the template that it began in.
func atOpener(d diag.Diagnostic, opener diag.Range) diag.Diagnostic {
	if d.Range.Start.Line != opener.Start.Line {
		d.Notes = append(d.Notes, diag.Note{Message: "It was read as far as this.", Range: d.Range})
		d.Range = opener
	}
	return d
}

// EscapeHint tells how to write what a shell, not specbuild, is to expand.
const EscapeHint = "In a string, ${ and %{ belong to specbuild. What is meant for the shell is written with the sign doubled, " +
	"$${NAME:-x} and %%{http_code}; a script in a file of its own, script = file(\"build.sh\"), is taken as it is."

// EscapeFix doubles the sign of the template sequence that begins at opener,
// as [TemplateOpener] found it in src.
func EscapeFix(src []byte, opener diag.Range) *diag.Fix {
	r := opener
	r.End = diag.Pos{Line: r.Start.Line, Column: r.Start.Column + 1, Byte: r.Start.Byte + 1}
	sign := string(src[r.Start.Byte:r.End.Byte])
	return &diag.Fix{Range: r, Replacement: sign + sign}
}

// TemplateOpener is the place of the `${` or `%{` that the byte offset lies
// in, found by the lexer's own reading of src.
func TemplateOpener(name string, src []byte, offset int) (diag.Range, bool) {
	if !bytes.Contains(src, []byte("{")) {
		return diag.Range{}, false
	}
	if strings.HasSuffix(name, ".yaml") {
		return yamlOpener(name, src, offset)
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	t, ok := enclosingTemplate(tokens, offset)
	return Range(t.Range), ok
}

// enclosingTemplate is the token that opens the innermost template sequence
// around an offset. The closing brace counts as inside.
func enclosingTemplate(tokens hclsyntax.Tokens, offset int) (hclsyntax.Token, bool) {
	open := openTemplates(tokens, offset)
	if len(open) == 0 {
		return hclsyntax.Token{}, false
	}
	return open[len(open)-1], true
}

// unclosedTemplate is the first token of the file that opens a template
// sequence which nothing closes: `${#A}` comments its own brace away.
func unclosedTemplate(tokens hclsyntax.Tokens) (hclsyntax.Token, bool) {
	open := openTemplates(tokens, math.MaxInt)
	if len(open) == 0 {
		return hclsyntax.Token{}, false
	}
	return open[0], true
}

// openTemplates is the template sequences that are open at an offset, the
// outermost first.
func openTemplates(tokens hclsyntax.Tokens, offset int) []hclsyntax.Token {
	var open []hclsyntax.Token
	for _, t := range tokens {
		if t.Range.Start.Byte > offset {
			break
		}
		switch t.Type {
		case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open = append(open, t)
		case hclsyntax.TokenTemplateSeqEnd:
			if len(open) > 0 && t.Range.Start.Byte < offset {
				open = open[:len(open)-1]
			}
		}
	}
	return open
}
