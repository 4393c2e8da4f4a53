package lsp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec/format"
)

// apply is what an editor does with edits: all are of the text as it was.
func apply(t *testing.T, text *text, edits []textEdit) string {
	t.Helper()
	out := text.raw
	for _, e := range slices.Backward(edits) {
		start, end := text.rawOffset(e.Range.Start, false), text.rawOffset(e.Range.End, false)
		out = slices.Concat(out[:start], []byte(e.NewText), out[end:])
	}
	return string(out)
}

func TestFormatting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file, text string
		edits            int
	}{
		{"in the style", "a.image.hcl", "stage \"x\" {\n  from = scratch\n}\n", 0},
		{"some lines", "a.image.hcl", "stage \"x\" {\nfrom = scratch\n  workdir =\"/\"\n  env = {}\n}\n", 3},
		{"fewer lines", "a.image.hcl", "\n\nstage \"x\" {\n  from = scratch\n}\n\n\n", 1},
		{"no line end", "a.image.hcl", "stage \"x\" {\n  from = scratch\n}", 1},
		{"CRLF", "a.image.hcl", "stage \"\U0001F600\" {\r\n from = scratch\r\n}\r\n", 1},
		{"YAML", "a.image.yaml", "stage:\n    x:\n        from: scratch\n", 2},
		{"a policy", "a.policy.hcl", "policy \"x\" {\nenforcement = \"hard\"\n}\n", 1},
		{"half a spec", "a.image.hcl", "stage \"x\" {\nfrom = \n", 0},
		{"another language", "other.hcl", "a   = 1\n", 0},
		{"nothing", "a.image.hcl", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, p := opened(t, tree(t, shop), "web/"+c.file, mark+c.text)
			answer, err := s.formatting(message{}, p)
			if err != nil {
				t.Fatal(err)
			}
			edits := answer.([]textEdit)
			if len(edits) != c.edits {
				t.Errorf("%d edits, want %d: %v", len(edits), c.edits, edits)
			}
			want := c.text
			if c.edits > 0 {
				out, _ := format.Format(c.file, []byte(c.text))
				want = string(out)
			}
			if got := apply(t, newText([]byte(c.text)), edits); got != want {
				t.Errorf("with the edits:\n%q\nwant:\n%q", got, want)
			}
		})
	}
}

// outlined is an outline as text: names, kinds and the lines that they span.
func outlined(symbols []documentSymbol, indent string) string {
	var out strings.Builder
	for _, s := range symbols {
		fmt.Fprintf(&out, "%s%s %d %d-%d\n%s", indent, s.Name, s.Kind, s.Range.Start.Line, s.Range.End.Line, outlined(s.Children, indent+"  "))
	}
	return out.String()
}

func TestDocumentSymbols(t *testing.T) {
	t.Parallel()
	const want = `variable v 13 0-1
locals 5 2-3
  a 13 3-3
module m 3 4-5
stage x 5 6-11
  run 19 8-11
    mount cache 19 9-11
`
	for file, text := range map[string]string{
		"more.image.hcl": `variable "v" {
}
locals {
  a = 1 }
module "m" {
  source = "//lib" }
stage "x" {
  from = scratch
  run {
    mount "cache" {
      target = "/x"
    } } }
`,
		"more.image.yaml": `variable: {v: {
  type: string}}
locals:
  a: 1
module: {m: {
  source: //lib}}
stage: {x: {
  from: scratch, steps: [
  {run: {command: [a],
    mounts: [{cache:
      {target:
        /x}}]}}]}}
`,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s, p := opened(t, tree(t, shop), "web/"+file, mark+text)
			answer, err := s.documentSymbols(message{}, p)
			if err != nil {
				t.Fatal(err)
			}
			if got := outlined(answer.([]documentSymbol), ""); got != want {
				t.Errorf("the outline:\n%swant:\n%s", got, want)
			}
		})
	}
}

func TestCodeActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, text, want string }{
		{"a name that was meant", "more.image.hcl", "stage \"x\" {\n  from = base.g‸oo\n}\n", "stage \"x\" {\n  from = base.go\n}\n"},
		{"an attribute that was meant", "more.image.hcl", "stage \"x\" {\n  fr‸on = scratch\n  from = scratch\n}\n", "stage \"x\" {\n  from = scratch\n  from = scratch\n}\n"},
		{"a key that was meant", "more.image.yaml", "stage:\n  x:\n    from: scratch\n    work‸dri: /\n", "stage:\n  x:\n    from: scratch\n    workdir: /\n"},
		{"elsewhere", "more.image.hcl", "sta‸ge \"x\" {\n  from = base.goo\n}\n", ""},
		{"a mistake that nobody can mend", "more.image.hcl", "stage \"x\" {\n  from = base.f‸arAway\n}\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, p := opened(t, tree(t, shop), "web/"+c.file, c.text)
			d, _ := s.document(p.TextDocument)
			s.touch(d, 0)
			ask := codeActionParams{TextDocument: p.TextDocument, Range: span{p.Position, p.Position}}
			if early, err := s.codeActions(message{}, ask); err != nil || len(early.([]codeAction)) != 0 {
				t.Errorf("actions for a text that was not read yet: %v, %v", early, err)
			}
			settle(s)
			answer, err := s.codeActions(message{}, ask)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if actions := answer.([]codeAction); len(actions) > 0 {
				got = apply(t, d.text, actions[0].Edit.Changes[d.uri])
			}
			if got != c.want {
				t.Errorf("the fix gives %q, want %q; found: %v", got, c.want, s.published[d.path])
			}
			ask.Context.Only = []string{"source.organizeImports"}
			if other, _ := s.codeActions(message{}, ask); len(other.([]codeAction)) != 0 {
				t.Errorf("fixes where only %s were asked for", ask.Context.Only)
			}
		})
	}
}
