package spec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// label is one label of a block and where it stands.
type label struct {
	text string
	at   diag.Range
}

const dynamicName = "dynamic"

// dynamicBlock is the table of `dynamic "step" { … }`, as Terraform has it.
// The expansion is ours, not hcl's dynblock, because that cannot say which
// mistake is in which block without repeating itself for every element.
var dynamicBlock = &block[dynamicParts]{
	name: dynamicName, label: textLabel,
	doc: "Writes a block once for each element of a collection.",
	attrs: []attribute[dynamicParts]{
		expression("for_each", "a map, or a list or set of values", grammar.Any, func(p *dynamicParts) *hclsyntax.Attribute { return &p.forEach },
			"what to repeat over.", required),
		expression("iterator", "a name", grammar.Keyword, func(p *dynamicParts) *hclsyntax.Attribute { return &p.iterator },
			"the name under which content finds `.key` and `.value`; default: the block's name."),
		expression("labels", "a list of strings", grammar.Any, func(p *dynamicParts) *hclsyntax.Attribute { return &p.labels },
			"the labels of each block."),
	},
	blocks: []nested[dynamicParts]{{
		name: "content", max: 1,
		decode: func(_ *decoder, p *dynamicParts, src source) { p.content = src.body },
	}},
	one: []choice{{names: []string{"content"}}},
}

type dynamicParts struct {
	forEach, iterator, labels hclsyntax.Attribute
	content                   *hclsyntax.Body
}

// dynamicOf is the name of the block that a dynamic block writes, or empty
// after reporting that it has none.
func (d *decoder) dynamicOf(blk *hclsyntax.Block) string {
	if len(blk.Labels) == 1 && blk.Labels[0] != "" {
		return blk.Labels[0]
	}
	d.diags.Errorf(headerRange(blk), "Missing label", "A dynamic block has one label, the name of the block it writes: dynamic \"copy\" { … }.")
	return ""
}

// expand calls emit for a block as it stands, or for each block that a
// dynamic one writes.
func (d *decoder) expand(blk *hclsyntax.Block, emit func(*decoder, []label, *hclsyntax.Body, diag.Range)) {
	header := headerRange(blk)
	if blk.Type != dynamicName {
		labels := make([]label, len(blk.Labels))
		for i, text := range blk.Labels {
			labels[i] = label{text, syntax.Range(blk.LabelRanges[i])}
		}
		emit(d, labels, blk.Body, header)
		return
	}
	before := len(*d.diags)
	p, _ := dynamicBlock.decode(d, source{label: blk.Labels[0], body: blk.Body, header: header})
	if len(*d.diags) > before {
		return
	}
	iterator, ok := d.iteratorName(p, blk.Labels[0])
	if !ok {
		return
	}
	said := seen{}
	for _, e := range d.elements(p.forEach.Expr) {
		before := len(*d.diags)
		inner := *d
		inner.iterators = append(slices.Clone(d.iterators), iterator)
		inner.ctx = d.ctx.NewChild()
		inner.ctx.Variables = map[string]cty.Value{iterator: cty.ObjectVal(map[string]cty.Value{"key": e.key, "value": e.value})}
		labels, ok := inner.dynamicLabels(p)
		if ok {
			emit(&inner, labels, p.content, header)
		}
		// What is wrong for each element is one mistake, in whichever words.
		fresh := said.without((*d.diags)[before:])
		said.add(fresh)
		*d.diags = append((*d.diags)[:before], fresh...)
	}
}

func (d *decoder) iteratorName(p *dynamicParts, otherwise string) (string, bool) {
	if p.iterator.Expr == nil {
		return otherwise, true
	}
	name := hcl.ExprAsKeyword(p.iterator.Expr)
	if name == "" || slices.Contains(rootNames, name) {
		d.diags.Errorf(syntax.Range(p.iterator.Expr.Range()), "Invalid iterator",
			"The iterator is a name of your own, without quotes, that is not one of %s.", list(rootNames, "and"))
		return "", false
	}
	return name, true
}

