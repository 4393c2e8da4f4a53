package policy

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// What rules see is made from the model by reflection, so that what is added
// to the model cannot be forgotten here. Every attribute is there: a scalar
// that was not set is null, a list or map empty.

// place is where something that a rule sees stands in the spec. Objects carry
// their range as a string, by which it is found again.
type place struct {
	addr  spec.Addr
	at    diag.Range
	attrs map[string]diag.Range
}

// view makes values and remembers their places.
type view struct {
	root   string // absolute folder of the workspace
	places map[string]*place
	addrs  map[string]spec.Addr // of the spec, as the plan writes them
}

func newView(s *spec.Spec) *view {
	v := &view{root: s.Root, places: map[string]*place{}, addrs: map[string]spec.Addr{}}
	for _, b := range s.Bases {
		v.addrs[b.Addr.String()] = b.Addr
	}
	for _, d := range s.Stages {
		v.addrs[d.Addr.String()] = d.Addr
	}
	for _, d := range s.Images {
		v.addrs[d.Addr.String()] = d.Addr
	}
	return v
}

// value is a value of the model or the plan; in is the place around it.
func (v *view) value(rv reflect.Value, in *place) cty.Value {
	switch x := rv.Interface().(type) {
	case spec.Platform:
		return text(x.String())
	case spec.Addr:
		return text(x.String())
	case diag.Range:
		return text(x.String())
	case spec.Port:
		return cty.StringVal(fmt.Sprintf("%d/%s", x.Number, x.Protocol))
	case time.Duration:
		return cty.StringVal(x.String())
	case time.Time:
		return cty.StringVal(x.AddDate(0, 0, -1).Format("2006-01-02")) // the model has the end of the day
	case []spec.EnvVar:
		return variables(x)
	case survey.Mode:
		return cty.StringVal(x.String())
	case map[string]string:
		return texts(x)
	case uint32:
		return cty.StringVal(fmt.Sprintf("%04o", x))
	}
	if strings.HasPrefix(rv.Type().Name(), "Attr[") {
		return v.attribute(rv, in)
	}
	switch rv.Kind() {
	case reflect.Pointer, reflect.Interface:
		if rv.IsNil() {
			return cty.NullVal(cty.DynamicPseudoType)
		}
		return v.value(rv.Elem(), in)
	case reflect.Struct:
		return v.object(rv, in)
	case reflect.Slice:
		return v.list(rv, in)
	case reflect.Map:
		fields := map[string]cty.Value{}
		for _, key := range rv.MapKeys() {
			fields[key.String()] = v.value(rv.MapIndex(key), in)
		}
		return cty.ObjectVal(fields)
	}
	return scalar(rv)
}

// texts is a map, which may be asked for what is not in it.
func texts(m map[string]string) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	out := map[string]cty.Value{}
	for name, value := range m {
		out[name] = cty.StringVal(value)
	}
	return cty.MapVal(out)
}

