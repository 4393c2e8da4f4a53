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
	return "base \"b\" {\n  " + attributes + "\n}\nimage \"web\" {\n  from = base.b\n  run_as = \"1\"\n}\n"
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
		fires: append(fires, built(`image = «"nginx:latest"»`), strings.ReplaceAll(built(`image = «"root:edge"»`), "image \"web\" {", "image \"web\" {\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n")),
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
			"base \"b\" {\n  image = «\"root:1\"»\n}\nstage \"s\" {\n  from = scratch\n  copy {\n    from = base.b\n    to = \"/b/\"\n  }\n}\nimage \"web\" {\n  from = stage.s\n  run_as = \"1\"\n}\n",
			"base \"b\" {\n  image = «\"root:1\"»\n}\nimage \"web\" {\n  from = scratch\n  run_as = \"1\"\n  run {\n    command = [\"/x\"]\n    mount \"bind\" {\n      from = base.b\n      target = \"/m\"\n    }\n  }\n}\n",
		},
		quiet: []string{
			built("image = \"root:1\"\n  digest = \"" + digest('0') + "\""),
			built(`layout = "oci"`),
			"image \"web\" {\n  from = scratch\n  run_as = \"1\"\n}\n",
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
	both := strings.ReplaceAll(built(`image = "root:1.2"`), "image \"web\" {", "image \"web\" {\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n")
	ds := j.judge(t, both)
	if len(ds) != 1 || ds[0].Code != "base-platform-available" || ds[0].Severity != diag.Error || !strings.Contains(ds[0].Detail, "linux/arm64") {
		t.Errorf("%v", ds)
	}
	for _, quiet := range []judgement{{}, {only: []string{"linux/amd64", "linux/arm64", "linux/s390x"}}} {
		if ds := quiet.judge(t, both); len(ds) > 0 {
			t.Errorf("%v", ds)
		}
	}
	if ds := j.judge(t, built(`image = "root:1.2"`)); len(ds) > 0 {
		t.Errorf("one platform is enough for one: %v", ds)
	}
}

func TestBaseNoOnbuildTriggers(t *testing.T) {
	t.Parallel()
	copied := "base \"b\" {\n  image = \"onbuild:1.2\"\n}\nimage \"web\" {\n  from = scratch\n  run_as = \"1\"\n  copy {\n    from = base.b\n    source = \"/bin/x\"\n    to = \"/bin/x\"\n  }\n}\n"
	cases{
		severity: diag.Warning, release: diag.Warning,
		fires: []string{
			built(`image = «"onbuild:1.2"»`),
			strings.ReplaceAll(built(`image = «"onbuild:1.2"»`), "image \"web\" {", "image \"web\" {\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n"),
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
	repository := "repository \"d\" {\n  type = \"deb\"\n  suite = \"trixie\"\n}\n"
	with := func(install string) string {
		return repository + "image \"web\" {\n  from = scratch\n  run_as = \"1\"\n  platforms = [\"linux/amd64\", \"linux/arm64\"]\n  packages \"deb\" {\n    repository = repository.d\n    install = " + install + "\n  }\n}\n"
	}
	cases{
		unlocked: true, severity: diag.Warning, release: diag.Error,
		fires: []string{with(`«["nginx", "curl"]»`), with(`«["nginx=1.26.3-3"]»`)},
		quiet: []string{
			"image \"web\" {\n  from = scratch\n  run_as = \"1\"\n}\n",
			run("apt-get install -y nginx"),
			"image \"web\" {\n  from = scratch\n  run_as = \"1\"\n  labels = { install = \"nginx\" }\n}\n",
		},
	}.run(t, "packages-pinned")
	// With a lock all of them are pinned, whatever the spec says.
	cases{quiet: []string{with(`["nginx"]`), with(`["nginx=1.26.3-3"]`), with(`["nginx", "curl"]`)}}.run(t, "packages-pinned")
}
