package spec

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// rootNames are the first parts of the names that expressions may use.
var rootNames = []string{
	"base", "build", "context", "each", "image", "local", "module", "path", "repository",
	"scratch", "secret", "stage", "target", "var", "workspace",
}

// scopes are the roots with fixed attributes.
var scopes = map[string][]string{
	"target": {"os", "arch", "variant", "platform"},
	"build":  {"os", "arch", "platform"},
	"path":   {"module", "root"},
}

// names checks every name that an expression mentions, without evaluating
// it. It answers false if one was wrong, and has then reported it.
func (d *decoder) names(expr hcl.Expression, fixed string) bool {
	ok := true
	for _, t := range d.mod.traversals(expr) {
		ok = d.name(t, fixed) && ok
	}
	return ok
}

// name checks one name. fixed says why target may not be in it, and so no
// local that is computed from target either.
func (d *decoder) name(t hcl.Traversal, fixed string) bool {
	root := t.RootName()
	at := syntax.Range(t.SourceRange())
	switch {
	case slices.Contains(d.iterators, root):
		return true
	case root == "scratch":
		return d.noAttributes(t[1:], "scratch")
	case kindOf(root) != "":
		return d.reference(t, kindOf(root))
	}
	switch root {
	case "each":
		return d.eachName(t)
	case moduleWord:
		return d.moduleName(t, fixed)
	case workspaceModule:
		return d.workspaceName(t, fixed)
	case "var":
		return d.member(t, "variable", "variable \"name\" { … }", func(n string) bool { return d.mod.variables[n] != nil }, d.mod.variableNames)
	case "local":
		if !d.member(t, "local", "locals { name = … }", func(n string) bool { return d.mod.locals[n] != nil }, d.mod.localNames) {
			return false
		}
		name, _ := stepName(t[1])
		if fixed != "" && d.mod.usesTarget[name] {
			d.targetInLocal(at, "local."+name, syntax.Range(d.mod.locals[name].attr.Expr.Range()), fixed)
			return false
		}
		return true
	}
	if attrs, ok := scopes[root]; ok {
		if root == "target" && fixed != "" {
			d.diags.Errorf(at, "target is not known here", "target is the platform of the image being built, but %s. It may stand in the attributes and steps of stages and images, and in locals.", fixed)
			return false
		}
		return d.scopeAttribute(t, root, attrs)
	}
	d.unknownRoot(t, root)
	return false
}

// kindOf is the kind whose declarations a root names, or empty.
func kindOf(root string) Kind {
	switch k := Kind(root); k {
	case KindBase, KindContext, KindSecret, KindRepository, KindStage, KindImage:
		return k
	}
	return ""
}

// targetInLocal reports a local that has another value for each platform
// where there must be one.
func (d *decoder) targetInLocal(at diag.Range, name string, computed diag.Range, fixed string) {
	d.report(at, "target is not known here", "%s is computed from target, but %s.", []any{name, fixed},
		diag.Note{Message: name + " is computed here.", Range: computed})
}

// reference checks that base.go, stage.build and their like are declared.
func (d *decoder) reference(t hcl.Traversal, kind Kind) bool {
	return d.declaredName(t, d.mod, kind, string(kind))
}

// declaredName checks the last part of a name, from its kind on: that of this
// module, of the workspace, or of a called module. shown is what stands before.
func (d *decoder) declaredName(t hcl.Traversal, m *module, kind Kind, shown string) bool {
	if len(t) == 1 {
		return true // the whole map, as in lookup(base, var.flavour)
	}
	name, ok := stepName(t[1])
	if !ok {
		return true
	}
	decl := m.blocks[kind][name]
	if decl == nil {
		where := ""
		if m != d.mod {
			where = " in " + m.home()
		}
		d.undeclared(t, shown, name, m.declared(kind), string(kind)+" "+quote("name")+" { … }"+where)
		return false
	}
	return d.keyOf(t[2:], m, decl, shown+"."+name)
}

// keyOf checks what follows the name of a declaration: a key where it has
// for_each, nothing else.
func (d *decoder) keyOf(rest hcl.Traversal, m *module, decl *declaration, ref string) bool {
	if decl.forEach == nil || len(rest) == 0 {
		return d.noAttributes(rest, ref)
	}
	key, ok := stepName(rest[0])
	each := m.each[decl]
	if !ok || each == nil {
		return true // a number, which no key is, is an error of hcl's
	}
	return d.knownKey(rest[:1], key, each.keys, ref) && d.noAttributes(rest[1:], ref+"["+quote(key)+"]")
}

// knownKey checks the key of a block with for_each.
func (d *decoder) knownKey(at hcl.Traversal, key string, keys []string, ref string) bool {
	if slices.Contains(keys, key) {
		return true
	}
	has := "it has none"
	if len(keys) > 0 {
		has = "it has " + choices(keys)
	}
	d.diags.Errorf(syntax.Range(at.SourceRange()), "Unknown key", "%s has no element %s%s; by its for_each, %s.", ref, quote(key), didYouMean(key, keys), has)
	return false
}

