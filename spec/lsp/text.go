package lsp

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// text is a file as the editor has it. Offsets are into clean, which is what
// the parser reads and what diagnostics count in: without a byte order mark,
// and with CRLF as LF.
type text struct {
	raw     []byte
	clean   []byte
	bom     int    // bytes of the mark
	dropped []int  // offsets in clean before which a carriage return was dropped
	lines   []int  // offsets in raw where lines begin
	blocks  *block // its outline, once it was asked for
}

func newText(raw []byte) *text {
	t := &text{raw: raw, lines: []int{0}}
	for i, c := range raw {
		// The protocol has three ends of a line.
		if c == '\n' || c == '\r' && (i+1 == len(raw) || raw[i+1] != '\n') {
			t.lines = append(t.lines, i+1)
		}
	}
	src := bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	t.bom = len(raw) - len(src)
	if bytes.IndexByte(src, '\r') < 0 {
		t.clean = src
		return t
	}
	t.clean = make([]byte, 0, len(src))
	for i, c := range src {
		if c == '\r' && i+1 < len(src) && src[i+1] == '\n' {
			t.dropped = append(t.dropped, len(t.clean))
			continue
		}
		t.clean = append(t.clean, c)
	}
	return t
}

// position is where an offset of clean lies.
func (t *text) position(offset int, utf8Units bool) position {
	offset = min(max(offset, 0), len(t.clean))
	return t.rawPosition(t.bom+offset+sort.SearchInts(t.dropped, offset), utf8Units)
}

// rawPosition is where an offset of raw lies.
func (t *text) rawPosition(raw int, utf8Units bool) position {
	line := sort.SearchInts(t.lines, raw+1) - 1
	return position{line, units(t.raw[t.lines[line]:raw], utf8Units)}
}

// span is the place of a stretch of clean.
func (t *text) span(start, end int, utf8Units bool) span {
	return span{t.position(start, utf8Units), t.position(max(start, end), utf8Units)}
}

// rawOffset is the byte that a position means. What lies behind the end of a
// line or of the text is that end, as the protocol says.
func (t *text) rawOffset(p position, utf8Units bool) int {
	if p.Line < 0 {
		return 0
	}
	if p.Line >= len(t.lines) {
		return len(t.raw)
	}
	start, end := t.lines[p.Line], len(t.raw)
	if p.Line+1 < len(t.lines) {
		end = t.lines[p.Line+1]
	}
	line := bytes.TrimRight(t.raw[start:end], "\r\n")
	if utf8Units {
		return start + min(max(p.Character, 0), len(line))
	}
	at := 0
	for n := 0; at < len(line); {
		r, size := utf8.DecodeRune(line[at:])
		n += unitsOf(r)
		if n > p.Character { // inside a pair of surrogates is before it
			break
		}
		at += size
	}
	return start + at
}

// offset is a position in clean.
func (t *text) offset(p position, utf8Units bool) int {
	raw := t.rawOffset(p, utf8Units)
	n := sort.Search(len(t.dropped), func(i int) bool { return t.bom+t.dropped[i]+i >= raw })
	return min(max(raw-t.bom-n, 0), len(t.clean))
}

// edit is the text after one change.
func (t *text) edit(c change, utf8Units bool) *text {
	if c.Range == nil {
		return newText([]byte(c.Text))
	}
	start := t.rawOffset(c.Range.Start, utf8Units)
	end := max(start, t.rawOffset(c.Range.End, utf8Units))
	raw := make([]byte, 0, start+len(c.Text)+len(t.raw)-end)
	raw = append(append(append(raw, t.raw[:start]...), c.Text...), t.raw[end:]...)
	return newText(raw)
}

// units are how long a piece of a line is as the protocol counts.
func units(b []byte, utf8Units bool) int {
	if utf8Units {
		return len(b)
	}
	n := 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		n += unitsOf(r)
		b = b[size:]
	}
	return n
}

// unitsOf is a character's length in UTF-16.
func unitsOf(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}
