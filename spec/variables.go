package spec

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// given is the value of a variable as somebody handed it in.
type given struct {
	text  string         // --var and the environment: as written
	value cty.Value      // a file or a module block: already evaluated
	expr  hcl.Expression // of value, in a module block
	by    *decoder       // that evaluated expr
	from  string         // "--var version", for messages
	at    diag.Range
}

// inputs are where the variables of a module get their values.
type inputs interface {
	lookup(name string) (given, bool)
	// missing reports a variable that has no value.
	missing(v *variable, d *decoder)
}

// outside is the values that the user gives, by name. What is later in the
// slice wins.
type outside struct {
	vars  map[string]string
	files []map[string]given
	env   func(string) (string, bool)
}

func (in *outside) missing(v *variable, d *decoder) {
	d.diags.Errorf(v.header, "Variable without a value", "The variable %q has no default and was not set. Set it by --var %s=…, in a file given by --var-file, or by SPECBUILD_VAR_%s.", v.name, v.name, v.name)
}

// lookup finds a variable's value: --var, then the last file that has it,
// then the environment.
func (in *outside) lookup(name string) (given, bool) {
	if v, ok := in.vars[name]; ok {
		return given{text: v, from: "--var " + name}, true
	}
	for _, f := range slices.Backward(in.files) {
		if g, ok := f[name]; ok {
			return g, true
		}
	}
	const prefix = "SPECBUILD_VAR_"
	if in.env != nil {
		if v, ok := in.env(prefix + name); ok {
			return given{text: v, from: prefix + name}, true
		}
	}
	return given{}, false
}

func (f *folder) collectVariable(d *decoder, b *hclsyntax.Block, name string) {
	if first, ok := f.variables[name]; ok {
		d.declaredTwice(b, variableBlock.name, name, first.header)
		return
	}
	f.variables[name] = &variable{name: name, header: headerRange(b), block: b}
}

// decodeVariables reads the blocks once all names are known, since a mistake
// in one is answered with the names that there are.
func (f *folder) decodeVariables(l *diag.List) {
	d := &decoder{mod: &module{folder: f}, diags: l, ctx: &hcl.EvalContext{Functions: f.functions}}
	for _, name := range f.variableNames() {
		v := f.variables[name]
		decoded, _ := variableBlock.decode(d, source{label: name, body: v.block.Body, header: v.header})
		f.variables[name] = decoded
	}
}

// evaluateVariables gives each variable its value. One that is wrong becomes
// unknown, so that what uses it is not reported as well.
func (m *module) evaluateVariables(in inputs, partial bool, l *diag.List) {
	m.values = make(map[string]cty.Value, len(m.variables))
	refs := map[string]cty.Value{"scratch": refValue(Addr{Kind: KindScratch})}
	for _, kind := range refKinds {
		refs[string(kind)] = cty.ObjectVal(m.references(kind))
	}
	d := &decoder{mod: m, diags: l, ctx: &hcl.EvalContext{Variables: refs, Functions: m.functions}}
	sources := map[string]diag.Range{}
	for _, name := range m.variableNames() {
		v := m.variables[name]
		value, at, ok := v.value(d, in, partial)
		if !ok {
			value = cty.DynamicVal
		}
		m.values[name], sources[name] = value, at
	}
	d.ctx.Variables = map[string]cty.Value{"var": cty.ObjectVal(m.values)}
	for _, name := range m.variableNames() {
		if m.values[name].IsWhollyKnown() {
			for _, c := range m.variables[name].validations {
				c.judge(d, name, sources[name])
			}
		}
	}
}

// value is the variable's value of its type, and the place that gave it.
func (v *variable) value(d *decoder, in inputs, partial bool) (cty.Value, diag.Range, bool) {
	typ, ok := v.constraint(d)
	def, defOK := v.defaultValue(d, typ)
	if !ok || !defOK {
		return cty.DynamicVal, v.header, false
	}
	if g, found := in.lookup(v.name); found {
		value, err := g.convert(d, typ)
		if err != nil {
			at := v.header
			if !g.at.IsZero() {
				at = g.at
			}
			d.diags.Errorf(at, "Invalid value", "The variable %q was given by %s: %s.", v.name, g.from, strings.TrimSuffix(err.Error(), "."))
			return cty.DynamicVal, at, false
		}
		if !g.at.IsZero() {
			return value, g.at, true
		}
		return value, v.header, true
	}
	switch {
	case v.def.Expr != nil:
		return def, syntax.Range(v.def.Expr.Range()), true
	case partial:
		return cty.UnknownVal(typ.wanted), v.header, true
	}
	in.missing(v, d)
	return cty.DynamicVal, v.header, false
}

