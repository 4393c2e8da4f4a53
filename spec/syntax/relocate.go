package syntax

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// relocate puts every place of an expression elsewhere. An expression that
// was parsed out of a text of YAML has the places of that text, not of the
// file.
func relocate(expr hclsyntax.Expression, place func(hcl.Range) hcl.Range) {
	r := &relocation{place: place, done: map[hclsyntax.Node]bool{}}
	r.walk(expr)
}

// relocation remembers nodes, since hclsyntax lets one stand in two places.
type relocation struct {
	place func(hcl.Range) hcl.Range
	done  map[hclsyntax.Node]bool
}

func (r *relocation) walk(n hclsyntax.Node) {
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		_, scope := n.(hclsyntax.ChildScope) // not comparable, and without a place of its own
		if !scope && !r.done[n] {
			r.done[n] = true
			r.node(n)
		}
		return nil
	})
}

func (r *relocation) move(ranges ...*hcl.Range) {
	for _, g := range ranges {
		*g = r.place(*g)
	}
}

func (r *relocation) node(n hclsyntax.Node) {
	switch e := n.(type) {
	case *hclsyntax.ParenthesesExpr:
		r.move(&e.SrcRange)
	case *hclsyntax.LiteralValueExpr:
		r.move(&e.SrcRange)
	case *hclsyntax.ScopeTraversalExpr:
		r.move(&e.SrcRange)
		r.traversal(e.Traversal)
	case *hclsyntax.RelativeTraversalExpr:
		r.move(&e.SrcRange)
		r.traversal(e.Traversal)
	case *hclsyntax.FunctionCallExpr:
		r.move(&e.NameRange, &e.OpenParenRange, &e.CloseParenRange)
	case *hclsyntax.ConditionalExpr:
		r.move(&e.SrcRange)
	case *hclsyntax.IndexExpr:
		r.move(&e.SrcRange, &e.OpenRange, &e.BracketRange)
	case *hclsyntax.TupleConsExpr:
		r.move(&e.SrcRange, &e.OpenRange)
	case *hclsyntax.ObjectConsExpr:
		r.move(&e.SrcRange, &e.OpenRange)
	case *hclsyntax.ObjectConsKeyExpr:
		// The walk leaves out a key that is a bare word.
		if !r.done[e.Wrapped] {
			r.walk(e.Wrapped)
		}
	case *hclsyntax.ForExpr:
		r.move(&e.SrcRange, &e.OpenRange, &e.CloseRange)
	case *hclsyntax.SplatExpr:
		r.move(&e.SrcRange, &e.MarkerRange)
	case *hclsyntax.AnonSymbolExpr:
		r.move(&e.SrcRange)
	case *hclsyntax.ExprSyntaxError:
		r.move(&e.SrcRange)
	case *hclsyntax.BinaryOpExpr:
		r.move(&e.SrcRange)
	case *hclsyntax.UnaryOpExpr:
		r.move(&e.SrcRange, &e.SymbolRange)
	case *hclsyntax.TemplateExpr:
		r.move(&e.SrcRange)
	case *hclsyntax.TemplateWrapExpr:
		r.move(&e.SrcRange)
	}
}

// traversal moves the steps of a name; they are values, not nodes.
func (r *relocation) traversal(t hcl.Traversal) {
	for i, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			r.move(&s.SrcRange)
			t[i] = s
		case hcl.TraverseAttr:
			r.move(&s.SrcRange)
			t[i] = s
		case hcl.TraverseIndex:
			r.move(&s.SrcRange)
			t[i] = s
		case hcl.TraverseSplat:
			r.move(&s.SrcRange)
			t[i] = s
		}
	}
}
