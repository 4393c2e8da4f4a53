package eval

import (
	"fmt"
	"slices"
)

// DidYouMean is the sentence that suggests a name, with a space before it, or
// nothing: only a name at an edit distance below three is close enough (hcl's
// measure), and below half the length of what was written, so that "a" does
// not suggest "b".
func DidYouMean(given string, known []string) string {
	if name, ok := Closest(given, known); ok {
		return fmt.Sprintf(" Did you mean %q?", name)
	}
	return ""
}

// Closest is the nearest of the known names, the first in order of two that
// are equally near.
func Closest(given string, known []string) (string, bool) {
	limit := min(2, (len(given)-1)/2)
	best, found := "", false
	for _, name := range slices.Sorted(slices.Values(known)) {
		if d := distance(given, name, limit); d <= limit {
			best, found, limit = name, true, d-1
		}
	}
	return best, found
}

// distance is Levenshtein's, or limit+1 where it is larger.
func distance(a, b string, limit int) int {
	ra, rb := []rune(a), []rune(b)
	if d := len(ra) - len(rb); d > limit || -d > limit {
		return limit + 1
	}
	row := make([]int, len(rb)+1)
	for j := range row {
		row[j] = j
	}
	for i, ca := range ra {
		diagonal := row[0]
		row[0] = i + 1
		for j, cb := range rb {
			cost := 1
			if ca == cb {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(rb)]
}
