package dockerfile

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// A stage says once what all its steps have in common, while a Dockerfile
// changes it from instruction to instruction. So a stage gets what holds at its
// end, and an earlier step says what differed then, but only where its command
// can tell: a spec in which each step undoes half of the environment is one
// that nobody reads.

// stepEnv is the environment of a step beside its stage's: the arguments that
// it reads, and what the stage's end differs in.
func (st *stage) stepEnv(s *step, env []pair, read map[string]bool, calls []call) []pair {
	has := func(name string) bool {
		return slices.ContainsFunc(env, func(p pair) bool { return p.key == name })
	}
	any := func(f func(call) bool) bool { return len(calls) == 0 || slices.ContainsFunc(calls, f) }
	quiet := !any(func(c call) bool { return !c.quiet() })
	deaf := !any(func(c call) bool { return !c.deaf() })
	opaque := slices.ContainsFunc(calls, call.opaque)
	for _, a := range st.args {
		// The later of ARG and ENV holds.
		b, there := s.at.scope[a.name]
		if !there || has(a.name) || b.line != a.line || !read[a.name] && !opaque && (quiet || !implicit(a.name)) {
			continue
		}
		v, _ := s.at.scope.get(a.name)
		if len(v) > 0 {
			env = append(env, pair{key: a.name, value: v.hcl()})
		}
	}
	for _, name := range st.order {
		if has(name) || name == "PATH" {
			continue
		}
		then, set := s.at.env[name]
		switch {
		case set && then.equal(st.env[name]), !read[name] && (quiet || deaf && !implicit(name)):
		case set:
			env = append(env, pair{key: name, value: then.hcl()})
		default:
			env = append(env, pair{key: name, value: "null"})
		}
	}
	return env
}

// implicit are variables that programs read without being told so.
func implicit(name string) bool {
	for _, prefix := range []string{"GO", "CGO_", "NPM_", "NODE_", "PIP_", "UV_", "POETRY_", "CARGO_", "RUST", "MAVEN_", "GRADLE_", "DOTNET_", "BUNDLE_", "COMPOSER_", "DEBIAN_FRONTEND", "DEBCONF_", "VITE_", "NEXT_PUBLIC_", "REACT_APP_", "NUXT_", "VUE_APP_", "RAILS_", "RACK_", "MIX_", "HEX_", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CC", "CXX", "MAKEFLAGS", "LANG", "LC_", "TZ", "JAVA_", "YARN_", "PNPM_", "DJANGO_", "APP_", "CI", "SOURCE_DATE_EPOCH"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// writeWhere writes a step's folder and user where they are not the stage's.
func (st *stage) writeWhere(s *step) {
	b := s.block
	if s.at.hasWorkdir && !s.at.workdir.equal(st.workdir) {
		b.set("workdir", s.at.workdir.hcl())
	} else if !s.at.hasWorkdir && st.hasWorkdir {
		dir := s.at.workdir
		if len(dir) == 0 {
			dir = literal("/")
			st.im.note(st.line, Changed, "Steps before WORKDIR run in /; the base's own workdir is not known here.")
		}
		b.set("workdir", dir.hcl())
	}
	if !s.at.hasUser || len(s.at.user) == 0 {
		return
	}
	if s.at.runsAsRoot() && st.from.known.user == "0" {
		return
	}
	b.set("user", st.owner(b, s.at.user))
}

// writeNetwork gives a step a network if what it calls is known to fetch.
func (st *stage) writeNetwork(s *step, calls []call) {
	r, b := s.run, s.block
	switch r.network {
	case instructions.NetworkNone:
		return
	case instructions.NetworkHost:
		b.set("network", `"host"`)
		st.im.note(r.line, Changed, "RUN --network=host works only where it is granted: apply --allow network.host.")
		return
	}
	for _, m := range r.mounts {
		if m.Type == instructions.MountTypeSSH {
			b.set("network", `"outbound"`)
			return
		}
	}
	quiet := len(calls) > 0
	for _, c := range calls {
		if c.fetches(r.prepared) {
			b.set("network", `"outbound"`)
			return
		}
		quiet = quiet && c.quiet()
	}
	if !quiet {
		st.im.offline = append(st.im.offline, r.line)
	}
}
