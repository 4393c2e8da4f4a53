package syntax

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
)

// tooDeep is the place where nesting passes MaxDepth.
//
// The parser recurses for every bracket, template sequence, `%{ if }`, unary
// sign and `?:`, and evaluation for every operator of a chain, so all of them
// count. The tokens are the parser's own (the lexer does not recurse), since
// a scanner of ours that disagreed once about where a string ends would let
// an overflow through.
func tooDeep(name string, src []byte, lex lexer) (diag.Range, bool) {
	if !mayBeDeep(src) {
		return diag.Range{}, false
	}
	tokens, _ := lex(src, name, hcl.InitialPos)
	n := nesting{bottom: level{lines: true}}
	for i, t := range tokens {
		n.add(t, word(tokens, i+1))
		if n.depth > MaxDepth {
			return Range(t.Range), true
		}
	}
	return diag.Range{}, false
}

// mayBeDeep is false where a count of bytes alone shows that the depth is
// within bounds: everything that costs has one of these bytes. It holds for
// nearly every real file and saves lexing it twice.
func mayBeDeep(src []byte) bool {
	count := 0
	for _, c := range src {
		switch c {
		case '{', '[', '(', '!', '-', '+', '*', '/', '%', '<', '>', '=', '&', '|', '?':
			count++
		}
	}
	return count > MaxDepth
}

// word is the bytes of the identifier at i, or "".
func word(tokens hclsyntax.Tokens, i int) string {
	if i < len(tokens) && tokens[i].Type == hclsyntax.TokenIdent {
		return string(tokens[i].Bytes)
	}
	return ""
}

// nesting counts along the tokens. On each level that is open, every operator,
// bracket and template sequence since the last separator costs one.
type nesting struct {
	depth  int
	bottom level // what is outside all brackets
	levels []level
}

// level is one open bracket, string or template sequence.
type level struct {
	operators int  // counted in depth
	cost      int  // counted in depth too, until the level is closed
	lines     bool // a newline separates, as in a body or an object; not in (…), […] and {for …}
}

func (n *nesting) add(t hclsyntax.Token, next string) {
	switch t.Type {
	case hclsyntax.TokenOBrace:
		n.operator(1) // stays after the brace is closed; see below
		n.open(level{lines: next != "for"})
	case hclsyntax.TokenOBrack, hclsyntax.TokenOParen:
		// A bracket costs as an operator of the level around it, and goes on
		// costing when it is closed: a[b][c] and f()[g()] are deep without
		// nesting brackets.
		n.operator(1)
		n.open(level{})
	case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
		n.open(level{})
	case hclsyntax.TokenTemplateInterp:
		n.open(level{cost: 1})
	case hclsyntax.TokenTemplateControl:
		// An if or for nests until its end, which comes in another sequence:
		// it counts as an operator of the string that holds it.
		switch next {
		case "if", "for":
			n.operator(1)
		case "endif", "endfor":
			n.operator(-1)
		}
		n.open(level{cost: 1})
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
		hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		n.close()
	case hclsyntax.TokenComma:
		n.separate()
	case hclsyntax.TokenNewline, hclsyntax.TokenComment: // a line's comment holds its newline
		if n.top().lines && t.Bytes[len(t.Bytes)-1] == '\n' {
			n.separate()
		}
	default:
		if isOperator(t.Type) {
			n.operator(1)
		}
	}
}

func isOperator(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenPlus, hclsyntax.TokenStar,
		hclsyntax.TokenSlash, hclsyntax.TokenPercent, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
		hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan,
		hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenQuestion:
		return true
	}
	return false
}

func (n *nesting) open(l level) {
	n.depth += l.cost
	n.levels = append(n.levels, l)
}

func (n *nesting) close() {
	if len(n.levels) == 0 {
		return
	}
	n.separate()
	n.depth -= n.top().cost
	n.levels = n.levels[:len(n.levels)-1]
}

func (n *nesting) operator(by int) {
	top := n.top()
	if top.operators+by < 0 {
		return // an end without its beginning, which the parser reports
	}
	n.depth += by
	top.operators += by
}

// separate forgets the operators of the level: what follows is a sibling.
func (n *nesting) separate() {
	n.depth -= n.top().operators
	n.top().operators = 0
}

func (n *nesting) top() *level {
	if len(n.levels) == 0 {
		return &n.bottom
	}
	return &n.levels[len(n.levels)-1]
}
