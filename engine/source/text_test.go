package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := strings.Repeat("line\n", 4000)
	for name, content := range map[string]string{
		"a.txt": "text\n", "empty": "", "long": long, "binary": "MZ\x00\x01", "late": strings.Repeat("x", textHead) + "\x00", "sub/b": "b",
	} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	sel, err := List(t.Context(), Request{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.txt": "text\n", "empty": "", "long": long, "binary": "", "late": strings.Repeat("x", textHead) + "\x00", "sub/b": "b"} {
		if got, err := sel.Text(name, 1<<20); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if got, err := sel.Text("long", int64(len(long))-1); got != nil || err != nil {
		t.Errorf("%d bytes, %v: it is longer than asked for", len(got), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := sel.Text("a.txt", 1<<20); err != nil || string(got) != "other" {
		t.Errorf("%q, %v: not what it holds now", got, err)
	}
	if err := os.Remove(filepath.Join(dir, "sub/b")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sub/b", "link", "sub", "gone", "../x"} {
		if _, err := sel.Text(name, 1<<20); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What was a file is a link to somewhere else now.
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "sub/b")); err != nil {
		t.Fatal(err)
	}
	if got, err := sel.Text("sub/b", 1<<20); err == nil {
		t.Errorf("%q was read through a link", got)
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	entries := func() []Entry {
		sel, err := List(t.Context(), Request{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return sel.Entries
	}
	if _, ok := entries()[0].Stamp(); ok {
		t.Error("a file that was written just now may change without a trace")
	}
	// The time of change cannot be set: it is made an hour old as it is seen.
	stamp := func(e Entry) [2]uint64 {
		m := &e.list.files[e.at].meta
		m.mtime, m.ctime = old.UnixNano(), old.UnixNano()
		s, ok := e.Stamp()
		if !ok {
			t.Errorf("%s has no stamp", e.Path)
		}
		return s
	}
	first, second := entries(), entries()
	if stamp(first[0]) != stamp(second[0]) {
		t.Error("the same file has two stamps")
	}
	seen := map[[2]uint64]string{stamp(first[0]): "a", stamp(first[1]): "b"}
	for name, change := range map[string]func(*meta){
		"size": func(m *meta) { m.size++ }, "ino": func(m *meta) { m.ino += 1 << 40 }, "dev": func(m *meta) { m.dev++ },
		"mtime": func(m *meta) { m.mtime-- }, "ctime": func(m *meta) { m.ctime-- },
	} {
		e := entries()[0]
		stamp(e)
		change(&e.list.files[e.at].meta)
		s, _ := e.Stamp()
		if other := seen[s]; other != "" {
			t.Errorf("another %s gives the stamp of %s", name, other)
		}
		seen[s] = name
	}
	if _, ok := (Entry{Type: Dir}).Stamp(); ok {
		t.Error("a folder has one")
	}
}
