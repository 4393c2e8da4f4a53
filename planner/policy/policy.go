// Package policy judges specs, plans and images by an organisation's own
// rules, and says how the built-in ones are judged: policy files → a [Set],
// which adds its findings to those of package rules.
//
// It fails closed: a rule that cannot be evaluated is an error, and so is a
// name in a policy that names nothing.
package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
)

// File is a policy file as it was found.
type File struct {
	Name string // as diagnostics show it
	Text []byte
	Rank Rank
}

// Rank says who has given a policy. All that are given hold, whatever their
// rank, and the strictest counts; but what one has made hard, a waiver in one
// of lower rank does not set aside: anybody can add a policy to a command.
type Rank int

// The ranks, the lowest first.
const (
	OfCommand   Rank = iota // who runs the command: --policy
	OfWorkspace             // who may change specbuild.hcl
	OfMachine               // root of the machine that builds
)

// Set is the policies that hold for a workspace.
type Set struct {
	Policies []*spec.Policy
	Files    map[string][]byte // their texts, by name, for excerpts

	grades map[string]rules.Grade
	said   map[string][]saying // of each policy that grades a rule, by its id
	owners map[string]string   // the policy that graded or declared a rule, by its id
	ranks  map[*spec.Policy]Rank
}

// saying is what one policy says of a rule.
type saying struct {
	policy *spec.Policy
	grade  rules.Grade
}

// ReadOptions is what reading needs beside files.
type ReadOptions struct {
	Version string // this build's, for required_version
	Plan    any    // an empty plan, of the type that Facts.Plan has: what is said of a plan is checked by it
}

// Read reads policy files, and checks what their rules ask for by what there
// is. The set is whole only if no diagnostic is an error.
func Read(files []File, o ReadOptions) (*Set, diag.List) {
	s := &Set{
		Files: map[string][]byte{}, grades: map[string]rules.Grade{}, said: map[string][]saying{},
		owners: map[string]string{}, ranks: map[*spec.Policy]Rank{},
	}
	var ds diag.List
	for _, f := range files {
		if _, twice := s.Files[f.Name]; twice {
			continue // named by the workspace and by a flag
		}
		s.Files[f.Name] = f.Text
		all, problems := spec.ReadPolicy(f.Name, f.Text, o.Version)
		ds = append(ds, problems...)
		s.Policies = append(s.Policies, all...)
		for _, p := range all {
			s.ranks[p] = f.Rank
		}
	}
	if ds.HasErrors() {
		return s, ds
	}
	builtin := map[string]rules.Rule{}
	for _, r := range rules.All() {
		builtin[r.ID] = r
	}
	for _, p := range s.Policies {
		ds = append(ds, s.declare(p, builtin)...)
		if len(p.Seal.V) > 0 {
			s.grades[sealed] = stricter(s.grades[sealed], s.blank(p, p.Seal.Range, diag.Error))
		}
	}
	for _, p := range s.Policies {
		for _, g := range p.Grades {
			ds = append(ds, s.grade(p, g, builtin)...)
		}
	}
	ds = append(ds, s.idle(builtin)...)
	return s, append(ds, s.check(o.Plan)...)
}

// idle reports rules that are graded and have nothing to judge by: they look
// like rules that are kept.
func (s *Set) idle(builtin map[string]rules.Rule) diag.List {
	var ds diag.List
	for _, id := range slices.Sorted(maps.Keys(s.grades)) {
		g := s.grades[id]
		for _, p := range builtin[id].Params {
			_, list := g.Lists[p.Name]
			_, limit := g.Limits[p.Name]
			if g.Set && !g.Off && p.Needed && !list && !limit {
				ds.Errorf(g.Range, "Nothing to judge by", "%s judges by %s, which no policy gives: %s. Write %s = { severity = \"error\", %s = [\"…\"] }.", id, p.Name, p.Doc, strconv.Quote(id), p.Name)
			}
		}
	}
	return ds
}

// Signed reports whether a base of this name (rules.Base.Name) must be signed.
func (s *Set) Signed(name string) bool { return rules.AsksSigned(s.grades, name) }

