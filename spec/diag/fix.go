package diag

import (
	"cmp"
	"slices"
)

// Apply makes replacements in a text whose bytes the ranges count. done are
// those that were made, in the order of their places. One that overlaps
// another, begins where another does or lies outside of the text is left for
// a round after the text was judged again: both may have meant the same.
func Apply(text []byte, fixes []Fix) (out []byte, done []Fix) {
	sorted := slices.Clone(fixes)
	slices.SortStableFunc(sorted, func(a, b Fix) int {
		return cmp.Or(cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte), cmp.Compare(a.Range.End.Byte, b.Range.End.Byte))
	})
	begin, end := -1, 0
	for _, f := range sorted {
		from, to := f.Range.Start.Byte, f.Range.End.Byte
		if from < 0 || to < from || to > len(text) || from < end || from == begin {
			continue
		}
		if string(text[from:to]) == f.Replacement {
			continue
		}
		done = append(done, f)
		begin, end = from, to
	}
	at := 0
	for _, f := range done {
		out = append(append(out, text[at:f.Range.Start.Byte]...), f.Replacement...)
		at = f.Range.End.Byte
	}
	return append(out, text[at:]...), done
}
