package diag_test

import (
	"slices"
	"testing"

	"github.com/specbuild/specbuild/spec/diag"
)

func fix(from, to int, text string) diag.Fix {
	return diag.Fix{Range: diag.Range{File: "x", Start: diag.Pos{Byte: from}, End: diag.Pos{Byte: to}}, Replacement: text}
}

func TestApply(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fixes []diag.Fix
		want  string
		done  int
	}{
		"nothing":                         {nil, "0123456789", 0},
		"two in one line, in any order":   {[]diag.Fix{fix(5, 7, "x"), fix(1, 2, "long")}, "0long234x789", 2},
		"side by side":                    {[]diag.Fix{fix(2, 4, "a"), fix(4, 6, "b")}, "01ab6789", 2},
		"overlapping":                     {[]diag.Fix{fix(2, 5, "a"), fix(4, 6, "b")}, "01a56789", 1},
		"one inside another":              {[]diag.Fix{fix(2, 9, "a"), fix(4, 6, "b")}, "01a9", 1},
		"the same twice":                  {[]diag.Fix{fix(2, 4, "a"), fix(2, 4, "a")}, "01a456789", 1},
		"two insertions at one place":     {[]diag.Fix{fix(2, 2, "a"), fix(2, 2, "b")}, "01a23456789", 1},
		"an insertion before another":     {[]diag.Fix{fix(2, 2, "a"), fix(2, 4, "b")}, "01a23456789", 1},
		"an insertion at the end of one":  {[]diag.Fix{fix(2, 4, "a"), fix(4, 4, "b")}, "01ab456789", 2},
		"at both ends":                    {[]diag.Fix{fix(10, 10, "z"), fix(0, 0, "a")}, "a0123456789z", 2},
		"a deletion":                      {[]diag.Fix{fix(3, 5, "")}, "01256789", 1},
		"outside":                         {[]diag.Fix{fix(8, 11, "x"), fix(-1, 2, "y"), fix(4, 3, "z")}, "0123456789", 0},
		"what is there already":           {[]diag.Fix{fix(3, 5, "34")}, "0123456789", 0},
		"what is there, and what is else": {[]diag.Fix{fix(3, 5, "34"), fix(3, 5, "x")}, "012x56789", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := []byte("0123456789")
			before := slices.Clone(tc.fixes)
			got, done := diag.Apply(text, tc.fixes)
			if string(got) != tc.want || len(done) != tc.done {
				t.Errorf("%q with %v, not %q with %d", got, done, tc.want, tc.done)
			}
			if string(text) != "0123456789" || !slices.Equal(before, tc.fixes) {
				t.Error("what was given has changed")
			}
		})
	}
}
