package lsp

import (
	"slices"
	"strings"
	"testing"
)

const shop = `
-- specbuild.hcl --
base "corporate" {
  image = "registry.example.com/base:1"
}
-- web/image.hcl --
variable "version" {
  description = "What is released."
  default     = "1.0"
}
locals {
  registry = "registry.example.com"
}
base "go" {
  image = "golang:1.25"
}
context "src" {
  path = "."
}
secret "netrc" {
  env = "NETRC"
}
stage "build" {
  from = base.go
}
stage "each" {
  for_each = toset(["eu", "us"])
  from     = base.go
}
module "svc" {
  source = "//lib"
  region = "eu"
}
image "web" {
  from   = scratch
  run_as = "1:1"
}
-- lib/image.hcl --
# Where it runs.
variable "region" {
  type = string
}
variable "replicas" {
  type    = number
  default = 1
}
stage "app" {
  from = scratch
}
image "app" {
  from   = scratch
  run_as = "1:1"
}
-- lib/shared.txt --
hello
`

// completions are asked for at the mark of a text, in a workspace that has
// been read before.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		has        string // labels that are proposed
		hasNot     string
		exactly    string
	}{
		{"the top of a file", "‸", "stage image base context secret variable module locals", "copy from workspace", ""},
		{"a half word at the top", "st‸", "stage", "", ""},
		{"attributes and steps of a stage", "stage \"x\" {\n  ‸\n}\n", "from env copy run packages user dynamic", "tags stage run_as", ""},
		{"what a block has already is not proposed", "stage \"x\" {\n  from = scratch\n  ‸\n  workdir = \"/\"\n}\n", "env copy", "from workdir", ""},
		{"what excludes another is not proposed", "stage \"x\" {\n  run {\n    command = [\"a\"]\n    ‸\n  }\n}\n", "network when", "script command", ""},
		{"a block that stands once", "image \"x\" {\n  budget {}\n  ‸\n}\n", "healthcheck test", "budget", ""},
		{"inside a block that is not closed", "stage \"x\" {\n  run {\n    net‸", "network", "from", ""},
		{"after a string without its quote", "stage \"x\" {\n  workdir = \"/src\n  ‸\n}\n", "env copy", "workdir", ""},
		{"after a list that is not closed", "stage \"x\" {\n  run {\n    command = [\"a\",\n    network = \"none\"\n    ‸\n", "outputs", "network command", ""},
		{"words of an attribute", "stage \"x\" {\n  run {\n    network = ‸\n  }\n}\n", "\"none\" \"outbound\" \"host\"", "", ""},
		{"words inside quotes", "stage \"x\" {\n  run {\n    network = \"‸\"\n  }\n}\n", "", "", "none outbound host"},
		{"true and false", "stage \"x\" {\n  copy {\n    unpack = ‸\n  }\n}\n", "true false", "", ""},
		{"whole references where one is asked", "stage \"x\" {\n  from = ‸\n}\n", "scratch base.go stage.build workspace.base.corporate module.svc.image.app module.svc.stage.app", "context.src secret.netrc", ""},
		{"references of another kind", "stage \"x\" {\n  run {\n    mount \"secret\" {\n      secret = ‸\n    }\n  }\n}\n", "secret.netrc", "base.go stage.build", ""},
		{"names behind a dot", "stage \"x\" {\n  from = base.‸\n}\n", "", "", "go"},
		{"names behind a dot and a letter", "stage \"x\" {\n  from = base.g‸\n}\n", "", "", "go"},
		{"names of this text that were never read", "base \"fresh\" {}\nstage \"x\" {\n  from = base.‸\n}\n", "", "", "go fresh"},
		{"variables inside of a string", "image \"x\" {\n  tags = [\"a:${var.‸}\"]\n}\n", "", "", "version"},
		{"names inside of a string", "variable \"v\" {}\nimage \"x\" {\n  tags = [\"a:${v‸\"]\n}\n", "var upper", "", ""},
		{"a string without ${", "image \"x\" {\n  tags = [\"v‸\"]\n}\n", "", "var", ""},
		{"functions", "locals {\n  a = jo‸\n}\n", "join jsonencode", "", ""},
		{"arguments of a function", "locals {\n  a = join(\",\", [loc‸])\n}\n", "local", "", ""},
		{"target where it may stand", "stage \"x\" {\n  env = { A = target.‸ }\n}\n", "", "", "os arch variant platform"},
		{"target where it may not", "image \"x\" {\n  tags = [‸]\n}\n", "build", "target", ""},
		{"build", "stage \"x\" {\n  platform = build.‸\n}\n", "", "", "os arch platform"},
		{"each in a block with for_each", "stage \"x\" {\n  for_each = toset([])\n  env = { A = each.‸ }\n}\n", "", "", "key value"},
		{"each elsewhere", "stage \"x\" {\n  env = { A = ‸ }\n}\n", "path", "each", ""},
		{"a key of a map is the author's", "stage \"x\" {\n  env = { ‸ }\n}\n", "", "", ""},
		{"what a module gives", "stage \"x\" {\n  from = module.svc.‸\n}\n", "image stage", "var", ""},
		{"what a module gives of a kind", "stage \"x\" {\n  from = module.svc.stage.‸\n}\n", "", "", "app"},
		{"what the workspace declares", "stage \"x\" {\n  from = workspace.base.‸\n}\n", "", "", "corporate"},
		{"the inputs of a module", "module \"other\" {\n  source = \"../lib\"\n  region = \"x\"\n  ‸\n}\n", "replicas targets for_each", "region source", ""},
		{"variants of a label", "stage \"x\" {\n  run {\n    mount \"‸\n  }\n}\n", "", "", "cache bind tmpfs secret ssh"},
		{"the label of a block of one's own", "stage \"‸\n", "", "", ""},
		{"the label of dynamic", "stage \"x\" {\n  dynamic \"‸\" {\n  }\n}\n", "copy run file", "", ""},
		{"the content of dynamic", "stage \"x\" {\n  dynamic \"copy\" {\n    for_each = []\n    content {\n      ‸\n    }\n  }\n}\n", "from to source", "for_each", ""},
		{"the element of dynamic", "stage \"x\" {\n  dynamic \"copy\" {\n    for_each = []\n    content {\n      to = copy.‸\n    }\n  }\n}\n", "", "", "key value"},
		{"types", "variable \"x\" {\n  type = ‸\n}\n", "string list object secret", "var", ""},
		{"behind a value", "stage \"x\" {\n  from = base.go ‸\n}\n", "", "", ""},
		{"in a comment", "stage \"x\" {\n  # fr‸\n}\n", "", "", ""},
		{"in an unknown block", "nothing \"x\" {\n  ‸\n}\n", "", "", ""},
		{"in a heredoc", "stage \"x\" {\n  run {\n    script = <<-EOT\n      ec‸\n", "", "", ""},
		{"in ${ } of a heredoc", "locals {\n  a = 1\n}\nstage \"x\" {\n  run {\n    script = <<-EOT\n      echo ${local.‸}\n    EOT\n  }\n}\n", "", "", "registry a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			judge(t, "web/more.image.hcl", c.text, c.has, c.hasNot, c.exactly)
		})
	}
}

