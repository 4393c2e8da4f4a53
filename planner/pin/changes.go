package pin

import "strings"

// Lines are changes for people: what concerns one archive stands together
// below its key, and what is the same for several architectures is one line,
// "~ nginx 1.26.0-1 → 1.26.1-1 (amd64, arm64)".
func Lines(changes []Change) []string {
	var out []string
	var heads []string
	archives := map[string][]archiveChange{}
	for _, c := range changes {
		a, key, ok := c.ofArchive()
		if !ok {
			out = append(out, c.sign()+" "+c.What+" "+c.values())
			continue
		}
		if archives[key] == nil {
			heads = append(heads, key)
		}
		archives[key] = a.addTo(archives[key])
	}
	for _, key := range heads {
		out = append(out, "packages of "+key)
		for _, a := range archives[key] {
			out = append(out, "  "+a.line+" ("+strings.Join(a.arches, ", ")+")")
		}
	}
	return out
}

// archiveChange is a change of an archive's packages or closures.
type archiveChange struct {
	line   string // without the architectures
	arches []string
}

func (a archiveChange) addTo(list []archiveChange) []archiveChange {
	for i := range list {
		if list[i].line == a.line {
			list[i].arches = union(list[i].arches, a.arches)
			return list
		}
	}
	return append(list, a)
}

// ofArchive reads Change.What as summary writes it.
func (c Change) ofArchive() (a archiveChange, key string, ok bool) {
	f := strings.SplitN(c.What, " ", 4)
	if len(f) < 4 || f[0] != kindPackage && f[0] != kindClosure {
		return a, "", false
	}
	title := f[3]
	if f[0] == kindClosure {
		title = "what " + strings.TrimSuffix(title, " over "+noneBelow) + " brings:"
	}
	return archiveChange{c.sign() + " " + title + " " + c.values(), []string{f[2]}}, f[1], true
}

func (c Change) sign() string {
	switch {
	case c.Old == "":
		return "+"
	case c.New == "":
		return "-"
	}
	return "~"
}

func (c Change) values() string {
	if c.Old == "" || c.New == "" {
		return c.Old + c.New
	}
	return c.Old + " → " + c.New
}
