package show_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/show"
)

var update = flag.Bool("update", false, "write what the cases of testdata give")

var amd64 = spec.Platform{OS: "linux", Arch: "amd64"}

// load reads the files of an archive as a workspace.
func load(t *testing.T, files []txtar.File) *spec.Spec {
	t.Helper()
	dir := t.TempDir()
	for _, f := range append(files, txtar.File{Name: ".git/HEAD"}) {
		full := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, l := spec.Load(context.Background(), spec.Options{Dir: dir, Args: []string{"."}, Build: amd64, Version: "0.1.0", Partial: true})
	if len(l) > 0 {
		t.Fatalf("%s: %s", l[0].Range, l[0].Detail)
	}
	s.Name = "test" // a folder for a moment, else
	return s
}

// Each archive of testdata is a workspace and, as want.json, its document; as
// want-PLATFORM.json that for a target.
func TestDocument(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < 3 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var in []txtar.File
			for _, f := range a.Files {
				if !strings.HasPrefix(f.Name, "want") {
					in = append(in, f)
				}
			}
			s := load(t, in)
			for i, f := range a.Files {
				if !strings.HasPrefix(f.Name, "want") {
					continue
				}
				var target spec.Platform
				if f.Name == "want-arm64.json" {
					target = spec.Platform{OS: "linux", Arch: "arm64"}
				}
				got, l := show.Document(s, target)
				if len(l) > 0 {
					t.Fatalf("%s: %s", l[0].Range, l[0].Detail)
				}
				if *update {
					a.Files[i].Data = got
				} else if diff := cmp.Diff(string(f.Data), string(got)); diff != "" {
					t.Errorf("%s: -want +got; -update writes it:\n%s", f.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A mistake that only a target makes is told, and there is no document.
func TestDocumentOfAMistake(t *testing.T) {
	t.Parallel()
	s := load(t, []txtar.File{{Name: "image.hcl", Data: []byte(`
image "x" {
  from = scratch
  file {
    path    = "/x"
    content = "x"
    mode    = target.arch == "arm64" ? "rwx" : "0644"
  }
}
`)}})
	if doc, l := show.Document(s, amd64); doc == nil || len(l) > 0 {
		t.Errorf("for amd64: %v", l)
	}
	doc, l := show.Document(s, spec.Platform{OS: "linux", Arch: "arm64"})
	if doc != nil || !l.HasErrors() || l[0].Severity != diag.Error || l[0].Range.Start.Line != 7 {
		t.Errorf("for arm64: %s, %v", doc, l)
	}
}

// Nothing of this machine is in a document: paths are from the root.
func TestDocumentIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	files := []txtar.File{{Name: "image.hcl", Data: []byte(`
base "b" {
  layout = "layouts/b"
}
context "c" {
  path = "sub"
}
secret "in" {
  file = "token"
}
secret "home" {
  file = "~/.netrc"
}
image "x" {
  from = base.b
}
`)}, {Name: "sub/x"}, {Name: "layouts/b/x"}}
	s, again := load(t, files), load(t, files)
	one, _ := show.Document(s, amd64)
	two, _ := show.Document(again, amd64)
	if diff := cmp.Diff(string(one), string(two)); diff != "" {
		t.Errorf("two folders, two documents:\n%s", diff)
	}
	var doc struct {
		Bases   []struct{ Layout string }
		Secrets []struct{ Address, File string }
	}
	if err := json.Unmarshal(one, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Bases[0].Layout != "//layouts/b" || doc.Secrets[0].File != "~/.netrc" || doc.Secrets[1].File != "//token" {
		t.Errorf("got %+v", doc)
	}
}
