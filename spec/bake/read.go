package bake

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// file is a bake file as it was read, nothing evaluated.
type file struct {
	variables []*variable // attributes at the top, too
	functions map[string]*userFunction
	groups    []*block
	targets   []*block
}

// expr is an expression and where it stands. The place is kept beside it
// because that of an expression in JSON is its own string's.
type expr struct {
	hclsyntax.Expression
	at diag.Range
}

// variable is a variable of bake, or an attribute at the top of the file, which
// bake treats as one that nobody can set.
type variable struct {
	name        string
	def, typ    *expr // nil where it is not said
	description *expr
	validations []validation
	comments    []string
	fixed       bool // an attribute
	at          diag.Range
}

type validation struct{ condition, message *expr }

// userFunction is a function that the file declares.
type userFunction struct {
	name     string
	params   []string
	variadic string // empty where it takes no more
	result   expr
}

// block is a target or a group; one that is declared twice is one block with
// the attributes of both, the later ones first in line.
type block struct {
	name     string
	attrs    map[string]expr
	order    []string
	comments []string
	at       diag.Range
}

// targetAttrs are the attributes of a target that bake knows.
func targetAttrs() []string {
	return []string{
		"annotations", "args", "attest", "cache-from", "cache-to", "call", "context", "contexts", "description", "dockerfile",
		"dockerfile-inline", "entitlements", "extra-hosts", "inherits", "labels", "matrix", "name", "network", "no-cache",
		"no-cache-filter", "output", "platforms", "policy", "pull", "secret", "shm-size", "ssh", "tags", "target", "ulimits",
	}
}

// read parses the bake file.
func (im *importer) read(src []byte) *file {
	f := &file{functions: map[string]*userFunction{}}
	lower := strings.ToLower(im.name)
	switch {
	case strings.HasSuffix(lower, ".yml"), strings.HasSuffix(lower, ".yaml"):
		im.diags.Errorf(diag.Range{File: im.name}, "Not a bake file", "%s is a compose file by its name. Bake reads those, this import does not: write what it builds as targets, or import its Dockerfiles.", im.name)
		return f
	case strings.HasSuffix(lower, ".json"):
		im.readJSON(f, src)
	default:
		im.readHCL(f, src)
	}
	return f
}

func (im *importer) readHCL(f *file, src []byte) {
	parsed, ds := syntax.Parse(im.name, src)
	for _, d := range ds {
		im.report(d)
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok || ds.HasErrors() {
		return
	}
	im.sources[im.name] = parsed.Bytes
	comments := commentsOf(parsed.Bytes)
	for _, a := range sortedAttrs(body) {
		e := expr{a.Expr, syntax.Range(a.Expr.Range())}
		f.variables = append(f.variables, &variable{name: a.Name, def: &e, fixed: true, comments: comments.above(a.NameRange), at: syntax.Range(a.NameRange)})
	}
	for _, b := range body.Blocks {
		in := &input{kind: b.Type, labels: b.Labels, at: syntax.Range(b.DefRange()), comments: comments.above(b.TypeRange)}
		in.read(b.Body, comments)
		im.declare(f, in)
	}
}

// input is a block of either syntax.
type input struct {
	kind     string
	labels   []string
	attrs    map[string]expr
	order    []string
	places   map[string]diag.Range // of the attributes' names
	blocks   []*input
	comments []string
	at       diag.Range
}

func (in *input) read(body *hclsyntax.Body, comments comments) {
	in.attrs, in.places = map[string]expr{}, map[string]diag.Range{}
	for _, a := range sortedAttrs(body) {
		in.set(a.Name, expr{a.Expr, syntax.Range(a.Expr.Range())}, syntax.Range(a.NameRange))
	}
	for _, b := range body.Blocks {
		child := &input{kind: b.Type, labels: b.Labels, at: syntax.Range(b.DefRange()), comments: comments.above(b.TypeRange)}
		child.read(b.Body, comments)
		in.blocks = append(in.blocks, child)
	}
}

func (in *input) set(name string, e expr, at diag.Range) {
	in.attrs[name], in.places[name] = e, at
	in.order = append(in.order, name)
}

func (in *input) get(name string) *expr {
	if e, ok := in.attrs[name]; ok {
		return &e
	}
	return nil
}

func sortedAttrs(body *hclsyntax.Body) []*hclsyntax.Attribute {
	var out []*hclsyntax.Attribute
	for _, a := range body.Attributes {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *hclsyntax.Attribute) int { return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte })
	return out
}

