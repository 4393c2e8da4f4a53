package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEvidenceFilesAreThoseOfThePatterns(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "a [b] {c,d} *")
	elsewhere := t.TempDir()
	for _, name := range []string{
		filepath.Join(root, "scans", "deep", "os.sarif"), filepath.Join(root, "scans", "x.json"),
		filepath.Join(root, "scans", "x.txt"), filepath.Join(elsewhere, "all.sarif"),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(filepath.Base(name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	large := filepath.Join(root, "scans", "large.sarif")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxEvidence+1); err != nil { // a hole: nothing is written
		t.Fatal(err)
	}
	got := evidenceFiles(root, []string{"scans/**/*.sarif", "scans/*.json", "scans/deep/os.sarif", "scans/none/*", filepath.Join(elsewhere, "*.sarif"), "scans/["})
	var lines []string
	for _, e := range got {
		line := e.Name + " " + string(e.Text)
		if e.Err != nil {
			line += e.Err.Error()
		}
		lines = append(lines, line)
	}
	want := []string{
		"scans/[ syntax error in pattern",
		filepath.Join(elsewhere, "all.sarif") + " all.sarif",
		"scans/deep/os.sarif os.sarif",
		"scans/large.sarif it has 67108865 bytes; 67108864 are read",
		"scans/x.json x.json",
	}
	if elsewhere > root { // files are sorted by their whole paths
		want = append(append([]string{want[0]}, want[2:]...), want[1])
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if got := evidenceFiles(root, nil); len(got) > 0 {
		t.Errorf("nobody asked for %v", got)
	}
}
