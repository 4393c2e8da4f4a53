package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec/diag"
)

// encode writes a document as the plan's tags say, but for what is for people
// and other machines: places are "file:line:column", names with values are
// objects, folders of this machine are left out or written from the
// workspace's root, and nothing is null. It goes over the plan by reflection,
// so that what is added there cannot be forgotten here.
func encode(doc any, root string) ([]byte, error) {
	w := writer{root: root}
	if err := w.value("", reflect.ValueOf(doc)); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, w.buf.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

type writer struct {
	root string
	buf  bytes.Buffer
}

func (w *writer) value(name string, v reflect.Value) error {
	switch x := v.Interface().(type) {
	case diag.Range:
		return w.scalar(x.String())
	case []planner.KV:
		return w.pairs(x)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return w.value(name, v.Elem()) // nil ones are omitted, as every pointer's tag says
	case reflect.Struct:
		return w.object(v)
	case reflect.Slice:
		return w.list(name, v)
	case reflect.String:
		return w.scalar(w.relative(name, v.String()))
	default:
		return w.scalar(v.Interface())
	}
}

func (w *writer) object(v reflect.Value) error {
	w.buf.WriteByte('{')
	t, first := v.Type(), true
	for i := range t.NumField() {
		name, omit := key(t.Field(i))
		at, place := v.Field(i).Interface().(diag.Range)
		if name == "" || omit && empty(v.Field(i)) || place && at.IsZero() {
			continue
		}
		if !first {
			w.buf.WriteByte(',')
		}
		first = false
		fmt.Fprintf(&w.buf, "%q:", name)
		if err := w.value(name, v.Field(i)); err != nil {
			return err
		}
	}
	w.buf.WriteByte('}')
	return nil
}

// key is a field's name in the document, "" for what is left out, and whether
// it is omitted if it is empty. Dir is a folder of this machine.
func key(f reflect.StructField) (name string, omit bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "dir" {
		return "", false
	}
	return name, options == "omitempty"
}

func empty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice {
		return v.Len() == 0
	}
	return v.Kind() != reflect.Struct && v.IsZero()
}

func (w *writer) list(name string, v reflect.Value) error {
	w.buf.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			w.buf.WriteByte(',')
		}
		if err := w.value(name, v.Index(i)); err != nil {
			return err
		}
	}
	w.buf.WriteByte(']')
	return nil
}

// pairs is an object: names are there once, and sorted.
func (w *writer) pairs(kvs []planner.KV) error {
	w.buf.WriteByte('{')
	for i, kv := range kvs {
		if i > 0 {
			w.buf.WriteByte(',')
		}
		if err := w.scalar(kv.Name); err != nil {
			return err
		}
		w.buf.WriteByte(':')
		if err := w.scalar(kv.Value); err != nil {
			return err
		}
	}
	w.buf.WriteByte('}')
	return nil
}

func (w *writer) scalar(x any) error {
	enc := json.NewEncoder(&w.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(x); err != nil {
		return err
	}
	w.buf.Truncate(w.buf.Len() - 1) // the encoder's newline
	return nil
}

// relative writes what is a path of this machine from the workspace's root,
// where it lies below that: a secret's file as "//token", a layout that is a
// base as "layout:vendor/os".
func (w *writer) relative(name, s string) string {
	path, before := s, "//"
	if name == "ref" && strings.HasPrefix(s, layout) {
		path, before = strings.TrimPrefix(s, layout), layout
	} else if name != "file" {
		return s
	}
	rel, err := filepath.Rel(w.root, path)
	if err != nil || !filepath.IsAbs(path) || !filepath.IsLocal(rel) {
		return s
	}
	return before + filepath.ToSlash(rel)
}

// layout marks a base that is an OCI layout on disk.
const layout = "layout:"
