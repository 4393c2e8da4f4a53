package rules

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func publishRules() []Rule {
	return []Rule{{
		ID: "publish-immutable-tag", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "An image that is published has a tag of its version",
		Why:   "Who pulls `latest` cannot say later what ran, and cannot go back to it.",
		check: immutableTag,
	}}
}

// immutableTag takes a tag with a digit for a version: names of branches and
// environments have none, versions, dates and commits do.
func immutableTag(d *docket) {
	for _, img := range d.Spec.Images {
		tags := img.Tags.V
		if len(tags) == 0 || img.Tags.Unknown || !d.asked(img.Addr) {
			continue
		}
		moving := true
		for _, t := range tags {
			tag := tagOf(t)
			moving = moving && (!strings.ContainsAny(tag, "0123456789") || isFloating(tag))
		}
		if moving {
			d.found(img.Addr, img.Tags.Range, "All tags move on",
				"%s is pushed as %s only, which the next push replaces. Add a tag with its version: a variable, or the commit.", img.Addr.Local(), few(tags))
		}
	}
}

// asked reports whether an image was asked for.
func (d *docket) asked(addr spec.Addr) bool { return slices.Contains(d.Spec.Selected, addr) }
