package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRowHasMedianExtremesAndRatio(t *testing.T) {
	t.Parallel()
	w := work{what: "sleep", target: 10 * time.Millisecond}
	got := w.row([]time.Duration{9 * time.Millisecond, 1 * time.Millisecond, 5 * time.Millisecond})
	if want := "sleep\t5.0 ms\t1.0 ms\t9.0 ms\t10.0 ms\t0.50"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheFirstTimeIsNotCounted(t *testing.T) {
	t.Parallel()
	var rounds []int
	w := work{once: func(_ context.Context, i int) (time.Duration, error) {
		rounds = append(rounds, i)
		return time.Duration(i), nil
	}}
	took, err := w.measure(t.Context(), 2)
	if err != nil || len(rounds) != 3 || len(took) != 2 || took[0] != 1 {
		t.Errorf("did rounds %v and counted %v (%v), wanted three and the last two", rounds, took, err)
	}
}

// Rows of a whole and its parts are of the same rounds, so that they add up;
// a round is measured once, whole and part in turn.
func TestPairsAddUp(t *testing.T) {
	t.Parallel()
	var order []string
	p := newPairs(func(_ context.Context, i int) (time.Duration, error) {
		order = append(order, "whole")
		return time.Duration(10 * (i + 1)), nil
	}, func(_ context.Context, i int) (time.Duration, error) {
		order = append(order, "part")
		return time.Duration(i + 1), nil
	})
	for i := range 2 {
		for want, row := range map[time.Duration]func(context.Context, int) (time.Duration, error){10: p.wholes, 1: p.parts, 9: p.rests} {
			if got, err := row(t.Context(), i); err != nil || got != want*time.Duration(i+1) {
				t.Errorf("round %d: %v (%v), wanted %v", i, got, err, want*time.Duration(i+1))
			}
		}
	}
	if got := strings.Join(order, " "); got != "whole part whole part" {
		t.Errorf("measured %s", got)
	}
	broken := errors.New("broken")
	fails := func(context.Context, int) (time.Duration, error) { return 0, broken }
	for _, p := range []*pairs{newPairs(fails, p.part), newPairs(p.whole, fails)} {
		if _, err := p.rests(t.Context(), 7); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
}

// The quickstart without tests is the quickstart but for them.
func TestWithoutTests(t *testing.T) {
	t.Parallel()
	spec, err := os.ReadFile("../../examples/quickstart/image.hcl")
	if err != nil {
		t.Fatal(err)
	}
	got, err := withoutTests(string(spec))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, "test \"") || !strings.HasPrefix(string(spec), strings.TrimSuffix(got, "\n}\n")) || !strings.HasSuffix(got, "\n}\n") || !strings.Contains(got, "stop_signal") {
		t.Errorf("got\n%s", got)
	}
	for _, wrong := range []string{"image \"x\" {\n}\n", string(spec) + "image \"y\" {\n  budget {\n  }\n}\n"} {
		if got, err := withoutTests(wrong); err == nil {
			t.Errorf("a spec that does not end with tests became\n%s", got)
		}
	}
}

// A store that has decoded archives and nothing else is given on: a build in
// it has its layers to make.
func TestDecodedOnly(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	hash := strings.Repeat("ab", 32)
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(from, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := decodedOnly(from, to); err == nil {
		t.Error("a store without archives was taken for one with them")
	}
	write("rec/deb/00/one", "record \"deb1-x\" \"sha256:"+hash+"\"\n")
	write("rec/deb/01/two", "record \"deb1-y\" \"sha256:"+hash+"\"\n")
	write("blob/ab/"+hash, "decoded")
	write("blob/cd/layer", "a layer")
	write("act/00/step", "an action")
	if err := decodedOnly(from, to); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"rec/deb/00/one": true, "rec/deb/01/two": true, "blob/ab/" + hash: true, "blob/cd/layer": false, "act/00/step": false,
	} {
		if _, err := os.Stat(filepath.Join(to, path)); (err == nil) != want {
			t.Errorf("%s: %v, wanted there: %t", path, err, want)
		}
	}
	write("rec/deb/02/three", "record \"deb1-z\"\n")
	if err := decodedOnly(from, to); err == nil {
		t.Error("a record that names no blob was passed over")
	}
}
