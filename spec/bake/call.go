package bake

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/eval"
)

// longest is how long an expression may become that is written out: a function
// that doubles what it is given, called by another, grows without a border.
const longest = 4096

// operators are bake's functions that are signs in a spec.
func operators() map[string]string {
	return map[string]string{
		"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%", "and": "&&", "or": "||",
		"equal": "==", "notequal": "!=", "greaterthan": ">", "greaterthanorequalto": ">=", "lessthan": "<", "lessthanorequalto": "<=",
	}
}

// known reports whether a function of bake can be said in a spec, whatever its
// arguments.
func known(name string) bool {
	_, operator := operators()[name]
	return sameFunctions()[name] || operator ||
		slices.Contains([]string{"absolute", "basename", "coalesce", "dirname", "hasindex", "indexof", "int", "index", "negate", "not", "replace", "reverselist", "sanitize"}, name)
}

// call is a function as a spec says it: by the same name, by another, by a
// sign, or, for one of the file's own, by what it gives back.
func (w *writing) call(e *hclsyntax.FunctionCallExpr) string {
	if fn := w.values.file.functions[e.Name]; fn != nil {
		return w.inline(fn, e)
	}
	if !known(e.Name) && e.Name != "regex_replace" {
		return w.frozen(e)
	}
	args := w.all(e.Args)
	if sign := operators()[e.Name]; sign != "" && len(args) == 2 {
		return "(" + w.expr(e.Args[0]) + " " + sign + " " + w.expr(e.Args[1]) + ")"
	}
	plain := func(name string) string {
		tail := ""
		if e.ExpandFinal {
			tail = "..."
		}
		return name + "(" + strings.Join(args, ", ") + tail + ")"
	}
	switch {
	case sameFunctions()[e.Name], e.Name == "basename", e.Name == "dirname":
		return plain(e.Name)
	case e.Name == "absolute":
		return plain("abs")
	case e.Name == "indexof":
		return plain("index")
	case e.Name == "reverselist":
		return plain("reverse")
	case e.Name == "coalesce" && !e.ExpandFinal:
		return w.coalesce(args)
	case len(args) == 1 && e.Name == "not":
		return "!" + w.operand(e.Args[0])
	case len(args) == 1 && e.Name == "negate":
		return "-" + w.operand(e.Args[0])
	case len(args) == 1 && e.Name == "int":
		return fmt.Sprintf("(%[1]s < 0 ? ceil(%[1]s) : floor(%[1]s))", w.operand(e.Args[0]))
	case len(args) == 1 && e.Name == "sanitize":
		return `replace(` + args[0] + `, "/[^a-zA-Z0-9_-]/", "_")`
	case len(args) == 2 && e.Name == "index":
		return w.operand(e.Args[0]) + "[" + args[1] + "]"
	case len(args) == 2 && e.Name == "hasindex":
		return "can(" + w.operand(e.Args[0]) + "[" + args[1] + "])"
	case len(args) == 3 && e.Name == "replace" && !slashed(e.Args[1]):
		return plain("replace")
	case len(args) == 3 && e.Name == "regex_replace":
		if inner, ok := quotedInside(args[1]); ok && !strings.Contains(inner, "${") {
			args[1] = `"/` + inner + `/"`
			return plain("replace")
		}
	}
	return w.frozen(e)
}

// slashed reports whether a search would be taken for a regular expression
// there: one between slashes is.
func slashed(e hclsyntax.Expression) bool {
	v, ds := e.Value(nil)
	if ds.HasErrors() {
		return false
	}
	s, _ := text(v)
	return len(s) > 1 && strings.HasPrefix(s, "/") && strings.HasSuffix(s, "/")
}

// coalesce is the first that is not null: the function of that name in a spec
// passes empty strings over, too.
func (w *writing) coalesce(args []string) string {
	args = slices.DeleteFunc(args, func(a string) bool { return a == "null" })
	if len(args) == 0 {
		return "null"
	}
	out := args[len(args)-1]
	for _, a := range slices.Backward(args[:len(args)-1]) {
		out = "(" + a + " != null ? " + a + " : " + out + ")"
		if len(out) > longest {
			return w.fail("coalesce, written out, is too long")
		}
	}
	return out
}

