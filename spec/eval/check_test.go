package eval

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/syntax"
)

// TestCheck tells what is wrong whatever values there will be, and nothing of
// what one of them may mend.
func TestCheck(t *testing.T) {
	t.Parallel()
	file := cty.ObjectVal(map[string]cty.Value{"path": cty.UnknownVal(cty.String), "size": cty.UnknownVal(cty.Number)})
	exact := map[string]cty.Value{"x": cty.ObjectVal(map[string]cty.Value{
		"name": cty.UnknownVal(cty.String), "size": cty.UnknownVal(cty.Number), "files": cty.DynamicVal, "labels": cty.UnknownVal(cty.Map(cty.String)),
	})}
	samples := map[string]cty.Value{"x": cty.ObjectVal(map[string]cty.Value{
		"name": cty.UnknownVal(cty.String), "files": cty.TupleVal([]cty.Value{file}), "by": cty.MapVal(map[string]cty.Value{"a": file}),
	})}
	for _, c := range []struct {
		expr    string
		samples bool
		want    []string // pieces of details, in order; none is no mistake
	}{
		{expr: `x.name == "" && x.nmae == ""`, want: []string{`x has no "nmae". Did you mean "name"?`}},
		{expr: `x.size > 1 ? x.nmae : x.sise`, want: []string{`"nmae"`, `"sise"`}},
		{expr: `[for f in x.files : f.any + x.nmae]`, want: []string{`"nmae"`}},
		{expr: `length(x.size) + lenght(x.files)`, want: []string{"length()", `"length"`}},
		{expr: `try(x.nmae, can(x.sise), upper()) == ""`},
		{expr: `x.labels["team"] == x.labels.owner && x.files[3].a.b[x.size] > x.name`},
		{expr: `upper(try(x.nmae, x.sise)) == x.nmae`, want: []string{"no expression succeeded", `"nmae"`}},

		{expr: `x.files[7].path == x.by["b"].path && 1 / (length(x.files) - 1) > 0`, samples: true},
		{expr: `[for i, f in x.files : f.pth if i == 5]`, samples: true, want: []string{`f has no "pth". Did you mean "path"?`}},
		{expr: `{ for k, f in x.by : k => [for g in x.files : f.sise + g.path + split(":", k)[4]] }`, samples: true, want: []string{`"sise"`}},
		{expr: `max(x.files[*].size...) > startswith(x.name)`, samples: true, want: []string{"startswith()"}},
		{expr: `startswith(x.files...) && x.files[*].pth == []`, samples: true, want: []string{`"pth"`}},
		{expr: `"${x.name} ${x.files}"`, samples: true, want: []string{"a string, a number or a boolean is needed"}},
	} {
		expr, l := syntax.ParseExpression("rule", []byte(c.expr))
		if l.HasErrors() {
			t.Fatalf("%s: %v", c.expr, l)
		}
		names := exact
		if c.samples {
			names = samples
		}
		got := Scope{Context: &hcl.EvalContext{Variables: names, Functions: NewLibrary(nil).Functions(".")}}.Check(expr, c.samples)
		ok := len(got) == len(c.want)
		for i := range min(len(got), len(c.want)) {
			ok = ok && strings.Contains(got[i].Detail, c.want[i])
		}
		if !ok {
			t.Errorf("%s: %v, want %q", c.expr, got, c.want)
		}
	}
}
