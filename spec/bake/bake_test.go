package bake

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/format"
)

var update = flag.Bool("update", false, "write what Import gives into the archives of testdata")

// story is an archive of testdata: a bake file and the tree it stands in, then
// below want/ the specs and the notes, or the diagnostics. Lines of the comment
// such as "file: build/docker-bake.json" are options.
type story struct {
	archive *txtar.Archive
	file    string
	opts    Options
	root    fstest.MapFS
	want    map[string]string
}

func readStory(t testing.TB, file string) *story {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{archive: a, file: "docker-bake.hcl", root: fstest.MapFS{}, want: map[string]string{}}
	for line := range strings.Lines(string(a.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "file":
			s.file = value
		case "workspace":
			s.opts.Workspace = true
		}
	}
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, "want/"); ok {
			s.want[name] = string(f.Data)
		} else {
			s.root[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	s.opts.Root, s.opts.Dir = s.root, path.Dir(s.file)
	return s
}

func (s *story) bake() []byte { return s.root[s.file].Data }

func stories(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	return files
}

// Every story gives the specs and the notes that stand in it, and the specs are
// formatted and validate together; or it gives its diagnostics.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, file := range stories(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := readStory(t, file)
			result, ds := Import(s.file, s.bake(), s.opts)
			got := map[string]string{}
			for _, f := range result.Files {
				got[f.Path] = string(f.HCL)
			}
			for _, n := range result.Notes {
				got["notes"] += n.String() + "\n"
			}
			for _, d := range ds {
				got["diagnostics"] += fmt.Sprintf("%s: %s: %s\n", d.Range, d.Summary, d.Detail)
			}
			if ds.HasErrors() && len(result.Files) > 0 {
				t.Error("there are files, and errors")
			}
			for _, m := range wrong(t, result.Files, s.root, s.opts.Workspace) {
				t.Errorf("%s: %s: %s", m.Range, m.Summary, m.Detail)
			}
			if *update {
				writeStory(t, file, s, got)
				return
			}
			for name, text := range got {
				if s.want[name] != text {
					t.Errorf("another %s (-update writes it):\n%s", name, text)
				}
			}
			for name := range s.want {
				if _, ok := got[name]; !ok {
					t.Errorf("no %s", name)
				}
			}
		})
	}
}

func writeStory(t *testing.T, file string, s *story, got map[string]string) {
	t.Helper()
	kept := s.archive.Files[:0:0]
	for _, f := range s.archive.Files {
		if !strings.HasPrefix(f.Name, "want/") {
			kept = append(kept, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		kept = append(kept, txtar.File{Name: "want/" + name, Data: []byte(got[name])})
	}
	s.archive.Files = kept
	if err := os.WriteFile(file, txtar.Format(s.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wrong is what is wrong with specs: that they are not formatted, or errors of
// loading them where they would stand.
func wrong(t testing.TB, files []File, root fstest.MapFS, workspace bool) diag.List {
	t.Helper()
	var out diag.List
	dir := t.TempDir()
	write := func(name string, data []byte) {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if workspace {
		write(workspaceFile, nil)
	}
	for name, f := range root {
		write(name, f.Data)
	}
	var args []string
	for _, f := range files {
		if formatted, ds := format.Format(f.Path, f.HCL); !bytes.Equal(formatted, f.HCL) || ds.HasErrors() {
			out.Errorf(diag.Range{File: f.Path}, "Not formatted", "%s", formatted)
		}
		write(f.Path, f.HCL)
		if path.Base(f.Path) != workspaceFile {
			args = append(args, filepath.Join(dir, filepath.Dir(filepath.FromSlash(f.Path))))
		}
	}
	if len(args) == 0 {
		return out
	}
	_, ds := spec.Load(context.Background(), spec.Options{Args: args, Dir: dir, Top: dir, Build: spec.Platform{OS: "linux", Arch: "arm64"}})
	for _, d := range ds {
		if d.Severity == diag.Error && d.Summary != "Not supported yet" {
			out = append(out, d)
		}
	}
	return out
}

func TestTheSameInputGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, file := range stories(t) {
		s := readStory(t, file)
		first, a := Import(s.file, s.bake(), s.opts)
		second, b := Import(s.file, s.bake(), s.opts)
		if fmt.Sprint(first.Files, first.Notes, a) != fmt.Sprint(second.Files, second.Notes, b) {
			t.Errorf("%s: two runs differ", file)
		}
	}
}