// frozen is the value that a call has now, where specs have no such function.
func (w *writing) frozen(e *hclsyntax.FunctionCallExpr) string {
	vars := map[string]cty.Value{}
	if w.scope != nil {
		maps.Copy(vars, w.scope.vars)
	}
	maps.Copy(vars, w.vals)
	v, ds := w.values.try(expr{Expression: e}, &scope{vars: vars})
	switch {
	case ds.HasErrors() || w.depth > 0 && len(w.bound) > 0 || w.usesEach(e):
		return w.fail("specs have no function %s", e.Name)
	case !v.IsWhollyKnown():
		return w.fail("%s gives another value each time, or depends on the machine", strings.Join(impureIn(e, w.values.file), ", "))
	}
	w.out.lost = append(w.out.lost, fmt.Sprintf("specs have no function %s, so %s stands here, which is what it gives with the variables as they are", e.Name, literal(v)))
	return literal(v)
}

func (w *writing) usesEach(e hclsyntax.Expression) bool {
	return w.scope != nil && slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool { return w.scope.each[t.RootName()] != "" })
}

// inline is a call of the file's own function, written out.
func (w *writing) inline(fn *userFunction, e *hclsyntax.FunctionCallExpr) string {
	const deepest = 16
	if w.depth >= deepest || e.ExpandFinal || len(e.Args) < len(fn.params) || fn.variadic == "" && len(e.Args) > len(fn.params) {
		return w.fail("the function %s cannot be written out", fn.name)
	}
	bound, vals := map[string]printed{}, map[string]cty.Value{}
	for i, name := range fn.params {
		w.argument(bound, vals, name, e.Args[i])
	}
	if fn.variadic != "" {
		rest := &hclsyntax.TupleConsExpr{Exprs: e.Args[len(fn.params):], SrcRange: e.Range()}
		w.argument(bound, vals, fn.variadic, rest)
	}
	inner := &writing{printer: w.printer, bound: bound, vals: vals, depth: w.depth + 1}
	s := inner.expr(fn.result.Expression)
	if len(s) > longest {
		return w.fail("the function %s, written out, is too long", fn.name)
	}
	w.out.vars = w.out.vars || inner.out.vars
	w.out.each = w.out.each || inner.out.each
	w.out.lost = append(w.out.lost, inner.out.lost...)
	if inner.out.none != "" {
		return w.fail("%s", inner.out.none)
	}
	return s
}

// argument binds a parameter: to its value where that is decided by now, else
// to the expression.
func (w *writing) argument(bound map[string]printed, vals map[string]cty.Value, name string, e hclsyntax.Expression) {
	constant := !slices.ContainsFunc(w.values.uses(&expr{Expression: e}, map[string]bool{}), func(u eval.Use) bool {
		_, ok := w.constantOf(u.Name)
		return !ok
	})
	if constant {
		vars := map[string]cty.Value{}
		if w.scope != nil {
			maps.Copy(vars, w.scope.vars)
		}
		maps.Copy(vars, w.vals)
		if v, ds := w.values.try(expr{Expression: e}, &scope{vars: vars}); !ds.HasErrors() && v.IsWhollyKnown() {
			vals[name] = v
			return
		}
	}
	bound[name] = printed{text: w.expr(e)}
}

// callsIn are the functions that an expression calls.
func callsIn(e hclsyntax.Node) []string {
	var out []string
	// The walk's own errors are those that this function gives: none.
	_ = hclsyntax.VisitAll(unwrap(e), func(n hclsyntax.Node) hcl.Diagnostics {
		if c, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			out = append(out, c.Name)
		}
		return nil
	})
	return out
}

func unwrap(n hclsyntax.Node) hclsyntax.Node {
	switch e := n.(type) {
	case *expr:
		return e.Expression
	case expr:
		return e.Expression
	}
	return n
}

// impureIn are the functions of an expression that have no fixed value.
func impureIn(e hclsyntax.Node, f *file) []string {
	var out []string
	for _, name := range callsIn(e) {
		if slices.Contains(impure(), name) {
			out = append(out, name+"()")
		}
		if fn := f.functions[name]; fn != nil {
			out = append(out, impureIn(fn.result.Expression, f)...)
		}
	}
	return slices.Compact(out)
}
