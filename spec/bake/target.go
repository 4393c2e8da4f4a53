package bake

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/dockerfile"
	"github.com/specbuild/specbuild/spec/eval"
)

// target is one build of bake: a target, or one combination of a matrix, with
// all that it inherits.
type target struct {
	name   string
	block  *block
	scope  *scope
	one    map[string]field
	maps   map[string][]entry
	lists  map[string][]field
	direct []string // the targets that it inherits from

	inherited bool // another inherits from it
	grouped   bool // a group names it
	linked    bool // a context of another names it
	stage     bool // it becomes a stage: nobody asks for its image
	label     string
	key       string // of a for_each; empty where it is a block of its own
	module    *module
}

// scope is what a matrix sets.
type scope struct {
	vars map[string]cty.Value
	each map[string]string // what of it a for_each says, and how
}

// field is an attribute's value, with the expression that gives it.
type field struct {
	expr
	scope *scope
	val   cty.Value
}

// entry is a field of a map.
type entry struct {
	key string
	field
}

// Attributes that are maps are merged by key, those that are lists add up, and
// of all others the last one counts: that is what bake does, where its manual
// is silent, too.
func mapAttrs() []string { return []string{"args", "contexts", "extra-hosts", "labels"} }
func listAttrs() []string {
	return []string{"annotations", "attest", "cache-from", "entitlements", "no-cache-filter", "secret", "ssh", "ulimits"}
}

// maxTargets is how many targets a file may come to: a matrix of four axes of
// ten values is a mistake.
const maxTargets = 1000

// resolve expands every matrix and follows inheritance.
func (im *importer) resolve() []*target {
	var all []*target
	for _, b := range im.file.targets {
		all = append(all, im.expand(b)...)
		if len(all) > maxTargets {
			im.diags.Errorf(b.at, "Too many targets", "The file comes to over %d targets with this one.", maxTargets)
			return nil
		}
	}
	r := &resolver{im: im, byName: map[string]*target{}, state: map[string]int{}}
	for _, t := range all {
		if o := r.byName[t.name]; o != nil {
			im.diags.Errorf(t.block.at, "Two targets of one name", "Two targets are called %q: the `name` of a matrix tells each combination apart.", t.name)
			return nil
		}
		r.byName[t.name] = t
	}
	for _, t := range all {
		r.visit(t, nil)
	}
	for _, t := range all {
		for _, name := range t.direct {
			r.byName[name].inherited = true
		}
	}
	return all
}

// expand is a target for each combination of its matrix.
func (im *importer) expand(b *block) []*target {
	matrix, ok := b.attrs["matrix"]
	if !ok {
		if n, ok := b.attrs["name"]; ok {
			im.diags.Errorf(n.at, "Name without a matrix", "`name` says how the targets of a matrix are called; %q has no matrix.", b.name)
		}
		return []*target{{name: b.name, block: b, scope: &scope{}}}
	}
	name, ok := b.attrs["name"]
	if !ok {
		im.diags.Errorf(b.at, "Missing attribute", "A target with a matrix needs a `name` that is another one for each combination.")
		return nil
	}
	var out []*target
	for _, vars := range im.combinations(matrix) {
		s := &scope{vars: vars}
		v, ok := im.values.value(name, s)
		label, isText := text(v)
		if !ok || !isText || label == "" {
			if ok {
				im.diags.Errorf(name.at, "Invalid value", "The `name` of a target is a string.")
			}
			return nil
		}
		out = append(out, &target{name: label, block: b, scope: s})
	}
	return out
}

// combinations of a matrix, its first axis slowest.
func (im *importer) combinations(matrix expr) []map[string]cty.Value {
	v, ok := im.values.value(matrix, nil)
	if !ok {
		return nil
	}
	if v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		im.diags.Errorf(matrix.at, "Invalid value", "A matrix is a map of names to lists of values.")
		return nil
	}
	out := []map[string]cty.Value{{}}
	for _, axis := range axes(matrix, v) {
		values := elements(v.AsValueMap()[axis])
		if len(values) == 0 || len(out)*len(values) > maxTargets {
			im.diags.Errorf(matrix.at, "Invalid value", "A matrix has lists of values, and at most %d combinations; %q makes it none, or more.", maxTargets, axis)
			return nil
		}
		var next []map[string]cty.Value
		for _, c := range out {
			for _, value := range values {
				m := maps.Clone(c)
				m[axis] = value
				next = append(next, m)
			}
		}
		out = next
	}
	return out
}

