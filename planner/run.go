package planner

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func relativeTo(s *state, to spec.Attr[string]) diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: "copy-destination-absolute", Summary: "A relative destination without a workdir", Range: to.Range,
		Detail: fmt.Sprintf("%q is relative, and neither %s nor a stage or image that it is built from says `workdir`. Say `workdir`, or begin with a slash.",
			to.V, s.key.addr.Local()),
	}
	if w := s.inst.Config.Workdir; w != "" {
		d.Detail += fmt.Sprintf(" The base's own (%s) may change with its next version.", w)
	}
	return d
}

func (p *planner) run(s *state, r *spec.Run) {
	p.runnable(s, r.Range)
	out := &Run{
		Args: args(s.body, r), Env: stepEnv(s.inst.Config, r), Workdir: p.stepWorkdir(s, r.Workdir), User: p.stepUser(s, r.User),
		Network: p.network(r.Network), Outputs: cleanPaths(r.Outputs.V), OutputsOn: r.Outputs.Set,
		Timeout: int64(r.Timeout.V), Memory: r.Resources.Memory.V, CPUs: r.Resources.CPUs.V,
		Pids: r.Resources.Pids.V, Shm: r.Resources.Shm.V,
	}
	out.Hosts = kvs(r.Hosts)
	targets := map[string]diag.Range{}
	for i := range r.Mounts {
		m := p.mount(s, out, &r.Mounts[i])
		if first, twice := targets[m.Target]; twice && m.Target != "" {
			p.ds = append(p.ds, diag.Diagnostic{
				Severity: diag.Error, Summary: "Two mounts at one place", Range: r.Mounts[i].Range,
				Detail: fmt.Sprintf("Both are mounted at %s: only the last would be seen. Give one of them another target.", m.Target),
				Notes:  []diag.Note{{Message: "the first one", Range: first}},
			})
		}
		targets[m.Target] = r.Mounts[i].Range
		out.Mounts = append(out.Mounts, m)
	}
	s.add(Step{Range: r.Range, Run: out})
	s.below.opaque = true
}

// runnable refuses, at plan time, a step that this machine cannot run.
func (p *planner) runnable(s *state, at diag.Range) {
	if p.in.CanRun == nil {
		return
	}
	if err := p.in.CanRun(s.inst.Platform); err != nil {
		p.ds.Errorf(at, "This machine cannot run the step",
			"It runs on %s: %v. Steps of a stage with `platform = build.platform` run on the building machine's, and files of such a stage can be copied to any platform.",
			s.inst.Platform, err)
	}
}

// args is what is executed: a script is the last argument of the shell.
func args(b *spec.Body, r *spec.Run) []string {
	if !r.Script.Set {
		return r.Command.V
	}
	shell := b.Shell.V
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-eu", "-c"}
	}
	return append(slices.Clone(shell), r.Script.V)
}

func (p *planner) stepWorkdir(s *state, w spec.Attr[string]) string {
	dir := "/"
	if s.inst.Config.Workdir != "" {
		dir = s.inst.Config.Workdir
	}
	if w.Set {
		dir = path.Join(dir, w.V)
		if path.IsAbs(w.V) {
			dir = path.Clean(w.V)
		}
	}
	return dir
}

// stepUser is whom `from` hands down: run_as is for the finished image and
// for what is built from it.
func (p *planner) stepUser(s *state, u spec.Attr[string]) string {
	switch {
	case u.Set:
		return p.owner(s, u)
	case s.inherited != "":
		return s.inherited
	default:
		return rootUser
	}
}

func (p *planner) network(n spec.Attr[string]) string {
	switch {
	case n.V == "":
		return "none"
	case n.V == "host" && !slices.Contains(p.in.Allow, NetworkHost):
		p.ds = append(p.ds, diag.Diagnostic{
			Severity: diag.Error, Code: "run-privilege-declared", Summary: "The machine's network is not granted", Range: n.Range,
			Detail: `network = "host" lets the step reach every service of this machine. Say "outbound" if it only fetches something; else run with --allow ` +
				NetworkHost + `, or have a policy grant it.`,
		})
	}
	return n.V
}

