package planner

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// Packages that a program of the image installs or configures are a command
// in the sandbox: a script of ours, which is given the packages as arguments
// and so never reads one as its own text.

//go:embed scripts/common.sh
var commonScript string

//go:embed scripts/debian.sh
var debianScript string

//go:embed scripts/apt.sh
var aptScript string

//go:embed scripts/apk.sh
var apkScript string

//go:embed scripts/dnf.sh
var dnfScript string

//go:embed scripts/configure.sh
var configureScript string

// manager is a package manager that a base may bring along.
type manager struct {
	program string // that is called
	pkg     string // Debian's package with it
	script  string
	debian  bool            // packages run maintainer scripts of Debian's
	version string          // what stands between a name and its version
	weak    map[bool]string // how `recommends` is said; nil where there is no such thing
}

// managerOf gives the manager of packages "name"; deb has none.
func managerOf(name string) (manager, bool) {
	switch name {
	case "apt":
		return manager{
			program: "apt-get", pkg: "apt", script: debianScript + aptScript, debian: true, version: "=",
			weak: map[bool]string{true: "true", false: "false"},
		}, true
	case "apk":
		return manager{program: "apk", pkg: "apk-tools", script: apkScript, version: "="}, true
	case "dnf":
		return manager{program: "dnf", pkg: "dnf", script: dnfScript, version: "-", weak: map[bool]string{true: "True", false: "False"}}, true
	}
	return manager{}, false
}

// packagesDir is where a manager's script finds its cache: a folder that no
// package ships and no hook of a base cleans.
const packagesDir = "/run/specbuild/packages"

// packagesCache bounds a manager's cache, in bytes: what was used longest ago
// leaves first.
const packagesCache = 4 << 30

// program makes one text of a script without its comments and empty lines,
// which are for readers of it and would change keys.
func program(parts ...string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Join(parts, "")) {
		if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(t, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// managerRun is the command of a script: root, in /, with a /tmp that is
// thrown away.
func managerRun(s *state, debian bool, shown []string, script string, args ...string) *Run {
	env := stepEnv(s.inst.Config, &spec.Run{})
	env = set(set(env, "LC_ALL", "C.UTF-8"), "TZ", "UTC")
	if debian {
		env = set(env, "DEBIAN_FRONTEND", "noninteractive")
		env = set(env, "DEBCONF_NONINTERACTIVE_SEEN", "true")
		env = set(env, "SYSTEMD_OFFLINE", "1")
	}
	return &Run{
		Args: slices.Concat([]string{"/bin/sh", "-eu", "-c", script, "packages"}, args), Shown: shown,
		Env: env, Workdir: "/", User: rootUser, Network: "none",
		Mounts: []Mount{{Type: "tmpfs", Target: "/tmp"}},
	}
}

// managed is a packages step by the base's own manager.
func (p *planner) managed(s *state, k *spec.Packages, m manager) {
	p.runnable(s, k.Range)
	if !p.brought(s, k, m) {
		return
	}
	settings := "cache=" + packagesDir + "\n"
	if m.weak != nil {
		settings += "recommends=" + m.weak[k.Recommends] + "\n"
	}
	var args []string
	for _, name := range k.Install.V {
		args = append(args, strings.Replace(name, "=", m.version, 1))
	}
	shown := slices.Concat([]string{"packages", k.Manager}, args)
	run := managerRun(s, m.debian, shown, program(commonScript, settings, m.script), args...)
	run.Network = "outbound"
	id := strings.Join([]string{strconv.Quote(p.in.Spec.Name), strconv.Quote("packages " + k.Manager + " of " + distribution(s)), s.inst.Platform, "0"}, " ")
	run.Mounts = append(run.Mounts, Mount{Type: "cache", Target: packagesDir, CacheID: id, Sharing: "locked", MaxSize: packagesCache})
	s.add(Step{Range: k.Range, Packages: &Packages{
		Manager: k.Manager, Install: k.Install.V, Recommends: k.Recommends, Run: run,
	}})
	s.below.manager, s.below.opaque = m.program, true
}

// distribution names what a chain begins with. Managers tell archives of one
// name and size apart by nothing else (apt does not hash what it has already),
// so those of two distributions must not meet.
func distribution(s *state) string {
	switch {
	case s.base == nil:
		return s.below.repo
	case s.base.name == "":
		return s.base.digest
	default:
		return s.base.name
	}
}

// brought refuses a manager that nothing can have brought. Where a base is
// below, a copy or a command, that is seen when the step runs.
func (p *planner) brought(s *state, k *spec.Packages, m manager) bool {
	switch {
	case s.broken, s.below.foreign, s.below.opaque, s.below.has(m.pkg), p.unpinned && len(s.below.requests) > 0:
		return true
	}
	p.ds.Errorf(k.Range, "There is no such package manager here",
		"%s is built from scratch, and nothing below this step brings %s. Build `from` a base that has it, or use packages \"deb\", which needs none.",
		s.key.addr.Local(), m.program)
	return false
}

// configured is the command that runs the maintainer scripts of a closure.
func (p *planner) configured(s *state, k *spec.Packages) *Run {
	p.runnable(s, k.Range)
	for _, need := range []struct{ what, packages string }{
		{"dpkg", "dpkg"}, {"a shell", "dash bash busybox-static"}, {"cp and rm", "coreutils busybox-static"},
	} {
		names := strings.Fields(need.packages)
		if !p.unpinned && !slices.ContainsFunc(names, s.below.has) {
			p.ds.Errorf(k.Range, "Packages cannot be configured here",
				"Maintainer scripts need %s, which no package of %s brings. Add %q to `install`, from an archive that has it.", need.what, s.key.addr.Local(), names[0])
			return nil
		}
	}
	return managerRun(s, true, []string{"packages", k.Manager, "configure"}, program(commonScript, debianScript, configureScript))
}

// agree refuses packages of which some are configured and others not: the
// database would say of all that they are installed.
func (p *planner) agree(s *state, k *spec.Packages) bool {
	i := slices.IndexFunc(s.below.ranges, func(b configuredAt) bool { return b.configure != k.Configure })
	if i < 0 {
		return true
	}
	p.ds = append(p.ds, diag.Diagnostic{
		Severity: diag.Error, Summary: "Packages of one image are configured in two ways", Range: k.Range,
		Detail: "Maintainer scripts of these packages count on those of the packages below. Say the same `configure` in both.",
		Notes:  []diag.Note{{Message: "the packages below", Range: s.below.ranges[i].at}},
	})
	return false
}
