package rules

import (
	"slices"
	"strings"
)

// Package managers of distributions differ in words, not in what they do.

// action is what a package manager is asked to do.
type action string

const (
	install action = "install"
	upgrade action = "upgrade" // all packages, or those named
	update  action = "update"  // its index
	remove  action = "remove"
	clean   action = "clean"
	other   action = ""
)

// manager is what rules know of one.
type manager struct {
	family  string // of one configuration and cache
	options syntaxOf
	verbs   map[string]action
	yes     []string // options that answer every question
}

func verbs(m map[action]string) map[string]action {
	out := map[string]action{}
	for a, words := range m {
		for w := range strings.FieldsSeq(words) {
			out[w] = a
		}
	}
	return out
}

// managers are the known ones, by name. apk asks nothing.
func managerOf(name string) (manager, bool) {
	switch name {
	case "apt", "apt-get", "aptitude":
		return manager{
			family:  "apt",
			options: syntaxOf{"octaP", []string{"--option", "--config-file", "--target-release", "--default-release", "--host-architecture", "--build-profiles"}},
			verbs: verbs(map[action]string{
				install: "install reinstall satisfy build-dep", update: "update", upgrade: "upgrade dist-upgrade full-upgrade safe-upgrade",
				remove: "remove purge autoremove autopurge", clean: "clean autoclean dist-clean distclean",
			}),
			yes: []string{"-y", "--yes", "--assume-yes", "--force-yes", "--trivial-only", "-s", "--simulate", "--dry-run", "--just-print", "--no-act", "--recon", "--print-uris"},
		}, true
	case "dnf", "dnf5", "yum", "microdnf", "tdnf":
		return manager{
			family: "dnf",
			options: syntaxOf{"cdeRx", []string{
				"--config", "--debuglevel", "--errorlevel", "--enablerepo", "--disablerepo", "--repo", "--repoid", "--setopt", "--exclude", "--excludepkgs",
				"--releasever", "--installroot", "--forcearch", "--advisory", "--advisories", "--bz", "--cve", "--disableplugin", "--enableplugin", "--color",
				"--comment", "--destdir", "--downloaddir", "--repofrompath", "--sec-severity", "--secseverity",
			}},
			verbs: verbs(map[action]string{
				install: "install localinstall groupinstall reinstall builddep", update: "makecache", upgrade: "upgrade update upgrade-minimal update-minimal distro-sync dsync",
				remove: "remove erase autoremove", clean: "clean",
			}),
			yes: []string{"-y", "--assumeyes", "--assumeno", "--downloadonly"},
		}, true
	case "zypper":
		return manager{
			family: "zypper",
			options: syntaxOf{"cCRprt", []string{
				"--config", "--userdata", "--root", "--installroot", "--reposd-dir", "--cache-dir", "--raw-cache-dir", "--solv-cache-dir", "--pkg-cache-dir",
				"--plus-repo", "--plus-content", "--repo", "--type", "--from",
			}},
			verbs: verbs(map[action]string{
				install: "install in source-install si", update: "refresh ref", upgrade: "update up patch dist-upgrade dup",
				remove: "remove rm", clean: "clean cc",
			}),
			yes: []string{"-y", "--no-confirm", "-n", "--non-interactive", "--dry-run", "--download-only"},
		}, true
	case "apk":
		return manager{
			family:  "apk",
			options: syntaxOf{"Xpt", []string{"--repository", "--root", "--arch", "--cache-dir", "--cache-max-age", "--keys-dir", "--repositories-file", "--virtual", "--wait", "--progress-fd", "--timeout"}},
			verbs:   verbs(map[action]string{install: "add", update: "update", upgrade: "upgrade fix", remove: "del", clean: "cache"}),
		}, true
	}
	return manager{}, false
}

// managed is a call of a package manager.
type managed struct {
	call
	options
	manager
	does  action
	verb  int   // index of its word
	names []int // indexes of the words behind it that are no options
}

// manages tells what a call asks a package manager for; ok is false for
// everything else, and where only the run knows.
func manages(c call) (m managed, ok bool) {
	mgr, ok := managerOf(c.name)
	if !ok {
		return managed{}, false
	}
	o := c.parse(mgr.options)
	if len(o.operands) == 0 || strings.Contains(c.args[o.operands[0]], dynamic) {
		return managed{}, false
	}
	m = managed{call: c, options: o, manager: mgr, verb: o.operands[0], names: o.operands[1:]}
	m.does = mgr.verbs[c.args[m.verb]]
	return m, true
}

// managers are the calls of a script that ask a package manager for one of
// the actions.
func (s *script) managers(actions ...action) []managed {
	var out []managed
	for _, c := range s.calls {
		if m, ok := manages(c); ok && slices.Contains(actions, m.does) {
			out = append(out, m)
		}
	}
	return out
}

func off(value string) bool {
	return slices.Contains([]string{"0", "false", "no", "off", "n"}, strings.ToLower(strings.Trim(value, `"';`)))
}

func truth(value string) bool {
	return slices.Contains([]string{"1", "true", "yes", "on", "y"}, strings.ToLower(strings.Trim(value, `"';`)))
}
