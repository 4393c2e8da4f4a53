package rules

import (
	"fmt"
	"strings"
)

// plural writes a count: "1 file", "2 files".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// mebibytes is a size as people compare it.
func mebibytes(n int64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/(1<<20)), ".0")
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// few lists names as a sentence does, and cuts where nobody would read on.
func few(names []string) string {
	const enough = 5
	if more := len(names) - enough; more > 1 {
		return strings.Join(names[:enough], ", ") + fmt.Sprintf(" and %d others", more)
	}
	return strings.Join(names, ", ")
}

// didYouMean is a clause that follows a misspelt name, where one known name
// is within two slips of it and no other as close; else it is empty.
func didYouMean(given string, known []string) string {
	const slips = 2
	best, meant, tie := slips+1, "", false
	for _, name := range known {
		switch n := distance(given, name); {
		case n < best:
			best, meant, tie = n, name, false
		case n == best && name != meant:
			tie = true
		}
	}
	if meant == "" || tie {
		return ""
	}
	return " (did you mean " + meant + "?)"
}

// distance is Levenshtein's. Ids and addresses are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
