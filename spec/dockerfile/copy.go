package dockerfile

import (
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
	sources = st.present(t, sources)
	if !t.parents {
		sources = st.im.matches(sources, t.local)
	}
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
	st.exclude(b, t, sources)
	st.attributes(b, t)
	st.newFolders(b, t, sources)
}

// newFolders says that the folder which files are put into is another where it
// is new: Docker gives it their owner and mode.
func (st *stage) newFolders(b *block, t *transfer, sources []text) {
	if !t.parents && (t.unpack || slices.ContainsFunc(sources, func(s text) bool { return st.im.isFile(s, t.local) })) {
		st.newFolder(b, t)
	}
}

func (st *stage) newFolder(b *block, t *transfer) {
	if t.chown == "" && t.chmod == "" {
		return
	}
	to := join(st.workdir, t.to).now()
	if !strings.HasSuffix(t.to.now(), "/") {
		to = path.Dir(to)
	}
	if st.makeFolder(quote(to)) {
		st.im.note(b.line, Changed, "Where %s is new, it is 0755 and root's; Docker gives it the owner and mode of the files. A `directory` step before says another.", to)
	}
}

// attributes are those that any copy may have.
func (st *stage) attributes(b *block, t *transfer) {
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

// fileSystem is what --from means, as an expression: a stage before, else an
// image.
func (st *stage) fileSystem(b *block, name string) string {
	im := st.im
	if image, ok := im.named(name); ok {
		return "base." + im.base(literal(image), b.line).name
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
	return "base." + im.base(literal(name), b.line).name
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
		st.newFolder(b, t)
	}
}
