package bake

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/format"
	"github.com/specbuild/specbuild/spec/syntax"
)

// piece is what becomes one block: a target, or all targets of a matrix that
// differ in values alone.
type piece struct {
	targets []*target
	scope   *scope // that of the first, with what a for_each says
	forEach string // an expression; empty without one
	label   string
}

func (p *piece) first() *target { return p.targets[0] }

// scopeOf is the scope in which a field is written.
func (p *piece) scopeOf(f field) *scope {
	if f.scope == p.first().scope {
		return p.scope
	}
	return f.scope
}

// plan makes pieces of the targets and gives them their names.
func (im *importer) plan() []*piece {
	var out []*piece
	done := map[*target]bool{}
	for _, t := range im.targets {
		if done[t] {
			continue
		}
		p := &piece{targets: []*target{t}, scope: t.scope, label: nameOf(t.called(), "-")}
		var family []*target
		for _, o := range im.targets {
			if o.block == t.block {
				family = append(family, o)
			}
		}
		if len(family) > 1 && alike(family) {
			im.loop(p, family)
		}
		for _, o := range p.targets {
			done[o] = true
		}
		out = append(out, p)
	}
	taken := map[string]bool{}
	for _, p := range out {
		p.label = unique(taken, p.label, "-")
		for _, t := range p.targets {
			t.label = p.label
		}
	}
	return out
}

// alike reports whether targets of one matrix are one build with other values:
// the same stage of the same Dockerfile, and the same expressions.
func alike(family []*target) bool {
	first := family[0]
	for _, t := range family[1:] {
		if t.stage != first.stage || len(t.one) != len(first.one) || t.linked || first.linked {
			return false
		}
		for _, name := range []string{"context", "dockerfile", "dockerfile-inline", "target"} {
			if t.str(name, "") != first.str(name, "") {
				return false
			}
		}
		for name, f := range first.one {
			if !sameField(f, first, t.one[name], t) {
				return false
			}
		}
		if !sameEntries(first, t) || !sameLists(first, t) {
			return false
		}
	}
	return true
}

func sameEntries(a, b *target) bool {
	for _, name := range mapAttrs() {
		if len(a.maps[name]) != len(b.maps[name]) {
			return false
		}
		for i, e := range a.maps[name] {
			o := b.maps[name][i]
			if e.key != o.key || !sameField(e.field, a, o.field, b) || e.val.IsNull() != o.val.IsNull() {
				return false
			}
			if s, _ := text(e.val); name == "contexts" && !strings.HasPrefix(s, "docker-image://") && !sameValue(e.val, o.val) {
				return false
			}
		}
	}
	return true
}

func sameLists(a, b *target) bool {
	for _, name := range listAttrs() {
		if len(a.lists[name]) != len(b.lists[name]) {
			return false
		}
		for i, f := range a.lists[name] {
			if !sameField(f, a, b.lists[name][i], b) {
				return false
			}
		}
	}
	return true
}

// sameField reports whether two targets have one expression for something,
// each in its own scope or both in another's.
func sameField(f field, a *target, g field, b *target) bool {
	if f.Expression == nil || g.Expression == nil {
		return f.Expression == g.Expression
	}
	if f.Range() != g.Range() || f.at != g.at {
		return false
	}
	if f.scope == a.scope && g.scope == b.scope {
		return true
	}
	return f.scope == g.scope || sameValue(f.val, g.val)
}

func sameValue(a, b cty.Value) bool {
	return a != cty.NilVal && b != cty.NilVal && a.RawEquals(b)
}

// loop makes one block of a matrix. The keys are the values themselves where
// one axis of strings is all there is, else the names that bake gives.
func (im *importer) loop(p *piece, family []*target) {
	first := family[0]
	matrix := first.block.attrs["matrix"]
	v, ok := im.values.value(matrix, nil)
	if !ok {
		return
	}
	names := axes(matrix, v)
	each := &scope{vars: first.scope.vars, each: map[string]string{}}
	simple := len(names) == 1 && !slices.ContainsFunc(family, func(t *target) bool {
		_, ok := text(t.scope.vars[names[0]])
		return !ok
	})
	keys := map[string]bool{}
	for _, t := range family {
		t.key = t.name
		if simple {
			t.key, _ = text(t.scope.vars[names[0]])
		}
		keys[t.key] = true
	}
	if len(keys) != len(family) {
		for _, t := range family {
			t.key = ""
		}
		return
	}
	for _, name := range names {
		each.each[name] = "each.value." + name
		if len(names) == 1 {
			each.each[name] = "each.value"
		}
	}
	p.targets, p.scope, p.label = family, each, nameOf(first.block.name, "-")
	p.forEach = im.forEach(family, names, simple)
}

// forEach is the collection: an expression where variables of bake decide it,
// else written out.
func (im *importer) forEach(family []*target, names []string, simple bool) string {
	first := family[0]
	matrix := first.block.attrs["matrix"]
	if simple {
		return "toset(" + im.axis(matrix, names[0], family) + ")"
	}
	if len(names) == 1 {
		axis, ok := axisOf(matrix, names[0])
		if p := im.print.print(axis, nil); ok && p.vars && p.none == "" {
			inner := &scope{vars: first.scope.vars, each: map[string]string{names[0]: names[0]}}
			key := im.print.print(first.block.attrs["name"], inner)
			if key.none == "" {
				return "{ for " + names[0] + " in " + p.text + " : " + key.text + " => " + names[0] + " }"
			}
		}
	}
	entries := make([][2]string, len(family))
	for i, t := range family {
		v := t.scope.vars[names[0]]
		if len(names) > 1 {
			v = cty.ObjectVal(maps.Clone(t.scope.vars))
		}
		entries[i] = [2]string{t.key, literal(v)}
	}
	var b strings.Builder
	b.WriteString("{\n")
	for _, e := range entries {
		b.WriteString("  " + format.Quote(e[0]) + " = " + e[1] + "\n")
	}
	return b.String() + "}"
}

// axis is the list of one axis of strings.
func (im *importer) axis(matrix expr, name string, family []*target) string {
	if axis, ok := axisOf(matrix, name); ok {
		if p := im.print.print(axis, nil); p.none == "" && p.vars {
			return p.text
		}
	}
	var out []string
	for _, t := range family {
		out = append(out, format.Quote(t.key))
	}
	return list(out)
}

func axisOf(matrix expr, name string) (expr, bool) {
	object, ok := matrix.Expression.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return matrix, false
	}
	for _, it := range object.Items {
		if k, ds := it.KeyExpr.Value(nil); !ds.HasErrors() && isString(k) && k.AsString() == name {
			return expr{it.ValueExpr, matrix.at}, true
		}
	}
	return matrix, false
}

// rangeOf is the place of an expression.
func rangeOf(e hclsyntax.Expression) diag.Range { return syntax.Range(e.Range()) }
