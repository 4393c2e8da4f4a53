package lsp

import (
	"maps"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/eval"
)

// function is a function of the language as an author reads it.
type function struct {
	name      string
	signature string // "join(separator, lists…)"
	doc       string // a sentence
	params    int    // the least number of arguments
}

// functions are those that specs can call, sorted by name. The names and
// parameters are the library's own.
func functions() []function {
	all := eval.NewLibrary(nil).Functions(".")
	out := make([]function, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var params []string
		for _, p := range all[name].Params() {
			params = append(params, p.Name)
		}
		fixed := len(params)
		if v := all[name].VarParam(); v != nil {
			params = append(params, v.Name+"…")
		}
		out = append(out, function{name, name + "(" + strings.Join(params, ", ") + ")", functionDocs(name), fixed})
	}
	return out
}

// functionDocs says what a function gives. The library has no sentences, since
// the language's reference leaves them to Terraform's; who hovers wants one.
func functionDocs(name string) string {
	for line := range strings.Lines(functionSentences) {
		if word, doc, _ := strings.Cut(line, " "); word == name {
			return strings.TrimSpace(doc)
		}
	}
	return ""
}

const functionSentences = `abs The number without its sign.
alltrue Whether all elements are true; true for an empty list.
anytrue Whether one element is true; false for an empty list.
base64decode The text that Base64 stands for.
base64encode The text in Base64.
basename The last part of a path.
can Whether an expression has a value, instead of a mistake.
ceil The nearest whole number that is not smaller.
chomp The text without the line ends at its end.
chunklist The list in pieces of a size; the last may be shorter.
coalesce The first argument that is neither null nor an empty string.
coalescelist The first list that is not empty.
compact The list without empty strings.
concat The elements of all lists, one after the other.
contains Whether a list has an element of this value.
csvdecode A list of objects, one for each line of CSV; the first line names the attributes.
dirname The path without its last part.
distinct The list without repetitions; the first of each stays.
element The element at an index; beyond the end it begins anew.
endswith Whether a text ends with another.
file The text of a file, relative to the folder of this one or from the workspace's root as //path.
fileset The files below a folder whose paths match a pattern.
filesha256 The SHA-256 of a file, in hexadecimal.
flatten The list with the elements of the lists in it, at any depth.
floor The nearest whole number that is not larger.
format The text with each verb, such as %s or %d, replaced by an argument.
formatlist A list of texts, one for each element of the lists among the arguments.
indent The text with blanks before each line but the first.
index The index of a value in a list; a mistake where it is not in it.
join The texts of the lists as one, with a separator between.
jsondecode The value that a text in JSON stands for.
jsonencode The value as JSON.
keys The keys of a map, sorted.
length The number of elements, or of characters.
lookup The value at a key of a map, or the default.
lower The text in small letters.
max The largest of the numbers.
merge One map of all; where several have a key, the last one counts.
min The smallest of the numbers.
one The only element, or null where there is none.
parseint The number that a text is in a base from 2 to 62.
pow A number raised to a power.
range The numbers from a start, 0 by default, to a limit that is not reached, by steps.
regex What the first match of a pattern (RE2) captures, or the whole match; a mistake where there is none.
regexall What each match of a pattern (RE2) captures.
replace The text with each occurrence of another replaced; of a regular expression where that is written /between slashes/.
reverse The list from its end.
semvercmp -1, 0 or 1: how two semantic versions compare.
setintersection What is in all of the sets.
setproduct All combinations of one element of each.
setsubtract What is in the first set and not in the second.
setunion What is in one of the sets.
sha256 The SHA-256 of a text, in hexadecimal.
sha512 The SHA-512 of a text, in hexadecimal.
signum -1, 0 or 1: the sign of a number.
slice The elements from an index to another that is not reached.
sort The texts in order.
split The parts of a text between separators.
startswith Whether a text begins with another.
strlen The number of characters.
substr A part of a text: from a character on, so many; -1 is all that follow.
sum The sum of the numbers.
templatefile The text of a file whose ${…} may use the attributes of the second argument.
title The text with a capital at each word.
tobool The value as true or false.
tolist The value as a list.
tomap The value as a map.
tonumber The value as a number.
toset The value as a set.
tostring The value as a text.
trim The text without certain characters at both ends.
trimprefix The text without a beginning, if it has it.
trimspace The text without blanks and line ends at both ends.
trimsuffix The text without an end, if it has it.
try The first expression that has a value, instead of a mistake.
upper The text in capital letters.
urlencode The text as a part of a URL's query.
values The values of a map, in the order of the keys.
yamldecode The value that a text in YAML stands for.
zipmap A map of a list of keys and a list of values.
`
