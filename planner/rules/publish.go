package rules

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func publishRules() []Rule {
	return []Rule{
		{
			ID: "metadata-required", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "An image has the labels that the policy asks for",
			Why:     "Who finds an image in a cluster at night has its labels only.",
			Bad:     `labels = { maintainer = "team-shop" }`,
			Good:    `labels = { "org.opencontainers.image.source" = "https://git.example.com/shop/web" }`,
			Mend:    "Add the labels that the policy lists.",
			Sources: []string{"DL3049", "DL3050", "DL3051", "Kyverno check-label-maintainer"},
			Params: []Param{
				{Name: "labels", Kind: List, Needed: true, Doc: "keys that an image has as a label or annotation, with a value"},
				{Name: "allow", Kind: List, Doc: "prefixes of other keys that it may have; without the list it may have any"},
			},
			check: requiredMetadata,
		},
		{
			ID: "metadata-valid", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "Labels and annotations of the OCI image-spec hold what it asks for",
			Why:     "Registries, scanners and dependency bots read them: a time that is no time, a URL that is none and a licence that SPDX does not know are passed over in silence.",
			Bad:     `labels = { "org.opencontainers.image.licenses" = "Apache 2.0" }`,
			Good:    `labels = { "org.opencontainers.image.licenses" = "Apache-2.0" }`,
			Mend:    "Write what the message shows.",
			Sources: []string{"DL3048", "DL3052", "DL3053", "DL3054", "DL3055", "DL3056", "DL3058", "DL4000", "CKV_DOCKER_6", "DS-0022"},
			check:   validMetadata,
		},
		{
			ID: "publish-registry-explicit", By: ByJudge, Title: "A tag names its registry",
			Why:   "A name without one means Docker's public hub: private images have been published so. `docker.io/…` is said, never implied.",
			Bad:   `tags = ["shop/web:1.4.2"]`,
			Good:  `tags = ["registry.example.com/shop/web:1.4.2"]`,
			Mend:  "Write the registry; `validate --fix` writes docker.io, which is what the name means.",
			check: impliedRegistry, checkPushed: impliedRegistryOfLayout,
		},
		{
			ID: "publish-immutable-tag", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "An image that is published has a tag of its version",
			Why:     "Who pulls `latest` cannot say later what ran, and cannot go back to it.",
			Bad:     `tags = ["registry.example.com/shop/web:latest"]`,
			Good:    `tags = ["registry.example.com/shop/web:latest", "registry.example.com/shop/web:1.4.2"]`,
			Mend:    "Add a tag with the version: a variable, or the commit.",
			Sources: []string{"KICS image_version_using_latest"},
			check:   immutableTag, checkPushed: immutableTagOfLayout,
		},
		{
			ID: "attestations-on", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "What is pushed carries a bill of materials and its provenance",
			Why:     "When a library is found to be broken, the question is which images have it; when an image is found in a cluster, what it was made of.",
			Bad:     `# specbuild apply --push --attest=false`,
			Good:    `# specbuild apply --push`,
			Mend:    "Leave --attest=false out.",
			Sources: []string{"Docker Scout supply-chain-attestations", "CIS-4.12"},
			check:   attested, checkPushed: attestedLayout,
		},
	}
}

// immutableTag takes a tag with a digit for a version: names of branches and
// environments have none, versions, dates and commits do.
func immutableTag(d *docket) {
	for _, img := range d.Spec.Images {
		tags := img.Tags.V
		if len(tags) == 0 || img.Tags.Unknown || !d.asked(img.Addr) {
			continue
		}
		if allMove(tags) {
			d.found(img.Addr, img.Tags.Range, "All tags move on",
				"%s is pushed as %s only, which the next push replaces. Add a tag with its version: a variable, or the commit.", img.Addr.Local(), few(tags))
		}
	}
}

func allMove(tags []string) bool {
	return !slices.ContainsFunc(tags, func(t string) bool {
		tag := tagOf(t)
		return strings.ContainsAny(tag, "0123456789") && !isFloating(tag)
	})
}

// immutableTagOfLayout is said where a policy grades the rule: who names tags on
// the command line has chosen them.
func immutableTagOfLayout(d *docket, img *Pushed) {
	if d.finished.Alone && d.grade().Set && allMove(img.Tags) {
		d.found(img.addr, img.Range, "All tags move on", "It is pushed as %s only, which the next push replaces. Add a tag with its version.", few(img.Tags))
	}
}

// attestedLayout is said where a policy grades the rule: a layout holds no
// statements, and nobody here knows what it was made of.
func attestedLayout(d *docket, img *Pushed) {
	if d.finished.Alone && d.grade().Set {
		d.found(img.addr, img.Range, "Pushed without attestations", "A layout is pushed without a bill of materials and its provenance. Push with `specbuild apply --push`.")
	}
}

// impliedRegistryOfLayout is impliedRegistry for tags of the command line.
func impliedRegistryOfLayout(d *docket, img *Pushed) {
	if !d.finished.Alone {
		return
	}
	for _, tag := range img.Tags {
		if _, _, said := cutRegistry(tag); !said {
			d.found(img.addr, diag.Range{File: tag}, "The registry is implied",
				"%s would be pushed to %s, the public hub. Write the registry, or %s%s if that is meant.", tag, fullName(tag), hubPrefix(tag), tag)
		}
	}
}

// attested is broken by a flag, not by what a spec says: it is told at the
// images that would be pushed so.
func attested(d *docket) {
	if !d.Unattested {
		return
	}
	for _, img := range d.Spec.Images {
		if d.asked(img.Addr) && (len(img.Tags.V) > 0 || img.Tags.Unknown) {
			d.found(img.Addr, img.Range, "Pushed without attestations",
				"--attest=false pushes %s without a bill of materials and its provenance. Leave it out.", img.Addr.Local())
		}
	}
}

// impliedRegistry says what the name means now; whether that was meant, only
// the author knows, so the fix writes down what is.
func impliedRegistry(d *docket) {
	for _, img := range d.Spec.Images {
		if !d.asked(img.Addr) || img.Tags.Unknown {
			continue
		}
		for _, tag := range img.Tags.V {
			if _, _, said := cutRegistry(tag); said {
				continue
			}
			d.mend(img.Addr, d.element(img.Tags.Range, tag), d.prepend(img.Tags.Range, tag, hubPrefix(tag)), "The registry is implied",
				"%s would be pushed to %s, the public hub. Write the registry, or %s%s if that is meant.", tag, fullName(tag), hubPrefix(tag), tag)
		}
	}
}

// asked reports whether an image was asked for.
func (d *docket) asked(addr spec.Addr) bool { return d.selected[addr] }
