package rules

import (
	_ "embed" // the list
	"fmt"
	"strings"
)

//go:embed spdx.txt
var spdxList string

// spdxIDs are the identifiers in small letters, since the case of one does
// not matter (SPDX 2.3, annex D.2), with how the list writes them; exceptions
// have a + in front.
func spdxIDs() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(spdxList) {
		if !strings.HasPrefix(line, "#") {
			for _, id := range strings.Fields(line) {
				out[strings.ToLower(id)] = id
			}
		}
	}
	return out
}

// wantLicence reads an SPDX licence expression: identifiers, also with a +,
// AND, OR, WITH an exception, brackets, LicenseRef-…
func wantLicence(v string) string {
	e := expression{words: strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(v)), ids: spdxIDs()}
	if len(e.words) == 0 {
		return wantText(v)
	}
	if e.either(); e.wrong == "" && len(e.words) > 0 {
		e.wrong = fmt.Sprintf("%q follows where AND, OR or nothing may", e.words[0])
	}
	if e.wrong == "" {
		return ""
	}
	return fmt.Sprintf("is %q, which is no licence expression of SPDX: %s. Write identifiers of spdx.org/licenses, as Apache-2.0 or MIT OR GPL-2.0-only", v, e.wrong)
}

// expression is what is left of one, and the first thing wrong with it.
type expression struct {
	words []string
	ids   map[string]string
	wrong string
}

func (e *expression) next(words ...string) bool {
	for _, w := range words {
		if len(e.words) > 0 && e.words[0] == w {
			e.words = e.words[1:]
			return true
		}
	}
	return false
}

// either reads simple (AND|OR simple)*: which binds closer makes no
// difference to whether it is one.
func (e *expression) either() {
	for {
		e.simple()
		if e.wrong != "" || !e.next("AND", "OR", "and", "or") {
			return
		}
	}
}

func (e *expression) simple() {
	if e.next("(") {
		if e.either(); e.wrong == "" && !e.next(")") {
			e.wrong = "a bracket is not closed"
		}
		return
	}
	if len(e.words) == 0 {
		e.wrong = "an identifier is missing at the end"
		return
	}
	id := e.words[0]
	e.words = e.words[1:]
	if !e.known(id) {
		e.wrong = fmt.Sprintf("%q is not in its list%s", id, e.meant(id))
		return
	}
	if e.next("WITH", "with") {
		if len(e.words) == 0 || e.ids["+"+strings.ToLower(e.words[0])] == "" && !reference(e.words[0]) {
			e.wrong = "an exception of its list must follow WITH"
			return
		}
		e.words = e.words[1:]
	}
}

func (e *expression) known(id string) bool {
	if lower := strings.ToLower(id); !strings.HasPrefix(lower, "+") && (e.ids[lower] != "" || e.ids[strings.TrimSuffix(lower, "+")] != "") {
		return true
	}
	return reference(id) || id == "NONE" || id == "NOASSERTION"
}

// reference is a licence that is described elsewhere.
func reference(id string) bool {
	return strings.HasPrefix(id, "LicenseRef-") || strings.HasPrefix(id, "DocumentRef-") || strings.HasPrefix(id, "AdditionRef-")
}

// meant suggests what people write for the most common ones.
func (e *expression) meant(id string) string {
	common := map[string]string{
		"apache": "Apache-2.0", "apache2": "Apache-2.0", "apache-2": "Apache-2.0", "apachev2": "Apache-2.0", "apache2.0": "Apache-2.0",
		"bsd": "BSD-3-Clause", "bsd3": "BSD-3-Clause", "bsd-3": "BSD-3-Clause", "bsd2": "BSD-2-Clause", "gpl": "GPL-3.0-or-later",
		"gplv2": "GPL-2.0-only", "gplv3": "GPL-3.0-only", "gpl2": "GPL-2.0-only", "gpl3": "GPL-3.0-only", "lgplv3": "LGPL-3.0-only",
		"agplv3": "AGPL-3.0-only", "mpl": "MPL-2.0", "mpl2": "MPL-2.0", "proprietary": "LicenseRef-proprietary",
	}
	if name := common[strings.ToLower(id)]; name != "" {
		return " (did you mean " + name + "?)"
	}
	return ""
}
