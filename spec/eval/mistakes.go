package eval

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// diagnostic words one mistake: hcl knows what failed, the scope knows what
// there is.
func (s Scope) diagnostic(expr hcl.Expression, d *hcl.Diagnostic) diag.Diagnostic {
	out := syntax.Diagnostic(d)
	switch d.Summary {
	case "Unknown variable", "Variables not allowed":
		s.unknownRoot(expr, d, &out)
	case "Unsupported attribute", "Missing map element", "Attempt to get attribute from null value":
		unknownAttribute(d, &out)
	case "Invalid index":
		invalidIndex(d, &out)
	case "Call to unknown function", "Function calls not allowed":
		unknownFunction(d, &out)
	case "Error in function call", "Invalid function argument", "Not enough function arguments", "Too many function arguments":
		failedCall(d, &out)
	case "Invalid template interpolation value":
		interpolation(d, &out)
	case "Inconsistent conditional result types":
		out.Summary = "Branches of different types"
		out.Detail = strings.Replace(out.Detail, "The true and false result expressions must have consistent types.", "Both branches of a condition must give values of one type.", 1)
	case "Operation failed", "Invalid operand":
		switch {
		case strings.Contains(d.Detail, "must not be null"):
			out.Summary, out.Detail = "Operand is null", "One side of this operation is null; a value is needed."
		case strings.Contains(d.Detail, "panic in"): // cty's arithmetic on infinities
			out.Detail = "This operation has no result for these values."
		}
	case "Incorrect key type":
		out.Summary, out.Detail = "Invalid key", "A key of an object is a string. In parentheses it is an expression, and this one gives no string."
	}
	return out
}

// unknownRoot reports a name that nothing has. Inside a string it is most
// often the shell's own.
func (s Scope) unknownRoot(expr hcl.Expression, d *hcl.Diagnostic, out *diag.Diagnostic) {
	name := rootName(d)
	out.Summary = "Unknown name"
	if d.Summary == "Variables not allowed" || name == "" {
		out.Detail = "No names can be used here: a constant is needed."
		return
	}
	out.Detail = fmt.Sprintf("There is nothing called %q here.%s", name, DidYouMean(name, variableNames(d.EvalContext)))
	if s.Source == nil || !insideTemplate(expr, d.Subject) {
		return
	}
	src := s.Source(out.Range.File)
	if opener, ok := syntax.TemplateOpener(out.Range.File, src, out.Range.Start.Byte); ok {
		out.Detail += "\n\n" + syntax.EscapeHint
		out.Fix = syntax.EscapeFix(src, opener)
	}
}

func rootName(d *hcl.Diagnostic) string {
	if t, ok := d.Expression.(*hclsyntax.ScopeTraversalExpr); ok {
		return t.Traversal.RootName()
	}
	return ""
}

// insideTemplate reports whether the range lies in an interpolation of expr.
func insideTemplate(expr hcl.Expression, at *hcl.Range) bool {
	node, ok := expr.(hclsyntax.Node)
	if !ok || at == nil {
		return false
	}
	found := false
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n.(type) {
		case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr:
			r := n.Range()
			found = found || r.Start.Byte <= at.Start.Byte && at.End.Byte <= r.End.Byte
		}
		return nil
	})
	return found
}

// unknownAttribute finds the value whose attribute was asked for and names
// what it has.
func unknownAttribute(d *hcl.Diagnostic, out *diag.Diagnostic) {
	owner, missing, written := brokenTraversal(d)
	if owner == cty.NilVal {
		return
	}
	if r, ok := AsRef(owner); ok {
		out.Summary = "Reference has no attributes"
		out.Detail = fmt.Sprintf("%s is a reference, to be handed on as it is: it has no attribute %q.", r, missing)
		return
	}
	if owner.Type() == RefType {
		out.Summary = "Reference has no attributes"
		out.Detail = fmt.Sprintf("%s is a reference, to be handed on as it is: it has no attribute %q.", written, missing)
		return
	}
	names := attributeNames(owner)
	switch {
	case owner.IsNull():
		out.Summary = "Value is null"
		out.Detail = fmt.Sprintf("%s is null, so it has no attribute %q.", written, missing)
	case owner.Type().IsPrimitiveType():
		out.Summary = "Value has no attributes"
		out.Detail = fmt.Sprintf("%s is a %s: it has no attribute %q.", written, owner.Type().FriendlyName(), missing)
	case owner.Type().IsObjectType() || owner.Type().IsMapType():
		out.Summary = "Unknown name"
		out.Detail = fmt.Sprintf("%s has no %q.%s", written, missing, DidYouMean(missing, names))
		if len(names) == 0 {
			out.Detail = fmt.Sprintf("There is no %s.%s: no %s is declared.", written, missing, written)
		}
	}
}

func invalidIndex(d *hcl.Diagnostic, out *diag.Diagnostic) {
	owner, missing, written := brokenTraversal(d)
	switch {
	case owner == cty.NilVal:
	case owner.Type() == RefType:
		out.Summary = "Reference cannot be indexed"
		out.Detail = fmt.Sprintf("%s is one thing, not several: it was declared without for_each.", written)
	case owner.Type().IsObjectType() || owner.Type().IsMapType():
		out.Summary = "Unknown key"
		out.Detail = fmt.Sprintf("%s has no key %q.%s", written, missing, DidYouMean(missing, attributeNames(owner)))
	}
}

