package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
)

// patience is how long one rule may take for one target. Expressions have no
// loops but over what is there, so an honest one takes microseconds; two of
// them inside each other over a thousand images take a tenth of this.
const patience = 5 * time.Second

// phase is when a rule can be judged: as soon as all that it looks at is there.
type phase int

const (
	ofSpec phase = iota
	ofPlan
	ofImage
)

func phaseOf(r *spec.PolicyRule) phase {
	out := ofSpec
	for _, e := range []spec.PolicyExpr{r.ForEach, r.Condition, r.Message, r.Help} {
		for _, m := range e.Mentions() {
			switch m[0] {
			case "plan":
				out = max(out, ofPlan)
			case "image":
				out = max(out, ofImage)
			}
		}
	}
	return out
}

// Options is what of the command line judging depends on.
type Options struct {
	Overrides map[string]string // --override: a rule's id with the reason that was given
	Partial   bool              // variables may be without a value, so rules may be undecided
}

// Judge judges by the built-in rules, as the policies grade them, and by the
// policies' own.
func (s *Set) Judge(f rules.Facts, o Options) diag.List {
	f.Grades = s.grades
	f.Policy = rules.Policy{Rules: s.rules(), Overrides: o.Overrides, Waivers: s.waivers()}
	for _, p := range s.Policies {
		f.Policy.Findings = append(f.Policy.Findings, seals(p, f)...)
	}
	seen := s.sees(f)
	for _, target := range targets(f) {
		roots := seen.at(target)
		f.Policy.Findings = append(f.Policy.Findings, s.phase(ofSpec, roots, f.Plan != nil && !o.Partial)...)
		if f.Plan != nil {
			f.Policy.Findings = append(f.Policy.Findings, s.phase(ofPlan, roots, !o.Partial)...)
		}
	}
	f.Policy.Findings = distinct(f.Policy.Findings)
	return rules.Judge(f)
}

// JudgeImages judges what a build has made: by the built-in rules that look at
// finished images, and by the policies' own.
func (s *Set) JudgeImages(f rules.Facts, done rules.Finished, o Options) diag.List {
	f.Grades = s.grades
	f.Policy = rules.Policy{Rules: s.rules(), Overrides: o.Overrides, Waivers: s.waivers()}
	f.Policy.Findings = s.ofImages(f, done)
	return rules.JudgeImages(f, done)
}

// ofImages are the findings of the policies' own rules over images. A rule is
// judged for each image on each platform, and what it finds is found at the
// image.
func (s *Set) ofImages(f rules.Facts, done rules.Finished) []rules.Finding {
	if !slices.ContainsFunc(s.rules(), func(r rules.Rule) bool { return r.Late }) {
		return nil
	}
	var out []rules.Finding
	seen, v := s.sees(f), newView(f.Spec)
	byTarget := map[string]roots{} // a whole spec each: 400 images took minutes with one of their own
	for _, t := range targets(f) {
		byTarget[t.String()] = seen.at(t)
	}
	for _, img := range done.Images {
		if done.Alone {
			out = append(out, s.ofLayout(f, img)...)
			continue
		}
		r, built := byTarget[img.Platform]
		if !built {
			r = seen.at(spec.Platform{})
			byTarget[img.Platform] = r
		}
		r.names = maps.Clone(r.names)
		r.names["image"] = v.finished(img)
		r.about = &place{addr: v.addrs[img.Name], at: img.Range, attrs: map[string]diag.Range{}}
		out = append(out, s.phase(ofImage, r, true)...)
	}
	return distinct(out)
}

// ofLayout are the findings of the policies' rules over an image that no spec is
// known of. One that looks at a spec as well cannot be judged, so it is broken.
func (s *Set) ofLayout(f rules.Facts, img rules.Image) []rules.Finding {
	names := map[string]cty.Value{"image": newView(f.Spec).finished(img)}
	out := s.phase(ofImage, roots{names: names, about: &place{at: img.Range, attrs: map[string]diag.Range{}}}, true)
	for i := range out {
		if d := &out[i].Diag; d.Summary == cannotJudge {
			d.Detail += " A layout has no spec and no plan: `specbuild apply --push` judges what looks at them."
		}
	}
	return out
}

// Unjudged are the rules that policies ask for and that a layout by itself
// cannot be judged by, sorted: those of hard policies, and all others that are
// errors.
func (s *Set) Unjudged() (hard, others []string) {
	judged := map[string]bool{}
	for _, r := range slices.Concat(rules.All(), s.rules()) {
		judged[r.ID] = r.OfLayouts(s.grades)
	}
	for _, id := range slices.Sorted(maps.Keys(s.grades)) {
		switch g := s.grades[id]; {
		case judged[id] || g.Off || !g.Set || g.Severity != diag.Error:
		case g.Hard:
			hard = append(hard, id)
		default:
			others = append(others, id)
		}
	}
	return hard, others
}

