package bake

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/specbuild/specbuild/spec/dockerfile"
	"github.com/specbuild/specbuild/spec/format"
)

// given is what a target gives to its Dockerfile, on the way into a module.
// The Dockerfile's import sees stand-ins; their names are replaced by what they
// stand for.
type given struct {
	im     *importer
	piece  *piece
	recipe recipe
	module *module
	rename map[string]string // addresses of the imported spec to expressions
	swaps  map[string]string // images of it that are expressions
	drop   []string          // addresses of blocks that stand in for something
	adopt  []adoption
	values map[string]string        // of stand-ins, with the variables at their defaults
	later  map[string]func() string // how stand-ins are said, once they are asked for
	// refs give what stands for an image that is a stand-in: they are asked
	// only for contexts that the Dockerfile names.
	refs map[string]*reference
}

// reference is a named context on its way.
type reference struct {
	context entry
	// expr is the reference to write instead; nil for an image of another name.
	expr func() string
	used bool
}

// adoption is a variable of bake without a value: it takes the Dockerfile's.
type adoption struct {
	addr string // of the argument's own variable
	name string // of bake's
}

// standIn is a name that no Dockerfile has.
func standIn(kind string, n int) string { return fmt.Sprintf("bake_%s_%d", kind, n) }

// args are the build arguments.
func (g *given) args() map[string]dockerfile.Arg {
	out := map[string]dockerfile.Arg{}
	for i, e := range g.piece.first().maps["args"] {
		now, isText := text(e.val)
		p := g.im.print.print(e.expr, g.piece.scopeOf(e.field))
		switch {
		case e.val.IsNull():
			if strings.HasPrefix(p.text, "var.") && isRef(p.text) {
				g.adopt = append(g.adopt, adoption{"var." + nameOf(e.key, "_"), p.text})
			}
			continue
		case p.none != "" || !isText:
			why := p.none
			if why == "" {
				why = "it is no string"
			}
			g.module.note(g.im.todo(e.at, "args %s is left out: %s", e.key, why))
			continue
		}
		for _, l := range p.lost {
			g.module.note(g.im.todo(e.at, "args %s: %s", e.key, l))
		}
		arg := dockerfile.Arg{Value: now}
		switch {
		case p.constant():
			if name := nameOf(e.key, "_"); g.im.agreed(g.piece, e, now) {
				arg.Variable = name
			}
		default:
			arg.Variable = standIn("arg", i)
			g.rename["var."+arg.Variable] = p.text
			g.values["var."+arg.Variable] = now
			g.later["var."+arg.Variable] = func() string { return g.said(e.key, p) }
			g.drop = append(g.drop, "var."+arg.Variable)
		}
		out[e.key] = arg
	}
	return out
}

// said is how an expression is named in the steps: itself where it is short or
// a for_each's, else a local.
func (g *given) said(key string, p printed) string {
	if isRef(p.text) || p.each {
		return p.text
	}
	return "local." + g.module.local(nameOf(key, "_"), p.text)
}

// isRef reports whether an expression is a name alone.
func isRef(s string) bool {
	return !strings.ContainsAny(s, " \"$(){}[]+*/?!,")
}

// agreed reports whether all that build a Dockerfile give an argument the same
// constant. Then it is a variable, which can be set as the argument could be.
func (im *importer) agreed(p *piece, e entry, value string) bool {
	for _, v := range im.print.names {
		if v == "var."+nameOf(e.key, "_") {
			return false
		}
	}
	key := func(t *target) string {
		return path.Join(t.str("context", "."), t.str("dockerfile", "Dockerfile")) + "\x00" + t.str("dockerfile-inline", "")
	}
	for _, t := range im.targets {
		if key(t) != key(p.first()) {
			continue
		}
		same := false
		for _, o := range t.maps["args"] {
			s, ok := text(o.val)
			same = same || o.key == e.key && ok && s == value
		}
		if !same {
			return false
		}
	}
	return true
}

// contexts are the named contexts, as images; what is none is a stand-in.
func (g *given) contexts() map[string]string {
	out := map[string]string{}
	for i, c := range g.piece.first().maps["contexts"] {
		now, _ := text(c.val)
		if now == "" || now == "docker-image://" {
			continue
		}
		label := strings.ReplaceAll(standIn("context", i), "_", "-")
		image, r := "bake.invalid/"+label+":x", &reference{context: c}
		where := strings.TrimPrefix(now, "cwd://")
		switch {
		case strings.HasPrefix(now, "docker-image://"):
			if image = g.image(c, image); !strings.HasPrefix(image, "bake.invalid/") {
				r = nil
			}
		case strings.HasPrefix(now, "target:"):
			r.expr = func() string { return g.target(c, strings.TrimPrefix(now, "target:")) }
		case strings.HasPrefix(now, "oci-layout://"):
			r.expr = func() string { return "base." + g.layout(c, strings.TrimPrefix(now, "oci-layout://")) }
		case isRemote(where):
			r.expr = func() string { return "context." + g.remote(c.key, where) }
		default:
			r.expr = func() string { return "context." + g.folder(c, where) }
		}
		out[c.key] = image
		if r != nil {
			g.refs["base."+label] = r
		}
	}
	return out
}

