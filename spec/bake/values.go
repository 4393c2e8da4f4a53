package bake

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// values evaluates expressions as bake would, with every variable at its
// default.
type values struct {
	file  *file
	diags *diag.List
	ctx   *hcl.EvalContext
	of    map[string]cty.Value // what variables are worth
	depth int                  // of calls of the file's own functions
}

// newValues evaluates the variables in the order in which they use each other.
func newValues(f *file, diags *diag.List) *values {
	v := &values{file: f, diags: diags, of: map[string]cty.Value{}}
	v.of["BAKE_CMD_CONTEXT"] = cty.StringVal("cwd://")
	v.of["BAKE_LOCAL_PLATFORM"] = cty.StringVal("linux/amd64")
	v.ctx = &hcl.EvalContext{Variables: v.of, Functions: bakeFunctions()}
	for name, fn := range f.functions {
		v.ctx.Functions[name] = v.userFunction(fn)
	}
	defs := make([]eval.Definition, len(f.variables))
	for i, x := range f.variables {
		defs[i] = eval.Definition{Name: x.name, Range: x.at, Uses: v.uses(x.def, map[string]bool{})}
	}
	order, ds := eval.Order(defs)
	*diags = append(*diags, ds...)
	for _, i := range order {
		v.variable(f.variables[i])
	}
	return v
}

// uses are the variables that an expression names, those of the functions that
// it calls included.
func (v *values) uses(e *expr, called map[string]bool) []eval.Use {
	var out []eval.Use
	if e == nil {
		return nil
	}
	for _, t := range e.Variables() {
		out = append(out, eval.Use{Name: t.RootName(), Range: e.at})
	}
	for _, name := range callsIn(e) {
		fn := v.file.functions[name]
		if fn == nil || called[name] {
			continue
		}
		called[name] = true
		for _, u := range v.uses(&fn.result, called) {
			if !slices.Contains(fn.params, u.Name) && u.Name != fn.variadic {
				out = append(out, eval.Use{Name: u.Name, Range: e.at})
			}
		}
	}
	return out
}

// variable evaluates a default. One without is the empty string, or null where
// a type is said: that is what bake does.
func (v *values) variable(x *variable) {
	if x.def == nil {
		v.of[x.name] = cty.StringVal("")
		if x.typ != nil {
			v.of[x.name] = cty.NullVal(cty.DynamicPseudoType)
		}
		return
	}
	val, ok := v.value(*x.def, nil)
	if !ok {
		val = cty.DynamicVal
	}
	if x.typ != nil {
		val = v.typed(x, val)
	}
	v.of[x.name] = val
}

func (v *values) typed(x *variable, val cty.Value) cty.Value {
	t, defaults, ds := typeexpr.TypeConstraintWithDefaults(x.typ.Expression)
	if ds.HasErrors() {
		v.diags.Errorf(x.typ.at, "Not a type", "The type of %s is none that bake knows, such as string, number, bool or list(string).", x.name)
		return val
	}
	if defaults != nil && !val.IsNull() {
		val = defaults.Apply(val)
	}
	out, err := convert.Convert(val, t)
	if err != nil {
		v.diags.Errorf(x.def.at, "Invalid value", "The default of %s is not of its type: %s.", x.name, err)
		return val
	}
	return out
}

// value evaluates an expression within a scope, and reports what is wrong.
func (v *values) value(e expr, s *scope) (cty.Value, bool) {
	val, ds := v.try(e, s)
	if !ds.HasErrors() {
		return val, true
	}
	for _, d := range syntax.Diagnostics(ds) {
		if d.Range.File == "" || !within(d.Range, e.at) {
			d.Range = e.at
		}
		d.Detail, _, _ = strings.Cut(d.Detail, "\n\n") // that is about specs
		if strings.Contains(d.Detail, `named "target"`) {
			d.Detail = "What another target says, target.name.attribute, is not followed by this import. Make it a variable that both name."
		}
		*v.diags = append(*v.diags, d)
	}
	return cty.DynamicVal, false
}

