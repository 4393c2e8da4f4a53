package format

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// formatHCL lays out what parses. It gives back what it got where the result
// would have other tokens.
func formatHCL(src []byte) []byte {
	out := hclwrite.Format(trimComments(src))
	out = ends(out)
	if !sameTokens(src, out) {
		return src
	}
	return out
}

// trimComments removes blanks at the end of comments, which the library takes
// for a part of them.
func trimComments(src []byte) []byte {
	var out []byte
	done := 0
	for _, t := range lex(src) {
		if t.Type != hclsyntax.TokenComment || !bytes.HasSuffix(t.Bytes, []byte("\n")) {
			continue
		}
		end := t.Range.End.Byte - 1
		out = append(out, bytes.TrimRight(src[done:end], " \t")...)
		done = end
	}
	return append(out, src[done:]...)
}

func lex(src []byte) hclsyntax.Tokens {
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	return tokens
}

// sameTokens compares what two texts say. Blank lines at either end of the
// file, and blanks at the end of comments and before the end of a heredoc,
// say nothing.
func sameTokens(a, b []byte) bool {
	x, y := spoken(a), spoken(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].Type != y[i].Type || !bytes.Equal(x[i].Bytes, y[i].Bytes) {
			return false
		}
	}
	return true
}

func spoken(src []byte) hclsyntax.Tokens {
	tokens := lex(src)
	for len(tokens) > 0 && tokens[0].Type == hclsyntax.TokenNewline {
		tokens = tokens[1:]
	}
	for len(tokens) > 0 && silent(tokens[len(tokens)-1].Type) {
		tokens = tokens[:len(tokens)-1]
	}
	for i := range tokens {
		if t := &tokens[i]; t.Type == hclsyntax.TokenComment || t.Type == hclsyntax.TokenCHeredoc {
			t.Bytes = bytes.Trim(t.Bytes, " \t\n")
		}
	}
	return tokens
}

func silent(t hclsyntax.TokenType) bool {
	return t == hclsyntax.TokenNewline || t == hclsyntax.TokenEOF
}
