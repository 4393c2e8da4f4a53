package lsp

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// token is one of HCL's, by its place only.
type token struct {
	kind hclsyntax.TokenType
	stretch
}

// rereading bounds the bytes that are read again where the lexer begins anew:
// each time it reads all that is left, at some 2 MB a second.
const rereading = 256 << 10

// lex reads tokens of a file of HCL. A string whose quote is missing ends with
// its line, since what stands below is what the author had before he began to
// type; the lexer alone would take every later string for text and all that
// lies between for strings. The last token is the end of the text.
func lex(src []byte) []token {
	var out []token
	for from, left := 0, rereading; ; left -= len(src) - from {
		toks := tokensOf(src[from:], from, hclsyntax.LexConfig)
		cut := -1
		if left > 0 {
			cut = unclosed(toks)
		}
		if cut < 0 {
			return append(out, toks...)
		}
		at := toks[cut]
		out = append(append(out, toks[:cut]...), token{hclsyntax.TokenNewline, at.stretch})
		from = at.end
	}
}

type lexer func([]byte, string, hcl.Pos) (hclsyntax.Tokens, hcl.Diagnostics)

func tokensOf(src []byte, from int, l lexer) []token {
	toks, _ := l(src, "", hcl.InitialPos)
	out := make([]token, 0, len(toks)+1)
	for _, t := range toks {
		// The lexer numbers bytes from where it began.
		out = append(out, token{t.Type, stretch{from + t.Range.Start.Byte, from + t.Range.End.Byte}})
	}
	return out
}

// unclosed is the line end in front of which a quote or `${` was not closed,
// or -1.
func unclosed(toks []token) int {
	var open []hclsyntax.TokenType
	for i, t := range toks {
		switch t.kind {
		case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open = append(open, t.kind)
		case hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			open = open[:max(len(open)-1, 0)]
		case hclsyntax.TokenQuotedNewline:
			return i
		case hclsyntax.TokenNewline:
			// Inside of ${ … } a line may end, but no attribute may begin.
			if len(open) > 0 && open[len(open)-1] == hclsyntax.TokenTemplateInterp && beginsItem(toks[i+1:]) {
				return i
			}
		}
	}
	return -1
}

// beginsItem reports whether a line is the beginning of an attribute or block.
func beginsItem(toks []token) bool {
	if len(toks) < 2 || toks[0].kind != hclsyntax.TokenIdent {
		return false
	}
	switch toks[1].kind {
	case hclsyntax.TokenEqual, hclsyntax.TokenOBrace:
		return true
	case hclsyntax.TokenOQuote:
		for _, t := range toks[2:] {
			switch t.kind {
			case hclsyntax.TokenOBrace:
				return true
			case hclsyntax.TokenNewline, hclsyntax.TokenEOF:
				return false
			}
		}
	}
	return false
}

// endsLine reports whether a token ends a line: comments to the end of a line
// hold its end.
func endsLine(t token, src []byte) bool {
	switch t.kind {
	case hclsyntax.TokenNewline:
		return true
	case hclsyntax.TokenComment:
		return t.end > t.start && src[t.end-1] == '\n'
	}
	return false
}

// longestChain bounds the tokens of a chain: every word of a text is asked
// where its chain begins.
const longestChain = 1000

// chainStart is where a chain of names begins that ends with a token, such as
// module.svc["eu"].image for the token `image`; -1 where there is none.
func chainStart(toks []token, last int) int {
	for j := last; j >= 0 && last-j < longestChain; {
		switch toks[j].kind {
		case hclsyntax.TokenIdent:
			if j == 0 || toks[j-1].kind != hclsyntax.TokenDot {
				return j
			}
			j -= 2
		case hclsyntax.TokenCBrack:
			depth := 0
			for ; j >= 0 && last-j < longestChain; j-- {
				switch toks[j].kind {
				case hclsyntax.TokenCBrack:
					depth++
				case hclsyntax.TokenOBrack:
					depth--
				}
				if depth == 0 {
					break
				}
			}
			j--
		default:
			return -1
		}
	}
	return -1
}
