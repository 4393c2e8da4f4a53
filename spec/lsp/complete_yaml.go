package lsp

import (
	"github.com/specbuild/specbuild/spec/grammar"
)

// keysAt are the keys that may be written at a place of a file in YAML, or
// the list elements where a list has not begun.
func (s *server) keysAt(c *cursor, d *document) []proposal {
	f := c.form
	switch f.form {
	case formBody:
		return append(c.bodyKeys(f.lang), s.inputs(c, d, ": ")...)
	case formStep:
		return stepKeys(f.lang, "")
	case formSteps:
		return stepKeys(f.lang, "- ")
	case formVariants:
		return variantKeys(f, "")
	case formList:
		if nestedForm(f.lang, f.name).form == formVariants {
			return variantKeys(f, "- ")
		}
		return []proposal{{label: "-", kind: itemStruct, doc: blockDoc(f.lang.Nested(f.name)[0]), insert: "- "}}
	case formDynamic:
		var out []proposal
		for _, b := range distinct(f.lang.Blocks) {
			out = append(out, proposal{label: b.Name, kind: itemStruct, doc: b.Doc, insert: b.Name + ":"})
		}
		return out
	}
	return nil
}

// bodyKeys are the attributes that a block lacks, and the keys of the blocks
// that it may hold.
func (c *cursor) bodyKeys(lang *grammar.Block) []proposal {
	var out []proposal
	for _, a := range lang.Attributes {
		if c.allows(lang, a.Name, 1) {
			out = append(out, proposal{label: a.Name, kind: itemProperty, detail: detailOf(a), doc: attributeDoc(a), insert: a.Name + ": ", order: orderOf(a)})
		}
	}
	for _, b := range distinct(lang.Blocks) {
		key := b.Name
		if plural(b) {
			key += "s"
		}
		if b.Step || !c.allows(lang, key, 1) || !c.allows(lang, b.Name, 1) {
			continue // a key stands once, however many blocks it holds
		}
		out = append(out, proposal{label: key, kind: itemStruct, detail: "block", doc: blockDoc(b), insert: key + ":", order: 3})
	}
	if hasSteps(lang) && c.written[stepsKey] == 0 {
		out = append(out, proposal{label: stepsKey, kind: itemStruct, detail: "list", doc: "The steps, in the order in which they run.", insert: stepsKey + ":", order: 3})
	}
	return out
}

func stepKeys(lang *grammar.Block, dash string) []proposal {
	var out []proposal
	for _, b := range distinct(lang.Blocks) {
		if b.Step {
			out = append(out, proposal{label: dash + b.Name, kind: itemStruct, detail: "step", doc: blockDoc(b), insert: dash + b.Name + ":"})
		}
	}
	return append(out, proposal{label: dash + dynamicWord, kind: itemStruct, doc: dynamicOf(lang, "").Doc, insert: dash + dynamicWord + ":", order: 1})
}

func variantKeys(f yamlForm, dash string) []proposal {
	var out []proposal
	for _, b := range f.lang.Nested(f.name) {
		if b.Label == grammar.LabelVariant {
			out = append(out, proposal{label: dash + b.Variant, kind: itemStruct, detail: b.Name, doc: blockDoc(b), insert: dash + b.Variant + ":"})
		}
	}
	return out
}

// distinct is the blocks of a table, those with several variants once.
func distinct(blocks []*grammar.Block) []*grammar.Block {
	var out []*grammar.Block
	for i, b := range blocks {
		if i == 0 || blocks[i-1].Name != b.Name {
			out = append(out, b)
		}
	}
	return out
}
