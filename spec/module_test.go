package spec

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// All files of a folder are one namespace, whatever their order.
func TestModuleIsOneNamespace(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- z.image.hcl --
base "b" {
  image = "example.com/b:${local.tag}"
}
locals {
  tag = var.tag
}
-- image.hcl --
image "i" {
  from = stage.s
  copy {
    source = "a"
    to     = "a"
  }
}
-- a.image.hcl --
variable "tag" {
  default = "1"
}
stage "s" {
  from    = base.b
  workdir = "/w"
}
context "default" {
  path    = "."
  exclude = ["z"]
}
-- not-a-spec.hcl --
{{{
`)
	s := mustLoad(t, Options{Dir: dir})
	if got := s.Bases[0].Image.V; got != "example.com/b:1" {
		t.Errorf("image %s", got)
	}
	if len(s.Contexts) != 1 || !slices.Equal(s.Contexts[0].Exclude.V, []string{"z"}) {
		t.Errorf("contexts %+v", s.Contexts)
	}
	if len(s.Files) != 3 {
		t.Errorf("%d files were read", len(s.Files))
	}
	c, ok := mustAt(t, s, s.Selected[0], amd64).Steps[0].(*Copy)
	if !ok || c.From.V != s.Contexts[0].Addr || c.From.Set {
		t.Errorf("the copy is %+v", c)
	}
}

func TestSameNameInTwoFiles(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- a.image.hcl --\n"+emptyImage+"-- b.image.hcl --\n\n"+emptyImage)
	d := oneError(t, Options{Dir: dir}, "Declared twice", "one namespace")
	if d.Range.String() != "b.image.hcl:2:1" || len(d.Notes) != 1 || d.Notes[0].Range.String() != "a.image.hcl:1:1" {
		t.Errorf("at %s, notes %v", d.Range, d.Notes)
	}
}

// What a file that does not parse declares is not known, so nothing else of
// the module is judged.
func TestSyntaxErrorsStandAlone(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- a.image.hcl --\nbase \"b\" {\n-- b.image.hcl --\nimage \"i\" {\n  from = base.b\n  nonsense = 1\n}\n")
	d := oneError(t, Options{Dir: dir}, "Unclosed block", "")
	if d.Range.File != "a.image.hcl" {
		t.Errorf("at %s", d.Range)
	}
}

// A fix, applied, gives what was meant.
func TestFixes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{"cpoy {\n    source = \"a\"\n    to = \"/a\"\n  }", "copy {\n    source = \"a\"\n    to = \"/a\"\n  }"},
		{"envv = {}", "env = {}"},
		{"labels = { a = local.veriosn }", "labels = { a = local.version }"},
		{"copy {\n    source = \"*\"\n    to = \"/a\"\n  }", "copy {\n    source = \"*\"\n    to = \"/a/\"\n  }"},
		{"copy {\n    source = \"a\"\n    to = \"./b\"\n  }", "copy {\n    source = \"a\"\n    to = \"/b\"\n  }"},
		{"copy {\n    source = \"a\"\n    to = \"./\"\n  }", "copy {\n    source = \"a\"\n    to = \"/\"\n  }"},
		{"workdir = \"app/\"", "workdir = \"/app\""},
		{"volumes = [\"/a\", \"b//c\"]", "volumes = [\"/a\", \"/b/c\"]"},
		{"entrypoint = \"nginx -g 'daemon off;'\"", "entrypoint = [\"nginx\", \"-g\", \"daemon off;\"]"},
		{"cmd = \"-v\"", "cmd = [\"-v\"]"},
		{"env = { A = 1.20 }", "env = { A = \"1.20\" }"},
		{"run {\n    script = \"echo ${NAME}\"\n  }", "run {\n    script = \"echo $${NAME}\"\n  }"},
		{"dynamic \"flie\" {\n    for_each = []\n    content {}\n  }", "dynamic \"file\" {\n    for_each = []\n    content {}\n  }"},
	} {
		t.Run(strings.Fields(c.line)[0], func(t *testing.T) {
			t.Parallel()
			frame := func(line string) string {
				return "locals {\n  version = \"1\"\n}\nimage \"i\" {\n  from = scratch\n  " + line + "\n}\n"
			}
			dir := tree(t, "-- image.hcl --\n"+frame(c.line))
			_, l := Load(context.Background(), Options{Dir: dir, Build: amd64})
			if len(l) != 1 || l[0].Fix == nil {
				t.Fatalf("%v", l)
			}
			f, text := l[0].Fix, frame(c.line)
			fixed := text[:f.Range.Start.Byte] + f.Replacement + text[f.Range.End.Byte:]
			if fixed != frame(c.want) {
				t.Errorf("fixed to\n%s", fixed)
			}
			mustLoad(t, Options{Dir: tree(t, "-- image.hcl --\n"+fixed)})
		})
	}
}

// A path that the command is given may be absolute; messages name files from
// where the command runs.
func TestFileNamesInMessages(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- a/image.hcl --\nimage \"i\" {}\n")
	for _, c := range []struct{ dir, arg, want string }{
		{dir, "a", "a/image.hcl:1:1"},
		{dir, filepath.Join(dir, "a", "image.hcl"), "a/image.hcl:1:1"},
		{filepath.Join(dir, "a"), "image.hcl", "image.hcl:1:1"},
		{filepath.Join(dir, "a"), ".", "image.hcl:1:1"},
		{filepath.Join(dir, "b"), "../a", "../a/image.hcl:1:1"},
	} {
		d := oneError(t, Options{Dir: c.dir, Args: []string{c.arg}}, "Missing attribute", "from")
		if d.Range.String() != c.want {
			t.Errorf("%s from %s: at %s, want %s", c.arg, c.dir, d.Range, c.want)
		}
	}
}

// Steps tell where they stand, so that a failed one can be shown.
func TestStepsKnowTheirPlace(t *testing.T) {
	t.Parallel()
	steps := "copy {\n  source = \"a\"\n  to = \"/a\"\n}\nrun {\n  command = [\"true\"]\n}\nfile {\n  path = \"/f\"\n  content = \"\"\n}\n" +
		"directory {\n  path = \"/d\"\n}\nsymlink {\n  path = \"/l\"\n  to = \"f\"\n}\nuser \"u\" {\n  uid = 1\n}\ngroup \"g\" {\n  gid = 1\n}\n" +
		"packages \"deb\" {\n  repository = repository.r\n  install = [\"nginx\"]\n}\n"
	text := "repository \"r\" {\n  type = \"deb\"\n  suite = \"trixie\"\n}\nimage \"i\" {\nfrom = scratch\n" + steps + "}\n"
	s := mustLoad(t, Options{Dir: tree(t, "-- image.hcl --\n"+text)})
	lines := strings.Split(text, "\n")
	b := mustAt(t, s, s.Selected[0], amd64)
	if len(b.Steps) != 8 {
		t.Fatalf("%d steps", len(b.Steps))
	}
	for _, step := range b.Steps {
		at := step.Where()
		if line := lines[at.Start.Line-1]; !strings.HasSuffix(line, "{") || !strings.HasPrefix(line[at.Start.Column-1:], line[:at.End.Column-1]) {
			t.Errorf("%T is at %s: %q", step, at, line)
		}
	}
}