// judge compares the labels that are proposed with those that should be.
func judge(t *testing.T, file, text, has, hasNot, exactly string) {
	t.Helper()
	s, p := opened(t, tree(t, shop), file, text)
	got := labelsOf(t, s, p)
	if has == "" && hasNot == "" {
		if strings.Join(got, " ") != exactly {
			t.Errorf("proposed: %q, want %q", got, exactly)
		}
		return
	}
	for _, want := range strings.Fields(has) {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not proposed: %q", want, got)
		}
	}
	for _, not := range strings.Fields(hasNot) {
		if slices.Contains(got, not) {
			t.Errorf("%s is proposed: %q", not, got)
		}
	}
}

// The same in YAML, whose blocks have other forms.
func TestCompletionInYAML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, has, hasNot, exactly string }{
		{"the top of a file", "‸", "stage image base module locals waivers", "copy from", ""},
		{"a half word at the top", "base:\n  x: {image: a}\nst‸", "stage", "base", ""},
		{"the keys of a stage", "stage:\n  x:\n    ‸\n", "from env steps", "tags copy stage", ""},
		{"a key that is being typed", "stage:\n  x:\n    from: scratch\n    st‸\n", "steps env", "from", ""},
		{"keys below count too", "stage:\n  x:\n    ‸\n    from: scratch\n    env: {}\nimage:\n  y:\n    tags: []\n", "steps workdir", "from env", ""},
		{"names of blocks are the author's", "stage:\n  ‸\n", "", "", ""},
		{"steps without a dash", "stage:\n  x:\n    steps:\n      ‸\n", "", "", "- copy - run - packages - file - directory - symlink - user - group - dynamic"},
		{"the name of a step", "stage:\n  x:\n    steps:\n      - ‸\n", "copy run user dynamic", "from", ""},
		{"a step behind another", "stage:\n  x:\n    steps:\n      - copy: {to: /}\n      - r‸\n", "run", "env", ""},
		{"the keys of a step", "stage:\n  x:\n    steps:\n      - run:\n          ‸\n", "command network mounts resources when", "run copy mount", ""},
		{"what excludes another", "stage:\n  x:\n    steps:\n      - run:\n          command: [a]\n          ‸\n", "network", "script command", ""},
		{"the keys of a step in braces", "stage:\n  x:\n    steps:\n      - copy: {to: /, ‸}\n", "source from", "to copy", ""},
		{"a key in braces that is being typed", "stage:\n  x:\n    steps:\n      - copy: {fr‸\n", "from to", "", ""},
		{"variants of a list", "stage:\n  x:\n    steps:\n      - run:\n          mounts:\n            - ‸\n", "", "", "cache bind tmpfs secret ssh"},
		{"the keys of a variant", "stage:\n  x:\n    steps:\n      - run:\n          mounts:\n            - cache: {‸}\n", "target id sharing", "cache", ""},
		{"the kinds of packages", "stage:\n  x:\n    steps:\n      - packages:\n          ‸\n", "deb", "install", ""},
		{"words of an attribute", "stage:\n  x:\n    steps:\n      - run:\n          network: ‸\n", "", "", "none outbound host"},
		{"words in braces", "stage:\n  x:\n    steps:\n      - run: {network: o‸}\n", "", "", "none outbound host"},
		{"plain references", "stage:\n  x:\n    from: ‸\n", "scratch base.go stage.build workspace.base.corporate", "context.src upper", ""},
		{"plain names behind a dot", "stage:\n  x:\n    from: base.‸\n", "", "", "go"},
		{"plain names behind a dot in braces", "stage:\n  x:\n    steps:\n      - copy: {from: stage.‸, to: /}\n", "build each", "var", ""},
		{"in ${ } of a text", "image:\n  x:\n    tags: [\"a:${var.‸}\"]\n", "", "", "version"},
		{"in ${ } without its end", "locals:\n  a: \"x${lo‸\n  b: 1\n", "local lower", "", ""},
		{"in ${ } of a block text", "stage:\n  x:\n    steps:\n      - run:\n          script: |\n            echo ${local.‸}\n            true\n", "", "", "registry"},
		{"a block text outside of ${ }", "stage:\n  x:\n    steps:\n      - run:\n          script: |\n            ec‸\n", "", "", ""},
		{"a plain text is no expression", "image:\n  x:\n    tags: [v‸]\n", "", "", ""},
		{"the inputs of a module", "module:\n  other:\n    source: ../lib\n    ‸\n", "region replicas targets", "source", ""},
		{"the content of dynamic", "stage:\n  x:\n    steps:\n      - dynamic:\n          copy:\n            for_each: []\n            content:\n              ‸\n", "to source", "for_each", ""},
		{"a test of one's own name", "image:\n  x:\n    test:\n      it works:\n        ex‸\n", "expect command file", "test", ""},
		{"in a comment", "stage:\n  x:\n    # ‸\n", "", "", ""},
		{"in a comment behind a value", "stage:\n  x:\n    from: base.go # b‸\n", "", "", ""},
		{"in a comment behind a word", "stage:\n  x:\n    steps:\n      - run:\n          network: none # n‸\n", "", "", ""},
		{"in a comment behind a key", "stage:\n  x:\n    steps:\n      - run:\n          network: # n‸\n", "", "", ""},
		{"in a script that begins with a comment", "stage:\n  x:\n    steps:\n      - run:\n          script: |\n            # sets ${local.‸}\n", "", "", "registry"},
		{"where nothing fits", "stage:\n  x:\n    from: scratch\n      ‸\n", "", "", ""},
		{"types", "variable:\n  x: {type: ‸}\n", "string list", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			judge(t, "web/more.image.yaml", c.text, c.has, c.hasNot, c.exactly)
		})
	}
}

