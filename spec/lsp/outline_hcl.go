package lsp

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// hclReader finds the blocks and attributes of a text that need not parse. Of
// a text that ends at the cursor, what is open at its end is where the cursor
// is.
type hclReader struct {
	src  []byte
	toks []token
	i    int
	path []*block // what is open, the file first

	// What the end of the text lies in.
	where where
	word  stretch // what has been typed of the last name or label
	attr  string  // of where == inValue
	from  int     // the first token of its value
	open  []bracket
	ended bool // a brace closed the whole
}

// where is what may be written at a place.
type where int

const (
	nowhere where = iota // nothing that is known: comments, the place after a value
	atName               // an attribute or a block
	atLabel              // the label of a block
	inValue              // a value, or a part of it
)

// bracket is something open in a value.
type bracket struct {
	kind     hclsyntax.TokenType
	token    int
	assigned bool // of a map: behind the key's equals sign
}

// readHCL reads a whole text.
func readHCL(src []byte, lang *grammar.Block) *hclReader {
	r := &hclReader{src: src, toks: lex(src), path: []*block{{lang: lang, at: stretch{0, len(src)}}}, where: atName, word: stretch{len(src), len(src)}}
	root := r.path[0]
	for !r.ended && r.peek().kind != hclsyntax.TokenEOF {
		switch t := r.peek(); t.kind {
		case hclsyntax.TokenCBrace:
			r.i++
			r.close(t.end)
		case hclsyntax.TokenIdent:
			r.item()
		default:
			r.i++
			r.where = nowhere
			if endsLine(t, src) {
				r.where = atName
			}
		}
	}
	for _, b := range r.path {
		b.at.end = len(src)
	}
	r.path[0] = root
	return r
}

func (r *hclReader) peek() token { return r.toks[min(r.i, len(r.toks)-1)] }

func (r *hclReader) text(s stretch) string { return string(r.src[s.start:s.end]) }

func (r *hclReader) inner() *block { return r.path[len(r.path)-1] }

func (r *hclReader) close(end int) {
	r.where = nowhere
	if len(r.path) == 1 {
		r.ended = true
		return
	}
	r.inner().at.end = end
	r.path = r.path[:len(r.path)-1]
}

// item reads an attribute, or a block as far as its brace.
func (r *hclReader) item() {
	name := r.peek().stretch
	r.i++
	r.where, r.word = atName, name
	if name.end < len(r.src) && r.peek().kind == hclsyntax.TokenEOF {
		r.where, r.word = atLabel, stretch{len(r.src), len(r.src)}
		r.attr = r.text(name)
		return
	}
	if r.peek().kind == hclsyntax.TokenEqual {
		r.i++
		r.value(attribute{name: r.text(name), nameAt: name})
		return
	}
	b := &block{name: r.text(name), nameAt: name, at: stretch{name.start, name.end}}
	for r.label(b) {
	}
	if r.peek().kind != hclsyntax.TokenOBrace {
		return // half a header; what follows on the line is passed over
	}
	r.i++
	r.where, r.word = atName, stretch{len(r.src), len(r.src)}
	b.lang = child(r.inner().lang, b.name, b.label)
	r.inner().blocks = append(r.inner().blocks, b)
	r.path = append(r.path, b)
	r.ended = len(r.path) > syntax.MaxDepth // which the parser refuses
}

// label reads one label, the first of which counts.
func (r *hclReader) label(b *block) bool {
	var at stretch
	var text string
	switch r.peek().kind {
	case hclsyntax.TokenIdent:
		at = r.peek().stretch
		text = r.text(at)
		r.i++
	case hclsyntax.TokenOQuote:
		at = stretch{r.peek().end, r.peek().end}
		r.i++
		for r.peek().kind == hclsyntax.TokenQuotedLit {
			at.end = r.peek().end
			r.i++
		}
		if r.peek().kind == hclsyntax.TokenCQuote {
			text = r.text(at)
			at = stretch{at.start - 1, r.peek().end}
			r.i++
			break
		}
		r.where, r.word, r.attr = nowhere, at, b.name
		if r.peek().kind == hclsyntax.TokenEOF {
			r.where = atLabel
		}
		return false
	default:
		return false
	}
	if b.labelAt == (stretch{}) {
		b.label, b.labelAt = text, at
	}
	r.where = nowhere
	return true
}

