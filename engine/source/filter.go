package source

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// filter says what is selected. It is not changed after it was made, but for
// dockerMatcher, of which every worker has its own.
type filter struct {
	include, exclude, sources []pattern
	docker                    []string // patterns of .dockerignore
	dockerExceptions          bool     // one of them starts with "!"
	literal                   map[string]bool
}

func newFilter(r Request) (*filter, error) {
	f := &filter{literal: map[string]bool{}}
	var err error
	if f.include, err = parsePatterns("include", r.Include); err != nil {
		return nil, err
	}
	if f.exclude, err = parsePatterns("exclude", r.Exclude); err != nil {
		return nil, err
	}
	if f.sources, err = parsePatterns("source", r.Sources); err != nil {
		return nil, err
	}
	for _, p := range f.sources {
		if p.literal {
			f.literal[p.path()] = true
		}
	}
	return f, nil
}

// parseDockerignore gives the patterns of a .dockerignore.
func parseDockerignore(data []byte) ([]string, error) {
	patterns, err := ignorefile.ReadAll(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading .dockerignore: %w", err)
	}
	for i, p := range patterns {
		if _, err := patternmatcher.New(patterns[i : i+1]); err != nil {
			return nil, &PatternError{Pattern: p, List: ".dockerignore", Reason: "is wrong: " + err.Error()}
		}
	}
	return patterns, nil
}

// setDockerignore adds the patterns of a .dockerignore.
func (f *filter) setDockerignore(patterns []string) {
	f.docker = patterns
	f.dockerExceptions = slices.ContainsFunc(patterns, func(p string) bool { return strings.HasPrefix(p, "!") })
}

// dockerMatcher makes a matcher, which compiles as it goes and so is not to
// be shared; nil if there is nothing to match.
func (f *filter) dockerMatcher() *patternmatcher.PatternMatcher {
	if len(f.docker) == 0 {
		return nil
	}
	m, err := patternmatcher.New(f.docker)
	if err != nil {
		return nil // each pattern was tried by parseDockerignore
	}
	return m
}

// state is what is known of a path from the folders above it.
type state struct {
	included, excluded, sourced bool
	builtin                     bool
	ignored                     bool // by .dockerignore
	info                        patternmatcher.MatchInfo
	hits                        []int // sources that match the path itself and none of its parents
	above                       []int // sources that match one of its parents
}

// top is the state of the context's own folder.
func (f *filter) top() state {
	s := state{included: len(f.include) == 0, sourced: len(f.sources) == 0}
	f.matchSources(&s, "")
	s.included = s.included || matchAny(f.include, "")
	return s
}

// enter is the state of a path, from that of its folder.
func (f *filter) enter(up state, file, name string, m *patternmatcher.PatternMatcher) (state, error) {
	s := state{
		included: up.included || matchAny(f.include, file),
		excluded: up.excluded || matchAny(f.exclude, file),
		sourced:  up.sourced,
		builtin:  up.builtin,
		above:    up.above,
	}
	if len(up.hits) > 0 {
		s.above = append(append([]int(nil), up.above...), up.hits...)
	}
	f.matchSources(&s, file)
	if !s.builtin {
		_, s.builtin = builtin(name)
	}
	if m != nil {
		var err error
		if s.ignored, s.info, err = m.MatchesUsingParentResults(file, up.info); err != nil {
			return state{}, fmt.Errorf("matching %s: %w", file, err)
		}
	}
	return s, nil
}

func (f *filter) matchSources(s *state, file string) {
	for i, p := range f.sources {
		if !p.off && !contains(s.above, i) && p.match(file) {
			s.hits = append(s.hits, i)
			s.sourced = true
		}
	}
}

// selected reports whether the path itself is taken.
func (f *filter) selected(s state, file string) bool {
	return s.included && !s.excluded && s.sourced && !s.ignored && (!s.builtin || f.literal[file])
}

// enters reports whether anything below a folder may be taken.
func (f *filter) enters(s state, dir string) bool {
	return !s.excluded &&
		(s.included || belowAny(f.include, dir)) &&
		(s.sourced || belowAny(f.sources, dir)) &&
		(!s.ignored || f.exceptionBelow(dir)) &&
		(!s.builtin || f.literalBelow(dir))
}

// exceptionBelow reports whether a "!" pattern may take something of an
// ignored folder back. One without wildcards is compared; with one, the
// part before decides, as in BuildKit.
func (f *filter) exceptionBelow(dir string) bool {
	if !f.dockerExceptions {
		return false
	}
	for _, p := range f.docker {
		p, ok := strings.CutPrefix(p, "!")
		if !ok {
			continue
		}
		p = path.Clean(p)
		fixed := p
		if i := strings.IndexAny(p, `*?[\`); i >= 0 {
			fixed = p[:i]
			if strings.HasPrefix(dir+"/", fixed) {
				return true
			}
		}
		if strings.HasPrefix(fixed, dir+"/") {
			return true
		}
	}
	return false
}

func (f *filter) literalBelow(dir string) bool {
	for p := range f.literal {
		if strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

func matchAny(ps []pattern, file string) bool {
	for _, p := range ps {
		if p.match(file) {
			return true
		}
	}
	return false
}

func belowAny(ps []pattern, dir string) bool {
	for _, p := range ps {
		if !p.off && p.below(dir) {
			return true
		}
	}
	return false
}

func contains(list []int, x int) bool {
	for _, v := range list {
		if v == x {
			return true
		}
	}
	return false
}

// reason says which list keeps a path out, looking at its folders from the
// top; "" if none does.
func (f *filter) reason(file string) string {
	m := f.dockerMatcher()
	up, at := f.top(), ""
	for _, name := range components(file) {
		at = join(at, name)
		s, err := f.enter(up, at, name, m)
		if err != nil {
			return err.Error()
		}
		switch {
		case s.excluded:
			return quoteFirst("exclude", f.exclude, at)
		case s.builtin && !f.literal[file]:
			p, _ := builtin(name)
			return fmt.Sprintf("the built-in list: %q", p)
		}
		up = s
	}
	switch {
	case up.ignored:
		return fmt.Sprintf(".dockerignore: %q", f.dockerReason(file))
	case !up.included:
		return "include, which does not name it"
	}
	return ""
}

func quoteFirst(list string, ps []pattern, file string) string {
	for _, p := range ps {
		if p.match(file) {
			return fmt.Sprintf("%s: %q", list, p.text)
		}
	}
	return list
}

// dockerReason is the pattern that decided: the last one that turned the
// answer to "ignored".
func (f *filter) dockerReason(file string) string {
	var last string
	was := false
	for i, p := range f.docker {
		st, err := (&filter{docker: f.docker[:i+1]}).at(file)
		if err != nil {
			return p
		}
		if st.ignored && !was {
			last = p
		}
		was = st.ignored
	}
	return last
}
