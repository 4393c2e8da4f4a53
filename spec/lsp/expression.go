package lsp

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/grammar"
)

// expr is a name, or a chain of names, in an expression.
type expr struct {
	text string // as far as the word that is pointed at: module.svc of module.svc.image
	at   stretch
	call bool // a function's name
}

// expressionAt is the name at an offset, if it stands in an expression.
func (s *server) expressionAt(d *document, lang *grammar.Block, offset int) (expr, bool) {
	src := d.text.clean
	path := outline(d.path, d.text, lang).pathTo(offset)
	var a attribute
	for _, b := range slices.Backward(path) {
		for _, candidate := range b.attrs {
			if candidate.value.holds(offset) && !candidate.value.empty() {
				a = candidate
			}
		}
		if a.name != "" {
			break
		}
	}
	if a.name == "" {
		return expr{}, false
	}
	var toks []token
	if yamlFile(d.path) {
		toks = scalarTokens(src, offset, lang)
	} else {
		toks = tokensOf(src[a.value.start:a.value.end], a.value.start, hclsyntax.LexExpression)
	}
	return chainAt(toks, src, offset)
}

// scalarTokens are the tokens of the text of YAML that an offset lies in.
func scalarTokens(src []byte, offset int, lang *grammar.Block) []token {
	n, f := scalarAt(readYAML(src).root, yamlForm{form: formBody, lang: lang}, offset)
	if n == nil {
		return nil
	}
	return n.tokens(src, f)
}

// tokens are those of a text: of a name where one is asked, else of what
// stands in ${ }.
func (n *yamlNode) tokens(src []byte, f yamlForm) []token {
	if n.at.empty() {
		return nil
	}
	c := &cursor{want: f.want}
	if c.want.Type == grammar.OneOrList && c.want.Elem != nil {
		c.want = *c.want.Elem
	}
	if quote := src[n.at.start]; quote != '"' && quote != '\'' && c.plainName() {
		return tokensOf(src[n.at.start:n.at.end], n.at.start, hclsyntax.LexExpression)
	}
	return tokensOf(src[n.at.start:n.at.end], n.at.start, hclsyntax.LexTemplate)
}

// scalarAt is the text of YAML that an offset lies in, and its form.
func scalarAt(n *yamlNode, f yamlForm, offset int) (*yamlNode, yamlForm) {
	for n != nil {
		if n.text {
			if n.at.holds(offset) {
				return n, f
			}
			return nil, f
		}
		var next *yamlEntry
		for _, e := range n.entries {
			if e.keyAt.start <= offset {
				next = e
			}
		}
		if next == nil {
			return nil, f
		}
		f, n = f.down(next.key), next.value
	}
	return nil, f
}

// chainAt is the chain of names with the word at an offset.
func chainAt(toks []token, src []byte, offset int) (expr, bool) {
	at := -1
	for i, t := range toks {
		if t.kind == hclsyntax.TokenIdent && t.holds(offset) {
			at = i
			if offset < t.end {
				break
			}
		}
	}
	if at < 0 {
		return expr{}, false
	}
	first := chainStart(toks, at)
	if first < 0 {
		return expr{}, false
	}
	last := at
	for last+2 < len(toks) && toks[last+1].kind == hclsyntax.TokenDot && toks[last+2].kind == hclsyntax.TokenIdent {
		last += 2
	}
	call := last+1 < len(toks) && toks[last+1].kind == hclsyntax.TokenOParen
	if first == at && last > at {
		at += 2 // the first word alone means nothing: var of var.version
	}
	out := expr{text: string(src[toks[first].start:toks[at].end]), call: call}
	out.at = stretch{toks[first].start, toks[at].end}
	return out, true
}
