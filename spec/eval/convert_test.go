package eval

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

func args(name string) []cty.Value {
	return []cty.Value{cty.StringVal(name), cty.ObjectVal(map[string]cty.Value{"x": cty.NumberIntVal(1)})}
}

func TestString(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	for src, want := range map[string]string{
		`"x"`: "x", `8080`: "8080", `true`: "true", `"1.20"`: "1.20", `-5`: "-5", `1.5`: "1.5", `0`: "0", `1 + 1`: "2", `var.version`: "1.2.3",
		`"${8080}"`: "8080", `true ? 8080 : 9090`: "8080", `100000000000000000000`: "100000000000000000000", `1.0 + 1`: "2",
	} {
		v, l := eval(t, s, src)
		expr, _ := syntax.ParseExpression("f.hcl", []byte(src))
		if got, err := String(v, expr, []byte(src)); err != nil || got != want || len(l) > 0 {
			t.Errorf("%s = %q, %v", src, got, err)
		}
	}
	for src, want := range map[string]string{
		`1.20`: `the unquoted 1.20 would become "1.2"; write "1.20"`, `0644`: `"644"`, `1e3`: `"1000"`, `-1.0`: `"-1"`, `1.0`: `write "1.0"`,
		`true ? 1.20 : 2`: `write "1.20"`, `true ? "a" : 1.20`: `write "1.20"`, `(1.20)`: `write "1.20"`, `"${1.20}"`: `write "1.20"`,
		`[1]`: "not a list", `{a = 1}`: "not a map", `base.go`: "a reference to base.go cannot be used as a string", `[secret.x]`: "secret.x cannot be used",
	} {
		v, _ := eval(t, s, src)
		expr, _ := syntax.ParseExpression("f.hcl", []byte(src))
		if got, err := String(v, expr, []byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s = %q, %v", src, got, err)
		}
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	s, _ := world(t)
	conv := func(src string) ([]string, error) {
		v, _ := eval(t, s, src)
		expr, _ := syntax.ParseExpression("f.hcl", []byte(src))
		return Strings(v, expr, []byte(src))
	}
	for src, want := range map[string][]string{
		`["a", 1, true]`: {"a", "1", "true"}, `[]`: {}, `toset(["b", "a"])`: {"a", "b"}, `concat(["a"], ["b"])`: {"a", "b"}, `[for x in ["a"] : upper(x)]`: {"A"},
	} {
		if got, err := conv(src); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %q, %v", src, got, err)
		}
	}
	for src, want := range map[string]struct {
		text   string
		column int // of the element; 0 for none
	}{
		`"a"`: {`a list of strings is needed, not the string "a"`, 0}, `["a", 1.20]`: {`write "1.20"`, 7}, `["a", null]`: {"an element is null", 7},
		`["a", ["b"]]`: {"a string is needed, not a list", 7}, `["a", secret.x]`: {"secret.x cannot be used", 7}, `{a = 1}`: {"not a map", 0}, `secret.x`: {"secret.x cannot", 0},
	} {
		_, err := conv(src)
		if err == nil || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v", src, err)
			continue
		}
		var w *Wrong
		if errors.As(err, &w) != (want.column > 0) || w != nil && w.Range.Start.Column != want.column {
			t.Errorf("%s: place %+v", src, w)
		}
	}
}

func TestReportPutsFixAtTheLiteral(t *testing.T) {
	t.Parallel()
	src := `["1.19", 1.20]`
	expr, _ := syntax.ParseExpression("f.hcl", []byte(src))
	v, _ := expr.Value(nil)
	_, err := Strings(v, expr, []byte(src))
	var l diag.List
	Report(&l, syntax.Range(expr.Range()), "Wrong value", "tags", err)
	d := l[0]
	if d.Range.Start.Column != 10 || d.Detail != `tags: a string is needed, and the unquoted 1.20 would become "1.2"; write "1.20".` {
		t.Errorf("got %+v", d)
	}
	fixed := src[:d.Fix.Range.Start.Byte] + d.Fix.Replacement + src[d.Fix.Range.End.Byte:]
	if fixed != `["1.19", "1.20"]` {
		t.Errorf("fixed: %s", fixed)
	}
	Report(&l, diag.Range{File: "g"}, "Wrong value", "tags", errors.New("no place"))
	if l[1].Range.File != "g" || l[1].Fix != nil {
		t.Errorf("got %+v", l[1])
	}
}

func TestBoolIntNumber(t *testing.T) {
	t.Parallel()
	if b, err := Bool(cty.StringVal("true")); err != nil || !b {
		t.Error(b, err)
	}
	if b, err := Bool(cty.False); err != nil || b {
		t.Error(b, err)
	}
	if _, err := Bool(cty.StringVal("yes")); err == nil || err.Error() != `true or false is needed, not the string "yes"` {
		t.Error(err)
	}
	if i, err := Int(cty.StringVal("10001"), 0, 1<<32); err != nil || i != 10001 {
		t.Error(i, err)
	}
	for _, v := range []cty.Value{cty.NumberFloatVal(1.5), cty.NumberIntVal(-1), cty.NumberIntVal(11), cty.StringVal("x"), cty.True, ref("base", "x"), cty.MustParseNumberVal("1e400")} {
		if i, err := Int(v, 0, 10); err == nil || !strings.Contains(err.Error(), "a whole number from 0 to 10 is needed, not ") {
			t.Errorf("%#v = %d, %v", v, i, err)
		}
	}
	if f, err := Number(cty.NumberFloatVal(0.5)); err != nil || f.String() != "0.5" {
		t.Error(f, err)
	}
	if _, err := Number(cty.EmptyTupleVal); err == nil || err.Error() != "a number is needed, not a list" {
		t.Error(err)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]cty.Value{
		`the string "a"`: cty.StringVal("a"), "the number 1.5": cty.NumberFloatVal(1.5), "the boolean true": cty.True, "null": cty.NullVal(cty.String),
		"not known yet": cty.DynamicVal, "a list": cty.EmptyTupleVal, "a set": cty.SetValEmpty(cty.String), "a map": cty.EmptyObjectVal,
		"a reference to scratch": RefValue(Ref{Kind: "scratch"}), `the string "` + strings.Repeat("é", 60) + `…"`: cty.StringVal(strings.Repeat("é", 70)),
	} {
		if got := Describe(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRefEquality(t *testing.T) {
	t.Parallel()
	a, b := Ref{Kind: "stage", Module: "//a", Name: "x", Key: "eu"}, Ref{Kind: "stage", Module: "//b", Name: "x", Key: "eu"}
	if RefValue(a).Equals(RefValue(a)).False() || RefValue(a).Equals(RefValue(b)).True() {
		t.Error("equality is not that of the reference")
	}
	if n := cty.SetVal([]cty.Value{RefValue(a), RefValue(b), RefValue(a)}).LengthInt(); n != 2 {
		t.Errorf("a set of two holds %d", n)
	}
	if got, ok := AsRef(RefValue(a)); !ok || got != a || got.String() != `stage.x["eu"]` {
		t.Errorf("got %v", got)
	}
	for _, v := range []cty.Value{cty.NullVal(RefType), cty.UnknownVal(RefType), cty.StringVal("stage.x"), cty.DynamicVal} {
		if _, ok := AsRef(v); ok {
			t.Errorf("%#v is a reference", v)
		}
	}
	if RefType.FriendlyName() != "reference" {
		t.Error(RefType.FriendlyName())
	}
}
