package syntax

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"gopkg.in/yaml.v3"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/grammar"
)

const (
	stepsKey   = "steps"
	dynamicKey = "dynamic"
)

// entry is one key of a map and its value.
type entry struct{ key, value *yaml.Node }

// entries are the keys of a map, those of merged maps after its own. It
// reports keys that stand twice, and those that are no text.
func (y *yamlReader) entries(n *yaml.Node) []entry {
	var own, merged []entry
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := deref(n.Content[i]), n.Content[i+1]
		if key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style&quotedStyles == 0 {
			merged = append(merged, y.merged(value)...)
			continue
		}
		if !y.goodKey(key) {
			continue
		}
		if before, again := first[key.Value]; again {
			y.diags = append(y.diags, diag.Diagnostic{
				Severity: diag.Error, Summary: "Key written twice", Range: y.rangeOf(key),
				Detail: "The key " + quote(key.Value) + " stands twice in this map; only one of them could count.",
				Notes:  []diag.Note{{Message: "It stands here first.", Range: y.rangeOf(before)}},
			})
			continue
		}
		first[key.Value] = key
		own = append(own, entry{key, value})
	}
	for _, e := range merged {
		if first[e.key.Value] == nil {
			first[e.key.Value] = e.key
			own = append(own, e)
		}
	}
	return own
}

// merged is what `<<` takes from a map or a list of maps; where several have
// a key, the first one counts.
func (y *yamlReader) merged(value *yaml.Node) []entry {
	n := deref(value)
	switch n.Kind {
	case yaml.MappingNode:
		return y.entries(n)
	case yaml.SequenceNode:
		var out []entry
		for _, e := range n.Content {
			if deref(e).Kind != yaml.MappingNode {
				y.errorf(y.startOf(e), "Map expected", "<< takes a map or a list of maps; this element is %s.", kindName(deref(e)))
				continue
			}
			out = append(out, y.entries(deref(e))...)
		}
		return out
	}
	y.errorf(y.rangeOf(n), "Map expected", "<< takes a map or a list of maps, such as <<: *common; this is %s.", kindName(n))
	return nil
}

func (y *yamlReader) goodKey(key *yaml.Node) bool {
	if key.Kind != yaml.ScalarNode {
		y.errorf(y.startOf(key), "Key is no text", "A key is a text; this is %s.", kindName(key))
		return false
	}
	if key.Style&quotedStyles != 0 {
		return true
	}
	switch classify(key.Value) {
	case plainText, plainYesNo:
		return true
	case plainNull:
		if key.Value == "" {
			y.errorf(y.startOf(key), "Key is no text", "A key is missing before the colon.")
			return false
		}
	}
	y.errorf(y.rangeOf(key), "Key is no text", "A key is a text, and %s without quotes is something else: write %s.", key.Value, quote(key.Value))
	y.quoteFix(key.Value)
	return false
}

func quote(s string) string { return `"` + s + `"` }

// body reads the inside of a block. The parent is the name of what it stands
// in, for messages.
func (y *yamlReader) body(n *yaml.Node, lang *grammar.Block, parent string) *hclsyntax.Body {
	n = deref(n)
	out := y.emptyBody()
	if isNull(n) {
		return out
	}
	start, _, _ := y.skipProperties(n)
	out.SrcRange = y.places.hcl(start, y.endOf(n))
	out.EndRange = y.places.hcl(out.SrcRange.End.Byte, out.SrcRange.End.Byte)
	if n.Kind != yaml.MappingNode {
		y.errorf(y.rangeOf(n), "Map expected", "%s is a map of names and values; this is %s.", quote(parent), kindName(n))
		return out
	}
	for _, e := range y.entries(n) {
		y.entry(out, e, lang)
	}
	return out
}

// entry sorts one key of a block: an attribute, a block that the language
// writes in one of several forms, or neither.
func (y *yamlReader) entry(out *hclsyntax.Body, e entry, lang *grammar.Block) {
	name := e.key.Value
	if a, ok := lang.Attribute(name); ok {
		y.attribute(out, e, a.Value)
		return
	}
	switch nested := lang.Nested(name); {
	case name == stepsKey && hasSteps(lang):
		y.steps(out, e, lang)
	case name == dynamicKey && lang.Dynamic:
		y.dynamicMap(out, e, lang)
	case len(nested) == 0 && singular(lang, name) != "":
		y.listed(out, e, lang, singular(lang, name))
	case len(nested) == 0:
		y.unknownKey(out, e, lang)
	case nested[0].Step:
		y.errorf(y.rangeOf(e.key), "Step outside of steps", "The order of steps counts, so they are a list: write `- %s: …` below `steps:`.", name)
	case plural(nested[0]):
		y.errorf(y.rangeOf(e.key), "List expected", "There may be several of %s, so they are a list: write `%ss:`, and below it `- …` for each.", quote(name), name)
	case nested[0].Label == grammar.LabelNone:
		if !isNull(deref(e.value)) {
			y.block(out, e.key, nil, e.value, nested[0])
		}
	default:
		y.named(out, e, nested[0])
	}
}

