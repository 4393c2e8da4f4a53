package lsp

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/grammar"
)

// name is a name that expressions may use, and where it is declared.
type name struct {
	text  string // "module.svc.image.app"
	kind  string // what it is: "variable", "stage", "local"
	doc   string
	keyed bool   // for_each: a key follows
	path  string // empty for what the language gives
	at    stretch
	src   *text // what the place counts in
}

// lang is the grammar of a file; nil for what is not the language's own, such
// as a policy.
func (s *server) lang(path string) *grammar.Block {
	switch {
	case filepath.Base(path) == workspaceFile:
		return s.workspace
	case argument(path) != "":
		return s.module
	}
	return nil
}

func yamlFile(path string) bool {
	return strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")
}

// outline is the blocks of a text, which are read once.
func outline(path string, t *text, lang *grammar.Block) *block {
	switch {
	case t.blocks != nil:
	case !yamlFile(path):
		t.blocks = readHCL(t.clean, lang).path[0]
	case lang == nil:
		t.blocks = &block{at: stretch{0, len(t.clean)}}
	default:
		t.blocks = yamlBlocks(readYAML(t.clean).root, lang)
	}
	return t.blocks
}

// read is a file as the editor has it, else as it is on disk.
func (s *server) read(path string) (*text, error) {
	if d := s.docs[path]; d != nil {
		return d.text, nil
	}
	src, err := readText(path)
	if err != nil {
		return nil, err
	}
	return newText(src), nil
}

// filesOf are the files that make up one namespace with a file.
func (s *server) filesOf(path string) []string {
	if filepath.Base(path) == workspaceFile || argument(path) == "" {
		return []string{path}
	}
	return s.specsIn(filepath.Dir(path))
}

