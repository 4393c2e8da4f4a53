package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Mention is one name that an expression uses: var.version, stage.build["x"].
type Mention struct {
	Path      []string // the names from the root on, as far as they are constant: ["stage", "build", "x"]
	Range     diag.Range
	Traversal hcl.Traversal
}

// Root is the first name: var, local, each, target, stage and so on.
func (m Mention) Root() string { return m.Path[0] }

// Name is the n-th name, or "" where there is none or it is computed.
func (m Mention) Name(n int) string {
	if n < len(m.Path) {
		return m.Path[n]
	}
	return ""
}

// Mentions is every name that an expression uses, in the order of the source.
// The variables of its own `for`s are not in it.
func Mentions(expr hcl.Expression) []Mention {
	var out []Mention
	for _, t := range expr.Variables() {
		m := Mention{Range: syntax.Range(t.SourceRange()), Traversal: t, Path: []string{t.RootName()}}
		for _, step := range t[1:] {
			name := ""
			switch s := step.(type) {
			case hcl.TraverseAttr:
				name = s.Name
			case hcl.TraverseIndex:
				if s.Key.Type() == cty.String {
					name = s.Key.AsString()
				}
			}
			if name == "" {
				break
			}
			m.Path = append(m.Path, name)
		}
		out = append(out, m)
	}
	slices.SortStableFunc(out, func(a, b Mention) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	return out
}

// Definition is something that has a name and uses others.
type Definition struct {
	Name  string     // as it is mentioned: "local.registry"
	Range diag.Range // of its own name
	Uses  []Use
}

// Use is one mention of a definition by another.
type Use struct {
	Name  string
	Range diag.Range
}

// Order is the definitions' places in the slice, each after those that it
// uses and otherwise in the order given. A use that names no definition is
// passed over. Each cycle is one error that shows it as a path; what is on a
// cycle, or comes after one, is left out.
func Order(defs []Definition) ([]int, diag.List) {
	o := orderer{defs: defs, byName: make(map[string]int, len(defs)), state: make([]orderState, len(defs))}
	for i, d := range defs {
		if _, ok := o.byName[d.Name]; !ok {
			o.byName[d.Name] = i
		}
	}
	for i := range defs {
		o.visit(i, Use{})
	}
	return o.done, o.diags
}

type orderState uint8

const (
	unseen orderState = iota
	visiting
	ordered
	broken
)

type orderer struct {
	defs   []Definition
	byName map[string]int
	state  []orderState
	path   []step
	done   []int
	diags  diag.List
}

// step is a definition on the current path, and the use that led to it.
type step struct {
	def int
	use Use
}

// visit recurses as deep as definitions use one another: a thousand locals in
// a chain are a thousand small frames.
func (o *orderer) visit(i int, by Use) (ok bool) {
	switch o.state[i] {
	case ordered:
		return true
	case broken:
		return false
	case visiting:
		o.cycle(i, by)
		return false
	}
	o.state[i] = visiting
	o.path = append(o.path, step{i, by})
	ok = true
	for _, u := range o.defs[i].Uses {
		if j, known := o.byName[u.Name]; known && !o.visit(j, u) {
			ok = false
		}
	}
	o.path = o.path[:len(o.path)-1]
	if !ok {
		o.state[i] = broken
		return false
	}
	o.state[i] = ordered
	o.done = append(o.done, i)
	return true
}

// cycle reports the way from definition i back to itself.
func (o *orderer) cycle(i int, closing Use) {
	start := slices.IndexFunc(o.path, func(s step) bool { return s.def == i })
	loop := o.path[start:]
	var names []string
	var notes []diag.Note
	for n, s := range loop {
		names = append(names, o.defs[s.def].Name)
		use := closing
		next := o.defs[i].Name
		if n+1 < len(loop) {
			use, next = loop[n+1].use, o.defs[loop[n+1].def].Name
		}
		notes = append(notes, diag.Note{Message: fmt.Sprintf("%s uses %s here.", o.defs[s.def].Name, next), Range: use.Range})
	}
	names = append(names, o.defs[i].Name)
	o.diags = append(o.diags, diag.Diagnostic{
		Severity: diag.Error,
		Summary:  "Definitions form a cycle",
		Detail:   fmt.Sprintf("%s: none of them can be worth anything before itself.", strings.Join(names, " → ")),
		Range:    o.defs[i].Range,
		Notes:    notes,
	})
}
