package bake

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/eval"
)

// preamble is what the expressions below are written over.
const preamble = `
variable "TAG" { default = "v1.2" }
variable "EMPTY" { default = "" }
variable "N" { default = 7 }
variable "ON" { default = true }
variable "LIST" { default = ["b", "a", ""] }
variable "MAP" { default = { a = "x", "b.c" = "y" } }
variable "OBJS" { default = [{ n = "p", v = 1 }, { n = "q", v = 2 }] }
function "wrap" {
  params = [a, b]
  result = "<${a}|${b}>"
}
function "count" {
  params = [first]
  variadic_params = rest
  result = add(1, length(rest))
}
function "twice" {
  params = [x]
  result = wrap(x, upper(x))
}
`

// What is written for an expression is worth in a spec what it is worth in
// bake.
func TestExpressionsKeepTheirValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ bake, spec string }{
		{`TAG`, `var.tag`},
		{`"${TAG}"`, `var.tag`},
		{`"a-${TAG}-$${x}-%%{y}-$${"`, `"a-${var.tag}-$${x}-%%{y}-$${"`},
		{`"$${TAG}"`, `"$${TAG}"`},
		{`"${"$"}${TAG}"`, ``},
		{`"line\n\ttab \"q\" \\ é"`, `"line\n\ttab \"q\" \\ é"`},
		{`"${"${TAG}-x"}-y"`, `"${var.tag}-x-y"`},
		{`"%{ if ON }on%{ else }off%{ endif }!"`, `"${var.on ? "on" : "off"}!"`},
		{`"%{ for x in LIST }${x};%{ endfor }"`, `join("", [for x in var.list : "${x};"])`},
		{`ON ? TAG : "x"`, `var.on ? var.tag : "x"`},
		{`(ON ? 1 : 2) + 3`, `(var.on ? 1 : 2) + 3`},
		{`1 + 2 * N - -N`, ``},
		{`(1 + 2) * N % 4 / 2`, ``},
		{`N > 3 && !(N >= 8) || N != 7`, ``},
		{`equal(TAG, "v1.2")`, `var.tag == "v1.2"`},
		{`notequal(TAG, "") ? "a" : "b"`, `var.tag != "" ? "a" : "b"`},
		{`not(equal(TAG, ""))`, `!(var.tag == "")`},
		{`and(ON, or(ON, false))`, `var.on && (var.on || false)`},
		{`add(N, multiply(2, subtract(N, 1)))`, ``},
		{`modulo(N, 4)`, `var.n % 4`},
		{`divide(negate(N), 2)`, ``},
		{`greaterthan(N, 3) && lessthanorequalto(N, 7)`, ``},
		{`absolute(negate(N))`, `abs(-var.n)`},
		{`int(divide(negate(N), 2))`, ``},
		{`int(7.9)`, ``},
		{`coalesce(null, EMPTY, TAG)`, ``},
		{`replace(TAG, ".", "-")`, `replace(var.tag, ".", "-")`},
		{`replace(TAG, "/./", "-")`, ``},
		{`regex_replace(TAG, "([0-9])", "<$1>")`, ``},
		{`sanitize("a/b ${TAG}")`, ``},
		{`index(LIST, 1)`, `var.list[1]`},
		{`indexof(LIST, "a")`, `index(var.list, "a")`},
		{`hasindex(LIST, 9)`, `can(var.list[9])`},
		{`reverselist(LIST)`, `reverse(var.list)`},
		{`LIST[0]`, `var.list[0]`},
		{`LIST[N - 6]`, `var.list[var.n - 6]`},
		{`MAP.a`, `var.map.a`},
		{`MAP["b.c"]`, `var.map["b.c"]`},
		{`OBJS[*].n`, `var.objs[*].n`},
		{`OBJS.*.v`, ``},
		{`OBJS[0].n`, `var.objs[0].n`},
		{`[for o in OBJS : "${o.n}${o.v}" if o.v > 1]`, ``},
		{`{ for k, v in MAP : upper(k) => v }`, ``},
		{`{ for o in OBJS : "g" => o.n... }`, ``},
		{`{ a = TAG, "b-c" = 1, (TAG) = 2, "${TAG}x" = 3 }`, ``},
		{`concat(LIST, [TAG], ON ? ["x"] : [])`, ``},
		{`join(",", concat([LIST, LIST]...))`, ``},
		{`max([1, N]...)`, `max([1, var.n]...)`},
		{`wrap(TAG, "b")`, `"<${var.tag}|b>"`},
		{`wrap(N + 1, ON ? "a" : TAG)`, ``},
		{`twice(TAG)`, ``},
		{`twice("x")`, `"<x|X>"`},
		{`count(TAG, TAG, "c")`, ``},
		{`wrap([for a in LIST : upper(a)][0], "z")`, ``},
		{`md5("x")`, `"9dd4e461268c8034f5c8564e155c67a6"`},
		{`format("%s-%03d", TAG, N)`, ``},
		{`split(".", TAG)[1]`, ``},
		{`try(MAP.zzz, TAG)`, ``},
		{`merge(MAP, { a = "z" })`, ``},
		{`jsonencode({ a = LIST })`, ``},
		{`lookup(MAP, "q", TAG)`, ``},
		{`setproduct(["a"], LIST)`, ``},
		{`trimprefix(TAG, "v") == "1.2" ? upper(TAG) : lower(TAG)`, ``},
	} {
		t.Run(c.bake, func(t *testing.T) {
			t.Parallel()
			im := &importer{name: "x.hcl", sources: map[string][]byte{}}
			im.file = im.read([]byte(preamble + "X = " + c.bake + "\n"))
			im.values = newValues(im.file, &im.diags)
			if im.diags.HasErrors() {
				t.Fatalf("%+v", im.diags)
			}
			im.print = newPrinter(im.file, im.values)
			x := *im.file.variables[len(im.file.variables)-1].def
			for _, v := range im.file.variables {
				if v.name == "X" {
					x = *v.def
				}
			}
			p := im.print.print(x, nil)
			if p.none != "" || c.spec != "" && p.text != c.spec {
				t.Errorf("%s %s, want %s", p.text, p.none, c.spec)
			}
			if got := worth(t, im, p.text); fmt.Sprintf("%#v", plain(got)) != fmt.Sprintf("%#v", plain(im.values.of["X"])) {
				t.Errorf("%s is %#v, in bake %#v", p.text, got, im.values.of["X"])
			}
		})
	}
}

