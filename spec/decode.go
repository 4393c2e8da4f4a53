package spec

import (
	"slices"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// decoder evaluates blocks by their tables, for one module and one target.
type decoder struct {
	mod   *module
	diags *diag.List
	ctx   *hcl.EvalContext
	// fixed says why target may not stand in what is being decoded.
	fixed string
	// iterators are the names that enclosing dynamic blocks bind.
	iterators []string
	// each is true in a block with for_each.
	each bool
	// dry checks names and evaluates nothing: the inside of `when = false`,
	// whose values may be impossible just because the block is left out.
	dry bool
	// misspelt is true for the check of a block with a name that is not known:
	// what it seems to lack may be what was meant.
	misspelt bool
	// incomplete receives the names of attributes that have no whole value yet.
	incomplete *[]string
}

// misses notes that an attribute has no whole value yet.
func (d *decoder) misses(name string) {
	if d.incomplete != nil && !d.dry {
		*d.incomplete = append(*d.incomplete, name)
	}
}

// decode reads one block by its table. It answers false where the block is
// left out by `when`, and where a name in it is unknown, since it cannot be
// judged further; other mistakes leave fields Unknown.
func (b *block[T]) decode(d *decoder, src source) (*T, bool) {
	t := new(T)
	for _, a := range b.attrs {
		if a.preset != nil {
			a.preset(t)
		}
	}
	if b.begin != nil {
		b.begin(t, src.label, src.header)
	}
	inner := *d
	if b.fixed != "" {
		inner.fixed = b.fixed
	}
	included := b.included(&inner, src.body)
	inner.dry = inner.dry || !included
	clean := b.decodeAttributes(&inner, t, src.body)
	written, ok := b.decodeBlocks(&inner, t, src)
	if clean && ok {
		// A misspelt name is one mistake: what it was meant to be is then
		// not missing as well.
		b.complete(&inner, t, src, written)
	}
	if inner.misspelt = !clean || !ok; b.check != nil && !inner.dry {
		b.check(&inner, t)
	}
	return t, included && clean && ok
}

// included evaluates `when`. An unknown one includes the block, so that its
// mistakes are found.
func (b *block[T]) included(d *decoder, body *hclsyntax.Body) bool {
	a, ok := body.Attributes[whenRow.name]
	if !ok || !b.when {
		return true
	}
	v, state := evaluate(d, whenRow, boolean, a)
	return state != known || v
}

// decodeAttributes answers false if there was an unknown name.
func (b *block[T]) decodeAttributes(d *decoder, t *T, body *hclsyntax.Body) bool {
	clean := true
	for _, a := range sortedAttributes(body) {
		row, ok := b.attribute(a.Name)
		switch {
		case ok:
			row.decode(d, t, a)
		case b.when && a.Name == whenRow.name:
		case b.open != nil:
			b.open(t, a)
		default:
			clean = false
			if answer, ok := b.answers[a.Name]; ok {
				d.diags.Errorf(syntax.Range(a.NameRange), "Unknown attribute", "This block has no attribute %q. %s", a.Name, answer)
				continue
			}
			d.unknownAttribute(b.name, a, b.attrNames(), b.blockNames())
		}
	}
	return clean
}

// decodeBlocks reads the nested blocks in their order, those of dynamic
// included, and answers which names were written, and false if there was an
// unknown one.
func (b *block[T]) decodeBlocks(d *decoder, t *T, src source) (map[string]bool, bool) {
	written, first, clean := map[string]bool{}, map[string]diag.Range{}, true
	for _, blk := range src.body.Blocks {
		name := blk.Type
		if name == dynamicName && len(b.blocks) > 0 {
			name = d.dynamicOf(blk)
		}
		if name != "" && slices.Contains(b.blockNames(), name) {
			written[name] = true
		} else {
			clean = false
			if name != "" {
				d.unknownBlock(b.name, blk, name, b.attrNames(), b.blockNames())
			}
			continue
		}
		d.expand(blk, func(d *decoder, labels []label, body *hclsyntax.Body, header diag.Range) {
			n, text, ok := b.choose(d, name, labels, header)
			if !ok {
				return
			}
			if n.max == 1 {
				if before, again := first[name]; again {
					d.report(header, "Block written twice", "%s may be written only once in a %q.", []any{article(name), b.name},
						diag.Note{Message: "It is written here first.", Range: before})
					return
				}
				first[name] = header
			}
			n.decode(d, t, source{label: text, body: body, header: header})
		})
	}
	return written, clean
}

// choose finds the row of a nested block by its name and, where there are
// variants, its label.
func (b *block[T]) choose(d *decoder, name string, labels []label, header diag.Range) (nested[T], string, bool) {
	variants := b.variants(name)
	for _, n := range b.blocks {
		if n.name != name {
			continue
		}
		if len(variants) == 0 {
			text, ok := d.label(name, n.label, labels, header)
			return n, text, ok
		}
		break
	}
	text, ok := d.variantLabel(name, variants, labels, header)
	if !ok {
		return nested[T]{}, "", false
	}
	for _, n := range b.blocks {
		if n.name == name && n.variant == text {
			return n, text, true
		}
	}
	return nested[T]{}, "", false
}

// complete reports what is missing.
func (b *block[T]) complete(d *decoder, t *T, src source, written map[string]bool) {
	given := func(name string) bool {
		if a, ok := b.attribute(name); ok {
			if a.given != nil {
				return a.given(t)
			}
			return src.body.Attributes[name] != nil
		}
		return written[name]
	}
	for _, a := range b.attrs {
		if a.required && !given(a.name) {
			d.diags.Errorf(src.header, "Missing attribute", "%s needs %q: %s", article(b.name), a.name, a.doc)
		}
	}
	for _, c := range b.one {
		var have []string
		for _, name := range c.names {
			if given(name) {
				have = append(have, name)
			}
		}
		switch {
		case len(have) > 1:
			d.diags.Errorf(placeOf(src.body, have[1], src.header), "Attributes exclude each other",
				"%s has %s; only one of %s may be written.", article(b.name), list(have, "and"), list(c.names, "and"))
		case len(have) == 0 && len(c.names) == 1:
			d.diags.Errorf(src.header, "Missing block", "%s needs a %q block.", article(b.name), c.names[0])
		case len(have) == 0 && !c.optional:
			d.diags.Errorf(src.header, "Missing attribute", "%s needs one of %s.", article(b.name), list(c.names, "and"))
		}
	}
}

// placeOf is where a name is set in a body.
func placeOf(body *hclsyntax.Body, name string, otherwise diag.Range) diag.Range {
	if a, ok := body.Attributes[name]; ok {
		return syntax.Range(a.NameRange)
	}
	for _, b := range body.Blocks {
		if b.Type == name {
			return headerRange(b)
		}
	}
	return otherwise
}

// sortedAttributes are the attributes as they were written; the parser keeps
// them in a map.
func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	out := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].SrcRange.Start.Byte < out[j].SrcRange.Start.Byte })
	return out
}

