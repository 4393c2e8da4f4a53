package spec

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// module is the files of one folder, one namespace.
type module struct {
	root   string // absolute folder of the workspace
	dir    string // below the root, slash-separated, "." for the root
	build  Platform
	files  map[string]*syntax.File
	blocks map[Kind]map[string]*declaration
	order  []*declaration // as written, file by file

	variables map[string]*variable
	locals    map[string]*local
	waivers   []*hclsyntax.Block
	values    map[string]cty.Value // of the variables, by name
	secrets   map[string]*Secret
	functions map[string]function.Function
}

// declaration is a named block that expressions can refer to.
type declaration struct {
	addr  Addr
	block *hclsyntax.Block // nil for the implied context
}

// address is how the module is called: "//services/web".
func (m *module) address() string {
	if m.dir == "." {
		return "//"
	}
	return "//" + m.dir
}

func (m *module) source(file string) ([]byte, bool) {
	f, ok := m.files[file]
	if !ok {
		return nil, false
	}
	return f.Bytes, true
}

func (m *module) sourceBytes(file string) []byte {
	src, _ := m.source(file)
	return src
}

func (m *module) declared(k Kind) []string      { return slices.Sorted(maps.Keys(m.blocks[k])) }
func (m *module) variableNames() []string       { return slices.Sorted(maps.Keys(m.variables)) }
func (m *module) localNames() []string          { return slices.Sorted(maps.Keys(m.locals)) }
func (m *module) isAgent(a Addr) bool           { s := m.secrets[a.Name]; return s != nil && s.SSH.V }
func (m *module) body(f string) *hclsyntax.Body { return bodyOf(m.files[f]) }

// bodyOf is the syntax tree of a file. Both syntaxes make one of hclsyntax.
func bodyOf(f *syntax.File) *hclsyntax.Body {
	if b, ok := f.Body.(*hclsyntax.Body); ok {
		return b
	}
	return &hclsyntax.Body{}
}

// topNames are the blocks that a spec may have. Those that this version
// refuses are in it: they are not misspelt.
var topNames = []string{
	"base", "context", "image", "locals", "module", "repository", "secret", "specbuild", "stage", "variable", "waiver",
}

// collect sorts the blocks of all files by what they declare. Nothing is
// evaluated yet, since every name must be known before the first is judged.
func (m *module) collect(l *diag.List) {
	d := &decoder{mod: m, diags: l}
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		body := m.body(name)
		for _, a := range sortedAttributes(body) {
			if slices.Contains(topNames, a.Name) {
				l.Errorf(syntax.Range(a.NameRange), "Block expected", "%q is a block: write %s { … }, without an equals sign.", a.Name, withLabel(a.Name))
				continue
			}
			l.Errorf(syntax.Range(a.NameRange), "Unknown attribute", "A spec consists of blocks, so %q cannot stand here. It belongs into a block, or, if it is a name of your own, into locals { … }.", a.Name)
		}
		for _, b := range body.Blocks {
			m.collectBlock(d, b)
		}
	}
	m.implyContext()
	m.decodeVariables(l)
}

func (m *module) collectBlock(d *decoder, b *hclsyntax.Block) {
	header := headerRange(b)
	labels := make([]label, len(b.Labels))
	for i, text := range b.Labels {
		labels[i] = label{text, syntax.Range(b.LabelRanges[i])}
	}
	kind := nameLabel
	if !hasName(b.Type) {
		kind = noLabel
	}
	switch {
	case b.Type == workspaceBlock.name:
		d.diags.Errorf(header, "Unknown block", "The workspace is described in a file of its own, specbuild.hcl, in its root folder.")
		return
	case b.Type == "module":
		d.diags.Errorf(header, "Not supported yet", "module is part of the language, but this version of specbuild cannot do it. Write the blocks in this folder.")
		return
	case !slices.Contains(topNames, b.Type):
		d.unknownBlock("", b, b.Type, nil, topNames)
		return
	}
	// A name that is wrong is still declared, or each use of it would be
	// reported too.
	text, good := d.label(b.Type, kind, labels, header)
	switch {
	case b.Type == waiverBlock.name && good:
		m.waivers = append(m.waivers, b)
	case b.Type == "locals" && good:
		m.collectLocals(d, b)
	case b.Type == variableBlock.name && text != "":
		m.collectVariable(d, b, text)
	case kindOf(b.Type) != "" && text != "":
		m.declare(d, b, kindOf(b.Type), text)
	}
}

// hasName is false for the blocks at the top that nothing refers to.
func hasName(block string) bool {
	return block != specbuildBlock.name && block != "locals" && block != waiverBlock.name
}

// withLabel is a block at the top as it is written.
func withLabel(block string) string {
	if hasName(block) {
		return block + ` "name"`
	}
	return block
}

func (m *module) declare(d *decoder, b *hclsyntax.Block, kind Kind, name string) {
	if first, ok := m.blocks[kind][name]; ok {
		d.declaredTwice(b, string(kind), name, headerRange(first.block))
		return
	}
	if m.blocks[kind] == nil {
		m.blocks[kind] = map[string]*declaration{}
	}
	decl := &declaration{addr: Addr{Module: m.address(), Kind: kind, Name: name}, block: b}
	m.blocks[kind][name] = decl
	m.order = append(m.order, decl)
}

func (d *decoder) declaredTwice(b *hclsyntax.Block, what, name string, first diag.Range) {
	d.report(headerRange(b), "Declared twice", "There are two blocks %s %q in this folder, whose files have one namespace. Give one another name.", []any{what, name},
		diag.Note{Message: "The first is here.", Range: first})
}

// implyContext gives the module its own folder as context.default, unless it
// says itself what that is.
func (m *module) implyContext() {
	if m.blocks[KindContext]["default"] != nil {
		return
	}
	if m.blocks[KindContext] == nil {
		m.blocks[KindContext] = map[string]*declaration{}
	}
	m.blocks[KindContext]["default"] = &declaration{addr: m.defaultContext()}
}

func (m *module) defaultContext() Addr {
	return Addr{Module: m.address(), Kind: KindContext, Name: "default"}
}

// references are the values of base, stage and their like: a map each, so
// that base["x"] and lookup(base, var.x) work without rules of their own.
func (m *module) references() map[string]cty.Value {
	out := map[string]cty.Value{"scratch": eval.RefValue(eval.Ref{Kind: string(KindScratch)})}
	for _, kind := range []Kind{KindBase, KindContext, KindImage, KindRepository, KindSecret, KindStage} {
		names := map[string]cty.Value{}
		for name, decl := range m.blocks[kind] {
			a := decl.addr
			names[name] = eval.RefValue(eval.Ref{Kind: string(a.Kind), Module: a.Module, Name: a.Name, Key: a.Key})
		}
		out[string(kind)] = cty.ObjectVal(names)
	}
	return out
}