// Scanned reports whether a result of a scan is wanted of a base of this name
// (rules.Base.Name), and whether registries are asked for it.
func (s *Set) Scanned(name string) (wanted, registry bool) { return rules.AsksScanned(s.grades, name) }

// ScanFiles are the patterns of files with results of scans.
func (s *Set) ScanFiles() []string { return rules.ScanFiles(s.grades) }

// ScansImages reports whether a result of a scan is wanted of what is pushed,
// and whether registries are asked for it.
func (s *Set) ScansImages() (wanted, registry bool) { return rules.AsksScannedImages(s.grades) }

// declare takes a policy's own rules, each with the grade that its
// enforcement gives it.
func (s *Set) declare(p *spec.Policy, builtin map[string]rules.Rule) diag.List {
	var ds diag.List
	for _, r := range p.Rules {
		if _, taken := builtin[r.ID]; taken {
			ds.Errorf(r.Range, "Name taken", "%s is a built-in rule. Give this one another name, or grade that one.", r.ID)
			continue
		}
		if owner, taken := s.owners[r.ID]; taken {
			ds.Errorf(r.Range, "Name taken", "The policy %s has a rule %s already. Give this one another name.", owner, r.ID)
			continue
		}
		s.owners[r.ID] = p.Name
		s.grades[r.ID] = s.blank(p, r.Range, diag.Error)
	}
	return ds
}

// blank is a grade of a policy that says a severity and nothing else.
func (s *Set) blank(p *spec.Policy, at diag.Range, severity diag.Severity) rules.Grade {
	g := rules.Grade{Set: true, Severity: atMost(p, severity), Range: at, Lists: map[string][]string{}, Limits: map[string]int64{}}
	if hard(p) {
		g.Hard, g.Rank = true, int(s.ranks[p])
	}
	return g
}

// waivers are those of all policies, each with its policy's rank.
func (s *Set) waivers() []rules.PolicyWaiver {
	var out []rules.PolicyWaiver
	for _, p := range s.Policies {
		for _, w := range p.Waivers {
			out = append(out, rules.PolicyWaiver{Waiver: w, Rank: int(s.ranks[p])})
		}
	}
	return out
}

func hard(p *spec.Policy) bool { return p.Enforcement.V == "hard" }

// atMost is a severity as far as a policy may give it: one that is advisory
// stops nothing.
func atMost(p *spec.Policy, s diag.Severity) diag.Severity {
	if p.Enforcement.V == "advisory" {
		return max(s, diag.Warning)
	}
	return s
}

// grade takes one line of a policy's grades. Where several policies grade a
// rule, the strictest counts; lists and limits of which neither is stricter
// must be equal.
func (s *Set) grade(p *spec.Policy, g spec.PolicyGrade, builtin map[string]rules.Rule) diag.List {
	var ds diag.List
	rule, ok := builtin[g.Rule]
	if !ok && s.owners[g.Rule] == "" {
		ids := slices.Concat(slices.Collect(maps.Keys(builtin)), slices.Collect(maps.Keys(s.owners)))
		slices.Sort(ids)
		ds.Errorf(g.Range, "No such rule", "%q is not the id of a rule.%s `specbuild rules` lists them.", g.Rule, eval.DidYouMean(g.Rule, ids))
		return ds
	}
	if ok && (rule.By == rules.ByLanguage || rule.By == rules.ByPlanner) && !rule.OfImages() && g.Severity.V != "error" {
		ds.Errorf(g.Range, "This cannot be graded", "%s is kept by the %s: it is always an error. Take the line out.", g.Rule, rule.By)
		return ds
	}
	next := s.blank(p, g.Range, severity(g.Severity.V))
	next.Set, next.Off = g.Severity.Set, g.Severity.V == "off"
	for _, param := range g.Params {
		ds = append(ds, parameter(&next, rule, param)...)
	}
	for _, other := range s.said[g.Rule] {
		ds = append(ds, conflict(other.grade, next, g)...)
		ds = append(ds, loosened(rule, other, saying{p, next})...)
	}
	s.said[g.Rule] = append(s.said[g.Rule], saying{p, next})
	if before, twice := s.grades[g.Rule]; twice {
		next = stricter(before, next)
	}
	s.grades[g.Rule] = next
	return ds
}

