package lsp

import (
	"os"

	"github.com/specbuild/specbuild/spec/grammar"
)

func (s *server) definition(m message, p at) (any, error) {
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
	if at := s.calledAt(d, lang, offset); len(at) > 0 {
		return at, nil
	}
	e, ok := s.expressionAt(d, lang, offset)
	if !ok || e.call {
		return nil, nil
	}
	if n, ok := find(s.names(d.path), e.text); ok {
		return []location{{s.uri(n.path), n.src.span(n.at.start, n.at.end, s.utf8)}}, nil
	}
	return nil, nil
}

// calledAt is the files of the module whose source an offset is at.
func (s *server) calledAt(d *document, lang *grammar.Block, offset int) []location {
	path := outline(d.path, d.text, lang).pathTo(offset)
	b := path[len(path)-1]
	a, ok := b.attribute("source")
	if !ok || len(path) != 2 || b.name != moduleWord || !a.value.holds(offset) {
		return nil
	}
	dir := s.moduleFolder(d.path, b, d.text)
	if dir == "" {
		return nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil
	}
	var out []location
	for _, file := range s.specsIn(dir) {
		out = append(out, location{URI: s.uri(file)})
	}
	return out
}
