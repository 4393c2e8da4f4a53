package spec

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// dump prints an evaluated value as an indented text: fields that are set,
// with the line that set them. It goes over the model by reflection, so that
// a field added to it cannot be forgotten here.
func dump(v any) string {
	var p printer
	p.value("", reflect.ValueOf(v))
	return p.String()
}

type printer struct {
	strings.Builder
	depth int
}

func (p *printer) line(name, text string) {
	p.WriteString(strings.Repeat("  ", p.depth))
	if name != "" {
		p.WriteString(name + ": ")
	}
	p.WriteString(text + "\n")
}

func (p *printer) value(name string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case Platform:
		if x.OS != "" {
			p.line(name, x.String())
		}
		return
	case Addr:
		if x.Kind != "" {
			p.line(name, x.String())
		}
		return
	case time.Duration:
		if x != 0 {
			p.line(name, x.String())
		}
		return
	case uint32:
		if x != 0 {
			p.line(name, fmt.Sprintf("%04o", x))
		}
		return
	case time.Time:
		p.line(name, x.Format(time.RFC3339))
		return
	case EnvVar:
		text := fmt.Sprintf("%s=%q", x.Name, x.Value)
		if x.Unset {
			text = x.Name + " unset"
		}
		p.line("", text)
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			p.value(name, v.Elem())
		}
	case reflect.Struct:
		p.structure(name, v)
	case reflect.Slice:
		p.slice(name, v)
	default:
		if !v.IsZero() {
			p.line(name, fmt.Sprintf("%v", v.Interface()))
		}
	}
}

func (p *printer) slice(name string, v reflect.Value) {
	if v.Len() == 0 {
		return
	}
	if k := v.Type().Elem().Kind(); k == reflect.String {
		p.line(name, fmt.Sprintf("%q", v.Interface()))
		return
	}
	p.line(name, fmt.Sprint(v.Len()))
	p.depth++
	for i := range v.Len() {
		p.value("", v.Index(i))
	}
	p.depth--
}

func (p *printer) structure(name string, v reflect.Value) {
	t := v.Type()
	if strings.HasPrefix(t.Name(), "Attr[") {
		p.attr(name, v)
		return
	}
	if t.Name() == "Range" {
		return
	}
	before := p.Len()
	p.line(name, t.Name())
	empty := p.Len()
	p.depth++
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			p.value(t.Field(i).Name, v.Field(i))
		}
	}
	p.depth--
	if p.Len() == empty && name != "" {
		text := p.String()[:before]
		p.Reset()
		p.WriteString(text)
	}
}

// attr prints an empty value too where it was set, and says what is a
// default.
func (p *printer) attr(name string, v reflect.Value) {
	value, set, unknown := v.FieldByName("V"), v.FieldByName("Set").Bool(), v.FieldByName("Unknown").Bool()
	switch {
	case unknown:
		p.line(name, "unknown")
	case set && value.Kind() == reflect.Slice && value.Len() == 0:
		p.line(name, "[]")
	case set && value.IsZero():
		p.line(name, fmt.Sprintf("%#v", value.Interface()))
	case set:
		p.value(name, value)
	default:
		p.value(name+" (default)", value)
	}
}

func TestDumpTellsUnsetFromEmpty(t *testing.T) {
	t.Parallel()
	run := Run{
		Outputs: Attr[[]string]{Set: true}, Network: Attr[string]{V: "none"},
		Env: []EnvVar{{Name: "A", Unset: true}},
	}
	const want = "Run\n  Env: 1\n    A unset\n  Network (default): none\n  Outputs: []\n"
	if got := dump(run); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
