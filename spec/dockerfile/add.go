package dockerfile

import (
	"net/url"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// addCommand takes the three meanings of ADD apart: what is fetched, archives,
// and everything else, which is a copy.
func (st *stage) addCommand(c *instructions.AddCommand) {
	t := transfer{cmd: c, local: true, chown: c.Chown, chmod: c.Chmod, exclude: c.ExcludePatterns}
	if !st.begin(&t, c.SourcesAndDest) {
		return
	}
	var plain, archives []text
	for _, s := range c.SourcePaths {
		w, ok := st.word(c, s)
		if !ok {
			continue
		}
		now := w.now()
		ref, isGit := parseGit(now)
		switch {
		case isGit:
			st.addGit(c, t, ref)
		case strings.HasPrefix(now, "http://"), strings.HasPrefix(now, "https://"):
			st.addURL(c, t, w)
		case c.Unpack != nil && *c.Unpack, c.Unpack == nil && isArchive(now):
			archives = append(archives, w)
		default:
			plain = append(plain, w)
		}
	}
	st.copies(&t, plain, "")
	for _, a := range archives {
		u := t
		u.unpack = true
		u.to = slashed(t.to, t.to.now()+"/")
		st.copyStep(&u, []text{a}, "")
	}
	st.inline(&t, c.SourceContents)
}

// isArchive goes by the name; Docker looks into the file.
func isArchive(name string) bool {
	for _, ext := range []string{".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".tar.zst"} {
		if strings.HasSuffix(name, ext) {
			return true
		}
	}
	return false
}

// addURL is a context with one file. Docker gives such a file the mode 0600.
func (st *stage) addURL(c *instructions.AddCommand, t transfer, address text) {
	im, line := st.im, firstLine(c.Location())
	u, err := url.Parse(address.now())
	file := ""
	if err == nil {
		file = path.Base(u.Path)
	}
	if file == "" || file == "." || file == "/" {
		st.rest = append(st.rest, im.todo(line, "ADD %s: the address has no name of a file", address.now()))
		return
	}
	if address.uses("target.") {
		st.rest = append(st.rest, im.todo(line, "ADD %s: a context is one for all platforms; declare one for each, and choose by target.arch", address.now()))
		address = literal(address.now())
	}
	http := &block{name: "http", line: line}
	http.setNeeded("url", address.hcl())
	sum, isSum := st.word(c, c.Checksum)
	hex, sha256 := strings.CutPrefix(sum.now(), "sha256:")
	switch {
	case c.Checksum != "" && isSum && sha256 && isConstant(sum):
		http.set("sha256", quote(hex))
	case c.Checksum != "" && isSum && isConstant(sum):
		http.items = append(http.items, &remark{lines: []string{im.todo(line, "the checksum %s is no sha256; add that", sum.now())}})
	case c.Checksum != "" && isSum:
		http.set("sha256", "trimprefix("+sum.hcl()+", \"sha256:\")")
	default:
		http.items = append(http.items, &remark{lines: []string{im.todo(line, "add the file's sha256 = \"…\", or leave it to specbuild.lock")}})
	}
	name := strings.TrimSuffix(strings.TrimSuffix(file, path.Ext(file)), ".tar")
	src := literal(globEscape(file))
	if c.Unpack != nil && *c.Unpack {
		http.set("unpack", "true")
		src = literal(".")
		t.to = slashed(t.to, t.to.now()+"/")
	} else if last := lastSegment(address); last != nil {
		src = last
	}
	t.local, t.from = false, "context."+im.context(name, http, line)
	owned := t
	if t.chmod == "" && (c.Unpack == nil || !*c.Unpack) {
		t.chmod = "600"
	}
	st.remote(&t, src)
	st.newFolder(st.last().block, &owned)
}

// lastSegment is what follows the last slash of an address, if that is not a
// constant anyway.
func lastSegment(t text) text {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i].expr != "" {
			continue
		}
		if n := strings.LastIndexByte(t[i].lit, '/'); n >= 0 {
			out := literal(t[i].lit[n+1:]).with(t[i+1:]...)
			if isConstant(out) || strings.ContainsAny(out.now(), "?#") {
				return nil
			}
			return out
		}
	}
	return nil
}

// addGit is a context of a repository.
func (st *stage) addGit(c *instructions.AddCommand, t transfer, ref repository) {
	im, line := st.im, firstLine(c.Location())
	git := &block{name: "git", line: line}
	git.setNeeded("url", quote(ref.remote))
	at := ref.ref
	if sum, ok := st.word(c, c.Checksum); ok && len(sum) > 0 {
		at = sum.now()
	}
	at = strings.TrimPrefix(strings.TrimPrefix(at, "refs/heads/"), "refs/tags/")
	if at != "" {
		git.set("ref", quote(at))
	}
	if c.KeepGitDir != nil && *c.KeepGitDir {
		im.note(line, Dropped, "ADD --keep-git-dir: a git context has no .git folder.")
	}
	t.local, t.from = false, "context."+im.context(ref.name, git, line)
	t.to = slashed(t.to, t.to.now()+"/")
	src := literal(".")
	if ref.folder != "" {
		src = literal(globEscape(strings.TrimPrefix(path.Clean("/"+ref.folder), "/")))
	}
	st.remote(&t, src)
}

// remote copies from a context of its own.
func (st *stage) remote(t *transfer, src text) {
	b := st.add("copy", t.cmd)
	b.set("from", t.from)
	if c, ok := src.constant(); !ok || c != "." || st.image {
		b.setNeeded("source", src.hcl())
	}
	st.last().toRef = t.to
	st.attributes(b, t)
}

// context declares a context of its own.
func (im *importer) context(wish string, source *block, line int) string {
	name := im.unique("context", wish, "-")
	b := &block{name: "context", labels: []string{name}, items: []item{source}, line: line}
	im.contexts = append(im.contexts, b)
	return name
}

// repository is an address of git as ADD takes it: URL#ref:folder.
type repository struct{ remote, name, ref, folder string }

// parseGit follows BuildKit's dfgitutil: git and ssh always are one, http is
// where the path ends in .git.
func parseGit(s string) (repository, bool) {
	remote, fragment, _ := strings.Cut(s, "#")
	var query url.Values
	scp := !strings.Contains(s, "://") && strings.HasPrefix(s, "git@") && strings.Contains(s, ":")
	if !scp {
		u, err := url.Parse(remote)
		if err != nil || u.Host == "" {
			return repository{}, false
		}
		switch {
		case u.Scheme == "git", u.Scheme == "ssh":
		case (u.Scheme == "https" || u.Scheme == "http") && strings.HasSuffix(u.Path, ".git"):
		default:
			return repository{}, false
		}
		query = u.Query()
		u.RawQuery = ""
		remote = u.String()
	}
	r := repository{remote: remote, name: strings.TrimSuffix(path.Base(remote), ".git")}
	r.ref, r.folder, _ = strings.Cut(fragment, ":")
	for _, k := range []string{"ref", "branch", "tag", "commit", "checksum"} {
		if v := query.Get(k); v != "" {
			r.ref = v
		}
	}
	if v := query.Get("subdir"); v != "" {
		r.folder = v
	}
	return r, true
}
