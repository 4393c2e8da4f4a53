package rules_test

import (
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// built is an image on a base of which one attribute is given.
func built(attributes string) string {
	return "base \"b\" {\n  " + attributes + `
}
image "web" {
  from = base.b
  run_as = "1"
}
`
}

func TestBaseNoFloatingTag(t *testing.T) {
	t.Parallel()
	var fires, quiet []string
	for _, tag := range []string{"latest", "edge", "nightly", "stable", "rolling", "stable-slim", "nightly-bookworm", "latest-alpine3.20", "mainline-alpine", "main", "Latest"} {
		fires = append(fires, built(`image = «"registry.example.com:5000/root:`+tag+`"»`))
	}
	for _, tag := range []string{"1.25-bookworm", "bookworm-slim", "3", "stable-20260112-slim", "nonroot", "lts", "v2-latestish", "1.27-rc"} {
		quiet = append(quiet, built(`image = "registry.example.com:5000/latest/root:`+tag+`"`))
	}
	cases{
		fires: append(fires, built(`image = «"nginx:latest"»`), strings.ReplaceAll(built(`image = «"root:edge"»`), "image \"web\" {", `image "web" {
  platforms = ["linux/amd64", "linux/arm64"]
`)),
		quiet: append(quiet,
			built(`image = "root:latest@`+digest('0')+`"`),
			built("image = \"root:latest\"\n  digest = \""+digest('0')+"\""),
			built(`image = "root@`+digest('0')+`"`),
		),
	}.run(t, "base-no-floating-tag")
}

func TestBaseDigestPinned(t *testing.T) {
	t.Parallel()
	cases{
		unlocked: true, severity: diag.Warning, release: diag.Error,
		fires: []string{
			built(`image = «"root:1.2"»`),
			`base "b" {
  image = «"root:1"»
}
stage "s" {
  from = scratch
  copy {
    from = base.b
    to = "/b/"
  }
}
image "web" {
  from = stage.s
  run_as = "1"
}
`,
			`base "b" {
  image = «"root:1"»
}
image "web" {
  from = scratch
  run_as = "1"
  run {
    command = ["/x"]
    mount "bind" {
      from = base.b
      target = "/m"
    }
  }
}
`,
		},
		quiet: []string{
			built("image = \"root:1\"\n  digest = \"" + digest('0') + "\""),
			built(`layout = "oci"`),
			`image "web" {
  from = scratch
  run_as = "1"
}
`,
		},
		files: map[string]string{"oci/oci-layout": "{}"},
	}.run(t, "base-digest-pinned")
	// With a lock it is pinned.
	cases{quiet: []string{built(`image = "root:1.2"`)}}.run(t, "base-digest-pinned")
}

// TestStaleLockIsOneMistake holds that a base that the lock lacks is told by
// the planner alone.
func TestStaleLockIsOneMistake(t *testing.T) {
	t.Parallel()
	ds := (&judgement{stale: true, locked: true}).judge(t, built(`image = "root:1.2"`))
	if len(ds) != 1 || ds[0].Summary != "The lock is stale" {
		t.Errorf("%v", ds)
	}
}

func TestBasePlatformAvailable(t *testing.T) {
	t.Parallel()
	j := judgement{only: []string{"linux/amd64"}}
	both := strings.ReplaceAll(built(`image = "root:1.2"`), "image \"web\" {", `image "web" {
  platforms = ["linux/amd64", "linux/arm64"]
`)
	// fires: base-platform-available
	ds := j.judge(t, both)
	if len(ds) != 1 || ds[0].Code != "base-platform-available" || ds[0].Severity != diag.Error || !strings.Contains(ds[0].Detail, "linux/arm64") {
		t.Errorf("%v", ds)
	}
	// quiet: base-platform-available (a base with both)
	// quiet: base-platform-available (and with more than both)
	for _, quiet := range []judgement{{}, {only: []string{"linux/amd64", "linux/arm64", "linux/s390x"}}} {
		if ds := quiet.judge(t, both); len(ds) > 0 {
			t.Errorf("%v", ds)
		}
	}
	// quiet: base-platform-available (an image for the one that is there)
	if ds := j.judge(t, built(`image = "root:1.2"`)); len(ds) > 0 {
		t.Errorf("one platform is enough for one: %v", ds)
	}
}

func TestBaseNoOnbuildTriggers(t *testing.T) {
	t.Parallel()
	copied := `base "b" {
  image = "onbuild:1.2"
}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = base.b
    source = "/bin/x"
    to = "/bin/x"
  }
}
`
	cases{
		severity: diag.Warning, release: diag.Warning,
		fires: []string{
			built(`image = «"onbuild:1.2"»`),
			strings.ReplaceAll(built(`image = «"onbuild:1.2"»`), "image \"web\" {", `image "web" {
  platforms = ["linux/amd64", "linux/arm64"]
`),
		},
		quiet: []string{
			built(`image = "root:onbuild"`),
			built(`image = "nonroot:1.2"`),
			copied, // nobody builds on it
		},
	}.run(t, "base-no-onbuild-triggers")
}

func TestOutdated(t *testing.T) {
	t.Parallel()
	addr := spec.Addr{Module: "//", Kind: spec.KindBase, Name: "go"}
	at := diag.Range{File: "image.hcl", Start: diag.Pos{Line: 2, Column: 11}}
	ds := rules.Outdated(addr, digest('a'), digest('b'), at)
	if len(ds) != 1 || ds[0].Code != "base-not-outdated" || ds[0].Severity != diag.Info || ds[0].Range != at || !strings.Contains(ds[0].Detail, "--upgrade=go") {
		t.Errorf("%v", ds)
	}
	for _, quiet := range [][2]string{{digest('a'), digest('a')}, {"", digest('a')}, {digest('a'), ""}} {
		if ds := rules.Outdated(addr, quiet[0], quiet[1], at); len(ds) > 0 {
			t.Errorf("%v: %v", quiet, ds)
		}
	}
}

func TestPackagesPinned(t *testing.T) {
	t.Parallel()
	repository := `repository "d" {
  type = "deb"
  suite = "trixie"
}
`
	with := func(install string) string {
		return repository + `image "web" {
  from = scratch
  run_as = "1"
  platforms = ["linux/amd64", "linux/arm64"]
  packages "deb" {
    repository = repository.d
    install = ` + install + `
  }
}
`
	}
	cases{
		unlocked: true, severity: diag.Warning, release: diag.Error,
		fires: []string{with(`«["nginx", "curl"]»`), with(`«["nginx=1.26.3-3"]»`)},
		quiet: []string{
			`image "web" {
  from = scratch
  run_as = "1"
}
`,
			run("apt-get install -y nginx"),
			`image "web" {
  from = scratch
  run_as = "1"
  labels = { install = "nginx" }
}
`,
		},
	}.run(t, "packages-pinned")
	// With a lock all of them are pinned, whatever the spec says; but those
	// that a base's own manager fetches, which are in no lock.
	own := func(manager, install string) string {
		return base("nonroot") + `image "web" {
  from   = base.b
  run_as = "1"
  packages "` + manager + `" {
    install = ` + install + `
  }
}
`
	}
	cases{
		severity: diag.Warning, release: diag.Error,
		fires: []string{
			own("apt", `[«"curl"»]`), own("apt", `[«"curl"», "g++=4:14.2.0-1"]`), own("apt", `«["curl", "g++:amd64", "jq=1.6-2"]»`),
			own("apk", `[«"curl"»]`), own("dnf", `[«"curl"»]`), own("dnf", `[«"curl-7.76.1"»]`),
		},
		quiet: []string{own("apt", `["curl=8.14.1-2", "g++:amd64=4:14.2.0-1"]`), own("apk", `["curl=8.14.1-r2"]`), own("dnf", `["curl=7.76.1-29.el9"]`)},
	}.run(t, "packages-pinned")
	cases{quiet: []string{with(`["nginx"]`), with(`["nginx=1.26.3-3"]`), with(`["nginx", "curl"]`)}}.run(t, "packages-pinned")
}
