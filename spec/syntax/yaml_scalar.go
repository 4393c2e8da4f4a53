package syntax

import (
	"bytes"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// YAML's parser tells where a node begins and not where it ends, and of a
// text what it says and not which byte says what. Both are found here by
// reading the scalar again. The parser's reading is what counts: where the
// second one says something else, which would be a mistake in this file, the
// place is the scalar as a whole.

// extent is where a node stands: its first byte, after anchor and tag, and
// the one after its last.
type extent struct{ start, end int }

// piece is a part of a scalar's value and the bytes that say it. Where both
// have one length, they correspond byte by byte.
type piece struct{ value, source, valueLen, sourceLen int }

// scalar is the value of a scalar as it stands in the file.
type scalar struct {
	extent
	pieces []piece
	exact  bool // the second reading said the same
}

// source is the bytes that say value[i:j].
func (s *scalar) source(i, j int) (int, int) {
	if !s.exact || len(s.pieces) == 0 {
		return s.start, s.end
	}
	start := s.startOf(i)
	if j <= i {
		return start, start
	}
	return start, max(start, s.endOf(j-1))
}

func (s *scalar) at(i int) piece {
	k := sort.Search(len(s.pieces), func(k int) bool { return s.pieces[k].value > i })
	return s.pieces[max(k-1, 0)]
}

func (s *scalar) startOf(i int) int {
	p := s.at(i)
	switch {
	case i >= p.value+p.valueLen:
		return p.source + p.sourceLen
	case p.valueLen != p.sourceLen:
		return p.source
	}
	return p.source + i - p.value
}

func (s *scalar) endOf(i int) int {
	p := s.at(i)
	if p.valueLen != p.sourceLen || i >= p.value+p.valueLen {
		return p.source + p.sourceLen
	}
	return p.source + i - p.value + 1
}

// linear is the offset of the value in the file if it stands there as it is,
// on one line.
func (s *scalar) linear(value string) (int, bool) {
	if !s.exact || len(s.pieces) != 1 || strings.Contains(value, "\n") {
		return 0, false
	}
	p := s.pieces[0]
	return p.source, p.valueLen == p.sourceLen
}

// rereading is a scalar on its way through the source.
type rereading struct {
	src    []byte
	p      int
	value  []byte
	pieces []piece
}

func (r *rereading) peek() byte {
	if r.p < len(r.src) {
		return r.src[r.p]
	}
	return 0
}

// become takes n bytes of the source, which say text.
func (r *rereading) become(text []byte, n int) {
	last := len(r.pieces) - 1
	verbatim := len(text) == n
	if verbatim && last >= 0 && r.pieces[last].valueLen == r.pieces[last].sourceLen && r.pieces[last].source+r.pieces[last].sourceLen == r.p {
		r.pieces[last].valueLen += n
		r.pieces[last].sourceLen += n
	} else if len(text) > 0 {
		r.pieces = append(r.pieces, piece{len(r.value), r.p, len(text), n})
	}
	r.value = append(r.value, text...)
	r.p += n
}

func (r *rereading) take(n int) {
	n = min(n, len(r.src)-r.p)
	r.become(r.src[r.p:r.p+n], n)
}

// fold takes white space that holds a newline: one newline is a space, each
// further one is a newline. It answers false where there is no such space.
func (r *rereading) fold() bool {
	end, newlines := r.p, 0
	for ; end < len(r.src) && strings.IndexByte(" \t\n", r.src[end]) >= 0; end++ {
		if r.src[end] == '\n' {
			newlines++
		}
	}
	switch newlines {
	case 0:
		return false
	case 1:
		r.become([]byte{' '}, end-r.p)
	default:
		r.become(bytes.Repeat([]byte{'\n'}, newlines-1), end-r.p)
	}
	return true
}

// properties skips the anchor and the tag of a node. It answers where the
// tag, if there is one, begins, and the tag.
func (y *yamlReader) properties(n *yaml.Node) (int, string) {
	_, tagAt, tag := y.skipProperties(n)
	return tagAt, tag
}

func (y *yamlReader) skipProperties(n *yaml.Node) (start, tagAt int, tag string) {
	p := y.places.offset(n.Line, n.Column)
	for p < len(y.src) {
		c := y.src[p]
		word := p
		for word < len(y.src) && strings.IndexByte(" \n\t", y.src[word]) < 0 {
			word++
		}
		switch {
		case c == '!':
			tagAt, tag = p, string(y.src[p:word])
			p = word
		case c == '&' && n.Anchor != "":
			p += 1 + len(n.Anchor)
		case (c == ' ' || c == '\n' || c == '\t') && (n.Anchor != "" || tag != ""):
			p++
		case c == '#' && (n.Anchor != "" || tag != "") && p > 0 && strings.IndexByte(" \n\t", y.src[p-1]) >= 0:
			for p < len(y.src) && y.src[p] != '\n' {
				p++
			}
		default:
			return p, tagAt, tag
		}
	}
	return p, tagAt, tag
}

// scalar finds the bytes of a scalar.
func (y *yamlReader) scalar(n *yaml.Node) *scalar {
	start, _, _ := y.skipProperties(n)
	if n.Value == "" && n.Style&quotedStyles == 0 {
		return &scalar{extent: extent{start, start}}
	}
	r := &rereading{src: y.src, p: start}
	var end int
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		end = r.singleQuoted()
	case n.Style&yaml.DoubleQuotedStyle != 0:
		end = r.doubleQuoted()
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		end = r.block(n)
	default:
		end = r.plain(n.Value)
	}
	s := &scalar{extent: extent{start, end}, pieces: r.pieces, exact: string(r.value) == n.Value}
	if !s.exact {
		s.end = max(start, min(end, y.places.lineEnd(n.Line)))
	}
	return s
}