func severity(word string) diag.Severity {
	switch word {
	case "warning":
		return diag.Warning
	case "info":
		return diag.Info
	default:
		return diag.Error
	}
}

// parameter puts a list or a limit into a grade, by what the rule takes.
func parameter(g *rules.Grade, rule rules.Rule, p spec.PolicyParam) diag.List {
	var ds diag.List
	var names []string
	for _, has := range rule.Params {
		names = append(names, has.Name)
		if has.Name != p.Name {
			continue
		}
		switch has.Kind {
		case rules.List, rules.Keys:
			g.Lists[p.Name] = p.List
			if p.List == nil {
				ds.Errorf(p.Range, "Invalid value", "%s is a list of texts: %s = [\"…\"].", p.Name, p.Name)
			} else if err := rules.CheckKeys(p.List); has.Kind == rules.Keys && err != nil {
				ds.Errorf(p.Range, "Invalid value", "%s: %v.", p.Name, err)
			} else if has.Words != nil {
				ds = append(ds, words(p, has.Words)...)
			}
		default:
			n, err := limit(has.Kind, p.Text)
			if g.Limits[p.Name] = n; err != nil {
				ds.Errorf(p.Range, "Invalid value", "%s: %v.", p.Name, err)
			}
		}
		return ds
	}
	takes := "nothing besides a severity"
	if len(names) > 0 {
		takes = strings.Join(names, ", ")
	}
	ds.Errorf(p.Range, "Unknown name", "%s takes %s.%s", rule.ID, takes, eval.DidYouMean(p.Name, names))
	return ds
}

// words checks a list that holds some of a few words. An empty one would
// judge nothing and look as if it judged.
func words(p spec.PolicyParam, known []string) diag.List {
	var ds diag.List
	for _, w := range p.List {
		if !slices.Contains(known, w) {
			ds.Errorf(p.Range, "Invalid value", "%s: %q is none of %s.%s", p.Name, w, strings.Join(known, ", "), eval.DidYouMean(w, known))
		}
	}
	if len(p.List) == 0 {
		ds.Errorf(p.Range, "Invalid value", "%s: the list is empty; it holds one or more of %s.", p.Name, strings.Join(known, ", "))
	}
	return ds
}

// limit reads a number in the unit of its kind. Days are a unit here alone:
// nobody builds for days, but bases and waivers are that old.
func limit(kind rules.Kind, s string) (int64, error) {
	switch kind {
	case rules.Bytes:
		return eval.ParseSize(s)
	case rules.Duration:
		if days, ok := strings.CutSuffix(s, "d"); ok {
			n, err := strconv.ParseInt(days, 10, 32)
			if err != nil || n < 0 {
				return 0, fmt.Errorf("%q is not a number of days; write it like \"90d\"", s)
			}
			return n * 24 * 60 * 60, nil
		}
		d, err := eval.ParseDuration(s)
		return int64(d.Seconds()), err
	case rules.Severity:
		tenths, ok := rules.Score(s)
		if words := []string{"low", "medium", "high", "critical"}; !ok || !slices.Contains(words, s) {
			return 0, fmt.Errorf("%q is no severity; write one of %s", s, strings.Join(words, ", "))
		}
		return tenths, nil
	default:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is not a number from 0 up", s)
		}
		return n, nil
	}
}

// conflict reports lists and limits that two policies give differently: which
// of them is stricter is not known.
func conflict(before, next rules.Grade, g spec.PolicyGrade) diag.List {
	var ds diag.List
	for _, p := range g.Params {
		list, both := before.Lists[p.Name]
		n, number := before.Limits[p.Name]
		if both && p.List != nil && !slices.Equal(list, next.Lists[p.Name]) || number && n != next.Limits[p.Name] {
			ds.Errorf(p.Range, "Two policies differ", "%s of %s is given by two policies, and not alike. Leave it to one of them.", p.Name, g.Rule)
			ds[len(ds)-1].Notes = []diag.Note{{Message: "The rule is graded here as well.", Range: before.Range}}
		}
	}
	return ds
}

