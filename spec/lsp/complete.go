package lsp

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec/grammar"
)

// proposal is a completion before it is put into the protocol's terms.
type proposal struct {
	label  string
	kind   int
	detail string
	doc    string
	insert string // as a snippet: ${1:name} is a place to fill in
	order  int    // smaller comes first
	at     *stretch
}

func (s *server) completion(m message, p at) (any, error) {
	d, err := s.document(p.TextDocument)
	if err != nil {
		return nil, err
	}
	if s.park(m, d) {
		return nil, errParked
	}
	lang := s.lang(d.path)
	offset := d.text.offset(p.Position, s.utf8)
	out := completionList{Items: []completionItem{}}
	if lang == nil {
		return out, nil
	}
	c := cursorAt(d.text.clean, offset, lang, yamlFile(d.path))
	if !c.asks(p.Context.TriggerCharacter, d.text.clean[:offset]) {
		return out, nil
	}
	begun := followed(d.text.clean, offset)
	for _, pr := range s.proposals(c, d) {
		if c.where == atName && begun {
			pr.insert = pr.label // its value or body is there already
		}
		out.Items = append(out.Items, s.item(pr, d.text, c.word))
	}
	return out, nil
}

// followed reports whether behind a name that is being changed there is what
// follows a name.
func followed(src []byte, offset int) bool {
	line, _, _ := bytes.Cut(src[offset:], []byte("\n"))
	rest := bytes.TrimLeft(line, "abcdefghijklmnopqrstuvwxyz0123456789_- ")
	return len(rest) > 0 && (rest[0] == '=' || rest[0] == '{' || rest[0] == ':' || rest[0] == '"')
}

// asks reports whether a character that was typed is reason enough to propose
// something. A blank and a brace are typed too often: behind a blank only where
// certain things alone may stand, behind a brace only if it begins ${.
func (c *cursor) asks(typed string, before []byte) bool {
	v := c.want
	switch typed {
	case " ":
		if c.where == atName {
			return c.form.form == formStep || c.form.form == formVariants
		}
		return c.where == inValue && !c.literal && (v.Type == grammar.Reference || v.Type == grammar.Bool || len(v.Words) > 0) ||
			c.yaml && c.where == inValue && len(v.Words) > 0
	case "{":
		return c.where == inValue && bytes.HasSuffix(before, []byte("${"))
	}
	return true
}

func (s *server) item(p proposal, t *text, word stretch) completionItem {
	if p.at != nil {
		word = *p.at
	}
	out := completionItem{Label: p.label, Kind: p.kind, Detail: p.detail, SortText: strconv.Itoa(p.order) + p.label}
	out.TextEdit = textEdit{t.span(word.start, word.end, s.utf8), p.insert}
	if p.doc != "" {
		out.Documentation = &markup{"markdown", p.doc}
	}
	if p.insert == "" {
		out.TextEdit.NewText = p.label
	}
	switch {
	case s.snippets && strings.Contains(out.TextEdit.NewText, "$"):
		out.InsertFormat = formatSnippet
	default:
		out.TextEdit.NewText = withoutStops(out.TextEdit.NewText)
	}
	return out
}

// withoutStops is a snippet as far as its first place to fill in, for editors
// that know none.
func withoutStops(snippet string) string {
	for i := 0; i+1 < len(snippet); i++ {
		if snippet[i] == '$' && (snippet[i+1] == '{' || snippet[i+1] >= '0' && snippet[i+1] <= '9') {
			snippet = snippet[:i]
			break
		}
	}
	return strings.ReplaceAll(strings.TrimRight(snippet, "\n"), `\$`, "$")
}

func (s *server) proposals(c *cursor, d *document) []proposal {
	switch {
	case c.where == atName && c.yaml:
		return s.keysAt(c, d)
	case c.where == atName:
		return s.itemsOf(c, d)
	case c.where == atLabel:
		return labels(c)
	case c.where == inValue && c.literal:
		return words(c)
	case c.where == inValue && c.want.Type == grammar.TypeExpr:
		return types()
	case c.where == inValue && c.want.Type == grammar.Keyword:
		return nil
	case c.where == inValue:
		return s.expressions(c, d)
	}
	return nil
}

// itemsOf are the attributes that a block lacks and the blocks that it may
// hold.
func (s *server) itemsOf(c *cursor, d *document) []proposal {
	lang := c.in().lang
	if lang == nil {
		return nil
	}
	var out []proposal
	for _, a := range lang.Attributes {
		if c.allows(lang, a.Name, 1) {
			out = append(out, proposal{label: a.Name, kind: itemProperty, detail: detailOf(a), doc: attributeDoc(a), insert: attributeSnippet(a, 1), order: orderOf(a)})
		}
	}
	out = append(out, s.inputs(c, d, " = ")...)
	for _, b := range distinct(lang.Blocks) {
		if !c.allows(lang, b.Name, b.Max) {
			continue
		}
		out = append(out, proposal{label: b.Name, kind: itemStruct, detail: "block", doc: blockDoc(b), insert: blockSnippet(b), order: 3})
	}
	if lang.Dynamic && len(c.path) > 1 {
		b := dynamicOf(lang, "")
		out = append(out, proposal{label: dynamicWord, kind: itemStruct, detail: "block", doc: b.Doc, order: 4,
			insert: "dynamic \"${1:" + lang.Blocks[0].Name + "}\" {\n  for_each = $2\n  content {\n    $0\n  }\n}"})
	}
	return out
}

