package pin

import (
	"strconv"
	"strings"
)

// Lines are changes for people: what concerns one archive stands together
// below its key, what is the same for several architectures is one line,
// "~ nginx 1.26.0-1 → 1.26.1-1 (amd64, arm64)", and a base of another tag is
// one that changed. Digests are shortened.
func Lines(changes []Change) []string {
	changes = retagged(changes)
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
		out = append(out, "packages of "+key+count(archives[key]))
		for _, a := range archives[key] {
			out = append(out, "  "+a.line+" ("+strings.Join(a.arches, ", ")+")")
		}
	}
	return out
}

// count says how many packages an archive's changes are of: " (+3 -1 ~2)".
func count(changes []archiveChange) string {
	var out []string
	for _, sign := range []string{"+", "-", "~"} {
		n := 0
		for _, c := range changes {
			if c.pkg && strings.HasPrefix(c.line, sign) {
				n++
			}
		}
		if n > 0 {
			out = append(out, sign+strconv.Itoa(n))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, " ") + ")"
}

// retagged makes one change of a base that is gone and one of its repository
// that is new, and leaves out what follows from the change of a base: the
// digests of its platforms.
func retagged(changes []Change) []Change {
	gone, fresh := map[string][]Change{}, map[string][]Change{} // by repository
	moved := map[string]bool{}                                  // bases of another digest, by "base KEY"
	for _, c := range changes {
		name, ok := c.ofBase()
		if !ok {
			continue
		}
		moved[c.What] = true
		switch c.sign() {
		case "-":
			gone[name] = append(gone[name], c)
		case "+":
			fresh[name] = append(fresh[name], c)
		}
	}
	var out []Change
	for _, c := range changes {
		if below := strings.LastIndexByte(c.What, ' '); below > 0 && moved[c.What[:below]] && !strings.HasSuffix(c.What, " signed") {
			continue
		}
		name, ok := c.ofBase()
		if ok && len(gone[name]) == 1 && len(fresh[name]) == 1 {
			if c.sign() == "+" { // told with the one that is gone
				continue
			}
			now := fresh[name][0]
			before, after := strings.TrimPrefix(c.What, kindBase+" "+name), strings.TrimPrefix(now.What, kindBase+" "+name)
			c = Change{
				What: kindBase + " " + name,
				Old:  strings.TrimLeft(before, ":@"),
				New:  strings.TrimLeft(after, ":@") + " (" + shorten(c.Old) + " → " + shorten(now.New) + ")",
			}
		}
		out = append(out, c)
	}
	return out
}

// ofBase is the repository of a base that a change is of, if it is of a base
// itself and not of one of its platforms.
func (c Change) ofBase() (name string, ok bool) {
	key, ok := strings.CutPrefix(c.What, kindBase+" ")
	if !ok || strings.Contains(key, " ") {
		return "", false
	}
	r, err := ParseReference(key)
	if err != nil || strings.HasPrefix(key, "layout:") {
		return key, true
	}
	return r.Name(), true
}

// shorten leaves of a digest or a commit what tells it from others.
func shorten(s string) string {
	const enough = 12
	hex, sha := strings.CutPrefix(s, "sha256:")
	if !isHex(hex) && (sha || len(hex) != 40 || strings.Trim(hex, "0123456789abcdef") != "") {
		return s
	}
	if sha {
		return "sha256:" + hex[:enough]
	}
	return hex[:enough]
}

// archiveChange is a change of an archive's packages or closures.
type archiveChange struct {
	line   string // without the architectures
	pkg    bool   // of a package, not of what asks for it
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
	return archiveChange{c.sign() + " " + title + " " + c.values(), f[0] == kindPackage, []string{f[2]}}, f[1], true
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
		return shorten(c.Old + c.New)
	}
	return shorten(c.Old) + " → " + shorten(c.New)
}
