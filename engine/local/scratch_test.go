package local

import (
	"os"
	"path/filepath"
	"testing"
)

// The folder of a run is used again, and shows nothing of the one before.
func TestScratchFoldersAreUsedAgain(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	scratch := func() string {
		t.Helper()
		dir, err := e.scratch()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{"upper", "work"} {
			list, err := os.ReadDir(filepath.Join(dir, d))
			st, serr := os.Stat(filepath.Join(dir, d))
			if err != nil || serr != nil || len(list) > 0 || st.Mode().Perm() != 0o755 {
				t.Errorf("%s holds %v (%v, %v)", d, list, err, serr)
			}
		}
		return dir
	}
	first, second := scratch(), scratch()
	if first == second {
		t.Fatal("two runs have one folder")
	}
	for _, d := range []string{"upper/a/b", "work/work"} {
		if err := os.MkdirAll(filepath.Join(first, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(first, "upper"), 0o700); err != nil {
		t.Fatal(err)
	}
	e.sweep(first)
	if got := scratch(); got != first {
		t.Errorf("%s is used again, not %s", got, first)
	}
	if err := os.Rename(second, second+".kept"); err != nil { // of a step that failed
		t.Fatal(err)
	}
	e.sweep(second)
	if got := scratch(); got == second {
		t.Error("a folder that was kept is used again")
	}
}
