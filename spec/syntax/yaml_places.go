package syntax

import (
	"bytes"
	"sort"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/rivo/uniseg"

	"github.com/specbuild/specbuild/spec/diag"
)

// places finds lines and columns of byte offsets. A file may be one line of
// 4 MB, so long lines have marks, and no question walks a line from its start.
type places struct {
	name  string
	src   []byte
	lines []int // the offset of each line's start
	marks map[int][]mark
}

// mark is a place within a line, counted in the three ways that are needed.
type mark struct {
	offset  int
	runes   int // before it, as YAML counts columns
	letters int // before it, grapheme clusters, as HCL counts
}

// markEvery is the distance of marks in bytes.
const markEvery = 64

func newPlaces(name string, src []byte) *places {
	p := &places{name: name, src: src, lines: []int{0}, marks: map[int][]mark{}}
	for i := 0; ; {
		n := bytes.IndexByte(src[i:], '\n')
		if n < 0 {
			return p
		}
		i += n + 1
		p.lines = append(p.lines, i)
	}
}

// lineStart is the offset of a line, counted from 1; past the end it is that
// of the end.
func (p *places) lineStart(line int) int {
	switch {
	case line < 1:
		return 0
	case line > len(p.lines):
		return len(p.src)
	}
	return p.lines[line-1]
}

// lineEnd is the offset of a line's newline.
func (p *places) lineEnd(line int) int {
	if line >= len(p.lines) {
		return len(p.src)
	}
	return p.lineStart(line+1) - 1
}

// lineMarks are the marks of a line, made when it is first asked for.
func (p *places) lineMarks(line int) []mark {
	if m, ok := p.marks[line]; ok {
		return m
	}
	m := mark{offset: p.lineStart(line)}
	marks := []mark{m}
	rest := p.src[m.offset:p.lineEnd(line)]
	if len(rest) <= markEvery {
		rest = nil
	}
	for state := -1; len(rest) > 0; {
		var cluster []byte
		cluster, rest, _, state = uniseg.FirstGraphemeCluster(rest, state)
		m.offset += len(cluster)
		m.runes += utf8.RuneCount(cluster)
		m.letters++
		if m.offset-marks[len(marks)-1].offset >= markEvery {
			marks = append(marks, m)
		}
	}
	p.marks[line] = marks
	return marks
}

// offset is the byte at a line and column of YAML, which counts both from 1
// and columns in characters.
func (p *places) offset(line, column int) int {
	if line > len(p.lines) {
		return len(p.src)
	}
	marks := p.lineMarks(line)
	i := sort.Search(len(marks), func(i int) bool { return marks[i].runes > column-1 })
	m := marks[max(i-1, 0)]
	end := p.lineEnd(line)
	for ; m.runes < column-1 && m.offset < end; m.runes++ {
		_, n := utf8.DecodeRune(p.src[m.offset:])
		m.offset += n
	}
	return m.offset
}

// pos is the place of a byte.
func (p *places) pos(offset int) hcl.Pos {
	offset = min(max(offset, 0), len(p.src))
	line := sort.SearchInts(p.lines, offset+1)
	marks := p.lineMarks(line)
	i := sort.Search(len(marks), func(i int) bool { return marks[i].offset > offset })
	m := marks[max(i-1, 0)]
	return hcl.Pos{Line: line, Column: 1 + m.letters + letters(p.src[m.offset:offset]), Byte: offset}
}

// letters counts grapheme clusters. Below the first combining mark, U+0300,
// they are the characters, which is quicker to count.
func letters(text []byte) int {
	if bytes.IndexFunc(text, func(r rune) bool { return r >= 0x300 }) < 0 {
		return utf8.RuneCount(text)
	}
	return uniseg.GraphemeClusterCount(string(text))
}

func (p *places) hcl(start, end int) hcl.Range {
	return hcl.Range{Filename: p.name, Start: p.pos(start), End: p.pos(max(start, end))}
}

func (p *places) span(start, end int) diag.Range { return Range(p.hcl(start, end)) }
