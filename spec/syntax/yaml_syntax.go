package syntax

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/specbuild/specbuild/spec/diag"
)

// feeder hands bytes to the parser, at most step at a time. The parser reads
// no further than it looks, so with small steps p is about where it stands
// when it gives up, which its errors do not tell.
type feeder struct {
	src  []byte
	p    int
	step int
}

func (f *feeder) Read(b []byte) (int, error) {
	if f.p >= len(f.src) {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), max(f.step, 1))], f.src[f.p:])
	f.p += n
	return n, nil
}

// decodeDocument is the next document, nil at the end. The parser panics on
// some inputs that are no YAML (it says so itself: "please report"), and a
// file must never end the program.
func decodeDocument(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, fmt.Errorf("yaml: %v", p)
		}
	}()
	doc = new(yaml.Node)
	if err := dec.Decode(doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	return doc, nil
}

// stuckAt is about the byte where the parser gave up.
func (y *yamlReader) stuckAt() int {
	in := &feeder{src: y.src, step: 1}
	dec := yaml.NewDecoder(in)
	for range 2 {
		if doc, err := decodeDocument(dec); err != nil || doc == nil {
			break
		}
	}
	return in.p
}

// reportSyntax reports what the parser of YAML says, in the words of this
// language and at the line where it gave up; the line where it began to read
// what it could not end is a note.
func (y *yamlReader) reportSyntax(err error) {
	text, begun := y.lineOf(strings.TrimPrefix(err.Error(), "yaml: "))
	if name, ok := strings.CutPrefix(text, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		y.errorf(y.firstOf("*"+name), "Unknown anchor", "*%s repeats what is named &%s, and nothing above it is. A text that begins with * is quoted.", name, name)
		return
	}
	stuck := y.stuckAt()
	line := y.places.pos(max(0, min(stuck, len(bytes.TrimRight(y.src, " \n"))-1))).Line
	unclosed := strings.Contains(text, "end of stream") || strings.Contains(text, "',' or")
	if begun > line || stuck >= len(y.src) && unclosed {
		line = begun
	}
	d := diag.Diagnostic{Severity: diag.Error, Summary: "Invalid YAML", Detail: explain(text), Range: y.lineRange(line)}
	for _, try := range []func(string, int, int) (diag.Range, string){y.tabs, y.looseTemplate, y.looseColon, y.looseSign} {
		if place, why := try(text, line, stuck); why != "" {
			d.Range, d.Detail = place, why
			break
		}
	}
	if begun < line {
		d.Notes = append(d.Notes, diag.Note{Message: "What is not right here begins there.", Range: y.lineRange(begun)})
	}
	y.diags = append(y.diags, d)
}

// lineOf takes the line from the front of an error. The parser leaves the
// first one out, and counts from 0 where its grammar complains and from 1
// where its scanner does.
func (y *yamlReader) lineOf(text string) (string, int) {
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, message, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				line, text = n, message
			}
		}
		for _, phrase := range []string{"expected key", "expected '-'", "expected ','", "node content", "<document", "tag handle", "duplicate %", "incompatible"} {
			if strings.Contains(text, phrase) {
				line++
				break
			}
		}
	}
	return text, min(max(line, 1), len(y.places.lines))
}

// lineRange is a line without the white space around it.
func (y *yamlReader) lineRange(line int) diag.Range {
	start, end := y.places.lineStart(line), y.places.lineEnd(line)
	for start < end && strings.IndexByte(" \t", y.src[start]) >= 0 {
		start++
	}
	for end > start && strings.IndexByte(" \t", y.src[end-1]) >= 0 {
		end--
	}
	return y.places.span(start, end)
}

// firstOf is the first place of a word.
func (y *yamlReader) firstOf(word string) diag.Range {
	for p := 0; ; {
		i := bytes.Index(y.src[p:], []byte(word))
		if i < 0 {
			return y.lineRange(1)
		}
		start, end := p+i, p+i+len(word)
		if end == len(y.src) || strings.IndexByte(" \t\n,]}", y.src[end]) >= 0 {
			return y.places.span(start, end)
		}
		p = end
	}
}

// tabs finds one in the indentation, which YAML does not allow.
func (y *yamlReader) tabs(_ string, line, _ int) (diag.Range, string) {
	for _, l := range []int{line, line + 1, line - 1} {
		if l < 1 || l > len(y.places.lines) {
			continue
		}
		start := y.places.lineStart(l)
		text := y.src[start:y.places.lineEnd(l)]
		i := bytes.IndexByte(text, '\t')
		if i >= 0 && len(bytes.TrimLeft(text[:i], " -")) == 0 {
			return y.places.span(start+i, start+i+1), "A tab stands in the indentation; YAML is indented with spaces."
		}
	}
	return diag.Range{}, ""
}

