package lower

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/lower/dag"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/spec/diag"
)

func nanoseconds(n int64) time.Duration { return time.Duration(n) }

// local is a selection of a context, here or elsewhere, for one copy or mount alone, so that
// each is keyed on what it takes and nothing else.
func (l *lowering) local(b *built, from planner.Source, sources, exclude []string, at diag.Range) dag.ID {
	c := l.contexts[from.Context]
	if c == nil {
		l.ds.Errorf(at, "The plan does not hold this context", "%s is not listed.", from.Context)
		return l.b.Add(dag.Scratch{}, nil, dag.Meta{Title: "scratch"})
	}
	m := dag.Meta{Name: name(c.Addr), Title: words("files", all(sources)), Range: at}
	if c.Git != nil || c.HTTP != nil {
		m.Title = words("fetched files", all(sources))
	}
	exclude = slices.Concat(c.Exclude, exclude)
	switch {
	case c.Git != nil:
		m.URL, m.Ref, m.Range = c.Git.URL, c.Git.Ref, c.Git.Range
		return l.b.Add(&dag.Git{Commit: c.Git.Commit, Include: c.Include, Exclude: exclude, Sources: sources}, nil, m)
	case c.HTTP != nil:
		h := c.HTTP
		m.URL, m.Size, m.Range = h.URL, h.Size, h.Range
		return l.b.Add(&dag.HTTP{
			SHA256: h.SHA256, Name: h.Name, Unpack: h.Unpack, Include: c.Include, Exclude: exclude, Sources: sources,
		}, nil, m)
	default:
		m.Dir = c.Dir
		return l.b.Add(&dag.Local{Context: c.Path, Include: c.Include, Exclude: exclude, Sources: sources}, nil, m)
	}
}

func all(sources []string) []string {
	if len(sources) == 0 {
		return []string{"**"}
	}
	return sources
}

func (l *lowering) copy(b *built, s step) dag.ID {
	c := s.Copy
	op := &dag.Copy{Sources: c.Sources, To: c.To, Owner: c.Owner, Mode: c.Mode, Parents: c.Parents, Unpack: c.Unpack}
	var from dag.ID
	if c.From.Context != "" {
		from = l.local(b, c.From, c.Sources, c.Exclude, s.Range) // the selection leaves out what the copy does
	} else {
		op.Exclude = c.Exclude
		from = l.source(b, c.From, s.Range)
	}
	title := words("copy", l.copied(c)) + " to " + c.To
	return l.b.Add(op, []dag.ID{b.root, from}, meta(b, title, s.Range))
}

// copied is what a title says is copied: paths, or the name of what is taken
// as a whole.
func (l *lowering) copied(c *planner.Copy) []string {
	switch {
	case len(c.Sources) > 0:
		return c.Sources
	case c.From.Context != "":
		return []string{name(c.From.Context)}
	case c.From.Base != nil:
		return []string{name(c.From.Base.Addr)}
	case l.instances[c.From.Instance] != nil:
		return []string{name(l.instances[c.From.Instance].Addr)}
	default:
		return all(nil)
	}
}

// packages are unpacked, if they are locked, and then what a command does.
func (l *lowering) packages(b *built, s step) dag.ID {
	k := s.Packages
	var asked []string
	for _, x := range k.Install {
		name, _, _ := strings.Cut(x, "=")
		asked = append(asked, name)
	}
	if len(k.Packages) > 0 || k.Run == nil {
		b.root = l.unpacked(b, s, asked)
	}
	if k.Run == nil {
		return b.root
	}
	title := words("packages "+k.Manager, asked)
	if len(k.Packages) > 0 {
		title = words("configure", asked)
	}
	return l.command(b, k.Run, title, s.Range)
}

func (l *lowering) unpacked(b *built, s step, asked []string) dag.ID {
	k := s.Packages
	op := &dag.Packages{Manager: k.Manager, Arch: k.Arch, Configure: k.Configure}
	for _, x := range k.Packages {
		op.Packages = append(op.Packages, dag.Package(x))
	}
	m := meta(b, fmt.Sprintf("%s (%d in all)", words("packages", k.Install), len(k.Packages)), s.Range)
	for _, x := range asked {
		name, _, _ := strings.Cut(x, ":")
		m.Asked = append(m.Asked, name)
	}
	for _, x := range k.Mirrors {
		m.Mirrors = append(m.Mirrors, dag.Mirror(x))
	}
	return l.b.Add(op, []dag.ID{b.root}, m)
}

