package spec

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the outputs of testdata/body anew")

// Each archive of testdata/body is a workspace and, in the files named
// want/…, what its stages and images are for two targets. Its comment tells
// the story; `var name=value` lines in it give variables.
func TestBodies(t *testing.T) {
	t.Parallel()
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
			compareArchive(t, file, a)
		})
	}
}

func compareArchive(t *testing.T, file string, a *txtar.Archive) {
	t.Helper()
	dir := t.TempDir()
	inputs := &txtar.Archive{Comment: a.Comment}
	wanted := map[string]string{}
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "want/") {
			wanted[f.Name] = string(f.Data)
		} else {
			inputs.Files = append(inputs.Files, f)
		}
	}
	inputs.Files = append(inputs.Files, txtar.File{Name: ".git/HEAD"})
	unpack(t, dir, inputs)
	inputs.Files = inputs.Files[:len(inputs.Files)-1]
	vars := map[string]string{}
	for line := range strings.Lines(string(a.Comment)) {
		if assignment, ok := strings.CutPrefix(strings.TrimSpace(line), "var "); ok {
			name, value, _ := strings.Cut(assignment, "=")
			vars[name] = value
		}
	}
	s := mustLoad(t, Options{Dir: dir, Vars: vars, Version: "0.1.0"})
	for _, out := range everything(t, s, dir) {
		if *update {
			inputs.Files = append(inputs.Files, out)
			continue
		}
		if diff := cmp.Diff(wanted[out.Name], string(out.Data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", out.Name, diff)
		}
		delete(wanted, out.Name)
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(inputs), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name := range wanted {
		t.Errorf("%s is no output", name)
	}
}

// everything is everything of the spec: one text for what has no platform, and
// one for each body; what differs for the second target comes after.
func everything(t *testing.T, s *Spec, dir string) []txtar.File {
	t.Helper()
	var top strings.Builder
	for _, d := range s.Bases {
		top.WriteString(dump(d))
	}
	for _, d := range s.Contexts {
		top.WriteString(dump(d))
	}
	for _, d := range s.Secrets {
		top.WriteString(dump(d))
	}
	for _, d := range s.Repositories {
		top.WriteString(dump(d))
	}
	for _, d := range s.Images {
		top.WriteString(dump(d))
	}
	for _, d := range s.Waivers {
		top.WriteString(dump(d))
	}
	fmt.Fprintf(&top, "Selected: %v\n", s.Selected)
	files := []txtar.File{{Name: "want/spec", Data: []byte(strings.ReplaceAll(top.String(), dir, "DIR"))}}
	var addrs []Addr
	for _, d := range s.Stages {
		addrs = append(addrs, d.Addr)
	}
	for _, d := range s.Images {
		addrs = append(addrs, d.Addr)
	}
	for _, addr := range addrs {
		first := dump(mustAt(t, s, addr, amd64))
		files = append(files, txtar.File{Name: "want/" + addr.Local() + " amd64", Data: []byte(first)})
		if second := dump(mustAt(t, s, addr, arm64)); second != first {
			files = append(files, txtar.File{Name: "want/" + addr.Local() + " arm64", Data: []byte(changed(first, second))})
		}
	}
	return files
}

// changed are the lines of the second text that the first has not.
func changed(first, second string) string {
	var b strings.Builder
	for line := range strings.Lines(second) {
		if !strings.Contains("\n"+first, "\n"+line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// unpack writes an archive's files below dir.
func unpack(t *testing.T, dir string, a *txtar.Archive) {
	t.Helper()
	for _, f := range a.Files {
		full := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