// value reads as far as the value goes: to the end of the line, or to where
// its brackets are closed. A bracket that is not closed ends in front of the
// next attribute.
func (r *hclReader) value(a attribute) {
	r.where, r.attr, r.from, r.open = inValue, a.name, r.i, nil
	a.value = stretch{a.nameAt.end, a.nameAt.end}
	if r.i > 0 {
		a.value = stretch{r.toks[r.i-1].end, r.toks[r.i-1].end}
	}
	for done := false; !done; {
		t := r.peek()
		switch {
		case t.kind == hclsyntax.TokenEOF:
			done = true
		case endsLine(t, r.src):
			done = r.lineEnd()
		case t.kind == hclsyntax.TokenComment:
			r.i++
			if t.end == len(r.src) {
				r.where = nowhere
			}
		case t.kind == hclsyntax.TokenCBrace && !r.has(hclsyntax.TokenOBrace):
			done, r.where = true, nowhere
		default:
			if a.value.empty() {
				a.value.start = t.start
			}
			a.value.end = t.end
			r.bracket(t)
			r.i++
		}
	}
	b := r.inner()
	b.attrs = append(b.attrs, a)
}

// lineEnd reports whether the value ends with a line.
func (r *hclReader) lineEnd() bool {
	for len(r.open) > 0 && r.open[len(r.open)-1].kind == hclsyntax.TokenOQuote {
		r.open = r.open[:len(r.open)-1] // its quote is missing
	}
	r.i++
	if len(r.open) == 0 {
		r.where = atName
		r.word = stretch{len(r.src), len(r.src)}
		return true
	}
	top := &r.open[len(r.open)-1]
	if top.kind == hclsyntax.TokenOBrace {
		top.assigned = false
		return false
	}
	if top.kind != hclsyntax.TokenOHeredoc && beginsItem(r.toks[r.i:]) {
		r.where = atName
		return true
	}
	return false
}

func (r *hclReader) has(kind hclsyntax.TokenType) bool {
	for _, b := range r.open {
		if b.kind == kind {
			return true
		}
	}
	return false
}

// bracket keeps what is open.
func (r *hclReader) bracket(t token) {
	var closes hclsyntax.TokenType
	switch t.kind {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
		hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		r.open = append(r.open, bracket{kind: t.kind, token: r.i})
		return
	case hclsyntax.TokenEqual, hclsyntax.TokenColon:
		if n := len(r.open); n > 0 {
			r.open[n-1].assigned = true
		}
		return
	case hclsyntax.TokenComma:
		if n := len(r.open); n > 0 {
			r.open[n-1].assigned = false
		}
		return
	case hclsyntax.TokenCBrace:
		closes = hclsyntax.TokenOBrace
	case hclsyntax.TokenCBrack:
		closes = hclsyntax.TokenOBrack
	case hclsyntax.TokenCParen:
		closes = hclsyntax.TokenOParen
	case hclsyntax.TokenCQuote:
		closes = hclsyntax.TokenOQuote
	case hclsyntax.TokenCHeredoc:
		closes = hclsyntax.TokenOHeredoc
	case hclsyntax.TokenTemplateSeqEnd:
		closes = hclsyntax.TokenTemplateInterp
		if n := len(r.open); n > 0 && r.open[n-1].kind == hclsyntax.TokenTemplateControl {
			closes = hclsyntax.TokenTemplateControl
		}
	default:
		return
	}
	// What was opened inside and not closed ends here too.
	for n := len(r.open) - 1; n >= 0; n-- {
		if r.open[n].kind == closes {
			r.open = r.open[:n]
			return
		}
	}
}
