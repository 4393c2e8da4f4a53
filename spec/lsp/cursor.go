package lsp

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/grammar"
)

// cursor is what may be written at a place, and what of it has been.
type cursor struct {
	where   where
	yaml    bool
	form    yamlForm // in YAML, of the map or list that the cursor is in
	path    []*block // the blocks around, the file first
	word    stretch  // what is typed already, which a completion replaces
	written map[string]int

	labelled string // of atLabel: the block
	attr     grammar.Attribute
	want     grammar.Value
	// literal is text that is taken as it is: only words can be completed.
	literal bool
	quoted  bool   // the word stands in quotes
	chained bool   // the word follows a dot …
	chain   string // … behind these names
}

func (c *cursor) in() *block { return c.path[len(c.path)-1] }

// cursorAt finds what may be written at an offset from the text in front of
// it alone, since what follows rarely fits while one types.
func cursorAt(src []byte, offset int, lang *grammar.Block, yaml bool) *cursor {
	if yaml {
		return cursorYAML(src, offset, lang)
	}
	r := readHCL(src[:offset], lang)
	c := &cursor{where: r.where, path: r.path, word: r.word, labelled: r.attr, written: map[string]int{}}
	if r.ended {
		c.where = nowhere
		return c
	}
	c.note(c.in())
	if i := bytes.IndexByte(src[offset:], '\n'); i >= 0 {
		c.note(readHCL(src[offset+i:], c.in().lang).path[0])
	}
	if c.where != inValue {
		c.quoted = c.where == atLabel && c.word.start > 0 && src[c.word.start-1] == '"'
		return c
	}
	c.attr, c.want = attributeOf(c.in().lang, r.attr)
	toks := r.toks[:len(r.toks)-1]
	c.want = wanted(c.want, r.open, toks)
	c.expression(toks[min(r.from, len(toks)):], shift(r.open, r.from), src, offset)
	return c
}

// note counts what a block holds.
func (c *cursor) note(b *block) {
	for _, a := range b.attrs {
		if a.nameAt != c.word {
			c.written[a.name]++
		}
	}
	for _, n := range b.blocks {
		c.written[n.name]++
	}
}

func attributeOf(lang *grammar.Block, name string) (grammar.Attribute, grammar.Value) {
	if lang != nil {
		if a, ok := lang.Attribute(name); ok {
			return a, a.Value
		}
	}
	return grammar.Attribute{Name: name}, grammar.Value{Type: grammar.Any}
}

// wanted is what is asked of a part of a value inside of brackets.
func wanted(v grammar.Value, open []bracket, toks []token) grammar.Value {
	for _, b := range open {
		switch b.kind {
		case hclsyntax.TokenOBrack:
			v = element(v, true)
		case hclsyntax.TokenOBrace:
			v = element(v, false)
		case hclsyntax.TokenOParen:
			if b.token > 0 && toks[b.token-1].kind == hclsyntax.TokenIdent {
				v = grammar.Value{Type: grammar.Any}
			}
		case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			v = grammar.Value{Type: grammar.Any}
		}
	}
	if v.Type == grammar.OneOrList && v.Elem != nil {
		return *v.Elem
	}
	return v
}

func shift(open []bracket, by int) []bracket {
	out := make([]bracket, len(open))
	for i, b := range open {
		b.token -= by
		out[i] = b
	}
	return out
}

// expression finds the name that is being typed at the end of some tokens.
func (c *cursor) expression(toks []token, open []bracket, src []byte, offset int) {
	c.word = stretch{offset, offset}
	if n := len(open); n > 0 {
		switch top := open[n-1]; top.kind {
		case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			c.literal, c.quoted = true, top.kind == hclsyntax.TokenOQuote
			c.word.start = toks[top.token].end
			return
		case hclsyntax.TokenOBrace:
			if !top.assigned && !isFor(toks[top.token+1:], src) {
				c.where = nowhere // a key is a name of the author's own
				return
			}
		}
	}
	if len(toks) == 0 {
		return
	}
	last := len(toks) - 1
	t := toks[last]
	if t.kind == hclsyntax.TokenComment {
		c.where = nowhere
		return
	}
	if t.end != offset {
		if endsOperand(t) {
			c.where = nowhere // a value stands there already
		}
		return
	}
	if t.kind == hclsyntax.TokenIdent {
		c.word = t.stretch
		last--
	}
	switch {
	case last >= 0 && toks[last].kind == hclsyntax.TokenDot && toks[last].end == c.word.start:
		c.chained = true
		if first := chainStart(toks, last-1); first >= 0 {
			c.chain = string(src[toks[first].start:toks[last].start])
		}
	case c.word.empty() && endsOperand(t):
		c.where = nowhere
	}
}

func isFor(toks []token, src []byte) bool {
	return len(toks) > 0 && string(src[toks[0].start:toks[0].end]) == "for"
}

// endsOperand reports whether an operator, and no name, may follow a token.
func endsOperand(t token) bool {
	switch t.kind {
	case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
		hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenCParen:
		return true
	}
	return false
}