// sight makes what rules see, as far as some rule looks at it.
type sight struct {
	facts      rules.Facts
	spec, plan bool
	planned    roots
}

// roots are the names that expressions begin with, and where what they stand
// for is found in the spec. One that was handed out is not changed any more: a
// rule that took too long may still be looking at it.
type roots struct {
	names  map[string]cty.Value
	places []map[string]*place
	about  *place // what is judged where for_each says nothing else; may be nil
}

func (s *Set) sees(f rules.Facts) *sight {
	out := &sight{facts: f}
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			out.spec = true
			out.plan = out.plan || phaseOf(r) != ofSpec
		}
	}
	if out.plan = out.plan && f.Plan != nil; out.plan {
		v := newView(f.Spec)
		out.planned = roots{names: map[string]cty.Value{"plan": v.plan(f.Plan)}, places: []map[string]*place{v.places}}
	}
	return out
}

func (s *sight) at(target spec.Platform) roots {
	if !s.spec {
		return roots{}
	}
	v := newView(s.facts.Spec)
	names := map[string]cty.Value{"spec": v.spec(s.facts, target)}
	maps.Copy(names, s.planned.names)
	return roots{names: names, places: append([]map[string]*place{v.places}, s.planned.places...)}
}

// rules are the policies' own rules as waivers name them, and what seals are
// told as.
func (s *Set) rules() []rules.Rule {
	var out []rules.Rule
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			out = append(out, rules.Rule{ID: r.ID, By: rules.ByPolicy, Late: phaseOf(r) == ofImage, Title: "The policy " + p.Name + " asks for it"})
		}
	}
	return out
}

// distinct leaves out what several targets show alike.
func distinct(found []rules.Finding) []rules.Finding {
	type key struct {
		addr              spec.Addr
		at                diag.Range
		id, text, details string
	}
	seen := map[key]bool{}
	for i := range found {
		if a := found[i].Addr; a != (spec.Addr{}) {
			found[i].Diag.Address = a.String()
		}
	}
	return slices.DeleteFunc(found, func(f rules.Finding) bool {
		k := key{f.Addr, f.Diag.Range, f.Diag.Code, f.Diag.Summary, f.Diag.Detail}
		again := seen[k]
		seen[k] = true
		return again
	})
}

// phase judges the rules of one phase.
func (s *Set) phase(ph phase, r roots, decided bool) []rules.Finding {
	var out []rules.Finding
	for _, p := range s.Policies {
		for _, rule := range p.Rules {
			if g := s.grades[rule.ID]; phaseOf(rule) != ph || g.Off {
				continue
			}
			j := &judgement{set: s, policy: p, rule: rule, roots: r, decided: decided}
			out = append(out, j.within(patience)...)
		}
	}
	return out
}

// judgement is one rule over one set of roots.
type judgement struct {
	set    *Set
	policy *spec.Policy
	rule   *spec.PolicyRule
	roots  roots
	found  []rules.Finding

	decided bool // everything is pinned and every variable given: there is nothing left to be unknown
}

// within judges in bounded time. An expression cannot be stopped, so one that
// takes longer goes on in vain until the command ends, which it soon does:
// the rule counts as broken.
func (j *judgement) within(most time.Duration) []rules.Finding {
	done := make(chan []rules.Finding, 1)
	go func() {
		j.judge()
		done <- j.found
	}()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case found := <-done:
		return found
	case <-timer.C:
		late := &judgement{set: j.set, policy: j.policy, rule: j.rule}
		late.fails(nil, "", diag.List{{Detail: fmt.Sprintf("it took longer than %s", most), Range: j.rule.Condition.Range()}})
		return late.found
	}
}

func (j *judgement) judge() {
	if !j.rule.ForEach.IsSet() {
		j.element(nil, j.roots.names)
		return
	}
	all, ds := j.rule.ForEach.Value(j.roots.names)
	if ds.HasErrors() {
		j.fails(nil, "", ds)
		return
	}
	if all.IsNull() || !all.IsKnown() || !all.CanIterateElements() {
		if all.IsKnown() {
			j.fails(nil, "", diag.List{{Detail: "for_each is a map or a list of what is judged, not " + eval.Describe(all), Range: j.rule.ForEach.Range()}})
		}
		return
	}
	for it := all.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if all.Type().IsSetType() {
			key = value
		}
		names := map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
		maps.Copy(names, j.roots.names)
		j.element(j.placeOf(value), names)
	}
}

