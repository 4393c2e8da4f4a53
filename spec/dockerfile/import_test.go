package dockerfile

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/format"
)

var update = flag.Bool("update", false, "write what Import gives into the archives of testdata")

// story is an archive of testdata: a Dockerfile, the spec and the notes that it
// gives, and files of its context below ctx/. Lines of the comment such as
// "target: build" are options.
type story struct {
	archive    *txtar.Archive
	dockerfile []byte
	want       map[string]string
	opts       Options
}

func readStory(t testing.TB, file string) *story {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{archive: a, want: map[string]string{}}
	s.opts.Today = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	files := fstest.MapFS{}
	for _, f := range a.Files {
		switch {
		case f.Name == "Dockerfile":
			s.dockerfile = f.Data
		case strings.HasPrefix(f.Name, "ctx/"):
			files[strings.TrimPrefix(f.Name, "ctx/")] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		default:
			s.want[f.Name] = string(f.Data)
		}
	}
	if len(files) > 0 {
		s.opts.Context = files
	}
	for line := range strings.Lines(string(a.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "target":
			s.opts.Target = value
		case "image":
			s.opts.Image = value
		}
	}
	return s
}

func stories(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	return files
}

// Every story gives the spec and the notes that stand in it, and the spec is
// formatted and validates.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, file := range stories(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := readStory(t, file)
			got, ds := Import("Dockerfile", s.dockerfile, s.opts)
			if ds.HasErrors() {
				t.Fatalf("refused: %+v", ds)
			}
			for _, m := range wrong(t, got.HCL) {
				t.Errorf("%s: %s: %s", m.Range, m.Summary, m.Detail)
			}
			var notes strings.Builder
			for _, n := range got.Notes {
				notes.WriteString(n.String() + "\n")
			}
			if *update {
				writeStory(t, file, s, map[string]string{"image.hcl": string(got.HCL), "notes": notes.String()})
				return
			}
			if string(got.HCL) != s.want["image.hcl"] {
				t.Errorf("another spec (-update writes it):\n%s", got.HCL)
			}
			if notes.String() != s.want["notes"] {
				t.Errorf("other notes (-update writes them):\n%s", notes.String())
			}
		})
	}
}

func writeStory(t *testing.T, file string, s *story, files map[string]string) {
	t.Helper()
	kept := s.archive.Files[:0:0]
	for _, f := range s.archive.Files {
		if _, made := files[f.Name]; !made {
			kept = append(kept, f)
		}
	}
	for _, name := range []string{"image.hcl", "notes"} {
		kept = append(kept, txtar.File{Name: name, Data: []byte(files[name])})
	}
	s.archive.Files = kept
	if err := os.WriteFile(file, txtar.Format(s.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wrong is what is wrong with a spec: that it is not formatted, or errors of
// loading it. What the language has and this version has not is let through,
// as [notSupportedYet] says.
func wrong(t testing.TB, hcl []byte) diag.List {
	t.Helper()
	var out diag.List
	if formatted, _ := format.Format("image.hcl", hcl); !bytes.Equal(formatted, hcl) {
		out.Errorf(diag.Range{}, "Not formatted", "%s", formatted)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "image.hcl"), hcl, 0o644); err != nil {
		t.Fatal(err)
	}
	_, ds := spec.Load(context.Background(), spec.Options{Dir: dir, Build: spec.Platform{OS: "linux", Arch: "arm64"}})
	for _, d := range ds {
		if d.Severity == diag.Error && d.Summary != notSupportedYet {
			out = append(out, d)
		}
	}
	return out
}

func TestTheSameInputGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, file := range stories(t) {
		s := readStory(t, file)
		first, _ := Import("Dockerfile", s.dockerfile, s.opts)
		second, _ := Import("Dockerfile", s.dockerfile, s.opts)
		if !bytes.Equal(first.HCL, second.HCL) || len(first.Notes) != len(second.Notes) {
			t.Errorf("%s: two runs differ", file)
		}
	}
}
