package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// waiverRule is the rule about waivers themselves.
const waiverRule = "suppression-justified"

func waiverRules() []Rule {
	return []Rule{
		{
			ID: waiverRule, By: ByJudge, Title: "A waiver names a rule and an address, is in force, and sets something aside",
			Why: "An exception that nobody looks at again becomes the rule. An expired waiver is an error that names its owner; one that sets nothing aside is a warning.",
			Bad: `image "ftp" {
  from   = scratch
  run_as = "0"
}
waiver {
  rule    = "final-user-non-root"
  address = "image.ftp"
  reason  = "Binds port 21 until OPS-123 is done."
  owner   = "team-files"
  expires = "2020-12-31"
}`,
			Good: `image "ftp" {
  from   = scratch
  run_as = "0"
}
waiver {
  rule    = "final-user-non-root"
  address = "image.ftp"
  reason  = "Binds port 21 until OPS-123 is done."
  owner   = "team-files"
  expires = "2090-12-31"
}`,
			Mend:    "Mend what it was for, or have its owner decide anew.",
			Sources: []string{"DL1001"},
		},
		{
			ID: "template-sealed", By: ByPolicy, Title: "What a template or a policy has sealed is not set or undone",
			Why: "A template that gives a user, a base or an entrypoint means it for every service on it. What `seal` names in a stage or image the language keeps, " +
				"and nothing sets that aside. What it names in a policy is a finding: a warning where the policy is advisory, and where it is hard, only a waiver in the policy itself sets it aside.",
			Bad: `image "service" {
  from   = scratch
  run_as = "10001"
  seal   = ["run_as"]
}
image "web" {
  from   = image.service
  run_as = "10002"
}`,
			Good: `image "service" {
  from   = scratch
  run_as = "10001"
  seal   = ["run_as"]
}
image "web" {
  from = image.service
  cmd  = ["web"]
}`,
			Mend:    "Take the attribute out, or ask the owners of the template or policy.",
			Sources: []string{"Blubber policy"},
		},
	}
}

// A waiver is a promise with a day on it. It sets aside the findings of one
// rule at one address, and nothing else; it never spreads from an image to
// the stages below, which other images share.

// settle takes out what waivers set aside, and judges the waivers.
func (d *docket) settle(rules []Rule) diag.List {
	aside := make([]bool, len(d.findings))
	var out diag.List
	for _, w := range d.waivers() {
		if w.Rule.Unknown || w.Address.Unknown || w.Expires.Unknown {
			continue
		}
		out = append(out, d.waive(w, rules, aside)...)
	}
	for i, f := range d.findings {
		if !aside[i] {
			out = append(out, f.Diag)
		}
	}
	return d.override(out)
}

// ofSpec is the rank of a spec's waiver, below that of every policy.
const ofSpec = -1

func (d *docket) waivers() []PolicyWaiver {
	var out []PolicyWaiver
	for _, w := range d.Spec.Waivers {
		out = append(out, PolicyWaiver{w, ofSpec})
	}
	return append(out, d.Policy.Waivers...)
}

// override makes advice of what --override sets aside for once, but for what
// a policy has made hard.
func (d *docket) override(found diag.List) diag.List {
	for i, f := range found {
		reason, ok := d.Policy.Overrides[f.Code]
		if !ok || f.Severity != diag.Error || d.Grades[f.Code].Hard {
			continue
		}
		d.setAside(Aside{Finding: Finding{Diag: f}, Override: true, Reason: reason})
		found[i].Severity = diag.Warning
		found[i].Detail += fmt.Sprintf(" Set aside by --override: %s.", strings.TrimSuffix(reason, "."))
	}
	return found
}

func (d *docket) setAside(a Aside) {
	if d.Aside != nil {
		d.Aside(a)
	}
}

