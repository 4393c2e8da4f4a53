package eval

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
)

// Check finds what is wrong with an expression whatever its names come to: the
// scope holds unknown values of the right types. Every part is evaluated by
// itself, also what `&&` or a condition would pass over; what stands in try()
// and can() may fail and is left alone.
//
// With samples the lists and maps of the scope are not what they will be: they
// hold one element that stands for any, or have a type that stands for several.
// Only mistakes count then that no element mends, such as a name that nothing
// has.
func (s Scope) Check(expr hcl.Expression, samples bool) diag.List {
	node, ok := expr.(hclsyntax.Expression)
	if !ok {
		return nil
	}
	c := &checker{scope: s, samples: samples, scopes: []*hcl.EvalContext{s.Context}}
	_ = hclsyntax.Walk(node, c)
	return c.scope.Diagnostics(expr, c.found)
}

// checker walks an expression with the names of the `for`s around each part.
type checker struct {
	scope   Scope
	samples bool
	scopes  []*hcl.EvalContext
	fors    []*hclsyntax.ForExpr
	guarded int // depth below try() and can()
	found   hcl.Diagnostics
}

// Enter evaluates a part. What hcl calls a child scope is a part of a `for`
// that is evaluated for each element.
func (c *checker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch e := n.(type) {
	case hclsyntax.ChildScope:
		c.scopes = append(c.scopes, c.inside(c.fors[len(c.fors)-1]))
		return nil
	case *hclsyntax.ForExpr:
		c.fors = append(c.fors, e)
	case *hclsyntax.FunctionCallExpr:
		if guards(e) {
			c.guarded++
		}
	}
	e, ok := n.(hclsyntax.Expression)
	if !ok || c.guarded > 0 {
		return nil
	}
	_, diags := e.Value(c.scopes[len(c.scopes)-1])
	for _, d := range diags {
		if !c.samples || sure(d) {
			c.found = append(c.found, d)
		}
	}
	return nil
}

// Exit leaves what Enter began.
func (c *checker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	switch e := n.(type) {
	case hclsyntax.ChildScope:
		c.scopes = c.scopes[:len(c.scopes)-1]
	case *hclsyntax.ForExpr:
		c.fors = c.fors[:len(c.fors)-1]
	case *hclsyntax.FunctionCallExpr:
		if guards(e) {
			c.guarded--
		}
	}
	return nil
}

func guards(e *hclsyntax.FunctionCallExpr) bool { return e.Name == "try" || e.Name == "can" }

// inside are the names that a part of a `for` sees: of the one element that
// there is, or of any.
func (c *checker) inside(e *hclsyntax.ForExpr) *hcl.EvalContext {
	outer := c.scopes[len(c.scopes)-1]
	key, value := cty.DynamicVal, cty.DynamicVal
	if all, diags := e.CollExpr.Value(outer); !diags.HasErrors() && all.IsKnown() && !all.IsNull() && all.CanIterateElements() {
		for it := all.ElementIterator(); it.Next(); {
			k, v := it.Element()
			key, value = cty.UnknownVal(k.Type()), v
		}
	}
	inner := outer.NewChild()
	inner.Variables = map[string]cty.Value{e.ValVar: value}
	if e.KeyVar != "" {
		inner.Variables[e.KeyVar] = key
	}
	return inner
}

// sure reports whether a mistake is one for any number of elements, of any type.
func sure(d *hcl.Diagnostic) bool {
	switch d.Summary {
	case "Not enough function arguments", "Too many function arguments":
		call, ok := d.Expression.(*hclsyntax.FunctionCallExpr)
		return ok && !call.ExpandFinal
	}
	return slices.Contains([]string{"Unsupported attribute", "Call to unknown function", "Unknown variable", "Invalid template interpolation value"}, d.Summary)
}