// worth evaluates an expression as a spec with these variables would.
func worth(t *testing.T, im *importer, s string) cty.Value {
	t.Helper()
	e, ds := hclsyntax.ParseExpression([]byte(s), "", hcl.InitialPos)
	if ds.HasErrors() {
		t.Fatalf("%s: %s", s, ds)
	}
	vars := map[string]cty.Value{}
	for name, v := range im.values.of {
		if n, ok := strings.CutPrefix(im.print.names[name], "var."); ok {
			vars[n] = v
		}
	}
	v, ds := e.Value(&hcl.EvalContext{
		Variables: map[string]cty.Value{"var": cty.ObjectVal(vars)},
		Functions: eval.NewLibrary(nil).Functions("."),
	})
	if ds.HasErrors() {
		t.Fatalf("%s: %s", s, ds)
	}
	return v
}

// plain is a value in Go's own types: lists and tuples of one content are one.
func plain(v cty.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Type().IsPrimitiveType():
		s, _ := text(v)
		return s
	case v.Type().IsObjectType() || v.Type().IsMapType():
		out := map[string]any{}
		for k, e := range v.AsValueMap() {
			out[k] = plain(e)
		}
		return fmt.Sprint(out)
	}
	var out []any
	for _, e := range v.AsValueSlice() {
		out = append(out, plain(e))
	}
	return fmt.Sprint(out)
}

// What has no fixed value is not written, and says why.
func TestExpressionsWithoutAValueAreNotWritten(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`timestamp()`, `"x-${timestamp()}"`, `formatdate("YYYY", timestamp())`, `uuidv4()`, `"${TAG}-${uuidv4()}"`, `wrap(timestamp(), TAG)`} {
		im := &importer{name: "x.hcl", sources: map[string][]byte{}}
		im.file = im.read([]byte(preamble + "X = " + s + "\n"))
		im.values = newValues(im.file, &im.diags)
		im.print = newPrinter(im.file, im.values)
		for _, v := range im.file.variables {
			if v.name != "X" {
				continue
			}
			if p := im.print.print(*v.def, nil); !strings.Contains(p.none, "another value each time") {
				t.Errorf("%s is %q, %q", s, p.text, p.none)
			}
		}
	}
}

func TestRelativePaths(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{".", "a/b", "a/b"}, {"a", "a/b", "b"}, {"a", "a", ""}, {"a/b", "a", ".."}, {"a/b", "c/d", "../../c/d"}, {"a", ".", ".."}, {".", ".", "."},
	} {
		if got := relative(c[0], c[1]); got != c[2] && (got != "." || c[2] != "") {
			t.Errorf("from %s to %s is %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
