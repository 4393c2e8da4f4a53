package deb

import (
	"fmt"
	"slices"
	"strings"
)

// preinsts lists the preinst scripts of the added packages in the order in
// which they have to run before anything is configured, a line each: "preinst",
// the name of the script in dpkg's database, the package and its architecture.
// Whoever runs them takes the lines away.
//
// Files of all packages are there by then, so a script finds its programs
// whatever the order; what it may miss is what other scripts make. Those of
// base-passwd and base-files make the tables of users, and so are first,
// after what they depend on; the others follow what they depend on.
func (in *installation) preinsts() string {
	byName := map[string]*archive{}
	names := []string{"base-passwd", "base-files"}
	for _, a := range in.archives {
		byName[a.Name] = a
		names = append(names, a.Name)
	}
	slices.Sort(names[2:])
	var b strings.Builder
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		a := byName[name]
		if a == nil || seen[name] {
			return
		}
		seen[name] = true // before what it depends on, since that may be a circle
		for _, field := range []string{"Pre-Depends", "Depends"} {
			for _, other := range relationNames(a.stanza.get(field)) {
				visit(other)
			}
		}
		if _, ok := a.control["preinst"]; ok {
			fmt.Fprintf(&b, "preinst %s %s %s\n", a.stanza.label(), a.Name, a.Arch)
		}
	}
	for _, name := range names {
		visit(name)
	}
	return b.String()
}

// relationNames are all names of a relation field, alternatives too: of them
// some are there.
func relationNames(text string) []string {
	var names []string
	for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '|' }) {
		name := strings.TrimSpace(item)
		if end := strings.IndexAny(name, " (:["); end >= 0 {
			name = name[:end]
		}
		names = append(names, name)
	}
	return names
}
