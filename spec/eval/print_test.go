package eval

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/syntax"
)

// What is printed is an expression that gives the value again.
func TestPrintedValuesAreExpressions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"a"`:                          `"a"`,
		`"$${a} %%{b} \"c\" \n"`:       `"$${a} %%{b} \"c\" \n"`,
		`1.50`:                         `1.5`,
		`true`:                         `true`,
		`null`:                         `null`,
		`[]`:                           `[]`,
		`{}`:                           `{}`,
		`[1, "b", [2]]`:                "[\n  1,\n  \"b\",\n  [\n    2,\n  ],\n]",
		`{ b = 1, "a b" = { c = 2 } }`: "{\n  \"a b\" = {\n    c = 2\n  }\n  b = 1\n}",
		`toset(["b", "a"])`:            "toset([\n  \"a\",\n  \"b\",\n])",
		`"one\ntwo $${x}\n"`:           "<<-EOT\n  one\n  two $${x}\nEOT",
	} {
		v := evaluateText(t, text)
		got := Print(v)
		if got != want {
			t.Errorf("%s is printed as\n%s\nwant\n%s", text, got, want)
		}
		if again := evaluateText(t, got+"\n"); !again.RawEquals(v) {
			t.Errorf("%s, printed and read again, is %#v", text, again)
		}
	}
}

func evaluateText(t *testing.T, text string) cty.Value {
	t.Helper()
	expr, l := syntax.ParseExpression("x", []byte(text))
	if l.HasErrors() {
		t.Fatalf("%s: %v", text, l)
	}
	v, l := Scope{Context: &hcl.EvalContext{Functions: NewLibrary(nil).Functions(".")}}.Value(expr)
	if l.HasErrors() {
		t.Fatalf("%s: %v", text, l)
	}
	return v
}

func TestPrintOfWhatIsNoLiteral(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]cty.Value{
		"(not known yet)":   cty.UnknownVal(cty.String),
		`stage.build["eu"]`: RefValue(Ref{Kind: "stage", Name: "build", Key: "eu"}),
		"scratch":           RefValue(Ref{Kind: "scratch"}),
	} {
		if got := Print(v); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