func cursorYAML(src []byte, offset int, lang *grammar.Block) *cursor {
	r := readYAML(src[:offset])
	c := &cursor{yaml: true, word: stretch{r.typed.start, offset}, written: map[string]int{}}
	lineStart := bytes.LastIndexByte(src[:offset], '\n') + 1
	commented := comment(src[lineStart:offset]) || comment(src[min(r.typed.start, offset):offset]) || comment(src[min(r.typed.end, offset):offset])
	if commented && !r.inBlockText() || r.typed.start > offset {
		c.path = []*block{{lang: lang}}
		return c
	}
	inFlow := len(r.flow) > 0
	if r.fresh && !inFlow {
		r.leave(r.typed.start-lineStart, false)
	}
	for _, n := range append(r.open, r.flow...) {
		n.at.end = offset // what is open goes on to the cursor
	}
	keys, top, key := r.place(r.typed.start - lineStart)
	c.form = yamlForm{form: formBody, lang: lang}
	for _, k := range keys {
		c.form = c.form.down(k)
	}
	c.path = yamlBlocks(r.root, lang).pathTo(offset)
	c.attr, _ = attributeOf(c.in().lang, attributeIn(c.in(), offset))
	if top == nil {
		return c
	}
	if key {
		c.where = atName
		for _, e := range top.entries {
			if e.keyAt.start != c.word.start {
				c.written[e.key]++
			}
		}
		if !inFlow {
			c.follow(src, offset, top.col)
		}
		if c.form.form != formValue {
			return c
		}
		c.where = nowhere
		if c.form.want.Type == grammar.Map {
			return c
		}
	}
	c.where = inValue
	if c.form.form != formValue {
		c.where = atName // a block's keys, or a list's dashes, have not begun yet
		return c
	}
	c.want = c.form.want
	if c.want.Type == grammar.OneOrList && c.want.Elem != nil {
		c.want = *c.want.Elem
	}
	c.scalar(src, offset, r.quote)
	return c
}

// inBlockText reports whether the text ends in a block text, where a # is one.
func (r *yamlReader) inBlockText() bool {
	e := r.top().last()
	return e != nil && e.block && e.value != nil && e.value.at == r.typed
}

// comment reports whether a piece of a line is a comment.
func comment(line []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("#")) }

// place is the keys above the end of the text, the map or list that it is in,
// and whether a key of that is being typed. The map or list is nil where
// nothing can stand.
func (r *yamlReader) place(col int) (keys []string, top *yamlNode, key bool) {
	all := append(r.open[:len(r.open):len(r.open)], r.flow...)
	for _, n := range all[:len(all)-1] {
		if e := n.last(); e != nil {
			keys = append(keys, e.key)
		}
	}
	top = all[len(all)-1]
	switch {
	case len(r.flow) > 0:
		if top.list {
			return append(keys, "-"), top, false
		}
		if r.fresh {
			return keys, top, true
		}
	case r.fresh && !top.list && (top.col == col || len(top.entries) == 0):
		return keys, top, true
	}
	if e := top.last(); e != nil {
		keys = append(keys, e.key)
		if r.fresh && (e.value == nil || e.value.at.start == r.typed.start) {
			// Nothing stands below that key yet: what is typed may be one, too.
			return keys, &yamlNode{col: col}, true
		}
		if r.fresh {
			return keys, nil, false // deeper than a value that is complete
		}
	}
	return keys, top, false
}

// follow counts the keys of a map that stand below the cursor.
func (c *cursor) follow(src []byte, offset, col int) {
	for {
		i := bytes.IndexByte(src[offset:], '\n')
		if i < 0 {
			return
		}
		offset += i + 1
		line, _, _ := bytes.Cut(src[offset:], []byte("\n"))
		text := bytes.TrimLeft(line, " ")
		indent := len(line) - len(text)
		switch {
		case len(text) == 0 || text[0] == '#' || indent > col:
		case indent < col || text[0] == '-':
			return
		default:
			if key, _, ok := bytes.Cut(text, []byte(":")); ok {
				c.written[strings.Trim(string(key), `"'`)]++
			}
		}
	}
}

// attributeIn is the attribute of a block whose value an offset lies in.
func attributeIn(b *block, offset int) string {
	for _, a := range b.attrs {
		if a.nameAt.end <= offset && offset <= max(a.value.end, a.nameAt.end+2) {
			return a.name
		}
	}
	return ""
}

// scalar is a cursor in a text: a plain name where a reference or a type is
// asked, an expression in ${…}, and else a word.
func (c *cursor) scalar(src []byte, offset int, quote byte) {
	from := c.word.start
	if quote != 0 && from < offset {
		from++
	}
	toks, open := brackets(src[:offset], from, hclsyntax.LexTemplate)
	for i := len(open) - 1; i >= 0; i-- {
		if k := open[i].kind; k == hclsyntax.TokenTemplateInterp || k == hclsyntax.TokenTemplateControl {
			c.want = grammar.Value{Type: grammar.Any}
			c.expression(toks, open, src, offset)
			return
		}
	}
	if quote == 0 && c.plainName() {
		toks, open = brackets(src[:offset], from, hclsyntax.LexExpression)
		c.expression(toks, open, src, offset)
		return
	}
	c.literal, c.quoted = true, quote != 0
	c.word = stretch{from, offset}
}

// plainName reports whether a name without ${ } is one of the language here.
func (c *cursor) plainName() bool {
	return c.want.Type == grammar.Reference || c.want.Type == grammar.TypeExpr
}

// brackets are the tokens of a part of a text without its end, and what is
// open there.
func brackets(src []byte, from int, l lexer) ([]token, []bracket) {
	r := &hclReader{src: src, toks: tokensOf(src[from:], from, l)}
	for r.i < len(r.toks) && r.peek().kind != hclsyntax.TokenEOF {
		r.bracket(r.peek())
		r.i++
	}
	return r.toks[:r.i], r.open
}
