package cache

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestPartialOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, want := range []string{"one", "onetwo"} {
		s, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.Partial("abc")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		f.WriteString([]string{"one", "two"}[i])
		f.Close()
		if got, _ := os.ReadFile(f.Name()); string(got) != want {
			t.Errorf("it holds %q, want %q", got, want)
		}
		s.Close()
	}
}

func TestKeptStaysUntilItIsPruned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	temp, err := s.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(temp, "upper"), 0o755); err != nil {
		t.Fatal(err)
	}
	kept, err := s.Keep(temp)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := os.Stat(kept); err != nil {
		t.Fatalf("it went with the process: %v", err)
	}
	if s, err = Open(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Prune(t.Context(), PruneOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kept); err == nil {
		t.Error("it was not pruned")
	}
}

func TestCommitAsTakesTheCallersDigest(t *testing.T) {
	t.Parallel()
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w, err := s.CreateHashed()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	const digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	if err := w.CommitAs(digest); err != nil {
		t.Fatal(err)
	}
	if !s.HasBlob(digest, 5) {
		t.Error("the blob is not there under its digest")
	}
	w, err = s.CreateHashed()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.CommitAs("../../etc/passwd"); err == nil {
		t.Error("a name that is no digest was taken")
	}
}
