package policy

import (
	"reflect"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// What rules will see is known by its shape before there is anything to see:
// values of the model with one element in each list are made by reflection, and
// shown as real ones are, so that what is added to the model is known here too.

// form is how a shape has lists of objects, and maps by address. All else that
// is no object is unknown, of its type.
type form int

const (
	open    form = iota // unknown: how many elements there are makes its type
	sampled             // with one element, for what goes over all of them
	typed               // unknown, of elements that are known, for what asks for one of them
)

// shapesOf are the roots in each form; plan is an empty plan, nil where its
// type is not known.
func shapesOf(plan any) map[form]map[string]cty.Value {
	f, target := sampleFacts()
	v := newView(f.Spec)
	roots := map[string]cty.Value{
		"spec":  v.spec(f, target),
		"image": v.finished(sample[rules.Image]()),
		"plan":  cty.DynamicVal,
	}
	if plan != nil {
		roots["plan"] = v.plan(sampleOf(reflect.TypeOf(plan), nil).Interface())
	}
	out := map[form]map[string]cty.Value{}
	for _, in := range []form{open, sampled, typed} {
		out[in] = map[string]cty.Value{}
		for name, root := range roots {
			out[in][name] = shape(root, in)
		}
	}
	return out
}

// shape forgets everything of a sample but the names of its attributes and its
// types. An object with a key that is no name is a map of things by address.
func shape(v cty.Value, in form) cty.Value {
	t := v.Type()
	switch {
	case v.IsNull():
		return cty.UnknownVal(t)
	case !v.IsKnown():
		return v
	case t.IsObjectType():
		fields := v.AsValueMap()
		for name, field := range fields {
			fields[name] = shape(field, in)
			if !hclsyntax.ValidIdentifier(name) {
				one := cty.MapVal(map[string]cty.Value{name: fields[name]})
				return several(one, in)
			}
		}
		return cty.ObjectVal(fields)
	case t.IsTupleType():
		items := v.AsValueSlice()
		for i := range items {
			items[i] = shape(items[i], in)
		}
		if in == sampled {
			return cty.TupleVal(items)
		}
		return several(cty.ListVal(items), in)
	}
	return cty.UnknownVal(t)
}

// several is a list or map of one element in a form.
func several(one cty.Value, in form) cty.Value {
	switch in {
	case sampled:
		return one
	case typed:
		return cty.UnknownVal(one.Type())
	}
	return cty.DynamicVal
}

// sampleFacts are those of a workspace with one of everything.
func sampleFacts() (rules.Facts, spec.Platform) {
	s := sample[spec.Spec]()
	target := spec.Platform{OS: "linux", Arch: "amd64"}
	image, stage, base := sample[spec.Body](), sample[spec.Body](), sample[spec.Base]()
	image.Addr, image.Incomplete = spec.Addr{Module: "//", Kind: spec.KindImage}, nil
	stage.Addr, stage.Incomplete, stage.Image = spec.Addr{Module: "//", Kind: spec.KindStage}, nil, nil
	s.Images[0].Addr = image.Addr
	return rules.Facts{
		Spec: &s, Bases: []rules.Base{{Base: &base}},
		Instances: []rules.Instance{{Body: &image, Target: target}, {Body: &stage, Target: target}},
	}, target
}

func sample[T any]() T { return sampleOf(reflect.TypeFor[T](), nil).Interface().(T) }

// sampleOf is a value of a type with one element in every list, and something
// behind every pointer; above are the types around it, since one may hold
// itself.
func sampleOf(t reflect.Type, above []reflect.Type) reflect.Value {
	out := reflect.New(t).Elem()
	for _, a := range above {
		if a == t {
			return out
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(t.Elem()))
		out.Elem().Set(sampleOf(t.Elem(), above))
	case reflect.Slice:
		out.Set(reflect.Append(out, sampleOf(t.Elem(), above)))
	case reflect.Map:
		out.Set(reflect.MakeMap(t))
		out.SetMapIndex(reflect.Zero(t.Key()), sampleOf(t.Elem(), above))
	case reflect.Struct:
		sampleFields(out, append(above[:len(above):len(above)], t))
	}
	return out
}

func sampleFields(out reflect.Value, above []reflect.Type) {
	switch x := out.Addr().Interface().(type) {
	case *time.Time:
		return
	case *diag.Range: // only what stands somewhere says where
		x.File = "sample"
		return
	}
	for i := range out.NumField() {
		field := out.Type().Field(i)
		switch {
		case !field.IsExported():
		case field.Name == "Set":
			out.Field(i).SetBool(true) // of an Attr
		default:
			out.Field(i).Set(sampleOf(field.Type, above))
		}
	}
}
