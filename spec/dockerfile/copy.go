package dockerfile

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// transfer is what COPY and ADD have in common.
type transfer struct {
	cmd      instructions.Command
	from     string // an expression; empty is the build's context
	local    bool   // from the build's context
	to       text
	folder   bool // several sources, or a slash at the end
	chown    string
	chmod    string
	exclude  []string
	parents  bool
	unpack   bool
	comments []string
}

func (st *stage) copyCommand(c *instructions.CopyCommand) {
	t := transfer{cmd: c, local: c.From == "", chown: c.Chown, chmod: c.Chmod, exclude: c.ExcludePatterns, parents: c.Parents}
	if !st.begin(&t, c.SourcesAndDest) {
		return
	}
	var sources []text
	for _, s := range c.SourcePaths {
		if w, ok := st.word(c, s); ok {
			if len(w) == 0 {
				st.rest = append(st.rest, st.im.todo(firstLine(c.Location()), "COPY %s is left out: nothing is left of its name", s))
				continue
			}
			sources = append(sources, w)
		}
	}
	st.copies(&t, sources, c.From)
	st.inline(&t, c.SourceContents)
}

// begin expands the destination.
func (st *stage) begin(t *transfer, s instructions.SourcesAndDest) bool {
	to, ok := st.word(t.cmd, s.DestPath)
	if !ok {
		return false
	}
	t.to = to
	t.folder = len(s.SourcePaths)+len(s.SourceContents) > 1
	if t.folder || st.isFolder(to) {
		t.to = slashed(to, to.now()+"/")
	}
	return true
}

// isFolder reports whether a destination is known to be a folder: Docker looks
// into the image, a spec says it by a slash.
func (st *stage) isFolder(to text) bool {
	now := to.now()
	if now == "" || now == "." || now == "/" || strings.HasSuffix(now, "/") || strings.HasSuffix(now, "/.") {
		return true
	}
	dir := join(st.workdir, to).now()
	return st.hasWorkdir && dir == st.workdir.now() || slices.ContainsFunc(st.workdirs, func(w string) bool { return strings.Trim(w, `"`) == dir })
}

// copies writes one copy for the sources that are files for sure, and one each
// for those that may be folders: a folder's contents are copied, and one alone
// is copied so too.
func (st *stage) copies(t *transfer, sources []text, from string) {
	if len(sources) == 0 {
		return
	}
	var groups [][]text
	files := -1
	for _, s := range sources {
		sure := t.parents || len(sources) > 1 && st.im.isFile(s, t.local) && !t.unpack
		switch {
		case sure && files >= 0:
			groups[files] = append(groups[files], s)
		case sure:
			files = len(groups)
			groups = append(groups, []text{s})
		default:
			groups = append(groups, []text{s})
		}
	}
	for _, g := range groups {
		st.copyStep(t, g, from)
	}
}

// isFile reports whether a source is a file or a pattern of files: by looking,
// else by its name.
func (im *importer) isFile(t text, local bool) bool {
	s, ok := t.constant()
	if !ok {
		return false
	}
	clean := strings.TrimPrefix(path.Clean("/"+s), "/")
	if local && im.opts.Context != nil && clean != "" {
		found, err := fs.Glob(im.opts.Context, clean)
		if err == nil && len(found) > 0 {
			return !slices.ContainsFunc(found, func(p string) bool {
				info, err := fs.Stat(im.opts.Context, p)
				return err != nil || info.IsDir()
			})
		}
	}
	base := path.Base(clean)
	if strings.HasSuffix(s, "/") || s == "." || strings.HasPrefix(base, ".") && !strings.Contains(base[1:], ".") && !strings.HasSuffix(base, "rc") && !strings.HasPrefix(base, ".env") {
		return false
	}
	known := []string{"Makefile", "Dockerfile", "Gemfile", "Rakefile", "Procfile", "LICENSE", "README", "mvnw", "gradlew", "Pipfile", "Cargo.toml", "Brewfile", "Jenkinsfile", "WORKSPACE", "configure", "artisan"}
	ext := path.Ext(base)
	return slices.Contains(known, base) || len(ext) > 1 && ext != ".d" && !strings.HasSuffix(base, ".app") && strings.Trim(ext[1:], "0123456789") != ""
}