type element struct{ key, value cty.Value }

// elements evaluates for_each. A collection that is not known yet gives one
// unknown element, so that the content is checked.
func (d *decoder) elements(expr hcl.Expression) []element {
	guess := []element{{cty.DynamicVal, cty.DynamicVal}}
	v, ok := d.value(expr, "`for_each` is decided before the platforms are; use `when` in the content")
	switch {
	case !ok && d.dry:
		return guess
	case !ok:
		return nil
	case v.IsNull():
		return nil
	case !v.IsKnown():
		return guess
	case !v.CanIterateElements():
		d.diags.Errorf(syntax.Range(expr.Range()), "Wrong type", "`for_each` is a map, or a list or set of values; this is %s.", typeName(v))
		return nil
	}
	set := v.Type().IsSetType()
	var out []element
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if set {
			k = e
		}
		out = append(out, element{k, e})
	}
	return out
}

func (d *decoder) dynamicLabels(p *dynamicParts) ([]label, bool) {
	if p.labels.Expr == nil {
		return nil, true
	}
	texts, st := evaluate(d, row{name: "labels"}, textList, &p.labels)
	at := syntax.Range(p.labels.Expr.Range())
	labels := make([]label, len(texts))
	for i, t := range texts {
		labels[i] = label{t, at}
	}
	return labels, st == known
}

// label checks the label of a block that has no variants.
func (d *decoder) label(name string, kind labelKind, labels []label, header diag.Range) (string, bool) {
	want := 1
	if kind == noLabel {
		want = 0
	}
	switch {
	case len(labels) > want && want == 0:
		d.diags.Errorf(labels[0].at, "Too many labels", "%s has no label: write %s { … }.", article(name), name)
		return "", false
	case len(labels) > want:
		d.diags.Errorf(labels[1].at, "Too many labels", "%s has one label: write %s %q { … }.", article(name), name, labels[0].text)
		return "", false
	case len(labels) < want:
		d.diags.Errorf(header, "Missing label", "%s needs a name: write %s \"name\" { … }.", article(name), name)
		return "", false
	case want == 0:
		return "", true
	}
	return labels[0].text, d.labelText(name, kind, labels[0])
}

func (d *decoder) labelText(name string, kind labelKind, l label) bool {
	switch {
	case kind == nameLabel && eval.CheckName(l.text) != nil:
		d.diags.Errorf(l.at, "Invalid name", "%q cannot name %s: names begin with a small letter and go on with small letters, digits, _ and -.", l.text, "a"+article(name)[1:])
	case kind == accountLabel && !accountPattern().MatchString(l.text):
		d.diags.Errorf(l.at, "Invalid name", "%q cannot name a %s: such names begin with a small letter or _, go on with small letters, digits, _ and -, and have at most 32 characters.", l.text, name)
	case kind == textLabel && l.text == "":
		d.diags.Errorf(l.at, "Invalid name", "The label of a %q block is empty; give it a name.", name)
	default:
		return true
	}
	return false
}

// variantLabel checks the label that chooses the table of a block.
func (d *decoder) variantLabel(name string, variants []string, labels []label, header diag.Range) (string, bool) {
	switch {
	case len(labels) == 0:
		d.diags.Errorf(header, "Missing label", "%s needs a label, one of %s: write %s %q { … }.", article(name), list(variants, "and"), name, variants[0])
	case len(labels) > 1:
		d.diags.Errorf(labels[1].at, "Too many labels", "%s has one label, one of %s.", article(name), list(variants, "and"))
	case !slices.Contains(variants, labels[0].text):
		d.diags.Errorf(labels[0].at, "Unknown label", "There is no %s %q%s; it is one of %s.", name, labels[0].text,
			didYouMean(labels[0].text, variants), list(variants, "and"))
	default:
		return labels[0].text, true
	}
	return "", false
}
