package lsp

import (
	"bytes"
	"strings"

	"github.com/specbuild/specbuild/spec/syntax"
)

// yamlNode is a value of YAML as it is written: a map or list has entries, a
// text has neither.
type yamlNode struct {
	at      stretch
	col     int // where the keys or dashes stand; -1 in flow style
	list    bool
	entries []*yamlEntry
	text    bool
}

// yamlEntry is a key, or the dash of a list, and its value.
type yamlEntry struct {
	key   string // "-" of a list's element
	keyAt stretch
	value *yamlNode // nil where there is none yet
	end   int       // of the value
	block bool      // the value is a block text
}

// yamlReader reads text that need not be YAML yet, line by line, by its
// indentation. Of a text that ends at the cursor, `open` is where the cursor
// is.
type yamlReader struct {
	src  []byte
	root *yamlNode
	open []*yamlNode // maps and lists, each inside the one before
	// typed is what stands on the last line and is no key: a key that is being
	// typed, or a value.
	typed stretch
	fresh bool // typed stands alone on its line, so it may become a key
	flow  []*yamlNode
	quote byte // the quote that is open at the end
}

func readYAML(src []byte) *yamlReader {
	r := &yamlReader{src: src, root: &yamlNode{at: stretch{0, len(src)}}}
	r.open = []*yamlNode{r.root}
	r.typed = stretch{len(src), len(src)}
	for at := 0; at < len(src); {
		at = r.line(at)
	}
	return r
}

