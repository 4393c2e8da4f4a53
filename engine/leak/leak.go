// Package leak proves that no secret is in what a build makes: it searches
// bytes for the values of secrets, as they are and in the encodings in which
// programs write them.
//
// A [Matcher] is made once for all secrets and looks at a stream once, however
// many there are: the patterns share one table of how far the search may jump
// (Wu and Manber, "A fast algorithm for multi-pattern searching", 1994). Ends
// of lines are left out of what is searched and of what is searched for, so
// that base64 in lines of any length and keys in PEM need no patterns of
// their own.
package leak

import (
	"fmt"
	"io"
	"strings"
)

// Shortest is the length in bytes from which a value is searched: a shorter
// one is an ordinary word somewhere.
const Shortest = 8

// longest bounds a pattern in bytes: of a longer value the beginning is
// searched, so that what is kept between two pieces of a stream has a bound.
const longest = 4096

// Secret is a value that may be in nothing.
type Secret struct {
	Name  string // as messages name it: its address
	Value []byte
}

// Hit is a secret that was found.
type Hit struct {
	Name   string // of the secret
	As     string // how it was written: "as it is", "base64", "hex", "URL-encoded", "in part"
	Member string // the file inside an archive, "a/b.txt" or "(gzip)"; empty outside of one
}

// Error is a hit with its place.
type Error struct {
	Hit
	Where string // "/app/config.json", "the label x of the image": what holds it
}

// Error names the secret and never its value.
func (e *Error) Error() string {
	where := e.Where
	if e.Member != "" {
		where += ", in it " + e.Member
	}
	return fmt.Sprintf("the value of %s is in %s (%s), so nothing of it is kept or published", e.Name, where, e.As)
}

// Matcher searches for the values of secrets. It is not changed after [New],
// and several goroutines may use it. The nil Matcher finds nothing.
type Matcher struct {
	patterns []pattern
	window   int              // how much of each pattern the table knows
	shift    *[1 << 16]uint8  // by two bytes: how far the window may move on
	at       map[uint16][]int // patterns whose window ends with two bytes
	overlap  int              // the longest pattern but one byte
}

// New makes a matcher of values of at least [Shortest] bytes; of others it
// knows nothing. It is nil where nothing is left.
func New(secrets []Secret) *Matcher {
	m := &Matcher{at: map[uint16][]int{}}
	seen := map[string]bool{}
	for _, s := range secrets {
		for _, p := range patternsOf(s) {
			if !seen[p.text] {
				seen[p.text] = true
				m.patterns = append(m.patterns, p)
			}
		}
	}
	if len(m.patterns) == 0 {
		return nil
	}
	m.index()
	return m
}

// maxWindow is where longer jumps stop to pay: the table is looked up for one
// byte in fifteen.
const maxWindow = 16

func (m *Matcher) index() {
	m.window = maxWindow
	for _, p := range m.patterns {
		m.window = min(m.window, len(p.text))
		m.overlap = max(m.overlap, len(p.text)-1)
	}
	m.shift = new([1 << 16]uint8)
	for i := range m.shift {
		m.shift[i] = uint8(m.window - 1)
	}
	for n, p := range m.patterns {
		for i := 1; i < m.window; i++ {
			pair := pairOf(p.text[i-1], p.text[i])
			m.shift[pair] = min(m.shift[pair], uint8(m.window-1-i))
			if i == m.window-1 {
				m.at[pair] = append(m.at[pair], n)
			}
		}
	}
}

func pairOf(a, b byte) uint16 { return uint16(a)<<8 | uint16(b) }

// search looks at bytes without ends of lines.
func (m *Matcher) search(b []byte) (Hit, bool) {
	shift := m.shift
	for i := m.window - 1; i < len(b); {
		pair := pairOf(b[i-1], b[i])
		if jump := shift[pair]; jump > 0 {
			i += int(jump)
			continue
		}
		rest := b[i-m.window+1:]
		for _, n := range m.at[pair] {
			if p := &m.patterns[n]; len(rest) >= len(p.text) && string(rest[:len(p.text)]) == p.text {
				return Hit{Name: p.name, As: p.as}, true
			}
		}
		i++
	}
	return Hit{}, false
}

// Text searches a string.
func (m *Matcher) Text(s string) (Hit, bool) {
	if m == nil {
		return Hit{}, false
	}
	hit, ok, _ := m.Reader(strings.NewReader(s)) // a string can be read
	return hit, ok
}

// piece is how much of a stream is looked at together: what fits the second
// cache of a core beside the table.
const piece = 128 << 10

// Reader searches a stream to its end or to the first hit.
func (m *Matcher) Reader(r io.Reader) (Hit, bool, error) {
	if m == nil {
		return Hit{}, false, nil
	}
	buf := make([]byte, 0, m.overlap+piece)
	for {
		n, err := io.ReadFull(r, buf[len(buf):len(buf)+min(piece, cap(buf)-len(buf))])
		fresh := buf[len(buf) : len(buf)+n]
		buf = buf[:len(buf)+len(joined(fresh))]
		if hit, ok := m.search(buf); ok {
			return hit, true, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return Hit{}, false, nil
		}
		if err != nil {
			return Hit{}, false, err
		}
		keep := min(m.overlap, len(buf))
		copy(buf[:keep], buf[len(buf)-keep:])
		buf = buf[:keep]
	}
}
