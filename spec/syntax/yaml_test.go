package syntax

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/grammar"
)

// lang is a small language with one block of each form.
func lang() *grammar.Block {
	text := grammar.Value{Type: grammar.String}
	ref := grammar.Value{Type: grammar.Reference}
	mount := func(variant string) *grammar.Block {
		return &grammar.Block{Name: "mount", Variant: variant, Label: grammar.LabelVariant, Attributes: []grammar.Attribute{{Name: "target", Value: text}}}
	}
	run := &grammar.Block{
		Name: "run", Step: true, Dynamic: true,
		Attributes: []grammar.Attribute{
			{Name: "script", Value: text}, {Name: "when", Value: grammar.Value{Type: grammar.Bool}},
			{Name: "env", Value: grammar.Value{Type: grammar.Map, Elem: &text}},
			{Name: "command", Value: grammar.Value{Type: grammar.List, Elem: &text}},
		},
		Blocks: []*grammar.Block{mount("cache"), mount("secret")},
	}
	user := &grammar.Block{Name: "user", Label: grammar.LabelAccount, Step: true, Attributes: []grammar.Attribute{{Name: "uid", Value: grammar.Value{Type: grammar.Number}}}}
	budget := &grammar.Block{Name: "budget", Max: 1, Attributes: []grammar.Attribute{{Name: "size", Value: text}}}
	test := &grammar.Block{Name: "test", Label: grammar.LabelText, Attributes: []grammar.Attribute{{Name: "command", Value: text}}}
	stage := &grammar.Block{
		Name: "stage", Label: grammar.LabelName, Dynamic: true,
		Attributes: []grammar.Attribute{{Name: "from", Value: ref}, {Name: "workdir", Value: text}},
		Blocks:     []*grammar.Block{run, user, budget, test},
	}
	variable := &grammar.Block{Name: "variable", Label: grammar.LabelName, Attributes: []grammar.Attribute{
		{Name: "type", Value: grammar.Value{Type: grammar.TypeExpr}}, {Name: "default", Value: grammar.Value{Type: grammar.Any}},
	}}
	waiver := &grammar.Block{Name: "waiver", Attributes: []grammar.Attribute{{Name: "rule", Value: text}}}
	return &grammar.Block{Blocks: []*grammar.Block{stage, variable, waiver, {Name: "locals", Open: true}}}
}

// parseYAML parses a text that must have no mistakes.
func parseYAML(t *testing.T, src string) *hclsyntax.Body {
	t.Helper()
	f, l := ParseYAML("image.yaml", []byte(src), lang())
	for _, d := range l {
		t.Errorf("%s: %s: %s", d.Range, d.Summary, d.Detail)
	}
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatalf("the body is %T", f.Body)
	}
	return body
}

// local is the value of one entry of locals.
func local(t *testing.T, value string) (hclsyntax.Expression, []byte) {
	t.Helper()
	src := "locals:\n  a: " + value
	return parseYAML(t, src).Blocks[0].Body.Attributes["a"].Expr, []byte(src)
}

// Whatever way a text is written, each name of its templates is placed where
// it stands.
func TestYAMLPlacesOfNames(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"plain":              "a ${var.here} b",
		"plain with wide":    "äöü 日本 ${var.here}",
		"plain of lines":     "a\n   b ${upper(var.here)}\n   c",
		"single quotes":      "'it''s ${var.here}'",
		"double quotes":      `"a \t \u00e4 ${var.here}"`,
		"quoted in quotes":   `"${lookup({\"a\" = 1}, var.here)}"`,
		"double of lines":    "\"a\n\n   b \\\n   ${var.here}\"",
		"literal":            "|\n    one\n\n      two ${var.here}\n    three",
		"literal at the end": "|\n    one\n    ${var.here}",
		"literal kept":       "|+ # comment\n    one ${var.here}\n\n\n",
		"literal indented":   "|2\n     one\n    ${var.here}\n",
		"folded":             ">\n    one\n    two ${var.here}\n\n    three\n",
		"folded with more":   ">-\n    one\n      more ${var.here}\n    three\n",
		"in a list":          "[x, \"${var.here}\", y]",
		"in a map":           "{x: \"${[for a in var.here : a.b[0]]}\"}",
		"with an anchor":     "&name\n   # comment\n   ${var.here}",
		"directive":          `"%{ if var.here }x%{ endif }"`,
		"object":             "'${ { a = var.here, (var.here) = 1 } }'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expr, bytes := local(t, src)
			names := hclsyntax.Variables(expr)
			if len(names) == 0 {
				t.Fatal("no name was found")
			}
			for _, n := range names {
				r := n.SourceRange()
				if got := string(r.SliceBytes(bytes)); got != "var.here" {
					t.Errorf("at %s stands %q", r, got)
				}
				if line := 1 + strings.Count(string(bytes[:r.Start.Byte]), "\n"); line != r.Start.Line {
					t.Errorf("line %d, not %d", r.Start.Line, line)
				}
			}
			if r := expr.Range(); r.End.Byte > len(bytes) || r.Start.Byte < 12 {
				t.Errorf("the expression stands at %v", r)
			}
		})
	}
}

// All places of an expression, not those of its names alone, are moved.
func TestYAMLPlacesOfEverything(t *testing.T) {
	t.Parallel()
	const inside = `${f(a.b, -c[d].e, [1, {x = 2, (y) = "s ${z}"}]...) + (q ? r[*].s : t.*.u) - [for k, v in w : k if v][0]}`
	expr, bytes := local(t, "|-\n    first\n    "+inside+"\n")
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		if _, scope := n.(hclsyntax.ChildScope); scope {
			return nil
		}
		r := n.Range()
		if r.Start.Line == 3 && r.Start.Column == 5 {
			return nil // the text before
		}
		if r.Start.Line != 2 && r.Start.Line != 4 || r.End.Byte > len(bytes) || r.End.Byte < r.Start.Byte {
			t.Errorf("%T stands at %v", n, r)
		}
		if int(r.Start.Column) != r.Start.Byte-strings.LastIndex(string(bytes[:r.Start.Byte]), "\n") {
			t.Errorf("%T: column %d of byte %d", n, r.Start.Column, r.Start.Byte)
		}
		return nil
	})
}
