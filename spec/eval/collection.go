package eval

import (
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func allTrueFunc() function.Function { return boolsFunc(true) }
func anyTrueFunc() function.Function { return boolsFunc(false) }

// boolsFunc answers alltrue (until is true: false ends it) or anytrue. A null
// element counts as false, as in Terraform.
func boolsFunc(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			unknown := false
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if !v.IsKnown() {
					unknown = true
					continue
				}
				if (!v.IsNull() && v.True()) != all {
					return cty.BoolVal(!all), nil
				}
			}
			if unknown {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(all), nil
		},
	})
}

// coalesceFunc gives the first argument that is neither null nor an empty
// string.
func coalesceFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "vals", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true},
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) == 0 {
				return cty.NilType, errors.New("at least one argument is required")
			}
			types := make([]cty.Type, len(args))
			for i, v := range args {
				types[i] = v.Type()
			}
			t, _ := convert.UnifyUnsafe(types)
			if t == cty.NilType {
				return cty.NilType, errors.New("all arguments must have the same type")
			}
			return t, nil
		},
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			for _, v := range args {
				v, err := convert.Convert(v, want)
				if err != nil {
					return cty.NilVal, err
				}
				if !v.IsKnown() {
					return cty.UnknownVal(want), nil
				}
				if v.IsNull() || v.Type() == cty.String && v.AsString() == "" {
					continue
				}
				return v, nil
			}
			return cty.NilVal, errors.New("every argument is null or an empty string")
		},
	})
}

// distinctFunc keeps the first of equal elements, in order. Elements are
// looked up by hash: comparing each with each takes minutes at 100,000.
func distinctFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.DynamicPseudoType)}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(want), nil
			}
			seen := make(map[int][]cty.Value)
			var out []cty.Value
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				h := v.Hash()
				if !holds(seen[h], v) {
					seen[h] = append(seen[h], v)
					out = append(out, v)
				}
			}
			if len(out) == 0 {
				return cty.ListValEmpty(want.ElementType()), nil
			}
			return cty.ListVal(out), nil
		},
	})
}

func holds(vs []cty.Value, v cty.Value) bool {
	for _, o := range vs {
		if o.RawEquals(v) {
			return true
		}
	}
	return false
}

// indexFunc finds the place of a value in a list, as Terraform's does; cty's
// function of that name looks an element up.
func indexFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "list", Type: cty.DynamicPseudoType},
			{Name: "value", Type: cty.DynamicPseudoType},
		},
		Type: func(args []cty.Value) (cty.Type, error) {
			if t := args[0].Type(); !t.IsListType() && !t.IsTupleType() {
				return cty.NilType, function.NewArgErrorf(0, "a list is required, not %s", t.FriendlyName())
			}
			return cty.Number, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			i := int64(0)
			for it := args[0].ElementIterator(); it.Next(); i++ {
				_, v := it.Element()
				eq, err := stdlib.Equal(v, args[1])
				if err != nil {
					return cty.NilVal, err
				}
				if !eq.IsKnown() {
					return cty.UnknownVal(cty.Number), nil
				}
				if eq.True() {
					return cty.NumberIntVal(i), nil
				}
			}
			return cty.NilVal, function.NewArgErrorf(1, "the list does not hold this value")
		},
	})
}

// lengthFunc counts the elements of a collection, or the characters that a
// person sees in a string.
func lengthFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			if t == cty.String || t.IsCollectionType() || t.IsTupleType() || t.IsObjectType() || t == cty.DynamicPseudoType {
				return cty.Number, nil
			}
			return cty.NilType, function.NewArgErrorf(0, "a string, a list, a set, a map or an object is required, not %s", t.FriendlyName())
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v := args[0]
			switch t := v.Type(); {
			case t == cty.DynamicPseudoType:
				return cty.UnknownVal(cty.Number), nil
			case t == cty.String:
				return stdlib.Strlen(v)
			case t.IsObjectType():
				return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
			default:
				return v.Length(), nil
			}
		},
	})
}

// lookupFunc is lookup(map, key) or lookup(map, key, default); a missing key
// without a default is an error.
func lookupFunc() function.Function {
	params := []function.Parameter{{Name: "map", Type: cty.DynamicPseudoType}, {Name: "key", Type: cty.String}}
	missing := func(key string) error {
		return function.NewArgErrorf(1, "the map has no key %q, and no default is given", key)
	}
	return function.New(&function.Spec{
		Params:   params,
		VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true},
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) > 3 {
				return cty.NilType, fmt.Errorf("two or three arguments are taken, not %d", len(args))
			}
			t := args[0].Type()
			switch {
			case t.IsMapType():
				return t.ElementType(), nil
			case t.IsObjectType() && !args[1].IsKnown():
				return cty.DynamicPseudoType, nil
			case t.IsObjectType() && t.HasAttribute(args[1].AsString()):
				return t.AttributeType(args[1].AsString()), nil
			case t.IsObjectType() && len(args) == 3:
				return args[2].Type(), nil
			case t.IsObjectType():
				return cty.NilType, missing(args[1].AsString())
			default:
				return cty.NilType, function.NewArgErrorf(0, "a map or an object is required, not %s", t.FriendlyName())
			}
		},
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			key := args[1].AsString()
			switch t := args[0].Type(); {
			case t.IsObjectType() && t.HasAttribute(key):
				return args[0].GetAttr(key), nil
			case t.IsMapType() && args[0].HasIndex(args[1]).True():
				return args[0].Index(args[1]), nil
			case len(args) < 3:
				return cty.NilVal, missing(key)
			}
			v, err := convert.Convert(args[2], want)
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(2, "the default must have the type of the map's elements: %s", err)
			}
			return v, nil
		},
	})
}

// oneFunc gives the element of a collection of one, null for an empty one.
func oneFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			switch t := args[0].Type(); {
			case t.IsListType() || t.IsSetType():
				return t.ElementType(), nil
			case t.IsTupleType() && len(t.TupleElementTypes()) == 0:
				return cty.DynamicPseudoType, nil
			case t.IsTupleType() && len(t.TupleElementTypes()) == 1:
				return t.TupleElementTypes()[0], nil
			case t.IsTupleType():
				return cty.NilType, tooMany(len(t.TupleElementTypes()))
			default:
				return cty.NilType, function.NewArgErrorf(0, "a list or a set is required, not %s", t.FriendlyName())
			}
		},
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			if args[0].LengthInt() > 1 {
				return cty.NilVal, tooMany(args[0].LengthInt())
			}
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				return v, nil
			}
			return cty.NullVal(want), nil
		},
	})
}

func tooMany(n int) error {
	return function.NewArgErrorf(0, "at most one element is allowed, and there are %d", n)
}

// sumFunc adds the numbers of a list or set that is not empty.
func sumFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Number)}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].LengthInt() == 0 {
				return cty.NilVal, function.NewArgErrorf(0, "an empty list has no sum")
			}
			total := cty.Zero
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if v.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "an element is null")
				}
				total = total.Add(v)
			}
			return total, nil
		},
	})
}