// placeOf is where an element stands in the spec, if it is something of it.
func (j *judgement) placeOf(value cty.Value) *place {
	if !value.IsKnown() || value.IsNull() || !value.Type().IsObjectType() || !value.Type().HasAttribute("range") {
		return nil
	}
	at := value.GetAttr("range")
	if at.Type() != cty.String || !at.IsKnown() || at.IsNull() {
		return nil
	}
	for _, places := range j.roots.places {
		if p := places[at.AsString()]; p != nil {
			return p
		}
	}
	return nil
}

// element judges one element, or everything.
func (j *judgement) element(at *place, names map[string]cty.Value) {
	if at == nil {
		at = j.roots.about
	}
	shown := ""
	if at != nil && at.addr != (spec.Addr{}) {
		shown = at.addr.String()
	}
	holds, ds := j.rule.Condition.Value(names)
	if ds.HasErrors() {
		j.fails(at, shown, ds)
		return
	}
	if !holds.IsKnown() {
		if j.decided {
			j.fails(at, shown, diag.List{{Detail: "the condition has no value", Range: j.rule.Condition.Range()}})
		}
		return // a variable without a value, or a platform that is not chosen
	}
	ok, err := eval.Bool(holds)
	switch {
	case err != nil || holds.IsNull():
		j.fails(at, shown, diag.List{{Detail: "the condition is " + eval.Describe(holds) + ", not true or false", Range: j.rule.Condition.Range()}})
	case !ok:
		message := j.text(j.rule.Message, names, "The policy "+j.policy.Name+" does not hold")
		help := j.text(j.rule.Help, names, "")
		j.broken(at, message, help)
	}
}

// text is a message; one that cannot be evaluated does not hide the finding.
func (j *judgement) text(e spec.PolicyExpr, names map[string]cty.Value, otherwise string) string {
	if !e.IsSet() {
		return otherwise
	}
	v, ds := e.Value(names)
	if ds.HasErrors() || !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
		return otherwise
	}
	return v.AsString()
}

func (j *judgement) broken(at *place, message, help string) {
	where, addr := j.rule.Range, spec.Addr{}
	if at != nil {
		where, addr = j.subject(at), at.addr
	}
	var notes []diag.Note
	if where != j.rule.Range {
		notes = []diag.Note{{Message: "This rule.", Range: j.rule.Range}}
	}
	detail := "The policy " + j.policy.Name + " asks for it."
	if help != "" {
		detail = strings.TrimSuffix(help, ".") + ". " + detail
	}
	j.found = append(j.found, rules.Finding{Addr: addr, Diag: diag.Diagnostic{
		Severity: j.severity(), Code: j.rule.ID, Summary: strings.TrimSuffix(message, "."), Detail: detail, Range: where, Notes: notes,
	}})
}

// subject is the attribute that the condition looks at, where it was written,
// else the block.
func (j *judgement) subject(at *place) diag.Range {
	for _, m := range j.rule.Condition.Mentions() {
		if len(m) > 2 && m[0] == "each" && m[1] == "value" {
			for n := len(m); n > 2; n-- { // labels["team"] before labels
				if r, ok := at.attrs[strings.Join(m[2:n], ".")]; ok {
					return r
				}
			}
		}
	}
	return at.at
}

func (j *judgement) severity() diag.Severity { return j.set.grades[j.rule.ID].Severity }

// cannotJudge is the summary of a rule that could not be evaluated.
const cannotJudge = "The rule cannot be judged"

// fails reports a rule that cannot be judged: it counts as broken, whatever
// its enforcement, since nobody knows what it would have said.
func (j *judgement) fails(at *place, shown string, ds diag.List) {
	d := diag.Diagnostic{
		Severity: diag.Error, Code: j.rule.ID, Summary: cannotJudge, Range: j.rule.Range,
		Detail: fmt.Sprintf("%s of the policy %s: %s.", j.rule.ID, j.policy.Name, strings.TrimSuffix(ds[0].Detail, ".")),
	}
	if shown != "" {
		d.Detail = fmt.Sprintf("%s of the policy %s, for %s: %s.", j.rule.ID, j.policy.Name, shown, strings.TrimSuffix(ds[0].Detail, "."))
	}
	if !ds[0].Range.IsZero() {
		d.Range = ds[0].Range
	}
	addr := spec.Addr{}
	if at != nil {
		addr = at.addr
		d.Notes = []diag.Note{{Message: "It is judged for this.", Range: at.at}}
	}
	j.found = append(j.found, rules.Finding{Addr: addr, Diag: d})
}
