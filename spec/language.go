package spec

import "github.com/specbuild/specbuild/spec/grammar"

// Grammar is the language of a module's files as data: a block without a name
// whose nested ones may stand at the top of image.hcl. It is made of the
// tables that decode, so it cannot differ from them.
func Grammar() *grammar.Block {
	return &grammar.Block{
		Doc: "A module: the image.hcl, *.image.hcl, image.yaml and *.image.yaml of one folder.",
		Blocks: []*grammar.Block{
			top(specbuildBlock.grammar(), 1), top(variableBlock.grammar(), 0), top(localsGrammar(), 0), top(baseBlock.grammar(), 0),
			top(contextBlock.grammar(), 0), top(secretBlock.grammar(), 0), top(repositoryBlock.grammar(), 0),
			top(stageBlock.grammar(), 0), top(imageBlock.grammar(), 0), top(moduleBlock.grammar(), 0), top(waiverBlock.grammar(), 0),
		},
	}
}

// WorkspaceGrammar is the language of specbuild.hcl, in the same form.
func WorkspaceGrammar() *grammar.Block {
	return &grammar.Block{
		Doc: "A workspace: the file specbuild.hcl in the folder that holds all modules.",
		Blocks: []*grammar.Block{
			top(specbuildBlock.grammar(), 1), top(workspaceBlock.grammar(), 1), top(variableBlock.grammar(), 0), top(localsGrammar(), 0),
			top(baseBlock.grammar(), 0), top(contextBlock.grammar(), 0), top(secretBlock.grammar(), 0), top(repositoryBlock.grammar(), 0),
		},
	}
}

func top(b *grammar.Block, most int) *grammar.Block {
	b.Max = most
	return b
}

func localsGrammar() *grammar.Block {
	return &grammar.Block{Name: "locals", Doc: "Names for values, used as local.name.", Open: true}
}

// grammar is the table without what it does.
func (b *block[T]) grammar() *grammar.Block {
	out := &grammar.Block{Name: b.name, Label: labelOf(b.label), Doc: b.doc, Dynamic: len(b.blocks) > 0 && b.name != dynamicName, Open: b.open != nil}
	for _, a := range b.attrs {
		out.Attributes = append(out.Attributes, a.grammar())
	}
	if b.when {
		out.Attributes = append(out.Attributes, whenRow.grammar())
	}
	for _, n := range b.blocks {
		if n.grammar == nil {
			continue // content of dynamic, whose rows are those of what it writes
		}
		g := n.grammar()
		g.Variant, g.Step, g.Max = n.variant, n.step, n.max
		out.Blocks = append(out.Blocks, g)
	}
	for _, c := range b.one {
		out.Choices = append(out.Choices, grammar.Choice{Names: c.names, Optional: c.optional})
	}
	return out
}

func (r row) grammar() grammar.Attribute {
	return grammar.Attribute{
		Name: r.name, Kind: r.kind, Doc: r.doc, Default: r.def, Required: r.required, Fixed: r.fixed, Value: r.form,
	}
}

func labelOf(k labelKind) grammar.Label {
	switch k {
	case nameLabel:
		return grammar.LabelName
	case accountLabel:
		return grammar.LabelAccount
	case textLabel:
		return grammar.LabelText
	case variantLabel:
		return grammar.LabelVariant
	default:
		return grammar.LabelNone
	}
}
