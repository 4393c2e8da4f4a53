package rules

import (
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func packageRules() []Rule {
	return []Rule{
		{
			ID: "packages-pinned", Severity: diag.Warning, By: ByJudge, Title: "Packages have their versions in the lock",
			Why:   "What an archive offers changes several times a day. Without a lock this is advice, with --locked an error.",
			check: unpinnedPackages,
		},
		{
			ID: "packages-repo-trusted", By: ByLanguage, Title: "An archive that is not the distribution's own comes with its key",
			Why: "What is installed is what a key has signed, wherever it was fetched from. The keys of Debian's archives are built in.",
		},
	}
}

// unpinnedPackages looks only where there is no lock: one that lacks packages
// is stale, which the planner says. A version in `install` pins one package,
// and none of those that it needs.
func unpinnedPackages(d *docket) {
	if !d.Unlocked {
		return
	}
	for _, inst := range d.Instances {
		for _, step := range inst.Body.Steps {
			if p, ok := step.(*spec.Packages); ok && !p.Install.Unknown {
				d.found(inst.Body.Addr, or(p.Install.Range, p.Range), "The packages are not pinned",
					"There is no lock with the versions of what %s installs, so the archive of the day decides. Run `specbuild lock` and commit specbuild.lock.", inst.Body.Addr.Local())
			}
		}
	}
}
