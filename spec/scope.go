package spec

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// definition is something of a module whose value others may need before it
// is known what they are: a local, a call of a module, or a block with
// for_each, whose keys are part of its name.
type definition struct {
	name  string // as it is mentioned: "local.registry", "module.svc", "stage.build"
	local string
	call  *call
	decl  *declaration
	at    diag.Range
	exprs []hcl.Expression
}

// definitions are those of the module, sorted by kind and name.
func (f *folder) definitions() []definition {
	var out []definition
	for _, name := range f.localNames() {
		a := f.locals[name].attr
		out = append(out, definition{name: "local." + name, local: name, at: syntax.Range(a.NameRange), exprs: []hcl.Expression{a.Expr}})
	}
	for _, name := range f.callNames() {
		c := f.calls[name]
		out = append(out, definition{name: "module." + name, call: c, at: c.header, exprs: exprs(c.block.Body)})
	}
	for _, decl := range f.order {
		if decl.forEach != nil {
			out = append(out, definition{
				name: string(decl.kind) + "." + decl.name, decl: decl,
				at: headerRange(decl.block), exprs: []hcl.Expression{decl.forEach.Expr},
			})
		}
	}
	return out
}

// ordered is the definitions with each after those that it uses. Those on a
// cycle are left out, after it was reported.
func (m *module) ordered(l *diag.List) []definition {
	defs := m.definitions()
	named := make([]eval.Definition, len(defs))
	for i, def := range defs {
		named[i] = eval.Definition{Name: def.name, Range: def.at}
		for _, expr := range def.exprs {
			for _, mention := range m.mentions(expr) {
				named[i].Uses = append(named[i].Uses, m.uses(mention)...)
			}
		}
	}
	places, problems := eval.Order(named)
	*l = append(*l, problems...)
	out := make([]definition, len(places))
	for n, i := range places {
		out[n] = defs[i]
	}
	return out
}

// uses are the definitions that a mention may need: the one that it names, or
// all of a kind where the name is computed.
func (m *module) uses(mention eval.Mention) []eval.Use {
	root, name := mention.Root(), mention.Name(1)
	if root == "each" || name != "" {
		return []eval.Use{{Name: root + "." + name, Range: mention.Range}}
	}
	var out []eval.Use
	for _, decl := range m.order {
		if string(decl.kind) == root && decl.forEach != nil {
			out = append(out, eval.Use{Name: root + "." + decl.name, Range: mention.Range})
		}
	}
	if root == moduleWord {
		for _, n := range m.callNames() {
			out = append(out, eval.Use{Name: root + "." + n, Range: mention.Range})
		}
	}
	return out
}

// view is the names of a module for one target while they are being found.
type view struct {
	mod     *module
	target  Platform
	fixed   *hcl.EvalContext // var, target, build, path, scratch, workspace
	members map[string]map[string]cty.Value
	kinds   map[string]cty.Value // the members of refKinds, where they are known for all targets
}

func (e *evaluated) newView(target Platform) *view {
	m := e.mod
	v := &view{mod: m, target: target, members: map[string]map[string]cty.Value{
		"local": make(map[string]cty.Value, len(m.locals)), moduleWord: {},
	}}
	for name := range m.locals {
		v.members["local"][name] = cty.DynamicVal // what is on a cycle was reported, so its users are not
	}
	for name := range m.calls {
		v.members[moduleWord][name] = cty.DynamicVal
	}
	var vars map[string]cty.Value
	if first := e.scopes[Platform{}]; first != nil && first.view != nil {
		v.kinds = first.ctx.Variables
		for _, kind := range refKinds {
			v.members[string(kind)] = first.view.members[string(kind)]
		}
		vars = maps.Clone(first.view.fixed.Variables)
	} else {
		for _, kind := range refKinds {
			v.members[string(kind)] = m.references(kind)
		}
		vars = m.constants()
	}
	vars["target"] = m.load.platform(target, true)
	if ws := m.load.workspace; ws != nil && !m.workspace && m.fetched == "" {
		vars[workspaceModule] = ws.shares(target)
	}
	v.fixed = &hcl.EvalContext{Variables: vars, Functions: m.functions}
	return v
}

// constants are the names whose values are the same for all targets, but for
// those of blocks.
func (m *module) constants() map[string]cty.Value {
	return map[string]cty.Value{
		"scratch": refValue(Addr{Kind: KindScratch}),
		"var":     cty.ObjectVal(m.values),
		"build":   m.load.platform(m.build, false),
		"path":    cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(m.address()), "root": cty.StringVal("//")}),
	}
}

