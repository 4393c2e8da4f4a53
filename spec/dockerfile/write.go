package dockerfile

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/specbuild/specbuild/spec/format"
)

// block is a block of the spec that is being written. Items are written in
// their order, and know where they came to stand.
type block struct {
	name     string
	labels   []string
	comments []string // above it
	items    []item
	line     int // of the Dockerfile
	place
}

type item interface{ at() *place }

// place is where an item stands in what was written, and why it may not.
type place struct {
	first, last int // lines
	// refused is why the item is left out; then a comment says so in its
	// place.
	refused string
	source  string // the instruction, for that comment
	needed  bool   // an attribute without which its block is nothing
}

func (p *place) at() *place { return p }

// attribute is one line, or several where the expression has them.
type attribute struct {
	name, expr string
	comments   []string
	line       int // of the Dockerfile; 0 is the block's
	place
}

// by says which instruction an attribute comes from.
func (a *attribute) by(cmd instructions.Command) *attribute {
	if cmd != nil {
		a.source, a.line = sourceOf(cmd), firstLine(cmd.Location())
	}
	return a
}

// remark is a comment that stands for itself.
type remark struct {
	lines []string
	place
}

func (b *block) set(name, expr string) *attribute {
	for _, it := range b.items {
		if a, ok := it.(*attribute); ok && a.name == name {
			a.expr = expr
			return a
		}
	}
	a := &attribute{name: name, expr: expr}
	b.items = append(b.items, a)
	return a
}

// setNeeded is set for an attribute without which the block is nothing.
func (b *block) setNeeded(name, expr string) *attribute {
	a := b.set(name, expr)
	a.needed = true
	return a
}

// has reports whether an attribute is set.
func (b *block) has(name string) bool {
	return slices.ContainsFunc(b.items, func(it item) bool {
		a, ok := it.(*attribute)
		return ok && a.name == name
	})
}

// comment adds a line above the block, once.
func (b *block) comment(line string) {
	if !slices.Contains(b.comments, line) {
		b.comments = append(b.comments, line)
	}
}

func (b *block) child(name string, labels ...string) *block {
	c := &block{name: name, labels: labels, line: b.line}
	c.source = b.source
	b.items = append(b.items, c)
	return c
}

// todoMark begins every comment that asks for a hand.
const todoMark = "TODO(import): "

// page is lines being written.
type page struct {
	lines []string
}

func (p *page) add(indent int, text string) {
	pad := strings.Repeat("  ", indent)
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			p.lines = append(p.lines, "")
			continue
		}
		p.lines = append(p.lines, pad+line)
	}
}

// raw adds lines whose indentation matters: those of a here-document are
// indented all alike.
func (p *page) raw(indent int, text string) {
	first, rest, _ := strings.Cut(text, "\n")
	p.add(indent, first)
	if rest != "" || strings.Contains(text, "\n") {
		p.add(indent, rest)
	}
}

func (p *page) comments(indent int, lines []string) {
	for _, c := range lines {
		p.add(indent, strings.TrimRight("# "+c, " "))
	}
}

func (p *page) items(indent int, items []item) {
	for i, it := range items {
		if i > 0 && (apart(items[i-1]) || apart(it)) {
			p.lines = append(p.lines, "")
		}
		pl := it.at()
		pl.first = len(p.lines) + 1
		if pl.refused != "" {
			p.comments(indent, todoLines(pl))
		} else {
			p.item(indent, it)
		}
		pl.last = len(p.lines)
	}
}

// todoLines is the comment in the place of what could not be kept.
func todoLines(pl *place) []string {
	out := []string{todoMark + oneLine(pl.refused)}
	if pl.source != "" {
		out = append(out, "  "+oneLine(pl.source))
	}
	return out
}

// oneLine is text for a comment: no line ends, nothing that cannot be seen.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85 {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	const longest = 160
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}

func (p *page) item(indent int, it item) {
	switch it := it.(type) {
	case *attribute:
		p.comments(indent, it.comments)
		p.raw(indent, it.name+" = "+it.expr)
	case *remark:
		p.comments(indent, it.lines)
	case *block:
		p.comments(indent, it.comments)
		head := it.name
		for _, l := range it.labels {
			head += " " + quote(l)
		}
		if len(it.items) == 0 {
			p.add(indent, head+" {}")
			return
		}
		p.add(indent, head+" {")
		p.items(indent+1, it.items)
		p.add(indent, "}")
	}
}

// apart reports whether blank lines set an item off.
func apart(it item) bool {
	switch it := it.(type) {
	case *block:
		return true
	case *attribute:
		return it.refused == "" && strings.Contains(it.expr, "\n") && !strings.HasPrefix(it.expr, "<<") && len(it.comments) > 0
	}
	return false
}

// render writes the blocks as `specbuild fmt` would. That moves blanks within
// lines only, so places stay right.
func render(items []item) []byte {
	var p page
	p.items(0, items)
	out, _ := format.Format("image.hcl", []byte(strings.Join(p.lines, "\n")+"\n"))
	return out
}

// list is a list, on one line where it fits, else filled as a text is.
func list(elements []string) string {
	const widest = 100
	one := "[" + strings.Join(elements, ", ") + "]"
	if len(one) <= widest && !strings.Contains(one, "\n") {
		return one
	}
	var b strings.Builder
	width := 0
	for i, e := range elements {
		switch {
		case i == 0 || width+len(e)+2 > widest:
			b.WriteString("\n  ")
			width = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(e + ",")
		width += len(e) + 2
	}
	return "[" + b.String() + "\n]"
}

// pair is an entry of a map, with the comments above it.
type pair struct {
	key, value string
	comments   []string
}

// object is a map, on one line where it is one entry.
func object(pairs []pair) string {
	commented := slices.ContainsFunc(pairs, func(p pair) bool { return len(p.comments) > 0 })
	const widest = 70
	if len(pairs) == 1 && !commented && len(pairs[0].key)+len(pairs[0].value) <= widest {
		return "{ " + key(pairs[0].key) + " = " + pairs[0].value + " }"
	}
	var b strings.Builder
	b.WriteString("{\n")
	for _, p := range pairs {
		for _, c := range p.comments {
			b.WriteString("  # " + c + "\n")
		}
		b.WriteString("  " + key(p.key) + " = " + p.value + "\n")
	}
	b.WriteString("}")
	return b.String()
}

// key is a map's key, quoted where it is no plain name.
func key(s string) string {
	for i, r := range s {
		if letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'; !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return quote(s)
		}
	}
	if s == "" || s == "null" || s == "true" || s == "false" || s == "for" {
		return quote(s)
	}
	return s
}
