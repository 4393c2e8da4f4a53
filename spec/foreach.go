package spec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

const forEachName = "for_each"

// maxEach is how many blocks one may stand for. What is larger is a mistake:
// an image for each day of three years.
const maxEach = 1000

// elementsOf is what a block with for_each stands for: one for each key, in
// the order of the keys.
type elementsOf struct {
	keys   []string
	values map[string]cty.Value
}

// forEachRow is the attribute of blocks that stand for several. It is
// evaluated before any of the block's others, and not here.
func forEachRow[T any](opts ...option) attribute[T] {
	return attribute[T]{
		row: newRow(forEachName, "a map, or a set of strings", grammar.Value{Type: grammar.Any},
			"makes one for each element, which the block sees as each.key and each.value; named by its key, as in stage.build[\"eu\"].", opts),
		decode: func(*decoder, *T, *hclsyntax.Attribute) {},
	}
}

// elementsOfBlock evaluates for_each on a block. It answers nil where the keys
// are not known, or wrong, which is reported.
func (d *decoder) elementsOfBlock(a *hclsyntax.Attribute) *elementsOf {
	v, ok := d.value(a.Expr, "`for_each` is decided before the platforms are")
	at := syntax.Range(a.Expr.Range())
	switch {
	case !ok:
		return nil
	case v.IsNull():
		d.diags.Errorf(at, "Invalid value", "for_each is null; a map or a set is needed, which may be empty.")
		return nil
	case !v.IsKnown():
		return nil
	case v.Type().IsTupleType() || v.Type().IsListType():
		d.diags.Errorf(at, "Wrong type", "for_each is a list, whose elements have no names of their own: write toset([…]), or a map.")
		return nil
	case !v.Type().IsObjectType() && !v.Type().IsMapType() && !v.Type().IsSetType():
		d.diags.Errorf(at, "Wrong type", "for_each is a map, or a set of strings; this is %s.", eval.Describe(v))
		return nil
	case v.LengthInt() > maxEach:
		d.diags.Errorf(at, "Too many elements", "for_each has %d elements; a block stands for at most %d.", v.LengthInt(), maxEach)
		return nil
	}
	out := &elementsOf{values: make(map[string]cty.Value, v.LengthInt())}
	for it := v.ElementIterator(); it.Next(); { // in the order of the keys
		key, value := it.Element()
		if v.Type().IsSetType() {
			key = value
		}
		if !key.IsKnown() {
			return nil
		}
		if !d.goodKey(key, at) {
			return nil
		}
		out.keys = append(out.keys, key.AsString())
		out.values[key.AsString()] = value
	}
	return out
}

// goodKey keeps out what could not be named in an address.
func (d *decoder) goodKey(key cty.Value, at diag.Range) bool {
	if key.IsNull() || key.Type() != cty.String {
		d.diags.Errorf(at, "Wrong type", "for_each is a map, or a set of strings; an element of this set is %s.", eval.Describe(key))
		return false
	}
	if s := key.AsString(); s == "" || len(s) > 200 {
		d.diags.Errorf(at, "Invalid value", "for_each has the key %s: a key is a text of 1 to 200 characters, since it becomes part of a name.", quote(s))
		return false
	}
	return true
}

// forElement is the decoder for one element of a block with for_each.
func (d *decoder) forElement(key string, value cty.Value) *decoder {
	inner := *d
	inner.each = true
	inner.ctx = d.ctx.NewChild()
	inner.ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{
		"key": cty.StringVal(key), "value": value,
	})}
	return &inner
}

// elements calls f for what a declaration stands for: once, or once for each
// key. Where its keys are not known, f is called once with an element that is
// not known and no address, so that its mistakes are found.
func (m *module) elements(d *decoder, decl *declaration, f func(d *decoder, key string, known bool)) {
	switch each := m.each[decl]; {
	case decl.forEach == nil:
		f(d, "", true)
	case each == nil:
		inner := d.forElement("", cty.DynamicVal)
		inner.ctx.Variables["each"] = cty.DynamicVal
		f(inner, "", false)
	default:
		said := seen{}
		for _, key := range each.keys {
			before := len(*d.diags)
			f(d.forElement(key, each.values[key]), key, true)
			// What is wrong for each element is one mistake, in whichever words.
			fresh := said.without((*d.diags)[before:])
			said.add(fresh)
			*d.diags = append((*d.diags)[:before], fresh...)
		}
	}
}

// eachContext is what the body of one element sees beside the module's names.
func (m *module) eachContext(ctx *hcl.EvalContext, decl *declaration, key string) (*hcl.EvalContext, bool) {
	if decl.forEach == nil {
		return ctx, key == ""
	}
	each := m.each[decl]
	if each == nil {
		return nil, false
	}
	value, ok := each.values[key]
	if !ok {
		return nil, false
	}
	d := (&decoder{ctx: ctx}).forElement(key, value)
	return d.ctx, true
}
