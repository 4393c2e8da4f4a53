package diag

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	tabStop  = 4
	maxLines = 6   // lines of one range that are shown
	maxCells = 400 // columns of a line that are shown where the width is not known
)

// excerptLine is one line of source, ready for a terminal. Number 0 stands for lines
// that are left out.
type excerptLine struct {
	number int
	text   string
	marks  string // spaces, then carets; empty where nothing of the line is meant
}

// excerpt is the lines of a range with carets below what it covers. Width is
// the columns there are, the margin included.
func excerpt(src []byte, r Range, width int) []excerptLine {
	if r.Start.Line < 1 || len(src) == 0 {
		return nil
	}
	const margin = len("12345 | ")
	columns := maxCells
	if width > 0 {
		columns = max(width-margin, 20)
	}
	last := max(r.End.Line, r.Start.Line)
	if r.End.Column == 1 && last > r.Start.Line {
		last-- // the range ends with the newline before
	}
	lines := linesOf(src, r.Start.Line, last)
	var out []excerptLine
	for i, l := range lines {
		if len(lines) > maxLines && i >= maxLines-2 && i < len(lines)-1 {
			if i == maxLines-2 {
				out = append(out, excerptLine{})
			}
			continue
		}
		number := r.Start.Line + i
		from, to := 0, len(l.text)
		if number == r.Start.Line {
			from = l.offset(r.Start)
		}
		if number == r.End.Line {
			to = l.offset(r.End)
		}
		e := l.render(number, from, to, columns)
		if from >= to && number != r.Start.Line {
			e.marks = "" // an empty line in the middle
		}
		out = append(out, e)
	}
	return out
}

// sourceLine is a line without its newline, and where it starts.
type sourceLine struct {
	text  []byte
	start int
}

func linesOf(src []byte, first, last int) []sourceLine {
	var out []sourceLine
	start := 0
	for n := 1; n <= last && start <= len(src); n++ {
		end := len(src)
		if i := bytes.IndexByte(src[start:], '\n'); i >= 0 {
			end = start + i
		}
		if n >= first {
			out = append(out, sourceLine{bytes.TrimSuffix(src[start:end], []byte{'\r'}), start})
		}
		start = end + 1
	}
	return out
}

// offset is a place in the line: by its byte if that lies in the line, else
// (a place that came as text) by its column.
func (l sourceLine) offset(p Pos) int {
	if at := p.Byte - l.start; at >= 0 && at <= len(l.text) && (p.Byte > 0 || p.Column <= 1) {
		return at
	}
	at, column := 0, 0
	for at < len(l.text) {
		r, n := utf8.DecodeRune(l.text[at:])
		if column += cells(r); column >= p.Column {
			break
		}
		at += n
	}
	return at
}

// cells is how many columns a printed rune takes: none for a mark that
// combines with the rune before, else one. (East Asian wide characters take
// two on most terminals; carets below them start right after ASCII.)
func cells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) || r == 0x200d {
		return 0
	}
	return 1
}

// cell is one rune as it is shown.
type cell struct {
	shown string
	width int
	at    int // its byte in the line
}

// window is the part of a line from a byte on.
type window struct {
	text []byte
	from int
}

func (l window) cells() []cell {
	var out []cell
	column := 0
	for i := l.from; i < len(l.text); {
		r, n := utf8.DecodeRune(l.text[i:])
		c := cell{shown: escapeRune(r, string(l.text[i:i+n])), at: i, width: cells(r)}
		switch {
		case r == '\t':
			c.width = tabStop - column%tabStop
			c.shown = strings.Repeat(" ", c.width)
		case len(c.shown) != n:
			c.width = len(c.shown) // escaped
		}
		column += c.width
		out = append(out, c)
		i += n
	}
	return out
}

// render shows the line with carets under its bytes [from, to), at least one.
// A line wider than columns is cut to a window in which the carets begin.
func (l sourceLine) render(number, from, to, columns int) excerptLine {
	all := l.near(from, columns).cells()
	width := total(all)
	first := 0
	for before := startColumn(all, from); first < len(all) && width > columns && before > columns/3; first++ {
		width -= all[first].width
		before -= all[first].width
	}
	shown := all[first:]
	var text, marks strings.Builder
	if first > 0 {
		text.WriteString("…")
		marks.WriteString(" ")
	}
	used := marks.Len()
	for _, c := range shown {
		if used += c.width; width > columns && used > columns-1 {
			text.WriteString("…")
			break
		}
		text.WriteString(c.shown)
		mark := " "
		if c.at >= from && c.at < to {
			mark = "^"
		}
		marks.WriteString(strings.Repeat(mark, c.width))
	}
	m := strings.TrimRight(marks.String(), " ")
	if m == "" && from >= to {
		m = strings.Repeat(" ", startColumn(shown, from)+min(first, 1)) + "^"
	}
	return excerptLine{number, text.String(), m}
}

// near is the line cut to what can be shown around a byte, since a generated
// file may be one line of megabytes.
func (l sourceLine) near(at, columns int) window {
	const most = utf8.UTFMax
	from, to := max(0, at-columns*most), min(len(l.text), at+columns*2*most)
	for from > 0 && !utf8.RuneStart(l.text[from]) {
		from--
	}
	return window{text: l.text[:to], from: from}
}

func total(cs []cell) int {
	n := 0
	for _, c := range cs {
		n += c.width
	}
	return n
}

// startColumn is the width of what is shown before the byte.
func startColumn(cs []cell, at int) int {
	n := 0
	for _, c := range cs {
		if c.at >= at {
			break
		}
		n += c.width
	}
	return n
}
