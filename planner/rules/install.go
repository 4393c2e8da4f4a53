package rules

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// Options of an installing command that a `packages` step has by itself.
var installOptions = map[string][]string{
	"apt": {"-y", "--yes", "--assume-yes", "-q", "-qq", "--quiet", "--no-install-recommends"},
	"apk": {"--no-cache", "-q", "--quiet", "-U", "--update-cache"},
	"dnf": {"-y", "--assumeyes", "-q", "--quiet", "--setopt", "--nodocs"},
}

// packagesFix writes a `packages` step in the place of the commands that a
// run step begins with, if they install packages of which each has a version:
// without one, the step would break packages-pinned, and a fix that brings
// another finding is none. What is only recommended is left out by then.
func (d *docket) packagesFix(st runStep, found managed) *diag.Fix {
	commands, ends, whole := st.opening()
	var names []string
	last := -1
	for i, c := range commands {
		m, ok := manages(c.call)
		switch {
		case ok && m.family == found.family && m.does == install:
			list, plain := m.plainInstall()
			if !plain {
				return nil
			}
			names, last = append(names, list...), i
			continue
		case ok && m.family == found.family && (m.does == update || m.does == clean):
			continue
		case c.call.removes(cacheKinds[found.family].parts):
			continue
		}
		commands, ends, whole = commands[:i], ends[:i], false
		break
	}
	if last < 0 || len(names) == 0 || !d.asRoot(st.body(), st.run) || !d.based(st.inst) || !st.onlyFor(found.family) {
		return nil
	}
	step := d.writeStep(st.run.Range, "packages", found.family, [][2]string{{"install", quotedList(names)}})
	upTo := -1
	if !whole {
		upTo = ends[len(ends)-1]
	}
	return d.instead(st, []string{step}, commands[0], upTo, "user", "network", "cache", "mount", "env")
}

func quotedList(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strconv.Quote(w)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// plainInstall gives the packages of a command that a `packages` step says
// all of: names with versions, and no option that changes what they mean.
func (m managed) plainInstall() (names []string, ok bool) {
	for _, f := range m.flags {
		if !slices.Contains(installOptions[m.family], f.name) || f.name == "--setopt" && !strings.HasPrefix(f.value, "install_weak_deps=") {
			return nil, false
		}
	}
	if verb := m.args[m.verb]; m.open || m.tested || verb != "install" && verb != "add" {
		return nil, false
	}
	if w, weak := weak[m.family]; weak && m.name != "yum" && m.name != "microdnf" && m.name != "tdnf" && !m.has(w.flag) && !m.configures(w.setting) {
		return nil, false
	}
	for _, i := range m.names {
		name, version, given := strings.Cut(m.args[i], "=")
		if !given || name == "" || version == "" || strings.ContainsAny(m.args[i], `<>~"'\$%`) && !strings.Contains(version, "~") || !packageName(m.args[i]) {
			return nil, false
		}
		names = append(names, m.args[i])
	}
	return names, true
}

// removes reports whether a command does nothing but remove caches.
func (c call) removes(parts []string) bool {
	return c.name == "rm" && len(c.args) > 0 && !slices.ContainsFunc(c.args, func(w string) bool {
		return !strings.HasPrefix(w, "-") && !slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(w, p) && path.IsAbs(w) })
	})
}

// based reports whether a chain begins with a base, which brings the manager.
func (d *docket) based(inst *Instance) bool {
	chain := d.chain(inst)
	return chain[len(chain)-1].Body.From.V.Kind == spec.KindBase
}

// onlyFor reports whether what else a step says is about its package manager:
// the network, the folders that it caches in, that it asks nothing.
func (st runStep) onlyFor(family string) bool {
	r := st.run
	cache := func(m spec.Mount) bool {
		return m.Type == "cache" && slices.ContainsFunc(append([]string{"/var/cache", "/var/lib/apt"}, cacheKinds[family].dirs...), func(dir string) bool { return below(m.Target.V, dir) })
	}
	quiet := func(v spec.EnvVar) bool { return v.Name == "DEBIAN_FRONTEND" }
	return r.Network.V == "outbound" && !slices.ContainsFunc(r.Mounts, func(m spec.Mount) bool { return !cache(m) }) &&
		!slices.ContainsFunc(r.Env, func(v spec.EnvVar) bool { return !quiet(v) })
}
