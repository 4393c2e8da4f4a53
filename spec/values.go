package spec

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// valueType is what an attribute asks for: its name in messages and
// documentation, and the way from a value to it.
type valueType[V any] struct {
	name string
	// form is the same for machines: schemas, YAML and editors.
	form grammar.Value
	// typ is a type that values must convert to; it judges what is not known
	// yet. DynamicPseudoType accepts everything.
	typ cty.Type
	// from converts a value that is known (its elements need not be) and not
	// null. It answers false after reporting what is wrong, or without a word
	// where an element is not known yet.
	from func(d *decoder, in input) (V, bool)
}

// input is a value on its way into the model.
type input struct {
	v    cty.Value
	expr hcl.Expression
	name string // of the attribute, for messages
}

func (in input) at() diag.Range { return syntax.Range(in.expr.Range()) }

// accepts reports whether a value of a type could be what is asked.
func (vt valueType[V]) accepts(t cty.Type) bool {
	return vt.typ == cty.NilType || vt.typ == cty.DynamicPseudoType || t == cty.DynamicPseudoType ||
		t.Equals(vt.typ) || convert.GetConversionUnsafe(t, vt.typ) != nil
}

// wrong reports a value of an impossible type.
func (vt valueType[V]) wrong(d *decoder, in input) {
	d.invalid(in.at(), "%s is %s, not %s.", in.name, vt.name, typeName(in.v))
}

// invalid is the one phrase for values that are not what an attribute asks.
func (d *decoder) invalid(at diag.Range, detail string, args ...any) {
	d.diags.Errorf(at, "Invalid value", detail, args...)
}

// refused reports the error of a conversion.
func (d *decoder) refused(in input, err error) {
	eval.Report(d.diags, in.at(), "Invalid value", in.name, err)
}

// typeName says what a value is: "a list", "a reference".
func typeName(v cty.Value) string {
	t := v.Type()
	switch {
	case t == eval.RefType:
		return "a reference"
	case t.IsObjectType() || t.IsMapType():
		return "a map"
	case t.IsTupleType() || t.IsListType():
		return "a list"
	case t.IsSetType():
		return "a set"
	case t == cty.Bool:
		return "a boolean"
	default:
		return "a " + t.FriendlyName()
	}
}

// source is the bytes of the file that a value stands in.
func (in input) source(d *decoder) []byte {
	src, _ := d.mod.source(in.expr.Range().Filename)
	return src
}

// formOf is a value type written as a string of a certain form.
func formOf[V any](name string, parse func(string) (V, error)) valueType[V] {
	return valueType[V]{name: name, form: grammar.Value{Type: grammar.String}, typ: cty.String, from: func(d *decoder, in input) (V, bool) {
		var zero V
		s, err := eval.String(in.v, in.expr, in.source(d))
		if err != nil {
			d.refused(in, err)
			return zero, false
		}
		v, err := parse(s)
		if err != nil {
			d.refused(in, err)
			d.offer(in.at(), s, err)
			return zero, false
		}
		return v, true
	}}
}

// listOf is a list whose elements have a form. Each element is judged for
// itself, so a message points at the one that is wrong, and one that is not
// known yet hides no other.
func listOf[V any](name string, one valueType[V], finish func(d *decoder, in input, items []V) bool) valueType[[]V] {
	return valueType[[]V]{name: name, form: grammar.Value{Type: grammar.List, Elem: &one.form}, typ: cty.DynamicPseudoType, from: func(d *decoder, in input) ([]V, bool) {
		if !isSequence(in.v.Type()) {
			d.invalid(in.at(), "%s is %s, not %s.", in.name, name, eval.Describe(in.v))
			if one.takes(d, in) {
				d.listOfOne(in)
			}
			return nil, false
		}
		out, ok := make([]V, 0, in.v.LengthInt()), true
		for _, e := range in.elements() {
			switch {
			case e.v.IsNull():
				d.invalid(e.at(), "%s is %s; this one is null.", in.name, name)
				ok = false
			case !e.v.IsKnown():
				if ok = false; !one.accepts(e.v.Type()) {
					one.wrong(d, e)
				}
			default:
				v, good := one.from(d, e)
				out, ok = append(out, v), ok && good
			}
		}
		if ok && finish != nil {
			ok = finish(d, in, out)
		}
		return out, ok
	}}
}

