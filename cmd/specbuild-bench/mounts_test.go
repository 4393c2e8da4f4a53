package main

import (
	"os"
	"testing"
	"time"
)

// What mounts take is the clock of the runs, and less than the runs.
func TestMountsAreMeasured(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	b := bench{dir: t.TempDir()}
	began := time.Now()
	took, err := b.mounts(t.Context(), 1)
	whole := time.Since(began) / runs
	if err != nil || took <= 0 || took >= whole {
		t.Errorf("mounts take %v of %v, error %v", took, whole, err)
	}
	if left, err := os.ReadDir(b.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

func TestRowOfAPartHasNoTarget(t *testing.T) {
	t.Parallel()
	w := work{what: "  of that"}
	if got, want := w.row([]time.Duration{2 * time.Millisecond}), "  of that\t2.0 ms\t2.0 ms\t2.0 ms\t\t"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
