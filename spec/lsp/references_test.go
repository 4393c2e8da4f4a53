package lsp

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReferences(t *testing.T) {
	t.Parallel()
	const hcl, yaml = "web/more.image.hcl", "web/more.image.yaml"
	for _, c := range []struct {
		name, file, text string
		declaration      bool
		want             string
	}{
		{"from a declaration", hcl, "base \"he‸re\" {}\nstage \"x\" {\n  from = base.here\n  env = { A = [base.here] }\n}\n", false,
			"web/more.image.hcl:2:9-18 web/more.image.hcl:3:15-24"},
		{"from a name, with the declaration", hcl, "stage \"x\" {\n  from = base.g‸o\n}\n", true,
			"web/image.hcl:7:0-9 web/image.hcl:17:9-16 web/image.hcl:21:13-20 web/more.image.hcl:1:9-16"},
		{"with keys", hcl, "stage \"x\" {\n  from = stage.ea‸ch[each.key]\n}\n", false, "web/more.image.hcl:1:9-19"},
		{"a local in a text", hcl, "locals {\n  a‸a = 1\n  b = \"x${local.aa}\"\n  c = local.aaa\n}\n", false, "web/more.image.hcl:2:10-18"},
		{"what a module declares", hcl, "stage \"x\" {\n  from = module.svc.stage.a‸pp\n}\n", true, "lib/image.hcl:8:0-11 web/more.image.hcl:1:9-29"},
		{"a call of a module", hcl, "stage \"x\" {\n  from = module.sv‸c.stage.app\n}\n", false, "web/more.image.hcl:1:9-19"},
		{"what the workspace declares", hcl, "stage \"x\" {\n  from = workspace.base.corp‸orate\n}\n", true, "specbuild.hcl:0:0-16 web/more.image.hcl:1:9-33"},
		{"in YAML", yaml, "base:\n  he‸re: {image: a}\nstage:\n  x: {from: base.here, env: {A: base.here, B: \"${base.here}\"}}\n", false,
			"web/more.image.yaml:3:12-21 web/more.image.yaml:3:49-58"},
		{"nothing", hcl, "stage \"x\" {\n‸\n}\n", true, ""},
		{"a function", hcl, "locals {\n  a = upp‸er(\"a\")\n}\n", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, shop)
			s, p := opened(t, dir, c.file, c.text)
			ask := referenceParams{TextDocument: p.TextDocument, Position: p.Position}
			ask.Context.IncludeDeclaration = c.declaration
			answer, err := s.references(message{}, ask)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, at := range answer.([]location) {
				rel, _ := filepath.Rel(dir, strings.TrimPrefix(at.URI, "file://"))
				got = append(got, fmt.Sprintf("%s:%d:%d-%d", filepath.ToSlash(rel), at.Range.Start.Line, at.Range.Start.Character, at.Range.End.Character))
			}
			slices.Sort(got)
			if want := strings.Fields(c.want); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("named at %q, want %q", got, want)
			}
		})
	}
}
