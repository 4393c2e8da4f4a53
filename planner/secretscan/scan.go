// Package secretscan finds credentials in texts by their form: the patterns
// of gitleaks, over an engine of its own.
//
// The patterns are data (gitleaks.toml, MIT, see gitleaks.LICENSE). gitleaks
// as a library would be 63 modules and 6 MB, compiles 222 expressions before
// it looks at anything, and runs them over whole files. Here one pass finds
// keywords; an expression is compiled when a keyword of it was found with
// something around it that could be a secret, and looks at no more than that
// place. What is found by it and is none is let off: a false alarm stops a
// build, and is worse than a miss.
package secretscan

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Hit is a credential in a text. Its value is between Start and End, in
// bytes, and is not to be printed.
type Hit struct {
	Rule  string // gitleaks' id: "github-pat"
	Title string // gitleaks' words: "Uncovered a GitHub Personal Access Token"

	// Name is what the text calls the value, of rules that look at names and
	// take many values for a secret: the caller knows which names are harmless.
	// It is empty of a rule that knows the value by itself.
	Name       string
	Start, End int
}

// Generic is the rule that knows names only: what is called key, token or
// password and looks random.
const Generic = "generic-api-key"

// Engine scans texts. The zero value is ready; it reads its patterns when it
// is used first. Several goroutines may use one.
type Engine struct {
	once     sync.Once
	rules    []*rule
	words    *automaton
	allow    []*expression // values that are none
	stop     []string      // words in them
	attempts int           // most in one text; 0 is maxAttempts
}

const (
	// A value is looked for this far before and after a keyword, in bytes:
	// names are at most 50 before it, the longest form of fixed length that
	// gitleaks knows is 1,030 (pypi-upload-token).
	before, after = 128, 2048

	// The longest value that goes by a name has 215 bytes (atlassian-api-token).
	afterName = 512

	// A private key of 16384 bits is 13 kB.
	afterKey = 16 << 10

	// maxAttempts is how many places of a text are looked at. One of 1 MB that
	// people wrote has some dozens, JavaScript in one line some hundreds.
	maxAttempts = 4096
)

func (e *Engine) load() {
	c := read(patterns)
	keywords := map[string][]uint16{}
	for _, r := range c.rules {
		if !r.adjust() {
			continue
		}
		for _, k := range r.keywords {
			keywords[k] = append(keywords[k], uint16(len(e.rules)))
		}
		e.rules = append(e.rules, r)
	}
	e.words, e.allow, e.stop = newAutomaton(keywords), c.allow, c.stop
}

// Scan gives the credentials of a text, first ones first; those that overlap
// are one. path is the file's for rules that are about some files only, with
// slashes, or empty for a text that is none.
func (e *Engine) Scan(path, text string) []Hit {
	e.once.Do(e.load)
	s := scanning{e: e, path: path, text: text, done: map[uint16]int{}, left: e.attempts}
	if s.left == 0 {
		s.left = maxAttempts
	}
	state, a := 0, e.words
	for i := range len(text) {
		state = int(a.next[state*a.width+int(a.class[text[i]])])
		for _, f := range a.out[state] {
			for _, r := range f.rules {
				s.keyword(r, i+1-f.length, i+1)
			}
		}
	}
	return distinct(s.hits)
}

// distinct sorts hits, and leaves one of those that overlap: the one that
// says most.
func distinct(hits []Hit) []Hit {
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Or(a.Start-b.Start, a.vagueness()-b.vagueness(), b.End-a.End) })
	var out []Hit
	for _, h := range hits {
		last := len(out) - 1
		switch {
		case last < 0 || h.Start >= out[last].End:
			out = append(out, h)
		case h.vagueness() < out[last].vagueness():
			out[last] = h
		}
	}
	return out
}

// vagueness orders hits: a value that is known by itself, a value of a
// provider's name, a value with a name.
func (h Hit) vagueness() int {
	switch {
	case h.Name == "":
		return 0
	case h.Rule != Generic:
		return 1
	}
	return 2
}

// scanning is one text while it is scanned.
type scanning struct {
	e          *Engine
	path, text string
	done       map[uint16]int // by rule: how far it was matched
	left       int            // attempts
	hits       []Hit
}

// keyword looks at the place where a rule's keyword was found.
func (s *scanning) keyword(index uint16, start, end int) {
	r := s.e.rules[index]
	if start < s.done[index] || s.left == 0 || !r.worth(s.text, start, end) || !r.concerns(s.path) {
		return
	}
	s.left--
	from, to := max(s.done[index], start-before), min(len(s.text), end+r.ahead)
	m := r.pattern.compiled().FindStringSubmatchIndex(s.text[from:to])
	if m == nil {
		return
	}
	s.done[index] = from + m[1]
	h := Hit{Rule: r.id, Title: r.title()}
	h.Start, h.End = r.secret(m)
	h.Start, h.End = from+h.Start, from+h.End
	match := s.text[from+m[0] : from+m[1]]
	if r.assigned {
		h.Name = name(s.text[from+m[0] : h.Start])
	}
	if value := s.text[h.Start:h.End]; entropy(value) >= r.entropy && !s.e.harmless(value) && !r.harmless(value, match, lineAt(s.text, h.Start), s.path) {
		s.hits = append(s.hits, h)
	}
}

// lineAt is the line around a byte of a text.
func lineAt(text string, at int) string {
	start := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[start:], "\n")
	return line
}
