package spec

import (
	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// ConsoleFile is the name of the text that Evaluate reads, in ranges.
const ConsoleFile = "console"

// Evaluate gives what an expression is worth in a module (Addr.Module), as
// the text of an expression. The zero target is one that is not known.
func (s *Spec) Evaluate(module, text string, target Platform) (string, diag.List) {
	return s.eval.evaluate(module, text, target)
}

func (b *bodies) evaluate(module, text string, target Platform) (string, diag.List) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var l diag.List
	e := b.shared.modules[module]
	if e == nil {
		l.Errorf(diag.Range{}, "Unknown address", "There is no module %s.", module)
		return "", l
	}
	expr, problems := syntax.ParseExpression(ConsoleFile, []byte(text))
	if problems.HasErrors() {
		return "", problems
	}
	d := &decoder{mod: e.mod, diags: &l, ctx: e.scope(target).ctx}
	v, ok := d.value(expr, "")
	if !ok {
		return "", l
	}
	return eval.Print(v), l
}

// Modules are the addresses (Addr.Module) of the folders that the arguments
// meant, in their order.
func (s *Spec) Modules() []string { return s.eval.roots() }

func (b *bodies) roots() []string {
	var out []string
	for _, e := range b.shared.sorted() {
		if e.mod.caller == nil && e.mod.addr != workspaceModule {
			out = append(out, e.mod.addr)
		}
	}
	return out
}
