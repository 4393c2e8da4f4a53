// Package starter writes a first spec for a folder: what is in the folder →
// image.hcl or image.yaml, with comments, in the one style. What it writes is
// a beginning that builds, to be read and changed.
package starter

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"text/template"

	"github.com/specbuild/specbuild/spec/format"
)

//go:embed templates
var templates embed.FS

// Kind is what a folder holds, or what an image is made of.
type Kind string

// The kinds, each with a template in both syntaxes.
const (
	Go     Kind = "go"     // a Go program, from scratch
	Node   Kind = "node"   // a Node.js program
	Python Kind = "python" // a Python program
	Rust   Kind = "rust"   // a Rust program
	Static Kind = "static" // pages, with a server from scratch, or on an image that has one
	Deb    Kind = "deb"    // Debian packages, from scratch
)

// Kinds are all kinds, in the order in which a folder is judged; Deb fits any.
func Kinds() []Kind { return []Kind{Go, Rust, Python, Node, Static, Deb} }

// Options say what is written.
type Options struct {
	Name string // of the image: [a-z][a-z0-9_-]*
	Kind Kind
	From string // an image with its tag, "scratch", or empty for the kind's own
	YAML bool
}

// Detect is the kind of a folder and the file that says so, which is empty
// where nothing does and the kind is Deb.
func Detect(dir fs.FS) (Kind, string) {
	for _, sign := range []struct {
		file string
		kind Kind
	}{
		{"go.mod", Go}, {"Cargo.toml", Rust}, {"pyproject.toml", Python}, {"requirements.txt", Python}, {"package.json", Node}, {"index.html", Static},
	} {
		if exists(dir, sign.file) {
			return sign.kind, sign.file
		}
	}
	return Deb, ""
}

// Name makes a name for an image of that of a folder: "My Shop" is my-shop.
func Name(folder string) string {
	s := regexp.MustCompile(`[^a-z0-9_]+`).ReplaceAllString(strings.ToLower(folder), "-")
	s = strings.Trim(strings.TrimLeft(s, "0123456789_-"), "-_")
	if s == "" {
		return "app"
	}
	return s
}

// Spec is the text of a spec for the folder. It is an error if the folder
// lacks what the kind needs, or the kind cannot be built on From.
func Spec(dir fs.FS, o Options) ([]byte, error) {
	if !regexp.MustCompile(`^[a-z][a-z0-9_-]*$`).MatchString(o.Name) {
		return nil, fmt.Errorf("%q is no name of an image: it begins with a small letter and goes on with small letters, digits, _ and -", o.Name)
	}
	p := project{Name: o.Name, From: o.From}
	if p.From == "scratch" {
		p.From = ""
	}
	if err := p.look(dir, o); err != nil {
		return nil, err
	}
	name := string(o.Kind)
	if o.Kind == Static && p.From != "" {
		name = "based"
	}
	file := "image.hcl"
	name += ".hcl"
	if o.YAML {
		file, name = "image.yaml", strings.TrimSuffix(name, ".hcl")+".yaml"
	}
	t, err := template.New(name).Funcs(template.FuncMap{"quote": format.Quote, "list": list, "list2": items}).ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, fmt.Errorf("reading the template of %s: %w", o.Kind, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("filling the template of %s: %w", o.Kind, err)
	}
	text, problems := format.Format(file, []byte(out.String()))
	if problems.HasErrors() {
		return nil, fmt.Errorf("the template of %s, line %d: %s", o.Kind, problems[0].Range.Start.Line, problems[0].Detail)
	}
	return text, nil
}

func list(all []string) string { return "[" + items(all) + "]" }

func items(all []string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = format.Quote(s)
	}
	return strings.Join(out, ", ")
}
