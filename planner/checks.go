package planner

import (
	"path"

	"github.com/specbuild/specbuild/spec"
)

// tests resolves an image's tests against its final configuration.
func (p *planner) tests(s *state) {
	seen := map[string]bool{}
	for i := range s.body.Image.Tests {
		t := &s.body.Image.Tests[i]
		if seen[t.Name] {
			p.ds.Errorf(t.Range, "Two tests have one name", "%q is a test of %s already.", t.Name, s.key.addr.Local())
			continue
		}
		seen[t.Name] = true
		s.inst.Tests = append(s.inst.Tests, p.test(s, t))
	}
}

func (p *planner) test(s *state, t *spec.Test) Test {
	c := s.inst.Config
	out := Test{
		Name: t.Name, Range: t.Range, Args: t.Command.V, Timeout: int64(t.Timeout.V), User: runUser(c.User, s.accounts),
		Workdir: p.stepWorkdir(s, t.Workdir), ExitCode: t.Expect.ExitCode,
		StdoutContains: t.Expect.StdoutContains, StdoutMatches: t.Expect.StdoutMatches,
		StderrContains: t.Expect.StderrContains, StderrMatches: t.Expect.StderrMatches, Absent: t.Absent.V,
	}
	if t.User.Set {
		out.User = p.owner(s, t.User)
	}
	if len(out.Args) > 0 {
		out.Env = merge(c.Env, t.Env)
		if _, ok := find(out.Env, "PATH"); !ok {
			out.Env = set(out.Env, "PATH", defaultPath)
		}
	}
	for _, f := range t.Files {
		file := TestFile{Path: path.Clean(f.Path), Contains: f.Contains.V}
		if f.Mode.Set {
			file.Mode = octal(f.Mode.V)
		}
		if f.Owner.Set {
			file.Owner = p.owner(s, f.Owner)
		}
		out.Files = append(out.Files, file)
	}
	return out
}
