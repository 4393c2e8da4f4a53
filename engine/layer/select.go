package layer

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// CopyRequest is a copy step, with owner and modes as numbers.
type CopyRequest struct {
	// Sources are paths and globs, rooted in the source's tree; none means
	// everything. A glob's `*`, `?`, `[a-z]`, `{a,b}` stay within a name,
	// `**` goes over folders, and a backslash takes their meaning away.
	Sources []string
	To      string   // absolute; a slash at the end says that it is a folder
	Exclude []string // globs or paths, rooted as the sources; a folder means all below it
	Owner   *Owner   // nil keeps what the source has
	Mode    *uint32  // of files; folders get it with x wherever there is r; nil keeps
	Parents bool     // keep the path from the source's root
	Unpack  bool     // each source is an archive, its content goes into To
	// Context says that the source is a checkout and not a file system:
	// owners and modes of this machine mean nothing. Everything is 0:0,
	// files 0644 or 0755 by the owner's x bit, folders 0755, no attributes;
	// hard links are files of their own, pipes an error.
	Context bool
	Limits  Limits // of archives
}

// Owner is a user and a group as numbers.
type Owner struct{ UID, GID int }

// selected is an entry on its way: where it comes from and where it is to
// go, before placement.
type selected struct {
	Entry         // as in the source; Path is there
	to     string // clean path in the destination
	source string // the argument that selected it
	group  string // names the inode of a hard link group; "" for none
	open   func() (io.ReadCloser, error)
}

// isGlob reports whether a source means more than the one path it spells.
func isGlob(pattern string) bool {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '*', '?', '[', '{':
			return true
		}
	}
	return false
}

