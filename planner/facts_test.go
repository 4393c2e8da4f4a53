package planner_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

// Debian has its own words for platforms, and a lock line is found by them.
func TestDebianArchitectures(t *testing.T) {
	t.Parallel()
	for platform, arch := range map[string]string{
		"linux/amd64": "amd64", "linux/arm64": "arm64", "linux/riscv64": "riscv64", "linux/s390x": "s390x",
		"linux/arm/v7": "armhf", "linux/arm/v6": "armel", "linux/arm/v5": "armel", "linux/386": "i386",
		"linux/ppc64le": "ppc64el", "linux/mips64le": "mips64el", "linux/loong64": "loong64",
	} {
		s := open(t, parse(`-- image.hcl --
repository "trixie" {
  type  = "deb"
  suite = "trixie"
}
image "web" {
  from      = scratch
  platforms = ["`+platform+`"]
  packages "deb" {
    repository = repository.trixie
    install    = ["nginx"]
  }
}
`))
		if s.load.HasErrors() {
			t.Errorf("%s: %s", platform, report(s.load))
			continue
		}
		needs, ds := planner.Needs(t.Context(), s.in)
		if len(ds) > 0 || len(needs.Closures) != 1 || needs.Closures[0].Arch != arch {
			t.Errorf("%s is not %s: %+v %s", platform, arch, needs.Closures, report(ds))
		}
	}
}

// Rules see what was planned: instances, inherited users, bases with their
// configurations, what copies found; what they say is in the answer.
func TestFactsForRules(t *testing.T) {
	t.Parallel()
	s := open(t, parse("-- specbuild.lock --\n"+debian+"-- a.txt --\nabc\n-- .env --\nX=1\n-- image.hcl --\n"+baseBlock+`
image "web" {
  from      = base.debian
  platforms = ["linux/arm64"]
  copy {
    source = ["a.txt", ".env"]
    to     = "/a/"
  }
  run_as = "5"
}
`))
	var facts rules.Facts
	s.in.Locked = true
	s.in.Judge = func(f rules.Facts) diag.List {
		facts = f
		return diag.List{{Severity: diag.Warning, Code: "said", Summary: "Said", Detail: "So."}}
	}
	_, ds := planner.Make(t.Context(), s.in)
	if len(ds) != 1 || ds[0].Code != "said" {
		t.Errorf("said: %s", report(ds))
	}
	if len(facts.Instances) != 1 || len(facts.Bases) != 1 || !facts.Locked {
		t.Fatalf("facts: %+v", facts)
	}
	i, b := facts.Instances[0], facts.Bases[0]
	if i.User != "5" || i.Inherited != "0:0" || i.Platform.String() != "linux/arm64" || len(i.Copies) != 1 {
		t.Errorf("the instance: %+v", i)
	}
	var files []string
	for _, f := range i.Copies[0].Files {
		if f.Literal {
			files = append(files, f.Path)
		}
	}
	if got := strings.Join(files, " "); !strings.Contains(got, ".env") {
		t.Errorf("named literally: %q", got)
	}
	if _, ok := b.Configs["linux/arm64"]; !ok || !b.Pinned || len(b.Platforms) != 2 || b.Platforms[1].Arch != "arm64" {
		t.Errorf("the base: %+v", b)
	}
}