// scopeOf is what some expressions see. Only what they use is in it: objects
// are copied, and a thousand of a thousand would take longer than all else.
func (v *view) scopeOf(exprs ...hcl.Expression) *hcl.EvalContext {
	used := map[string]map[string]cty.Value{}
	for _, expr := range exprs {
		for _, mention := range v.mod.mentions(expr) {
			root, name := mention.Root(), mention.Name(1)
			all, ok := v.members[root]
			if !ok {
				continue
			}
			if name == "" {
				used[root] = maps.Clone(all)
				continue
			}
			if used[root] == nil {
				used[root] = map[string]cty.Value{}
			}
			if value, ok := all[name]; ok {
				used[root][name] = value
			}
		}
	}
	ctx := v.fixed.NewChild()
	ctx.Variables = make(map[string]cty.Value, len(used))
	for root, values := range used {
		ctx.Variables[root] = cty.ObjectVal(values)
	}
	return ctx
}

// all is what bodies see: everything.
func (v *view) all() *hcl.EvalContext {
	vars := maps.Clone(v.fixed.Variables)
	for root, values := range v.members {
		if known, ok := v.kinds[root]; ok && root != "local" && root != moduleWord {
			vars[root] = known
		} else {
			vars[root] = cty.ObjectVal(values)
		}
	}
	return &hcl.EvalContext{Variables: vars, Functions: v.fixed.Functions}
}

// define evaluates the definitions in their order with the target not known:
// the keys of for_each and the modules that are called follow from it, and
// are the same for all targets.
func (ld *loader) define(e *evaluated) {
	m := e.mod
	e.order = m.ordered(&ld.diags)
	v := e.newView(Platform{})
	for _, def := range e.order {
		var l diag.List
		d := &decoder{mod: m, diags: &l, ctx: v.scopeOf(def.exprs...)}
		switch {
		case def.local != "":
			m.usesTarget[def.local] = m.dependsOnTarget(def.exprs[0])
			v.members["local"][def.local], _ = d.value(def.exprs[0], "")
		case def.call != nil:
			v.members[moduleWord][def.call.name] = ld.call(d, def.call)
		default:
			if each := d.elementsOfBlock(def.decl.forEach); each != nil {
				m.each[def.decl] = each
			}
			v.members[string(def.decl.kind)][def.decl.name] = m.reference(def.decl)
		}
		ld.tell(m, l)
	}
	e.scopes[Platform{}] = &scope{view: v, ctx: v.all()}
}

// dependsOnTarget reports whether an expression mentions target, a local that
// does, or such a local of a called module.
func (m *module) dependsOnTarget(expr hcl.Expression) bool {
	return slices.ContainsFunc(m.mentions(expr), func(mention eval.Mention) bool {
		switch mention.Root() {
		case "target":
			return true
		case "local":
			return m.usesTarget[mention.Name(1)]
		case workspaceModule:
			ws := m.load.workspace
			return ws != nil && mention.Name(1) == "local" && ws.mod.usesTarget[mention.Name(2)]
		case moduleWord:
			return m.children[mention.Name(1)].usesTarget(mention.Path)
		}
		return false
	})
}

// scope is the names of the module for one target. It is made once for all
// bodies: a local that reads a file is evaluated once a target, not once a use.
func (e *evaluated) scope(target Platform) *scope {
	if s, ok := e.scopes[target]; ok {
		return s
	}
	s := &scope{}
	e.scopes[target] = s
	v := e.newView(target)
	for _, def := range e.order {
		switch {
		case def.local != "":
			d := &decoder{mod: e.mod, diags: &s.diags, ctx: v.scopeOf(def.exprs...)}
			v.members["local"][def.local], _ = d.value(def.exprs[0], "")
		case def.call != nil:
			v.members[moduleWord][def.call.name] = e.mod.children[def.call.name].exports(target)
		}
	}
	s.ctx = v.all()
	return s
}

// shares are what members see of the workspace's file.
func (e *evaluated) shares(target Platform) cty.Value {
	s := e.scope(target)
	if s.shares == cty.NilVal {
		s.shares = cty.ObjectVal(s.pick(sharedNames))
	}
	return s.shares
}

var sharedNames = []string{string(KindBase), string(KindContext), "local", string(KindRepository), string(KindSecret), "var"}

// platform is platformValue, made once for all modules.
func (s *shared) platform(p Platform, variant bool) cty.Value {
	key := platformKey{p, variant}
	v, ok := s.platforms[key]
	if !ok {
		v = platformValue(p, variant)
		s.platforms[key] = v
	}
	return v
}

type platformKey struct {
	Platform
	variant bool
}

// platformValue is target or build as an object of strings.
func platformValue(p Platform, variant bool) cty.Value {
	text := func(s string) cty.Value {
		if p == (Platform{}) {
			return cty.UnknownVal(cty.String).RefineNotNull()
		}
		return cty.StringVal(s)
	}
	parts := map[string]cty.Value{"os": text(p.OS), "arch": text(p.Arch), "platform": text(p.String())}
	if variant {
		parts["variant"] = text(p.Variant)
	}
	return cty.ObjectVal(parts)
}