// takes reports whether a value has the type's form, and says nothing of it.
func (vt valueType[V]) takes(d *decoder, in input) bool {
	quiet, unheard := *d, diag.List{}
	quiet.diags = &unheard
	if !in.v.Type().IsPrimitiveType() {
		return false
	}
	_, ok := vt.from(&quiet, in)
	return ok
}

// listOfOne adds to the last diagnostic how a single value is written as a
// list.
func (d *decoder) listOfOne(in input) {
	src, at := in.source(d), in.at()
	last := &(*d.diags)[len(*d.diags)-1]
	if at.Start.Byte > at.End.Byte || at.End.Byte > len(src) || at.Start.Line != at.End.Line {
		return
	}
	list := "[" + string(src[at.Start.Byte:at.End.Byte]) + "]"
	last.Detail = strings.TrimSuffix(last.Detail, ".") + "; write " + list + "."
	last.Fix = &diag.Fix{Range: at, Replacement: list}
}

// oneOrList takes a single value for a list of one.
func oneOrList[V any](name string, one valueType[V]) valueType[[]V] {
	many := listOf(name, one, nil)
	return valueType[[]V]{name: name, form: grammar.Value{Type: grammar.OneOrList, Elem: &one.form}, typ: cty.DynamicPseudoType, from: func(d *decoder, in input) ([]V, bool) {
		if in.v.Type().IsPrimitiveType() {
			v, ok := one.from(d, in)
			return []V{v}, ok
		}
		return many.from(d, in)
	}}
}

func isSequence(t cty.Type) bool { return t.IsTupleType() || t.IsListType() || t.IsSetType() }

// elements are the elements of a list with the places where they stand, if
// the list is written out.
func (in input) elements() []input {
	exprs, diags := hcl.ExprList(in.expr)
	writtenOut := !diags.HasErrors() && len(exprs) == in.v.LengthInt()
	var out []input
	for it := in.v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		expr := in.expr
		if writtenOut {
			expr = exprs[len(out)]
		}
		out = append(out, input{v: e, expr: expr, name: in.name})
	}
	return out
}

// entry is one element of a map.
type entry struct {
	key   string
	keyAt diag.Range
	input
}

// entries are the elements of a map, sorted by key, with their places.
func (in input) entries() []entry {
	type place struct{ key, value hcl.Expression }
	places := map[string]place{}
	if obj, ok := in.expr.(*hclsyntax.ObjectConsExpr); ok {
		for _, item := range obj.Items {
			if k, diags := item.KeyExpr.Value(nil); !diags.HasErrors() && k.Type() == cty.String && k.IsKnown() && !k.IsNull() {
				places[k.AsString()] = place{item.KeyExpr, item.ValueExpr}
			}
		}
	}
	var out []entry
	for it := in.v.ElementIterator(); it.Next(); {
		k, v := it.Element()
		e := entry{key: k.AsString(), keyAt: in.at(), input: input{v: v, expr: in.expr, name: in.name + " " + quote(k.AsString())}}
		if p, ok := places[e.key]; ok {
			e.keyAt, e.expr = syntax.Range(p.key.Range()), p.value
		}
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].key < out[j].key })
	return out
}

// mapOf is a map of names to texts; a null is kept as Unset. Values that are
// not known yet are left out.
func mapOf(name string, checkEntry func(key, value string) error) valueType[[]EnvVar] {
	return valueType[[]EnvVar]{name: name, form: grammar.Value{Type: grammar.Map, Elem: &grammar.Value{Type: grammar.String}}, typ: cty.DynamicPseudoType, from: func(d *decoder, in input) ([]EnvVar, bool) {
		if t := in.v.Type(); !t.IsObjectType() && !t.IsMapType() {
			d.invalid(in.at(), "%s is %s, not %s.", in.name, name, eval.Describe(in.v))
			return nil, false
		}
		var out []EnvVar
		for _, e := range in.entries() {
			if e.v.IsKnown() {
				if v, ok := d.entry(e, checkEntry); ok {
					out = append(out, v)
				}
				continue
			}
			d.misses(in.name)
			if !text.accepts(e.v.Type()) {
				text.wrong(d, e.input)
			}
		}
		return out, true
	}}
}

