package lsp

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/grammar"
)

// references are the places that name what a name at the cursor stands for, in
// the folder that declares it and in those that have a file open.
func (s *server) references(m message, p referenceParams) (any, error) {
	d, err := s.document(p.TextDocument)
	if err != nil {
		return nil, err
	}
	if s.park(m, d) {
		return nil, errParked
	}
	out := []location{}
	target, ok := s.declarationAt(d, d.text.offset(p.Position, s.utf8))
	if !ok {
		return out, nil
	}
	if p.Context.IncludeDeclaration {
		out = append(out, location{s.uri(target.path), target.src.span(target.at.start, target.at.end, s.utf8)})
	}
	files := s.filesOf(target.path)
	for open := range s.docs {
		files = append(files, s.filesOf(open)...)
	}
	slices.Sort(files)
	for _, path := range slices.Compact(files) {
		t, err := s.read(path)
		if err != nil {
			continue // it has gone meanwhile, and names nothing
		}
		names := s.names(path)
		for _, at := range chains(path, t, s.lang(path)) {
			text := withoutKeys(string(t.clean[at.start:at.end]))
			if slices.ContainsFunc(names, func(n name) bool { return n.text == text && n.path == target.path && n.at == target.at }) {
				out = append(out, location{s.uri(path), t.span(at.start, at.end, s.utf8)})
			}
		}
	}
	return out, nil
}

// declarationAt is what a name at an offset stands for, or what is declared
// there.
func (s *server) declarationAt(d *document, offset int) (name, bool) {
	lang := s.lang(d.path)
	if lang == nil {
		return name{}, false
	}
	for _, n := range s.own([]string{d.path}) {
		if n.at.holds(offset) {
			return n, true
		}
	}
	e, ok := s.expressionAt(d, lang, offset)
	if !ok || e.call {
		return name{}, false
	}
	return find(s.names(d.path), e.text)
}

// chains are all chains of names in the expressions of a file, each as far as
// each of its words.
func chains(path string, t *text, lang *grammar.Block) []stretch {
	if !yamlFile(path) {
		return chainsIn(lex(t.clean))
	}
	if lang == nil {
		return nil
	}
	return readYAML(t.clean).root.chains(t.clean, yamlForm{form: formBody, lang: lang})
}

func (n *yamlNode) chains(src []byte, f yamlForm) []stretch {
	if n.text {
		return chainsIn(n.tokens(src, f))
	}
	var out []stretch
	for _, e := range n.entries {
		if e.value != nil {
			out = append(out, e.value.chains(src, f.down(e.key))...)
		}
	}
	return out
}

func chainsIn(toks []token) []stretch {
	var out []stretch
	for i, t := range toks {
		if t.kind != hclsyntax.TokenIdent || i == 0 || toks[i-1].kind != hclsyntax.TokenDot {
			continue
		}
		if first := chainStart(toks, i); first >= 0 {
			out = append(out, stretch{toks[first].start, t.end})
		}
	}
	return out
}
