package eval

import (
	"fmt"
	"slices"
)

// DidYouMean is the sentence that suggests a name, with a space before it, or
// nothing: only a name at an edit distance below three is close enough (hcl's
// measure), and of at most half of what was written, so that "a" does not
// suggest "b".
func DidYouMean(given string, known []string) string {
	if name, ok := Closest(given, known); ok {
		return fmt.Sprintf(" Did you mean %q?", name)
	}
	return ""
}

// Closest is the nearest of the known names, the first in order of two that
// are equally near.
func Closest(given string, known []string) (string, bool) {
	limit := min(2, len([]rune(given))/2)
	best, found := "", false
	for _, name := range slices.Sorted(slices.Values(known)) {
		if d := distance(given, name, limit); d <= limit {
			best, found, limit = name, true, d-1
		}
	}
	return best, found
}

// distance is Levenshtein's with two neighbours exchanged as one edit (the
// commonest slip: "vra"), or some number above limit where it is larger.
func distance(a, b string, limit int) int {
	ra, rb := []rune(a), []rune(b)
	if d := len(ra) - len(rb); d > limit || -d > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(rb)+1), make([]int, len(rb)+1), make([]int, len(rb)+1)
	for j := range last {
		last[j] = j
	}
	for i := range ra {
		row[0] = i + 1
		for j := range rb {
			replaced := last[j]
			if ra[i] != rb[j] {
				replaced++
			}
			row[j+1] = min(replaced, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && ra[i] == rb[j-1] && ra[i-1] == rb[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(rb)]
}
