package lsp

import (
	"bytes"
	"path/filepath"
	"slices"

	"github.com/specbuild/specbuild/spec/format"
)

// formatting is the whole document in the one style; nothing where it does
// not parse.
func (s *server) formatting(_ message, p at) (any, error) {
	d, err := s.document(p.TextDocument)
	if err != nil {
		return nil, err
	}
	edits := []textEdit{}
	if format.Knows(filepath.Base(d.path)) && len(d.text.raw) > 0 {
		out, problems := format.Format(d.path, d.text.raw)
		if !problems.HasErrors() {
			edits = s.difference(d.text, out)
		}
	}
	return edits, nil
}

// difference is the lines that differ, as edits from the last to the first
// common ones: an editor keeps the cursor and the folds of all others.
func (s *server) difference(t *text, to []byte) []textEdit {
	if bytes.Equal(t.raw, to) {
		return []textEdit{}
	}
	from, now := bytes.SplitAfter(t.raw, []byte("\n")), bytes.SplitAfter(to, []byte("\n"))
	head := 0
	for head < len(from) && head < len(now) && bytes.Equal(from[head], now[head]) {
		head++
	}
	tail := 0
	for tail < len(from)-head && tail < len(now)-head && bytes.Equal(from[len(from)-1-tail], now[len(now)-1-tail]) {
		tail++
	}
	if len(from)-tail-head == len(now)-tail-head {
		return s.lineByLine(t, from[head:len(from)-tail], now[head:len(now)-tail], head)
	}
	start := len(bytes.Join(from[:head], nil))
	end := len(bytes.Join(from[:len(from)-tail], nil))
	return []textEdit{{s.rawSpan(t, start, end), string(bytes.Join(now[head:len(now)-tail], nil))}}
}

// lineByLine is an edit for each line that differs, where there are as many.
func (s *server) lineByLine(t *text, from, to [][]byte, first int) []textEdit {
	var out []textEdit
	at := 0
	for _, line := range bytes.SplitAfter(t.raw, []byte("\n"))[:first] {
		at += len(line)
	}
	for i, line := range from {
		if !bytes.Equal(line, to[i]) {
			out = append(out, textEdit{s.rawSpan(t, at, at+len(line)), string(to[i])})
		}
		at += len(line)
	}
	return out
}

func (s *server) rawSpan(t *text, start, end int) span {
	return span{t.rawPosition(start, s.utf8), t.rawPosition(end, s.utf8)}
}

// documentSymbols is the outline of a file.
func (s *server) documentSymbols(_ message, p at) (any, error) {
	d, err := s.document(p.TextDocument)
	if err != nil {
		return nil, err
	}
	return s.symbolsOf(outline(d.path, d.text, s.lang(d.path)), d.text, 0), nil
}

// deepest is how far an outline goes: steps of a stage and what is in them.
const deepest = 3

func (s *server) symbolsOf(b *block, t *text, depth int) []documentSymbol {
	out := []documentSymbol{}
	for _, n := range b.blocks {
		sym := documentSymbol{Name: n.name, Kind: symbolObject, Range: t.span(n.at.start, n.at.end, s.utf8), SelectionRange: t.span(n.header().start, n.header().end, s.utf8)}
		if n.label != "" {
			sym.Name += " " + n.label
		}
		switch {
		case n.name == variableWord:
			sym.Kind = symbolVariable
		case n.name == moduleWord:
			sym.Kind = symbolNamespace
		case depth == 0:
			sym.Kind = symbolClass
		}
		if depth < deepest {
			sym.Children = s.symbolsOf(n, t, depth+1)
		}
		if n.name == localsWord {
			for _, a := range n.attrs {
				sym.Children = append(sym.Children, documentSymbol{
					Name: a.name, Kind: symbolVariable,
					Range:          t.span(a.nameAt.start, max(a.value.end, a.nameAt.end), s.utf8),
					SelectionRange: t.span(a.nameAt.start, a.nameAt.end, s.utf8),
				})
			}
		}
		out = append(out, sym)
	}
	return out
}

// codeActions are the fixes of the findings in a range, as they were
// published last. A text that has changed since has new ones in a moment.
func (s *server) codeActions(_ message, p codeActionParams) (any, error) {
	d, err := s.document(p.TextDocument)
	if err != nil {
		return nil, err
	}
	out := []codeAction{}
	if len(p.Context.Only) > 0 && !slices.Contains(p.Context.Only, quickFix) {
		return out, nil
	}
	if f := s.folders[argument(d.path)]; f != nil && f.dirty {
		return out, nil
	}
	for _, f := range s.published[d.path] {
		if f.fix == nil || !overlap(f.Range, p.Range) {
			continue
		}
		out = append(out, codeAction{
			Title: "Write " + short(f.fix.NewText), Kind: quickFix, Diagnostics: []diagnostic{f.diagnostic}, IsPreferred: true,
			Edit: workspaceEdit{map[string][]textEdit{d.uri: {*f.fix}}},
		})
	}
	return out, nil
}

// short is a replacement as the title of an action shows it.
func short(s string) string {
	const enough = 60
	if r := []rune(s); len(r) > enough {
		return string(r[:enough]) + "…"
	}
	return s
}

func overlap(a, b span) bool { return !before(a.End, b.Start) && !before(b.End, a.Start) }

func before(a, b position) bool {
	return a.Line < b.Line || a.Line == b.Line && a.Character < b.Character
}
