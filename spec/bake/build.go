package bake

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/dockerfile"
)

// recipe is a target's Dockerfile, and where what it is built from lies.
type recipe struct {
	dir  string // the context's folder, below the root; the module's
	file string // the Dockerfile as notes call it
	line int    // of the bake file, where the Dockerfile stands in it
	data []byte
	// elsewhere is the context's URL where it is no folder.
	elsewhere string
	// key tells Dockerfiles apart.
	key string
}

// build imports the Dockerfile of a piece and puts what it gives into its
// module.
func (im *importer) build(p *piece) {
	r, ok := im.recipe(p)
	if !ok {
		return
	}
	m := im.module(r.dir)
	for _, t := range p.targets {
		t.module = m
	}
	g := &given{im: im, piece: p, recipe: r, module: m, rename: map[string]string{}, swaps: map[string]string{}, values: map[string]string{}, refs: map[string]*reference{}, later: map[string]func() string{}}
	opts := dockerfile.Options{Target: p.first().str("target", ""), Image: p.label, Today: im.opts.Today}
	opts.Args = g.args()
	opts.Contexts = g.contexts()
	if r.elsewhere == "" {
		if sub, err := fs.Sub(im.opts.Root, r.dir); err == nil {
			opts.Context = sub
		}
	}
	result, ds := dockerfile.Import(r.file, r.data, opts)
	if ds.HasErrors() {
		im.refused(p, r, ds)
		return
	}
	im.unknownArgs(p, r, result.UnknownArgs)
	all := reachable(chunks(result.HCL))
	im.dockerfileNotes(r, result, all)
	g.merge(all)
	g.unusedContexts()
}

// refused are mistakes of a Dockerfile; those of one that stands in the bake
// file are told there.
func (im *importer) refused(p *piece, r recipe, ds diag.List) {
	for _, d := range ds {
		if d.Summary == "Not imported" { // the stage that is asked for is not there
			d.Range, d.Summary = p.first().at("target"), "Unknown stage"
			d.Detail = fmt.Sprintf("%s builds a stage of %s, and there %s", p.first(), r.file, lowered(d.Detail))
		}
		if r.line > 0 && d.Range.File == r.file && d.Range.Start.Line > 0 {
			d.Range.Start = diag.Pos{Line: d.Range.Start.Line + r.line, Column: 1}
			d.Range.End = d.Range.Start
		}
		im.diags = append(im.diags, d)
	}
}

