package starter

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The images that programs are built on where nothing else is asked for.
const (
	nodeImage   = "docker.io/library/node:22-bookworm-slim"
	pythonImage = "docker.io/library/python:3.13-slim-bookworm"
	rustRuntime = "gcr.io/distroless/cc-debian12:nonroot"
	goVersion   = "1.25" // where go.mod does not say
)

// project is what the templates are filled with.
type project struct {
	Name string
	From string // a base, empty for scratch

	Version   string   // of the compiler
	Main      string   // what is compiled or started
	Built     string   // the folder that a build makes, of Node.js; empty where the sources are started
	Locked    bool     // there is a lock file of the language
	Manifests []string // files that say what the program depends on
	Sources   []string // what of the folder goes into the image
	Install   []string // arguments of pip install
	Command   []string // arguments of python
}

// look finds what the kind needs.
func (p *project) look(dir fs.FS, o Options) error {
	switch o.Kind {
	case Go:
		return p.lookGo(dir)
	case Node:
		return p.lookNode(dir, o)
	case Python:
		return p.lookPython(dir, o)
	case Rust:
		return p.lookRust(dir, o)
	case Static:
		if !exists(dir, "index.html") {
			return missing("index.html", o.Kind)
		}
		p.Sources = content(dir)
		return nil
	case Deb:
		if p.From != "" {
			return errors.New("packages of Debian are installed from scratch, without a base")
		}
		return nil
	}
	return fmt.Errorf("%q is not known; it is %s", o.Kind, kindList())
}

func kindList() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	slices.Sort(names)
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func missing(file string, k Kind) error {
	return fmt.Errorf("there is no %s here, which a spec of the kind %s is written for", file, k)
}

func (p *project) lookGo(dir fs.FS) error {
	mod, err := fs.ReadFile(dir, "go.mod")
	if err != nil {
		return missing("go.mod", Go)
	}
	p.Version, p.Locked = goVersion, exists(dir, "go.sum")
	if m := regexp.MustCompile(`(?m)^go (1\.[0-9]+)`).FindSubmatch(mod); m != nil {
		p.Version = string(m[1])
	}
	p.Main = goMain(dir, p.Name)
	return nil
}

// goMain is the package that is compiled: the folder's own, one below cmd of
// the image's name, or the first there.
func goMain(dir fs.FS, name string) string {
	if isMain(dir, ".") {
		return "."
	}
	var found []string
	entries, _ := fs.ReadDir(dir, "cmd") // none is no programs
	for _, e := range entries {
		if e.IsDir() && isMain(dir, path.Join("cmd", e.Name())) {
			found = append(found, e.Name())
		}
	}
	switch {
	case slices.Contains(found, name):
		return "./cmd/" + name
	case len(found) > 0:
		return "./cmd/" + found[0]
	}
	return "."
}

func isMain(dir fs.FS, folder string) bool {
	files, _ := fs.Glob(dir, path.Join(folder, "*.go")) // the pattern is a good one
	return slices.ContainsFunc(files, func(f string) bool {
		text, err := fs.ReadFile(dir, f)
		return err == nil && !strings.HasSuffix(f, "_test.go") && regexp.MustCompile(`(?m)^package main\b`).Match(text)
	})
}

func (p *project) lookNode(dir fs.FS, o Options) error {
	text, err := fs.ReadFile(dir, "package.json")
	if err != nil {
		return missing("package.json", Node)
	}
	if err := p.onBase(o, nodeImage); err != nil {
		return err
	}
	p.Manifests = []string{"package.json"}
	for _, lock := range []string{"package-lock.json", "npm-shrinkwrap.json"} {
		if exists(dir, lock) {
			p.Manifests, p.Locked = append(p.Manifests, lock), true
		}
	}
	var manifest struct {
		Main    string
		Scripts struct{ Start, Build string }
	}
	_ = json.Unmarshal(text, &manifest) // npm will say what is wrong with it
	p.Sources = without(content(dir), p.Manifests)
	started := ""
	if words := strings.Fields(manifest.Scripts.Start); len(words) == 2 && words[0] == "node" {
		started = words[1]
	}
	p.Main = firstThere(dir, started, manifest.Main, "server.js", "index.js", "app.js", "main.js", "src/index.js", "dist/index.js")
	if p.Main == "" && manifest.Scripts.Build != "" {
		p.Main = path.Clean(cmp.Or(started, manifest.Main, "dist/index.js"))
		p.Built, _, _ = strings.Cut(p.Main, "/")
	}
	if p.Main == "" || strings.HasPrefix(p.Main, "..") || path.IsAbs(p.Main) {
		return errors.New(`it is not known what the image starts: package.json has neither "main" nor a script "start": "node FILE" whose file is here, no script "build", and there is no server.js or index.js`)
	}
	return nil
}

