package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
)

// Seen is what rules see of something: `spec` for each target, and `plan`
// where everything is pinned.
type Seen struct {
	Target string // "linux/amd64", or empty where none is chosen
	Roots  map[string]json.RawMessage
}

// See is what rules would see, as JSON. What has no value yet is null. Of
// finished images each is seen with its platform, or all where none is chosen.
func See(f rules.Facts, finished []rules.Image) ([]Seen, error) {
	v := newView(f.Spec)
	var plan json.RawMessage
	if f.Plan != nil {
		var err error
		if plan, err = encode(v.plan(f.Plan)); err != nil {
			return nil, err
		}
	}
	var out []Seen
	for _, target := range targets(f) {
		text, err := encode(v.spec(f, target))
		if err != nil {
			return nil, err
		}
		s := Seen{Target: target.String(), Roots: map[string]json.RawMessage{"spec": text}}
		if plan != nil {
			s.Roots["plan"] = plan
		}
		out = append(out, s)
	}
	for _, img := range finished {
		text, err := encode(v.finished(img))
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(out, func(s Seen) bool { return s.Target == img.Platform || s.Target == "" })
		if i < 0 || out[i].Roots["image"] != nil {
			out, i = append(out, Seen{Target: img.Platform, Roots: map[string]json.RawMessage{}}), len(out)
		}
		out[i].Roots["image"] = text
	}
	return out, nil
}

func encode(v cty.Value) (json.RawMessage, error) {
	known := cty.UnknownAsNull(v)
	text, err := ctyjson.Marshal(known, known.Type())
	if err != nil {
		return nil, fmt.Errorf("writing what a rule sees: %w", err)
	}
	return text, nil
}

// Verdict is what one rule says of everything.
type Verdict struct {
	Policy string `json:"policy"`
	Rule   string `json:"rule"`
	// Phase is what has to be there for it: "spec", "plan" or "image".
	Phase  string    `json:"phase"`
	Judged bool      `json:"judged"` // false where its phase was not reached
	Found  diag.List `json:"found,omitempty"`
}

// Verdicts are what the policies' own rules say, one each, in their order.
func (s *Set) Verdicts(f rules.Facts, o Options) []Verdict {
	var out []Verdict
	seen := s.sees(f)
	found := map[string]diag.List{}
	for _, target := range targets(f) {
		roots := seen.at(target)
		for _, ph := range []phase{ofSpec, ofPlan} {
			if ph == ofPlan && f.Plan == nil {
				continue
			}
			for _, x := range s.phase(ph, roots, f.Plan != nil && !o.Partial) {
				found[x.Diag.Code] = append(found[x.Diag.Code], x.Diag)
			}
		}
	}
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			ph := phaseOf(r)
			out = append(out, Verdict{
				Policy: p.Name, Rule: r.ID, Phase: []string{"spec", "plan", "image"}[ph],
				Judged: ph == ofSpec || ph == ofPlan && f.Plan != nil, Found: found[r.ID].Sorted(),
			})
		}
	}
	return out
}

// Expression is a value in the scope of a rule, for people who write one:
// the text of the value for the first target, and the first of the finished
// images where there are any.
func Expression(f rules.Facts, finished []rules.Image, text string) (string, diag.List) {
	e, ds := spec.ParsePolicyExpr("expression", text)
	if ds.HasErrors() {
		return "", ds
	}
	v := newView(f.Spec)
	names := map[string]cty.Value{"spec": v.spec(f, targets(f)[0])}
	if f.Plan != nil {
		names["plan"] = v.plan(f.Plan)
	}
	if len(finished) > 0 {
		names["image"] = v.finished(finished[0])
	}
	value, ds := e.Value(names)
	if ds.HasErrors() {
		return "", ds
	}
	return eval.Print(value), nil
}

// Compare is what differs between what a test expects and what was found.
// Every error counts; of the rest, only rules that the policies grade or
// declare: what built-in rules advise is no business of theirs.
func (s *Set) Compare(t *spec.PolicyTest, found diag.List) []string {
	var wrong []string
	left := found.Sorted()
	for _, e := range t.Expect {
		i := slices.IndexFunc(left, func(d diag.Diagnostic) bool { return meets(d, e) })
		if i < 0 && s.ofImage(e.Rule) {
			wrong = append(wrong, fmt.Sprintf("%s: %s is judged with a finished image, and a test builds none: take the expectation out", e.Range, e.Rule))
			continue
		}
		if i < 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %s was expected, and is not found", e.Range, describe(e)))
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, d := range left {
		_, graded := s.grades[d.Code]
		if d.Severity == diag.Error || s.owners[d.Code] != "" || graded {
			wrong = append(wrong, fmt.Sprintf("%s: %s was not expected: %s. %s", t.Range, title(d), d.Summary, d.Detail))
		}
	}
	return wrong
}

// ofImage reports whether a rule is judged with finished images, and only
// with them.
func (s *Set) ofImage(id string) bool {
	return slices.ContainsFunc(slices.Concat(rules.All(), s.rules()), func(r rules.Rule) bool {
		return r.ID == id && (r.By == rules.ByImage || r.Late)
	})
}

func meets(d diag.Diagnostic, e spec.PolicyExpectation) bool {
	if d.Code != e.Rule || e.Address.Set && d.Address != e.Address.V || e.Severity.Set && d.Severity.String() != e.Severity.V {
		return false
	}
	for _, part := range e.Contains.V {
		if !strings.Contains(d.Summary+". "+d.Detail, part) {
			return false
		}
	}
	return true
}

func describe(e spec.PolicyExpectation) string {
	out := e.Rule
	if e.Severity.Set {
		out = e.Severity.V + " " + out
	}
	if e.Address.Set {
		out += " at " + e.Address.V
	}
	if len(e.Contains.V) > 0 {
		out += fmt.Sprintf(" with %q", e.Contains.V)
	}
	return out
}

func title(d diag.Diagnostic) string {
	out := d.Severity.String()
	if d.Code != "" {
		out += " " + d.Code
	}
	if d.Address != "" {
		out += " at " + d.Address
	}
	return out
}
