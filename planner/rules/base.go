package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func baseRules() []Rule {
	return []Rule{
		{
			ID: "base-explicit-tag", By: ByLanguage, Title: "The name of a base carries a tag or a digest",
			Why: "Without one, `latest` is meant by silence, and the image changes without a change of the spec.",
			Bad: `base "os" {
  image = "docker.io/library/debian"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Good: `base "os" {
  image = "docker.io/library/debian:trixie-slim"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Mend:    "Write the tag that you mean, or a digest.",
			Sources: []string{"DL3006", "CKV_DOCKER_7", "DS-0001", "KICS image_version_not_explicit", "Semgrep missing-image-version"},
		},
		{
			ID: "base-no-floating-tag", By: ByJudge, Title: "The tag of a base is a version, not a name that moves on",
			Why: "The next `specbuild lock --upgrade` would take whatever `latest` or `edge` is that day, over any number of major versions. A digest in the spec settles it too.",
			Bad: `base "os" {
  image = "docker.io/library/debian:latest"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Good: `base "os" {
  image = "docker.io/library/debian:trixie-slim"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Mend:    "Write the tag of a version, or pin the base by `digest`. `validate --fix` asks the registry for the tag of a version that is the same image, the one that the lock has where it has one, and writes that; where there is none it says so.",
			Sources: []string{"DL3007", "CKV_DOCKER_7", "DS-0001", "DKL-DI-0006", "KICS image_version_using_latest", "Semgrep avoid-latest-version"},
			check:   floatingBase,
		},
		{
			ID: "base-digest-pinned", Severity: diag.Warning, By: ByJudge, Title: "Every base has its digest in the spec or in the lock",
			Why: "A tag can be pushed anew: two builds of one spec would be two images. Without a lock this is advice, with --locked an error.",
			Bad: `base "os" {
  image = "docker.io/library/debian:trixie-slim"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Good: `base "os" {
  image  = "docker.io/library/debian:trixie-slim"
  digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Mend:    "Run `specbuild lock`, which asks the registry and writes it, and commit specbuild.lock; `validate --fix` does the same for what the lock lacks. Or write the `digest`.",
			Sources: []string{"CIS-4.2", "Semgrep dockerfile-source-not-pinned", "buildx image.isCanonical"},
			check:   unpinnedBase,
		},
		{
			ID: "base-trusted-registry", By: ByJudge, Title: "A base comes from a registry or repository that the policy allows",
			Why: "What a base holds is in every image on it. Who may publish there decides what runs.",
			Bad: `base "os" {
  image = "docker.io/acme/debian:13"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Good: `base "os" {
  image = "registry.example.com/base/debian:13"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Mend:    "Take a base that the policy lists, or ask its owners to list this one.",
			Sources: []string{"DL3026", "CIS-4.2", "CIS-DI-0002", "buildx image.fullRepo", "Docker Scout approved base"},
			Params:  []Param{{Name: "allow", Kind: List, Needed: true, Doc: "prefixes of full names, up to a slash, a colon or the end: registry.example.com/base; `layout:vendor` allows layouts of that folder"}},
			check:   untrustedBase,
		},
		{
			ID: "base-platform-available", By: ByPlanner, Title: "A base is there for each platform that is built",
			Why: "What cannot be pulled is better known before the build than in its middle.",
			Bad: `base "os" {
  image = "docker.io/library/debian:trixie-slim"
}
image "web" {
  from   = base.os
  run_as = "10001"
  platforms = ["linux/amd64", "linux/s390x"]
}`,
			Good: `base "os" {
  image = "docker.io/library/debian:trixie-slim"
}
image "web" {
  from   = base.os
  run_as = "10001"
  platforms = ["linux/amd64", "linux/arm64"]
}`,
			Mend:    "Leave the platform out, or take a base that has it.",
			Sources: []string{"BuildKit InvalidBaseImagePlatform"},
		},
		{
			ID: "base-not-outdated", Severity: diag.Info, Release: diag.Info, By: ByLock, Title: "The digest of a base is what its tag stands for now",
			Why:     "Bases are patched by pushing their tag again; a lock that is never rolled forward keeps every hole.",
			Mend:    "Run `specbuild lock --upgrade=NAME`, with the name of the base, which asks the registry and rewrites the lock. Only `lock` asks what a tag is now, so only it finds this.",
			Sources: []string{"CIS-4.4", "CIS-DI-0004", "Docker Scout outdated base"},
		},
		{
			ID: "base-no-onbuild-triggers", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "A base has no ONBUILD triggers",
			Why: "Its authors count on them, and they do not run here: an image has the steps that its spec shows, and no others.",
			Bad: `base "os" {
  image = "registry.example.com/base/onbuild:2"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Good: `base "os" {
  image = "registry.example.com/base/root:2"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
			Mend:    "Write what is needed of the triggers as steps, or take the variant without.",
			Sources: []string{"DL3043"},
			check:   onbuild,
		},
	}
}

// floating are tags that are moved to each new release. A name in front of
// others counts as well: stable-slim.
var floating = []string{
	"canary", "current", "dev", "devel", "develop", "edge", "head", "latest", "main", "mainline", "master",
	"next", "nightly", "rolling", "snapshot", "stable", "testing", "tip", "unstable",
}

// isFloating reports whether a tag moves on. stable-20260112 does not: it has
// a date.
func isFloating(tag string) bool {
	first, rest, _ := strings.Cut(strings.ToLower(tag), "-")
	if first == "latest" {
		return true
	}
	return slices.Contains(floating, first) && !strings.ContainsAny(rest, "0123456789")
}

// tagOf is the tag of an image's name, or empty. A colon before the last
// slash is a registry's port.
func tagOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	_, last, found := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ":")
	if !found {
		return ""
	}
	return last
}

// floatingBase lets a tag be what it is where the spec itself has a digest:
// the tag is for readers then, and an upgrade of the lock does not follow it.
func floatingBase(d *docket) {
	for _, b := range d.Bases {
		image := b.Base.Image
		if b.Base.Digest.Set || strings.Contains(image.V, "@") {
			continue
		}
		if tag := tagOf(image.V); isFloating(tag) {
			d.found(b.Base.Addr, image.Range, "The base's tag moves on",
				"%s takes the tag %q, which stands for another image after each release. Name a version, or pin this one by `digest`.", b.Base.Addr.Local(), tag)
		}
	}
}

// unpinnedBase looks only where there is no lock: a lock that lacks a base is
// stale, which the planner says.
func unpinnedBase(d *docket) {
	for _, b := range d.Bases {
		if d.unpinned() && !b.Pinned && b.Base.Image.Set && !b.Base.Image.Unknown {
			d.found(b.Base.Addr, or(b.Base.Image.Range, b.Base.Range), "The base is not pinned",
				"There is no lock with the digest of %s, so another image may be behind %q tomorrow. Run `specbuild lock` and commit specbuild.lock.",
				b.Base.Addr.Local(), b.Base.Image.V)
		}
	}
}

// untrustedBase judges layouts on disk too: nobody vouches for them, and one
// would be the way around the list.
func untrustedBase(d *docket) {
	allow := d.list("allow")
	for _, b := range d.Bases {
		image, at := b.Base.Image, b.Base.Image.Range
		name := fullName(image.V)
		if b.Base.Layout.Set {
			at = b.Base.Layout.Range
			name = "layout:" + strings.TrimPrefix(strings.TrimPrefix(b.Base.Layout.V, d.Spec.Root), "/")
		}
		if image.Unknown || b.Base.Layout.Unknown || slices.ContainsFunc(allow, func(p string) bool { return beginsWith(name, p) }) {
			continue
		}
		d.found(b.Base.Addr, or(at, b.Base.Range), "The base comes from elsewhere",
			"%s is %s. Bases come from %s: take one of those, or ask the owners of the policy.", b.Base.Addr.Local(), name, few(allow))
	}
}

// onbuild looks at bases that something is built from: a copy out of one asks
// for no triggers.
func onbuild(d *docket) {
	for _, b := range d.Bases {
		if !slices.ContainsFunc(d.Instances, func(i Instance) bool { return i.Body.From.V == b.Base.Addr }) {
			continue
		}
		for _, platform := range slices.Sorted(maps.Keys(b.Configs)) {
			triggers := b.Configs[platform].OnBuild
			if n := len(triggers); n > 0 {
				d.found(b.Base.Addr, or(b.Base.Image.Range, b.Base.Layout.Range, b.Base.Range), "The base has ONBUILD triggers",
					"%s wants %s to run in what is built on it (first %q), which does not happen here. Write as steps what is needed of it, or take the variant of the base without triggers.",
					b.Base.Addr.Local(), plural(n, "instruction"), triggers[0])
			}
		}
	}
}

// Outdated is the rule base-not-outdated, for who asks registries: locked and
// current are the digests that the lock has and that the name stands for now.
// The list is empty where they are one, or where one of them is not known.
func Outdated(base spec.Addr, locked, current string, at diag.Range) diag.List {
	if locked == "" || current == "" || locked == current {
		return nil
	}
	return diag.List{{
		Severity: diag.Info, Code: "base-not-outdated", Summary: "The base has moved on", Range: at,
		Detail: base.Local() + " is locked at " + locked + "; its name stands for " + current + " now. Run `specbuild lock --upgrade=" + base.Name + "` to take that.",
	}}
}