func scalar(rv reflect.Value) cty.Value {
	switch {
	case rv.Kind() == reflect.String:
		return cty.StringVal(rv.String())
	case rv.Kind() == reflect.Bool:
		return cty.BoolVal(rv.Bool())
	case rv.CanInt():
		return cty.NumberIntVal(rv.Int())
	case rv.CanUint():
		return cty.NumberUIntVal(rv.Uint())
	case rv.CanFloat():
		return cty.NumberFloatVal(rv.Float())
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// text is null where there is none.
func text(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

// attribute is the value of an Attr: its default where it was not written.
func (v *view) attribute(rv reflect.Value, in *place) cty.Value {
	value := rv.FieldByName("V")
	switch {
	case rv.FieldByName("Unknown").Bool():
		return cty.DynamicVal
	case rv.FieldByName("Set").Bool() || !value.IsZero() || value.Kind() == reflect.Slice:
		return v.value(value, in)
	case value.Kind() == reflect.Bool:
		return cty.NullVal(cty.Bool)
	case value.CanInt() || value.CanFloat():
		if _, duration := value.Interface().(time.Duration); !duration {
			return cty.NullVal(cty.Number)
		}
	}
	return cty.NullVal(cty.String)
}

func (v *view) list(rv reflect.Value, in *place) cty.Value {
	if rv.Type().Elem().Name() == "KV" {
		return named(rv)
	}
	items := make([]cty.Value, rv.Len())
	for i := range items {
		items[i] = v.value(rv.Index(i), in)
	}
	if len(items) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	if items[0].Type() == cty.String {
		return cty.ListVal(items)
	}
	return cty.TupleVal(items)
}

// named is a list of the plan's names with values as a map, as `plan --json`
// has it.
func named(kvs reflect.Value) cty.Value {
	out := map[string]cty.Value{}
	for i := range kvs.Len() {
		out[kvs.Index(i).FieldByName("Name").String()] = cty.StringVal(kvs.Index(i).FieldByName("Value").String())
	}
	if len(out) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	return cty.MapVal(out)
}

// variables is a map of names to values. A name that is set to null is not
// set, so it is not there: a rule that asks for a label must not be content
// with one that is taken away.
func variables(vars []spec.EnvVar) cty.Value {
	out := map[string]cty.Value{}
	for _, x := range vars {
		if !x.Unset {
			out[x.Name] = cty.StringVal(x.Value)
		}
	}
	if len(out) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	return cty.MapVal(out)
}

// object is a struct; one with a range of its own is a place that findings
// point at.
func (v *view) object(rv reflect.Value, in *place) cty.Value {
	fields := map[string]cty.Value{}
	own := &place{attrs: map[string]diag.Range{}}
	switch at, ok := rangeOf(rv); {
	case ok:
		own = v.placeAt(at, in)
		fields["range"] = cty.StringVal(at.String())
	case in != nil: // a part of what is around it, which may have an address of its own: the base of an instance
		own = &place{addr: in.addr, at: in.at, attrs: in.attrs}
	}
	v.fields(rv, own, fields)
	if rv.CanAddr() {
		if s, ok := rv.Addr().Interface().(spec.Step); ok {
			fields["step"] = cty.StringVal(strings.ToLower(reflect.TypeOf(s).Elem().Name()))
		}
	}
	return cty.ObjectVal(fields)
}

func (v *view) fields(rv reflect.Value, in *place, out map[string]cty.Value) {
	t := rv.Type()
	for i := range t.NumField() {
		field, f := t.Field(i), rv.Field(i)
		name := nameOf(field)
		if a, ok := f.Interface().(spec.Addr); ok && field.Name == "Addr" {
			in.addr = a
			out["address"] = cty.StringVal(a.String())
			continue
		}
		if name == "range" || name == "" {
			continue
		}
		if at := f; strings.HasPrefix(f.Type().Name(), "Attr[") {
			if r, _ := at.FieldByName("Range").Interface().(diag.Range); !r.IsZero() {
				in.attrs[name] = r
			}
		}
		if vars, ok := f.Interface().([]spec.EnvVar); ok {
			for _, x := range vars {
				in.attrs[name+"."+x.Name] = x.Range
			}
		}
		if name == "address" && f.Kind() == reflect.String { // of the plan
			in.addr = v.addrs[f.String()]
		}
		out[name] = v.relative(name, v.value(f, in))
	}
}

// relative writes paths of this machine from the workspace's root, so that a
// rule judges alike everywhere.
func (v *view) relative(name string, value cty.Value) cty.Value {
	if name != "layout" && name != "file" || value.Type() != cty.String || !value.IsKnown() || value.IsNull() {
		return value
	}
	s := value.AsString()
	rel, err := filepath.Rel(v.root, s)
	if err != nil || !filepath.IsAbs(s) || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return value
	}
	return cty.StringVal("//" + filepath.ToSlash(rel))
}

func rangeOf(rv reflect.Value) (diag.Range, bool) {
	f := rv.FieldByName("Range")
	if !f.IsValid() {
		return diag.Range{}, false
	}
	at, ok := f.Interface().(diag.Range)
	return at, ok && !at.IsZero()
}

// placeAt is the place of a range; several objects of one range are one.
func (v *view) placeAt(at diag.Range, in *place) *place {
	if p, ok := v.places[at.String()]; ok {
		return p
	}
	p := &place{at: at, attrs: map[string]diag.Range{}}
	if in != nil {
		p.addr = in.addr
	}
	v.places[at.String()] = p
	return p
}

// nameOf is a field's name as rules write it: the model's in the words of the
// language, the plan's as its JSON has them. Dir is a folder of this machine.
func nameOf(f reflect.StructField) string {
	if tag, ok := f.Tag.Lookup("json"); ok {
		name, _, _ := strings.Cut(tag, ",")
		if name == "dir" || name == "-" {
			return ""
		}
		return name
	}
	if f.Name == "Dir" {
		return ""
	}
	return snake(f.Name)
}

// snake is StopSignal as stop_signal, SHA256 as sha256.
func snake(field string) string {
	var out strings.Builder
	lower := false
	for _, r := range field {
		if unicode.IsUpper(r) && lower {
			out.WriteByte('_')
		}
		lower = unicode.IsLower(r)
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