// within reports whether a place lies in an expression. Places in JSON's
// strings count from the string's own begin, so they do not.
func within(r, outer diag.Range) bool {
	return r.Start.Byte >= outer.Start.Byte && r.End.Byte <= outer.End.Byte && r.File == outer.File
}

// try evaluates. A variable that is null is one that the environment sets: a
// string that it stands in is taken with nothing in its place.
func (v *values) try(e expr, s *scope) (cty.Value, hcl.Diagnostics) {
	val, ds := v.within(v.ctx, e, s)
	if !ds.HasErrors() {
		return val, ds
	}
	given := v.ctx.NewChild()
	given.Variables = map[string]cty.Value{}
	for name, x := range v.of {
		if x.IsNull() {
			given.Variables[name] = cty.StringVal("")
		}
	}
	if again, more := v.within(given, e, s); len(given.Variables) > 0 && !more.HasErrors() {
		return again, nil
	}
	return val, ds
}

func (v *values) within(ctx *hcl.EvalContext, e expr, s *scope) (cty.Value, hcl.Diagnostics) {
	if s != nil && len(s.vars) > 0 {
		ctx = ctx.NewChild()
		ctx.Variables = s.vars
	}
	return e.Value(ctx)
}

// userFunction is a function of the file, to be called. One that calls itself
// is stopped.
func (v *values) userFunction(fn *userFunction) function.Function {
	spec := &function.Spec{Type: function.StaticReturnType(cty.DynamicPseudoType)}
	for _, p := range fn.params {
		spec.Params = append(spec.Params, function.Parameter{Name: p, Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true})
	}
	if fn.variadic != "" {
		spec.VarParam = &function.Parameter{Name: fn.variadic, Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true}
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		const deepest = 32
		if v.depth >= deepest {
			return cty.DynamicVal, fmt.Errorf("%s calls itself", fn.name)
		}
		v.depth++
		defer func() { v.depth-- }()
		ctx := v.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{}
		for i, p := range fn.params {
			ctx.Variables[p] = args[i]
		}
		if fn.variadic != "" {
			ctx.Variables[fn.variadic] = cty.TupleVal(args[len(fn.params):])
		}
		val, ds := fn.result.Value(ctx)
		if ds.HasErrors() {
			return cty.DynamicVal, fmt.Errorf("in %s: %s", fn.name, strings.TrimSuffix(ds[0].Detail, "."))
		}
		return val, nil
	}
	return function.New(spec)
}

func isString(v cty.Value) bool {
	return v.IsKnown() && !v.IsNull() && v.Type() == cty.String
}

// text is a value as the string that bake makes of it; false for null, for what
// is not known, and for what is no scalar.
func text(v cty.Value) (string, bool) {
	if v == cty.NilVal || !v.IsKnown() || v.IsNull() || !v.Type().IsPrimitiveType() {
		return "", false
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() || !s.IsKnown() {
		return "", false
	}
	return s.AsString(), true
}

// elements are those of a list, a tuple or a set; null ones and empty strings,
// which bake leaves out, too.
func elements(v cty.Value) []cty.Value {
	if v == cty.NilVal || !v.IsKnown() || v.IsNull() || !v.CanIterateElements() || v.Type().IsMapType() || v.Type().IsObjectType() {
		return nil
	}
	return v.AsValueSlice()
}

// texts are the elements of a list as strings.
func texts(v cty.Value) []string {
	var out []string
	for _, e := range elements(v) {
		if s, ok := text(e); ok && s != "" {
			out = append(out, s)
		}
	}
	return out
}

func number(v cty.Value) string {
	f := v.AsBigFloat()
	if f.IsInt() {
		i, _ := f.Int(new(big.Int))
		return i.String()
	}
	return f.Text('g', -1)
}
