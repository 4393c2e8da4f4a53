package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec"
)

// defaultPath is what a step sees where nothing sets PATH: Docker's.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// epoch is SOURCE_DATE_EPOCH of every step, 1980-01-01: the constant of
// layers, which zip can say too.
const epoch = "315532800"

// descriptions are the labels that describe the image they stand on, and so
// are wrong on one built from it.
const descriptions = "org.opencontainers.image."

func withoutDescriptions(labels []KV) []KV {
	var out []KV
	for _, l := range labels {
		if !strings.HasPrefix(l.Name, descriptions) {
			out = append(out, l)
		}
	}
	return out
}

// baseConfig is a base's configuration in our words, its user as numbers.
func baseConfig(c pin.ImageConfig, f pin.Facts) Config {
	out := Config{
		Entrypoint: c.Entrypoint, Cmd: c.Cmd, Workdir: c.WorkingDir, StopSignal: c.StopSignal,
		Ports: slices.Sorted(maps.Keys(c.ExposedPorts)), Volumes: slices.Sorted(maps.Keys(c.Volumes)),
	}
	if c.User != "" {
		out.User = fmt.Sprintf("%d:%d", f.UID, f.GID)
	}
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		out.Env = set(out.Env, name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		out.Labels = append(out.Labels, KV{name, c.Labels[name]})
	}
	out.Labels = withoutDescriptions(out.Labels)
	if h := c.Healthcheck; h != nil && len(h.Test) > 0 {
		out.Healthcheck = &Healthcheck{Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries}
		switch h.Test[0] {
		case "NONE":
			out.Healthcheck = &Healthcheck{None: true}
		case "CMD":
			out.Healthcheck.Command = h.Test[1:]
		case "CMD-SHELL": // Docker runs it so
			out.Healthcheck.Command = append([]string{"/bin/sh", "-c"}, h.Test[1:]...)
		}
	}
	return out
}

// set is the list with one value more, sorted; lists are not changed in
// place, since instances share what they inherit.
func set(list []KV, name, value string) []KV {
	i, ok := find(list, name)
	out := slices.Clone(list)
	if ok {
		out[i].Value = value
		return out
	}
	return slices.Insert(out, i, KV{name, value})
}

func unset(list []KV, name string) []KV {
	i, ok := find(list, name)
	if !ok {
		return list
	}
	return slices.Delete(slices.Clone(list), i, i+1)
}

func find(list []KV, name string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(kv KV, n string) int { return strings.Compare(kv.Name, n) })
}

func merge(list []KV, vars []spec.EnvVar) []KV {
	for _, v := range vars {
		if v.Unset {
			list = unset(list, v.Name)
		} else {
			list = set(list, v.Name, v.Value)
		}
	}
	return list
}

// prepend puts folders before PATH.
func prepend(env []KV, dirs []string) []KV {
	if len(dirs) == 0 {
		return env
	}
	path := defaultPath
	if i, ok := find(env, "PATH"); ok && env[i].Value != "" {
		path = env[i].Value
	}
	return set(env, "PATH", strings.Join(dirs, ":")+":"+path)
}

// config applies language.md, "Config and users", to what was inherited.
func (p *planner) config(s *state) {
	b, c := s.body, &s.inst.Config
	c.Env = merge(c.Env, b.Env)
	if b.Image != nil {
		for _, name := range b.Image.UnsetEnv.V {
			c.Env = unset(c.Env, name)
		}
	}
	c.Env = prepend(c.Env, b.PathPrepend.V)
	if b.Workdir.Set {
		s.newWorkdir = b.Workdir.V != "/" && !(s.specWorkdir && c.Workdir == b.Workdir.V)
		c.Workdir = b.Workdir.V
		s.specWorkdir = true
	}
	if b.Image != nil {
		p.imageConfig(s)
	}
}

func (p *planner) imageConfig(s *state) {
	b, c := s.body.Image, &s.inst.Config
	if b.RunAs.Set {
		c.User = p.configUser(s, b.RunAs)
	}
	if b.Entrypoint.Set {
		c.Entrypoint, c.Cmd = orNone(b.Entrypoint.V), nil
	}
	if b.Cmd.Set {
		c.Cmd = orNone(b.Cmd.V)
	}
	if b.Expose.Set {
		c.Ports = ports(b.Expose.V)
	}
	if b.Volumes.Set {
		c.Volumes = sortedSet(b.Volumes.V)
	}
	c.Labels = merge(c.Labels, b.Labels)
	for _, name := range b.UnsetLabels.V {
		c.Labels = unset(c.Labels, name)
	}
	if b.StopSignal.Set {
		c.StopSignal = b.StopSignal.V
	}
	if h := b.Healthcheck; h != nil {
		c.Healthcheck = &Healthcheck{
			None: h.None, Command: h.Command, Interval: int64(h.Interval), Timeout: int64(h.Timeout),
			StartPeriod: int64(h.StartPeriod), Retries: h.Retries,
		}
	}
	s.inst.Annotations = p.annotations(s)
}

// annotations name the base, by which scanners tell what an image stands on;
// what the spec says itself wins.
func (p *planner) annotations(s *state) []KV {
	var out []KV
	if s.base != nil {
		if s.base.name != "" {
			out = set(out, descriptions+"base.name", s.base.name)
		}
		out = set(out, descriptions+"base.digest", s.base.digest)
	}
	return merge(out, s.body.Image.Annotations)
}

func ports(list []spec.Port) []string {
	var out []string
	for _, p := range list {
		protocol := p.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		out = append(out, fmt.Sprintf("%d/%s", p.Number, protocol))
	}
	return sortedSet(out)
}

func sortedSet(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return orNone(slices.Compact(out))
}

// orNone makes an empty list nil, so that a plan that was written and read
// back is the same plan.
func orNone(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// stepEnv is what a step sees, but for HOME, which the engine takes from the
// root's passwd.
func stepEnv(c Config, r *spec.Run) []KV {
	env := prepend(merge(c.Env, r.Env), r.PathPrepend.V)
	if _, ok := find(env, "PATH"); !ok {
		env = set(env, "PATH", defaultPath)
	}
	if _, ok := find(env, "SOURCE_DATE_EPOCH"); !ok {
		env = set(env, "SOURCE_DATE_EPOCH", epoch)
	}
	return env
}
