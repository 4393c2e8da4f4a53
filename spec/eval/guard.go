package eval

import (
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// What one call may make. A spec is text that people write: the figures are
// far above any honest one, and low enough that no call takes a second.
const (
	maxString   = 4 << 20  // bytes of one string
	maxElements = 100_000  // elements of one collection
	maxWork     = 64 << 20 // bytes that a call may have to write before its result can be judged
	maxDepth    = 500      // levels of one value
)

// wrapped is a function of the language before it is guarded.
type wrapped struct {
	f    function.Function
	refs bool                         // arguments may contain references: the function moves values, it does not print them
	even bool                         // arguments are gathered into a collection of one type, whatever it is
	cost func(args []cty.Value) error // refuses a call that would make too much, before it is made
}

// guard makes the function that specs see: it refuses references, at any
// depth, known or not, where they would become text, and results that are too
// large.
//
// The parameters are declared dynamic, so that hcl hands over what was
// written: it would convert first, and answer "string required" for a
// reference. The declared types are converted to here, in the same way.
func guard(w wrapped) function.Function {
	spec := &function.Spec{}
	for _, p := range w.f.Params() {
		spec.Params = append(spec.Params, open(p))
	}
	if p := w.f.VarParam(); p != nil {
		o := open(*p)
		spec.VarParam = &o
	}
	spec.Type = func(args []cty.Value) (cty.Type, error) {
		args, err := w.accept(args)
		if err != nil {
			return cty.NilType, err
		}
		t, err := w.f.ReturnTypeForValues(args)
		return t, withoutStack(err)
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		args, err := w.accept(args)
		if err != nil {
			return cty.NilVal, err
		}
		v, err := w.f.Call(args)
		if err != nil {
			return cty.NilVal, withoutStack(err)
		}
		return v, tooLarge(v, 0)
	}
	return function.New(spec)
}

// withoutStack keeps the stack of a panic, which cty turns into an error, from
// the author.
func withoutStack(err error) error {
	if p := (function.PanicError{}); errors.As(err, &p) {
		return errors.New("it has no result for these arguments")
	}
	return err
}

// open lets every value through to the guard.
func open(p function.Parameter) function.Parameter {
	p.Type = cty.DynamicPseudoType
	p.AllowNull, p.AllowUnknown, p.AllowDynamicType = true, true, true
	return p
}

// accept refuses references, converts to the declared parameter types and
// estimates the cost. It runs before the type is asked for too, because some
// functions (jsondecode) find their type by doing the work.
func (w wrapped) accept(args []cty.Value) ([]cty.Value, error) {
	out := make([]cty.Value, len(args))
	params := w.f.Params()
	for i, v := range args {
		if !w.refs && ContainsRef(v) {
			return nil, function.NewArgError(i, errors.New(refusal(v)))
		}
		var want cty.Type
		if i < len(params) {
			want = params[i].Type
		} else {
			want = w.f.VarParam().Type
		}
		if w.even || anyElement(want) {
			v = evened(v)
		}
		c, err := convert.Convert(v, want)
		if err != nil {
			return nil, function.NewArgError(i, err)
		}
		out[i] = c
	}
	if w.cost != nil && allKnown(out) {
		return out, w.cost(out)
	}
	return out, nil
}

// anyElement tells whether a parameter is a list or a set of whatever its
// elements turn out to have in common.
func anyElement(t cty.Type) bool {
	return (t.IsListType() || t.IsSetType()) && t.ElementType() == cty.DynamicPseudoType
}

// evened makes a list of a tuple whose elements are of one type, which is what
// the author calls a list. To find the type that a tuple's elements can all
// become, cty builds the conversion of each to each: 10,000 strings take it
// two seconds for a set and six for a list.
func evened(v cty.Value) cty.Value {
	if !v.IsKnown() || v.IsNull() || v.IsMarked() || !v.Type().IsTupleType() || v.LengthInt() == 0 {
		return v
	}
	types := v.Type().TupleElementTypes()
	for _, t := range types {
		if t == cty.DynamicPseudoType || !t.Equals(types[0]) {
			return v
		}
	}
	return cty.ListVal(v.AsValueSlice())
}

func allKnown(args []cty.Value) bool {
	for _, a := range args {
		if !a.IsWhollyKnown() || a.IsNull() {
			return false
		}
	}
	return true
}

// tooLarge refuses a value that holds a string, a collection, a nesting or a
// number beyond the limits.
func tooLarge(v cty.Value, depth int) error {
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	if depth > maxDepth {
		return fmt.Errorf("the result is nested more than %d deep", maxDepth)
	}
	if v.Type() == cty.String {
		if n := len(v.AsString()); n > maxString {
			return fmt.Errorf("the result is a string of %d bytes; at most %d are allowed", n, maxString)
		}
		return nil
	}
	if v.Type() == cty.Number && v.AsBigFloat().IsInf() { // what cty makes of 1 / 0
		return errors.New("the result is infinite; it was divided by zero")
	}
	if !v.CanIterateElements() {
		return nil
	}
	if n := v.LengthInt(); n > maxElements {
		return fmt.Errorf("the result has %d elements; at most %d are allowed", n, maxElements)
	}
	if e := v.Type(); e.IsCollectionType() && e.ElementType() == cty.Bool {
		return nil
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if err := tooLarge(e, depth+1); err != nil {
			return err
		}
	}
	return nil
}