func (p *project) lookPython(dir fs.FS, o Options) error {
	if err := p.onBase(o, pythonImage); err != nil {
		return err
	}
	if exists(dir, "requirements.txt") {
		p.Manifests, p.Install = []string{"requirements.txt"}, []string{"-r", "requirements.txt"}
		p.Sources = without(content(dir), p.Manifests)
		main := firstThere(dir, "main.py", "app.py", "server.py", p.Name+".py", "__main__.py")
		if main == "" {
			return errors.New("there is no main.py, app.py or server.py here, which the image would start")
		}
		p.Command = []string{main}
		return nil
	}
	text, err := fs.ReadFile(dir, "pyproject.toml")
	if err != nil {
		return missing("requirements.txt or pyproject.toml", Python)
	}
	p.Install, p.Command = []string{"."}, []string{"-m", strings.ReplaceAll(tomlName(text, p.Name), "-", "_")}
	return nil
}

func (p *project) lookRust(dir fs.FS, o Options) error {
	text, err := fs.ReadFile(dir, "Cargo.toml")
	if err != nil {
		return missing("Cargo.toml", Rust)
	}
	if err := p.onBase(o, rustRuntime); err != nil {
		return err
	}
	p.Main, p.Locked = tomlName(text, p.Name), exists(dir, "Cargo.lock")
	return nil
}

// onBase takes the kind's own base where none is asked for.
func (p *project) onBase(o Options, usual string) error {
	if o.From == "scratch" {
		return fmt.Errorf("a program of the kind %s needs more than scratch; leave --from out for %s", o.Kind, usual)
	}
	if p.From == "" {
		p.From = usual
	}
	return nil
}

// tomlName is the first name that a TOML file gives, which is the package's.
func tomlName(text []byte, otherwise string) string {
	if m := regexp.MustCompile(`(?m)^name\s*=\s*"([A-Za-z0-9_-]+)"`).FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return otherwise
}

// content is what of a folder goes into an image: all at its top but hidden
// files, specs, and what tells people and tools about the folder. Names are
// taken as they are, so those that would be globs are left out.
func content(dir fs.FS) []string {
	entries, _ := fs.ReadDir(dir, ".") // a folder that cannot be read has none
	var out []string
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."), strings.ContainsAny(name, "*?[]{}\\"), !e.IsDir() && !e.Type().IsRegular():
		case slices.Contains([]string{"node_modules", "venv", "__pycache__", "target", "test", "tests", "Makefile", "LICENSE", "out"}, name):
		case strings.HasPrefix(name, "Dockerfile"), strings.HasPrefix(name, "README"), strings.HasPrefix(name, "specbuild."):
		case strings.HasSuffix(name, ".hcl"), name == "image.yaml", strings.HasSuffix(name, ".image.yaml"), strings.HasSuffix(name, ".pem"):
		default:
			out = append(out, name)
		}
	}
	return out
}

func without(all, some []string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return slices.Contains(some, s) })
}

// firstThere is the first of some files that the folder has, or empty.
func firstThere(dir fs.FS, names ...string) string {
	for _, n := range names {
		if n = path.Clean(n); n != "." && exists(dir, n) {
			return n
		}
	}
	return ""
}

func exists(dir fs.FS, name string) bool {
	info, err := fs.Stat(dir, name)
	return err == nil && info.Mode().IsRegular()
}
