package lsp

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/grammar"
)

// form is what a place in YAML holds, after docs/yaml.md.
type form int

const (
	formUnknown  form = iota
	formBody          // a map of the keys of a block
	formNames         // a map of blocks by their names
	formVariants      // a map with one key, the word that chooses the table
	formSteps         // the list of steps
	formStep          // a map with one key, the step's name
	formList          // a list of blocks that repeat without a name
	formDynamic       // a map with one key, the name of the block that is written
	formValue
)

// yamlForm is a place: its form and what of the grammar it is about.
type yamlForm struct {
	form form
	lang *grammar.Block // of a body, of what stands in it; of names, the named block
	name string         // of variants and lists: the block
	want grammar.Value  // of a value
}

// down is the form of what stands below a key; "-" is an element of a list.
func (f yamlForm) down(key string) yamlForm {
	switch f.form {
	case formBody:
		return f.entry(key)
	case formNames:
		return yamlForm{form: formBody, lang: f.lang}
	case formVariants:
		if b := child(f.lang, f.name, key); b != nil {
			return yamlForm{form: formBody, lang: b}
		}
	case formSteps:
		if key == "-" {
			return yamlForm{form: formStep, lang: f.lang}
		}
	case formStep:
		if key == dynamicWord {
			return yamlForm{form: formDynamic, lang: f.lang}
		}
		return nestedForm(f.lang, key)
	case formList:
		if key == "-" {
			return nestedForm(f.lang, f.name)
		}
	case formDynamic:
		if key == "-" {
			return f
		}
		return yamlForm{form: formBody, lang: dynamicOf(f.lang, key)}
	case formValue:
		return yamlForm{form: formValue, want: element(f.want, key == "-")}
	}
	return yamlForm{}
}

// entry is the form below a key of a block's body.
func (f yamlForm) entry(key string) yamlForm {
	if a, ok := f.lang.Attribute(key); ok {
		return yamlForm{form: formValue, want: a.Value}
	}
	nested := f.lang.Nested(key)
	switch name := singular(f.lang, key); {
	case key == stepsKey && hasSteps(f.lang):
		return yamlForm{form: formSteps, lang: f.lang}
	case key == dynamicWord && f.lang.Dynamic:
		return yamlForm{form: formDynamic, lang: f.lang}
	case len(nested) == 0 && name != "":
		return yamlForm{form: formList, lang: f.lang, name: name}
	case len(nested) > 0 && !nested[0].Step && !plural(nested[0]):
		return nestedForm(f.lang, key)
	case len(nested) == 0 && f.lang.Open:
		return yamlForm{form: formValue, want: grammar.Value{Type: grammar.Any}}
	}
	return yamlForm{}
}

// nestedForm is what stands below the name of a nested block.
func nestedForm(lang *grammar.Block, name string) yamlForm {
	nested := lang.Nested(name)
	switch {
	case len(nested) == 0:
		return yamlForm{}
	case nested[0].Label == grammar.LabelVariant:
		return yamlForm{form: formVariants, lang: lang, name: name}
	case nested[0].Label == grammar.LabelNone:
		return yamlForm{form: formBody, lang: nested[0]}
	}
	return yamlForm{form: formNames, lang: nested[0], name: name}
}

// element is what is asked of a part of a value.
func element(v grammar.Value, ofList bool) grammar.Value {
	isList := v.Type == grammar.List || v.Type == grammar.OneOrList
	if v.Elem != nil && (ofList && isList || !ofList && v.Type == grammar.Map) {
		return *v.Elem
	}
	return grammar.Value{Type: grammar.Any}
}

func hasSteps(lang *grammar.Block) bool {
	return slices.ContainsFunc(lang.Blocks, func(b *grammar.Block) bool { return b.Step })
}

// plural reports whether a block is written as a list: it may stand several
// times and has no name that a map could have for a key.
func plural(b *grammar.Block) bool {
	return !b.Step && (b.Label == grammar.LabelVariant || b.Label == grammar.LabelNone && b.Max != 1 && !b.Open)
}

// singular is the block that a key in the plural lists, or empty.
func singular(lang *grammar.Block, key string) string {
	name, ok := strings.CutSuffix(key, "s")
	if !ok {
		return ""
	}
	if nested := lang.Nested(name); len(nested) > 0 && plural(nested[0]) {
		return name
	}
	return ""
}

// yamlBlocks makes blocks of what was read, as the parser does.
func yamlBlocks(n *yamlNode, lang *grammar.Block) *block {
	root := &block{lang: lang, at: n.at}
	root.fill(n, yamlForm{form: formBody, lang: lang})
	return root
}

// fill puts what stands in a node into the block that it is part of.
func (b *block) fill(n *yamlNode, f yamlForm) {
	if n == nil {
		return
	}
	for _, e := range n.entries {
		below := f.down(e.key)
		switch f.form {
		case formBody:
			b.key(e, below)
		case formNames:
			b.begin(e, f.lang.Name, below)
		case formVariants:
			b.begin(e, f.name, below)
		case formStep:
			if below.form == formBody {
				b.begin(e, e.key, below)
				continue
			}
			b.fill(e.value, below)
		case formDynamic:
			if e.key == "-" {
				b.fill(e.value, below)
				continue
			}
			b.begin(e, dynamicWord, below)
		case formSteps:
			b.fill(e.value, below)
		case formList:
			if below.form == formBody {
				b.begin(e, f.name, below)
				continue
			}
			b.fill(e.value, below)
		}
	}
}

// key takes one key of a body.
func (b *block) key(e *yamlEntry, below yamlForm) {
	switch below.form {
	case formBody:
		b.begin(e, e.key, below)
	case formNames, formSteps, formList, formDynamic:
		b.fill(e.value, below)
	default:
		a := attribute{name: e.key, nameAt: e.keyAt, value: stretch{e.keyAt.end, e.keyAt.end}}
		if e.value != nil {
			a.value = stretch{e.value.at.start, e.end}
			if !e.block && !e.value.text {
				a.value.end = max(e.value.ends(), a.value.start)
			}
		}
		b.attrs = append(b.attrs, a)
	}
}

// begin adds a block whose header, or the label of it, is an entry's key.
func (b *block) begin(e *yamlEntry, name string, below yamlForm) {
	n := &block{name: name, nameAt: e.keyAt, lang: below.lang, at: stretch{e.keyAt.start, max(e.end, e.keyAt.end)}}
	if e.key != name && e.key != "-" {
		n.label, n.labelAt = e.key, e.keyAt
	}
	if e.value != nil {
		n.at.end = max(n.at.end, e.value.ends())
	}
	n.fill(e.value, below)
	b.blocks = append(b.blocks, n)
}

// ends is where the last thing in a node ends.
func (n *yamlNode) ends() int {
	end := n.at.end
	for len(n.entries) > 0 {
		e := n.entries[len(n.entries)-1]
		end = max(end, e.end)
		if e.value == nil {
			break
		}
		n = e.value
		end = max(end, n.at.end)
	}
	return end
}
