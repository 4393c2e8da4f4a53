package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func packageRules() []Rule {
	return slices.Concat([]Rule{
		{
			ID: "packages-pinned", Severity: diag.Warning, By: ByJudge, Title: "Packages have their versions in the lock, or in the spec",
			Why: "What an archive offers changes several times a day. Those of packages \"deb\" are in the lock; without one this is advice, with --locked an error. " +
				"What a base's own package manager fetches is in no lock, so the spec says its versions.",
			Bad: `base "os" {
  image = "docker.io/library/debian:trixie-slim"
}
image "web" {
  from   = base.os
  run_as = "10001"
  packages "apt" {
    install = ["curl"]
  }
}`,
			Good: `base "os" {
  image = "docker.io/library/debian:trixie-slim"
}
image "web" {
  from   = base.os
  run_as = "10001"
  packages "apt" {
    install = ["curl=8.14.1-2"]
  }
}`,
			Mend:    "Run `specbuild lock` and commit specbuild.lock; `validate --fix` pins what the lock lacks. Of packages that a base's own manager fetches, write the versions: only that manager, in that base, knows them.",
			Sources: []string{"DL3008", "DL3018", "DL3033", "DL3037", "DL3041", "KICS apt_get_install_pin_version_not_defined"},
			check:   unpinnedPackages,
		},
	}, languagePackageRules(), packageScriptRules(), []Rule{devToolRule()}, []Rule{
		{
			ID: "packages-repo-trusted", By: ByLanguage, Title: "An archive that is not the distribution's own comes with its key",
			Why: "What is installed is what a key has signed, wherever it was fetched from. The keys of Debian's archives are built in.",
			Bad: `repository "vendor" {
  type = "deb"
  source {
    url        = "https://deb.example.com"
    suites     = ["stable"]
    components = ["main"]
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
}`,
			Mend:    `Give the archive's key: signed_by = file("vendor.asc").`,
			Sources: []string{"CIS-4.11"},
		},
	})
}

func unpinnedPackages(d *docket) {
	for _, inst := range d.Instances {
		for _, step := range inst.Body.Steps {
			p, ok := step.(*spec.Packages)
			switch {
			case !ok || p.Install.Unknown:
			case p.Manager != "deb":
				d.unversioned(inst.Body.Addr, p)
			case d.unpinned():
				// One that lacks packages is stale, which the planner says. A
				// version in `install` pins one package, and none of those that
				// it needs.
				d.found(inst.Body.Addr, or(p.Install.Range, p.Range), "The packages are not pinned",
					"There is no lock with the versions of what %s installs, so the archive of the day decides. Run `specbuild lock` and commit specbuild.lock.", inst.Body.Addr.Local())
			}
		}
	}
}

// unversioned is one finding for a step, at the one name that has no version
// or at the list.
func (d *docket) unversioned(addr spec.Addr, p *spec.Packages) {
	var names []string
	for _, name := range p.Install.V {
		if !strings.Contains(name, "=") {
			names = append(names, name)
		}
	}
	at, are, each := or(p.Install.Range, p.Range), "have no version", "each"
	switch len(names) {
	case 0:
		return
	case 1:
		at, are, each = d.element(at, names[0]), "has no version", "it"
	}
	d.found(addr, at, "The packages are not pinned",
		"%s %s, and the lock does not hold what %s fetches: the archive of the day decides. Write %s with its version, as in %q, or use packages \"deb\", whose whole closure is locked.",
		strings.Join(names, ", "), are, p.Manager, each, fmt.Sprintf("%s=…", names[0]))
}