// waive marks what one waiver sets aside, and says what is wrong with it.
func (d *docket) waive(pw PolicyWaiver, rules []Rule, aside []bool) diag.List {
	if ds := d.waivable(pw, rules); len(ds) > 0 {
		return d.early(ds)
	}
	w := pw.Waiver
	addrs, ds := d.addressed(w)
	if len(addrs) == 0 {
		return d.early(ds)
	}
	var found []diag.Diagnostic
	for i, f := range d.findings {
		if !aside[i] && f.Diag.Code == w.Rule.V && slices.Contains(addrs, f.Addr) {
			aside[i] = true
			d.setAside(Aside{Finding: f, Reason: w.Reason.V, Owner: w.Owner.V, Waiver: w.Range})
			found = append(found, f.Diag)
		}
	}
	switch expired := !d.Now.Before(w.Expires.V); {
	case expired && d.finished != nil && len(found) == 0:
		return nil // said with the spec, or nothing was found that it is for
	case expired:
		return d.expired(w, d.late(rules, w), found)
	case len(found) == 0 && (pw.Rank == ofSpec || d.Spec.Whole) && d.whole() && d.decided(w, d.late(rules, w)):
		return diag.List{{
			Severity: diag.Warning, Code: waiverRule, Summary: "The waiver sets nothing aside", Range: w.Range,
			Detail: fmt.Sprintf("The rule %s finds nothing at %s any more. Take the waiver out.", w.Rule.V, w.Address.V),
		}}
	case len(found) > 0 && d.Now.AddDate(0, 1, 0).After(w.Expires.V):
		return diag.List{{
			Severity: diag.Warning, Code: waiverRule, Summary: "The waiver expires soon", Range: or(w.Expires.Range, w.Range),
			Detail: fmt.Sprintf("%s sets %s aside at %s until %s, for a last month. After that it is an error: mend what it is for, or have %s decide anew.",
				w.Owner.V, w.Rule.V, w.Address.V, lastDay(w), w.Owner.V),
		}}
	}
	return nil
}

// early is what is wrong with a waiver itself: told with the spec, and not
// again with its images.
func (d *docket) early(ds diag.List) diag.List {
	if d.finished != nil {
		return nil
	}
	return ds
}

// late reports whether the rule of a waiver is judged, also, over finished
// images.
func (d *docket) late(rules []Rule, w *spec.Waiver) bool {
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == w.Rule.V })
	return i >= 0 && (rules[i].OfImages() || OfPushed(d.Grades, w.Rule.V))
}

// decided reports whether it is known by now that nothing is set aside by a
// waiver: of a rule over finished images, when all are there.
func (d *docket) decided(w *spec.Waiver, late bool) bool {
	if d.finished == nil {
		return !late
	}
	if OfPushed(d.Grades, w.Rule.V) && len(d.finished.Pushed) == 0 {
		return false // a push may find something
	}
	return late && d.finished.Whole && !d.finished.Waived[w.Range]
}

func lastDay(w *spec.Waiver) string { return w.Expires.V.AddDate(0, 0, -1).Format("2006-01-02") }

// expired is the one message about an expired waiver: what it set aside is
// told as notes, since the mistake is one. Where the rule is not hard,
// --override of the rule lets an old release be built again.
//
// What a late rule would find is not known before the build: an expired waiver
// of it stops the build, but where its rule is overridden.
func (d *docket) expired(w *spec.Waiver, late bool, found []diag.Diagnostic) diag.List {
	out := diag.Diagnostic{Severity: diag.Error, Code: waiverRule, Summary: "The waiver has expired", Range: or(w.Expires.Range, w.Range)}
	reason, overridden := d.Policy.Overrides[w.Rule.V]
	overridden = overridden && !d.Grades[w.Rule.V].Hard
	switch {
	case len(found) == 0 && late && overridden:
		return nil
	case len(found) == 0 && late:
		out.Detail = fmt.Sprintf("%s set %s aside at %s until %s (%s), which is judged when the image is built. Mend what it was for and take it out, or have %s decide anew and give it a later day.",
			w.Owner.V, w.Rule.V, w.Address.V, lastDay(w), strings.TrimSuffix(w.Reason.V, "."), w.Owner.V)
		return diag.List{out}
	case len(found) == 0:
		out.Detail = fmt.Sprintf("It held until %s, and %s finds nothing at %s any more. Take it out.", lastDay(w), w.Rule.V, w.Address.V)
		return diag.List{out}
	}
	out.Detail = fmt.Sprintf("%s set %s aside at %s until %s (%s). Mend what it was for, or have %s decide anew and give it a later day.",
		w.Owner.V, w.Rule.V, w.Address.V, lastDay(w), strings.TrimSuffix(w.Reason.V, "."), w.Owner.V)
	if overridden {
		d.setAside(Aside{Finding: Finding{Diag: diag.Diagnostic{Code: w.Rule.V, Summary: out.Summary, Range: out.Range}}, Override: true, Reason: reason})
		out.Severity = diag.Warning
		out.Detail += fmt.Sprintf(" Set aside by --override: %s.", strings.TrimSuffix(reason, "."))
	}
	for _, f := range found {
		out.Notes = append(out.Notes, diag.Note{Message: f.Summary, Range: f.Range})
	}
	return diag.List{out}
}

