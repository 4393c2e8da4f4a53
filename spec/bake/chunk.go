package bake

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/format"
)

// chunk is a block of a spec as text, with the comments above it. A local is
// one of its own, with its expression as the text.
type chunk struct {
	kind, label string
	text        string
}

// addr is how expressions name it.
func (c chunk) addr() string {
	switch c.kind {
	case "variable":
		return "var." + c.label
	case "image", "stage", "base", "context", "secret", "local", "module":
		return c.kind + "." + c.label
	}
	return ""
}

// chunks takes a spec apart.
func chunks(src []byte) []chunk {
	f, _ := hclsyntax.ParseConfig(src, "", hcl.InitialPos)
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	var out []chunk
	done := 0
	for _, b := range body.Blocks {
		r := b.Range()
		c := chunk{kind: b.Type, text: strings.Trim(string(src[done:r.End.Byte]), "\n")}
		done = r.End.Byte
		if len(b.Labels) > 0 {
			c.label = b.Labels[0]
		}
		if b.Type != "locals" {
			out = append(out, c)
			continue
		}
		for _, a := range sortedAttrs(b.Body) {
			e := a.Expr.Range()
			out = append(out, chunk{"local", a.Name, string(src[e.Start.Byte:e.End.Byte])})
		}
	}
	return out
}

// source is the chunk as it would stand in a file, for what looks into it.
func (c chunk) source() string {
	if c.kind == "local" {
		return "x = " + c.text
	}
	return c.text
}

// mention is one name in a chunk.
type mention struct {
	addr       string // stage.build, each.value
	start, end int    // bytes of the source
}

// mentions are the names that a text uses, two words each.
func mentions(src string) []mention {
	f, _ := hclsyntax.ParseConfig([]byte(src), "", hcl.InitialPos)
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	var out []mention
	// The walk's own errors are those that this function gives: none.
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		e, ok := n.(*hclsyntax.ScopeTraversalExpr)
		if !ok || len(e.Traversal) < 2 {
			return nil
		}
		if attr, ok := e.Traversal[1].(hcl.TraverseAttr); ok {
			out = append(out, mention{e.Traversal.RootName() + "." + attr.Name, e.Traversal[0].SourceRange().Start.Byte, attr.SrcRange.End.Byte})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b mention) int { return a.start - b.start })
	return slices.Compact(out)
}

// names reports whether a chunk uses an address, or anything below a root.
func (c chunk) names(addr string) bool {
	return slices.ContainsFunc(mentions(c.source()), func(m mention) bool {
		return m.addr == addr || strings.HasPrefix(m.addr, addr+".")
	})
}