// plain goes along the value, since only the parser knows where it ends.
func (r *rereading) plain(value string) int {
	for len(r.value) < len(value) && r.p < len(r.src) {
		if !r.fold() {
			r.take(1)
		}
	}
	return r.p
}

func (r *rereading) singleQuoted() int {
	for r.p++; r.p < len(r.src); {
		switch {
		case r.peek() == '\'' && r.p+1 < len(r.src) && r.src[r.p+1] == '\'':
			r.become([]byte{'\''}, 2)
		case r.peek() == '\'':
			return r.p + 1
		case !r.fold():
			r.take(1)
		}
	}
	return r.p
}

func (r *rereading) doubleQuoted() int {
	for r.p++; r.p < len(r.src); {
		switch {
		case r.peek() == '"':
			return r.p + 1
		case r.peek() == '\\':
			r.escape()
		case !r.fold():
			r.take(1)
		}
	}
	return r.p
}

// escape takes a backslash and what belongs to it.
func (r *rereading) escape() {
	if r.p+1 >= len(r.src) {
		r.p++
		return
	}
	if r.src[r.p+1] == '\n' { // the line goes on in the next one
		for r.p += 2; strings.IndexByte(" \t\n", r.peek()) >= 0 && r.p < len(r.src); {
			r.p++
		}
		return
	}
	n := 2 + map[byte]int{'x': 2, 'u': 4, 'U': 8}[r.src[r.p+1]]
	n = min(n, len(r.src)-r.p)
	var text string
	// The parser itself knows what an escape says.
	if yaml.Unmarshal([]byte(`"`+string(r.src[r.p:r.p+n])+`"`), &text) == nil {
		r.become([]byte(text), n)
	} else {
		r.p += n
	}
}

// block takes a literal or folded scalar: a header, then lines whose common
// indentation belongs to none of them.
func (r *rereading) block(n *yaml.Node) int {
	for r.p < len(r.src) && r.peek() != '\n' {
		r.p++
	}
	end := r.p
	r.p = min(r.p+1, len(r.src))
	indent := r.indentOf(n.Value)
	b := blockLines{folded: n.Style&yaml.FoldedStyle != 0, first: true}
	for len(r.value) < len(n.Value) && r.p < len(r.src) {
		line := r.src[r.p:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		strip := 0
		for strip < indent && strip < len(line) && line[strip] == ' ' {
			strip++
		}
		if strip < indent && len(line) > strip {
			break
		}
		if len(line) > strip {
			b.content(r, strip, line[strip:])
			end = r.p
		} else {
			b.pending = append(b.pending, r.p+len(line))
			r.p += len(line)
		}
		if r.p < len(r.src) {
			r.p++ // the newline, which the next line or the end accounts for
		}
	}
	b.finish(r, n.Value)
	return end
}

// indentOf is how far the lines are indented that say the value: the first
// one with content shows it.
func (r *rereading) indentOf(value string) int {
	first := strings.TrimLeft(value, "\n")
	own := len(first) - len(strings.TrimLeft(first, " "))
	for p := r.p; p < len(r.src); {
		line := r.src[p:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		if text := bytes.TrimLeft(line, " "); len(text) > 0 {
			return max(0, len(line)-len(text)-own)
		}
		p += len(line) + 1
	}
	return 0
}

// blockLines keeps the newlines since the last line of content: what they say
// depends on the next one.
type blockLines struct {
	folded, first, more bool
	pending             []int // offsets of newlines
}

func (b *blockLines) content(r *rereading, strip int, text []byte) {
	start := r.p
	more := text[0] == ' ' || text[0] == '\t'
	b.newlines(r, b.folded && !b.first && !b.more && !more)
	r.p = start + strip
	r.take(len(text))
	b.first, b.more, b.pending = false, more, []int{r.p}
}

// newlines says the pending ones: as they are, or folded.
func (b *blockLines) newlines(r *rereading, fold bool) {
	pending := b.pending
	if fold && len(pending) == 1 {
		r.p = pending[0]
		r.become([]byte{' '}, 1)
		return
	}
	if fold {
		pending = pending[1:]
	}
	for _, at := range pending {
		r.p = at
		r.become([]byte{'\n'}, 1)
	}
}

// finish says as many newlines at the end as the value has, which the header
// decides.
func (b *blockLines) finish(r *rereading, value string) {
	for _, at := range b.pending {
		if len(r.value) < len(value) && at < len(r.src) {
			r.p = at
			r.become([]byte{'\n'}, 1)
		}
	}
}
