package spec

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

const variablesSpec = `
-- image.hcl --
variable "text" {
  type = string
}
variable "number" {
  type    = number
  default = 1
}
variable "list" {
  type    = list(string)
  default = []
}
variable "from" {
  type    = filesystem
  default = scratch
}
base "b" {
  image = "example.com/b:1"
}
image "i" {
  from   = var.from
  labels = { text = var.text, number = var.number, list = join("+", var.list) }
}
-- a.hcl --
text   = "from a.hcl"
number = 2
-- b.json --
{"text": "from b.json", "list": ["x", "y"]}
`

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestVariableSources(t *testing.T) {
	t.Parallel()
	dir := tree(t, variablesSpec)
	cases := []struct {
		name, want string
		opts       Options
	}{
		{"environment", "list= number=1 text=env", Options{Env: environment("SPECBUILD_VAR_text", "env", "TEXT", "no")}},
		{"file over environment", "list= number=2 text=from a.hcl", Options{VarFiles: []string{"a.hcl"}, Env: environment("SPECBUILD_VAR_text", "env")}},
		{"later file first", "list=x+y number=2 text=from b.json", Options{VarFiles: []string{"a.hcl", "b.json"}}},
		{"argument over file", "list= number=7 text=1.20", Options{VarFiles: []string{"a.hcl"}, Vars: map[string]string{"text": "1.20", "number": "7"}}},
		{"list", "list=p+q number=1 text=[]", Options{Vars: map[string]string{"text": "[]", "list": `["p", "q"]`}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.opts.Dir = dir
			s := mustLoad(t, c.opts)
			var got []string
			for _, l := range mustAt(t, s, s.Selected[0], amd64).Image.Labels {
				got = append(got, l.Name+"="+l.Value)
			}
			if g := strings.Join(got, " "); g != c.want {
				t.Errorf("got %q, want %q", g, c.want)
			}
		})
	}
}

func TestReferenceFromTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := tree(t, variablesSpec)
	s := mustLoad(t, Options{Dir: dir, Vars: map[string]string{"text": "", "from": "base.b"}})
	if got := mustAt(t, s, s.Selected[0], amd64).From.V; got.Local() != "base.b" {
		t.Errorf("from %s", got)
	}
}

func TestVariableMistakes(t *testing.T) {
	t.Parallel()
	dir := tree(t, variablesSpec+`-- bad.hcl --
text = var.number
-- block.hcl --
text {}
-- bad.json --
[1]
-- unknown.hcl --
txet = "x"
-- x.toml --
`)
	with := func(name, value string) map[string]string { return map[string]string{"text": "x", name: value} }
	cases := []struct {
		name, summary, detail, at string
		opts                      Options
	}{
		{"no value", "Variable without a value", "SPECBUILD_VAR_text", "image.hcl:1:1", Options{}},
		{"not declared", "Unknown variable", `Did you mean "number"?`, "", Options{Vars: with("nmber", "1")}},
		{"wrong type", "Invalid value", "--var number", "image.hcl:4:1", Options{Vars: with("number", `"many"`)}},
		{"does not parse", "Invalid value", "does not parse", "image.hcl:8:1", Options{Vars: with("list", "[")}},
		{"unknown reference", "Invalid value", "base.c is not declared", "image.hcl:12:1", Options{Vars: with("from", "base.c")}},
		{"wrong kind", "Invalid value", "a reference is needed", "image.hcl:12:1", Options{Vars: with("from", `"base.b"`)}},
		{"target", "Invalid value", "target is the platform", "image.hcl:8:1", Options{Vars: with("list", "[target.os]")}},
		{"not declared in file", "Unknown variable", `Did you mean "text"?`, "unknown.hcl:1:8", Options{Vars: with("number", "1"), VarFiles: []string{"unknown.hcl"}}},
		{"computed in file", "Unknown name", "constant", "bad.hcl:1:8", Options{Vars: with("number", "1"), VarFiles: []string{"bad.hcl"}}},
		{"block in file", "Unknown block", "values only", "block.hcl:1:1", Options{Vars: with("number", "1"), VarFiles: []string{"block.hcl"}}},
		{"no object", "File not read", "not an object", "bad.json", Options{Vars: with("number", "1"), VarFiles: []string{"bad.json"}}},
		{"other kind of file", "File not read", ".hcl or .json", "x.toml", Options{Vars: with("number", "1"), VarFiles: []string{"x.toml"}}},
		{"no file", "File not read", "no such file", "none.hcl", Options{Vars: with("number", "1"), VarFiles: []string{"none.hcl"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.opts.Dir = dir
			d := oneError(t, c.opts, c.summary, c.detail)
			if d.Range.String() != c.at {
				t.Errorf("at %q, want %q", d.Range, c.at)
			}
		})
	}
}

// Without values, as an editor loads it, what depends on a variable is not
// known, and mistakes beside it are still found.
func TestPartial(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- image.hcl --
variable "name" {
  type = string
}
variable "list" {}
image "i" {
  from = scratch
  tags = ["example.com/${var.name}:1"]
  env  = { A = var.name, B = "b" }
  file {
    path    = "/${var.name}"
    content = var.name
  }
  dynamic "directory" {
    for_each = var.list
    content {
      path = directory.value
    }
  }
}
`)
	_, l := Load(context.Background(), Options{Dir: dir, Build: amd64})
	if len(l) != 2 {
		t.Errorf("%d mistakes without Partial, want one a variable", len(l))
	}
	s := mustLoad(t, Options{Dir: dir, Partial: true})
	if tags := s.Images[0].Tags; !tags.Set || !tags.Unknown {
		t.Errorf("tags %+v", tags)
	}
	b := mustAt(t, s, s.Selected[0], amd64)
	if f, ok := b.Steps[0].(*File); !ok || !f.Content.Unknown || !f.Path.Set {
		t.Errorf("file %+v", b.Steps[0])
	}
	if len(b.Env) != 1 || b.Env[0].Name != "B" {
		t.Errorf("env %+v", b.Env)
	}
	if len(b.Steps) != 2 {
		t.Errorf("%d steps", len(b.Steps))
	}
	bad := tree(t, "-- image.hcl --\nvariable \"v\" {}\nimage \"i\" {\n  from = var.v\n  file {\n    path = var.v\n    content = jsonencode(var.v)\n    mode = \"9\"\n  }\n}\n")
	d := oneError(t, Options{Dir: bad, Partial: true}, "Invalid value", "not a mode")
	if got := filepath.Base(d.Range.File); got != "image.hcl" || d.Range.Start.Line != 7 {
		t.Errorf("at %s", d.Range)
	}
}

// A file that an editor has and that was never saved is one of its folder.
func TestOverlayOfAFileThatIsNotThereYet(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- image.hcl --
stage "saved" {
  from = base.fresh
}
`)
	fresh := []byte("base \"fresh\" {\n  image = \"docker.io/library/golang:1\"\n}\n")
	s := mustLoad(t, Options{Dir: dir, Overlay: map[string][]byte{
		filepath.Join(dir, "fresh.image.hcl"):        fresh,
		filepath.Join(dir, "below", "not.image.hcl"): []byte("nothing {}"),
		filepath.Join(dir, "README.md"):              []byte("no spec"),
		filepath.Join(dir, "image.hcl"):              []byte("stage \"unsaved\" {\n  from = base.fresh\n}\n"),
	}})
	if len(s.Bases) != 1 || len(s.Stages) != 1 || s.Stages[0].Addr.Name != "unsaved" {
		t.Errorf("bases %v, stages %v", s.Bases, s.Stages)
	}
}
