package rules

import (
	"fmt"
	"slices"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// Grade is how policies judge a rule: its severity and its lists and limits
// instead of the built-in ones. The zero value changes nothing.
type Grade struct {
	Set      bool // Severity holds, in a release too
	Severity diag.Severity
	Off      bool // the rule is not judged
	Hard     bool // no waiver of a spec sets it aside
	Rank     int  // of the policy that made it hard: no waiver of a lower one sets it aside
	Lists    map[string][]string
	Limits   map[string]int64 // in the unit of the parameter's kind
	Range    diag.Range       // where the policy says it; zero where none does
}

// Kind is what a parameter of a rule takes.
type Kind string

// The kinds. The unit is what Grade.Limits holds.
const (
	List     Kind = "list"     // of strings
	Keys     Kind = "keys"     // a list of public keys in PEM
	Count    Kind = "count"    // a number, 0 or more
	Bytes    Kind = "size"     // "30MiB", in bytes
	Duration Kind = "duration" // "90d" or "12h", in seconds
	Severity Kind = "severity" // low, medium, high or critical, as Score has it
)

// Param is a parameter that a grade may set.
type Param struct {
	Name string // as grade = { "rule" = { NAME = … } } says it
	Kind Kind
	Doc  string // what it limits, with its default, without a full stop

	Words []string // that a List may hold; none is any

	// Needed rules have nothing to judge by without it: they are off until a
	// policy gives it.
	Needed bool
}

// grade is what policies say of the rule that is being judged.
func (d *docket) grade() Grade { return d.Grades[d.rule.ID] }

// graded reports whether a policy says anything of the rule: giving it what to
// judge by switches it on as well.
func (g Grade) graded() bool { return g.Set || len(g.Lists)+len(g.Limits) > 0 }

// severity is that of a finding of the rule that is being judged.
func (d *docket) severity() diag.Severity {
	switch g := d.grade(); {
	case g.Set:
		return g.Severity
	case d.Locked:
		return d.rule.Release
	}
	return d.rule.Severity
}

// on reports whether a rule is judged at all.
func (d *docket) on(r Rule) bool {
	g := d.Grades[r.ID]
	if g.Off || r.Off && !g.graded() {
		return false
	}
	return !slices.ContainsFunc(r.Params, func(p Param) bool {
		_, list := g.Lists[p.Name]
		_, limit := g.Limits[p.Name]
		return p.Needed && !list && !limit
	})
}

// list is a parameter that a policy gives, or what the rule has by itself.
func (d *docket) list(name string, builtin ...string) []string {
	if l, ok := d.grade().Lists[name]; ok {
		return l
	}
	return builtin
}

// limit is list for a number.
func (d *docket) limit(name string, builtin int64) int64 {
	if n, ok := d.grade().Limits[name]; ok {
		return n
	}
	return builtin
}

// mend is found with a replacement that `validate --fix` makes. A nil fix is
// a finding without one.
func (d *docket) mend(addr spec.Addr, at diag.Range, fix *diag.Fix, summary, detail string, args ...any) {
	d.add(addr, diag.Diagnostic{Severity: d.severity(), Range: at, Summary: summary, Detail: fmt.Sprintf(detail, args...), Fix: fix})
}

// secret is found for a place that holds a secret, which no output shows.
func (d *docket) secret(addr spec.Addr, at diag.Range, summary, detail string, args ...any) {
	d.add(addr, diag.Diagnostic{Severity: d.severity(), Range: at, Summary: summary, Detail: fmt.Sprintf(detail, args...), Secret: true})
}
