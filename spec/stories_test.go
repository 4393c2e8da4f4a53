package spec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/spec/diag"
)

// Each archive of testdata/workspace is a workspace. Its files announce their
// mistakes as those of testdata/invalid do; `args …`, `targets …` and
// `var name=value` lines of the comment are the command's. Where there is no
// mistake, the file want/built is what was selected, with its bodies for
// linux/arm64 in short.
func TestWorkspaces(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/workspace/*.txtar")
	if err != nil || len(archives) < 10 {
		t.Fatalf("%d archives, error %v", len(archives), err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			workspaceStory(t, file, a)
		})
	}
}

func workspaceStory(t *testing.T, file string, a *txtar.Archive) {
	t.Helper()
	opts := Options{Dir: t.TempDir(), Build: amd64, Version: "0.1.0", Vars: map[string]string{}, Modules: outsideModules(t, a)}
	for line := range strings.Lines(string(a.Comment)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "args":
			opts.Args = strings.Fields(rest)
		case "targets":
			opts.Targets = strings.Fields(rest)
		case "var":
			name, value, _ := strings.Cut(rest, "=")
			opts.Vars[name] = value
		case "partial":
			opts.Partial = true
		}
	}
	inputs, built := &txtar.Archive{Files: []txtar.File{{Name: ".git/HEAD"}}}, -1
	announced := 0
	for i, f := range a.Files {
		switch {
		case f.Name == "want/built":
			built = i
		case strings.HasPrefix(f.Name, "outside/"):
		default:
			inputs.Files = append(inputs.Files, f)
		}
	}
	unpack(t, opts.Dir, inputs)
	s, l := Load(context.Background(), opts)
	for _, f := range a.Files {
		name := f.Name
		if rest, ok := strings.CutPrefix(name, "outside/"); ok {
			host, path, _ := strings.Cut(rest, "/")
			name = "git::https://" + host + "//" + path
		}
		expected := wants(t, string(f.Data))
		announced += len(expected)
		compare(t, string(f.Data), expected, inFile(l, name))
	}
	for _, d := range l {
		if !strings.Contains(d.Range.File, ".hcl") {
			t.Errorf("not of a file: %s: %s: %s", d.Range, d.Summary, d.Detail)
		}
	}
	if announced > 0 || s == nil {
		return
	}
	got := buildable(t, s)
	if *update {
		if built < 0 {
			a.Files, built = append(a.Files, txtar.File{Name: "want/built"}), len(a.Files)
		}
		a.Files[built].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if built < 0 {
		t.Fatal("no want/built; run with -update and read it")
	}
	if d := cmp.Diff(string(a.Files[built].Data), got); d != "" {
		t.Errorf("what is built (-want +got):\n%s", d)
	}
}

// buildable is what a load selected: each body on a few lines.
func buildable(t *testing.T, s *Spec) string {
	t.Helper()
	var b strings.Builder
	for _, addr := range s.Selected {
		body, l := s.At(addr, arm64)
		for _, d := range l {
			t.Errorf("%s: %s: %s: %s", addr, d.Range, d.Summary, d.Detail)
		}
		if body == nil {
			continue
		}
		fmt.Fprintf(&b, "%s from %s\n", addr, body.From.V)
		for _, v := range body.Env {
			fmt.Fprintf(&b, "  %s=%s\n", v.Name, v.Value)
		}
		for _, step := range body.Steps {
			switch step := step.(type) {
			case *Copy:
				fmt.Fprintf(&b, "  copy %s %q to %s\n", step.From.V, step.Source.V, step.To.V)
			case *Run:
				fmt.Fprintf(&b, "  run %q\n", step.Command.V)
				for _, m := range step.Mounts {
					fmt.Fprintf(&b, "    %s %s at %s\n", m.Type, m.Secret.V, m.Target.V)
				}
			case *Packages:
				fmt.Fprintf(&b, "  packages %q of %s\n", step.Install.V, step.Repository.V)
			}
		}
	}
	for _, img := range s.Images {
		for _, tag := range img.Tags.V {
			fmt.Fprintf(&b, "tag %s %s\n", tag, img.Addr)
		}
	}
	return b.String()
}

// fetched is modules from outside that a test has unpacked, by source.
type fetched map[string]string

func (f fetched) Module(_ context.Context, _, _ string, s Source) (string, error) {
	dir, ok := f[s.Fetched()]
	if !ok {
		return "", fmt.Errorf("there is no %s", s.Fetched())
	}
	return dir, nil
}

// outsideModules are the folders outside/HOST/… of an archive, as
// git::https://HOST.
func outsideModules(t *testing.T, a *txtar.Archive) fetched {
	t.Helper()
	out := fetched{}
	for _, f := range a.Files {
		rest, ok := strings.CutPrefix(f.Name, "outside/")
		if !ok {
			continue
		}
		host, path, _ := strings.Cut(rest, "/")
		source := "git::https://" + host
		if out[source] == "" {
			out[source] = t.TempDir()
		}
		unpack(t, out[source], &txtar.Archive{Files: []txtar.File{{Name: path, Data: f.Data}}})
	}
	return out
}

func inFile(l diag.List, name string) diag.List {
	var out diag.List
	for _, d := range l.Sorted() {
		if d.Range.File == name {
			out = append(out, d)
		}
	}
	return out
}