func (r *yamlReader) lineEnd(at int) int {
	if i := bytes.IndexByte(r.src[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(r.src)
}

// line reads a line and what belongs to it, and answers where the next begins.
func (r *yamlReader) line(start int) int {
	r.flow, r.quote = nil, 0
	end := r.lineEnd(start)
	at := r.blanks(start, end)
	r.typed, r.fresh = stretch{at, at}, at == end
	if at == end || r.src[at] == '#' || bytes.HasPrefix(r.src[start:end], []byte("---")) {
		r.fresh = at == end
		return end + 1
	}
	for r.src[at] == '-' && (at+1 == end || r.src[at+1] == ' ') {
		r.item(at-start, at)
		next := r.blanks(at+1, end)
		r.typed, r.fresh = stretch{next, next}, true
		if next == end {
			return end + 1
		}
		at = next
	}
	return r.rest(start, at, end)
}

func (r *yamlReader) blanks(at, end int) int {
	for at < end && r.src[at] == ' ' {
		at++
	}
	return at
}

// rest reads a key and its value, or a value alone.
func (r *yamlReader) rest(start, at, end int) int {
	key, keyEnd, valueAt, ok := r.key(at, end)
	if !ok {
		r.fresh = r.src[at] != '{' && r.src[at] != '['
		return r.value(r.slot(at-start), at, end, at-start)
	}
	m := r.container(at-start, at, false)
	if m == nil {
		return end + 1
	}
	e := &yamlEntry{key: key, keyAt: stretch{at, keyEnd}, end: valueAt}
	m.entries = append(m.entries, e)
	valueAt = r.blanks(valueAt, end)
	r.typed, r.fresh = stretch{valueAt, valueAt}, false
	if valueAt == end {
		return end + 1
	}
	return r.value(e, valueAt, end, at-start)
}

// key is the key that a piece of a line begins with.
func (r *yamlReader) key(at, end int) (name string, keyEnd, after int, ok bool) {
	if q := r.src[at]; q == '"' || q == '\'' {
		i := bytes.IndexByte(r.src[at+1:end], q)
		if i < 0 {
			return "", 0, 0, false
		}
		keyEnd = at + i + 2
		if keyEnd < end && r.src[keyEnd] == ':' {
			return string(r.src[at+1 : keyEnd-1]), keyEnd, keyEnd + 1, true
		}
		return "", 0, 0, false
	}
	if strings.IndexByte("{[#&*!|>%@`", r.src[at]) >= 0 {
		return "", 0, 0, false
	}
	for i := at; i < end; i++ {
		if r.src[i] == ':' && (i+1 == end || r.src[i+1] == ' ') {
			return string(bytes.TrimRight(r.src[at:i], " ")), i, i + 1, true
		}
		if r.src[i] == '#' && i > at && r.src[i-1] == ' ' {
			break
		}
	}
	return "", 0, 0, false
}

// item begins an element of a list whose dashes stand in a column.
func (r *yamlReader) item(col, at int) {
	if l := r.container(col, at, true); l != nil {
		l.entries = append(l.entries, &yamlEntry{key: "-", keyAt: stretch{at, at + 1}, end: at + 1})
	}
}

// container is the map or list whose keys or dashes stand in a column; it is
// begun if there is none. It is nil where nothing can hold one.
func (r *yamlReader) container(col, at int, list bool) *yamlNode {
	r.leave(col, list)
	top := r.top()
	if top.col == col && top.list == list && len(top.entries) > 0 {
		return top
	}
	if top == r.root && len(top.entries) == 0 {
		top.col, top.list = col, list
		return top
	}
	e := top.last()
	if e == nil || e.value != nil && !r.halfKey(e) || len(r.open) > syntax.MaxDepth {
		return nil
	}
	e.value = &yamlNode{at: stretch{at, at}, col: col, list: list}
	r.open = append(r.open, e.value)
	return e.value
}

// halfKey reports whether what was read as a text, on a line of its own, is a
// key that is being typed: others stand below it.
func (r *yamlReader) halfKey(e *yamlEntry) bool {
	return e.value.text && !e.block && bytes.IndexByte(r.src[e.keyAt.end:e.value.at.start], '\n') >= 0
}

// leave closes what is indented deeper than a column. A list may stand in the
// column of the key that it belongs to.
func (r *yamlReader) leave(col int, list bool) {
	for len(r.open) > 1 {
		top := r.top()
		if top.col < col || top.col == col && (top.list == list || list) {
			return
		}
		r.open = r.open[:len(r.open)-1]
	}
}

func (r *yamlReader) top() *yamlNode { return r.open[len(r.open)-1] }

func (n *yamlNode) last() *yamlEntry {
	if len(n.entries) == 0 {
		return nil
	}
	return n.entries[len(n.entries)-1]
}

// slot is the entry that a value without a key on its line belongs to.
func (r *yamlReader) slot(col int) *yamlEntry {
	r.leave(col, false)
	if top := r.top(); top.col < col {
		return top.last()
	}
	return nil
}

// value reads a value that begins in a line; what belongs to it stands deeper
// than a column.
func (r *yamlReader) value(e *yamlEntry, at, end, col int) int {
	if c := r.src[at]; c == '&' || c == '!' {
		i := bytes.IndexByte(r.src[at:end], ' ')
		if i < 0 {
			return end + 1
		}
		if at = r.blanks(at+i, end); at == end {
			r.typed = stretch{end, end}
			return end + 1
		}
	}
	if e == nil {
		e = &yamlEntry{}
	}
	switch r.src[at] {
	case '#':
		return end + 1
	case '|', '>':
		return r.blockText(e, at, end, col)
	case '{', '[':
		if e.value == nil {
			f := &flowReader{r: r, col: col}
			e.value = f.node(at)
			e.end = e.value.at.end
			return r.lineEnd(min(e.end, len(r.src))) + 1
		}
	}
	to := r.scalarEnd(at, end)
	r.typed = stretch{at, to}
	if e.value == nil {
		e.value, e.end = &yamlNode{at: stretch{at, to}, text: true}, to
	}
	return end + 1
}

// scalarEnd is the end of a text on its line, without a comment.
func (r *yamlReader) scalarEnd(at, end int) int {
	if q := r.src[at]; q == '"' || q == '\'' {
		for i := at + 1; i < end; i++ {
			if r.src[i] == '\\' && q == '"' {
				i++
			} else if r.src[i] == q {
				return i + 1
			}
		}
		r.quote = q
		return end
	}
	if i := bytes.Index(r.src[at:end], []byte(" #")); i >= 0 {
		end = at + i
	}
	for end < len(r.src) && end > at && r.src[end-1] == ' ' {
		end--
	}
	return end
}

// blockText reads the lines of a text after | or >.
func (r *yamlReader) blockText(e *yamlEntry, at, end, col int) int {
	first := min(end+1, len(r.src))
	next := first
	for next < len(r.src) {
		stop := r.lineEnd(next)
		text := r.blanks(next, stop)
		if text < stop && text-next <= col {
			break
		}
		if text == stop && stop == len(r.src) && text-next <= col {
			break // the cursor stands outside of the text
		}
		next = stop + 1
	}
	next = min(next, len(r.src))
	if e.value == nil {
		e.value, e.end, e.block = &yamlNode{at: stretch{first, next}, text: true}, next, true
	}
	r.typed, r.fresh = stretch{first, next}, false
	if next == first {
		r.typed = stretch{at, end}
	}
	return max(next, end+1)
}