// eachName checks each.key and each.value.
func (d *decoder) eachName(t hcl.Traversal) bool {
	if !d.each {
		d.diags.Errorf(syntax.Range(t.SourceRange()), "Unknown name", "each is an element of for_each, and this block has none. `dynamic` names its elements by its iterator.")
		return false
	}
	return d.scopeAttribute(t, "each", []string{"key", "value"})
}

// moduleName checks module.x.image.y and its like.
func (d *decoder) moduleName(t hcl.Traversal, fixed string) bool {
	has := func(n string) bool { return d.mod.calls[n] != nil }
	if !d.member(t, moduleWord, `module "name" { … }`, has, d.mod.callNames) {
		return false
	}
	name, _ := stepName(t[1])
	shown, rest := "module."+name, t[2:]
	c := d.mod.children[name]
	if c == nil || c.folder == nil {
		return true // it is on a cycle, or wrong, which is reported
	}
	if c.call.forEach != nil {
		if len(rest) == 0 {
			return true
		}
		key, ok := stepName(rest[0])
		if !ok {
			return true
		}
		if !d.knownKey(rest[:1], key, c.each.keys, shown) {
			return false
		}
		shown, rest = shown+"["+quote(key)+"]", rest[1:]
		return d.exportedName(t, rest, c.byKey[key].mod, shown, fixed)
	}
	return d.exportedName(t, rest, c.byKey[""].mod, shown, fixed)
}

// exportedName checks what is named of a called module.
func (d *decoder) exportedName(t, rest hcl.Traversal, m *module, shown, fixed string) bool {
	if len(rest) == 0 {
		return true
	}
	what, ok := stepName(rest[0])
	if !ok || !slices.Contains(exported, what) {
		d.diags.Errorf(syntax.Range(t.SourceRange()), "Unknown name", "A module gives %s, so %s goes on with one of them and a name.", list(exported, "and"), shown)
		return false
	}
	shown += "." + what
	if what == "local" {
		return d.otherLocal(rest, m, shown, fixed)
	}
	return d.declaredName(rest, m, Kind(what), shown)
}

// otherLocal checks a local of another module.
func (d *decoder) otherLocal(t hcl.Traversal, m *module, shown, fixed string) bool {
	if len(t) == 1 {
		return true
	}
	name, ok := stepName(t[1])
	if !ok {
		return true
	}
	l := m.locals[name]
	if l == nil {
		d.undeclared(t, shown, name, m.localNames(), "locals { name = … } in "+m.home())
		return false
	}
	if fixed != "" && m.usesTarget[name] {
		d.targetInLocal(syntax.Range(t.SourceRange()), shown+"."+name, syntax.Range(l.attr.Expr.Range()), fixed)
		return false
	}
	return true
}

// workspaceName checks workspace.base.x and its like.
func (d *decoder) workspaceName(t hcl.Traversal, fixed string) bool {
	at := syntax.Range(t.SourceRange())
	switch ws := d.mod.load.workspace; {
	case d.mod.folder.workspace:
		d.diags.Errorf(at, "Unknown name", "In %s, what it declares is named without workspace: base.name.", workspaceFile)
	case d.mod.fetched != "":
		d.diags.Errorf(at, "Not for modules from outside", "A module that is fetched names nothing of the workspace that calls it. Take it as a variable.")
	case ws == nil:
		d.diags.Errorf(at, "Unknown name", "There is no %s above this folder, which could declare what is named here.", workspaceFile)
	default:
		return d.sharedName(t, ws.mod, fixed)
	}
	return false
}

func (d *decoder) sharedName(t hcl.Traversal, ws *module, fixed string) bool {
	if len(t) == 1 {
		return true
	}
	what, ok := stepName(t[1])
	if !ok || !slices.Contains(sharedNames, what) {
		d.diags.Errorf(syntax.Range(t.SourceRange()), "Unknown name", "The workspace gives %s, so workspace goes on with one of them and a name%s.", list(sharedNames, "and"), didYouMean(what, sharedNames))
		return false
	}
	shown, rest := workspaceModule+"."+what, t[1:]
	switch what {
	case "local":
		return d.otherLocal(rest, ws, shown, fixed)
	case "var":
		if len(rest) == 1 {
			return true
		}
		if name, ok := stepName(rest[1]); ok && ws.variables[name] == nil {
			d.undeclared(rest, shown, name, ws.variableNames(), `variable "name" { … } in `+workspaceFile)
			return false
		}
		return true
	}
	return d.declaredName(rest, ws, Kind(what), shown)
}

// noAttributes refuses base.go.image and its like: a reference that could be
// read could be printed, and a secret is one.
func (d *decoder) noAttributes(rest hcl.Traversal, ref string) bool {
	if len(rest) == 0 {
		return true
	}
	at := syntax.Range(rest.SourceRange())
	if _, ok := rest[0].(hcl.TraverseIndex); ok {
		d.diags.Errorf(at, "Not an indexed name", "%s is one thing, not several: it has no for_each. Name it as %s.", ref, ref)
		return false
	}
	d.diags.Errorf(at, "References have no attributes", "%s is a reference: it can be given to a step or an attribute that asks for one, but nothing of it can be read.", ref)
	return false
}

