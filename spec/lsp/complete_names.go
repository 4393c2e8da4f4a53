package lsp

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/grammar"
)

// builtin are the names that the language gives, after docs/language.md. Those
// of target may not stand everywhere.
const builtin = `scratch The empty file system, to build on.
target.os The system that the image is built for, such as "linux".
target.arch The processor that the image is built for, such as "amd64".
target.variant Its variant, such as "v7"; empty for most.
target.platform All of it: "linux/amd64".
build.os The system of the machine that runs steps.
build.arch The processor of the machine that runs steps.
build.platform All of it: "linux/amd64".
path.module The folder of this module: "//services/web", the same on every machine.
path.root The workspace's root: "//".
each.key The key of the element that the block is made for.
each.value The element that the block is made for.
`

const scratchWord = "scratch"

// given are the names that the language itself gives at a place.
func given(inEach, target bool) []name {
	var out []name
	for line := range strings.Lines(builtin) {
		text, doc, _ := strings.Cut(line, " ")
		root, _, _ := strings.Cut(text, ".")
		if root == "each" && !inEach || root == "target" && !target {
			continue
		}
		out = append(out, name{text: text, kind: "of the language", doc: strings.TrimSpace(doc)})
	}
	return out
}

// expressions are the names, words and functions that may stand in an
// expression.
func (s *server) expressions(c *cursor, d *document) []proposal {
	names := append(given(iterates(c.path), c.attr.Fixed == ""), s.names(d.path)...)
	for _, it := range iterators(c.path, d.text.clean) {
		names = append(names, name{text: it + ".key", kind: "of dynamic"}, name{text: it + ".value", kind: "of dynamic"})
	}
	if c.chained {
		if c.chain == "" {
			return nil
		}
		return segments(names, c.chain)
	}
	out := s.plainWords(c)
	if c.want.Type == grammar.Reference {
		out = append(out, references(names, c.want.Kinds)...)
	}
	out = append(out, segments(names, "")...)
	if c.yaml && c.plainName() {
		return out // a plain name is no place for a function
	}
	for _, f := range s.functions {
		call := f.name + "($1)"
		if f.params == 0 && !strings.Contains(f.signature, "…") {
			call = f.name + "()"
		}
		out = append(out, proposal{label: f.name, kind: itemFunction, detail: f.signature, doc: f.doc, insert: call, order: 6})
	}
	return out
}

// plainWords are the values that an attribute takes and nothing else.
func (s *server) plainWords(c *cursor) []proposal {
	var out []proposal
	for _, w := range c.want.Words {
		out = append(out, proposal{label: `"` + w + `"`, kind: itemValue})
	}
	if c.want.Type == grammar.Bool {
		out = append(out, proposal{label: "true", kind: itemKeyword}, proposal{label: "false", kind: itemKeyword})
	}
	return out
}

// references are the whole names of what an attribute may refer to: it comes
// first, so that one need not know how the name begins.
func references(names []name, kinds []string) []proposal {
	var out []proposal
	for _, n := range names {
		if !slices.Contains(kinds, n.kind) && !(n.text == scratchWord && slices.Contains(kinds, scratchWord)) {
			continue
		}
		p := proposal{label: n.text, kind: itemReference, detail: n.kind, doc: n.doc}
		if n.keyed {
			p.insert = n.text + `["$1"]`
		}
		out = append(out, p)
	}
	return out
}

// segments are the words by which names go on behind a chain; behind nothing,
// their first words.
func segments(names []name, chain string) []proposal {
	index := map[string]int{}
	var out []proposal
	for _, n := range names {
		rest := n.text
		if chain != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(n.text, chain+"."); !ok && strings.Contains(chain, "[") {
				// Whatever key it is, what stands behind it has the same names.
				rest, ok = strings.CutPrefix(withoutKeys(n.text), withoutKeys(chain)+".")
			}
			if !ok {
				continue
			}
		}
		segment, more := cutSegment(rest)
		i, known := index[segment]
		if !known {
			i = len(out)
			index[segment] = i
			out = append(out, proposal{label: segment, kind: itemVariable, detail: rootDetail(chain, segment), order: 5})
		}
		if more {
			continue
		}
		p := &out[i]
		p.kind, p.detail, p.doc, p.order = itemReference, n.kind, n.doc, 1
		if n.keyed {
			p.insert = segment + `["$1"]`
		}
	}
	return out
}

// cutSegment is the first word of a name, with a key that belongs to it.
func cutSegment(s string) (segment string, more bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '.' && !quoted:
			return s[:i], true
		}
	}
	return s, false
}

// rootDetail says what a word is that only begins names.
func rootDetail(chain, segment string) string {
	if chain != "" {
		return ""
	}
	switch segment {
	case "var":
		return "variables"
	case "local":
		return "locals"
	case "workspace":
		return "what specbuild.hcl declares"
	}
	return segment + " …"
}