// renamed is the chunk with other expressions in the places of names.
func (c chunk) renamed(to map[string]string) chunk {
	src := c.source()
	var b strings.Builder
	done := 0
	for _, m := range mentions(src) {
		s, ok := to[m.addr]
		if !ok || m.start < done {
			continue
		}
		start, end := m.start, m.end
		alone := start >= 2 && src[start-2:start] == "${" && end < len(src) && src[end] == '}'
		inner, quoted := quotedInside(s)
		switch {
		case alone && quoted && !strings.Contains(inner, `\`):
			s, start, end = inner, start-2, end+1
		case !alone && compound(s):
			s = "(" + s + ")"
		}
		b.WriteString(src[done:start] + s)
		done = end
	}
	b.WriteString(src[done:])
	c.text = b.String()
	if c.kind == "local" {
		c.text = strings.TrimPrefix(c.text, "x = ")
	}
	return c
}

// compound reports whether an expression needs parentheses within another.
func compound(s string) bool {
	tokens, _ := hclsyntax.LexExpression([]byte(s), "", hcl.InitialPos)
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace, hclsyntax.TokenOQuote, hclsyntax.TokenTemplateInterp:
			depth++
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenCQuote, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenQuestion, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
			hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan,
			hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq:
			if depth == 0 {
				return true
			}
		}
	}
	return false
}

// item is an attribute or a block within a block, with the comments above it.
type item struct {
	name  string // empty for comments alone
	block bool
	gap   bool // a blank line stands before it
	text  string
}

// value is the expression of an attribute.
func (it item) value() string {
	_, expr, _ := strings.Cut(it.text, "=")
	return strings.TrimSpace(expr)
}

// body is a block taken apart.
type body struct {
	head  string // comments, and all up to the brace
	items []item
}

func (c chunk) body() body {
	f, _ := hclsyntax.ParseConfig([]byte(c.text), "", hcl.InitialPos)
	parsed, ok := f.Body.(*hclsyntax.Body)
	if !ok || len(parsed.Blocks) != 1 {
		return body{head: c.text}
	}
	b := parsed.Blocks[0]
	type part struct {
		item
		start, end int
	}
	var parts []part
	for _, a := range b.Body.Attributes {
		parts = append(parts, part{item{name: a.Name}, a.SrcRange.Start.Byte, a.SrcRange.End.Byte})
	}
	for _, child := range b.Body.Blocks {
		r := child.Range()
		parts = append(parts, part{item{name: child.Type, block: true}, r.Start.Byte, r.End.Byte})
	}
	slices.SortFunc(parts, func(a, b part) int { return a.start - b.start })
	out := body{head: c.text[:b.OpenBraceRange.End.Byte]}
	done := b.OpenBraceRange.End.Byte
	for _, p := range parts {
		p.cut(c.text[done:p.end])
		done = p.end
		out.items = append(out.items, p.item)
	}
	if rest := strings.TrimSpace(c.text[done:b.CloseBraceRange.Start.Byte]); rest != "" {
		it := item{}
		it.cut(c.text[done:b.CloseBraceRange.Start.Byte])
		out.items = append(out.items, it)
	}
	return out
}

// cut takes the text of an item, without the blank lines before it and with
// the indentation of one level less.
func (it *item) cut(s string) {
	it.gap = strings.HasPrefix(strings.TrimLeft(s, " \t"), "\n\n")
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "  ")
	}
	it.text = strings.TrimRight(strings.Join(lines, "\n"), " \n\t")
}

// text is the block put together again.
func (b body) text() string {
	var out strings.Builder
	out.WriteString(b.head)
	if len(b.items) == 0 {
		return out.String() + "}"
	}
	out.WriteString("\n")
	for i, it := range b.items {
		if i > 0 && (it.gap || it.block || b.items[i-1].block) {
			out.WriteString("\n")
		}
		for line := range strings.SplitSeq(it.text, "\n") {
			if line != "" {
				out.WriteString("  " + line)
			}
			out.WriteString("\n")
		}
	}
	s := strings.ReplaceAll(out.String(), "\n\n\n", "\n\n")
	return strings.TrimRight(s, "\n") + "\n}"
}

func (b *body) get(name string) (item, bool) {
	at := slices.IndexFunc(b.items, func(it item) bool { return it.name == name })
	if at < 0 {
		return item{}, false
	}
	return b.items[at], true
}

func (b *body) remove(names ...string) {
	b.items = slices.DeleteFunc(b.items, func(it item) bool { return slices.Contains(names, it.name) })
}

// setAfter sets an attribute, behind the last of these that is there.
func (b *body) setAfter(name, expr string, behind ...string) {
	it := item{name: name, text: name + " = " + expr}
	if at := slices.IndexFunc(b.items, func(o item) bool { return o.name == name && !o.block }); at >= 0 {
		b.items[at] = it
		return
	}
	at := 0
	for i, o := range b.items {
		if slices.Contains(behind, o.name) {
			at = i + 1
		}
	}
	b.items = slices.Insert(b.items, at, it)
}

// setLast sets an attribute at the end of the block, before what is only said
// in comments there.
func (b *body) setLast(name, expr string, comments ...string) {
	it := item{name: name, text: strings.Join(append(comments, name+" = "+expr), "\n")}
	if at := slices.IndexFunc(b.items, func(o item) bool { return o.name == name && !o.block }); at >= 0 {
		it.gap = b.items[at].gap
		b.items[at] = it
		return
	}
	b.items = append(b.items, it)
}

// relabelled is the chunk under another name.
func (c chunk) relabelled(label string) chunk {
	f, _ := hclsyntax.ParseConfig([]byte(c.text), "", hcl.InitialPos)
	parsed, ok := f.Body.(*hclsyntax.Body)
	if ok && len(parsed.Blocks) == 1 && len(parsed.Blocks[0].LabelRanges) == 1 {
		r := parsed.Blocks[0].LabelRanges[0]
		c.text = c.text[:r.Start.Byte] + format.Quote(label) + c.text[r.End.Byte:]
	}
	c.label = label
	return c
}
