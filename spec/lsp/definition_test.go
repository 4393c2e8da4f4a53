package lsp

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestDefinition(t *testing.T) {
	t.Parallel()
	const hcl, yaml = "web/more.image.hcl", "web/more.image.yaml"
	for _, c := range []struct{ name, file, text, want string }{
		{"a variable of another file", hcl, "locals {\n  a = var.ver‸sion\n}\n", "web/image.hcl:0:0-0:18"},
		{"a local", hcl, "locals {\n  a = local.reg‸istry\n}\n", "web/image.hcl:5:2-5:10"},
		{"a reference with a key", hcl, "stage \"x\" {\n  from = stage.ea‸ch[\"eu\"]\n}\n", "web/image.hcl:19:0-19:12"},
		{"of this file, where it stands now", hcl, "\n\nbase \"here\" {\n  image = \"a\"\n}\nstage \"x\" {\n  from = base.he‸re\n}\n", "web/more.image.hcl:2:0-2:11"},
		{"the call of a module", hcl, "stage \"x\" {\n  from = module.s‸vc.stage.app\n}\n", "web/image.hcl:23:0-23:12"},
		{"what a module declares", hcl, "stage \"x\" {\n  from = module.svc.stage.a‸pp\n}\n", "lib/image.hcl:8:0-8:11"},
		{"an image of a module", hcl, "stage \"x\" {\n  from = module.svc.image.a‸pp\n}\n", "lib/image.hcl:11:0-11:11"},
		{"what the workspace declares", hcl, "stage \"x\" {\n  from = workspace.base.corp‸orate\n}\n", "specbuild.hcl:0:0-0:16"},
		{"a module's source", hcl, "module \"y\" {\n  source = \"../li‸b\"\n}\n", "lib/image.hcl:0:0-0:0"},
		{"a module's source from the root", hcl, "module \"y\" {\n  source = \"//li‸b\"\n}\n", "lib/image.hcl:0:0-0:0"},
		{"a source that is not there", hcl, "module \"y\" {\n  source = \"//no‸ne\"\n}\n", ""},
		{"a name that is not declared", hcl, "locals {\n  a = var.no‸ne\n}\n", ""},
		{"a function", hcl, "locals {\n  a = upp‸er(\"a\")\n}\n", ""},
		{"what the language gives", hcl, "locals {\n  a = path.ro‸ot\n}\n", ""},

		{"a plain reference in YAML", yaml, "stage:\n  x: {from: base.g‸o}\n", "web/image.hcl:7:0-7:9"},
		{"an expression in YAML", yaml, "locals:\n  a: ${var.ver‸sion}\n", "web/image.hcl:0:0-0:18"},
		{"what YAML declares", yaml, "base:\n  here: {image: a}\nstage:\n  x:\n    from: base.he‸re\n", "web/more.image.yaml:1:2-1:6"},
		{"a local of YAML", yaml, "locals:\n  here: 1\n  b: \"${local.he‸re}\"\n", "web/more.image.yaml:1:2-1:6"},
		{"a module's source in YAML", yaml, "module:\n  y:\n    source: ../li‸b\n", "lib/image.hcl:0:0-0:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, shop)
			s, p := opened(t, dir, c.file, c.text)
			answer, err := s.definition(message{}, p)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if at, ok := answer.([]location); ok && len(at) > 0 {
				rel, _ := filepath.Rel(dir, strings.TrimPrefix(at[0].URI, "file://"))
				got = fmt.Sprintf("%s:%d:%d-%d:%d", rel, at[0].Range.Start.Line, at[0].Range.Start.Character, at[0].Range.End.Line, at[0].Range.End.Character)
			}
			if got != c.want {
				t.Errorf("leads to %q, want %q", got, c.want)
			}
		})
	}
}

// While the text does not parse, names lead to where they are now.
func TestDefinitionFollowsUnsavedChanges(t *testing.T) {
	t.Parallel()
	dir := tree(t, shop)
	s, p := opened(t, dir, "web/more.image.hcl", "stage \"x\" {\n  from = module.svc.stage.a‸pp\n  env = {\n")
	lib := filepath.Join(dir, "lib", "image.hcl")
	s.didOpen(didOpen{textDocument{URI: "file://" + lib, Text: "# moved\n\nstage \"app\" {\n  from = scr"}})
	answer, err := s.definition(message{}, p)
	if err != nil {
		t.Fatal(err)
	}
	at := answer.([]location)
	if len(at) != 1 || at[0].Range.Start.Line != 2 || at[0].URI != "file://"+lib {
		t.Errorf("leads to %v", at)
	}
}
