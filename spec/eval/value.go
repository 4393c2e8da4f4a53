package eval

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Scope is what an expression can see.
type Scope struct {
	Context *hcl.EvalContext
	// Source gives the bytes of a file as they were parsed, by the name in
	// ranges, for fixes; nil where there are none.
	Source func(file string) []byte
}

// Value evaluates an expression. The value is unknown where there are errors,
// and no larger than a function may make.
func (s Scope) Value(expr hcl.Expression) (cty.Value, diag.List) {
	v, diags := expr.Value(s.Context)
	if diags.HasErrors() {
		return cty.DynamicVal, s.Diagnostics(expr, diags)
	}
	if _, old := expr.(*hclsyntax.ScopeTraversalExpr); old {
		return v, s.Diagnostics(expr, diags) // was judged when it was made
	}
	if err := tooLarge(v, 0); err != nil {
		var l diag.List
		l.Errorf(syntax.Range(expr.Range()), "Value out of bounds", "%s.", sentence(err.Error()))
		return cty.DynamicVal, l
	}
	return v, s.Diagnostics(expr, diags)
}

// Diagnostics converts what hcl reports about an expression, with what the
// scope knows: the names that there are, and that a value is a reference. One
// mistake is one message.
func (s Scope) Diagnostics(expr hcl.Expression, diags hcl.Diagnostics) diag.List {
	var l diag.List
	seen := make(map[diag.Range]bool)
	for _, d := range diags {
		out := s.diagnostic(expr, d)
		if !out.Range.IsZero() && seen[out.Range] {
			continue
		}
		seen[out.Range] = true
		l = append(l, out)
	}
	return l
}
