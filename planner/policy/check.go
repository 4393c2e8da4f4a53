package policy

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// check finds what rules ask for and nothing has, when they are read: a rule
// over images would say it only after a build, and one over a plan where there
// is a lock. What depends on values is left for when they are there.
func (s *Set) check(plan any) diag.List {
	if len(s.rules()) == 0 {
		return nil
	}
	seen := shapesOf(plan)
	var ds diag.List
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			ds = append(ds, checkRule(r, seen)...)
		}
	}
	return ds
}

// checkRule takes no longer than judging may; one that would is judged later,
// and told then.
func checkRule(r *spec.PolicyRule, seen map[form]map[string]cty.Value) diag.List {
	done := make(chan diag.List, 1)
	go func() {
		c := &ruleCheck{rule: r, at: map[diag.Range]bool{}}
		for _, in := range []form{open, sampled, typed} {
			c.over(seen[in], in != open)
		}
		done <- c.found
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case ds := <-done:
		return ds
	case <-timer.C:
		return nil
	}
}

// ruleCheck is one rule that is checked.
type ruleCheck struct {
	rule  *spec.PolicyRule
	found diag.List
	at    map[diag.Range]bool // where something was found: one mistake is one message
}

func (c *ruleCheck) add(ds diag.List) {
	for _, d := range ds {
		if !c.at[d.Range] {
			c.at[d.Range] = true
			c.found = append(c.found, d)
		}
	}
}

// over checks the rule's expressions over roots of one shape.
func (c *ruleCheck) over(roots map[string]cty.Value, samples bool) {
	names := maps.Clone(roots)
	if each := c.rule.ForEach; each.IsSet() {
		c.add(each.Check(roots, samples))
		names["each"] = c.each(roots)
	}
	for _, e := range []spec.PolicyExpr{c.rule.Condition, c.rule.Message, c.rule.Help} {
		if e.IsSet() {
			c.add(e.Check(names, samples))
		}
	}
	if samples {
		return // what comes of a list is a matter of how many elements it has
	}
	c.hasType(c.rule.Condition, names, "condition", "true or false", cty.Bool)
	c.hasType(c.rule.Message, names, "message", "a text", cty.String)
	c.hasType(c.rule.Help, names, "help", "a text", cty.String)
}

// each is an element of for_each: the one that there is, or any.
func (c *ruleCheck) each(roots map[string]cty.Value) cty.Value {
	key, value := cty.DynamicVal, cty.DynamicVal
	all, ds := c.rule.ForEach.Value(roots)
	if ds.HasErrors() || all.Type() == cty.DynamicPseudoType {
		return cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
	}
	if t := all.Type(); !t.IsTupleType() && !t.IsObjectType() && !t.IsCollectionType() {
		at := c.rule.ForEach.Range()
		c.add(diag.List{mistyped(at, "for_each", "a map or a list of what is judged", t)})
	} else if all.IsKnown() && !all.IsNull() && all.LengthInt() == 1 {
		for it := all.ElementIterator(); it.Next(); {
			k, v := it.Element()
			key, value = cty.UnknownVal(k.Type()), v
		}
	}
	return cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
}

// hasType reports an expression that never has the type that is needed. A string
// may be "true".
func (c *ruleCheck) hasType(e spec.PolicyExpr, names map[string]cty.Value, what, need string, want cty.Type) {
	if !e.IsSet() {
		return
	}
	v, ds := e.Value(names)
	if t := v.Type(); ds.HasErrors() || slices.Contains([]cty.Type{cty.DynamicPseudoType, cty.String, want}, t) {
		return
	}
	if !slices.ContainsFunc(c.found, func(d diag.Diagnostic) bool { return d.Range.File == e.Range().File && within(d.Range, e.Range()) }) {
		c.add(diag.List{mistyped(e.Range(), what, need, v.Type())})
	}
}

func within(a, b diag.Range) bool {
	return b.Start.Byte <= a.Start.Byte && a.End.Byte <= b.End.Byte
}

func mistyped(at diag.Range, what, need string, t cty.Type) diag.Diagnostic {
	return diag.Diagnostic{Severity: diag.Error, Summary: "Invalid value", Range: at, Detail: fmt.Sprintf("%s is %s, not %s.", what, need, kindOf(t))}
}

// kindOf is a type as people call it.
func kindOf(t cty.Type) string {
	switch {
	case t == cty.Bool:
		return "a boolean"
	case t.IsPrimitiveType():
		return "a " + t.FriendlyName()
	case t.IsObjectType(), t.IsMapType():
		return "a map"
	}
	return "a list"
}
