package bake

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/dockerfile"
	"github.com/specbuild/specbuild/spec/format"
)

// declarations are bake's variables as a spec has them: blocks, and locals for
// what is an expression. Only those that are asked for come with it.
type declarations struct {
	blocks []chunk
	locals [][2]string
}

// declared is a variable of bake in a spec.
func (im *importer) declared(x *variable) (chunk, [2]string) {
	name := im.print.names[x.name]
	label := name[strings.IndexByte(name, '.')+1:]
	local := [2]string{}
	if x.fixed || im.print.computed[x.name] {
		p := im.print.print(*x.def, nil)
		for _, l := range p.lost {
			im.note(x.at, dockerfile.Changed, "%s: %s.", x.name, l)
		}
		if p.none != "" {
			im.note(x.at, dockerfile.Changed, "%s has no value here: %s.", x.name, p.none)
			p.text = `""`
		}
		local = [2]string{label, p.text}
		if x.fixed {
			return chunk{}, local
		}
		local[1] = "var." + label + " != null ? var." + label + " : " + operandText(p.text)
	}
	return im.variableBlock(x, label), local
}

func operandText(s string) string {
	if compound(s) {
		return "(" + s + ")"
	}
	return s
}

func (im *importer) variableBlock(x *variable, label string) chunk {
	b := body{head: "variable " + format.Quote(label) + " {"}
	if comments := slices.Concat(x.comments, im.print.comments["var."+label]); len(comments) > 0 {
		b.head = "# " + strings.Join(comments, "\n# ") + "\n" + b.head
	}
	if x.description != nil {
		if p := im.print.print(*x.description, nil); p.none == "" && p.constant() {
			b.setLast("description", p.text)
		}
	}
	if t := im.typeOfVariable(x); t != "" {
		b.setLast("type", t)
	}
	b.setLast("default", im.defaultOf(x))
	for _, v := range x.validations {
		b.items = append(b.items, im.validation(x, v))
	}
	return chunk{"variable", label, b.text()}
}

func (im *importer) defaultOf(x *variable) string {
	if s := im.print.adopted[im.print.names[x.name]]; s != "" {
		return s
	}
	if im.print.computed[x.name] {
		return "null"
	}
	v := im.values.of[x.name]
	if !v.IsWhollyKnown() {
		im.note(x.at, dockerfile.Changed, "variable %s has no default here: %s gives another value each time, or depends on the machine.", x.name, strings.Join(impureIn(x.def, im.file), ", "))
		return "null"
	}
	return literal(v)
}

// typeOfVariable is the type that is said, else that of the default.
func (im *importer) typeOfVariable(x *variable) string {
	if x.typ != nil {
		return typeText(x.typ.Expression)
	}
	v := im.values.of[x.name]
	if s := im.print.adopted[im.print.names[x.name]]; s != "" || v.IsNull() {
		return "string"
	}
	switch t := v.Type(); {
	case t == cty.String, t == cty.Number, t == cty.Bool:
		return t.FriendlyName()
	case t.IsTupleType() && onlyStrings(v):
		return "list(string)"
	case t.IsObjectType() && onlyStrings(v):
		return "map(string)"
	}
	return ""
}

func onlyStrings(v cty.Value) bool {
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); e.Type() != cty.String {
			return false
		}
	}
	return true
}

// typeText writes a type constraint, which is the same in bake.
func typeText(e hclsyntax.Expression) string {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return e.Traversal.RootName()
	case *hclsyntax.FunctionCallExpr:
		var args []string
		for _, a := range e.Args {
			args = append(args, typeText(a))
		}
		return e.Name + "(" + strings.Join(args, ", ") + ")"
	case *hclsyntax.TupleConsExpr:
		var args []string
		for _, a := range e.Exprs {
			args = append(args, typeText(a))
		}
		return "[" + strings.Join(args, ", ") + "]"
	case *hclsyntax.ObjectConsExpr:
		var args []string
		for _, it := range e.Items {
			k, _ := it.KeyExpr.Value(nil)
			s, _ := text(k)
			args = append(args, keyText(s)+" = "+typeText(it.ValueExpr))
		}
		return "{ " + strings.Join(args, ", ") + " }"
	}
	if v, ds := e.Value(nil); !ds.HasErrors() {
		return literal(v)
	}
	return "any"
}