func (d *decoder) entry(e entry, check func(key, value string) error) (EnvVar, bool) {
	out := EnvVar{Name: e.key, Range: e.at(), Unset: e.v.IsNull()}
	if !out.Unset {
		s, err := eval.String(e.v, e.expr, e.source(d))
		if err != nil {
			d.refused(e.input, err)
			return out, false
		}
		out.Value = s
	}
	if err := check(out.Name, out.Value); err != nil {
		eval.Report(d.diags, e.keyAt, "Invalid value", e.name, err)
		return out, false
	}
	return out, true
}

// reference is a value type of references to some kinds.
func reference(kinds ...Kind) valueType[Addr] {
	names, words := make([]string, len(kinds)), make([]string, len(kinds))
	for i, k := range kinds {
		names[i], words[i] = string(k), string(k)
		if k != KindScratch {
			names[i] += ".name"
		}
	}
	allowed := plainList(names)
	return valueType[Addr]{name: "a reference: " + allowed, form: grammar.Value{Type: grammar.Reference, Kinds: words}, typ: eval.RefType, from: func(d *decoder, in input) (Addr, bool) {
		r, ok := eval.AsRef(in.v)
		if !ok {
			detail := "%s takes a reference, %s, not %s."
			switch {
			case in.v.Type() == cty.String:
				d.notReference(in, allowed, kinds)
				return Addr{}, false
			case in.v.Type().IsObjectType() && eval.ContainsRef(in.v):
				detail += " What has for_each is named with a key: stage.build[\"eu\"]; what a module gives, with its kind: module.x.image.y."
			}
			d.invalid(in.at(), detail, in.name, allowed, eval.Describe(in.v))
			return Addr{}, false
		}
		for _, k := range kinds {
			if string(k) == r.Kind {
				return Addr{Module: r.Module, Kind: k, Name: r.Name, Key: r.Key}, true
			}
		}
		d.invalid(in.at(), "%s takes %s; %s is of another kind.", in.name, allowed, r)
		return Addr{}, false
	}}
}

// plainList writes names without quotes: scratch, base.name or stage.name.
func plainList(names []string) string {
	out := names[0]
	for i, n := range names[1:] {
		if i == len(names)-2 {
			out += " or " + n
		} else {
			out += ", " + n
		}
	}
	return out
}

// wholeNumber is a value type of integers within bounds.
func wholeNumber(name string, least, most int64) valueType[int] {
	return valueType[int]{name: name, form: grammar.Value{Type: grammar.Number}, typ: cty.Number, from: func(d *decoder, in input) (int, bool) {
		i, err := eval.Int(in.v, least, most)
		if err != nil {
			d.refused(in, err)
		}
		return int(i), err == nil
	}}
}

var (
	text    = formOf("a string", func(s string) (string, error) { return s, nil })
	boolean = valueType[bool]{name: "true or false", form: grammar.Value{Type: grammar.Bool}, typ: cty.Bool, from: func(d *decoder, in input) (bool, bool) {
		b, err := eval.Bool(in.v)
		if err != nil {
			d.refused(in, err)
		}
		return b, err == nil
	}}
	// yes is for what is only ever switched on.
	yes = valueType[bool]{name: "true", form: grammar.Value{Type: grammar.Bool}, typ: cty.Bool, from: func(d *decoder, in input) (bool, bool) {
		b, ok := boolean.from(d, in)
		if ok && !b {
			d.invalid(in.at(), "%s = false says nothing; leave it out.", in.name)
		}
		return b, ok && b
	}}
	count     = wholeNumber("a whole number", 1, math.MaxInt32)
	exitCode  = wholeNumber("a whole number from 0 to 255", 0, 255)
	accountID = wholeNumber("a user or group number", 0, math.MaxUint32-1)
	cores     = valueType[float64]{name: "a number", form: grammar.Value{Type: grammar.Number}, typ: cty.Number, from: func(d *decoder, in input) (float64, bool) {
		f, err := eval.Number(in.v)
		if err == nil && f.Sign() <= 0 {
			err = fmt.Errorf("a number above 0 is needed, not %s", eval.Describe(in.v))
		}
		if err != nil {
			d.refused(in, err)
			return 0, false
		}
		v, _ := f.Float64()
		return v, true
	}}
	textList   = listOf("a list of strings", text, nil)
	textOrList = oneOrList("a string or a list of strings", text)
)