// specsIn are the specs of a folder, those that are open and not saved yet
// included.
func (s *server) specsIn(dir string) []string {
	var out []string
	entries, _ := os.ReadDir(dir) // a folder that is not there holds what is open in it
	for _, e := range entries {
		if p := filepath.Join(dir, e.Name()); argument(p) == dir {
			out = append(out, p)
		}
	}
	for p := range s.docs {
		if argument(p) == dir {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// names are those that a file may use: of its folder as the texts are now, of
// modules and the workspace as they were when the folder was last read.
func (s *server) names(path string) []name {
	out := s.own(s.filesOf(path))
	f := s.folders[argument(path)]
	if f == nil || f.spec == nil {
		return out
	}
	files := map[string][]name{} // what each declares now
	for _, sym := range f.spec.Symbols(f.shown(path)) {
		if !strings.HasPrefix(sym.Name, "module.") && !strings.HasPrefix(sym.Name, "workspace.") {
			continue
		}
		if strings.Count(sym.Name, ".") == 1 {
			continue // the call itself, which is one of the folder
		}
		n := name{text: sym.Name, kind: sym.Kind, doc: sym.Doc, keyed: sym.Keyed}
		n.path, n.at, n.src = s.place(f, sym, files)
		out = append(out, n)
	}
	return append(out, f.keys(path)...)
}

// place is where a symbol is declared in the text as it is now; files keeps
// what was read for it.
func (s *server) place(f *folder, sym spec.Symbol, files map[string][]name) (string, stretch, *text) {
	if sym.Range.IsZero() {
		return "", stretch{}, nil
	}
	path, _ := f.path(sym.Range.File)
	declared := sym.Kind + "." + sym.Name[strings.LastIndexByte(sym.Name, '.')+1:]
	names, known := files[path]
	if !known {
		names = s.own([]string{path})
		files[path] = names
	}
	for _, n := range names {
		if n.kind+n.text[strings.IndexByte(n.text, '.'):] == declared {
			return path, n.at, n.src
		}
	}
	return path, stretch{sym.Range.Start.Byte, sym.Range.End.Byte}, newText(f.spec.Files[sym.Range.File])
}

// keys are the names with a key of what has for_each.
func (f *folder) keys(path string) []name {
	address := f.address(path)
	var out []name
	add := func(a spec.Addr) {
		if a.Key != "" && a.Module == address {
			out = append(out, name{text: string(a.Kind) + "." + a.Name + "[" + strconv.Quote(a.Key) + "]", kind: string(a.Kind)})
		}
	}
	for _, b := range f.spec.Bases {
		add(b.Addr)
	}
	for _, c := range f.spec.Contexts {
		add(c.Addr)
	}
	for _, r := range f.spec.Repositories {
		add(r.Addr)
	}
	for _, st := range f.spec.Stages {
		add(st.Addr)
	}
	for _, i := range f.spec.Images {
		add(i.Addr)
	}
	return out
}

// address is how the language calls the module of a file (Addr.Module).
func (f *folder) address(path string) string {
	if filepath.Base(path) == workspaceFile {
		return "workspace"
	}
	rel, err := filepath.Rel(f.spec.Root, filepath.Dir(path))
	if err != nil || rel == "." {
		return "//"
	}
	return "//" + filepath.ToSlash(rel)
}

// shown is a file as diagnostics name it.
func (f *folder) shown(path string) string {
	rel, err := filepath.Rel(f.base, path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	return filepath.ToSlash(rel)
}

// own are the names that some files declare.
func (s *server) own(paths []string) []name {
	var out []name
	for _, path := range paths {
		t, err := s.read(path)
		if err != nil {
			continue
		}
		for _, b := range outline(path, t, s.lang(path)).blocks {
			out = append(out, declared(b, path, t)...)
		}
	}
	return out
}

// The blocks whose names in expressions differ from their own.
const (
	variableWord = "variable"
	localsWord   = "locals"
	moduleWord   = "module"
)

// declared are the names that a block at the top of a file declares.
func declared(b *block, path string, t *text) []name {
	if b.name == localsWord {
		var out []name
		for _, a := range b.attrs {
			out = append(out, name{text: "local." + a.name, kind: "local", doc: commentAbove(t.clean, a.nameAt.start), path: path, at: a.nameAt, src: t})
		}
		return out
	}
	if b.lang == nil || b.lang.Label != grammar.LabelName || b.label == "" {
		return nil
	}
	n := name{text: b.name + "." + b.label, kind: b.name, path: path, at: b.header(), src: t}
	if b.name == variableWord {
		n.text = "var." + b.label
	}
	_, n.keyed = b.attribute("for_each")
	if a, ok := b.attribute("description"); ok {
		n.doc = literal(t.clean, a.value)
	}
	if n.doc == "" {
		n.doc = commentAbove(t.clean, b.at.start)
	}
	return []name{n}
}

// literal is the text of a value that is written without expressions.
func literal(src []byte, at stretch) string {
	v := strings.TrimSpace(string(src[at.start:at.end]))
	if n := len(v); n >= 2 && (v[0] == '"' || v[0] == '\'') && v[n-1] == v[0] {
		v = v[1 : n-1]
	}
	return strings.ReplaceAll(v, `\"`, `"`)
}

// commentAbove is the comment on the lines right above a place: what people
// write there is about what follows.
func commentAbove(src []byte, at int) string {
	lines := strings.Split(string(src[:at]), "\n")
	var out []string
	for i := len(lines) - 2; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		text, ok := strings.CutPrefix(line, "#")
		if !ok {
			if text, ok = strings.CutPrefix(line, "//"); !ok {
				break
			}
		}
		out = append(out, strings.TrimSpace(text))
	}
	slices.Reverse(out)
	return strings.Join(out, "\n")
}

// find is the name that an expression means, with any key, and the one that
// is meant where the expression goes on behind it, as in var.config.port.
func find(names []name, expr string) (name, bool) {
	best, found := name{}, false
	for _, n := range names {
		rest, ok := strings.CutPrefix(expr, n.text)
		if !ok {
			rest, ok = strings.CutPrefix(withoutKeys(expr), n.text)
		}
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && len(n.text) >= len(best.text) && n.path != "" {
			best, found = n, true
		}
	}
	return best, found
}

// withoutKeys is a chain of names without what stands in brackets.
func withoutKeys(expr string) string {
	var out strings.Builder
	depth := 0
	for _, c := range []byte(expr) {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		default:
			if depth == 0 {
				out.WriteByte(c)
			}
		}
	}
	return out.String()
}

// moduleFolder is the folder that a module block calls; empty if none is known.
func (s *server) moduleFolder(path string, b *block, t *text) string {
	a, ok := b.attribute("source")
	if !ok {
		return ""
	}
	source := literal(t.clean, a.value)
	f := s.folders[argument(path)]
	if f == nil || f.spec == nil {
		f = &folder{spec: &spec.Spec{Root: filepath.Dir(path)}}
	}
	for _, called := range f.spec.Fetched {
		if p, _ := f.path(called.Range.File); p == path && called.Name == b.label {
			if dir := f.fetched[called.Source.Fetched()]; dir != "" {
				return filepath.Join(dir, filepath.FromSlash(called.Source.Path))
			}
		}
	}
	switch {
	case source == "" || strings.Contains(source, "::") || strings.Contains(source, ":/"):
		return ""
	case strings.HasPrefix(source, "//"):
		return filepath.Join(f.spec.Root, filepath.FromSlash(source[2:]))
	}
	return filepath.Join(filepath.Dir(path), filepath.FromSlash(source))
}

// evaluate is what an expression of a file is worth, as text; empty where that
// is not known.
func (s *server) evaluate(path, expr string) string {
	f := s.folders[argument(path)]
	if f == nil || f.spec == nil {
		return ""
	}
	value, l := f.spec.Evaluate(f.address(path), expr, spec.Platform{})
	if l.HasErrors() {
		return ""
	}
	return value
}
