package spec

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// local is one entry of a locals block.
type local struct {
	attr *hclsyntax.Attribute
}

func (f *folder) collectLocals(d *decoder, b *hclsyntax.Block) {
	for _, blk := range b.Body.Blocks {
		d.diags.Errorf(headerRange(blk), "Unknown block", "locals holds names and values only: write %s = { … }, with an equals sign.", blk.Type)
	}
	for _, a := range sortedAttributes(b.Body) {
		if first, ok := f.locals[a.Name]; ok {
			d.report(syntax.Range(a.NameRange), "Declared twice", "local.%s is declared twice in this folder, whose files have one namespace.", []any{a.Name},
				diag.Note{Message: "The first is here.", Range: syntax.Range(first.attr.NameRange)})
			continue
		}
		f.locals[a.Name] = &local{attr: a}
	}
}