// state says what became of an attribute's value.
type state int

const (
	absent  state = iota // null: as if not written
	unknown              // not known yet, or wrong and reported
	known
)

// evaluate gives the value of an attribute as its row asks for it.
func evaluate[V any](d *decoder, r row, vt valueType[V], a *hclsyntax.Attribute) (V, state) {
	var zero V
	v, ok := d.value(a.Expr, r.fixed)
	switch {
	case !ok:
		d.misses(r.name)
		return zero, unknown
	case v.IsNull():
		return zero, absent
	case !v.IsKnown():
		d.misses(r.name)
		if !vt.accepts(v.Type()) {
			vt.wrong(d, input{v: v, expr: a.Expr, name: r.name})
		}
		return zero, unknown
	}
	out, ok := vt.from(d, input{v: v, expr: a.Expr, name: r.name})
	if !ok {
		return zero, unknown
	}
	return out, known
}

// value evaluates an expression after its names were checked, so that an
// unknown name is reported in our words and not in those of cty. Where a list
// or map is written out, each element is evaluated for itself: one that is
// wrong becomes unknown and hides no other.
func (d *decoder) value(expr hcl.Expression, fixed string) (cty.Value, bool) {
	if fixed == "" {
		fixed = d.fixed
	}
	switch e := expr.(type) {
	case *hclsyntax.TupleConsExpr:
		return d.tuple(e, fixed)
	case *hclsyntax.ObjectConsExpr:
		if keys, ok := d.literalKeys(e); ok {
			return d.object(e, keys, fixed)
		}
	}
	if !d.names(expr, fixed) || d.dry {
		return cty.DynamicVal, false
	}
	scope := eval.Scope{Context: d.ctx, Source: d.mod.sourceBytes}
	v, problems := scope.Value(expr)
	*d.diags = append(*d.diags, problems...)
	return v, !problems.HasErrors()
}

func (d *decoder) tuple(e *hclsyntax.TupleConsExpr, fixed string) (cty.Value, bool) {
	items := make([]cty.Value, len(e.Exprs))
	for i, x := range e.Exprs {
		items[i], _ = d.value(x, fixed)
	}
	return cty.TupleVal(items), !d.dry
}

func (d *decoder) object(e *hclsyntax.ObjectConsExpr, keys []string, fixed string) (cty.Value, bool) {
	items := make(map[string]cty.Value, len(keys))
	for i, key := range keys {
		items[key], _ = d.value(e.Items[i].ValueExpr, fixed)
	}
	return cty.ObjectVal(items), !d.dry
}

// literalKeys are the keys of a map that is written out, if none of them is
// computed. One that is written twice is reported: hcl would take the last.
func (d *decoder) literalKeys(e *hclsyntax.ObjectConsExpr) ([]string, bool) {
	keys, first := make([]string, len(e.Items)), make(map[string]hcl.Expression, len(e.Items))
	for i, item := range e.Items {
		k, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() || !k.IsKnown() || k.IsNull() || k.Type() != cty.String {
			return nil, false
		}
		keys[i] = k.AsString()
		if before, again := first[keys[i]]; again {
			d.report(syntax.Range(item.KeyExpr.Range()), "Key written twice", "The key %q is written twice in this map. Remove one of the two.", []any{keys[i]},
				diag.Note{Message: "It is written here first.", Range: syntax.Range(before.Range())})
		}
		first[keys[i]] = item.KeyExpr
	}
	return keys, true
}

// report adds an error with notes.
func (d *decoder) report(at diag.Range, summary, detail string, args []any, notes ...diag.Note) {
	d.diags.Errorf(at, summary, detail, args...)
	(*d.diags)[len(*d.diags)-1].Notes = notes
}
