package planner

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
)

// steps resolves the steps of a body, in order.
func (p *planner) steps(s *state) {
	for _, step := range s.body.Steps {
		switch t := step.(type) {
		case *spec.Copy:
			p.copy(s, t)
		case *spec.Run:
			p.run(s, t)
		case *spec.Packages:
			p.packages(s, t)
		case *spec.File:
			s.add(Step{Range: t.Range, Entry: &Entry{
				Type: "file", Path: path.Clean(t.Path.V), Mode: octal(t.Mode.V), Owner: p.entryOwner(s, t.Owner), Content: t.Content.V,
			}})
		case *spec.Directory:
			s.add(Step{Range: t.Range, Entry: &Entry{
				Type: "directory", Path: path.Clean(t.Path.V), Mode: octal(t.Mode.V), Owner: p.entryOwner(s, t.Owner),
			}})
		case *spec.Symlink:
			s.add(Step{Range: t.Range, Entry: &Entry{
				Type: "symlink", Path: path.Clean(t.Path.V), Owner: p.entryOwner(s, t.Owner), Content: t.To.V,
			}})
		case *spec.User:
			s.add(Step{Range: t.Range, User: userStep(s.accounts, t)})
		case *spec.Group:
			s.add(Step{Range: t.Range, Group: &Group{Name: t.Name, GID: t.GID.V}})
		}
	}
	if s.newWorkdir {
		s.makeWorkdir(path.Clean(s.body.Workdir.V))
	}
}

// makeWorkdir puts the step that makes the folder, if it is missing, before
// the first one that stands in it or copies into it. What comes before may
// make it as it should be: a user whose home it is, a script, a directory
// step with an owner.
func (s *state) makeWorkdir(dir string) {
	steps := s.inst.Steps
	at := slices.IndexFunc(steps, func(x Step) bool {
		switch {
		case x.Run != nil:
			return within(x.Run.Workdir, dir)
		case x.Copy != nil:
			return within(path.Clean(x.Copy.To), dir)
		}
		return x.Entry != nil && x.Entry.Type == "directory" && x.Entry.Path == dir
	})
	switch {
	case at < 0:
		at = len(steps)
	case steps[at].Entry != nil:
		return // it is what makes the folder
	}
	s.inst.Steps = slices.Insert(steps, at, Step{Range: s.body.Workdir.Range, Entry: &Entry{Type: "directory", Path: s.body.Workdir.V}})
}

// within reports whether a path is a folder or below it.
func within(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

func (s *state) add(step Step) { s.inst.Steps = append(s.inst.Steps, step) }

func octal(mode uint32) string { return fmt.Sprintf("%04o", mode) }

// entryOwner is the owner of what the spec itself writes: root, where
// nothing is said.
func (p *planner) entryOwner(s *state, v spec.Attr[string]) string {
	if v.V == "" {
		return rootUser
	}
	return p.owner(s, v)
}

func userStep(a accounts, u *spec.User) *User {
	acc := a.users[u.Name]
	out := &User{
		Name: u.Name, UID: acc.uid, GID: acc.gid, Home: u.Home.V, Shell: u.Shell.V,
		Groups: u.Groups.V, OwnGroup: !u.Group.Set,
	}
	if out.Home == "" {
		out.Home = "/home/" + u.Name
	}
	if out.Shell == "" {
		out.Shell = "/usr/sbin/nologin"
	}
	return out
}

func (p *planner) copy(s *state, c *spec.Copy) {
	from := c.From.V
	if from.Kind == "" {
		from = defaultContext(s)
	}
	at := c.From.Range
	if at.IsZero() {
		at = c.Range
	}
	in, ok := p.input(s, from, at)
	out := &Copy{
		From: in, Sources: c.Source.V, To: p.destination(s, c.To), Exclude: c.Exclude.V, Parents: c.Parents, Unpack: c.Unpack,
	}
	if c.Owner.Set {
		out.Owner = p.owner(s, c.Owner)
	}
	if c.Mode.Set {
		out.Mode = octal(c.Mode.V)
	}
	s.add(Step{Range: c.Range, Copy: out})
	s.below.opaque = true
	if ok && from.Kind == spec.KindContext {
		p.checkCopy(s, c, p.context(from))
	}
}

func defaultContext(s *state) spec.Addr {
	return spec.Addr{Module: s.key.addr.Module, Kind: spec.KindContext, Name: "default"}
}

// destination is absolute. A relative one needs a workdir that the spec
// says: a base's may change with its next version.
func (p *planner) destination(s *state, to spec.Attr[string]) string {
	dir := to.V
	if !path.IsAbs(dir) {
		if !s.specWorkdir {
			p.ds = append(p.ds, relativeTo(s, to))
			return "/"
		}
		dir = path.Join(s.inst.Config.Workdir, dir)
	}
	dir = path.Clean(dir)
	if into := strings.HasSuffix(to.V, "/") || strings.HasSuffix(to.V, "/."); into && dir != "/" {
		dir += "/"
	}
	return dir
}