// named reads a map of blocks by their names.
func (y *yamlReader) named(out *hclsyntax.Body, e entry, lang *grammar.Block) {
	n := deref(e.value)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		y.errorf(y.rangeOf(n), "Map expected", "%s is a map of names, each with a map of its own; this is %s.", quote(lang.Name), kindName(n))
		return
	}
	for _, one := range y.entries(n) {
		y.block(out, e.key, one.key, one.value, lang)
	}
}

// block adds a block. Its type stands at the key, its label, if it has one,
// at the label's.
func (y *yamlReader) block(out *hclsyntax.Body, key, label, value *yaml.Node, lang *grammar.Block) {
	at := y.keyRange(key)
	b := &hclsyntax.Block{Type: lang.Name, TypeRange: at, OpenBraceRange: at, CloseBraceRange: at}
	named := lang.Name
	if label != nil {
		if strings.Contains(label.Value, "${") || strings.Contains(label.Value, "%{") {
			y.errorf(y.rangeOf(label), "Invalid name", "The name of a block is written out and cannot be computed. Blocks that differ in name only come from for_each or dynamic.")
		}
		b.Labels, b.LabelRanges = []string{label.Value}, []hcl.Range{y.keyRange(label)}
		// One map holds several blocks: the label is where each begins.
		b.TypeRange = b.LabelRanges[0]
		named = label.Value
	}
	b.Body = y.body(value, lang, named)
	out.Blocks = append(out.Blocks, b)
}

func (y *yamlReader) keyRange(key *yaml.Node) hcl.Range {
	s := y.scalar(key)
	return y.places.hcl(s.start, s.end)
}

func (y *yamlReader) attribute(out *hclsyntax.Body, e entry, want grammar.Value) {
	at := y.keyRange(e.key)
	expr := y.value(e.value, want, at)
	whole := at
	if end := expr.Range().End; end.Byte > at.End.Byte {
		whole.End = end
	}
	out.Attributes[e.key.Value] = &hclsyntax.Attribute{
		Name: e.key.Value, Expr: expr, SrcRange: whole, NameRange: at, EqualsRange: hcl.Range{Filename: y.name, Start: at.End, End: at.End},
	}
}

// unknownKey leaves a key that the grammar does not have to the decoder, which
// knows what was probably meant. A block with names of the author's own takes
// it for one.
func (y *yamlReader) unknownKey(out *hclsyntax.Body, e entry, lang *grammar.Block) {
	name := e.key.Value
	if lang.Open {
		if !hclsyntax.ValidIdentifier(name) {
			y.errorf(y.rangeOf(e.key), "Invalid name", "%s cannot be a name: names are letters, digits, _ and -, and begin with a letter.", quote(name))
			return
		}
		y.attribute(out, e, grammar.Value{Type: grammar.Any})
		return
	}
	if meant := misspelt(name, listKeys(lang)); meant != "" {
		y.errorf(y.rangeOf(e.key), "Unknown key", "There is no key %s here. Did you mean %s?", quote(name), quote(meant))
		y.lastFix(meant)
		return
	}
	if len(lang.Attributes) == 0 {
		at := y.keyRange(e.key)
		out.Blocks = append(out.Blocks, &hclsyntax.Block{Type: name, TypeRange: at, Body: y.emptyBody(), OpenBraceRange: at, CloseBraceRange: at})
		return
	}
	y.attribute(out, e, grammar.Value{Type: grammar.Any})
}

// hasSteps reports whether a block holds steps.
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

// listKeys are the keys that only YAML has.
func listKeys(lang *grammar.Block) []string {
	var out []string
	if hasSteps(lang) {
		out = append(out, stepsKey)
	}
	for _, b := range lang.Blocks {
		if plural(b) && !slices.Contains(out, b.Name+"s") {
			out = append(out, b.Name+"s")
		}
	}
	return out
}

// misspelt is the name that differs from a key by one letter that is missing,
// too many, or another one; empty if none does.
func misspelt(key string, names []string) string {
	for _, name := range names {
		if oneApart(key, name) {
			return name
		}
	}
	return ""
}

func oneApart(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 4 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		return swapped || a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}
