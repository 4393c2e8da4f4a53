package spec

import (
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
)

// workspaceModule is the address of what specbuild.hcl declares.
const workspaceModule = "workspace"

// module is a folder with values for its variables: one that the command was
// given, the workspace's own file, or one that a module block calls. Two calls
// of one folder are two modules.
type module struct {
	*folder
	addr   string // "//services/web", or `//services/web:module.svc["eu"]`
	build  Platform
	load   *shared
	caller *caller // nil for one that the command was given

	values   map[string]cty.Value // of the variables, by name
	each     map[*declaration]*elementsOf
	children map[string]*children
	// usesTarget are the locals that have another value for each platform:
	// target is in them, or in a local that they use.
	usesTarget map[string]bool
}

// caller is who calls a module and where.
type caller struct {
	mod *module
	at  diag.Range // of the module block's header
}

// shared is what the modules of one load know of one another.
type shared struct {
	secrets   map[Addr]*Secret
	workspace *evaluated // nil where specbuild.hcl declares nothing
	modules   map[string]*evaluated
	platforms map[platformKey]cty.Value
}

func newShared() *shared {
	return &shared{secrets: map[Addr]*Secret{}, modules: map[string]*evaluated{}, platforms: map[platformKey]cty.Value{}}
}

func (m *module) isAgent(a Addr) bool { s := m.load.secrets[a]; return s != nil && s.SSH.V }

func (m *module) defaultContext() Addr {
	return Addr{Module: m.addr, Kind: KindContext, Name: "default"}
}

func (m *module) addrOf(decl *declaration, key string) Addr {
	return Addr{Module: m.addr, Kind: decl.kind, Name: decl.name, Key: key}
}

// within are the notes that lead from a mistake in a called module to the
// file that the command was given.
func (m *module) within() []diag.Note {
	var notes []diag.Note
	for c := m.caller; c != nil; c = c.mod.caller {
		notes = append(notes, diag.Note{Message: "The module is called here.", Range: c.at})
	}
	return notes
}

// calledFrom reports whether a folder is being evaluated already, further up:
// a call of it would never end.
func (m *module) calledFrom(f *folder) []*module {
	var path []*module
	for cur := m; cur != nil; {
		path = append(path, cur)
		if cur.folder == f {
			slices.Reverse(path)
			return path
		}
		if cur.caller == nil {
			break
		}
		cur = cur.caller.mod
	}
	return nil
}

// refKinds are the kinds that expressions refer to by name.
var refKinds = []Kind{KindBase, KindContext, KindImage, KindRepository, KindSecret, KindStage}

// reference is a declaration as a value: a reference, or, with for_each, a map
// of them by key.
func (m *module) reference(decl *declaration) cty.Value {
	if decl.forEach == nil {
		return refValue(m.addrOf(decl, ""))
	}
	each := m.each[decl]
	if each == nil {
		return cty.DynamicVal // its keys are not known yet, or wrong
	}
	values := make(map[string]cty.Value, len(each.keys))
	for _, key := range each.keys {
		values[key] = refValue(m.addrOf(decl, key))
	}
	return cty.ObjectVal(values)
}

func refValue(a Addr) cty.Value {
	return eval.RefValue(eval.Ref{Kind: string(a.Kind), Module: a.Module, Name: a.Name, Key: a.Key})
}

// references are the values of a kind's declarations by name.
func (m *module) references(kind Kind) map[string]cty.Value {
	out := make(map[string]cty.Value, len(m.blocks[kind]))
	for name, decl := range m.blocks[kind] {
		out[name] = m.reference(decl)
	}
	return out
}

// exports are what callers see of the module for one target: stage, image,
// base and local, of which locals alone may be others for each. Where none is
// what Load found holds for all targets.
func (e *evaluated) exports(target Platform) cty.Value {
	if !e.mod.localsVary() {
		target = Platform{}
	}
	s := e.scope(target)
	if s.exports == cty.NilVal {
		s.exports = cty.ObjectVal(s.pick(exported))
	}
	return s.exports
}

// pick is some of the names of the scope.
func (s *scope) pick(names []string) map[string]cty.Value {
	out := make(map[string]cty.Value, len(names))
	for _, name := range names {
		out[name] = s.ctx.Variables[name]
	}
	return out
}

// localsVary reports whether a local has another value for each platform.
func (m *module) localsVary() bool {
	for _, varies := range m.usesTarget {
		if varies {
			return true
		}
	}
	return false
}

var exported = []string{string(KindBase), string(KindImage), "local", string(KindStage)}
