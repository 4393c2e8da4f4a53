package deb

import (
	"fmt"
	"strings"

	"github.com/specbuild/specbuild/engine/deb/version"
)

// stanza is a paragraph of a control file: its fields in order, with their
// continuation lines as they are.
type stanza struct {
	fields []field
}

type field struct {
	name string
	text string // all after the colon, continuation lines included, no newline at the end
}

// parseStanzas reads the paragraphs of a control file or dpkg's status
// (deb822(5)).
func parseStanzas(text string) ([]stanza, error) {
	var all []stanza
	var s stanza
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			if len(s.fields) > 0 {
				all, s = append(all, s), stanza{}
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if len(s.fields) == 0 {
				return nil, fmt.Errorf("control data starts with a continuation line %q", line)
			}
			s.fields[len(s.fields)-1].text += "\n" + line
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" {
				return nil, fmt.Errorf("control data has a line without a field: %q", line)
			}
			s.fields = append(s.fields, field{name, value})
		}
	}
	if len(s.fields) > 0 {
		all = append(all, s)
	}
	return all, nil
}

// get is the value of a field, "" when there is none. Names of fields have
// no case.
func (s stanza) get(name string) string {
	for _, f := range s.fields {
		if strings.EqualFold(f.name, name) {
			return strings.TrimSpace(f.text)
		}
	}
	return ""
}

// without is the stanza less some fields.
func (s stanza) without(names ...string) stanza {
	var out stanza
next:
	for _, f := range s.fields {
		for _, n := range names {
			if strings.EqualFold(f.name, n) {
				continue next
			}
		}
		out.fields = append(out.fields, f)
	}
	return out
}

// write appends the stanza and the empty line after it.
func (s stanza) write(b *strings.Builder) {
	for _, f := range s.fields {
		b.WriteString(f.name + ":" + f.text + "\n")
	}
	b.WriteByte('\n')
}

// label names the package as dpkg's database does: with the architecture
// where two of them may be installed at once.
func (s stanza) label() string {
	if s.get("Multi-Arch") == "same" {
		return s.get("Package") + ":" + s.get("Architecture")
	}
	return s.get("Package")
}

// names reports whether a relation field of s (Replaces) names the package
// other in its version, or something that it provides.
func (s stanza) names(relation string, other stanza) bool {
	for item := range strings.SplitSeq(s.get(relation), ",") {
		name, condition, versioned := strings.Cut(strings.TrimSpace(item), "(")
		name, _, _ = strings.Cut(strings.TrimSpace(name), ":")
		if name == "" || name != other.get("Package") && (versioned || !other.provides(name)) {
			continue
		}
		if !versioned {
			return true
		}
		condition = strings.TrimSuffix(strings.TrimSpace(condition), ")")
		than := strings.TrimLeft(condition, "<>= ")
		op := strings.TrimSpace(condition[:len(condition)-len(than)])
		if version.Satisfies(other.get("Version"), op, strings.TrimSpace(than)) {
			return true
		}
	}
	return false
}

func (s stanza) provides(name string) bool {
	for item := range strings.SplitSeq(s.get("Provides"), ",") {
		if got, _, _ := strings.Cut(strings.TrimSpace(item), " "); got == name {
			return true
		}
	}
	return false
}
