package syntax

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"gopkg.in/yaml.v3"

	"github.com/specbuild/specbuild/spec/grammar"
)

// steps reads the list of steps: maps of one key, the name of the step.
func (y *yamlReader) steps(out *hclsyntax.Body, e entry, lang *grammar.Block) {
	for _, one := range y.elements(e, "steps", "`- copy: {…}`") {
		step, ok := y.onlyKey(one, "a step", "`- copy: {…}`")
		if !ok {
			continue
		}
		name := step.key.Value
		nested := lang.Nested(name)
		switch {
		case name == dynamicKey:
			y.dynamic(out, step, lang, func(b *grammar.Block) bool { return b.Step })
		case len(nested) > 0 && nested[0].Step:
			y.step(out, step, nested)
		case len(nested) > 0:
			y.errorf(y.rangeOf(step.key), "Not a step", "%s makes no layer: write it as a key beside `steps:`.", quote(name))
		default:
			if _, ok := lang.Attribute(name); ok {
				y.errorf(y.rangeOf(step.key), "Not a step", "%s is an attribute: write it as a key beside `steps:`.", quote(name))
				continue
			}
			// The decoder knows what was meant.
			at := y.keyRange(step.key)
			out.Blocks = append(out.Blocks, &hclsyntax.Block{Type: name, TypeRange: at, Body: y.emptyBody(), OpenBraceRange: at, CloseBraceRange: at})
		}
	}
}

// step reads one step; its label, if it has one, is a key below it.
func (y *yamlReader) step(out *hclsyntax.Body, e entry, nested []*grammar.Block) {
	if nested[0].Label == grammar.LabelNone && nested[0].Variant == "" {
		y.block(out, e.key, nil, e.value, nested[0])
		return
	}
	y.labelled(out, e, nested)
}

// labelled reads a block of a list whose label is a key below it.
func (y *yamlReader) labelled(out *hclsyntax.Body, e entry, nested []*grammar.Block) {
	name := e.key.Value
	example := "`- " + name + ": {name: {…}}`"
	if v := nested[0].Variant; v != "" {
		example = "`- " + name + ": {" + v + ": {…}}`"
	}
	inner, ok := y.onlyKey(e.value, quote(name), example)
	if !ok {
		return
	}
	y.blockAt(out, e.key, inner, nested)
}

// blockAt adds a block whose type stands at one key and its label at another.
func (y *yamlReader) blockAt(out *hclsyntax.Body, key *yaml.Node, inner entry, nested []*grammar.Block) {
	y.block(out, key, inner.key, inner.value, variantOf(nested, inner.key.Value))
	y.typeAt(out.Blocks[len(out.Blocks)-1], key)
}

// typeAt lets a block begin at a key above its label. An alias may have put
// that key further down in the file; then the label alone is the place.
func (y *yamlReader) typeAt(b *hclsyntax.Block, key *yaml.Node) {
	if at := y.keyRange(key); at.Start.Byte <= b.LabelRanges[0].Start.Byte {
		b.TypeRange = at
	}
}

// variantOf is the block of a variant; where there is none, all of them in
// one, so that what is inside is read and the decoder can say what is wrong.
func variantOf(nested []*grammar.Block, label string) *grammar.Block {
	for _, b := range nested {
		if b.Variant == "" || b.Variant == label {
			return b
		}
	}
	return union(nested)
}

// union is a block with the attributes and blocks of several.
func union(nested []*grammar.Block) *grammar.Block {
	out := *nested[0]
	out.Attributes, out.Blocks = slices.Clone(out.Attributes), slices.Clone(out.Blocks)
	for _, b := range nested[1:] {
		for _, a := range b.Attributes {
			if _, ok := out.Attribute(a.Name); !ok {
				out.Attributes = append(out.Attributes, a)
			}
		}
		for _, in := range b.Blocks {
			if len(out.Nested(in.Name)) == 0 {
				out.Blocks = append(out.Blocks, in)
			}
		}
	}
	return &out
}

// listed reads a list in the plural: mounts, validations, waivers, sources.
func (y *yamlReader) listed(out *hclsyntax.Body, e entry, lang *grammar.Block, name string) {
	nested := lang.Nested(name)
	variants := nested[0].Label == grammar.LabelVariant
	example := "`- {…}`"
	if variants {
		example = "`- " + nested[0].Variant + ": {…}`"
	}
	for _, one := range y.elements(e, e.key.Value, example) {
		one = deref(one)
		if one.Kind == yaml.MappingNode && len(one.Content) == 2 && deref(one.Content[0]).Value == dynamicKey {
			y.dynamic(out, entry{deref(one.Content[0]), one.Content[1]}, lang, func(b *grammar.Block) bool { return b.Name == name })
			continue
		}
		if variants {
			if inner, ok := y.onlyKey(one, "an element of "+quote(e.key.Value), example); ok {
				y.blockAt(out, inner.key, inner, nested)
			}
			continue
		}
		start, _, _ := y.skipProperties(one)
		at := y.places.hcl(start, min(start+1, len(y.src)))
		if one.Kind == yaml.MappingNode && len(one.Content) > 0 && deref(one.Content[0]).Kind == yaml.ScalarNode {
			at = y.keyRange(deref(one.Content[0]))
		}
		out.Blocks = append(out.Blocks, &hclsyntax.Block{
			Type: name, TypeRange: at, OpenBraceRange: at, CloseBraceRange: at, Body: y.body(one, nested[0], name),
		})
	}
}

