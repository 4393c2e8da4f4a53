package lsp

import (
	"strings"
	"testing"
)

// hovered is what the editor shows at the mark.
func hovered(t *testing.T, file, text string) string {
	t.Helper()
	s, p := opened(t, tree(t, shop), file, text)
	settle(s)
	answer, err := s.hover(message{}, p)
	if err != nil {
		t.Fatal(err)
	}
	h, ok := answer.(hover)
	if !ok {
		return ""
	}
	return h.Contents.Value
}

func TestHover(t *testing.T) {
	t.Parallel()
	const hcl, yaml = "web/more.image.hcl", "web/more.image.yaml"
	for _, c := range []struct{ name, file, text, want string }{
		{"a block", hcl, "sta‸ge \"x\" {\n  from = scratch\n}\n", "**stage**|A file system that others copy from|Required: `from`"},
		{"a block's label", hcl, "stage \"x‸y\" {\n  from = scratch\n}\n", "**stage**"},
		{"a block by its variant", hcl, "stage \"x\" {\n  run {\n    mou‸nt \"cache\" {}\n  }\n}\n", "**mount \"cache\"**"},
		{"a choice", hcl, "stage \"x\" {\n  ru‸n {}\n}\n", "Exactly one of `command`, `script`"},
		{"an attribute", hcl, "stage \"x\" {\n  run {\n    netw‸ork = \"none\"\n  }\n}\n", "**network** — \"none\", \"outbound\" or \"host\"|Default: `none`"},
		{"a required attribute", hcl, "stage \"x\" {\n  fr‸om = scratch\n}\n", "**from**|required"},
		{"an attribute without target", hcl, "image \"x\" {\n  ta‸gs = []\n}\n", "`target` cannot be used here"},
		{"a variable", hcl, "locals {\n  a = var.ver‸sion\n}\n", "**var.version** — variable, declared in `web/image.hcl`|What is released.|\"1.0\""},
		{"the word in front of the name", hcl, "locals {\n  a = va‸r.version\n}\n", "**var.version**"},
		{"a local", hcl, "locals {\n  a = \"${local.regi‸stry}/x\"\n}\n", "**local.registry** — local|\"registry.example.com\""},
		{"a reference", hcl, "stage \"x\" {\n  from = base.g‸o\n}\n", "**base.go** — base"},
		{"what a module gives", hcl, "stage \"x\" {\n  from = module.svc.stage.a‸pp\n}\n", "**module.svc.stage.app** — stage, declared in `lib/image.hcl`"},
		{"a module", hcl, "stage \"x\" {\n  from = module.sv‸c.stage.app\n}\n", "**module.svc** — module"},
		{"the workspace's", hcl, "stage \"x\" {\n  from = workspace.base.corpor‸ate\n}\n", "**workspace.base.corporate** — base, declared in `specbuild.hcl`"},
		{"the implied context", hcl, "stage \"x\" {\n  from = scratch\n  copy {\n    from = context.def‸ault\n    to = \"/\"\n  }\n}\n", "The module's own folder."},
		{"a function", hcl, "locals {\n  a = upp‸er(\"a\")\n}\n", "upper(str)|capital letters"},
		{"the language's own", hcl, "stage \"x\" {\n  platform = build.plat‸form\n}\n", "**build.platform**|linux/amd64"},
		{"scratch", hcl, "stage \"x\" {\n  from = scr‸atch\n}\n", "The empty file system"},
		{"what does not parse elsewhere", hcl, "stage \"x\" {\n  from = base.g‸o\n  env = {\n", "**base.go** — base"},
		{"nothing", hcl, "stage \"x\" {\n‸\n}\n", ""},
		{"a text", hcl, "locals {\n  a = \"var.ver‸sion\"\n}\n", ""},

		{"a map of blocks", yaml, "sta‸ge:\n  x: {from: scratch}\n", "**stage**"},
		{"a name in a map of blocks", yaml, "stage:\n  na‸me: {from: scratch}\n", "**stage**"},
		{"a key", yaml, "stage:\n  x:\n    wor‸kdir: /\n", "**workdir**"},
		{"a key in braces", yaml, "stage:\n  x: {from: scratch, wor‸kdir: /}\n", "**workdir**"},
		{"the list of steps", yaml, "stage:\n  x:\n    ste‸ps: []\n", "**steps**"},
		{"a step", yaml, "stage:\n  x:\n    steps:\n      - ru‸n: {}\n", "**run**"},
		{"a plural", yaml, "stage:\n  x:\n    steps:\n      - run:\n          mou‸nts: []\n", "**mount"},
		{"a variant", yaml, "stage:\n  x:\n    steps:\n      - run:\n          mounts:\n            - tm‸pfs: {}\n", "**mount \"tmpfs\"**"},
		{"a plain reference", yaml, "stage:\n  x:\n    from: base.g‸o\n", "**base.go** — base"},
		{"a plain reference in braces", yaml, "stage:\n  x: {from: base.g‸o}\n", "**base.go** — base"},
		{"an expression in a text", yaml, "locals:\n  a: \"v${var.ver‸sion}\"\n", "**var.version**|\"1.0\""},
		{"an expression in a block text", yaml, "stage:\n  x:\n    from: scratch\n    steps:\n      - run:\n          script: |\n            echo ${local.reg‸istry}\n", "**local.registry**"},
		{"a plain text", yaml, "locals:\n  a: var.ver‸sion\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := hovered(t, c.file, c.text)
			if c.want == "" && got != "" {
				t.Errorf("shown: %q", got)
			}
			for _, want := range strings.Split(c.want, "|") {
				if !strings.Contains(got, want) {
					t.Errorf("shown: %q, without %q", got, want)
				}
			}
		})
	}
}

func TestEveryFunctionHasASentence(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, f := range functions() {
		known[f.name] = true
		if !strings.HasSuffix(f.doc, ".") {
			t.Errorf("%s: %q", f.name, f.doc)
		}
	}
	for line := range strings.Lines(functionSentences) {
		if name, _, _ := strings.Cut(line, " "); !known[name] {
			t.Errorf("there is no function %s", name)
		}
	}
}