// What is put in is a snippet only for editors that know those.
func TestCompletionInserts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, text, label, snippet, plain string }{
		{"a block with its label and what it requires", "web/more.image.hcl", "st‸", "stage", "stage \"${1:name}\" {\n  from = $2\n  $0\n}", "stage \""},
		{"a list", "web/more.image.hcl", "stage \"x\" {\n  run {\n    com‸\n  }\n}\n", "command", "command = [$1]", "command = ["},
		{"a name whose value is there", "web/more.image.hcl", "stage \"x\" {\n  fr‸om = base.go\n}\n", "from", "from", "from"},
		{"a function", "web/more.image.hcl", "locals {\n  a = up‸\n}\n", "upper", "upper($1)", "upper("},
		{"what has for_each", "web/more.image.hcl", "stage \"x\" {\n  from = stage.‸\n}\n", "each", "each[\"$1\"]", "each[\""},
		{"a key in YAML", "web/more.image.yaml", "stage:\n  x:\n    fr‸\n", "from", "from: ", "from: "},
		{"a step in YAML", "web/more.image.yaml", "stage:\n  x:\n    steps:\n      - r‸\n", "run", "run:", "run:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, p := opened(t, tree(t, shop), c.file, c.text)
			for _, snippets := range []bool{true, false} {
				s.snippets = snippets
				want, format := c.plain, 0
				if snippets {
					want = c.snippet
				}
				if snippets && strings.Contains(want, "$") {
					format = formatSnippet
				}
				answer, err := s.completion(message{}, p)
				if err != nil {
					t.Fatal(err)
				}
				items := answer.(completionList).Items
				i := slices.IndexFunc(items, func(i completionItem) bool { return i.Label == c.label })
				if i < 0 {
					t.Fatalf("%s is not proposed", c.label)
				}
				if got := items[i]; got.TextEdit.NewText != want || got.InsertFormat != format {
					t.Errorf("snippets %t: %q in format %d, want %q in %d", snippets, got.TextEdit.NewText, got.InsertFormat, want, format)
				}
				if end := items[i].TextEdit.Range.End; end != p.Position {
					t.Errorf("the edit ends at %v, the cursor stands at %v", end, p.Position)
				}
			}
		})
	}
}