func cleanPaths(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, path.Clean(s))
	}
	return out
}

// sshSocket is where a step finds the agent.
const sshSocket = "/run/specbuild/ssh-agent.sock"

func (p *planner) mount(s *state, r *Run, m *spec.Mount) Mount {
	out := Mount{Type: m.Type, Target: m.Target.V}
	if out.Target != "" {
		out.Target = path.Clean(out.Target)
	}
	switch m.Type {
	case "cache":
		p.cacheMount(s, r, m, &out)
	case "bind":
		out.Sources, out.Writable = m.Source.V, m.Writable
		from := m.From.V
		if !m.From.Set {
			from = defaultContext(s)
		}
		p.mountFrom(s, m, from, &out)
	case "tmpfs":
		out.Size = m.Size.V
	case "secret", "ssh":
		p.secretMount(r, m, &out)
	}
	return out
}

func (p *planner) mountFrom(s *state, m *spec.Mount, from spec.Addr, out *Mount) {
	at := m.From.Range
	if at.IsZero() {
		at = m.Range
	}
	in, ok := p.input(s, from, at)
	out.From = &in
	if ok && from.Kind == spec.KindContext {
		p.checkMount(s, m, p.context(from))
	}
}

// lockedDirs are where package managers keep what only one of them may
// write at a time.
var lockedDirs = []string{"/var/cache/apt", "/var/lib/apt", "/var/cache/apk", "/etc/apk/cache", "/var/cache/dnf", "/var/lib/dnf", "/var/cache/yum", "/var/cache/zypp"}

func (p *planner) cacheMount(s *state, r *Run, m *spec.Mount, out *Mount) {
	id := m.ID.V
	if id == "" {
		id = out.Target
	}
	uid, _, _ := strings.Cut(r.User, ":")
	// language.md, "run, mounts, outputs": not by stage, image or base.
	out.CacheID = strings.Join([]string{strconv.Quote(p.in.Spec.Name), strconv.Quote(id), s.inst.Platform, uid}, " ")
	out.Sharing, out.MaxSize = m.Sharing.V, m.MaxSize.V
	if !m.Sharing.Set {
		out.Sharing = "shared"
		if slices.ContainsFunc(lockedDirs, func(d string) bool { return out.Target == d || strings.HasPrefix(out.Target, d+"/") }) {
			out.Sharing = "locked"
		}
	}
	if m.From.Set {
		out.Sources = m.Source.V
		p.mountFrom(s, m, m.From.V, out)
	}
}

func (p *planner) secretMount(r *Run, m *spec.Mount, out *Mount) {
	secret := p.secrets[m.Secret.V]
	if secret == nil {
		p.ds.Errorf(m.Secret.Range, "No such secret", "%s is not declared.", m.Secret.V.Local())
		return
	}
	p.used[secret.Addr] = true
	out.Secret, out.Env = secret.Addr.String(), m.Env.V
	switch {
	case m.Type == "ssh":
		if !secret.SSH.V {
			p.ds.Errorf(m.Secret.Range, "This secret is no agent", "%s does not say `ssh = true`.", secret.Addr.Local())
		}
		out.Target = sshSocket
		r.Env = set(r.Env, "SSH_AUTH_SOCK", sshSocket)
	case secret.SSH.V:
		p.ds.Errorf(m.Secret.Range, "An agent cannot be a file", "%s says `ssh = true`: it is reached through mount \"ssh\" { agent = %s }, and its keys stay outside.",
			secret.Addr.Local(), secret.Addr.Local())
	case out.Target == "" && out.Env == "":
		out.Target = "/run/secrets/" + secret.Addr.Name
	}
}
