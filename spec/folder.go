package spec

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// folder is the files of one folder as they are written: one namespace, in
// which nothing is evaluated. However many modules are made of it, it is read
// and judged once.
type folder struct {
	root  string // absolute: what paths in it may not leave
	dir   string // below the root, slash-separated, "." for the root
	files map[string]*syntax.File

	// fetched is the source of a module from outside the workspace; empty for
	// a folder of it.
	fetched string
	// workspace is true for the blocks of specbuild.hcl.
	workspace bool

	blocks    map[Kind]map[string]*declaration
	order     []*declaration // as written, file by file
	variables map[string]*variable
	locals    map[string]*local
	calls     map[string]*call
	waivers   []*hclsyntax.Block
	collected bool
	functions map[string]function.Function

	// What expressions use, once it was asked: a template's are asked for
	// again by every module that is made of it, and for every target.
	used      map[hcl.Expression][]hcl.Traversal
	mentioned map[hcl.Expression][]eval.Mention
}

// traversals are the names in an expression of the folder, as hcl finds them.
func (f *folder) traversals(expr hcl.Expression) []hcl.Traversal {
	t, ok := f.used[expr]
	if !ok {
		t = expr.Variables()
		f.used[expr] = t
	}
	return t
}

// mentions are eval.Mentions of an expression of the folder.
func (f *folder) mentions(expr hcl.Expression) []eval.Mention {
	m, ok := f.mentioned[expr]
	if !ok {
		m = eval.Mentions(expr)
		f.mentioned[expr] = m
	}
	return m
}

// declaration is a named block that expressions can refer to.
type declaration struct {
	kind    Kind
	name    string
	block   *hclsyntax.Block     // nil for the implied context
	forEach *hclsyntax.Attribute // nil where it is one thing
}

func newFolder(root, dir string) *folder {
	return &folder{
		root: root, dir: dir,
		files: map[string]*syntax.File{}, blocks: map[Kind]map[string]*declaration{},
		variables: map[string]*variable{}, locals: map[string]*local{}, calls: map[string]*call{},
		used: map[hcl.Expression][]hcl.Traversal{}, mentioned: map[hcl.Expression][]eval.Mention{},
	}
}

// address is how the folder is called, the same on every machine:
// "//services/web".
func (f *folder) address() string {
	a := "//" + f.dir
	if f.dir == "." {
		a = "//"
	}
	return f.fetched + a
}

// home is where something that is missing would be declared.
func (f *folder) home() string {
	if f.workspace {
		return workspaceFile
	}
	return f.address()
}

func (f *folder) source(file string) ([]byte, bool) {
	s, ok := f.files[file]
	if !ok {
		return nil, false
	}
	return s.Bytes, true
}

func (f *folder) sourceBytes(file string) []byte {
	src, _ := f.source(file)
	return src
}

func (f *folder) declared(k Kind) []string { return slices.Sorted(maps.Keys(f.blocks[k])) }
func (f *folder) variableNames() []string  { return slices.Sorted(maps.Keys(f.variables)) }
func (f *folder) localNames() []string     { return slices.Sorted(maps.Keys(f.locals)) }
func (f *folder) callNames() []string      { return slices.Sorted(maps.Keys(f.calls)) }

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

// collect sorts the blocks of all files by what they declare, once. Nothing is
// evaluated yet, since every name must be known before the first is judged.
func (f *folder) collect(l *diag.List) {
	if f.collected {
		return
	}
	f.collected = true
	d := &decoder{mod: &module{folder: f}, diags: l}
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		body := bodyOf(f.files[name])
		for _, a := range sortedAttributes(body) {
			if slices.Contains(topNames, a.Name) {
				l.Errorf(syntax.Range(a.NameRange), "Block expected", "%q is a block: write %s { … }, without an equals sign.", a.Name, withLabel(a.Name))
				continue
			}
			l.Errorf(syntax.Range(a.NameRange), "Unknown attribute", "A spec consists of blocks, so %q cannot stand here. It belongs into a block, or, if it is a name of your own, into locals { … }.", a.Name)
		}
		for _, b := range body.Blocks {
			f.collectBlock(d, b)
		}
	}
	if !f.workspace {
		f.implyContext()
	}
	f.decodeVariables(l)
}

func (f *folder) collectBlock(d *decoder, b *hclsyntax.Block) {
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
	case !slices.Contains(topNames, b.Type):
		d.unknownBlock("", b, b.Type, nil, topNames)
		return
	case f.fetched != "" && b.Type == string(KindSecret):
		d.diags.Errorf(header, "Not for modules from outside", "A module that is fetched cannot declare secrets: one could run a command or read a home. Take it as a variable of type secret.")
		return
	}
	// A name that is wrong is still declared, or each use of it would be
	// reported too.
	text, good := d.label(b.Type, kind, labels, header)
	switch {
	case b.Type == waiverBlock.name && good:
		f.waivers = append(f.waivers, b)
	case b.Type == "locals" && good:
		f.collectLocals(d, b)
	case b.Type == variableBlock.name && text != "":
		f.collectVariable(d, b, text)
	case b.Type == moduleWord && text != "":
		f.collectCall(d, b, text)
	case kindOf(b.Type) != "" && text != "":
		f.declare(d, b, kindOf(b.Type), text)
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

func (f *folder) declare(d *decoder, b *hclsyntax.Block, kind Kind, name string) {
	if first, ok := f.blocks[kind][name]; ok {
		d.declaredTwice(b, string(kind), name, headerRange(first.block))
		return
	}
	if f.blocks[kind] == nil {
		f.blocks[kind] = map[string]*declaration{}
	}
	decl := &declaration{kind: kind, name: name, block: b}
	if kind != KindSecret {
		decl.forEach = b.Body.Attributes[forEachName]
	}
	f.blocks[kind][name] = decl
	f.order = append(f.order, decl)
}

func (d *decoder) declaredTwice(b *hclsyntax.Block, what, name string, first diag.Range) {
	d.report(headerRange(b), "Declared twice", "There are two blocks %s %q in this folder, whose files have one namespace. Give one another name.", []any{what, name},
		diag.Note{Message: "The first is here.", Range: first})
}

// implyContext gives the module its own folder as context.default, unless it
// says itself what that is.
func (f *folder) implyContext() {
	if f.blocks[KindContext]["default"] != nil {
		return
	}
	if f.blocks[KindContext] == nil {
		f.blocks[KindContext] = map[string]*declaration{}
	}
	f.blocks[KindContext]["default"] = &declaration{kind: KindContext, name: "default"}
}

func (decl *declaration) source() source {
	return source{label: decl.name, body: decl.block.Body, header: headerRange(decl.block)}
}

// exprs are all expressions of a body, its blocks' too.
func exprs(body *hclsyntax.Body) []hcl.Expression {
	var out []hcl.Expression
	for _, a := range sortedAttributes(body) {
		out = append(out, a.Expr)
	}
	for _, b := range body.Blocks {
		out = append(out, exprs(b.Body)...)
	}
	return out
}
