package show

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// object is a JSON object; its keys are sorted when it is written.
type object map[string]any

// writer turns the model into objects. It goes over it by reflection, so that
// what is added to the model cannot be forgotten here.
type writer struct{ root string }

// unknown stands for a value that is not known without a target or the value
// of a variable.
func unknown() object { return object{"unknown": true} }

// body is a stage or an image: what an image has beyond a stage stands beside
// the rest, as in the language.
func (w *writer) body(b *spec.Body) object {
	out := w.object(reflect.ValueOf(*b))
	if img, ok := out["image"].(object); ok {
		delete(out, "image")
		for name, v := range img {
			if name != "ranges" {
				out[name] = v
			}
		}
		if more, ok := img["ranges"].(object); ok {
			for name, at := range more {
				out.ranges()[name] = at
			}
		}
	}
	return out
}

// ranges is the map of an object that says where its attributes were set.
func (o object) ranges() object {
	r, ok := o["ranges"].(object)
	if !ok {
		r = object{}
		o["ranges"] = r
	}
	return r
}

// attribute adds one attribute to an object, with its place if it was set.
func (w *writer) attribute(o object, name string, attr any) { w.attr(o, name, reflect.ValueOf(attr)) }

func (w *writer) attr(o object, name string, v reflect.Value) {
	if at, ok := v.FieldByName("Range").Interface().(diag.Range); ok && !at.IsZero() {
		o.ranges()[name] = at.String()
	}
	value, set := v.FieldByName("V"), v.FieldByName("Set").Bool()
	switch {
	case v.FieldByName("Unknown").Bool():
		o[name] = unknown()
	case set || !value.IsZero():
		o[name] = w.named(name, value)
	}
}

// named is a value whose form depends on the attribute: paths of this machine
// are written from the workspace's root.
func (w *writer) named(name string, v reflect.Value) any {
	if s, ok := v.Interface().(string); ok && (name == "layout" || name == "file") {
		if rel, err := filepath.Rel(w.root, s); err == nil && filepath.IsAbs(s) && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return "//" + filepath.ToSlash(rel)
		}
	}
	if t, ok := v.Interface().(time.Time); ok {
		return t.AddDate(0, 0, -1).Format("2006-01-02") // the model has the end of the day
	}
	return w.value(v.Interface())
}

// value is a value of the model as JSON has it.
func (w *writer) value(x any) any {
	switch x := x.(type) {
	case spec.Platform:
		return x.String()
	case spec.Addr:
		return x.String()
	case spec.Port:
		return fmt.Sprintf("%d/%s", x.Number, x.Protocol)
	case time.Duration:
		return x.String()
	case uint32:
		return fmt.Sprintf("%04o", x)
	case spec.Step:
		out := w.object(reflect.ValueOf(x).Elem())
		out["step"] = strings.ToLower(reflect.TypeOf(x).Elem().Name())
		return out
	}
	v := reflect.ValueOf(x)
	switch v.Kind() {
	case reflect.Pointer:
		return w.value(v.Elem().Interface())
	case reflect.Struct:
		return w.object(v)
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = w.value(v.Index(i).Interface())
		}
		return out
	}
	return x
}

// object is a struct of the model. Attributes that are not set and have no
// default are left out; of what is not an attribute, what is empty.
func (w *writer) object(v reflect.Value) object {
	out := object{}
	t := v.Type()
	for i := range t.NumField() {
		f, name := v.Field(i), snake(t.Field(i).Name)
		switch x := f.Interface().(type) {
		case diag.Range:
			if !x.IsZero() { // the default context stands nowhere
				out["range"] = x.String()
			}
		case spec.Addr:
			out["address"] = x.String()
		case []spec.EnvVar:
			w.variables(out, name, x)
		case bool:
			out[name] = x
		default:
			w.field(out, t.Field(i).Name, name, f)
		}
	}
	return out
}

func (w *writer) field(out object, field, name string, f reflect.Value) {
	switch {
	case strings.HasPrefix(f.Type().Name(), "Attr["):
		w.attr(out, name, f)
	case field == "Dir" || field == "Incomplete":
		// The folder on this machine, which path names; and what is missing.
	case f.IsZero() && field != "ExitCode" || (f.Kind() == reflect.Slice && f.Len() == 0):
	case f.Kind() == reflect.Struct:
		if o := w.object(f); len(o) > 0 {
			out[name] = o
		}
	default:
		out[name] = w.value(f.Interface())
	}
}

// variables is a map of names to values; null is a name that is removed.
func (w *writer) variables(out object, name string, vars []spec.EnvVar) {
	if len(vars) == 0 {
		return
	}
	m := object{}
	for _, v := range vars {
		if m[v.Name] = v.Value; v.Unset {
			m[v.Name] = nil
		}
		if !v.Range.IsZero() {
			out.ranges()[name+"."+v.Name] = v.Range.String()
		}
	}
	out[name] = m
}

// snake is a field's name as the language writes it: StopSignal is
// stop_signal, SHA256 is sha256.
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