// constraint is what a variable's value must be.
type constraint struct {
	wanted   cty.Type
	defaults *typeexpr.Defaults
	kinds    []Kind // for a reference
}

// referenceTypes are the types of variables that hold references. All have
// one type in cty, so the kinds are compared by name.
var referenceTypes = map[string][]Kind{
	"context":    {KindContext},
	"filesystem": {KindScratch, KindBase, KindStage, KindImage, KindContext},
	"secret":     {KindSecret},
	"repository": {KindRepository},
}

func (v *variable) constraint(d *decoder) (constraint, bool) {
	if v.typ.Expr == nil {
		return constraint{wanted: cty.DynamicPseudoType}, true
	}
	if kinds, ok := referenceTypes[hcl.ExprAsKeyword(v.typ.Expr)]; ok {
		return constraint{wanted: eval.RefType, kinds: kinds}, true
	}
	typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(v.typ.Expr)
	if diags.HasErrors() {
		at := syntax.Range(v.typ.Expr.Range())
		detail := diags[0].Detail
		if diags[0].Subject != nil {
			at = syntax.Range(*diags[0].Subject)
		}
		if text, isText := v.typ.Expr.(*hclsyntax.TemplateExpr); isText && text.IsStringLiteral() {
			detail = "A type is written without quotes."
		}
		d.diags.Errorf(at, "Invalid type", "%s Types are string, number, bool, any, list(…), set(…), map(…), tuple([…]) and object({…}), and context, filesystem, secret and repository for references.", detail)
		return constraint{}, false
	}
	return constraint{wanted: typ, defaults: defaults}, true
}

// defaultValue is the default, which may use functions and, where a reference
// is asked, references, but no other variable.
func (v *variable) defaultValue(d *decoder, typ constraint) (cty.Value, bool) {
	if v.def.Expr == nil {
		return cty.DynamicVal, true
	}
	for _, m := range eval.Mentions(v.def.Expr) {
		decl := d.mod.blocks[kindOf(m.Root())][m.Name(1)]
		if root := m.Root(); root != "scratch" && kindOf(root) == "" || decl != nil && decl.forEach != nil {
			if !slices.Contains(rootNames, root) {
				break // reported as unknown below
			}
			d.diags.Errorf(m.Range, "Not a constant", "The default of a variable is a constant; %s is not. A value that is computed is an entry of locals.", strings.Join(m.Path, "."))
			return cty.DynamicVal, false
		}
	}
	value, ok := d.value(v.def.Expr, variableBlock.fixed)
	if !ok || typ.wanted == cty.NilType {
		return cty.DynamicVal, ok
	}
	in := input{v: value, expr: v.def.Expr, name: "default"}
	if typ.wanted == cty.String && !value.IsNull() && value.IsKnown() {
		// Not convert.Convert, which would make "1.2" of 1.20.
		s, err := eval.String(value, v.def.Expr, in.source(d))
		if err != nil {
			d.refused(in, err)
		}
		return cty.StringVal(s), err == nil
	}
	value, err := typ.convert(value)
	if err != nil {
		d.refused(in, err)
	}
	return value, err == nil
}

// convert makes a value what the variable asks for.
func (c constraint) convert(v cty.Value) (cty.Value, error) {
	if r, ok := eval.AsRef(v); ok && c.kinds != nil {
		if !slices.Contains(c.kinds, Kind(r.Kind)) {
			return v, fmt.Errorf("%s is not of a kind that is asked for here", r)
		}
		return v, nil
	}
	if v.IsNull() {
		return cty.NullVal(c.wanted.WithoutOptionalAttributesDeep()), nil
	}
	if c.defaults != nil {
		v = c.defaults.Apply(v)
	}
	out, err := convert.Convert(v, c.wanted)
	if err != nil {
		if c.kinds != nil {
			return v, fmt.Errorf("a reference is needed, not %s", eval.Describe(v))
		}
		return v, fmt.Errorf("%s does not fit the type: %w", eval.Describe(v), err)
	}
	return out, nil
}

