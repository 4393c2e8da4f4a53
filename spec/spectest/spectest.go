// Package spectest helps tests to try the two syntaxes of the language
// against each other: it writes a spec of HCL as YAML, in all the styles that
// YAML has, so that a test can demand that both mean the same.
package spectest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// YAML is a spec of HCL as YAML. Comments are lost. It fails where the HCL
// does not parse; what the language does not know is written all the same.
func YAML(name string, src []byte, lang *grammar.Block) ([]byte, error) {
	f, problems := syntax.Parse(name, src)
	if problems.HasErrors() {
		return nil, fmt.Errorf("%s: %s: %s", problems[0].Range, problems[0].Summary, problems[0].Detail)
	}
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		return nil, fmt.Errorf("%s has no body", name)
	}
	w := &writer{src: f.Bytes}
	w.body(body, lang, 0)
	if len(body.Blocks)+len(body.Attributes) == 0 {
		return nil, nil
	}
	return []byte(w.String()), nil
}

// writer writes lines of YAML out of nodes of HCL.
type writer struct {
	strings.Builder
	src []byte
}

func (w *writer) line(depth int, format string, args ...any) {
	w.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(w, format+"\n", args...)
}

// group is what stands under one key: blocks of a kind, in their order.
type group struct {
	key    string
	blocks []*hclsyntax.Block
}

func (w *writer) body(body *hclsyntax.Body, lang *grammar.Block, depth int) {
	for _, a := range sorted(body) {
		want := grammar.Value{Type: grammar.Any}
		if known, ok := lang.Attribute(a.Name); ok {
			want = known.Value
		}
		w.value(depth, a.Name+":", a.Expr, want)
	}
	var groups []*group
	for _, b := range body.Blocks {
		key := keyOf(lang, b)
		i := slices.IndexFunc(groups, func(g *group) bool { return g.key == key })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &group{key: key})
		}
		groups[i].blocks = append(groups[i].blocks, b)
	}
	for _, g := range groups {
		w.group(g, lang, depth)
	}
}

// keyOf is the key that a block is written under.
func keyOf(lang *grammar.Block, b *hclsyntax.Block) string {
	name := b.Type
	if name == "dynamic" && len(b.Labels) == 1 {
		name = b.Labels[0]
	}
	nested := lang.Nested(name)
	switch {
	case len(nested) == 0:
		return b.Type
	case nested[0].Step:
		return "steps"
	case nested[0].Label == grammar.LabelVariant, nested[0].Label == grammar.LabelNone && nested[0].Max != 1 && !nested[0].Open:
		return name + "s"
	}
	return b.Type
}

func (w *writer) group(g *group, lang *grammar.Block, depth int) {
	w.line(depth, "%s:", g.key)
	for _, b := range g.blocks {
		nested := lang.Nested(b.Type)
		switch {
		case b.Type == "dynamic" && len(b.Labels) == 1:
			w.dynamic(b, lang, depth+1)
		case g.key == "steps":
			w.line(depth+1, "- %s:", b.Type)
			w.inside(b, variant(nested, b), depth+3)
		case g.key == b.Type:
			w.inside(b, variant(nested, b), depth+1)
		case len(b.Labels) == 0: // validations, waivers, sources
			w.line(depth+1, "-")
			w.inside(b, variant(nested, b), depth+2)
		default: // mounts
			w.line(depth+1, "- %s:", scalar(b.Labels[0], depth))
			w.inside(&hclsyntax.Block{Body: b.Body}, variant(nested, b), depth+3)
		}
	}
}

// inside writes a block's label, if it has one, and below it the body.
func (w *writer) inside(b *hclsyntax.Block, lang *grammar.Block, depth int) {
	for _, label := range b.Labels {
		w.line(depth, "%s:", scalar(label, depth))
		depth++
	}
	if len(b.Body.Attributes)+len(b.Body.Blocks) == 0 {
		w.line(depth, "{}")
		return
	}
	w.body(b.Body, lang, depth)
}

func (w *writer) dynamic(b *hclsyntax.Block, lang *grammar.Block, depth int) {
	content := *variant(lang.Nested(b.Labels[0]), &hclsyntax.Block{})
	content.Name, content.Label, content.Variant, content.Step, content.Max = "content", grammar.LabelNone, "", false, 1
	table := &grammar.Block{
		Attributes: []grammar.Attribute{{Name: "iterator", Value: grammar.Value{Type: grammar.Keyword}}},
		Blocks:     []*grammar.Block{&content},
	}
	if keyOf(lang, b) == "dynamic" { // the group's key says it
		w.line(depth, "-")
		w.inside(b, table, depth+1)
		return
	}
	w.line(depth, "- dynamic:")
	w.inside(b, table, depth+2)
}

