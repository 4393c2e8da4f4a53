package bake

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// readJSON reads the JSON form: its strings are templates, and all else is
// what it is in HCL.
func (im *importer) readJSON(f *file, src []byte) {
	at := diag.Range{File: im.name}
	switch {
	case len(src) > syntax.MaxBytes:
		im.diags.Errorf(at, "File too large", "%s is %d bytes; a file of at most %d bytes is read.", im.name, len(src), syntax.MaxBytes)
	case !utf8.Valid(src):
		im.diags.Errorf(at, "Not a text file", "%s is not a text in UTF-8.", im.name)
	case nesting(src) > syntax.MaxDepth:
		im.diags.Errorf(at, "Nested too deep", "The brackets of %s nest more than %d deep.", im.name, syntax.MaxDepth)
	}
	if im.diags.HasErrors() {
		return
	}
	parsed, ds := json.Parse(src, im.name)
	if ds.HasErrors() || parsed == nil {
		im.innermost(syntax.Diagnostics(ds))
		return
	}
	attrs, ds := parsed.Body.JustAttributes()
	im.diags = append(im.diags, syntax.Diagnostics(ds)...)
	for _, name := range inOrder(attrs) {
		a := attrs[name]
		switch name {
		case "variable", "function", "group", "target":
			im.jsonBlocks(f, name, a.Expr)
		default:
			e := im.fromJSON(a.Expr)
			f.variables = append(f.variables, &variable{name: name, def: &e, fixed: true, at: syntax.Range(a.NameRange)})
		}
	}
}

// innermost reports the mistake of a file that does not parse. The parser says
// of each bracket around it, too, that it is not closed.
func (im *importer) innermost(ds diag.List) {
	if sorted := ds.Sorted(); len(sorted) > 0 {
		im.report(sorted[len(sorted)-1])
	}
}

// report takes a mistake that the language's own packages found. What they add
// about the language does not hold here.
func (im *importer) report(d diag.Diagnostic) {
	d.Detail, _, _ = strings.Cut(d.Detail, "\n\n")
	d.Fix = nil
	im.diags = append(im.diags, d)
}

