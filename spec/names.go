package spec

import (
	"slices"

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

// later are the roots of the language that this version refuses.
var later = map[string]string{
	"each":      "`for_each` on blocks is not supported yet, so there is no each; `dynamic` names its elements by its iterator.",
	"module":    "Modules are not supported yet.",
	"workspace": "Declarations of the workspace's file are not supported yet; write the block in this folder.",
}

// names checks every name that an expression mentions, without evaluating
// it. It answers false if one was wrong, and has then reported it.
func (d *decoder) names(expr hcl.Expression, fixed string) bool {
	ok := true
	for _, t := range expr.Variables() {
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
	case later[root] != "":
		d.diags.Errorf(at, "Not supported yet", "%s", later[root])
		return false
	}
	switch root {
	case "var":
		return d.member(t, "variable", "variable \"name\" { … }", func(n string) bool { return d.mod.variables[n] != nil }, d.mod.variableNames)
	case "local":
		if !d.member(t, "local", "locals { name = … }", func(n string) bool { return d.mod.locals[n] != nil }, d.mod.localNames) {
			return false
		}
		name, _ := stepName(t[1])
		if l := d.mod.locals[name]; fixed != "" && l.usesTarget {
			d.report(at, "target is not known here", "local.%s is computed from target, but %s.", []any{name, fixed},
				diag.Note{Message: "local." + name + " is computed here.", Range: syntax.Range(l.attr.Expr.Range())})
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

// reference checks that base.go, stage.build and their like are declared.
func (d *decoder) reference(t hcl.Traversal, kind Kind) bool {
	if len(t) == 1 {
		return true // the whole map, as in lookup(base, var.flavour)
	}
	name, ok := stepName(t[1])
	if !ok {
		return true
	}
	if d.mod.blocks[kind][name] == nil {
		d.undeclared(t, string(kind)+" "+quote("name")+" { … }", string(kind), name, d.mod.declared(kind))
		return false
	}
	return d.noAttributes(t[2:], string(kind)+"."+name)
}

// noAttributes refuses base.go.image and its like: a reference that could be
// read could be printed, and a secret is one.
func (d *decoder) noAttributes(rest hcl.Traversal, ref string) bool {
	if len(rest) == 0 {
		return true
	}
	at := syntax.Range(rest.SourceRange())
	if _, ok := rest[0].(hcl.TraverseIndex); ok {
		d.diags.Errorf(at, "Not an indexed name", "%s is one thing, not several: `for_each` on blocks is not supported yet. Name it as %s.", ref, ref)
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
	d.undeclared(t, declare, root, name, names())
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
	return false
}

// undeclared answers a name that nothing declares: with the one that was
// surely meant, else with all that there are and the way to declare another.
func (d *decoder) undeclared(t hcl.Traversal, declare, root, name string, names []string) {
	at := syntax.Range(t.SourceRange())
	if meant := suggestion(name, names); meant != "" {
		d.diags.Errorf(at, "Unknown name", "%s.%s is not declared. Did you mean %s.%s?", root, name, root, meant)
		if step, ok := t[1].(hcl.TraverseAttr); ok {
			(*d.diags)[len(*d.diags)-1].Fix = &diag.Fix{Range: syntax.Range(step.SrcRange), Replacement: "." + meant}
		}
		return
	}
	if len(names) == 0 {
		d.diags.Errorf(at, "Unknown name", "%s.%s is not declared, and no other is. Declare it by %s in this folder.", root, name, declare)
		return
	}
	d.diags.Errorf(at, "Unknown name", "%s.%s is not declared. There is %s; another is declared by %s.", root, name, choices(names), declare)
}

// unknownRoot answers a name that begins with none of the roots. In a string
// it is usually meant for the shell.
func (d *decoder) unknownRoot(t hcl.Traversal, root string) {
	at := syntax.Range(t.SourceRange())
	dg := diag.Diagnostic{Severity: diag.Error, Summary: "Unknown name", Range: at}
	dg.Detail = "Nothing is called " + quote(root) + "." + d.rootHint(root)
	if src, ok := d.mod.source(at.File); ok {
		if opener, in := syntax.TemplateOpener(at.File, src, at.Start.Byte); in {
			dg.Detail += "\n\n" + syntax.EscapeHint
			dg.Fix = syntax.EscapeFix(src, opener)
		}
	}
	*d.diags = append(*d.diags, dg)
}

// rootHint guesses what a name without a root was meant to be. bake and the
// shell have such names, Terraform's users forget the var.
func (d *decoder) rootHint(root string) string {
	switch {
	case slices.Contains(d.mod.variableNames(), root):
		return " Did you mean var." + root + "?"
	case d.mod.locals[root] != nil:
		return " Did you mean local." + root + "?"
	case eval.DidYouMean(root, rootNames) != "": // in its own case: NAME in a script is no base
		return eval.DidYouMean(root, rootNames)
	case root == "env":
		return " The environment is not read, but for SPECBUILD_VAR_name, the value of a variable."
	}
	for _, k := range []Kind{KindBase, KindStage, KindImage, KindContext, KindSecret, KindRepository} {
		if slices.Contains(d.mod.declared(k), root) {
			return " Did you mean " + string(k) + "." + root + "?"
		}
	}
	return " Names begin with one of " + list(rootNames, "and") + "; text is written in quotes."
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
