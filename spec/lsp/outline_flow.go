package lsp

import (
	"strings"

	"github.com/specbuild/specbuild/spec/syntax"
)

// flowReader reads maps and lists in braces and brackets. What is not closed
// ends in front of the line that is not indented deeper than its key.
type flowReader struct {
	r     *yamlReader
	col   int
	depth int
	stop  bool
}

// node reads a map, a list or a text.
func (f *flowReader) node(at int) *yamlNode {
	src := f.r.src
	switch {
	case at < len(src) && (src[at] == '{' || src[at] == '[') && f.depth < syntax.MaxDepth:
		f.depth++
		defer func() { f.depth-- }()
		n := &yamlNode{at: stretch{at, at + 1}, col: -1, list: src[at] == '['}
		f.r.flow = append(f.r.flow, n)
		f.entries(n)
		return n
	default:
		end := f.scalar(at)
		return &yamlNode{at: stretch{at, end}, text: true}
	}
}

// entries reads as far as the closing bracket, and leaves `flow` open where
// there is none before the text ends.
func (f *flowReader) entries(n *yamlNode) {
	src, at := f.r.src, n.at.end
	closing := byte('}')
	if n.list {
		closing = ']'
	}
	f.r.typed, f.r.fresh = stretch{at, at}, !n.list
	for !f.stop {
		at = f.skip(at)
		n.at.end = at
		if f.stop || at >= len(src) {
			f.stop = true
			if f.r.typed.end != at {
				f.r.typed = stretch{at, at}
			}
			return
		}
		switch src[at] {
		case closing:
			n.at.end = at + 1
			f.r.flow = f.r.flow[:len(f.r.flow)-1]
			return
		case ',', '}', ']', ':':
			at++
			f.r.typed, f.r.fresh = stretch{at, at}, !n.list
			continue
		}
		e := &yamlEntry{key: "-", keyAt: stretch{at, at}}
		if !n.list {
			at = f.key(e, at)
		}
		if e.key != "" {
			f.value(e, at)
		}
		n.entries = append(n.entries, e)
		n.at.end = max(e.end, at)
		at = n.at.end
	}
}

// key reads a key as far as its colon. The entry has no key where there is
// none yet.
func (f *flowReader) key(e *yamlEntry, at int) int {
	src := f.r.src
	end := f.scalar(at)
	e.keyAt, e.end = stretch{at, end}, end
	f.r.typed, f.r.fresh = e.keyAt, true
	e.key = strings.Trim(strings.TrimSpace(string(src[at:end])), `"'`)
	if end < len(src) && src[end] == ':' {
		return end + 1
	}
	e.key = ""
	return end
}

func (f *flowReader) value(e *yamlEntry, at int) {
	src := f.r.src
	at = f.skip(at)
	f.r.typed, f.r.fresh = stretch{at, at}, false
	e.end = at
	if f.stop || at >= len(src) || strings.IndexByte(",}]", src[at]) >= 0 {
		return
	}
	e.value = f.node(at)
	e.end = e.value.at.end
	if e.value.text {
		f.r.typed = e.value.at
		f.stop = f.stop || e.end >= len(src)
	}
}

// skip passes over blanks, comments and line ends.
func (f *flowReader) skip(at int) int {
	src := f.r.src
	for at < len(src) {
		switch src[at] {
		case ' ', '\t':
			at++
		case '#':
			at = f.r.lineEnd(at)
		case '\n':
			text := f.r.blanks(at+1, len(src))
			if text < len(src) && src[text] != '\n' && text-at-1 <= f.col && src[text] != '}' && src[text] != ']' {
				f.stop = true
				return at
			}
			at++
		default:
			return at
		}
	}
	return at
}

// scalar is the end of a text inside of brackets.
func (f *flowReader) scalar(at int) int {
	src := f.r.src
	if at < len(src) && (src[at] == '"' || src[at] == '\'') {
		end := f.r.lineEnd(at)
		f.r.quote = 0
		stop := f.r.scalarEnd(at, end)
		return stop
	}
	for i := at; i < len(src); i++ {
		switch src[i] {
		case ',', '{', '}', '[', ']', '\n':
			if src[i] == '{' || src[i] == '[' {
				if i > at {
					continue // as in stage.build["x"], which YAML refuses here
				}
				return i + 1
			}
			return i
		case ':':
			if i+1 == len(src) || src[i+1] == ' ' || src[i+1] == '\n' {
				return i
			}
		}
	}
	return len(src)
}