// axes are the names of a matrix in the order in which they are written.
func axes(matrix expr, v cty.Value) []string {
	var out []string
	if object, ok := matrix.Expression.(*hclsyntax.ObjectConsExpr); ok {
		for _, it := range object.Items {
			if k, ds := it.KeyExpr.Value(nil); !ds.HasErrors() && isString(k) && !slices.Contains(out, k.AsString()) {
				out = append(out, k.AsString())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.AsValueMap())) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// resolver follows `inherits`.
type resolver struct {
	im     *importer
	byName map[string]*target
	state  map[string]int // 1 is being visited, 2 is done
}

func (r *resolver) visit(t *target, path []string) {
	if r.state[t.name] == 2 {
		return
	}
	path = append(path, t.name)
	r.state[t.name] = 1
	t.one, t.maps, t.lists = map[string]field{}, map[string][]entry{}, map[string][]field{}
	if inherits, ok := t.block.attrs["inherits"]; ok {
		v, _ := r.im.values.value(inherits, t.scope)
		for i, name := range texts(v) {
			at := elementAt(inherits, i)
			p := r.byName[name]
			switch {
			case p == nil:
				r.im.diags.Errorf(at, "Unknown target", "%s inherits from %q, and there is no such target.%s", t.name, name, r.suggest(name))
			case r.state[name] == 1:
				from := slices.Index(path, name)
				r.im.diags.Errorf(at, "Inheritance in a circle", "%s.", strings.Join(append(path[from:], name), " inherits from "))
			default:
				r.visit(p, path)
				t.direct = append(t.direct, name)
				t.inherit(p)
			}
		}
	}
	for _, name := range t.block.order {
		if e := t.block.attrs[name]; name != "inherits" && name != "matrix" && name != "name" {
			r.im.apply(t, name, e)
		}
	}
	r.state[t.name] = 2
}

func (r *resolver) suggest(name string) string {
	for _, t := range r.byName {
		if t.block.name == name {
			return " It has a matrix: name one of the targets that it comes to."
		}
	}
	return eval.DidYouMean(name, slices.Collect(maps.Keys(r.byName)))
}

// elementAt is the place of a list's element, where the list is written as one.
func elementAt(list expr, i int) diag.Range {
	if tuple, ok := list.Expression.(*hclsyntax.TupleConsExpr); ok && i < len(tuple.Exprs) {
		at := rangeOf(tuple.Exprs[i])
		if within(at, list.at) && at.Start.Line > 0 {
			return at
		}
	}
	return list.at
}

// inherit takes over what another target has; what is there already gives way.
func (t *target) inherit(p *target) {
	maps.Copy(t.one, p.one)
	for name, entries := range p.maps {
		for _, e := range entries {
			t.put(name, e)
		}
	}
	for name, fields := range p.lists {
		t.lists[name] = append(t.lists[name], fields...)
	}
}

// put sets an entry of a map.
func (t *target) put(name string, e entry) {
	list := t.maps[name]
	if at := slices.IndexFunc(list, func(o entry) bool { return o.key == e.key }); at >= 0 {
		list[at] = e
		return
	}
	t.maps[name] = append(list[:len(list):len(list)], e)
}

// apply sets one attribute of a target; null is as if it were not there.
func (im *importer) apply(t *target, name string, e expr) {
	v, ok := im.values.value(e, t.scope)
	if !ok {
		return
	}
	if v.IsNull() {
		im.unset(name, e, t.scope)
		return
	}
	switch {
	case slices.Contains(mapAttrs(), name):
		im.applyMap(t, name, e, v)
	case slices.Contains(listAttrs(), name):
		t.lists[name] = append(t.lists[name], im.elementsOf(e, v, t.scope)...)
	default:
		t.one[name] = field{e, t.scope, v}
	}
}

func (im *importer) applyMap(t *target, name string, e expr, v cty.Value) {
	if !v.IsKnown() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		im.diags.Errorf(e.at, "Invalid value", "%s of a target is a map: %s = { … }.", name, name)
		return
	}
	t.maps[name] = slices.Clone(t.maps[name]) // one that is inherited is not this target's
	values := v.AsValueMap()
	for _, it := range im.items(e, values, t.scope) {
		value := values[it.key]
		if value.IsNull() && (name == "labels" || name == "args" && !isVariable(it.Expression)) {
			im.unset(name+" "+it.key, it.expr, t.scope)
			continue
		}
		it.val = value
		t.put(name, it)
	}
}

// unset lists what variables decide, and decide to be nothing as they are: the
// expression has no place in a spec where nothing stands.
func (im *importer) unset(name string, e expr, s *scope) {
	for _, u := range im.values.uses(&e, map[string]bool{}) {
		if _, matrix := s.vars[u.Name]; !matrix {
			im.note(e.at, dockerfile.Changed, "%s: with the variables as they are it is not set, and what sets it is not kept.", name)
			return
		}
	}
}

// isVariable reports whether an expression is one name: a variable that is null
// leaves an argument to the Dockerfile, and can be set all the same.
func isVariable(e hclsyntax.Expression) bool {
	_, ok := e.(*hclsyntax.ScopeTraversalExpr)
	return ok
}

// items are the entries of a map with an expression each: their own where the
// map is written out, else what picks them from the whole.
func (im *importer) items(e expr, values map[string]cty.Value, s *scope) []entry {
	if parts, ok := mergedMaps(e.Expression); ok {
		var out []entry
		for _, part := range parts {
			v, ok := im.values.value(expr{part, e.at}, s)
			if !ok || v.IsNull() || !v.IsKnown() {
				continue
			}
			for _, it := range im.items(expr{part, e.at}, v.AsValueMap(), s) {
				out = slices.DeleteFunc(out, func(o entry) bool { return o.key == it.key })
				out = append(out, it)
			}
		}
		return out
	}
	object, ok := e.Expression.(*hclsyntax.ObjectConsExpr)
	if !ok {
		var out []entry
		for _, k := range slices.Sorted(maps.Keys(values)) {
			pick := &hclsyntax.IndexExpr{Collection: e.Expression, Key: &hclsyntax.LiteralValueExpr{Val: cty.StringVal(k)}, SrcRange: e.Range()}
			out = append(out, entry{k, field{expr: expr{pick, e.at}, scope: s}})
		}
		return out
	}
	var out []entry
	for _, it := range object.Items {
		k, ok := im.values.value(expr{it.KeyExpr, e.at}, s)
		key, isText := text(k)
		if !ok || !isText {
			continue
		}
		at := rangeOf(it.ValueExpr)
		if !within(at, e.at) {
			at = e.at
		}
		out = append(out, entry{key, field{expr: expr{it.ValueExpr, at}, scope: s}})
	}
	return out
}

// mergedMaps are the maps that a call of merge puts together.
func mergedMaps(e hclsyntax.Expression) ([]hclsyntax.Expression, bool) {
	call, ok := e.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != "merge" || call.ExpandFinal {
		return nil, false
	}
	return call.Args, true
}

// elementsOf are the elements of a list that is written out, else the list as
// one field.
func (im *importer) elementsOf(e expr, v cty.Value, s *scope) []field {
	tuple, ok := e.Expression.(*hclsyntax.TupleConsExpr)
	if !ok {
		return []field{{e, s, v}}
	}
	var out []field
	for i, el := range tuple.Exprs {
		at := elementAt(e, i)
		if value, ok := im.values.value(expr{el, at}, s); ok && !value.IsNull() {
			out = append(out, field{expr{el, at}, s, value})
		}
	}
	return out
}

// str is an attribute that is one string, or what stands for it.
func (t *target) str(name, otherwise string) string {
	if f, ok := t.one[name]; ok {
		if s, ok := text(f.val); ok {
			return s
		}
	}
	return otherwise
}

// at is where an attribute is said, else the target.
func (t *target) at(name string) diag.Range {
	if f, ok := t.one[name]; ok {
		return f.at
	}
	return t.block.at
}

// called is a name for what is built. "default" names what is built when nobody
// says what: there the image's own is one.
func (t *target) called() string {
	if t.name != "default" {
		return t.name
	}
	for _, tag := range t.tags() {
		if base := path.Base(strings.SplitN(path.Base(tag), ":", 2)[0]); nameOf(base, "-") == base {
			return base
		}
	}
	return "app"
}

func (t *target) String() string { return fmt.Sprintf("target %q", t.name) }