// copyStep writes one block.
func (st *stage) copyStep(t *transfer, sources []text, from string) {
	b := st.add("copy", t.cmd)
	s := st.last()
	b.comments = append(b.comments, t.comments...)
	t.comments = nil
	if from != "" && t.from == "" {
		b.set("from", st.fileSystem(b, from))
	} else if t.from != "" {
		b.set("from", t.from)
	}
	s.toRef = t.to
	var list2 []string
	for i, src := range sources {
		if !st.isFolder(t.to) {
			sources[i] = st.im.onlyMatch(src, t.local)
		}
		list2 = append(list2, st.source(t, sources[i]).hcl())
	}
	list2 = slices.Compact(list2)
	switch {
	case len(list2) > 1:
		b.setNeeded("source", list(list2))
	case list2[0] != `"."` || st.image:
		b.setNeeded("source", list2[0])
	}
	if t.parents || hasPattern(sources) {
		s.toRef = slashed(t.to, t.to.now()+"/")
	}
	if now := t.to.now(); !t.parents && hasPattern(sources) && !st.isFolder(t.to) {
		b.comments = append(b.comments, st.im.todo(b.line, "Docker makes %s of the one file that %s matches; a pattern goes into a folder here: name the file", now, sources[0].now()))
	}
	st.attributes(b, t)
}

// attributes are those that any copy may have.
func (st *stage) attributes(b *block, t *transfer) {
	if len(t.exclude) > 0 {
		var list2 []string
		for _, x := range t.exclude {
			list2 = append(list2, quote(globOnly(strings.TrimPrefix(x, "/"))))
		}
		b.set("exclude", list(list2))
	}
	st.ownerAndMode(b, t)
	if t.parents {
		b.set("parents", "true")
	}
	if t.unpack {
		b.set("unpack", "true")
	}
}

// ownerAndMode are --chown and --chmod.
func (st *stage) ownerAndMode(b *block, t *transfer) {
	if t.chown != "" {
		w, ok := st.word(t.cmd, t.chown)
		switch now := w.now(); {
		case !ok:
		case now == "" || strings.HasPrefix(now, ":"):
			b.comments = append(b.comments, st.im.todo(b.line, "--chown=%s is left out: nothing is left of it", t.chown))
		default:
			b.set("owner", st.owner(b, w))
		}
	}
	if t.chmod != "" {
		if w, ok := st.word(t.cmd, t.chmod); ok {
			st.mode(b, t, w)
		}
	}
	b.comments = append(b.comments, st.rest...)
	st.rest = nil
}

// mode is four octal digits.
func (st *stage) mode(b *block, t *transfer, w text) {
	s, constant := w.constant()
	if !constant {
		b.set("mode", w.hcl())
		return
	}
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o7777 {
		b.comments = append(b.comments, st.im.todo(b.line, "--chmod=%s is left out: a mode is four octal digits, and what it would be depends on the files", s))
		return
	}
	digits := strconv.FormatUint(n, 8)
	b.set("mode", quote(strings.Repeat("0", 4-len(digits))+digits))
}

// onlyMatch is the one file that a pattern matches, if the context is there to
// look.
func (im *importer) onlyMatch(t text, local bool) text {
	s, ok := t.constant()
	if !ok || !local || im.opts.Context == nil || !hasPattern([]text{t}) {
		return t
	}
	found, err := fs.Glob(im.opts.Context, strings.TrimPrefix(path.Clean("/"+s), "/"))
	if err != nil || len(found) != 1 {
		return t
	}
	return literal(globEscape(found[0]))
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

// fileSystem is what --from means, as an expression: a stage before, else an
// image.
func (st *stage) fileSystem(b *block, name string) string {
	im := st.im
	if image, ok := im.named(name); ok {
		return "base." + im.base(literal(image), b.line, "").name
	}
	if p := im.find(name, st.index, true); p != nil {
		return p.addr()
	}
	if name == "context" || name == "" {
		return "context.default"
	}
	if name == "scratch" {
		b.comments = append(b.comments, im.todo(b.line, "--from=scratch has no files"))
		return "context.default"
	}
	return "base." + im.base(literal(name), b.line, "").name
}

// inline writes the files that a Dockerfile holds itself.
func (st *stage) inline(t *transfer, contents []instructions.SourceContent) {
	for _, c := range contents {
		data := literal(c.Data)
		b := st.add("file", t.cmd)
		if c.Expand {
			e := &expander{escape: '\\', get: st.scope.get}
			d, err := e.expand(c.Data)
			if err != nil {
				b.comments = append(b.comments, st.im.todo(b.line, "the variables in it are kept as they stand: %s", err))
				d = literal(c.Data)
			}
			data = d
		}
		to := join(st.workdir, t.to)
		if t.folder || strings.HasSuffix(t.to.now(), "/") || st.isFolder(t.to) {
			to = clean(to.with(part{lit: "/" + path.Base("/"+c.Path)}))
		}
		b.setNeeded("path", to.hcl())
		b.setNeeded("content", data.lines(true))
		st.ownerAndMode(b, t)
	}
}
