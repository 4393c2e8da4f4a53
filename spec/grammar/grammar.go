// Package grammar is the language as data: which blocks there are, which
// attributes each has, and what may be written for them. Package spec makes
// it from its decoding tables; YAML, the schemas, the documentation, the
// language server and the formatter read it, so that none of them has a list
// of names of its own.
package grammar

// Block is one block of the language.
type Block struct {
	Name    string // as it is written: "copy"
	Variant string // the label that chooses this table, as "deb" of packages; else empty
	Label   Label
	Doc     string // a sentence
	// Step is true for what makes a layer: YAML has those in the list `steps`,
	// since their order counts.
	Step bool
	// Max is how often it may stand in its parent; 0 is any number.
	Max        int
	Attributes []Attribute
	// Blocks are the nested ones, in the order of the table. Several may have
	// one Name and differ in Variant.
	Blocks  []*Block
	Choices []Choice
	// Dynamic is true if `dynamic` may write its nested blocks.
	Dynamic bool
	// Open is true for a block whose attributes are names of the author's own:
	// locals, and the inputs of a module.
	Open bool
}

// Label is what stands between a block's name and its brace.
type Label string

// The labels. A block with a LabelVariant is one of several of its name.
const (
	LabelNone    Label = ""
	LabelName    Label = "name"    // a name that expressions can use: [a-z][a-z0-9_-]*
	LabelAccount Label = "account" // a name of passwd or group
	LabelText    Label = "text"    // any text but an empty one
	LabelVariant Label = "variant" // one of the words that the tables list
)

// Attribute is one attribute of a block.
type Attribute struct {
	Name     string
	Kind     string // in words: "a list of strings"
	Doc      string // a phrase that begins with a small letter
	Default  string // as it is written, empty for none
	Required bool
	Fixed    string // why target may not stand here, empty where it may
	Value    Value
}

// Value is what an attribute asks for, before an expression is evaluated.
type Value struct {
	Type  Type
	Elem  *Value   // of List, OneOrList and Map
	Words []string // the only strings that are taken, if there is a list of them
	Kinds []string // of Reference: "base", "stage" …
}

// Type is the form of a value.
type Type string

// The forms of values. An expression may stand for each of them, but for
// TypeExpr and Keyword, which are read and not evaluated.
const (
	String    Type = "string"
	Bool      Type = "bool"
	Number    Type = "number"
	Port      Type = "port" // a number, or a string such as "53/udp"
	List      Type = "list"
	OneOrList Type = "one-or-list" // a single value stands for a list of one
	Map       Type = "map"         // of names; an element may be null: it is unset
	Reference Type = "reference"   // base.go, stage.build["x"]
	TypeExpr  Type = "type"        // list(string)
	Keyword   Type = "keyword"     // a name of one's own, as of dynamic's iterator
	Any       Type = "any"
)

// Attribute finds an attribute by name.
func (b *Block) Attribute(name string) (Attribute, bool) {
	for _, a := range b.Attributes {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// Nested is the blocks of a name, one for each variant, in order.
func (b *Block) Nested(name string) []*Block {
	var out []*Block
	for _, n := range b.Blocks {
		if n.Name == name {
			out = append(out, n)
		}
	}
	return out
}

// Choice is a set of names of attributes and blocks of which exactly one (or,
// where optional, at most one) is written.
type Choice struct {
	Names    []string
	Optional bool
}
