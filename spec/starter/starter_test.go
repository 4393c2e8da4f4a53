package starter_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/format"
	"github.com/specbuild/specbuild/spec/starter"
)

// folder makes a file system of names and contents.
func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

type projectCase struct {
	kind  starter.Kind
	from  string
	files map[string]string
	want  []string // texts of the spec in both syntaxes
}

func projects() map[string]projectCase {
	return map[string]projectCase{
		"go": {kind: starter.Go, files: map[string]string{
			"go.mod": "module x\n\ngo 1.24.3\n", "go.sum": "x", "main.go": "package main\n",
		}, want: []string{"golang:1.24-bookworm", `".`, "go.sum"}},
		"go with several programs": {kind: starter.Go, from: "gcr.io/distroless/static-debian12:nonroot", files: map[string]string{
			"go.mod": "module x\n", "cmd/a/main.go": "package main\n", "cmd/shop/main.go": "package main\n", "cmd/lib/lib.go": "package lib\n",
		}, want: []string{"golang:1.25-bookworm", "./cmd/shop", "distroless/static"}},
		"node": {kind: starter.Node, files: map[string]string{
			"package.json": `{"main": "./src/app.js"}`, "package-lock.json": "{}", "src/app.js": "", "README.md": "", ".env": "", "node_modules/x/y": "",
		}, want: []string{"src/app.js", "package-lock.json"}},
		"node without a lock": {kind: starter.Node, from: "docker.io/library/node:20-slim", files: map[string]string{
			"package.json": `{}`, "server.js": "", "lib/x.js": "",
		}, want: []string{"install", "node:20-slim", "server.js"}},
		"node that is built": {kind: starter.Node, files: map[string]string{
			"package.json": `{"scripts": {"build": "tsc", "start": "node dist/server.js"}}`, "tsconfig.json": "{}", "src/server.ts": "",
		}, want: []string{"/app/dist", "dist/server.js", "tsconfig.json"}},
		"node by its script": {kind: starter.Node, files: map[string]string{
			"package.json": `{"main": "lib.js", "scripts": {"start": "node bin/www.js"}}`, "bin/www.js": "", "lib.js": "",
		}, want: []string{`bin/www.js`}},
		"python": {kind: starter.Python, files: map[string]string{
			"requirements.txt": "flask\n", "app.py": "", "shop/__init__.py": "",
		}, want: []string{"requirements.txt", "app.py"}},
		"pyproject": {kind: starter.Python, files: map[string]string{
			"pyproject.toml": "[project]\nname = \"my-shop\"\n", "src/x.py": "",
		}, want: []string{"my_shop"}},
		"rust": {kind: starter.Rust, files: map[string]string{
			"Cargo.toml": "[package]\nname = \"ripper\"\n", "Cargo.lock": "", "src/main.rs": "",
		}, want: []string{"ripper", "--locked"}},
		"static": {kind: starter.Static, files: map[string]string{
			"index.html": "x", "css/a.css": "", "$ {x}.html": "", "Dockerfile": "",
		}, want: []string{"busybox", "css"}},
		"static on an image": {kind: starter.Static, from: "docker.io/library/nginx:1.27", files: map[string]string{
			"index.html": "x",
		}, want: []string{"nginx:1.27"}},
		"deb": {kind: starter.Deb, files: map[string]string{}, want: []string{"busybox-static"}},
	}
}

// Each spec is read by the real loader without a word, is in the one style,
// and names what the folder has.
func TestSpec(t *testing.T) {
	t.Parallel()
	for name, c := range projects() {
		for _, file := range []string{"image.hcl", "image.yaml"} {
			t.Run(name+"/"+file, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				if err := os.CopyFS(dir, folder(c.files)); err != nil {
					t.Fatal(err)
				}
				text, err := starter.Spec(os.DirFS(dir), starter.Options{Name: "shop", Kind: c.kind, From: c.from, YAML: file == "image.yaml"})
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
					t.Fatal(err)
				}
				s, l := spec.Load(context.Background(), spec.Options{Dir: dir, Build: spec.Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0"})
				if len(l) > 0 {
					t.Fatalf("%s: %s\n%s", l[0].Range, l[0].Detail, text)
				}
				if len(s.Images) != 1 || s.Images[0].Addr.Name != "shop" {
					t.Errorf("the images are %v", s.Images)
				}
				for _, want := range c.want {
					if !strings.Contains(string(text), want) {
						t.Errorf("the spec has no %q:\n%s", want, text)
					}
				}
				if again, _ := format.Format(file, text); string(again) != string(text) {
					t.Errorf("the spec is not in the one style:\n%s", text)
				}
				if !strings.HasPrefix(string(text), "# shop: ") {
					t.Errorf("the spec does not say what it is:\n%s", text)
				}
			})
		}
	}
}

func TestSpecRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options starter.Options
		files   map[string]string
		want    string
	}{
		"name":             {starter.Options{Name: "My Shop", Kind: starter.Deb}, nil, "no name of an image"},
		"kind":             {starter.Options{Name: "a", Kind: "java"}, nil, `"java" is not known; it is deb, go, node, python, rust or static`},
		"no go.mod":        {starter.Options{Name: "a", Kind: starter.Go}, nil, "there is no go.mod here"},
		"no package.json":  {starter.Options{Name: "a", Kind: starter.Node}, nil, "there is no package.json"},
		"no program":       {starter.Options{Name: "a", Kind: starter.Node}, map[string]string{"package.json": "{}"}, `neither "main" nor`},
		"no requirements":  {starter.Options{Name: "a", Kind: starter.Python}, nil, "there is no requirements.txt or pyproject.toml"},
		"no main.py":       {starter.Options{Name: "a", Kind: starter.Python}, map[string]string{"requirements.txt": ""}, "there is no main.py"},
		"no Cargo.toml":    {starter.Options{Name: "a", Kind: starter.Rust}, nil, "there is no Cargo.toml"},
		"no index.html":    {starter.Options{Name: "a", Kind: starter.Static}, nil, "there is no index.html"},
		"node on scratch":  {starter.Options{Name: "a", Kind: starter.Node, From: "scratch"}, map[string]string{"package.json": "{}"}, "needs more than scratch"},
		"deb on something": {starter.Options{Name: "a", Kind: starter.Deb, From: "docker.io/library/debian:13"}, nil, "from scratch"},
	} {
		if _, err := starter.Spec(folder(c.files), c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for files, want := range map[string]starter.Kind{
		"go.mod package.json": starter.Go, "Cargo.toml": starter.Rust, "pyproject.toml": starter.Python, "requirements.txt index.html": starter.Python,
		"package.json index.html": starter.Node, "index.html": starter.Static, "": starter.Deb, "README.md": starter.Deb,
	} {
		fs := fstest.MapFS{}
		for _, f := range strings.Fields(files) {
			fs[f] = &fstest.MapFile{}
		}
		got, sign := starter.Detect(fs)
		if got != want || (sign == "") != (want == starter.Deb) {
			t.Errorf("%q is %s by %q, want %s", files, got, sign, want)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	names := map[string]string{"shop": "shop", "My Shop": "my-shop", "2048": "app", "1-web_x": "web_x", "Ünïcode.org": "n-code-org", "": "app", "--": "app"}
	for _, in := range slices.Sorted(maps.Keys(names)) {
		if got := starter.Name(in); got != names[in] {
			t.Errorf("%q becomes %q, want %q", in, got, names[in])
		}
	}
}