// loosened reports a list or a limit that one policy gives to a rule which
// another, as strict or stricter, asks for without it. That one counts on what
// the rule has by itself: exceptions, or an older scan, would go around it.
func loosened(rule rules.Rule, a, b saying) diag.List {
	var ds diag.List
	for _, p := range rule.Params {
		giver, silent := a, b
		if gives(b.grade, p.Name) {
			giver, silent = b, a
		}
		if p.Needed || gives(a.grade, p.Name) == gives(b.grade, p.Name) || !silent.grade.Set || silent.grade.Off ||
			weight(silent.policy) == 0 || weight(silent.policy) < weight(giver.policy) {
			continue
		}
		ds.Errorf(giver.grade.Range, "Two policies differ", "%s gives %s to %s, and %s, which is no less strict, asks for the rule without. Write it there too, or leave the rule to one of them.",
			giver.policy.Name, p.Name, rule.ID, silent.policy.Name)
		ds[len(ds)-1].Notes = []diag.Note{{Message: "The rule is graded here as well.", Range: silent.grade.Range}}
	}
	return ds
}

func gives(g rules.Grade, param string) bool {
	_, list := g.Lists[param]
	_, limit := g.Limits[param]
	return list || limit
}

// weight orders policies by their enforcement.
func weight(p *spec.Policy) int {
	return slices.Index([]string{"advisory", "soft", "hard"}, p.Enforcement.V)
}

// stricter is what two grades come to.
func stricter(a, b rules.Grade) rules.Grade {
	out := rules.Grade{Hard: a.Hard || b.Hard, Rank: max(a.Rank, b.Rank), Range: cmp.Or(a.Range, b.Range), Lists: map[string][]string{}, Limits: map[string]int64{}}
	for _, g := range []rules.Grade{a, b} {
		maps.Copy(out.Lists, g.Lists)
		maps.Copy(out.Limits, g.Limits)
		switch {
		case g.Off || !g.Set:
		case !out.Set || g.Severity < out.Severity:
			out.Set, out.Severity = true, g.Severity
		}
	}
	out.Off = !out.Set && (a.Off || b.Off)
	return out
}

// Hard reports whether one of the policies is.
func (s *Set) Hard() bool { return slices.ContainsFunc(s.Policies, hard) }

// Grants are the privileges that policies give, sorted.
func (s *Set) Grants() []string {
	var out []string
	for _, p := range s.Policies {
		out = append(out, p.Grant.V...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Owner is the name of the policy that grades or declares a rule, or empty.
func (s *Set) Owner(rule string) string { return s.owners[rule] }

// Asks reports whether a policy grades or declares a rule.
func (s *Set) Asks(rule string) bool { return s.grades[rule].Set }

// Late reports whether a rule looks at finished images, also.
func (s *Set) Late(rule string) bool {
	return slices.ContainsFunc(slices.Concat(rules.All(), s.rules()), func(r rules.Rule) bool { return r.ID == rule && r.OfImages() })
}

// Unsettled reports whether a rule may have something to say of what is made,
// after a build: one that is late, or one that judges what is pushed.
func (s *Set) Unsettled(rule string) bool {
	return s.Late(rule) || rules.OfPushed(s.grades, rule)
}

// GradesImages reports whether a policy has a rule over finished images, or
// grades one: then no image may be passed over.
func (s *Set) GradesImages() bool {
	for id, g := range s.grades {
		if g.Set && s.Late(id) {
			return true
		}
	}
	return false
}

// Overridable says why a rule cannot be overridden; nil is that it can.
func (s *Set) Overridable(rule string) error {
	ids := slices.Collect(maps.Keys(s.owners))
	for _, r := range rules.All() {
		if r.By != rules.ByLanguage && r.By != rules.ByPlanner || r.OfImages() {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	switch {
	case !slices.Contains(ids, rule):
		return fmt.Errorf("there is no such rule.%s `specbuild rules` lists them", eval.DidYouMean(rule, ids))
	case s.grades[rule].Hard:
		return fmt.Errorf("a policy has made it hard (%s); only a waiver in the policy sets it aside", s.grades[rule].Range)
	}
	return nil
}
