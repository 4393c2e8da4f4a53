package spec

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/specbuild/specbuild/spec/diag"
)

// VariableDecl is a variable as a module declares it, for those who set it.
type VariableDecl struct {
	Module      string // "//services/web", or "workspace"
	Name        string
	Range       diag.Range // of the block's header
	Description string
	Type        string // as it is written; empty for any
	Default     string // as it is written; empty if there is none
	Required    bool   // it has no default
}

// Variables are those of the modules that the command was given and of the
// workspace, sorted by module and name. Those of a module that another calls
// are not: the caller sets them.
func (s *Spec) Variables() []VariableDecl {
	b, ok := s.eval.(*bodies)
	if !ok {
		return nil
	}
	var out []VariableDecl
	for _, e := range b.shared.modules {
		if e.mod.caller != nil {
			continue
		}
		for _, v := range e.mod.variables {
			d := VariableDecl{
				Module: e.mod.addr, Name: v.name, Range: v.header, Description: v.description.V,
				Type: s.written(v.typ.Expr), Default: s.written(v.def.Expr), Required: v.def.Expr == nil,
			}
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b VariableDecl) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// written is the text of an expression, in one line.
func (s *Spec) written(expr hcl.Expression) string {
	if expr == nil {
		return ""
	}
	r := expr.Range()
	src := s.Files[r.Filename]
	if r.End.Byte > len(src) || r.Start.Byte > r.End.Byte {
		return ""
	}
	return strings.Join(strings.Fields(string(src[r.Start.Byte:r.End.Byte])), " ")
}
