package spec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// A block of the language is described once, by a block[T]: its rows say
// which attributes and nested blocks it has and into which field of the model
// each goes. Decoding, the messages about unknown names, the schema and the
// documentation are all driven by these rows; no name of an attribute is
// written anywhere else.
type block[T any] struct {
	name   string
	label  labelKind
	doc    string
	attrs  []attribute[T]
	blocks []nested[T]
	// one lists sets of names of which exactly one must be written.
	one []choice
	// answers are sentences about attributes that a block of the same name
	// has and this one does not.
	answers map[string]string
	// when is set for blocks that `when = false` leaves out.
	when bool
	// fixed says why target may not stand in the block; empty where it may.
	fixed string
	// open receives the attributes that no row names, which are the author's;
	// nil where there may be none.
	open func(t *T, a *hclsyntax.Attribute)
	// begin receives the header before any row is decoded.
	begin func(t *T, label string, header diag.Range)
	// check judges what no row can judge alone. It must look away from
	// values that are Unknown.
	check func(d *decoder, t *T)
}

// choice is a set of attributes and nested blocks of which exactly one (or,
// where optional, at most one) may be written.
type choice struct {
	names    []string
	optional bool
}

// labelKind is what may stand between a block's name and its brace.
type labelKind int

const (
	noLabel      labelKind = iota
	nameLabel              // a name that expressions can use: [a-z][a-z0-9_-]*
	accountLabel           // a name of passwd or group, which may also begin with _
	textLabel              // any text, but not an empty one
	variantLabel           // one of the variants that the tables list
)

// row is what documentation and messages need of an attribute.
type row struct {
	name     string
	kind     string // "a string", "a list of strings"
	form     grammar.Value
	doc      string
	def      string // the default as it is written, empty for none
	required bool
	fixed    string // why target may not stand here
}

// attribute is a row with the way its value takes into T.
type attribute[T any] struct {
	row
	decode func(d *decoder, t *T, a *hclsyntax.Attribute)
	given  func(t *T) bool // set, or meant to be set; nil where being written is enough
	preset func(t *T)      // puts the default in; nil for the zero value
}

// nested is a block inside a block. Several rows may have one name and differ
// in the variant, which is then the block's label.
type nested[T any] struct {
	name    string
	variant string
	label   labelKind
	max     int // 0: any number
	step    bool
	decode  func(d *decoder, t *T, src source)
	grammar func() *grammar.Block
}

// source is a block as it was written, or as dynamic made it.
type source struct {
	label  string
	body   *hclsyntax.Body
	header diag.Range
}

// option refines a row.
type option func(*row)

func required(r *row) { r.required = true }

// defaults states a default that is not the value of the field, such as one
// that depends on another attribute.
func defaults(text string) option { return func(r *row) { r.def = text } }

// withoutTarget keeps target out of one attribute of a block that otherwise
// may use it.
func withoutTarget(r *row) {
	r.fixed = "`" + r.name + "` is decided before the platforms are"
}

// attr is a row whose field remembers its place.
func attr[T, V any](name string, vt valueType[V], field func(*T) *Attr[V], doc string, opts ...option) attribute[T] {
	r := newRow(name, vt.name, vt.form, doc, opts)
	return attribute[T]{
		row: r,
		decode: func(d *decoder, t *T, a *hclsyntax.Attribute) {
			f := field(t)
			v, state := evaluate(d, r, vt, a)
			f.Range = syntax.Range(a.Expr.Range())
			f.Set = state != absent
			f.Unknown = state == unknown
			if state == known {
				f.V = v
			}
		},
		given: func(t *T) bool { return field(t).Set },
	}
}

// attrOr is attr with a default value.
func attrOr[T, V any](name string, vt valueType[V], field func(*T) *Attr[V], def func() V, doc string, opts ...option) attribute[T] {
	a := attr(name, vt, field, doc, opts...)
	if a.def == "" {
		a.def = fmt.Sprint(def())
	}
	a.preset = func(t *T) { field(t).V = def() }
	return a
}

// plain is a row for a field of which nobody asks for the place.
func plain[T, V any](name string, vt valueType[V], field func(*T) *V, doc string, opts ...option) attribute[T] {
	r := newRow(name, vt.name, vt.form, doc, opts)
	return attribute[T]{
		row: r,
		decode: func(d *decoder, t *T, a *hclsyntax.Attribute) {
			if v, state := evaluate(d, r, vt, a); state == known {
				*field(t) = v
			}
		},
	}
}

// expression is a row whose expression is kept for later, unevaluated.
func expression[T any](name, kind string, form grammar.Type, field func(*T) *hclsyntax.Attribute, doc string, opts ...option) attribute[T] {
	return attribute[T]{
		row:    newRow(name, kind, grammar.Value{Type: form}, doc, opts),
		decode: func(_ *decoder, t *T, a *hclsyntax.Attribute) { *field(t) = *a },
		given:  func(t *T) bool { return field(t).Expr != nil },
	}
}

func newRow(name, kind string, form grammar.Value, doc string, opts []option) row {
	r := row{name: name, kind: kind, form: form, doc: doc}
	for _, o := range opts {
		o(&r)
	}
	return r
}

// child is the row of a nested block.
func child[T, C any](b *block[C], max int, add func(*T, *C)) nested[T] {
	return variant(b, "", max, add)
}

// variant is the row of a nested block whose label chooses its table.
func variant[T, C any](b *block[C], label string, max int, add func(*T, *C)) nested[T] {
	return nested[T]{
		name: b.name, variant: label, label: b.label, max: max,
		decode: func(d *decoder, t *T, src source) {
			if c, ok := b.decode(d, src); ok {
				add(t, c)
			}
		},
		grammar: b.grammar,
	}
}

// step is the row of a block that makes a layer, in the order it is written.
func step(n nested[draft]) nested[draft] {
	n.step = true
	return n
}

// attrNames are the names of the rows, as messages list them.
func (b *block[T]) attrNames() []string {
	var names []string
	for _, a := range b.attrs {
		names = append(names, a.name)
	}
	if b.when {
		names = append(names, whenRow.name)
	}
	return names
}

// blockNames are the names of nested blocks, each once.
func (b *block[T]) blockNames() []string {
	var names []string
	for _, n := range b.blocks {
		if len(names) == 0 || names[len(names)-1] != n.name {
			names = append(names, n.name)
		}
	}
	return names
}

// variants are the labels that a nested block of this name may have.
func (b *block[T]) variants(name string) []string {
	var labels []string
	for _, n := range b.blocks {
		if n.name == name && n.variant != "" {
			labels = append(labels, n.variant)
		}
	}
	return labels
}

func (b *block[T]) attribute(name string) (attribute[T], bool) {
	for _, a := range b.attrs {
		if a.name == name {
			return a, true
		}
	}
	return attribute[T]{}, false
}

// whenRow stands in every step, test and mount.
var whenRow = row{name: "when", kind: boolean.name, form: boolean.form, def: "true", doc: "Leaves the block out where it is false."}

// headerRange is the place of a block's name and labels.
func headerRange(b *hclsyntax.Block) diag.Range {
	r := b.TypeRange
	if n := len(b.LabelRanges); n > 0 {
		r = hcl.RangeBetween(r, b.LabelRanges[n-1])
	}
	return syntax.Range(r)
}
