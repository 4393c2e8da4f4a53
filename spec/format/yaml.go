package format

import (
	"bytes"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// formatYAML tries the whole style first and ever less of it then, until the
// result has the same nodes: a text that keeps its trailing line ends (|+) has
// the end of the file in it, and there are ways to write a list that nobody
// has thought of here.
func formatYAML(src []byte) []byte {
	root := parseYAML(src)
	if root == nil {
		return ends(src) // nothing but comments
	}
	l := newLayout(src)
	known := l.walk(root, 0)
	trimmed := l.print(false)
	candidates := [][]byte{ends(trimmed), trimmed}
	if known {
		whole := l.print(true)
		candidates = slices.Insert(candidates, 0, ends(whole), whole)
	}
	for _, out := range candidates {
		if sameText(src, out) && sameNodes(root, parseYAML(out)) {
			return out
		}
	}
	return src
}

// parseYAML is the document's outermost node, nil if there is none. The
// library panics on some texts that are not YAML.
func parseYAML(src []byte) (root *yaml.Node) {
	defer func() {
		if recover() != nil {
			root = nil
		}
	}()
	var doc yaml.Node
	if yaml.Unmarshal(src, &doc) != nil || len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

// sameText compares all but blanks: no comment is lost either.
func sameText(a, b []byte) bool {
	return slices.EqualFunc(bytes.Fields(a), bytes.Fields(b), bytes.Equal)
}

// sameNodes compares what is said and how it is written, but for places.
func sameNodes(a, b *yaml.Node) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value || a.Style != b.Style || a.Anchor != b.Anchor || len(a.Content) != len(b.Content):
		return false
	}
	for i := range a.Content {
		if !sameNodes(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// layout is a YAML file as lines, and where they are to begin.
type layout struct {
	lines   []string
	anchors []anchor
	starts  map[int]anchor // of lines that begin with a key or a dash, by line
	texts   []text
	dashes  map[int][]int // columns of dashes that are followed by several blanks, by line
}

// anchor is a key or dash: the column where it is and the one where it shall be.
type anchor struct{ line, old, new int }

// text is the lines of a block scalar, header excluded, end excluded.
type text struct{ start, end, shift int }

func newLayout(src []byte) *layout {
	return &layout{lines: strings.Split(string(src), "\n"), starts: map[int]anchor{}, dashes: map[int][]int{}}
}

// walk finds where the parts of a node go if it stands at a column. It answers
// false where the text is written in a way that it does not know.
func (l *layout) walk(n *yaml.Node, at int) bool {
	if n.Style&yaml.FlowStyle != 0 {
		return true
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			a := anchor{key.Line - 1, key.Column - 1, at}
			if key.Kind != yaml.ScalarNode && key.Kind != yaml.AliasNode || !l.anchor(a) || !l.inside(value, a) {
				return false
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			a, ok := l.dash(item, at)
			if !ok || !l.anchor(a) || !l.inside(item, a) {
				return false
			}
		}
	}
	return true
}

// inside walks what belongs to a key or a dash.
func (l *layout) inside(n *yaml.Node, a anchor) bool {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		l.blockScalar(n.Line-1, a)
		return true
	}
	return l.walk(n, a.new+2)
}

// anchor notes a key or a dash. Before it there is nothing on its line, or
// dashes that are noted already.
func (l *layout) anchor(a anchor) bool {
	if a.line >= len(l.lines) || a.old > len(l.lines[a.line]) {
		return false
	}
	before := l.lines[a.line][:a.old]
	if strings.Trim(before, " -") != "" {
		return false
	}
	if strings.Trim(before, " ") == "" {
		l.starts[a.line] = a
	}
	l.anchors = append(l.anchors, a)
	return true
}

// dash finds the dash of an item, which stands before it on its line.
func (l *layout) dash(item *yaml.Node, at int) (anchor, bool) {
	line, column := item.Line-1, item.Column-1
	if item.Line < 1 || column > len(l.lines[line]) {
		return anchor{}, false
	}
	before := strings.TrimRight(l.lines[line][:column], " ")
	if !strings.HasSuffix(before, "-") {
		return anchor{}, false
	}
	if column-len(before) > 1 {
		l.dashes[line] = append(l.dashes[line], len(before)-1)
	}
	return anchor{line, len(before) - 1, at}, true
}

// blockScalar notes the lines of a text after | or >. They keep their places
// to one another; the first goes two columns to the right of its key, unless
// the header counts columns.
func (l *layout) blockScalar(header int, a anchor) {
	start := header + 1
	first := start
	for first < len(l.lines) && strings.Trim(l.lines[first], " ") == "" {
		first++
	}
	if first >= len(l.lines) || indentOf(l.lines[first]) <= a.old {
		return // it is empty
	}
	margin := indentOf(l.lines[first])
	shift := a.new + 2 - margin
	if counted(l.lines[header]) {
		margin, shift = a.old+1, a.new-a.old
	}
	end := first
	for end < len(l.lines) && (strings.Trim(l.lines[end], " ") == "" || indentOf(l.lines[end]) >= margin) {
		end++
	}
	l.texts = append(l.texts, text{start, end, shift})
}

// counted reports whether a block scalar's header says how far its text is
// indented: |2.
func counted(header string) bool {
	if i := strings.Index(header, " #"); i >= 0 {
		header = header[:i]
	}
	header = strings.TrimRight(header, " \t")
	i := strings.LastIndexAny(header, "|>")
	return i >= 0 && strings.ContainsAny(header[i:], "123456789")
}

// print writes the lines, at their new places if moved is set, and without
// blanks at their ends.
func (l *layout) print(moved bool) []byte {
	out := make([]string, len(l.lines))
	inText := map[int]int{}
	for _, t := range l.texts {
		for i := t.start; i < t.end; i++ {
			inText[i] = t.shift
		}
	}
	var last anchor
	for i, line := range l.lines {
		shift, isText := inText[i]
		if a, ok := l.starts[i]; ok {
			last = a
		}
		if isText {
			out[i] = line
			if moved {
				out[i] = shifted(line, shift)
			}
			continue
		}
		line = strings.TrimRight(line, " \t")
		if moved && line != "" {
			line = shifted(l.closed(i, line), l.shift(i, line, last))
		}
		out[i] = line
	}
	return []byte(strings.Join(out, "\n"))
}

// shift is how far a line moves to the right.
func (l *layout) shift(i int, line string, last anchor) int {
	if a, ok := l.starts[i]; ok {
		return a.new - a.old
	}
	if !strings.HasPrefix(strings.TrimLeft(line, " "), "#") {
		return last.new - last.old // it goes on with what the last key began
	}
	column := indentOf(line)
	if next, ok := l.next(i); ok && next.old == column {
		return next.new - next.old
	}
	for _, a := range slices.Backward(l.anchors) {
		if a.line < i && a.old == column {
			return a.new - a.old
		}
	}
	return last.new - last.old
}

// next is the first line after one that begins with a key or a dash.
func (l *layout) next(i int) (anchor, bool) {
	for i++; i < len(l.lines); i++ {
		if a, ok := l.starts[i]; ok {
			return a, true
		}
	}
	return anchor{}, false
}

// closed is a line with one blank after each of its dashes.
func (l *layout) closed(i int, line string) string {
	for _, d := range slices.Backward(l.dashes[i]) {
		line = line[:d+1] + " " + strings.TrimLeft(line[d+1:], " ")
	}
	return line
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// shifted moves a line to the right, or to the left as far as there are
// blanks. A line of blanks alone stays one, as long as it needs to be.
func shifted(line string, by int) string {
	if by >= 0 {
		if strings.Trim(line, " ") == "" {
			return line
		}
		return strings.Repeat(" ", by) + line
	}
	return line[min(-by, indentOf(line)):]
}