func variant(nested []*grammar.Block, b *hclsyntax.Block) *grammar.Block {
	for _, n := range nested {
		if n.Variant == "" || slices.Contains(b.Labels, n.Variant) {
			return n
		}
	}
	if len(nested) > 0 {
		return nested[0]
	}
	return &grammar.Block{}
}

func sorted(body *hclsyntax.Body) []*hclsyntax.Attribute {
	var out []*hclsyntax.Attribute
	for _, a := range body.Attributes {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *hclsyntax.Attribute) int {
		return cmp.Compare(a.NameRange.Start.Byte, b.NameRange.Start.Byte)
	})
	return out
}

// value writes a value after what introduces it: a key, or the dash of a list.
func (w *writer) value(depth int, intro string, expr hclsyntax.Expression, want grammar.Value) {
	elem := grammar.Value{Type: grammar.Any}
	if want.Elem != nil {
		elem = *want.Elem
	}
	switch e := expr.(type) {
	case *hclsyntax.TupleConsExpr:
		if want.Type == grammar.TypeExpr {
			break
		}
		if len(e.Exprs) == 0 {
			w.line(depth, "%s []", intro)
			return
		}
		w.line(depth, "%s", intro)
		for _, x := range e.Exprs {
			w.value(depth+1, "-", x, elem)
		}
		return
	case *hclsyntax.ObjectConsExpr:
		if want.Type == grammar.TypeExpr {
			break
		}
		if len(e.Items) == 0 {
			w.line(depth, "%s {}", intro)
			return
		}
		w.line(depth, "%s", intro)
		for _, item := range e.Items {
			w.value(depth+1, w.key(item.KeyExpr, depth+1)+":", item.ValueExpr, elem)
		}
		return
	}
	w.line(depth, "%s %s", intro, w.scalar(expr, want, depth))
}

func (w *writer) key(expr hclsyntax.Expression, depth int) string {
	if k, ok := expr.(*hclsyntax.ObjectConsKeyExpr); ok {
		if word := hcl.ExprAsKeyword(k.Wrapped); word != "" && !k.ForceNonLiteral {
			return scalar(word, depth)
		}
		expr = k.Wrapped
	}
	text := w.template(expr)
	if strings.Contains(text, "\n") {
		return strconv.Quote(text)
	}
	return scalar(text, depth)
}

// scalar is an expression that is neither list nor map.
func (w *writer) scalar(expr hclsyntax.Expression, want grammar.Value, depth int) string {
	switch want.Type {
	case grammar.TypeExpr:
		if text := w.text(expr); !strings.ContainsAny(text, "\n#\"") {
			return text
		}
		return quoted(w.text(expr))
	case grammar.Reference, grammar.Keyword:
		if _, ok := expr.(*hclsyntax.ScopeTraversalExpr); ok {
			return w.text(expr)
		}
	}
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.UnaryOpExpr:
		if text := w.text(e); !strings.ContainsAny(text, " !\n") {
			return text
		}
	}
	return scalar(w.template(expr), depth)
}

func (w *writer) text(expr hclsyntax.Expression) string {
	return string(expr.Range().SliceBytes(w.src))
}

// template is an expression as the inside of a string.
func (w *writer) template(expr hclsyntax.Expression) string {
	switch e := expr.(type) {
	case *hclsyntax.TemplateExpr:
		var b strings.Builder
		for _, p := range e.Parts {
			if lit, ok := p.(*hclsyntax.LiteralValueExpr); ok {
				v, _ := lit.Value(nil)
				b.WriteString(escape(v.AsString()))
			} else {
				b.WriteString(w.part(p))
			}
		}
		return b.String()
	case *hclsyntax.TemplateWrapExpr:
		return "${" + w.text(e.Wrapped) + "}"
	}
	return "${" + w.text(expr) + "}"
}

// part is a sequence of a template.
func (w *writer) part(p hclsyntax.Expression) string {
	if !strings.HasPrefix(w.text(p), "%{") {
		return "${" + w.text(p) + "}"
	}
	switch e := p.(type) {
	case *hclsyntax.ConditionalExpr:
		return "%{ if " + w.text(e.Condition) + " }" + w.template(e.TrueResult) + "%{ else }" + w.template(e.FalseResult) + "%{ endif }"
	case *hclsyntax.TemplateJoinExpr:
		if f, ok := e.Tuple.(*hclsyntax.ForExpr); ok {
			names := f.ValVar
			if f.KeyVar != "" {
				names = f.KeyVar + ", " + names
			}
			return "%{ for " + names + " in " + w.text(f.CollExpr) + " }" + w.template(f.ValExpr) + "%{ endfor }"
		}
	}
	return w.text(p)
}

func escape(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}
