// Package syntax turns the bytes of a spec into a body with places: bytes →
// [File]. It knows grammar and nothing of meaning: which blocks exist is the
// business of package spec, what an expression is worth that of package eval.
//
// Whatever the bytes are, the answer is a tree, a list of diagnostics or
// both, never a crash: hclsyntax recurses once per bracket and a stack that
// overflows cannot be recovered, so depth and size are bounded before it runs.
package syntax

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/rivo/uniseg"

	"github.com/specbuild/specbuild/spec/diag"
)

// MaxBytes is the largest file that is parsed, 4 MiB. The whole of Debian's
// own image definitions is smaller; anything larger is generated or a mistake.
const MaxBytes = 4 << 20

// MaxDepth is how deep brackets, blocks, templates and chains of operators
// may nest together.
const MaxDepth = 500

// File is one parsed source. Body may be incomplete where the diagnostics
// that came with it hold errors, and is nil if the bytes were refused
// unparsed.
type File struct {
	Name  string   // as diagnostics show it, slash-separated
	Bytes []byte   // what was parsed: LF line ends, no byte order mark; ranges point into it
	Body  hcl.Body // for HCL an *hclsyntax.Body
}

// Parse reads one HCL file. The name is used for places only: nothing is
// opened. CRLF is read as LF and a UTF-8 byte order mark is dropped, so that
// byte offsets are those of [File.Bytes], lines and columns those of both.
func Parse(name string, src []byte) (*File, diag.List) {
	f := &File{Name: name, Bytes: clean(src)}
	if l := refuse(name, f.Bytes, hclsyntax.LexConfig); len(l) > 0 {
		return f, l
	}
	parsed, diags := hclsyntax.ParseConfig(f.Bytes, name, hcl.InitialPos)
	f.Body = parsed.Body
	return f, parseDiagnostics(diags, f.Bytes, hclsyntax.LexConfig)
}

// ParseExpression reads one expression, such as the value of --var. The
// expression is nil if there are errors.
func ParseExpression(name string, src []byte) (hcl.Expression, diag.List) {
	return parseAlone(name, src, hclsyntax.LexExpression, hclsyntax.ParseExpression)
}

// ParseTemplate reads a whole text as the inside of a string, as
// templatefile does. The expression is nil if there are errors.
func ParseTemplate(name string, src []byte) (hcl.Expression, diag.List) {
	return parseAlone(name, src, hclsyntax.LexTemplate, hclsyntax.ParseTemplate)
}

type (
	lexer  func([]byte, string, hcl.Pos) (hclsyntax.Tokens, hcl.Diagnostics)
	parser func([]byte, string, hcl.Pos) (hclsyntax.Expression, hcl.Diagnostics)
)

func parseAlone(name string, src []byte, lex lexer, parse parser) (hcl.Expression, diag.List) {
	src = clean(src)
	if l := refuse(name, src, lex); len(l) > 0 {
		return nil, l
	}
	expr, diags := parse(src, name, hcl.InitialPos)
	if l := parseDiagnostics(diags, src, lex); l.HasErrors() {
		return nil, l
	}
	return expr, nil
}

// clean drops a byte order mark and reads CRLF as LF. A carriage return on
// its own stays, for the parser to complain about.
func clean(src []byte) []byte {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(src, '\r') < 0 {
		return src
	}
	return bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
}

// refuse reports what must not reach the parser: files too large, too deep,
// or that are not text.
func refuse(name string, src []byte, lex lexer) diag.List {
	var l diag.List
	if len(src) > MaxBytes {
		l.Errorf(at(name, src, 0), "File too large",
			"%s is %d bytes; a file of at most %d bytes is read.", name, len(src), MaxBytes)
		return l
	}
	if i := notText(src); i >= 0 {
		l.Errorf(at(name, src, i), "Not a text file", "%s", whyNotText(name, src, i))
		return l
	}
	if r, deep := tooDeep(name, src, lex); deep {
		l.Errorf(r, "Nested too deep",
			"Brackets, blocks, templates and operators nest more than %d deep here. Give parts of it names of their own, in locals.", MaxDepth)
	}
	return l
}

// notText is the offset of the first byte that a text cannot hold, or -1.
func notText(src []byte) int {
	bad := bytes.IndexByte(src, 0)
	if utf8.Valid(src) {
		return bad
	}
	for i := 0; i < len(src) && i != bad; {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return bad
}

func whyNotText(name string, src []byte, i int) string {
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		return name + " is UTF-16; save it as UTF-8."
	}
	if src[i] == 0 {
		return fmt.Sprintf("%s holds a NUL byte (offset %d): it is a binary file, not a spec.", name, i)
	}
	return fmt.Sprintf("%s holds the byte 0x%02x (offset %d), which is not UTF-8; save the file as UTF-8.", name, src[i], i)
}

// at is the one-character place of a byte offset.
func at(name string, src []byte, offset int) diag.Range {
	lineStart := bytes.LastIndexByte(src[:offset], '\n') + 1
	p := diag.Pos{
		Line:   1 + bytes.Count(src[:offset], []byte{'\n'}),
		Column: 1 + uniseg.GraphemeClusterCount(string(src[lineStart:offset])),
		Byte:   offset,
	}
	end := p
	if offset < len(src) {
		_, n := utf8.DecodeRune(src[offset:])
		end.Column++
		end.Byte += n
	}
	return diag.Range{File: name, Start: p, End: end}
}
