// Package format writes specs in one style: bytes → the same spec, laid out
// as everybody's. What a spec means never changes: the tokens of HCL and the
// nodes of YAML are compared before and after, and where they would differ
// the file stays as it was.
//
// HCL is laid out as `terraform fmt` does it, by the same library: two blanks
// a level, equals signs and trailing comments in columns, blank lines kept.
// YAML is edited as text: two blanks a level, lists indented below their key,
// one blank after a dash. In both, no line ends in blanks and the file ends
// with one line end. A file that begins with CRLF line ends keeps them.
package format

import (
	"bytes"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Knows reports whether a file is one of the language's by its name alone:
// image.hcl, NAME.image.hcl, the same with .yaml, specbuild.hcl,
// NAME.policy.hcl or NAME.policytest.hcl.
func Knows(base string) bool {
	switch base {
	case "image.hcl", "image.yaml", "specbuild.hcl":
		return true
	}
	for _, suffix := range []string{".image.hcl", ".image.yaml", ".policy.hcl", ".policytest.hcl"} {
		if strings.HasSuffix(base, suffix) && base != suffix {
			return true
		}
	}
	return false
}

// Format is the file in the one style. The name says the syntax, YAML where
// it ends in .yaml or .yml and else HCL, and is what diagnostics show. Bytes
// that do not parse are given back as they are, with what is wrong in them.
//
// Format(Format(x)) is Format(x).
func Format(name string, src []byte) ([]byte, diag.List) {
	once := formatHCL
	parse := func() (*syntax.File, diag.List) { return syntax.Parse(name, src) }
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		// With no name known, what is parsed is the syntax alone.
		once, parse = formatYAML, func() (*syntax.File, diag.List) {
			return syntax.ParseYAML(name, src, &grammar.Block{Open: true})
		}
	}
	f, problems := parse()
	if problems.HasErrors() {
		return src, problems
	}
	out, ok := settle(f.Bytes, once)
	if !ok {
		return src, nil
	}
	if crlf(src) {
		out = bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n"))
	}
	return out, nil
}

// settle formats until nothing changes any more: in odd places the library
// needs a second look at its own work. It is not ok if there is no end.
func settle(src []byte, once func([]byte) []byte) ([]byte, bool) {
	for range 5 {
		out := once(src)
		if bytes.Equal(out, src) {
			return out, true
		}
		src = out
	}
	return nil, false
}

// crlf reports whether a file is of those that Windows' git checks out.
func crlf(src []byte) bool {
	i := bytes.IndexByte(src, '\n')
	return i > 0 && src[i-1] == '\r'
}

// ends drops blank lines before the first line and after the last.
func ends(src []byte) []byte {
	for {
		line, rest, found := bytes.Cut(src, []byte("\n"))
		if !found || len(bytes.Trim(line, " \t")) > 0 {
			break
		}
		src = rest
	}
	src = bytes.TrimRight(src, " \t\n")
	if len(src) == 0 {
		return nil
	}
	return append(bytes.Clone(src), '\n')
}
