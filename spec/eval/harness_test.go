package eval

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

func ref(kind, name string) cty.Value { return RefValue(Ref{Kind: kind, Module: "//", Name: name}) }

// world is a scope with references, some variables and a few files.
func world(t *testing.T) (Scope, *Files) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"svc/hello.txt":  "hi\n",
		"svc/greet.tmpl": "hello ${name}%{ if loud }!%{ endif }",
		"svc/sub/b.txt":  "b",
		"svc/sub/c.md":   "c",
		"top.txt":        "top",
		"svc/bin":        "\xff\xfe",
	})
	files, err := OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	ctx := &hcl.EvalContext{
		Functions: NewLibrary(files).Functions("svc"),
		Variables: map[string]cty.Value{
			"scratch": RefValue(Ref{Kind: "scratch"}),
			"secret":  cty.ObjectVal(map[string]cty.Value{"x": ref("secret", "x")}),
			"base":    cty.ObjectVal(map[string]cty.Value{"go": ref("base", "go"), "static": ref("base", "static")}),
			"stage":   cty.EmptyObjectVal,
			"var": cty.ObjectVal(map[string]cty.Value{
				"version": cty.StringVal("1.2.3"),
				"none":    cty.NullVal(cty.String),
				"some":    cty.UnknownVal(cty.List(RefType)),
				"text":    cty.UnknownVal(cty.String),
				"any":     cty.DynamicVal,
				"map":     cty.MapVal(map[string]cty.Value{"alpha": cty.StringVal("a")}),
			}),
		},
	}
	return Scope{Context: ctx}, files
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// eval evaluates source text in a scope.
func eval(t *testing.T, s Scope, src string) (cty.Value, diag.List) {
	t.Helper()
	expr, l := syntax.ParseExpression("f.hcl", []byte(src))
	if l.HasErrors() {
		t.Fatalf("%s does not parse: %v", src, l)
	}
	s.Source = func(string) []byte { return []byte(src) }
	return s.Value(expr)
}