// unusedContexts lists those that the Dockerfile does not name.
func (g *given) unusedContexts() {
	for _, r := range g.refs {
		if !r.used {
			g.im.note(r.context.at, dockerfile.Dropped, "contexts %s: what is built of %s names no %s.", r.context.key, g.recipe.file, r.context.key)
		}
	}
}

// image is a named context that is an image: its name where that is fixed, else
// a stand-in that an expression replaces.
func (g *given) image(c entry, other string) string {
	now, _ := text(c.val)
	p := g.im.print.print(c.expr, g.piece.scopeOf(c.field))
	inner, quoted := quotedInside(p.text)
	if p.constant() || p.none != "" || !quoted || !strings.HasPrefix(inner, "docker-image://") {
		return strings.TrimPrefix(now, "docker-image://")
	}
	inner = strings.TrimPrefix(inner, "docker-image://")
	first, _, several := strings.Cut(strings.TrimPrefix(now, "docker-image://"), "/")
	switch {
	case !several:
		inner = "docker.io/library/" + inner
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		inner = "docker.io/" + inner
	}
	g.swaps[format.Quote(other)] = `"` + inner + `"`
	return other
}

// target is what a named context that is another target means: its image, or
// its stage.
func (g *given) target(c entry, name string) string {
	t := find(g.im.targets, name)
	if t == nil || t.module == nil {
		g.module.note(g.im.todo(c.at, "the context %s is the target %s, which is not imported", c.key, name))
		return "scratch"
	}
	kind := "image"
	if t.stage {
		kind = "stage"
	}
	ref := kind + "." + t.label
	if t.module != g.module {
		ref = "module." + g.module.call(t.module) + "." + ref
	}
	if t.key != "" {
		ref += "[" + format.Quote(t.key) + "]"
	}
	return ref
}

// exists makes a folder that a spec names be there when it is loaded, if it is
// there now.
func (im *importer) exists(dir string) {
	if info, err := fs.Stat(im.opts.Root, dir); err == nil && info.IsDir() {
		im.contextDirs = append(im.contextDirs, dir)
	}
}

// layout is a named context that is an OCI layout on disk.
func (g *given) layout(c entry, where string) string {
	where, digest, _ := strings.Cut(where, "@")
	if i := strings.LastIndexByte(where, ':'); i > strings.LastIndexByte(where, '/') {
		where = where[:i]
	}
	g.im.exists(path.Join(g.im.opts.Dir, where))
	text := fmt.Sprintf("base %s {\n  layout = %s\n}", format.Quote(nameOf(c.key, "-")), format.Quote(relative(g.module.dir, path.Join(g.im.opts.Dir, where))))
	if digest != "" {
		g.im.note(c.at, dockerfile.Changed, "contexts %s: the layout's digest is in the lock.", c.key)
	}
	return g.module.add(chunk{"base", nameOf(c.key, "-"), text})
}

// folder is a named context on this machine.
func (g *given) folder(c entry, where string) string {
	full := path.Join(g.im.opts.Dir, where)
	rel := relative(g.module.dir, full)
	if path.IsAbs(where) || strings.HasPrefix(full, "..") {
		g.module.note(g.im.todo(c.at, "the context %s is the folder %s, which lies outside of the workspace", c.key, where))
		return nameOf(c.key, "-")
	}
	g.im.exists(full)
	if rel == "." {
		return "default"
	}
	label := nameOf(c.key, "-")
	return g.module.add(chunk{"context", label, fmt.Sprintf("context %s {\n  path = %s\n}", format.Quote(label), format.Quote(rel))})
}

// remote is a context that is fetched: a repository, or a file.
func (g *given) remote(name, where string) string {
	label := nameOf(name, "-")
	url, ref, _ := strings.Cut(where, "#")
	ref, sub, _ := strings.Cut(ref, ":")
	isGit := strings.HasSuffix(url, ".git") || strings.HasPrefix(url, "git") || strings.HasPrefix(url, "ssh://") || ref != ""
	if strings.HasPrefix(url, "github.com/") {
		url = "https://" + url
	}
	text := fmt.Sprintf("context %s {\n  http {\n    url = %s\n  }\n}", format.Quote(label), format.Quote(url))
	if isGit {
		text = fmt.Sprintf("context %s {\n  git {\n    url = %s\n", format.Quote(label), format.Quote(url))
		if ref != "" {
			text += "    ref = " + format.Quote(ref) + "\n"
		}
		text += "  }\n}"
	}
	if sub != "" {
		at := g.piece.first().block.at
		text = g.im.todo(at, "of %s only the folder %s was meant: write it before each source that is copied from here", where, sub) + "\n" + text
	}
	return g.module.add(chunk{"context", label, text})
}