// convert reads what was handed in as the type asks: a string as it is
// written, so that a version needs no quotes inside the shell's, everything
// else as an expression of the language, in which a reference may stand.
func (g given) convert(d *decoder, typ constraint) (cty.Value, error) {
	if g.expr != nil && typ.wanted == cty.String && g.value.IsKnown() && !g.value.IsNull() {
		// Not convert.Convert, which would make "1.2" of 1.20.
		s, err := eval.String(g.value, g.expr, input{expr: g.expr}.source(g.by))
		return cty.StringVal(s), err
	}
	if g.value != cty.NilVal {
		return typ.convert(g.value)
	}
	if typ.wanted == cty.String || typ.wanted == cty.DynamicPseudoType {
		return cty.StringVal(g.text), nil
	}
	expr, problems := syntax.ParseExpression(g.from, []byte(g.text))
	if problems.HasErrors() {
		return cty.NilVal, fmt.Errorf("%q does not parse: %s", g.text, problems[0].Detail)
	}
	var l diag.List
	inner := *d
	inner.diags = &l
	v, _ := inner.value(expr, variableBlock.fixed)
	if l.HasErrors() {
		return cty.NilVal, fmt.Errorf("%q: %s", g.text, l[0].Detail)
	}
	return typ.convert(v)
}

// judge reports a value that does not meet the condition, where it was given.
// The author's sentence ends the message: it knows what is asked.
func (c *validation) judge(d *decoder, name string, at diag.Range) {
	if c.condition.Expr == nil || c.message.Expr == nil {
		return
	}
	inner := *d
	inner.fixed = variableBlock.fixed
	ok, st := evaluate(&inner, row{name: "condition"}, boolean, &c.condition)
	if st != known || ok {
		return
	}
	message, st := evaluate(&inner, row{name: "error_message"}, text, &c.message)
	if st == known {
		d.report(at, "Invalid value", "The variable %q is %s. %s", []any{name, eval.Describe(d.mod.values[name]), message},
			diag.Note{Message: "This condition is not met.", Range: c.header})
	}
}

// readVarFiles reads the files of --var-file, *.hcl or *.json.
func readVarFiles(opts Options, files map[string][]byte, l *diag.List) []map[string]given {
	var out []map[string]given
	for _, arg := range opts.VarFiles {
		name := filepath.ToSlash(arg)
		data, err := readRegular(inDir(opts.Dir, arg))
		if err != nil {
			l.Errorf(diag.Range{File: name}, "File not read", "The file of --var-file %s cannot be read: %s.", name, reason(err))
			continue
		}
		files[name] = data
		switch filepath.Ext(name) {
		case ".hcl":
			out = append(out, readVarHCL(name, data, l))
		case ".json":
			out = append(out, readVarJSON(name, data, l))
		default:
			l.Errorf(diag.Range{File: name}, "File not read", "A file of --var-file ends in .hcl or .json; this is %s.", name)
		}
	}
	return out
}

func readVarHCL(name string, data []byte, l *diag.List) map[string]given {
	f, problems := syntax.Parse(name, data)
	*l = append(*l, problems...)
	if problems.HasErrors() {
		return nil
	}
	body := bodyOf(f)
	for _, b := range body.Blocks {
		l.Errorf(headerRange(b), "Unknown block", "A file of --var-file has values only: write %s = …, with an equals sign.", b.Type)
	}
	out := map[string]given{}
	for _, a := range sortedAttributes(body) {
		scope := eval.Scope{Context: &hcl.EvalContext{}}
		v, problems := scope.Value(a.Expr)
		*l = append(*l, problems...)
		if !problems.HasErrors() {
			out[a.Name] = given{value: v, from: name, at: syntax.Range(a.Expr.Range())}
		}
	}
	return out
}

func readVarJSON(name string, data []byte, l *diag.List) map[string]given {
	at := diag.Range{File: name}
	typ, err := ctyjson.ImpliedType(data)
	if err == nil && !typ.IsObjectType() {
		err = errors.New("it is not an object")
	}
	var v cty.Value
	if err == nil {
		v, err = ctyjson.Unmarshal(data, typ)
	}
	if err != nil || v.IsNull() {
		l.Errorf(at, "File not read", "%s is not JSON with a value for each variable: %v.", name, err)
		return nil
	}
	out := map[string]given{}
	for n, e := range v.AsValueMap() {
		out[n] = given{value: e, from: name, at: at}
	}
	return out
}
