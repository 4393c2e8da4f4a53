package lsp

import (
	"fmt"
	"strings"

	"github.com/specbuild/specbuild/spec/grammar"
)

// longest is how many bytes of a value a hover shows.
const longest = 2000

func (s *server) hover(m message, p at) (any, error) {
	d, err := s.document(p.TextDocument)
	if err != nil {
		return nil, err
	}
	if s.park(m, d) {
		return nil, errParked
	}
	lang := s.lang(d.path)
	if lang == nil {
		return nil, nil
	}
	offset := d.text.offset(p.Position, s.utf8)
	text, at := s.docAt(d, lang, offset)
	if text == "" {
		return nil, nil
	}
	return hover{markup{"markdown", text}, d.text.span(at.start, at.end, s.utf8)}, nil
}

// docAt is what is to be said about what stands at an offset.
func (s *server) docAt(d *document, lang *grammar.Block, offset int) (string, stretch) {
	if yamlFile(d.path) {
		if text, at := keyDoc(readYAML(d.text.clean).root, yamlForm{form: formBody, lang: lang}, offset); text != "" {
			return text, at
		}
	} else if text, at := headerDoc(outline(d.path, d.text, lang), offset); text != "" {
		return text, at
	}
	e, ok := s.expressionAt(d, lang, offset)
	if !ok {
		return "", stretch{}
	}
	return s.expressionDoc(d, e), e.at
}

// headerDoc is the documentation of a block or attribute whose name an offset
// is at.
func headerDoc(root *block, offset int) (string, stretch) {
	path := root.pathTo(offset)
	b := path[len(path)-1]
	for _, a := range b.attrs {
		if !a.nameAt.holds(offset) || b.lang == nil {
			continue
		}
		if row, ok := b.lang.Attribute(a.name); ok {
			return attributeDoc(row), a.nameAt
		}
	}
	if b.lang == nil || len(path) == 1 || !b.header().holds(offset) {
		return "", stretch{}
	}
	return blockDoc(b.lang), b.header()
}

// keyDoc is the documentation of a key of YAML.
func keyDoc(n *yamlNode, f yamlForm, offset int) (string, stretch) {
	for n != nil {
		var next *yamlEntry
		for _, e := range n.entries {
			if e.key != "-" && e.keyAt.holds(offset) {
				return docOfKey(f, e.key), e.keyAt
			}
			if e.keyAt.start <= offset {
				next = e
			}
		}
		if next == nil {
			return "", stretch{}
		}
		f, n = f.down(next.key), next.value
	}
	return "", stretch{}
}

func docOfKey(f yamlForm, key string) string {
	switch below := f.down(key); {
	case f.form == formBody && below.form == formValue:
		if a, ok := f.lang.Attribute(key); ok {
			return attributeDoc(a)
		}
	case below.form == formSteps:
		return "**steps** — The steps, in the order in which they run."
	case below.form == formList, below.form == formVariants:
		return blockDoc(below.lang.Nested(below.name)[0])
	case below.form == formBody, below.form == formNames:
		return blockDoc(below.lang)
	case below.form == formDynamic:
		return blockDoc(dynamicOf(below.lang, ""))
	}
	return ""
}

// attributeDoc is a row of the tables.
func attributeDoc(a grammar.Attribute) string {
	out := "**" + a.Name + "**"
	if a.Kind != "" {
		out += " — " + a.Kind
	}
	if a.Required {
		out += ", required"
	}
	out += "\n\n" + sentence(a.Doc)
	if a.Default != "" {
		out += "\n\nDefault: `" + a.Default + "`"
	}
	if a.Fixed != "" {
		out += "\n\n`target` cannot be used here: " + a.Fixed + "."
	}
	return out
}

// sentence is a phrase of the tables as a sentence begins.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func blockDoc(b *grammar.Block) string {
	out := "**" + b.Name
	if b.Variant != "" && b.Label == grammar.LabelVariant {
		out += ` "` + b.Variant + `"`
	}
	out += "**\n\n" + sentence(b.Doc)
	for _, c := range b.Choices {
		how := "Exactly one of"
		if c.Optional {
			how = "At most one of"
		}
		out += "\n\n" + how + " `" + strings.Join(c.Names, "`, `") + "`."
	}
	var required []string
	for _, a := range b.Attributes {
		if a.Required {
			required = append(required, "`"+a.Name+"`")
		}
	}
	if len(required) > 0 {
		out += "\n\nRequired: " + strings.Join(required, ", ") + "."
	}
	return out
}

// expressionDoc says what a name is, where it is declared and what it is
// worth.
func (s *server) expressionDoc(d *document, e expr) string {
	if e.call {
		for _, f := range s.functions {
			if f.name == e.text {
				return "```hcl\n" + f.signature + "\n```\n" + f.doc
			}
		}
		return ""
	}
	for _, n := range given(true, true) {
		if n.text == e.text {
			return "**" + n.text + "**\n\n" + n.doc + s.worth(d, e.text)
		}
	}
	n, ok := find(s.names(d.path), e.text)
	if !ok {
		return s.impliedDoc(d, e)
	}
	out := fmt.Sprintf("**%s** — %s, declared in `%s`", n.text, n.kind, s.relative(n.path))
	if n.doc != "" {
		out += "\n\n" + n.doc
	}
	if n.kind != variableWord && n.kind != "local" {
		return out // a reference is worth its name
	}
	return out + s.worth(d, e.text)
}

// impliedDoc is about names that nobody has declared: the module's own folder.
func (s *server) impliedDoc(d *document, e expr) string {
	if f := s.folders[argument(d.path)]; f != nil && f.spec != nil {
		for _, sym := range f.spec.Symbols(f.shown(d.path)) {
			if sym.Name == e.text {
				return "**" + sym.Name + "** — " + sym.Kind + "\n\n" + sym.Doc
			}
		}
	}
	return ""
}

// worth is what an expression comes to, where that says more than its name.
func (s *server) worth(d *document, text string) string {
	value := s.evaluate(d.path, text)
	if value == "" || value == "(not known yet)" {
		return ""
	}
	if len(value) > longest {
		value = strings.ToValidUTF8(value[:longest], "") + " …"
	}
	return "\n\n```hcl\n" + value + "\n```"
}

// relative is a path as people of the workspace write it.
func (s *server) relative(path string) string {
	f := folder{base: s.baseOf(path)}
	return f.shown(path)
}