// A blank and a brace propose only what must follow them.
func TestTriggersProposeOnlyWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, text string
		want       bool
	}{
		{"web/more.image.hcl", "stage \"x\" {\n  from = ‸\n}\n", true},
		{"web/more.image.hcl", "stage \"x\" {\n  run {\n    network = ‸\n", true},
		{"web/more.image.hcl", "locals {\n  a = ‸\n}\n", false},
		{"web/more.image.hcl", "stage ‸", false},
		{"web/more.image.hcl", "stage \"x\" {\n ‸\n}\n", false},
		{"web/more.image.hcl", "stage \"x\" {‸\n}\n", false},
		{"web/more.image.hcl", "locals {\n  a = \"${‸\"\n}\n", true},
		{"web/more.image.yaml", "stage:\n  x:\n    steps:\n      - ‸\n", true},
		{"web/more.image.yaml", "stage:\n  x:\n    steps:\n      - run: {network: ‸\n", true},
		{"web/more.image.yaml", "stage:\n  x:\n    workdir: ‸\n", false},
		{"web/more.image.yaml", "stage:\n  x:\n  ‸\n", false},
	} {
		s, p := opened(t, tree(t, shop), c.file, c.text)
		before, _, _ := strings.Cut(c.text, mark)
		p.Context.TriggerCharacter = before[len(before)-1:]
		if got := len(labelsOf(t, s, p)) > 0; got != c.want {
			t.Errorf("%q: proposed %t", c.text, got)
		}
	}
}

// The workspace's file has a language of its own.
func TestCompletionInTheWorkspace(t *testing.T) {
	t.Parallel()
	judge(t, "specbuild.hcl", "‸", "workspace base variable", "stage image module", "")
	judge(t, "specbuild.hcl", "workspace {\n  ‸\n}\n", "name members build_platforms", "from base", "")
	judge(t, "specbuild.hcl", "locals {\n  a = 1\n  b = local.‸\n}\n", "a b", "registry", "")
}