// nesting is how deep brackets nest, those in strings not told apart: too deep
// by that is no bake file either.
func nesting(src []byte) int {
	depth, most := 0, 0
	for _, c := range src {
		switch c {
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

func inOrder(attrs hcl.Attributes) []string {
	out := make([]string, 0, len(attrs))
	for name := range attrs {
		out = append(out, name)
	}
	// Where two stand on one byte there is only one of them.
	sortBy(out, func(name string) int { return attrs[name].Range.Start.Byte })
	return out
}

// jsonBlocks are the blocks of a kind, by name.
func (im *importer) jsonBlocks(f *file, kind string, e hcl.Expression) {
	pairs, ok := im.pairs(e, kind)
	if !ok {
		return
	}
	for _, p := range pairs {
		in := &input{kind: kind, labels: []string{p.name}, at: p.at}
		if im.jsonBody(in, p.value) {
			im.declare(f, in)
		}
	}
}

// jsonBody reads the attributes of a block; `validation` of a variable is a
// block in it, or several.
func (im *importer) jsonBody(in *input, e hcl.Expression) bool {
	in.attrs, in.places = map[string]expr{}, map[string]diag.Range{}
	bodies := []hcl.Expression{e}
	if list, ds := hcl.ExprList(e); !ds.HasErrors() {
		bodies = list
	}
	for _, b := range bodies {
		pairs, ok := im.pairs(b, in.kind)
		if !ok {
			return false
		}
		for _, p := range pairs {
			if in.kind == "variable" && p.name == "validation" {
				im.jsonValidation(in, p.value, p.at)
				continue
			}
			v := im.fromJSON(p.value)
			if in.kind == "variable" && p.name == "type" {
				v = im.typeOf(v)
			}
			in.set(p.name, v, p.at)
		}
	}
	return true
}

func (im *importer) jsonValidation(in *input, e hcl.Expression, at diag.Range) {
	all := []hcl.Expression{e}
	if list, ds := hcl.ExprList(e); !ds.HasErrors() {
		all = list
	}
	for _, v := range all {
		child := &input{kind: "validation", at: at}
		if im.jsonBody(child, v) {
			in.blocks = append(in.blocks, child)
		}
	}
}

// typeOf reads a type that is a string.
func (im *importer) typeOf(e expr) expr {
	v, ds := e.Value(nil)
	if ds.HasErrors() || !isString(v) {
		return e
	}
	parsed, problems := syntax.ParseExpression(im.name, []byte(v.AsString()))
	if h, ok := parsed.(hclsyntax.Expression); ok && !problems.HasErrors() {
		return expr{h, e.at}
	}
	im.diags.Errorf(e.at, "Not a type", "%q is not a type, such as string or list(string).", v.AsString())
	return e
}

// pair is an entry of an object.
type pair struct {
	name  string
	value hcl.Expression
	at    diag.Range
}

func (im *importer) pairs(e hcl.Expression, kind string) ([]pair, bool) {
	all, ds := hcl.ExprMap(e)
	if ds.HasErrors() {
		im.diags.Errorf(syntax.Range(e.Range()), "Not an object", "A %s in JSON is an object.", kind)
		return nil, false
	}
	var out []pair
	for _, kv := range all {
		k, ds := kv.Key.Value(nil)
		if ds.HasErrors() || !isString(k) {
			im.diags.Errorf(syntax.Range(kv.Key.Range()), "Not a name", "The names in a %s are strings without ${…}.", kind)
			return nil, false
		}
		if name := k.AsString(); name != "//" { // a comment by JSON's custom
			out = append(out, pair{name, kv.Value, syntax.Range(kv.Key.Range())})
		}
	}
	return out, true
}

// fromJSON is a value of JSON as an expression of HCL.
func (im *importer) fromJSON(e hcl.Expression) expr {
	at := syntax.Range(e.Range())
	v, ds := e.Value(nil)
	if ds.HasErrors() {
		im.diags = append(im.diags, syntax.Diagnostics(ds)...)
		return expr{&hclsyntax.LiteralValueExpr{Val: cty.NullVal(cty.String), SrcRange: e.Range()}, at}
	}
	switch t := v.Type(); {
	case !v.IsNull() && t == cty.String:
		return expr{im.template(v.AsString(), at), at}
	case !v.IsNull() && t.IsTupleType():
		list, _ := hcl.ExprList(e)
		tuple := &hclsyntax.TupleConsExpr{SrcRange: e.Range(), OpenRange: e.Range()}
		for _, el := range list {
			tuple.Exprs = append(tuple.Exprs, im.fromJSON(el).Expression)
		}
		return expr{tuple, at}
	case !v.IsNull() && t.IsObjectType():
		pairs, _ := hcl.ExprMap(e)
		object := &hclsyntax.ObjectConsExpr{SrcRange: e.Range(), OpenRange: e.Range()}
		for _, kv := range pairs {
			object.Items = append(object.Items, hclsyntax.ObjectConsItem{
				KeyExpr:   &hclsyntax.ObjectConsKeyExpr{Wrapped: im.fromJSON(kv.Key).Expression},
				ValueExpr: im.fromJSON(kv.Value).Expression,
			})
		}
		return expr{object, at}
	}
	return expr{&hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}, at}
}

// template is the inside of a string.
func (im *importer) template(s string, at diag.Range) hclsyntax.Expression {
	literal := &hclsyntax.LiteralValueExpr{Val: cty.StringVal(s), SrcRange: syntax.HCLRange(at)}
	if !bytes.ContainsAny([]byte(s), "$%") {
		return &hclsyntax.TemplateExpr{Parts: []hclsyntax.Expression{literal}, SrcRange: syntax.HCLRange(at)}
	}
	parsed, problems := syntax.ParseTemplate(im.name, []byte(s))
	if h, ok := parsed.(hclsyntax.Expression); ok && !problems.HasErrors() {
		return h
	}
	if len(problems) > 0 {
		problems[0].Range = at
		im.report(problems[0])
	}
	return literal
}