// member checks var.x and local.x. The names are sorted only for a message.
func (d *decoder) member(t hcl.Traversal, what, declare string, has func(string) bool, names func() []string) bool {
	root := t.RootName()
	if len(t) == 1 {
		d.diags.Errorf(syntax.Range(t.SourceRange()), "Incomplete name", "%q alone is not a value; write %s.name, with the name of a %s.", root, root, what)
		return false
	}
	name, ok := stepName(t[1])
	if ok && has(name) {
		return true
	}
	if !ok {
		d.diags.Errorf(syntax.Range(t.SourceRange()), "Incomplete name", "A %s is named as %s.name.", what, root)
		return false
	}
	d.undeclared(t, root, name, names(), declare)
	return false
}

// scopeAttribute checks target.arch, build.os, path.root.
func (d *decoder) scopeAttribute(t hcl.Traversal, root string, attrs []string) bool {
	if len(t) == 1 {
		return true
	}
	name, ok := stepName(t[1])
	if !ok || slices.Contains(attrs, name) {
		return true
	}
	at := syntax.Range(t.SourceRange())
	d.diags.Errorf(at, "Unknown name", "There is no %s.%s%s; %s has %s.", root, name, didYouMean(name, attrs), root, list(attrs, "and"))
	d.fixStep(t[1], suggestion(name, attrs))
	return false
}

// undeclared answers a name that nothing declares: with the one that was
// surely meant, else with all that there are and the way to declare another.
func (d *decoder) undeclared(t hcl.Traversal, root, name string, names []string, declare string) {
	at := syntax.Range(t.SourceRange())
	if meant := suggestion(name, names); meant != "" {
		d.diags.Errorf(at, "Unknown name", "%s.%s is not declared. Did you mean %s.%s?", root, name, root, meant)
		d.fixStep(t[1], meant)
		return
	}
	if len(names) == 0 {
		if !strings.Contains(declare, " in ") {
			declare += " in this folder"
		}
		d.diags.Errorf(at, "Unknown name", "%s.%s is not declared, and no other is. Declare it by %s.", root, name, declare)
		return
	}
	d.diags.Errorf(at, "Unknown name", "%s.%s is not declared. There is %s; another is declared by %s.", root, name, choices(names), declare)
}

// fixStep gives the last message a fix: the name after a dot that was meant.
func (d *decoder) fixStep(step hcl.Traverser, meant string) {
	if attr, ok := step.(hcl.TraverseAttr); ok && meant != "" {
		(*d.diags)[len(*d.diags)-1].Fix = &diag.Fix{Range: syntax.Range(attr.SrcRange), Replacement: "." + meant}
	}
}

// unknownRoot answers a name that begins with none of the roots. In a string
// it is usually meant for the shell.
func (d *decoder) unknownRoot(t hcl.Traversal, root string) {
	at := syntax.Range(t.SourceRange())
	dg := diag.Diagnostic{Severity: diag.Error, Summary: "Unknown name", Range: at}
	hint, meant := d.rootHint(root)
	dg.Detail = "Nothing is called " + quote(root) + "." + hint
	if meant != "" {
		dg.Fix = &diag.Fix{Range: syntax.Range(t[0].SourceRange()), Replacement: meant}
	}
	if src, ok := d.mod.source(at.File); ok {
		if opener, in := syntax.TemplateOpener(at.File, src, at.Start.Byte); in {
			dg.Detail += "\n\n" + syntax.EscapeHint
			dg.Fix = syntax.EscapeFix(src, opener)
		}
	}
	*d.diags = append(*d.diags, dg)
}

// rootHint guesses what a name without a root was meant to be: in words, or as
// the very name. bake and the shell have such names, Terraform's users forget
// the var.
func (d *decoder) rootHint(root string) (hint, meant string) {
	closest, near := eval.Closest(root, rootNames) // in its own case: NAME in a script is no base
	switch {
	case slices.Contains(d.mod.variableNames(), root):
		return " Did you mean var." + root + "?", "var." + root
	case d.mod.locals[root] != nil:
		return " Did you mean local." + root + "?", "local." + root
	case near:
		return eval.DidYouMean(root, rootNames), closest
	case root == "env":
		return " The environment is not read, but for SPECBUILD_VAR_name, the value of a variable.", ""
	}
	for _, k := range []Kind{KindBase, KindStage, KindImage, KindContext, KindSecret, KindRepository} {
		if slices.Contains(d.mod.declared(k), root) {
			name := string(k) + "." + root
			return " Did you mean " + name + "?", name
		}
	}
	return " Names begin with one of " + list(rootNames, "and") + "; text is written in quotes.", ""
}

// stepName is the name that .name or ["name"] stands for.
func stepName(step hcl.Traverser) (string, bool) {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.IsKnown() && !s.Key.IsNull() && s.Key.Type() == cty.String {
			return s.Key.AsString(), true
		}
	}
	return "", false
}