// elements are those of a list of blocks.
func (y *yamlReader) elements(e entry, name, example string) []*yaml.Node {
	n := deref(e.value)
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		y.errorf(y.rangeOf(n), "List expected", "%s is a list, of elements such as %s; this is %s.", quote(name), example, kindName(n))
		return nil
	}
	return n.Content
}

// onlyKey is the one key of a map.
func (y *yamlReader) onlyKey(n *yaml.Node, what, example string) (entry, bool) {
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		y.errorf(y.rangeOf(n), "Map expected", "%s is a map of one key, such as %s; this is %s.", sentence(what), example, kindName(n))
		return entry{}, false
	}
	entries := y.entries(n)
	if len(entries) == 1 {
		return entries[0], true
	}
	if len(entries) > 1 {
		y.errorf(y.rangeOf(entries[1].key), "One key expected", "%s is a map of one key, such as %s; %s is a second one. What belongs to the first is indented below it; what is another one begins with `- `.", sentence(what), example, quote(entries[1].key.Value))
	} else if len(n.Content) == 0 {
		y.errorf(y.startOf(n), "One key expected", "%s is a map of one key, such as %s; this one is empty.", sentence(what), example)
	}
	return entry{}, false
}

func sentence(s string) string {
	if s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// dynamicMap reads `dynamic:` as a key of a block: a map of what it writes.
func (y *yamlReader) dynamicMap(out *hclsyntax.Body, e entry, lang *grammar.Block) {
	n := deref(e.value)
	if n.Kind == yaml.SequenceNode {
		for _, one := range n.Content {
			y.dynamicMap(out, entry{e.key, one}, lang)
		}
		return
	}
	if n.Kind != yaml.MappingNode {
		y.errorf(y.rangeOf(n), "Map expected", "\"dynamic\" is a map of the block that it writes, such as `dynamic: {test: {…}}`; this is %s.", kindName(n))
		return
	}
	for _, one := range y.entries(n) {
		if nested := lang.Nested(one.key.Value); len(nested) > 0 && nested[0].Step {
			y.errorf(y.rangeOf(one.key), "Step outside of steps", "The order of steps counts, so they are a list: write `- dynamic: {%s: …}` below `steps:`.", one.key.Value)
			continue
		}
		y.dynamicBlock(out, e.key, one, lang)
	}
}

// dynamic reads `- dynamic: {copy: {…}}`, in a list that takes some blocks.
func (y *yamlReader) dynamic(out *hclsyntax.Body, e entry, lang *grammar.Block, fits func(*grammar.Block) bool) {
	inner, ok := y.onlyKey(e.value, `"dynamic"`, "`- dynamic: {copy: {for_each: …, content: {…}}}`")
	if !ok {
		return
	}
	if nested := lang.Nested(inner.key.Value); len(nested) > 0 && !fits(nested[0]) {
		y.errorf(y.rangeOf(inner.key), "Wrong list", "%s does not belong into this list.", quote(inner.key.Value))
		return
	}
	y.dynamicBlock(out, e.key, inner, lang)
}

func (y *yamlReader) dynamicBlock(out *hclsyntax.Body, key *yaml.Node, e entry, lang *grammar.Block) {
	nested := lang.Nested(e.key.Value)
	content := &grammar.Block{}
	if len(nested) > 0 {
		content = variantOf(nested, labelOfContent(e.value))
	}
	inside := *content
	inside.Name, inside.Label, inside.Variant, inside.Step, inside.Max = "content", grammar.LabelNone, "", false, 1
	anything := grammar.Value{Type: grammar.Any}
	table := &grammar.Block{
		Name: dynamicKey, Label: grammar.LabelText,
		Attributes: []grammar.Attribute{
			{Name: "for_each", Value: anything}, {Name: "labels", Value: anything},
			{Name: "iterator", Value: grammar.Value{Type: grammar.Keyword}},
		},
		Blocks: []*grammar.Block{&inside},
	}
	before := len(out.Blocks)
	y.block(out, key, e.key, e.value, table)
	y.typeAt(out.Blocks[before], key)
}

// labelOfContent is the first of a dynamic block's labels if it is written
// out: it chooses the table of what is inside.
func labelOfContent(n *yaml.Node) string {
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		labels := deref(n.Content[i+1])
		if deref(n.Content[i]).Value == "labels" && labels.Kind == yaml.SequenceNode && len(labels.Content) == 1 {
			return deref(labels.Content[0]).Value
		}
	}
	return ""
}
