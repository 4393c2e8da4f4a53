package spec

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/spectest"
)

// translated is an archive with its specs in the other syntax.
func translated(t *testing.T, a *txtar.Archive) *txtar.Archive {
	t.Helper()
	out := &txtar.Archive{Comment: a.Comment}
	specs := 0
	for _, f := range a.Files {
		if isSpec(path.Base(f.Name)) {
			text, err := spectest.YAML(f.Name, f.Data, Grammar())
			if err != nil {
				text = f.Data // nobody is to read it, in either syntax
			}
			f = txtar.File{Name: strings.TrimSuffix(f.Name, ".hcl") + ".yaml", Data: text}
			specs++
		}
		out.Files = append(out.Files, f)
	}
	if specs == 0 {
		t.Error("the archive has no spec")
	}
	return out
}

// Each story of the language, told in YAML, ends the same.
func TestBodiesInYAML(t *testing.T) {
	t.Parallel()
	if *update {
		t.Skip("the outputs are written from HCL")
	}
	archives, err := filepath.Glob("testdata/body/*.txtar")
	if err != nil || len(archives) < 8 {
		t.Fatalf("%d archives, error %v", len(archives), err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a = translated(t, a)
			compareArchive(t, file, a)
			if t.Failed() {
				t.Logf("%s", txtar.Format(a))
			}
		})
	}
}

// Workspaces without mistakes, loops and modules, in YAML.
func TestWorkspacesInYAML(t *testing.T) {
	t.Parallel()
	if *update {
		t.Skip("the outputs are written from HCL")
	}
	archives, err := filepath.Glob("testdata/workspace/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, file := range archives {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(a.Files, func(f txtar.File) bool { return f.Name == "want/built" }) {
			continue // its mistakes stand in comments, which are not translated
		}
		told++
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			workspaceStory(t, file, translated(t, a))
		})
	}
	if told < 5 {
		t.Errorf("%d workspaces have no mistakes", told)
	}
}

// What people read first means the same in both syntaxes: the language's own
// example and those of the examples folder.
func TestExamplesInYAML(t *testing.T) {
	t.Parallel()
	specs, err := filepath.Glob("../examples/*/image.hcl")
	if err != nil || len(specs) < 3 {
		t.Fatalf("%d examples, error %v", len(specs), err)
	}
	for _, file := range append(specs, "testdata/checkout/image.hcl") {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			translated, err := spectest.YAML(file, text, Grammar())
			if err != nil {
				t.Fatal(err)
			}
			var got [2][]txtar.File
			for i, f := range []txtar.File{{Name: "image.hcl", Data: text}, {Name: "image.yaml", Data: translated}} {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(filepath.Dir(file))); err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(filepath.Join(dir, "image.hcl")); err != nil {
					t.Fatal(err)
				}
				unpack(t, dir, &txtar.Archive{Files: []txtar.File{f, {Name: ".git/HEAD"}}})
				got[i] = everything(t, mustLoad(t, Options{Dir: dir, Version: "0.1.0"}), dir)
			}
			if diff := cmp.Diff(got[0], got[1]); diff != "" {
				t.Errorf("the two syntaxes differ (-hcl +yaml):\n%s\n%s", diff, translated)
			}
		})
	}
}

// The specs of the program's own stories mean the same in YAML, those that
// have no mistake.
func TestScriptsInYAML(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("../testdata/script/*.txtar")
	if err != nil || len(archives) < 20 {
		t.Fatalf("%d archives, error %v", len(archives), err)
	}
	var compared atomic.Int32
	t.Cleanup(func() {
		if n := compared.Load(); n < 15 {
			t.Errorf("%d stories were compared; the others have mistakes", n)
		}
	})
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil || !slices.ContainsFunc(a.Files, func(f txtar.File) bool { return f.Name == "image.hcl" }) {
				return
			}
			a.Files = append(a.Files, txtar.File{Name: ".git/HEAD"})
			load := func(a *txtar.Archive) (*Spec, diag.List, string) {
				dir := t.TempDir()
				unpack(t, dir, a)
				s, l := Load(context.Background(), Options{Dir: dir, Build: amd64, Partial: true, Version: "0.1.0"})
				return s, l, dir
			}
			s, l, dir := load(a)
			if l.HasErrors() {
				return
			}
			want := everything(t, s, dir)
			s, l, dir = load(translated(t, a))
			noDiagnostics(t, l)
			compared.Add(1)
			if diff := cmp.Diff(want, everything(t, s, dir)); diff != "" {
				t.Errorf("the two syntaxes differ (-hcl +yaml):\n%s", diff)
			}
		})
	}
}

// Messages are in the words of the file that they are about.
func TestMessagesSpeakTheSyntaxOfTheFile(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		`another is declared by variable "name" { … }.`:              "another is declared by `variable: {name: {…}}`.",
		`Declare it by locals { name = … } in this folder.`:          "Declare it by `locals: {name: …}` in this folder.",
		`write source = ["…"]. Only in stages`:                       `write source: ["…"]. Only in stages`,
		`mount it by mount "ssh" { agent = secret.agent }.`:          "mount it by `- ssh: {agent: secret.agent}`.",
		`declare it with ssh = true, or mount it by mount "secret".`: "declare it with ssh: true, or mount it by `- secret: {…}` in `mounts:`.",
		`No health check is healthcheck { none = true }.`:            "No health check is `healthcheck: {none: true}`.",
		`the unquoted 1.20 would become "1.2"; write "1.20".`:        `the unquoted 1.20 would become "1.2"; write "1.20".`,
		`labels = { "org.opencontainers.image.authors" = "…" }`:      `labels: { "org.opencontainers.image.authors" = "…" }`,
		`write user "name" { … }.`:                                   "write `- user: {name: {…}}`.",
		`write env = …, with an equals sign.`:                        `write env: ….`,
		`There is no mount "cahce"`:                                  `There is no mount "cahce"`,
		`default: a reference is needed, not the string "base.b".`:   `default: a reference is needed, not the string "base.b"; write ${base.b}.`,
		`a == b, and script = file("build.sh"), is taken as it is.`:  `a == b, and script: ${file("build.sh")}, is taken as it is.`,
	} {
		if got := asYAML(detail); got != want {
			t.Errorf("%s\n got %s\nwant %s", detail, got, want)
		}
		l := diag.List{{Range: diag.Range{File: "a/image.hcl"}, Detail: detail}, {Range: diag.Range{File: "a/image.yaml"}, Detail: detail}}
		if l = inItsSyntax(l); l[0].Detail != detail || l[1].Detail != want {
			t.Errorf("got %v", l)
		}
	}
}

// The example of the documentation is right as it stands there.
func TestDocumentedYAML(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```yaml\n")
	example, _, ok := strings.Cut(example, "```")
	if !ok {
		t.Fatal("docs/yaml.md has no example")
	}
	dir := t.TempDir()
	unpack(t, dir, &txtar.Archive{Files: []txtar.File{{Name: "image.yaml", Data: []byte(example)}, {Name: ".git/HEAD"}}})
	s := mustLoad(t, Options{Dir: dir, Version: "0.1.0"})
	run, ok := mustAt(t, s, Addr{Module: "//", Kind: KindStage, Name: "build"}, amd64).Steps[2].(*Run)
	if want := "go build -o /out/checkout ./cmd/checkout\necho \"0.0.0-dev\" > /out/VERSION\n"; !ok || run.Script.V != want {
		t.Errorf("the script is %q, want %q", run.Script.V, want)
	}
}