// unescape gives the path that a source without meta characters spells.
func unescape(pattern string) string {
	if !strings.Contains(pattern, `\`) {
		return pattern
	}
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		out.WriteByte(pattern[i])
	}
	return out.String()
}

// argument is what one source, or one match of a glob, stands for.
type argument struct {
	source string // as written
	path   string // as named in the tree, before links are followed
	entry  Entry  // what it is, its own links followed
	glob   bool
}

// arguments finds what the sources name. That nothing matches, a link
// dangles or a ".." leads up is an error.
func (r *CopyRequest) arguments(src *Tree) ([]argument, error) {
	sources := r.Sources
	if len(sources) == 0 {
		sources = []string{"/"}
	}
	var out []argument
	for _, source := range sources {
		found, err := r.find(src, source)
		if err != nil {
			return nil, r.fail(source, err.Error())
		}
		if len(found) == 0 {
			return nil, r.fail(source, r.nothing(src, source))
		}
		out = append(out, found...)
	}
	return out, nil
}

func (r *CopyRequest) find(src *Tree, source string) ([]argument, error) {
	if !isGlob(source) {
		path, err := cleanPath(unescape(source))
		if err != nil {
			return nil, err
		}
		arg, err := follow(src, source, path)
		if isMissing(err) || err == nil && r.excluded(arg.path) {
			return nil, nil
		}
		return []argument{arg}, err
	}
	base, pattern := doublestar.SplitPattern(strings.TrimLeft(source, "/"))
	if base, err := cleanPath(base); err != nil {
		return nil, err
	} else if !doublestar.ValidatePattern(pattern) {
		return nil, errors.New("this is no glob: a bracket or brace is not closed")
	} else {
		return r.glob(src, source, unescape(base), strings.TrimSuffix(pattern, "/"))
	}
}

// glob matches what is below base, whose own links are followed.
func (r *CopyRequest) glob(src *Tree, source, base, pattern string) ([]argument, error) {
	at, err := src.Resolve(base)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Most globs look at one folder; only ** and the like walk the tree.
	deep := strings.Contains(pattern, "/") || strings.Contains(pattern, "**")
	walk := src.Children(at)
	if deep {
		walk = src.Walk(at)
	}
	var out []argument
	for e := range walk {
		if e.Path == at {
			continue
		}
		rel := e.Path
		if at != "" {
			rel = e.Path[len(at)+1:]
		}
		if !doublestar.MatchUnvalidated(pattern, rel) {
			continue
		}
		path := joinPath(base, rel)
		if r.excluded(path) {
			continue
		}
		arg, err := follow(src, source, path)
		if err != nil {
			return nil, err
		}
		arg.glob = true
		out = append(out, arg)
	}
	return out, nil
}

// follow finds what a path is when links are followed inside the tree.
func follow(src *Tree, source, path string) (argument, error) {
	at, err := src.Resolve(path)
	if err != nil {
		return argument{}, err
	}
	e, _ := src.Lookup(at)
	return argument{source: source, path: path, entry: e}, nil
}

// excluded reports whether a path, or a folder it is in, is excluded.
func (r *CopyRequest) excluded(path string) bool {
	for p := path; p != ""; p, _ = splitPath(p) {
		if r.excludes(p) {
			return true
		}
	}
	return false
}

// excludes is excluded for the path alone, and enough where all above it
// has been judged.
func (r *CopyRequest) excludes(path string) bool {
	for _, pattern := range r.Exclude {
		pattern = strings.Trim(pattern, "/")
		if path != "" && (path == pattern || doublestar.MatchUnvalidated(pattern, path)) {
			return true
		}
	}
	return false
}

// nothing explains a source without a match.
func (r *CopyRequest) nothing(src *Tree, source string) string {
	if path, err := cleanPath(source); err == nil {
		if _, ok := src.Lookup(path); ok && isGlob(source) {
			return `nothing matches this glob. A file of just this name exists; to mean it, write a backslash before each of * ? [ {`
		}
		if _, ok := src.Lookup(path); ok {
			return "it exists, but `exclude` leaves nothing of it"
		}
		for dir, _ := splitPath(path); !isGlob(source); dir, _ = splitPath(dir) {
			if e, ok := src.Lookup(dir); ok && dir != "" {
				return fmt.Sprintf("there is no such file; %q exists and is a %s", "/"+dir, e.Type.noun())
			}
			if dir == "" {
				break
			}
		}
	}
	return "nothing matches; paths are from the root of the context or file system that is copied from"
}

func (r *CopyRequest) fail(source, reason string) error {
	return &CopyError{Source: source, To: r.To, Reason: reason}
}

// selectFiles gives every entry that the request copies and where it is to go
// (the table of `copy` in the language).
func (r *CopyRequest) selectFiles(src *Tree, open func(string) (io.ReadCloser, error)) ([]selected, error) {
	to, err := cleanPath(r.To)
	if err != nil {
		return nil, r.fail("", err.Error())
	}
	args, err := r.arguments(src)
	if err != nil {
		return nil, err
	}
	folder := strings.HasSuffix(r.To, "/")
	if !folder && r.Parents {
		return nil, r.fail("", "with `parents` the destination is a folder: end `to` with a slash")
	}
	if !folder && (len(args) > 1 || args[0].glob) {
		return nil, r.fail(args[0].source, "several sources, or a glob, go into a folder: end `to` with a slash")
	}
	if r.Unpack {
		return r.unpackAll(args, to, open)
	}
	var out []selected
	for _, arg := range args {
		at, err := r.destination(arg, to, folder, len(args))
		if err != nil {
			return nil, err
		}
		out = append(out, r.below(src, arg, at, open)...)
	}
	return out, nil
}

// destination is where an argument goes.
func (r *CopyRequest) destination(arg argument, to string, folder bool, count int) (string, error) {
	_, name := splitPath(arg.path)
	switch {
	case r.Parents:
		return joinPath(to, arg.path), nil
	case arg.entry.Type == Dir && (count > 1 || arg.glob):
		return "", r.fail(arg.source, fmt.Sprintf("%q is a folder among several sources, and it is not clear whether it or its content is meant: set `parents = true`, or give it a copy of its own", "/"+arg.path))
	case arg.entry.Type == Dir:
		return to, nil
	case folder:
		return joinPath(to, name), nil
	case to == "":
		return "", r.fail(arg.source, "a file cannot become the root directory: end `to` with a slash")
	}
	return to, nil
}

// below gives an argument and, of a folder, all that is in it.
func (r *CopyRequest) below(src *Tree, arg argument, to string, open func(string) (io.ReadCloser, error)) []selected {
	var out []selected
	base := arg.entry.Path
	if _, stated := src.find(""); base == "" && !stated {
		out = append(out, selected{Entry: arg.entry, to: to, source: arg.source})
	}
	skip := "" // the excluded folder that the walk is in
	for e := range src.Walk(base) {
		if skip != "" && under(e.Path, skip) {
			continue
		}
		rel := strings.TrimPrefix(e.Path[len(base):], "/")
		if r.excludes(joinPath(arg.path, rel)) {
			skip = e.Path
			continue
		}
		s := selected{Entry: e, to: joinPath(to, rel), source: arg.source}
		if e.Type == File || e.Type == Hardlink {
			layer, file, _ := src.Content(e.Path)
			s.Entry = file
			s.Entry.Path = e.Path
			if !r.Context { // whose hard links are files of their own
				s.group = strconv.Itoa(layer) + " " + file.Path
			}
			path := e.Path
			s.open = func() (io.ReadCloser, error) { return open(path) }
		}
		out = append(out, s)
	}
	return out
}
