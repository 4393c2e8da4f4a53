package secretscan

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "texts")
	m := &Memory{Path: path}
	a, b, c, never := Stamp{1, 2}, Stamp{1, 3}, Stamp{0, 9}, Stamp{2, 2}
	if m.Clean(a) {
		t.Error("nothing was looked at yet")
	}
	if err := m.Keep([]Stamp{b, a, {}, a}); err != nil {
		t.Fatal(err)
	}
	if err := (&Memory{Path: path}).Keep([]Stamp{c}); err != nil {
		t.Fatal(err)
	}
	again := &Memory{Path: path}
	for s, want := range map[Stamp]bool{a: true, b: true, c: true, never: false, {}: false} {
		if again.Clean(s) != want {
			t.Errorf("%v is known: %v", s, !want)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) != len(edition())+3*stampSize {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v: a temporary file is left", files, err)
	}
	for name, broken := range map[string][]byte{"other patterns": append([]byte("x"), data[1:]...), "cut": data[:len(data)-1], "empty": nil} {
		if err := os.WriteFile(path, broken, 0o644); err != nil {
			t.Fatal(err)
		}
		if (&Memory{Path: path}).Clean(a) {
			t.Errorf("%s: it is believed", name)
		}
	}
	if err := (&Memory{Path: filepath.Join(path, "no/folder")}).Keep([]Stamp{a}); err == nil {
		t.Error("what cannot be written is no error")
	}
	if err := (&Memory{Path: filepath.Join(path, "no/folder")}).Keep(nil); err != nil {
		t.Errorf("nothing was to be written: %v", err)
	}
}