// declare takes one block of the file.
func (im *importer) declare(f *file, in *input) {
	kinds := []string{"function", "group", "target", "variable"}
	if !slices.Contains(kinds, in.kind) {
		im.diags.Errorf(in.at, "Unknown block", "A bake file has no block %q; it has function, group, target and variable.%s", in.kind, eval.DidYouMean(in.kind, kinds))
		return
	}
	if len(in.labels) != 1 || in.labels[0] == "" {
		im.diags.Errorf(in.at, "Missing label", "A %s has one name: %s \"name\" { … }.", in.kind, in.kind)
		return
	}
	switch in.kind {
	case "variable":
		im.declareVariable(f, in)
	case "function":
		im.declareFunction(f, in)
	case "group":
		if im.onlyAttrs(in, "targets", "description", "inherits") {
			f.groups = merged(f.groups, in)
		}
	case "target":
		if im.onlyAttrs(in, targetAttrs()...) {
			f.targets = merged(f.targets, in)
		}
	}
}

// onlyAttrs refuses names that bake does not know.
func (im *importer) onlyAttrs(in *input, known ...string) bool {
	ok := true
	for _, name := range in.order {
		if !slices.Contains(known, name) {
			im.diags.Errorf(in.places[name], "Unknown attribute", "A %s of bake has no attribute %q.%s", in.kind, name, eval.DidYouMean(name, known))
			ok = false
		}
	}
	for _, b := range in.blocks {
		im.diags.Errorf(b.at, "Unknown block", "A %s of bake has no block %q.%s", in.kind, b.kind, didYouMeanAttr(b.kind, known))
		ok = false
	}
	return ok
}

// didYouMeanAttr answers `args { … }`, which is an attribute.
func didYouMeanAttr(name string, known []string) string {
	if slices.Contains(known, name) {
		return " It is an attribute: write " + name + " = { … }."
	}
	return eval.DidYouMean(name, known)
}

// merged adds a block to those of its kind; of one that is there already, the
// attributes of the later count.
func merged(blocks []*block, in *input) []*block {
	at := slices.IndexFunc(blocks, func(b *block) bool { return b.name == in.labels[0] })
	if at < 0 {
		return append(blocks, &block{name: in.labels[0], attrs: in.attrs, order: in.order, comments: in.comments, at: in.at})
	}
	b := blocks[at]
	for _, name := range in.order {
		if _, ok := b.attrs[name]; !ok {
			b.order = append(b.order, name)
		}
		b.attrs[name] = in.attrs[name]
	}
	return blocks
}

func (im *importer) declareVariable(f *file, in *input) {
	v := &variable{name: in.labels[0], def: in.get("default"), typ: in.get("type"), description: in.get("description"), comments: in.comments, at: in.at}
	if at := slices.IndexFunc(f.variables, func(o *variable) bool { return o.name == v.name }); at >= 0 {
		f.variables = slices.Delete(f.variables, at, at+1)
	}
	for _, name := range in.order {
		if known := []string{"default", "description", "type"}; !slices.Contains(known, name) {
			im.diags.Errorf(in.places[name], "Unknown attribute", "A variable of bake has no attribute %q.%s", name, eval.DidYouMean(name, known))
		}
	}
	for _, b := range in.blocks {
		if b.kind != "validation" || b.get("condition") == nil {
			im.diags.Errorf(b.at, "Unknown block", "A variable of bake has blocks validation { condition = …, error_message = … }, and no others.")
			continue
		}
		v.validations = append(v.validations, validation{b.get("condition"), b.get("error_message")})
	}
	f.variables = append(f.variables, v)
}

func (im *importer) declareFunction(f *file, in *input) {
	fn := &userFunction{name: in.labels[0]}
	result := in.get("result")
	if result == nil {
		im.diags.Errorf(in.at, "Missing attribute", "The function %s has no `result`, what it gives back.", fn.name)
		return
	}
	fn.result = *result
	if p := in.get("params"); p != nil {
		fn.params = im.names(*p)
	}
	if v := in.get("variadic_params"); v != nil {
		fn.variadic = strings.Join(im.names(expr{&hclsyntax.TupleConsExpr{Exprs: []hclsyntax.Expression{v.Expression}}, v.at}), "")
	}
	f.functions[fn.name] = fn
}

// names are those that a list of bare words holds; in JSON they are strings.
func (im *importer) names(list expr) []string {
	tuple, ok := list.Expression.(*hclsyntax.TupleConsExpr)
	if !ok {
		im.diags.Errorf(list.at, "Not a list of names", "The parameters of a function are a list of names: [a, b].")
		return nil
	}
	var out []string
	for _, e := range tuple.Exprs {
		word := hcl.ExprAsKeyword(e)
		if v, ds := e.Value(nil); word == "" && !ds.HasErrors() && isString(v) {
			word = v.AsString()
		}
		if !hclsyntax.ValidIdentifier(word) {
			im.diags.Errorf(list.at, "Not a list of names", "The parameters of a function are a list of names: [a, b].")
			return nil
		}
		out = append(out, word)
	}
	return out
}
