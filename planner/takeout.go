package planner

import (
	"path"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// mentions finds names in the texts of specs. What an expression names in a
// branch that is not taken has no value to be found by, so it is looked for
// where it stands.
type mentions struct {
	spec *spec.Spec
	dead []diag.Range // blocks whose own mentions count for nothing
}

func (p *planner) newMentions(idle []*spec.StageDecl) mentions {
	m := mentions{spec: p.in.Spec}
	for _, st := range idle {
		if w, ok := p.in.Spec.Written(st.Range); ok {
			m.dead = append(m.dead, w.Range)
		}
	}
	return m
}

// names reports whether a file of the same folder names a declaration, outside
// of its own block, of the dead ones and of comments.
func (m mentions) names(addr spec.Addr, at diag.Range) bool {
	own, _ := m.spec.Written(at)
	name := string(addr.Kind) + "." + addr.Name
	for file, text := range m.spec.Files {
		if path.Dir(file) != path.Dir(at.File) {
			continue
		}
		for _, i := range occurrences(string(text), name) {
			if !covers(own.Range, file, i) && !inAny(m.dead, file, i) && !inComment(string(text), i) {
				return true
			}
		}
	}
	return false
}

func inAny(ranges []diag.Range, file string, at int) bool {
	for _, r := range ranges {
		if covers(r, file, at) {
			return true
		}
	}
	return false
}

func covers(r diag.Range, file string, at int) bool {
	return r.File == file && r.Start.Byte <= at && at < r.End.Byte
}

// occurrences are where a name stands by itself, not as a part of a longer
// one.
func occurrences(text, name string) []int {
	var out []int
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return out
		}
		i += from
		from = i + len(name)
		if (i == 0 || !nameByte(text[i-1])) && (from == len(text) || !nameByte(text[from]) || text[from] == '.') {
			out = append(out, i)
		}
	}
}

func nameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// inComment is for the comments that stand on lines of their own.
func inComment(text string, at int) bool {
	line := strings.TrimLeft(text[strings.LastIndexByte(text[:at], '\n')+1:at], " \t")
	return strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//")
}

// takeOut is a fix that removes a block with the comment above it. It is nil
// where more than this one is made of the block: by for_each, or in a module
// that is also called.
func (p *planner) takeOut(addr spec.Addr, at diag.Range) *diag.Fix {
	w, ok := p.in.Spec.Written(at)
	if !ok || addr.Key != "" || p.shares(addr, at) {
		return nil
	}
	src := string(p.in.Spec.Files[at.File])
	from := lineStart(src, w.Range.Start.Byte)
	to := nextLine(src, w.Range.End.Byte)
	if strings.TrimSpace(src[from:w.Range.Start.Byte]) != "" || !blankOrComment(src[w.Range.End.Byte:to]) {
		return nil // beside others on its line
	}
	if isYAML(at.File) {
		from, to = parentKey(src, from, to)
	}
	from = leadComment(src, from)
	for (from == 0 || strings.HasSuffix(src[:from], "\n\n")) && to < len(src) && src[to] == '\n' {
		to++ // else two blank lines meet
	}
	for to == len(src) && strings.HasSuffix(src[:from], "\n\n") {
		from--
	}
	return &diag.Fix{Range: diag.Range{File: at.File, Start: position(src, from), End: position(src, to)}}
}

// shares reports whether another declaration is made of the same block.
func (p *planner) shares(addr spec.Addr, at diag.Range) bool {
	other := func(a spec.Addr, r diag.Range) bool { return a != addr && r == at }
	sp := p.in.Spec
	for _, d := range sp.Stages {
		if other(d.Addr, d.Range) {
			return true
		}
	}
	for _, d := range sp.Bases {
		if other(d.Addr, d.Range) {
			return true
		}
	}
	for _, d := range sp.Contexts {
		if other(d.Addr, d.Range) {
			return true
		}
	}
	for _, d := range sp.Secrets {
		if other(d.Addr, d.Range) {
			return true
		}
	}
	for _, d := range sp.Repositories {
		if other(d.Addr, d.Range) {
			return true
		}
	}
	return false
}

func isYAML(file string) bool { return strings.HasSuffix(file, ".yaml") }

func lineStart(src string, at int) int { return strings.LastIndexByte(src[:at], '\n') + 1 }

func nextLine(src string, at int) int {
	if i := strings.IndexByte(src[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(src)
}

func blankOrComment(rest string) bool {
	rest = strings.TrimSpace(rest)
	return rest == "" || strings.HasPrefix(rest, "#") || strings.HasPrefix(rest, "//")
}

// leadComment is where the comment begins that stands directly above a line.
// The one that a file begins with is about the file.
func leadComment(src string, from int) int {
	begin := from
	for begin > 0 {
		above := lineStart(src, begin-1)
		text := strings.TrimSpace(src[above:begin])
		if !strings.HasPrefix(text, "#") && !strings.HasPrefix(text, "//") {
			return begin
		}
		begin = above
	}
	return from
}

// parentKey takes the key above along, `stage:`, where the map below it would
// be empty: a key without a value is a mistake of its own.
func parentKey(src string, from, to int) (int, int) {
	indent := indentOf(src[from:])
	for next := to; next < len(src); next = nextLine(src, next) {
		line := src[next:nextLine(src, next)]
		if !blankOrComment(line) {
			if indentOf(line) >= indent {
				return from, to
			}
			break
		}
	}
	for above := from; above > 0; {
		above = lineStart(src, above-1)
		line := src[above:nextLine(src, above)]
		if blankOrComment(line) {
			continue
		}
		if indentOf(line) >= indent {
			return from, to
		}
		return above, to
	}
	return from, to
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func position(src string, at int) diag.Pos {
	return diag.Pos{Line: 1 + strings.Count(src[:at], "\n"), Column: at - strings.LastIndexByte(src[:at], '\n'), Byte: at}
}