// allows reports whether a name may be written once more: not more often than
// the table says, and not beside what excludes it.
func (c *cursor) allows(lang *grammar.Block, name string, most int) bool {
	if most > 0 && c.written[name] >= most {
		return false
	}
	for _, choice := range lang.Choices {
		if !slices.Contains(choice.Names, name) {
			continue
		}
		for _, other := range choice.Names {
			if other != name && c.written[other]+c.written[other+"s"] > 0 {
				return false
			}
		}
	}
	return true
}

// inputs are the variables of the module that a block calls.
func (s *server) inputs(c *cursor, d *document, equals string) []proposal {
	b := c.in()
	if b.name != moduleWord || len(c.path) != 2 {
		return nil
	}
	if whole := outline(d.path, d.text, s.lang(d.path)); b.label != "" {
		for _, n := range whole.blocks { // the source may stand below the cursor
			if n.name == moduleWord && n.label == b.label {
				b = n
			}
		}
	}
	dir := s.moduleFolder(d.path, b, d.text)
	if dir == "" {
		return nil
	}
	var out []proposal
	for _, n := range s.own(s.specsIn(dir)) {
		input, ok := strings.CutPrefix(n.text, "var.")
		if ok && c.written[input] == 0 {
			out = append(out, proposal{label: input, kind: itemVariable, detail: "variable of the module", doc: n.doc, insert: input + equals, order: 1})
		}
	}
	return out
}

// orderOf puts what is required first.
func orderOf(a grammar.Attribute) int {
	if a.Required {
		return 1
	}
	return 2
}

func detailOf(a grammar.Attribute) string {
	if a.Required {
		return a.Kind + " (required)"
	}
	return a.Kind
}

// attributeSnippet is an attribute with a place for its value.
func attributeSnippet(a grammar.Attribute, n int) string {
	return a.Name + " = " + valueSnippet(a.Value, n)
}

func valueSnippet(v grammar.Value, n int) string {
	stop := "$" + strconv.Itoa(n)
	switch {
	case v.Type == grammar.String && len(v.Words) == 0, v.Type == grammar.OneOrList:
		return `"` + stop + `"`
	case v.Type == grammar.List:
		return "[" + stop + "]"
	case v.Type == grammar.Map:
		return "{ " + stop + " }"
	}
	return stop
}

// blockSnippet is a block with its label and what is required of it.
func blockSnippet(b *grammar.Block) string {
	n := 1
	out := b.Name
	if b.Label != grammar.LabelNone {
		out += " \"${1:" + placeholder(b) + "}\""
		n++
	}
	out += " {\n"
	for _, a := range b.Attributes {
		if a.Required {
			out += "  " + attributeSnippet(a, n) + "\n"
			n++
		}
	}
	return out + "  $0\n}"
}

func placeholder(b *grammar.Block) string {
	if b.Label == grammar.LabelVariant {
		return b.Variant
	}
	return "name"
}

// labels are the words that choose the table of a block, or, of dynamic, the
// blocks that it can write.
func labels(c *cursor) []proposal {
	lang := c.in().lang
	if lang == nil {
		return nil
	}
	var out []proposal
	add := func(label, doc string) {
		p := proposal{label: label, kind: itemValue, doc: doc, insert: label}
		if !c.quoted {
			p.insert = `"` + label + `"`
		}
		out = append(out, p)
	}
	if c.labelled == dynamicWord && lang.Dynamic {
		for _, b := range distinct(lang.Blocks) {
			add(b.Name, b.Doc)
		}
		return out
	}
	for _, b := range lang.Nested(c.labelled) {
		if b.Variant != "" && b.Label == grammar.LabelVariant {
			add(b.Variant, b.Doc)
		}
	}
	return out
}

// words are the only texts that an attribute takes.
func words(c *cursor) []proposal {
	var out []proposal
	for _, w := range c.want.Words {
		out = append(out, proposal{label: w, kind: itemValue})
	}
	return out
}

// types are the names that a variable's type is made of.
func types() []proposal {
	var out []proposal
	for _, w := range []string{"string", "number", "bool", "any", "context", "filesystem", "secret", "repository"} {
		out = append(out, proposal{label: w, kind: itemKeyword})
	}
	for _, w := range []string{"list", "set", "map"} {
		out = append(out, proposal{label: w, kind: itemKeyword, insert: w + "(${1:string})"})
	}
	return append(out, proposal{label: "object", kind: itemKeyword, insert: "object({ $1 })"})
}
