package lsp

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/spec"
)

// mark is where the cursor stands in the texts of tests.
const mark = "‸"

// tree writes an archive's files into a folder of its own, which is a git work
// tree, so that no workspace is looked for above it.
func tree(t testing.TB, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range append(txtar.Parse([]byte(archive)).Files, txtar.File{Name: ".git/HEAD"}) {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// opened is a server that has a file open, as it was read, and then has the
// text with the mark removed.
func opened(t testing.TB, dir, file, text string) (*server, at) {
	t.Helper()
	s := newServer(io.Discard, Options{Version: "0.1.0", Build: spec.Platform{OS: "linux", Arch: "amd64"}})
	s.initialized, s.snippets, s.roots = true, true, []string{dir}
	path := filepath.Join(dir, filepath.FromSlash(file))
	onDisk, _ := os.ReadFile(path)
	s.didOpen(didOpen{textDocument{URI: "file://" + path, Text: string(onDisk)}})
	settle(s)
	before, after, found := strings.Cut(text, mark)
	if !found {
		t.Fatalf("the text has no %s:\n%s", mark, text)
	}
	s.docs[path].text = newText([]byte(before + after))
	return s, at{TextDocument: textDocument{URI: "file://" + path}, Position: s.docs[path].text.position(len(before), s.utf8)}
}

// settle reads what has changed, as the loop does when the delay is over.
func settle(s *server) {
	s.wake = nil
	for s.load(context.Background()); s.running != nil; s.load(context.Background()) {
		s.finish(<-s.results)
	}
}

func labelsOf(t testing.TB, s *server, p at) []string {
	t.Helper()
	answer, err := s.completion(message{}, p)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range answer.(completionList).Items {
		out = append(out, i.Label)
	}
	return out
}
