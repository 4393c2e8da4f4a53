package local

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/leak"
)

// masker hides secret values in what a step prints: as they are, and in the
// forms that are searched in layers.
type masker struct {
	values  []string
	pending string // may be the beginning of a value
	longest int
}

// shortest is the length from which a value is hidden: shorter ones would
// blank out ordinary words.
const shortest = 4

func newMasker(secrets [][]byte) *masker {
	m := &masker{}
	for _, s := range secrets {
		if len(s) < shortest {
			continue
		}
		for _, v := range leak.Forms(s) {
			if len(v) < shortest {
				continue
			}
			m.values = append(m.values, v)
			m.longest = max(m.longest, len(v))
		}
	}
	// The longest first: a value may contain another.
	slices.SortFunc(m.values, func(a, b string) int { return len(b) - len(a) })
	return m
}

// mask takes the next piece of output and gives what can be shown of it: a
// tail that may be the beginning of a secret waits for the next piece.
func (m *masker) mask(p string) string {
	if len(m.values) == 0 {
		return p
	}
	s := m.hide(m.pending + p)
	keep := m.open(s)
	m.pending = s[len(s)-keep:]
	return s[:len(s)-keep]
}

// flush gives what is left at the end.
func (m *masker) flush() string {
	s := m.pending
	m.pending = ""
	return s
}

func (m *masker) hide(s string) string {
	for _, v := range m.values {
		s = strings.ReplaceAll(s, v, "***")
	}
	return s
}

// open is the length of the longest tail of s that begins a value.
func (m *masker) open(s string) int {
	for n := min(m.longest-1, len(s)); n > 0; n-- {
		tail := s[len(s)-n:]
		if slices.ContainsFunc(m.values, func(v string) bool { return strings.HasPrefix(v, tail) }) {
			return n
		}
	}
	return 0
}