// waivable refuses waivers of what is no rule, of what no waiver can mend, and
// of what a policy has made hard: a spec's, and that of a policy which anybody
// may add to a command, or write into a workspace, beside those that hold.
func (d *docket) waivable(w PolicyWaiver, rules []Rule) diag.List {
	var ds diag.List
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == w.Rule.V })
	switch {
	case i < 0:
		var ids []string
		for _, r := range rules {
			ids = append(ids, r.ID)
		}
		ds.Errorf(w.Rule.Range, "No such rule", "%q is not the id of a rule%s. docs/rules.md lists them.", w.Rule.V, didYouMean(w.Rule.V, ids))
	case rules[i].By != ByJudge && rules[i].By != ByPolicy && !rules[i].OfImages() || rules[i].ID == waiverRule:
		ds.Errorf(w.Rule.Range, "This cannot be set aside", "%s is not judged but has to be so: %s. Take the waiver out.", w.Rule.V, lowerFirst(rules[i].Title))
	case d.Grades[w.Rule.V].Hard && w.Rank < d.Grades[w.Rule.V].Rank:
		ds = diag.List{{
			Severity: diag.Error, Code: waiverRule, Summary: "A policy does not let this be set aside", Range: w.Range,
			Detail: fmt.Sprintf("%s is hard: only a waiver in the policy itself sets it aside. Ask its owners for one, or mend what the rule finds.", w.Rule.V),
			Notes:  []diag.Note{{Message: "It is made hard here.", Range: d.Grades[w.Rule.V].Range}},
		}}
	}
	return ds
}

// addressed are the declarations that a waiver's address names. One without
// a module is of the waiver's own, which is the folder of its file. It is
// empty without a word where the module was not read.
func (d *docket) addressed(w *spec.Waiver) ([]spec.Addr, diag.List) {
	module, local, whole := strings.Cut(w.Address.V, ":")
	if !whole {
		local = module
	}
	read := false
	var addrs []spec.Addr
	var names []string
	d.declared(func(addr spec.Addr, at diag.Range) {
		if addr.String() == w.Address.V { // of specbuild.hcl, too: workspace.base.go
			addrs = append(addrs, addr)
			return
		}
		of, _, _ := strings.Cut(addr.Module, ":") // the folder, also of the modules that it calls
		if whole && of != module || !whole && path.Dir(at.File) != path.Dir(w.Range.File) {
			return
		}
		read = true
		name := addr.Local()
		if whole {
			name = strings.TrimPrefix(addr.String(), of+":")
		}
		if names = append(names, name); !whole && name == local {
			addrs = append(addrs, addr)
		}
	})
	var ds diag.List
	if len(addrs) == 0 && (read || !whole) {
		ds.Errorf(w.Address.Range, "Unknown address", "%s is not declared%s. A waiver names what its rule found something at.", w.Address.V, didYouMean(local, names))
	}
	return addrs, ds
}

// declared calls visit for everything that has an address and a block.
func (d *docket) declared(visit func(spec.Addr, diag.Range)) {
	for _, x := range d.Spec.Bases {
		visit(x.Addr, x.Range)
	}
	for _, x := range d.Spec.Contexts {
		visit(x.Addr, x.Range)
	}
	for _, x := range d.Spec.Secrets {
		visit(x.Addr, x.Range)
	}
	for _, x := range d.Spec.Repositories {
		visit(x.Addr, x.Range)
	}
	for _, x := range d.Spec.Stages {
		visit(x.Addr, x.Range)
	}
	for _, x := range d.Spec.Images {
		visit(x.Addr, x.Range)
	}
	for _, x := range d.Spec.Fetched {
		if x.Addr != (spec.Addr{}) {
			visit(x.Addr, x.Range)
		}
	}
}

// whole reports whether every image was asked for and planned. Where one is
// missing, what a waiver is for may be found only with that one.
func (d *docket) whole() bool {
	planned := map[spec.Addr]bool{}
	for _, inst := range d.images() {
		planned[inst.Body.Addr] = true
	}
	for _, img := range d.Spec.Images {
		if !planned[img.Addr] {
			return false
		}
	}
	return true
}