// lowered is a sentence within another.
func lowered(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// recipe finds the Dockerfile. What is elsewhere cannot be looked at: the
// target is left to do.
func (im *importer) recipe(p *piece) (recipe, bool) {
	t := p.first()
	where := strings.TrimPrefix(t.str("context", "."), "cwd://")
	r := recipe{dir: path.Join(im.opts.Dir, where)}
	inline, isInline := t.one["dockerfile-inline"]
	switch {
	case isRemote(where):
		r.dir, r.elsewhere = im.opts.Dir, where
	case path.IsAbs(where) || !fs.ValidPath(r.dir) || r.dir == "..":
		im.lost(p, t.at("context"), "%s is not imported: its context %s lies outside of the workspace, whose specs are all that a spec can name", t, where)
		return r, false
	default:
		if info, err := fs.Stat(im.opts.Root, r.dir); err != nil || !info.IsDir() {
			im.diags.Errorf(t.at("context"), "Folder not found", "The context of %s is %s, and there is no such folder. Bake takes it from the folder it runs in; this import from the bake file's.", t, where)
			return r, false
		}
	}
	if isInline {
		s, ok := text(inline.val)
		if !ok {
			im.lost(p, inline.at, "%s is not imported: its dockerfile-inline is not known before it is built", t)
			return r, false
		}
		r.file, r.data, r.key = im.name, []byte(s), "inline "+s
		if r.line = inline.at.Start.Line; !strings.HasPrefix(im.sourceAt(inline.at), "<<") {
			r.line--
		}
		return r, true
	}
	name := strings.TrimPrefix(t.str("dockerfile", "Dockerfile"), "cwd://")
	full := path.Join(r.dir, name)
	if r.elsewhere != "" {
		im.lost(p, t.at("context"), "%s is not imported: its Dockerfile is in %s, which is not here. Import it there, or clone it", t, where)
		return r, false
	}
	data, err := fs.ReadFile(im.opts.Root, full)
	if err != nil {
		why := "it cannot be read"
		if errors.Is(err, fs.ErrNotExist) || !fs.ValidPath(full) {
			why = "there is no such file"
		}
		im.diags.Errorf(t.at("dockerfile"), "Dockerfile not found", "%s is built from %s: %s. The path is relative to the target's context, %q.", t, im.shown(full), why, where)
		return r, false
	}
	r.file, r.data, r.key = im.shown(full), data, full
	im.sources[r.file] = data
	return r, true
}

// sourceAt is the text of the bake file from a place on.
func (im *importer) sourceAt(at diag.Range) string {
	src := im.sources[im.name]
	if at.Start.Byte >= len(src) {
		return ""
	}
	return string(src[at.Start.Byte:])
}

// lost leaves a comment where a target would stand.
func (im *importer) lost(p *piece, at diag.Range, format string, args ...any) {
	m := im.module(im.opts.Dir)
	m.remarks = append(m.remarks, im.todo(at, format, args...))
	for _, t := range p.targets {
		t.module = nil
	}
}

// isRemote tells the contexts that are fetched.
func isRemote(s string) bool {
	return strings.Contains(s, "://") || strings.HasPrefix(s, "git@") || strings.HasPrefix(s, "github.com/")
}

// unknownArgs lists the arguments that the Dockerfile does not take. Those that
// only BuildKit reads are known by their names.
func (im *importer) unknownArgs(p *piece, r recipe, names []string) {
	for _, name := range names {
		at := p.first().block.at
		for _, e := range p.first().maps["args"] {
			if e.key == name {
				at = e.at
			}
		}
		switch {
		case strings.HasPrefix(name, "BUILDKIT_") || strings.HasPrefix(name, "BUILDX_") || name == "SOURCE_DATE_EPOCH":
			im.note(at, dockerfile.Dropped, "args %s: it speaks to BuildKit, not to the Dockerfile. Images of specbuild are reproducible as they are.", name)
		case isProxy(name):
			im.note(at, dockerfile.Dropped, "args %s: steps with a network get the machine's proxy without it.", name)
		default:
			im.note(at, dockerfile.Dropped, "args %s: no ARG of %s takes it.", name, r.file)
		}
	}
}

func isProxy(name string) bool {
	return slices.Contains([]string{"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"}, strings.ToLower(name))
}

// reachable are the chunks that the image needs: a target of bake builds no
// others.
func reachable(all []chunk) []chunk {
	needed := map[string]bool{}
	var visit func(c chunk)
	visit = func(c chunk) {
		if needed[c.addr()] {
			return
		}
		needed[c.addr()] = true
		for _, m := range mentions(c.source()) {
			for _, o := range all {
				if o.addr() == m.addr {
					visit(o)
				}
			}
		}
	}
	for _, c := range all {
		if c.kind == "image" {
			visit(c)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c chunk) bool { return !needed[c.addr()] })
}

// dockerfileNotes lists what the import of a Dockerfile says of the stages that
// are built.
func (im *importer) dockerfileNotes(r recipe, result dockerfile.Result, kept []chunk) {
	var hcl strings.Builder
	addrs := map[string]bool{}
	for _, c := range kept {
		hcl.WriteString(c.text + "\n")
		addrs[c.addr()] = true
	}
	for _, n := range result.Notes {
		if n.Kind == dockerfile.Todo && !strings.Contains(hcl.String(), todoMark+n.Text) {
			continue
		}
		owner := ""
		for _, s := range result.Stages {
			if s.Line <= n.Line {
				owner = s.Address
			}
		}
		if n.Kind != dockerfile.Todo && owner != "" && !addrs[owner] {
			continue
		}
		line := n.Line
		if r.line > 0 && line > 0 {
			line += r.line
		}
		im.list(Note{File: r.file, Line: line, Kind: n.Kind, Text: n.Text})
	}
}
