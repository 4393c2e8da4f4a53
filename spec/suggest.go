package spec

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/eval"
)

// suggestion is the name of the list that a misspelt one surely meant, or
// empty.
func suggestion(given string, names []string) string {
	meant, _ := eval.Closest(strings.ToLower(given), names)
	return meant
}

// didYouMean is a suggestion as a clause that follows a name, or empty.
func didYouMean(given string, names []string) string {
	if s := suggestion(given, names); s != "" {
		return " (did you mean " + quote(s) + "?)"
	}
	return ""
}

// list writes names as a sentence does: "a", "b" and "c".
func list(names []string, last string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	end := len(quoted) - 1
	return strings.Join(quoted[:end], ", ") + " " + last + " " + quoted[end]
}

// choices lists what may be written, sorted, and cut where nobody would read
// on.
func choices(names []string) string {
	names = slices.Sorted(slices.Values(names))
	const enough = 30
	if len(names) > enough {
		names = append(names[:enough:enough], "…")
	}
	return list(names, "and")
}

// article is a block's name as a sentence begins with it: A "run" block.
func article(block string) string {
	if strings.ContainsRune("aeiou", rune(block[0])) && block != "user" {
		return "An " + quote(block) + " block"
	}
	return "A " + quote(block) + " block"
}