// brokenTraversal walks the names of a failed expression as far as they
// exist: the value there, the step that it lacks, and the names so far.
func brokenTraversal(d *hcl.Diagnostic) (owner cty.Value, missing, written string) {
	t, ok := d.Expression.(*hclsyntax.ScopeTraversalExpr)
	if !ok || d.EvalContext == nil {
		return cty.NilVal, "", ""
	}
	owner, diags := t.Traversal[:1].TraverseAbs(d.EvalContext)
	if diags.HasErrors() {
		return cty.NilVal, "", ""
	}
	written = t.Traversal.RootName()
	for _, step := range t.Traversal[1:] {
		next, diags := step.TraversalStep(owner)
		name := stepName(step)
		if diags.HasErrors() {
			return owner, name, written
		}
		owner = next
		if _, isIndex := step.(hcl.TraverseIndex); isIndex {
			written += "[" + fmt.Sprintf("%q", name) + "]"
		} else {
			written += "." + name
		}
	}
	return cty.NilVal, "", ""
}

func stepName(step hcl.Traverser) string {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString()
		}
		if s.Key.Type() == cty.Number && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsBigFloat().Text('f', -1)
		}
	}
	return ""
}

func attributeNames(v cty.Value) []string {
	var names []string
	switch {
	case v.Type().IsObjectType():
		for n := range v.Type().AttributeTypes() {
			names = append(names, n)
		}
	case v.Type().IsMapType() && v.IsKnown() && !v.IsNull():
		for n := range v.AsValueMap() {
			names = append(names, n)
		}
	}
	return names
}

func variableNames(ctx *hcl.EvalContext) []string {
	var names []string
	for ; ctx != nil; ctx = ctx.Parent() {
		for n := range ctx.Variables {
			names = append(names, n)
		}
	}
	return names
}

func unknownFunction(d *hcl.Diagnostic, out *diag.Diagnostic) {
	out.Summary = "Unknown function"
	call, ok := d.Expression.(*hclsyntax.FunctionCallExpr)
	if !ok {
		return
	}
	var names []string
	for ctx := d.EvalContext; ctx != nil; ctx = ctx.Parent() {
		for n := range ctx.Functions {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		out.Detail = "Functions cannot be called here: a constant is needed."
		return
	}
	out.Detail = fmt.Sprintf("There is no function %s().%s", call.Name, DidYouMean(call.Name, names))
	switch call.Name {
	case "env", "getenv":
		out.Detail += " The environment is not read: declare a variable, which SPECBUILD_VAR_name sets."
		return
	case "timestamp", "plantimestamp", "formatdate", "timeadd", "uuid":
		out.Detail += " All functions are pure: what is new each time is given as a variable, and does not belong into what is built but into `stamp`."
		return
	}
	if meant, ok := Closest(call.Name, names); ok {
		out.Fix = &diag.Fix{Range: syntax.Range(call.NameRange), Replacement: meant}
	}
}

// failedCall unwraps the error of a function and says which argument it is
// about.
func failedCall(d *hcl.Diagnostic, out *diag.Diagnostic) {
	extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	if !ok {
		return
	}
	out.Summary = "Function call failed"
	name := extra.CalledFunctionName()
	err := extra.FunctionCallError()
	if err == nil {
		out.Summary = "Wrong number of arguments"
		out.Detail = fmt.Sprintf("%s(): %s", name, strings.TrimPrefix(out.Detail, fmt.Sprintf("Function %q ", name)))
		return
	}
	if d.Summary == "Invalid function argument" {
		out.Summary = "Invalid function argument"
		if d.Expression != nil { // the whole argument, not its first token
			out.Range = syntax.Range(d.Expression.Range())
		}
	}
	out.Detail = fmt.Sprintf("%s(): %s.", name, strings.TrimSuffix(clearError(err), "."))
}

const cutShort = "the text ends before the document does"

// clearError is a function's error without Go's and cty's own words.
func clearError(err error) string {
	var p cty.PathError
	text := err.Error()
	if errors.As(err, &p) && len(p.Path) > 0 {
		text = "in " + pathText(p.Path) + ": " + text
	}
	return strings.NewReplacer("cty.", "", "dynamic", "any type", "tuple", "list", "unexpected EOF", cutShort, "EOF", cutShort).Replace(text)
}

func pathText(p cty.Path) string {
	var b strings.Builder
	for _, s := range p {
		switch s := s.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + s.Name)
		case cty.IndexStep:
			switch {
			case s.Key.IsKnown() && s.Key.Type() == cty.String:
				fmt.Fprintf(&b, "[%q]", s.Key.AsString())
			case s.Key.IsKnown() && s.Key.Type() == cty.Number:
				fmt.Fprintf(&b, "[%s]", s.Key.AsBigFloat().Text('f', -1))
			}
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}

func interpolation(d *hcl.Diagnostic, out *diag.Diagnostic) {
	out.Summary = "Cannot be put in string"
	if strings.Contains(d.Detail, "null") {
		out.Detail = "The value is null, and null has no text."
		return
	}
	if d.Expression == nil {
		return
	}
	v, diags := d.Expression.Value(d.EvalContext)
	if diags.HasErrors() {
		return
	}
	if ContainsRef(v) {
		out.Detail = sentence(refusal(v)) + "."
		return
	}
	out.Detail = fmt.Sprintf("The value is %s; a string, a number or a boolean is needed. jsonencode() or join() make a string of it.", Describe(v))
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
