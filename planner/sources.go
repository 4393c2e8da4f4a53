package planner

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// listing is an answer of Sources; copies for several platforms share it.
type listing struct {
	sel *source.Selection
	err error
}

// context finds a context, and makes the module's own folder one: it needs
// no block.
func (p *planner) context(addr spec.Addr) *spec.Context {
	c := p.contexts[addr]
	if c == nil {
		rel := strings.TrimPrefix(addr.Module, "//")
		c = &spec.Context{Addr: addr, Dir: filepath.Join(p.in.Spec.Root, filepath.FromSlash(rel))}
		c.Path.V = path.Clean("./" + rel)
		p.contexts[addr] = c
	}
	p.used[addr] = true
	return c
}

func (p *planner) list(c *spec.Context, sources, exclude []string) listing {
	key := fmt.Sprintf("%s %q %q", c.Addr, sources, exclude)
	l, ok := p.listings[key]
	if !ok {
		dir, _ := p.dir(c)
		l.sel, l.err = p.in.Sources.List(p.ctx, source.Request{
			Dir: dir, Include: c.Include.V, Exclude: slices.Concat(c.Exclude.V, exclude), Sources: sources, UseDockerignore: !elsewhere(c),
		})
		p.listings[key] = l
	}
	return l
}

// listable reports whether a context's files can be looked at: a plan fetches
// nothing, and the engine tells what is wrong with a copy from elsewhere.
func (p *planner) listable(c *spec.Context) bool {
	_, here := p.dir(c)
	return p.in.Sources != nil && here
}

func (p *planner) checkCopy(s *state, c *spec.Copy, from *spec.Context) {
	if !p.listable(from) {
		return
	}
	at := c.Source.Range
	if at.IsZero() {
		at = c.Range
	}
	l := p.list(from, c.Source.V, c.Exclude.V)
	p.listed(s, c, from, l, at)
	if l.sel != nil && l.err == nil {
		p.placeable(c, l.sel.Roots, at)
	}
}

func (p *planner) checkMount(s *state, m *spec.Mount, from *spec.Context) {
	if !p.listable(from) {
		return
	}
	at := m.Source.Range
	if at.IsZero() {
		at = m.Range
	}
	p.listed(s, nil, from, p.list(from, m.Source.V, nil), at)
}

// listed reports what is wrong with a selection and keeps it for the rules.
func (p *planner) listed(s *state, step spec.Step, from *spec.Context, l listing, at diag.Range) {
	out := rules.Copied{Step: step, Context: from.Addr}
	for _, err := range flatten(l.err) {
		p.unlisted(&out, from, err, at)
	}
	if l.sel != nil {
		out.Text = func(path string) ([]byte, error) { return l.sel.Text(path, rules.MaxText) }
		for _, e := range l.sel.Entries {
			if e.Type == source.File {
				f := rules.File{Path: e.Path, Size: e.Size, Literal: slices.Contains(l.sel.Literal, e.Path)}
				f.Stamp, _ = e.Stamp()
				out.Files = append(out.Files, f)
			}
		}
	}
	s.copies = append(s.copies, out)
}

// flatten takes apart what errors.Join put together.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range many.Unwrap() {
			out = append(out, flatten(e)...)
		}
		return out
	}
	return []error{err}
}

func (p *planner) unlisted(out *rules.Copied, from *spec.Context, err error, at diag.Range) {
	var unmatched *source.UnmatchedError
	var pattern *source.PatternError
	switch {
	case errors.As(err, &unmatched):
		p.unmatched(out, from, unmatched, at)
	case errors.As(err, &pattern):
		p.ds.Errorf(at, "This is no pattern", "%v.", err)
	case errors.Is(err, fs.ErrNotExist):
		where := from.Path.Range
		if where.IsZero() {
			where = at
		}
		p.ds.Errorf(where, "The context's folder is not there", "%s is the folder %q of the workspace, which does not exist.", from.Addr.Local(), from.Path.V)
	default:
		where := fmt.Sprintf("%s is the folder %q of the workspace", from.Addr.Local(), from.Path.V)
		if elsewhere(from) {
			where = described(from)
		}
		p.ds.Errorf(at, "The context cannot be read", "%s: %s.", where, reason(err))
	}
}

// reason is what the system says, without the call and the path of this
// machine that Go puts before it.
func reason(err error) string {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err.Error()
	}
	return err.Error()
}

func (p *planner) unmatched(out *rules.Copied, from *spec.Context, e *source.UnmatchedError, at diag.Range) {
	detail := fmt.Sprintf("%q is nothing in %s.", e.Source, described(from))
	u := rules.Unmatched{Pattern: e.Source}
	switch {
	case len(e.Ignored) > 0:
		u.HiddenBy = e.Ignored[0].By
		detail = fmt.Sprintf("%q is there in %s, but it is left out by %s. Change that list, or name another file.",
			e.Ignored[0].Path, described(from), e.Ignored[0].By)
	case len(e.Similar) > 0:
		u.Similar = e.Similar[0]
		detail += fmt.Sprintf(" Did you mean %s?", strings.Join(e.Similar, ", "))
	default:
		detail += " A source is a path or a pattern from the context's root."
	}
	out.Unmatched = append(out.Unmatched, u)
	p.ds = append(p.ds, diag.Diagnostic{Severity: diag.Error, Code: "copy-source-exists", Summary: "The source matches nothing", Detail: detail, Range: at})
}

// placeable checks language.md's table of copy against the files that are
// there: several entries go into a folder each by its name.
func (p *planner) placeable(c *spec.Copy, roots []source.Root, at diag.Range) {
	several := len(c.Source.V) > 1 || len(roots) > 1 || slices.ContainsFunc(c.Source.V, func(s string) bool { return strings.ContainsAny(s, "*?[{") })
	if !several || c.Parents || c.Unpack {
		return
	}
	names := map[string]string{}
	for _, r := range roots {
		name := path.Base(r.Path)
		switch other, twice := names[name]; {
		case r.Dir:
			p.ds.Errorf(at, "A folder among several sources",
				"%q is a folder: its contents or itself could be meant. Give it a `copy` of its own, which takes its contents, or say `parents = true`, which keeps its path.", r.Path)
			return
		case twice && other != r.Path:
			p.ds.Errorf(at, "Two sources have one name", "%q and %q would both be %q in %s. Copy them apart, or say `parents = true`.", other, r.Path, name, c.To.V)
			return
		}
		names[name] = r.Path
	}
}
