package spec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// local is one entry of a locals block.
type local struct {
	attr *hclsyntax.Attribute
	// usesTarget is true if target is mentioned, by itself or by a local that
	// it uses: it then has another value for each platform.
	usesTarget bool
}

func (m *module) collectLocals(d *decoder, b *hclsyntax.Block) {
	for _, blk := range b.Body.Blocks {
		d.diags.Errorf(headerRange(blk), "Unknown block", "locals holds names and values only: write %s = { … }, with an equals sign.", blk.Type)
	}
	for _, a := range sortedAttributes(b.Body) {
		if first, ok := m.locals[a.Name]; ok {
			d.report(syntax.Range(a.NameRange), "Declared twice", "local.%s is declared twice in this folder, whose files have one namespace.", []any{a.Name},
				diag.Note{Message: "The first is here.", Range: syntax.Range(first.attr.NameRange)})
			continue
		}
		m.locals[a.Name] = &local{attr: a}
	}
}

// orderLocals is the locals with each after those that it uses. Those on a
// cycle are left out, after it was reported.
func (m *module) orderLocals(l *diag.List) []string {
	names := m.localNames()
	var defs []eval.Definition
	for _, name := range names {
		a := m.locals[name].attr
		def := eval.Definition{Name: "local." + name, Range: syntax.Range(a.NameRange)}
		for _, mention := range eval.Mentions(a.Expr) {
			switch mention.Root() {
			case "local":
				def.Uses = append(def.Uses, eval.Use{Name: "local." + mention.Name(1), Range: mention.Range})
			case "target":
				m.locals[name].usesTarget = true
			}
		}
		defs = append(defs, def)
	}
	// The order also carries usesTarget on: each is after what it uses.
	places, problems := eval.Order(defs)
	*l = append(*l, problems...)
	var out []string
	for _, i := range places {
		name := names[i]
		for _, u := range defs[i].Uses {
			if used := m.locals[u.Name[len("local."):]]; used != nil && used.usesTarget {
				m.locals[name].usesTarget = true
			}
		}
		out = append(out, name)
	}
	return out
}

// scopeFor is what expressions see, for one target; the zero Platform is one
// that is not known.
func (m *module) scopeFor(target Platform, order []string, l *diag.List) *hcl.EvalContext {
	vars := m.references()
	vars["var"] = cty.ObjectVal(m.values)
	vars["target"] = platformValue(target, true)
	vars["build"] = platformValue(m.build, false)
	vars["path"] = cty.ObjectVal(map[string]cty.Value{
		"module": cty.StringVal(m.address()), "root": cty.StringVal("//"),
	})
	ctx := &hcl.EvalContext{Variables: vars, Functions: m.functions}
	locals := make(map[string]cty.Value, len(m.locals))
	for name := range m.locals {
		locals[name] = cty.DynamicVal // what is on a cycle was reported, so its users are not
	}
	d := &decoder{mod: m, diags: l}
	for _, name := range order {
		expr := m.locals[name].attr.Expr
		// Only what it uses: objects are copied, and a thousand of a thousand
		// would take longer than all else.
		used := map[string]cty.Value{}
		for _, m := range eval.Mentions(expr) {
			if v, ok := locals[m.Name(1)]; ok && m.Root() == "local" {
				used[m.Name(1)] = v
			}
		}
		d.ctx = ctx.NewChild()
		d.ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(used)}
		locals[name], _ = d.value(expr, "")
	}
	vars["local"] = cty.ObjectVal(locals)
	return ctx
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
