package eval

import (
	"reflect"
	"strconv"

	"github.com/zclconf/go-cty/cty"
)

// Ref is a reference as a value: it names a declaration and gives away
// nothing of it. Package spec converts it from and to its own addresses.
type Ref struct {
	Kind   string // scratch, base, stage, image, context, secret or repository
	Module string // folder below the workspace's root, "//services/web"; empty for scratch
	Name   string
	Key    string // the for_each key, or empty
}

// String is the reference as it is written within its module: base.go,
// stage.build["eu"], scratch.
func (r Ref) String() string {
	s := r.Kind
	if r.Name != "" {
		s += "." + r.Name
	}
	if r.Key != "" {
		s += "[" + strconv.Quote(r.Key) + "]"
	}
	return s
}

// RefType is the one type of all references. Kinds are inside, not types of
// their own: two capsule types would not meet in a `?:` or a list. It has
// equality and a hash, so that references can be compared and put in sets, and
// no conversion to or from anything: in particular none to a string.
//
// It is a variable only because cty has no constants; nothing may assign it.
var RefType = cty.CapsuleWithOps("reference", reflect.TypeFor[Ref](), &cty.CapsuleOps{
	Equals:       func(a, b any) cty.Value { return cty.BoolVal(*a.(*Ref) == *b.(*Ref)) },
	RawEquals:    func(a, b any) bool { return *a.(*Ref) == *b.(*Ref) },
	HashKey:      func(v any) string { r := v.(*Ref); return r.Module + "\x00" + r.String() },
	GoString:     func(v any) string { return "eval." + v.(*Ref).String() },
	TypeGoString: func(reflect.Type) string { return "eval.RefType" },
})

// RefValue is r as a value of expressions.
func RefValue(r Ref) cty.Value { return cty.CapsuleVal(RefType, &r) }

// AsRef is the reference that v is, and false for anything else, unknown and
// null references included.
func AsRef(v cty.Value) (Ref, bool) {
	if v.Type() != RefType || !v.IsKnown() || v.IsNull() {
		return Ref{}, false
	}
	return *v.EncapsulatedValue().(*Ref), true
}

// ContainsRef reports whether v is a reference or holds one at any depth. The
// type alone tells, so it holds for unknown values too; only what is wholly
// dynamic cannot be judged before it is known.
func ContainsRef(v cty.Value) bool { return typeHasRef(v.Type()) }

func typeHasRef(t cty.Type) bool {
	switch {
	case t == RefType:
		return true
	case t.IsCollectionType():
		return typeHasRef(t.ElementType())
	case t.IsTupleType():
		for _, e := range t.TupleElementTypes() {
			if typeHasRef(e) {
				return true
			}
		}
	case t.IsObjectType():
		for _, a := range t.AttributeTypes() {
			if typeHasRef(a) {
				return true
			}
		}
	}
	return false
}

// firstRef finds a known reference in v, to name it in a message.
func firstRef(v cty.Value) (Ref, bool) {
	if r, ok := AsRef(v); ok {
		return r, true
	}
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return Ref{}, false
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if r, ok := firstRef(e); ok {
			return r, true
		}
	}
	return Ref{}, false
}

// refusal says why a value that contains a reference is not taken where text
// is made of values.
func refusal(v cty.Value) string {
	r, ok := firstRef(v)
	switch {
	case !ok:
		return "a reference cannot be used as a string"
	case r.Kind == "secret":
		return "a reference to " + r.String() + " cannot be used as a string; mount it in a run step"
	default:
		return "a reference to " + r.String() + " cannot be used as a string; only a step or an attribute that asks for a reference takes it"
	}
}
