package lsp

import (
	"strings"

	"github.com/specbuild/specbuild/spec/grammar"
)

// stretch is a part of a text: bytes of text.clean, half-open.
type stretch struct{ start, end int }

// holds reports whether an offset lies in a stretch or at its end: the cursor
// behind a word is still at it.
func (s stretch) holds(offset int) bool { return s.start <= offset && offset <= s.end }

func (s stretch) empty() bool { return s.end <= s.start }

// block is a block as it is written, in either syntax. The whole file is one
// without a name.
type block struct {
	name, label string
	nameAt      stretch
	labelAt     stretch // with its quotes; empty where there is no label
	at          stretch // from the name to the end
	lang        *grammar.Block
	attrs       []attribute
	blocks      []*block
}

// attribute is a name with a value, however complete that is.
type attribute struct {
	name   string
	nameAt stretch
	value  stretch
}

// header is what names the block, as ranges of diagnostics do. In YAML that is
// the label alone, since a map of names holds several blocks.
func (b *block) header() stretch { return stretch{b.nameAt.start, max(b.nameAt.end, b.labelAt.end)} }

func (b *block) attribute(name string) (attribute, bool) {
	for _, a := range b.attrs {
		if a.name == name {
			return a, true
		}
	}
	return attribute{}, false
}

// pathTo is the chain of blocks that an offset lies in, the file first.
func (b *block) pathTo(offset int) []*block {
	path := []*block{b}
	for {
		found := false
		for _, n := range b.blocks {
			if n.at.holds(offset) {
				path, b, found = append(path, n), n, true
				break
			}
		}
		if !found {
			return path
		}
	}
}

// Names that the tables do not hold, since they stand for every block.
const (
	stepsKey    = "steps"
	dynamicWord = "dynamic"
	contentWord = "content"
)

// child is the grammar of a nested block, nil where there is none.
func child(lang *grammar.Block, name, label string) *grammar.Block {
	if lang == nil {
		return nil
	}
	if name == dynamicWord && lang.Dynamic {
		return dynamicOf(lang, label)
	}
	nested := lang.Nested(name)
	for _, n := range nested {
		if n.Variant == label {
			return n
		}
	}
	if len(nested) == 1 && nested[0].Variant == "" {
		return nested[0]
	}
	return nil
}

// dynamicOf is the grammar of a block that writes others, which no table has:
// its content is that of what it writes.
func dynamicOf(lang *grammar.Block, written string) *grammar.Block {
	out := &grammar.Block{
		Name: dynamicWord, Label: grammar.LabelText,
		Doc: "Writes a block once for each element; in its content, the name of the block stands for the element: copy.key, copy.value.",
		Attributes: []grammar.Attribute{
			{Name: "for_each", Kind: "a map, or a list or set of values", Doc: "the elements, one for each block.", Required: true, Value: grammar.Value{Type: grammar.Any}},
			{Name: "iterator", Kind: "a name", Doc: "what the element is called in the content.", Default: "the block's name", Value: grammar.Value{Type: grammar.Keyword}},
			{Name: "labels", Kind: "a list of strings", Doc: "the labels of the blocks that are written.", Value: grammar.Value{Type: grammar.List, Elem: &grammar.Value{Type: grammar.String}}},
		},
	}
	content := &grammar.Block{Name: contentWord, Max: 1, Doc: "What each of the blocks holds."}
	if nested := lang.Nested(written); len(nested) > 0 {
		content.Attributes, content.Blocks, content.Dynamic = nested[0].Attributes, nested[0].Blocks, nested[0].Dynamic
	}
	out.Blocks = []*grammar.Block{content}
	return out
}

// iterates reports whether a block gives its inside an `each`.
func iterates(path []*block) bool {
	for _, b := range path {
		if _, ok := b.attribute("for_each"); ok && b.name != dynamicWord {
			return true
		}
	}
	return false
}

// iterators are the names that the dynamic blocks around a place give to
// their elements.
func iterators(path []*block, src []byte) []string {
	var out []string
	for _, b := range path {
		if b.name != dynamicWord {
			continue
		}
		name := b.label
		if a, ok := b.attribute("iterator"); ok {
			name = strings.TrimSpace(string(src[a.value.start:a.value.end]))
		}
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}