func (l *lowering) files(b *built, steps []planner.Step) dag.ID {
	op := &dag.Files{}
	var names []string
	for _, s := range steps {
		switch {
		case s.Entry != nil:
			op.Steps = append(op.Steps, dag.FileStep{Entry: &dag.FileEntry{
				Type: s.Entry.Type, Path: s.Entry.Path, Mode: s.Entry.Mode, Owner: s.Entry.Owner, Content: s.Entry.Content,
			}})
			names = append(names, s.Entry.Path)
		case s.User != nil:
			u := dag.User(*s.User)
			op.Steps = append(op.Steps, dag.FileStep{User: &u})
			names = append(names, "user "+u.Name)
		case s.Group != nil:
			g := dag.Group(*s.Group)
			op.Steps = append(op.Steps, dag.FileStep{Group: &g})
			names = append(names, "group "+g.Name)
		}
	}
	return l.b.Add(op, []dag.ID{b.root}, meta(b, clip("write "+strings.Join(names, ", ")), steps[0].Range))
}

func (l *lowering) run(b *built, s step) dag.ID {
	return l.command(b, s.Run, runTitle(s.Run.Args), s.Range)
}

func (l *lowering) command(b *built, r *planner.Run, title string, at diag.Range) dag.ID {
	op := &dag.Run{
		Args: r.Args, Shown: r.Shown, Env: kvs(r.Env), Workdir: r.Workdir, User: r.User, Network: r.Network, Hosts: kvs(r.Hosts),
		Outputs: r.Outputs, OutputsOn: r.OutputsOn, Platform: b.inst.Platform,
	}
	if to := b.inst.Targets; len(to) == 1 && to[0] != b.inst.Platform {
		title += " for " + strings.TrimPrefix(to[0], "linux/") // else a cross compilation's steps look alike
	}
	m := meta(b, title, at)
	m.Timeout = nanoseconds(r.Timeout)
	m.Limits = dag.Limits{Memory: r.Memory, CPUs: r.CPUs, Pids: r.Pids, Shm: r.Shm}
	inputs := []dag.ID{b.root}
	for _, x := range r.Mounts {
		mount := dag.Mount{Type: x.Type, Target: x.Target, Env: x.Env, Sources: x.Sources, Writable: x.Writable, Size: x.Size}
		if x.From != nil {
			mount.Input = len(inputs)
			inputs = append(inputs, l.mounted(b, x, at))
		}
		switch x.Type {
		case "cache":
			m.Caches = append(m.Caches, dag.CacheMount{ID: x.CacheID, Sharing: x.Sharing, MaxSize: x.MaxSize})
		case "secret", "ssh":
			secret := l.secret(x.Secret, at)
			if mount.Optional = secret.Optional; x.Type == "secret" { // there is one agent, whoever names it
				mount.Secret = secret.Addr
			}
			m.Secrets = append(m.Secrets, secret)
		}
		op.Mounts = append(op.Mounts, mount)
	}
	return l.b.Add(op, inputs, m)
}

func (l *lowering) mounted(b *built, m planner.Mount, at diag.Range) dag.ID {
	if m.From.Context != "" {
		return l.local(b, *m.From, m.Sources, nil, at)
	}
	return l.source(b, *m.From, at)
}

func (l *lowering) secret(addr string, at diag.Range) dag.Secret {
	s := l.secrets[addr]
	if s == nil {
		l.ds.Errorf(at, "The plan does not hold this secret", "%s is not listed.", addr)
		return dag.Secret{}
	}
	return dag.Secret{
		Addr: s.Addr, Env: s.Env, File: s.File, Command: s.Command, SSH: s.SSH, Optional: s.Optional, Range: s.Range,
	}
}

// runTitle is the command, or the first line of a script that says
// something.
func runTitle(args []string) string {
	if n := len(args); n > 0 && strings.Contains(args[n-1], "\n") {
		for line := range strings.Lines(args[n-1]) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				return clip("run " + line + " …")
			}
		}
	}
	return words("run", args)
}

func words(verb string, list []string) string { return clip(verb + " " + strings.Join(list, " ")) }

// clip keeps a title on one line of a terminal.
func clip(s string) string {
	const most = 72
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
