package source

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// pattern is a glob taken apart at its slashes, so that a folder can be asked
// whether anything below it may match. No segments is the root itself.
type pattern struct {
	text     string
	segments []string
	literal  bool // no segment has anything special
	deep     bool // has a `**`
	off      bool // a source that goes through a link: matched by following, not by the walk
}

const special = `*?[{\`

func parsePattern(list, text string) (pattern, error) {
	bad := func(reason string) (pattern, error) {
		return pattern{}, &PatternError{Pattern: text, List: list, Reason: reason}
	}
	if text == "" {
		return bad("is empty")
	}
	p := pattern{text: text, literal: true}
	for seg := range strings.SplitSeq(text, "/") {
		switch seg {
		case "", ".":
			continue
		case "..":
			return bad("has a \"..\": there is nothing above a context")
		case "**":
			p.deep = true
		}
		if !doublestar.ValidatePattern(seg) {
			return bad("is not complete: every [ and { wants its end, in the same name")
		}
		if strings.ContainsAny(seg, special) {
			p.literal = false
		}
		p.segments = append(p.segments, seg)
	}
	return p, nil
}

func parsePatterns(list string, texts []string) ([]pattern, error) {
	ps := make([]pattern, 0, len(texts))
	for _, t := range texts {
		p, err := parsePattern(list, t)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// path is the path that a literal pattern names.
func (p pattern) path() string { return strings.Join(p.segments, "/") }

// match reports whether the pattern names exactly this path.
func (p pattern) match(file string) bool {
	if p.literal {
		return matchLiteral(p.segments, file)
	}
	return matchSegments(p.segments, components(file))
}

// below reports whether something below this folder may match.
func (p pattern) below(dir string) bool {
	parts := components(dir)
	for i, seg := range p.segments {
		switch {
		case seg == "**" || i == len(parts):
			return true
		case !matchName(seg, parts[i]):
			return false
		}
	}
	return false // the folder matches itself, or is below what does
}

func matchLiteral(segments []string, file string) bool {
	for i, seg := range segments {
		rest, ok := strings.CutPrefix(file, seg)
		if !ok {
			return false
		}
		if i == len(segments)-1 {
			return rest == ""
		}
		if file, ok = strings.CutPrefix(rest, "/"); !ok {
			return false
		}
	}
	return file == ""
}

func matchSegments(segments, parts []string) bool {
	for i, seg := range segments {
		if seg == "**" {
			for skip := range len(parts) - i + 1 {
				if matchSegments(segments[i+1:], parts[i+skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(parts) || !matchName(seg, parts[i]) {
			return false
		}
	}
	return len(segments) == len(parts)
}

func matchName(seg, name string) bool {
	if !strings.ContainsAny(seg, special) {
		return seg == name
	}
	ok, err := doublestar.Match(seg, name)
	return err == nil && ok
}

func components(p string) []string {
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

// builtin is the list of what no context gives unless a source names it
// literally: secrets, the version control's own files, and specs, so that
// editing a spec is not a change of what it builds.
func builtin(name string) (pattern string, ignored bool) {
	switch name {
	case ".git", ".aws", ".docker", "image.hcl", "image.yaml", "specbuild.hcl", "specbuild.lock":
		return name, true
	}
	if strings.HasPrefix(name, ".env") {
		return ".env*", true
	}
	for _, end := range []string{".pem", ".image.hcl", ".image.yaml", ".policy.hcl"} {
		if strings.HasSuffix(name, end) {
			return "*" + end, true
		}
	}
	// A private key has no extension; id_map.go and its like are sources.
	if strings.HasPrefix(name, "id_") && !strings.Contains(name, ".") {
		return "id_*", true
	}
	return "", false
}
