package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Every Dockerfile of spec/dockerfile gives a spec that specbuild validate
// passes as it comes out. Only the files of most contexts are not there.
func TestWhatImportWritesPassesTheRules(t *testing.T) {
	t.Parallel()
	stories, err := filepath.Glob("../../spec/dockerfile/testdata/*.txtar")
	if err != nil || len(stories) < 60 {
		t.Fatalf("%d stories: %v", len(stories), err)
	}
	for _, file := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			dir := dockerfileOf(t, file)
			var stdout, stderr bytes.Buffer
			if code := run(context.Background(), []string{"import", dir}, &stdout, &stderr); code != 0 {
				t.Fatalf("import: exit %d\n%s", code, &stderr)
			}
			stdout.Reset()
			run(context.Background(), []string{"validate", "--locked=false", "--json", dir}, &stdout, &stderr)
			var got struct {
				Diagnostics []struct{ Severity, Code, Summary, Detail string }
			}
			if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
				t.Fatalf("%v\n%s", err, &stdout)
			}
			for _, d := range got.Diagnostics {
				if d.Severity == "error" && d.Code != "copy-source-exists" {
					t.Errorf("%s [%s]: %s", d.Summary, d.Code, d.Detail)
				}
			}
		})
	}
}

// dockerfileOf writes a story's Dockerfile and context into a folder.
func dockerfileOf(t *testing.T, file string) string {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		name, isContext := strings.CutPrefix(f.Name, "ctx/")
		if !isContext && name != "Dockerfile" {
			continue
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