func (im *importer) validation(x *variable, v validation) item {
	b := body{head: "validation {"}
	p := im.print.print(*v.condition, nil)
	message := format.Quote("This value of " + x.name + " is not allowed.")
	if v.message != nil {
		if m := im.print.print(*v.message, nil); m.none == "" {
			message = m.text
		}
	}
	if p.none != "" || len(p.lost) > 0 {
		return item{gap: true, text: im.todo(v.condition.at, "a validation of %s is left out: it uses what specs have not", x.name)}
	}
	b.setLast("condition", p.text)
	b.setLast("error_message", message)
	return item{name: "validation", block: true, text: b.text()}
}

// declaring are the declarations that texts need, those that these need included.
func (im *importer) declaring(addrs map[string]bool) declarations {
	var d declarations
	done := map[string]bool{}
	var visit func(addr string)
	visit = func(addr string) {
		for _, x := range im.file.variables {
			name := im.print.names[x.name]
			if done[x.name] || addr != name && addr != "var."+name[strings.IndexByte(name, '.')+1:] {
				continue
			}
			done[x.name] = true
			block, local := im.declared(x)
			for _, c := range []chunk{block, {"local", "", local[1]}} {
				for _, m := range mentions(c.source()) {
					visit(m.addr)
				}
			}
		}
	}
	for addr := range addrs {
		visit(addr)
	}
	for _, x := range im.file.variables {
		if !done[x.name] {
			continue
		}
		block, local := im.declared(x)
		if block.text != "" {
			d.blocks = append(d.blocks, block)
		}
		if local[0] != "" {
			d.locals = append(d.locals, local)
		}
	}
	return d
}

// unusedVariables lists what no spec names.
func (im *importer) unusedVariables(used map[string]bool) {
	for _, x := range im.file.variables {
		name := im.print.names[x.name]
		if used[name] || used["var."+name[strings.IndexByte(name, '.')+1:]] {
			continue
		}
		what := "variable"
		if x.fixed {
			what = "attribute"
		}
		im.note(x.at, dockerfile.Dropped, "%s %s: nothing of the specs names it.", what, x.name)
	}
}

// addrsIn are the names that blocks and locals use.
func addrsIn(blocks []chunk, locals [][2]string) map[string]bool {
	out := map[string]bool{}
	for _, c := range blocks {
		for _, m := range mentions(c.source()) {
			out[m.addr] = true
		}
	}
	for _, l := range locals {
		for _, m := range mentions("x = " + l[1]) {
			out[m.addr] = true
		}
	}
	return out
}

// localsBlock is a block `locals`.
func localsBlock(locals [][2]string) chunk {
	b := body{head: "locals {"}
	for i, l := range locals {
		b.items = append(b.items, item{name: l[0], gap: i > 0 && strings.Contains(l[1], "\n"), text: l[0] + " = " + l[1]})
	}
	return chunk{kind: "locals", text: b.text()}
}

// sections are blocks in the order in which a spec is read: what is named
// before what names it.
func sections(blocks []chunk) []chunk {
	rank := []string{"workspace", "variable", "locals", "module", "base", "secret", "context", "stage", "image"}
	out := slices.Clone(blocks)
	slices.SortStableFunc(out, func(a, b chunk) int {
		x, y := slices.Index(rank, a.kind), slices.Index(rank, b.kind)
		if a.kind == "image" {
			x-- // stages and images stay as they came, a target's beside its image
		}
		if b.kind == "image" {
			y--
		}
		return x - y
	})
	return out
}