// looseTemplate finds `${…}` without quotes where braces or a colon end it.
func (y *yamlReader) looseTemplate(text string, line, stuck int) (diag.Range, string) {
	start := y.places.lineStart(line)
	end := min(max(stuck, start), y.places.lineEnd(line))
	if strings.Contains(text, "end of stream") || strings.Contains(text, "escape") {
		return diag.Range{}, ""
	}
	i := bytes.LastIndex(y.src[start:end], []byte("${"))
	if i < 0 || start+i > 0 && quoted(y.src[start:start+i]) {
		return diag.Range{}, ""
	}
	return y.places.span(start+i, start+i+2), "A text with ${…} is quoted where it stands in […] or {…}, or holds a colon and a space: \"${a ? b : c}\"; '…' where it holds double quotes itself."
}

// quoted reports whether a string is open at the end of a line's beginning.
func quoted(line []byte) bool {
	return bytes.Count(line, []byte{'"'})%2 == 1 || bytes.Count(line, []byte{'\''})%2 == 1
}

// looseColon finds a colon in the middle of a plain text.
func (y *yamlReader) looseColon(text string, line, _ int) (diag.Range, string) {
	if !strings.Contains(text, "mapping values are not allowed") {
		return diag.Range{}, ""
	}
	start := y.places.lineStart(line)
	rest := y.src[start:y.places.lineEnd(line)]
	first := bytes.Index(rest, []byte(": "))
	if first < 0 {
		return diag.Range{}, ""
	}
	if second := bytes.Index(rest[first+2:], []byte(": ")); second >= 0 {
		first += 2 + second
	} else if second := bytes.HasSuffix(rest[first+2:], []byte(":")); second {
		first = len(rest) - 1
	} else {
		return y.lineRange(line), "A key cannot stand here: the line is indented further than the keys that it belongs to, or the line above it is a text without a colon."
	}
	return y.places.span(start+first, start+first+1), "A colon and a space end a key, and this line has one already. A text that holds them is quoted; what computes is written \"${a ? b : c}\"."
}

// looseSign finds a sign that no plain text begins with.
func (y *yamlReader) looseSign(text string, line, stuck int) (diag.Range, string) {
	if !strings.Contains(text, "cannot start any token") {
		return diag.Range{}, ""
	}
	start := y.places.lineStart(line)
	for i := start; i < min(stuck, y.places.lineEnd(line)); i++ {
		if c := y.src[i]; strings.IndexByte("@`%", c) >= 0 && (i == start || strings.IndexByte(" [{,", y.src[i-1]) >= 0) {
			return y.places.span(i, i+1), fmt.Sprintf("A plain text cannot begin with %c; quote it.", c)
		}
	}
	return diag.Range{}, ""
}

// explain is what the parser's phrase means to who wrote the file.
func explain(text string) string {
	for _, known := range []struct{ phrase, meaning string }{
		{"found unexpected end of stream", "A quoted text begins here and does not end."},
		{"found unknown escape character", "After a backslash, double quotes take only what YAML knows, such as \\n, \\\" and \\\\. In single quotes a backslash is one."},
		{"did not find expected hexdecimal", "After \\x, \\u and \\U there are 2, 4 and 8 hexadecimal digits."},
		{"did not find expected ',' or '}'", "A comma or the closing } is missing, or a text in {…} needs quotes."},
		{"did not find expected ',' or ']'", "A comma or the closing ] is missing, or a text in […] needs quotes."},
		{"did not find expected '-' indicator", "An element of the list was expected, beginning with \"- \" at the same column as the others."},
		{"did not find expected key", "A key was expected at the column of the keys that this belongs to. A text after a closing quote, or a line that is indented differently, is often the reason."},
		{"could not find expected ':'", "A key without a colon: write \"key: value\". A text of several lines is quoted, or begins with |."},
		{"did not find expected node content", "A value was expected here."},
		{"block sequence entries are not allowed", "A list cannot begin here: \"- \" stands on a line of its own, below the key."},
		{"mapping values are not allowed", "A key cannot stand here: the line is indented further than the keys that it belongs to, or a text with a colon needs quotes."},
		{"mapping keys are not allowed", "A question mark and a space cannot stand here; quote the text."},
		{"comment or line break", "After | and > there are only +, - and a digit, and perhaps a comment."},
		{"found undefined tag handle", "Tags have no meaning here. A text that begins with ! is quoted."},
		{"while scanning an alias", "An alias is * and a name. A text that begins with * is quoted."},
		{"alphabetic or numeric character", "After & or * there is a name. A text that begins with one of them is quoted."},
		{"document start", "The document has ended before this line, which is indented less than the keys or follows a value that was complete."},
		{"exceeded max depth", "Maps and lists nest too deep."},
	} {
		if strings.Contains(text, known.phrase) {
			return known.meaning
		}
	}
	return "This is not YAML: " + text + "."
}

// yamlOpener is the sign that opens the template sequence around an offset,
// which the lexer of HCL cannot find among quotes that are not its own: the
// last one before it that is not closed.
func yamlOpener(name string, src []byte, offset int) (diag.Range, bool) {
	closed := 0
	for i := min(offset, len(src)) - 1; i > 0; i-- {
		switch {
		case src[i] == '}':
			closed++
		case src[i] != '{':
		case closed > 0:
			closed--
		case (src[i-1] == '$' || src[i-1] == '%') && (i < 2 || src[i-2] != src[i-1]):
			return newPlaces(name, src).span(i-1, i+1), true
		}
	}
	return diag.Range{}, false
}
