package lsp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/spec"
)

// drawn is an outline as text: blocks with their labels, attributes with their
// values as they are written. A block that the grammar does not have is
// marked.
func drawn(b *block, src []byte, indent string) string {
	var out strings.Builder
	for _, a := range b.attrs {
		value := strings.Join(strings.Fields(string(src[a.value.start:a.value.end])), " ")
		fmt.Fprintf(&out, "%s%s = %s\n", indent, string(src[a.nameAt.start:a.nameAt.end]), value)
	}
	for _, n := range b.blocks {
		unknown := ""
		if n.lang == nil {
			unknown = " ?"
		}
		fmt.Fprintf(&out, "%s%s\n%s", indent, strings.TrimSpace(n.name+" "+n.label)+unknown, drawn(n, src, indent+"  "))
	}
	return out.String()
}

// What the author had before he began to type is still seen.
func TestOutlineOfBrokenHCL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"whole", "stage \"x\" {\n  from = base.go\n  run {\n    command = [\"a\", \"b\"]\n  }\n}\n",
			"stage x\n  from = base.go\n  run\n    command = [\"a\", \"b\"]\n"},
		{"a label without quotes", "stage x {\n}\n", "stage x\n"},
		{"two labels", "stage \"x\" \"y\" {\n}\n", "stage x\n"},
		{"an unknown block", "nothing {\n  a = 1\n}\n", "nothing ?\n  a = 1\n"},
		{"no value", "stage \"x\" {\n  from =\n  workdir = \"/\"\n}\n", "stage x\n  from = \n  workdir = \"/\"\n"},
		{"a dot at the end", "stage \"x\" {\n  from = base.\n  workdir = \"/\"\n}\n", "stage x\n  from = base.\n  workdir = \"/\"\n"},
		{"half a name", "stage \"x\" {\n  fro\n  workdir = \"/\"\n}\n", "stage x\n  workdir = \"/\"\n"},
		{"half a header", "stage \"x\nbase \"go\" {\n  image = \"a\"\n}\n", "base go\n  image = \"a\"\n"},
		{"a quote is missing", "stage \"x\" {\n  workdir = \"/src\n  env = { A = \"b\" }\n}\n", "stage x\n  workdir = \"/src\n  env = { A = \"b\" }\n"},
		{"a quote is missing in a list", "stage \"x\" {\n  shell = [\"a, \"b\"]\n  workdir = \"/\"\n}\n", "stage x\n  shell = [\"a, \"b\"]\n  workdir = \"/\"\n"},
		{"a bracket is missing", "stage \"x\" {\n  shell = [\"a\",\n  workdir = \"/\"\n  run {\n  }\n}\n", "stage x\n  shell = [\"a\",\n  workdir = \"/\"\n  run\n"},
		{"a bracket is missing before a block", "stage \"x\" {\n  shell = [\"a\",\n  mount \"cache\" {\n  }\n}\n", "stage x\n  shell = [\"a\",\n  mount cache ?\n"},
		{"a bracket is missing before the end", "stage \"x\" {\n  shell = [\"a\"\n}\nstage \"y\" {\n}\n", "stage x\n  shell = [\"a\"\nstage y\n"},
		{"a parenthesis is missing", "locals {\n  a = join(\",\", [\"b\"]\n  c = 1\n}\n", "locals\n  a = join(\",\", [\"b\"]\n  c = 1\n"},
		{"${ is not closed", "locals {\n  a = \"x${var.y\n  c = 1\n}\n", "locals\n  a = \"x${var.y\n  c = 1\n"},
		{"${ over several lines", "locals {\n  a = \"x${\n    var.y\n  }\"\n  c = 1\n}\n", "locals\n  a = \"x${ var.y }\"\n  c = 1\n"},
		{"a map over several lines", "locals {\n  a = {\n    b = 1\n    c = { d = 2 }\n  }\n  e = 3\n}\n", "locals\n  a = { b = 1 c = { d = 2 } }\n  e = 3\n"},
		{"a heredoc", "locals {\n  a = <<-EOT\n    x = ${1}\n  EOT\n  b = 2\n}\n", "locals\n  a = <<-EOT x = ${1} EOT\n  b = 2\n"},
		{"comments", "locals { # a = 1\n  // b = 2\n  c = 3 # d\n  /* e = 4 */\n  f = 5\n}\n", "locals\n  c = 3\n  f = 5\n"},
		{"a brace too many", "stage \"x\" {\n}\n}\nstage \"y\" {\n}\n", "stage x\n"},
		{"braces are missing", "stage \"x\" {\n  run {\n    command = [\"a\"]\n", "stage x\n  run\n    command = [\"a\"]\n"},
		{"CRLF and a byte order mark", "\ufefflocals {\r\n  a = 1\r\n}\r\n", "locals\n  a = 1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			txt := newText([]byte(c.text))
			if got := drawn(readHCL(txt.clean, spec.Grammar()).path[0], txt.clean, ""); got != c.want {
				t.Errorf("the outline:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

func TestOutlineOfBrokenYAML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"whole", "stage:\n  x:\n    from: base.go\n    steps:\n      - run:\n          command: [a, b]\n          mounts:\n            - cache: {target: /x}\n      - user: {app: {uid: 1}}\n",
			"stage x\n  from = base.go\n  run\n    command = [a, b]\n    mount cache\n      target = /x\n  user app\n    uid = 1\n"},
		{"braces", "stage: {x: {from: base.go, steps: [{copy: {to: /}}, {packages: {deb: {install: [a]}}}]}}\n",
			"stage x\n  from = base.go\n  copy\n    to = /\n  packages deb\n    install = [a]\n"},
		{"a list in the column of its key", "stage:\n  x:\n    steps:\n    - copy: {to: /}\n    - run:\n        script: a\n    env: {A: b}\n",
			"stage x\n  env = {A: b}\n  copy\n    to = /\n  run\n    script = a\n"},
		{"plurals", "variable:\n  v:\n    validations:\n      - condition: ${true}\n        error_message: no\nwaivers:\n  - rule: a\n",
			"variable v\n  validation\n    condition = ${true}\n    error_message = no\nwaiver\n  rule = a\n"},
		{"dynamic", "stage:\n  x:\n    steps:\n      - dynamic: {copy: {for_each: [], content: {to: /}}}\n",
			"stage x\n  dynamic copy\n    for_each = []\n    content\n      to = /\n"},
		{"a block text", "stage:\n  x:\n    steps:\n      - run:\n          script: |\n            a: b\n\n            - c\n          network: none\n",
			"stage x\n  run\n    script = a: b - c\n    network = none\n"},
		{"names in quotes", "image:\n  \"x\":\n    test:\n      'it works':\n        command: [a]\n", "image x\n  test it works\n    command = [a]\n"},
		{"a key without a value", "stage:\n  x:\n    from:\n    workdir: /\n", "stage x\n  from = \n  workdir = /\n"},
		{"half a key", "stage:\n  x:\n    fro\n    workdir: /\n", "stage x\n  workdir = /\n"},
		{"half a step", "stage:\n  x:\n    steps:\n      - ru\n      - copy: {to: /}\n", "stage x\n  copy\n    to = /\n"},
		{"a dash alone", "stage:\n  x:\n    steps:\n      -\n      - copy: {to: /}\n", "stage x\n  copy\n    to = /\n"},
		{"a brace is missing", "stage:\n  x:\n    env: {A: b\n    workdir: /\n", "stage x\n  env = {A: b\n  workdir = /\n"},
		{"a bracket is missing in a step", "stage:\n  x:\n    steps:\n      - run: {command: [a, b\n      - copy: {to: /}\nimage:\n  y: {from: scratch}\n",
			"stage x\n  run\n    command = [a, b\n  copy\n    to = /\nimage y\n  from = scratch\n"},
		{"a quote is missing", "stage:\n  x:\n    workdir: \"/src\n    env: {A: b}\n", "stage x\n  workdir = \"/src\n  env = {A: b}\n"},
		{"comments", "# a: b\nstage: # c\n  # d: e\n  x: {from: base.go} # f\n", "stage x\n  from = base.go\n"},
		{"anchors and merges", "locals: &l\n  a: &x 1\nstage:\n  x:\n    <<: *l\n    from: base.go\n", "locals\n  a = 1\nstage x\n  << = *l\n  from = base.go\n"},
		{"a document's mark", "---\nlocals:\n  a: 1\n", "locals\n  a = 1\n"},
		{"an unknown key", "stage:\n  x:\n    nothing: 1\n", "stage x\n  nothing = 1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			txt := newText([]byte(c.text))
			if got := drawn(yamlBlocks(readYAML(txt.clean).root, spec.Grammar()), txt.clean, ""); got != c.want {
				t.Errorf("the outline:\n%swant:\n%s", got, c.want)
			}
		})
	}
}
