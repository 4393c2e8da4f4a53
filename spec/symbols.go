package spec

import (
	"cmp"
	"maps"
	"slices"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Symbol is a name that expressions of a file may use.
type Symbol struct {
	Name  string     // as it is written there: "var.version", "module.svc.image.app"
	Kind  string     // the first word of what declares it: "variable", "local", "stage" …
	Range diag.Range // of the declaration's header, or of a local's name
	Doc   string     // a variable's description; else empty
	Keyed bool       // has for_each: the name goes on with a key
}

// Symbols are the names that a file's expressions may use, sorted: those of
// its folder, of the modules that this calls, and of the workspace. The file
// is named as in ranges. What a mistake keeps from being known is left out.
func (s *Spec) Symbols(file string) []Symbol { return s.eval.symbols(file) }

func (b *bodies) symbols(file string) []Symbol {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.shared.sorted() {
		if e.mod.files[file] == nil {
			continue
		}
		out := e.mod.own("")
		for _, name := range e.mod.callNames() {
			out = append(out, e.mod.children[name].symbols("module."+name)...)
		}
		if ws := b.shared.workspace; ws != nil && !e.mod.workspace && e.mod.fetched == "" {
			out = append(out, ws.mod.own(workspaceModule+".")...)
		}
		slices.SortFunc(out, func(a, b Symbol) int { return cmp.Compare(a.Name, b.Name) })
		return out
	}
	return nil
}

// own are the names that a folder declares.
func (f *folder) own(prefix string) []Symbol {
	var out []Symbol
	for _, name := range f.variableNames() {
		v := f.variables[name]
		out = append(out, Symbol{Name: prefix + "var." + name, Kind: variableBlock.name, Range: v.header, Doc: v.description.V})
	}
	for _, name := range f.localNames() {
		out = append(out, Symbol{Name: prefix + "local." + name, Kind: "local", Range: syntax.Range(f.locals[name].attr.NameRange)})
	}
	for _, name := range f.callNames() {
		c := f.calls[name]
		out = append(out, Symbol{Name: prefix + "module." + name, Kind: moduleWord, Range: c.header, Keyed: c.forEach != nil})
	}
	for _, decl := range f.order {
		out = append(out, Symbol{
			Name: prefix + string(decl.kind) + "." + decl.name, Kind: string(decl.kind),
			Range: headerRange(decl.block), Keyed: decl.forEach != nil,
		})
	}
	if c := f.blocks[KindContext]["default"]; c != nil && c.block == nil {
		out = append(out, Symbol{Name: prefix + "context.default", Kind: string(KindContext), Doc: "The module's own folder."})
	}
	return out
}

// symbols are what callers see of a called module, by each key.
func (c *children) symbols(prefix string) []Symbol {
	if c == nil || c.folder == nil {
		return nil
	}
	var out []Symbol
	for _, key := range slices.Sorted(maps.Keys(c.byKey)) {
		at := prefix + "."
		if c.call.forEach != nil {
			at = prefix + "[" + quote(key) + "]."
		}
		for _, s := range c.byKey[key].mod.own("") {
			if slices.Contains(exported, s.Kind) {
				s.Name = at + s.Name
				out = append(out, s)
			}
		}
	}
	return out
}
