package dockerfile

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// What a COPY takes: Docker's patterns and ours mean the same within a name,
// but not where folders match, nor in what they are relative to.

// matches writes a pattern that folders match as what it matches: Docker copies
// the contents of each, here a pattern stands for files.
func (im *importer) matches(sources []text, local bool) []text {
	var out []text
	for _, src := range sources {
		found := im.glob(src, local)
		if !hasPattern([]text{src}) || !slices.ContainsFunc(found, im.isFolder) {
			out = append(out, src)
			continue
		}
		for _, name := range found {
			out = append(out, literal(globEscape(name)))
		}
	}
	return out
}

// present leaves out the patterns that match nothing in the context beside
// others that do: `COPY package.json yarn.lock* ./` is written so because
// Docker then copies what is there. One that is alone stays: what it is for may
// still have to be made.
func (st *stage) present(t *transfer, sources []text) []text {
	if !t.local || st.im.opts.Context == nil {
		return sources
	}
	var out, absent []text
	for _, src := range sources {
		_, constant := src.constant()
		if constant && hasPattern([]text{src}) && !strings.Contains(src.now(), "**") && len(st.im.glob(src, true)) == 0 {
			absent = append(absent, src)
		} else {
			out = append(out, src)
		}
	}
	if len(out) == 0 {
		return sources
	}
	for _, src := range absent {
		st.im.note(firstLine(t.cmd.Location()), Changed, "%s is nothing in the folder, and is left out: here a pattern that matches nothing is a mistake.", src.now())
	}
	return out
}

// glob is what a source is in the context, if that is there to look.
func (im *importer) glob(src text, local bool) []string {
	s, ok := src.constant()
	clean := strings.TrimPrefix(path.Clean("/"+s), "/")
	if !ok || !local || im.opts.Context == nil || clean == "" {
		return nil
	}
	found, err := fs.Glob(im.opts.Context, clean)
	if err != nil {
		return nil
	}
	return found
}

func (im *importer) isFolder(name string) bool {
	info, err := fs.Stat(im.opts.Context, name)
	return err != nil || info.IsDir()
}

// isFile reports whether a source is a file or a pattern of files: by looking,
// else by its name.
func (im *importer) isFile(t text, local bool) bool {
	s, ok := t.constant()
	if !ok {
		return false
	}
	clean := strings.TrimPrefix(path.Clean("/"+s), "/")
	if found := im.glob(t, local); len(found) > 0 {
		return !slices.ContainsFunc(found, im.isFolder)
	}
	base := path.Base(clean)
	if strings.HasSuffix(s, "/") || s == "." || strings.HasPrefix(base, ".") && !strings.Contains(base[1:], ".") && !strings.HasSuffix(base, "rc") && !strings.HasPrefix(base, ".env") {
		return false
	}
	known := []string{"Makefile", "Dockerfile", "Gemfile", "Rakefile", "Procfile", "LICENSE", "README", "mvnw", "gradlew", "Pipfile", "Cargo.toml", "Brewfile", "Jenkinsfile", "WORKSPACE", "configure", "artisan"}
	ext := path.Ext(base)
	return slices.Contains(known, base) || len(ext) > 1 && ext != ".d" && !strings.HasSuffix(base, ".app") && strings.Trim(ext[1:], "0123456789") != ""
}

// exclude is --exclude. Docker matches its patterns from each folder that is
// copied, and never against a file that is named itself; here they are from
// the root of what is copied from.
func (st *stage) exclude(b *block, t *transfer, sources []text) {
	var out []string
	for _, x := range t.exclude {
		if strings.HasPrefix(x, "!") {
			b.comments = append(b.comments, st.im.todo(b.line, "--exclude=%s is left out: there are no exceptions; name what is copied", x))
			continue
		}
		pattern := literal(globOnly(strings.TrimPrefix(path.Clean(x), "/")))
		for _, src := range sources {
			from := strings.Trim(src.now(), "/")
			switch {
			case t.parents:
			case st.im.isFile(src, t.local), hasPattern([]text{src}):
				continue
			case from != "" && from != ".":
				pattern = literal(globOnly(strings.TrimPrefix(path.Clean(from+"/"+x), "/")))
			}
			if e := pattern.hcl(); !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	if len(out) > 0 {
		b.set("exclude", list(out))
	}
}

// onlyMatch is the one file that a pattern matches, if the context is there to
// look.
func (im *importer) onlyMatch(t text, local bool) text {
	if found := im.glob(t, local); len(found) == 1 && hasPattern([]text{t}) {
		return literal(globEscape(found[0]))
	}
	return t
}

func hasPattern(sources []text) bool {
	return slices.ContainsFunc(sources, func(t text) bool {
		s := t.now()
		for i := 0; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if strings.IndexByte("*?[", s[i]) >= 0 {
				return true
			}
		}
		return false
	})
}

// source is a path or glob from the root of what is copied from.
func (st *stage) source(t *transfer, src text) text {
	s, constant := src.constant()
	if !constant {
		if t.local && len(src) > 0 && src[0].expr == "" {
			src = slices.Clone(src)
			src[0].lit = strings.TrimLeft(strings.TrimPrefix(src[0].lit, "./"), "/")
		}
		return src
	}
	if pivot, rest, ok := strings.Cut(s, "/./"); ok && t.parents && pivot != "" && pivot != "." {
		st.im.note(firstLine(t.cmd.Location()), Todo, "COPY --parents %s: the whole path is kept, not only %s.", s, rest)
	}
	s = globOnly(path.Clean("/" + s))
	if t.local {
		s = strings.TrimPrefix(s, "/")
	}
	if s == "" || s == "/" {
		s = "."
	}
	return literal(s)
}

// globOnly turns a pattern of Docker's into the language's, where braces mean
// something.
func globOnly(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			b.WriteByte(c)
			i++
			b.WriteByte(s[i])
		case c == '{' || c == '}':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
