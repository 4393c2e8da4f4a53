package spec

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// call is a module block: a folder of specs, built with values for its
// variables.
type call struct {
	name    string
	header  diag.Range
	block   *hclsyntax.Block
	forEach *hclsyntax.Attribute

	source  Attr[Source]
	targets Attr[[]string]
	inputs  []*hclsyntax.Attribute
}

// Source is where the files of a module are. Exactly one of Folder, Git and
// OCI is set.
type Source struct {
	Folder string // as written: relative to the file's folder, or from the root as //folder
	Git    string // the URL of a repository
	Ref    string // of Git: a branch, a tag or a commit; empty is the repository's HEAD
	OCI    string // registry/repository:tag or @digest
	Path   string // the folder inside what is fetched, slash-separated; empty is its root
}

// Fetched is what names the thing that is fetched, without Path; the lock
// pins it under this name. It is empty for a folder.
func (s Source) Fetched() string {
	switch {
	case s.Git != "" && s.Ref != "":
		return "git::" + s.Git + "?ref=" + s.Ref
	case s.Git != "":
		return "git::" + s.Git
	case s.OCI != "":
		return "oci://" + s.OCI
	}
	return ""
}

// Modules finds modules that are not folders of the workspace.
type Modules interface {
	// Module gives the folder on this machine that holds what the source
	// names, as the lock in the workspace's root pins it; call is the name of
	// the module block. Nothing in the folder may change any more.
	Module(ctx context.Context, root, call string, s Source) (dir string, err error)
}

// FetchedModule is a module block whose source lies outside the workspace.
type FetchedModule struct {
	Addr   Addr   // of the block, //services/web:module.svc; zero for a policy of the workspace
	Name   string // of the block
	Source Source
	Range  diag.Range // of its source
}

// moduleWord is the block as it is written and named.
const moduleWord = "module"

var moduleBlock = &block[call]{
	name: moduleWord, label: nameLabel, doc: "Another folder's specs, built with values for its variables.",
	fixed: "a `module` is called once for all platforms",
	begin: func(c *call, label string, header diag.Range) { c.name, c.header = label, header },
	attrs: []attribute[call]{
		attr("source", formOf("a module's source", parseModuleSource), func(c *call) *Attr[Source] { return &c.source },
			"the folder, relative to this file's or from the workspace's root as //folder; or git::URL//path?ref=…, or oci://registry/repository:tag.", required),
		attr("targets", listOf("a list of names of images", name, distinctText), func(c *call) *Attr[[]string] { return &c.targets },
			"the images of the module that are built as they stand, by name; others are built where something takes from them."),
		forEachRow[call](),
	},
	open: func(c *call, a *hclsyntax.Attribute) { c.inputs = append(c.inputs, a) },
}

// parseModuleSource takes the forms that Terraform has taught, as far as they
// exist here.
func parseModuleSource(s string) (Source, error) {
	switch {
	case strings.HasPrefix(s, "git::"):
		return parseGitSource(strings.TrimPrefix(s, "git::"))
	case strings.HasPrefix(s, "oci://"):
		ref, sub, _ := strings.Cut(strings.TrimPrefix(s, "oci://"), "//")
		if _, err := parseImageName(ref); err != nil {
			return Source{}, fmt.Errorf("%q is not an artifact; write it like %q", s, "oci://registry.example.com/modules/go-service:1.2")
		}
		sub, err := parseSubfolder(sub)
		return Source{OCI: ref, Path: sub}, err
	case strings.Contains(s, "://") || strings.Contains(s, "::"):
		return Source{}, fmt.Errorf("%q is not a module's source; write a folder, git::URL//path?ref=…, or oci://registry/repository:tag", s)
	case s == "" || strings.ContainsAny(s, "\x00\n"):
		return Source{}, errors.New("the source is empty")
	}
	return Source{Folder: s}, nil
}

// parseGitSource reads URL//path?ref=x, in which // also stands in the URL's
// scheme.
func parseGitSource(s string) (Source, error) {
	out := Source{}
	s, query, _ := strings.Cut(s, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return out, fmt.Errorf("%q is not a query; write ?ref=v1.2", query)
	}
	for key := range values {
		if key != "ref" {
			return out, fmt.Errorf("%q is not known in a module's source; write ?ref=v1.2", key)
		}
	}
	if out.Ref = values.Get("ref"); out.Ref != "" {
		if _, err := parseGitRef(out.Ref); err != nil {
			return out, err
		}
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	repo, sub, _ := strings.Cut(rest, "//")
	if out.Path, err = parseSubfolder(sub); err != nil {
		return out, err
	}
	if out.Git = repo; ok {
		out.Git = scheme + "://" + repo
	}
	_, err = parseGitURL(out.Git)
	return out, err
}

func parseSubfolder(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	clean := path.Clean(s)
	if clean == ".." || strings.HasPrefix(clean, "../") || strings.HasPrefix(clean, "/") {
		return "", fmt.Errorf("%q leads out of what is fetched", s)
	}
	return clean, nil
}

func (f *folder) collectCall(d *decoder, b *hclsyntax.Block, name string) {
	if first, ok := f.calls[name]; ok {
		d.declaredTwice(b, moduleWord, name, first.header)
		return
	}
	f.calls[name] = &call{name: name, header: headerRange(b), block: b, forEach: b.Body.Attributes[forEachName]}
}

// children are the modules that one module block calls.
type children struct {
	call   *call
	folder *folder // of the last one, to answer misspelt names
	each   *elementsOf
	byKey  map[string]*evaluated // under "" where there is no for_each
	target []string              // the images that are built as they stand
}

// exports is the block as a value.
func (c *children) exports(target Platform) cty.Value {
	if c == nil || c.folder == nil {
		return cty.DynamicVal
	}
	if c.call.forEach == nil {
		return c.byKey[""].exports(target)
	}
	values := make(map[string]cty.Value, len(c.byKey))
	for key, e := range c.byKey {
		values[key] = e.exports(target)
	}
	return cty.ObjectVal(values)
}

// usesTarget reports whether a mention module.x.local.y, or
// module.x["key"].local.y, has another value for each platform.
func (c *children) usesTarget(mention []string) bool {
	if c == nil {
		return false
	}
	for i, part := range mention {
		if part == "local" && i+1 < len(mention) {
			for _, e := range c.byKey {
				if e.mod.usesTarget[mention[i+1]] {
					return true
				}
			}
			return false
		}
	}
	// The name is computed: any local may be meant.
	for _, e := range c.byKey {
		if len(e.mod.usesTarget) > 0 {
			return true
		}
	}
	return false
}

// call makes the modules that a block calls, and answers their value.
func (ld *loader) call(d *decoder, c *call) cty.Value {
	out := &children{call: c, byKey: map[string]*evaluated{}}
	d.mod.children[c.name] = out
	src := source{label: c.name, body: c.block.Body, header: c.header}
	if c.forEach == nil {
		ld.callOne(d, out, src, "")
		return out.exports(Platform{})
	}
	if out.each = d.elementsOfBlock(c.forEach); out.each == nil {
		return cty.DynamicVal
	}
	for _, key := range out.each.keys {
		before := len(*d.diags)
		ld.callOne(d.forElement(key, out.each.values[key]), out, src, key)
		if (*d.diags)[before:].HasErrors() {
			break // the next would have the same
		}
	}
	if len(out.byKey) < len(out.each.keys) {
		out.folder = nil
		return cty.DynamicVal
	}
	if len(out.each.keys) == 0 {
		return cty.EmptyObjectVal
	}
	return out.exports(Platform{})
}

func (ld *loader) callOne(d *decoder, out *children, src source, key string) {
	c, ok := moduleBlock.decode(d, src)
	if !ok || !c.source.usable() {
		return
	}
	f := ld.calledFolder(d, c)
	if f == nil {
		return
	}
	if path := d.mod.calledFrom(f); path != nil {
		ld.moduleCycle(d, c, path)
		return
	}
	if len(ld.shared.modules) >= maxModules {
		d.diags.Errorf(c.header, "Too many modules", "More than %d modules are called, counting one for each element of for_each.", maxModules)
		return
	}
	if c.targets.usable() {
		out.target = c.targets.V
		for _, name := range c.targets.V {
			if f.blocks[KindImage][name] == nil {
				d.diags.Errorf(c.targets.Range, "Unknown name", "%s has no image %q%s.", f.address(), name, didYouMean(name, f.declared(KindImage)))
			}
		}
	}
	addr := d.mod.addr + ":"
	if strings.Contains(d.mod.addr, ":") {
		addr = d.mod.addr + "."
	}
	addr += moduleWord + "." + c.name
	if out.call.forEach != nil {
		addr += "[" + quote(key) + "]"
	}
	m := ld.newModule(f, addr)
	m.caller = &caller{mod: d.mod, at: c.header}
	in := &moduleInputs{d: d, call: c, values: map[string]given{}}
	in.evaluate(f)
	out.folder, out.byKey[key] = f, ld.instantiate(m, in)
}

// maxModules is how many calls a load may make: two million images are a
// mistake in two nested loops.
const maxModules = 20_000

// moduleCycle shows who calls whom.
func (ld *loader) moduleCycle(d *decoder, c *call, path []*module) {
	var names []string
	for _, m := range path {
		names = append(names, m.address())
	}
	names = append(names, path[0].address())
	d.diags.Errorf(c.source.Range, "Modules form a cycle", "%s: a module that calls itself never ends.", strings.Join(names, " → "))
}

// calledFolder reads the folder that a call names. Each is read once.
func (ld *loader) calledFolder(d *decoder, c *call) *folder {
	src := c.source.V
	if src.Fetched() != "" {
		return ld.fetchedFolder(d, c)
	}
	rel, err := eval.Resolve(d.mod.dir, src.Folder)
	if err == nil {
		err = checkFolder(d.mod.root, rel, src.Folder)
	}
	if err != nil {
		eval.Report(d.diags, c.source.Range, "Module not found", "source", err)
		return nil
	}
	return ld.judged(ld.folder(d.mod.root, d.mod.fetched, rel), d.diags, c.source.Range)
}

func (ld *loader) fetchedFolder(d *decoder, c *call) *folder {
	src := c.source.V
	if ld.opts.Modules == nil {
		d.diags.Errorf(c.source.Range, "Module not found", "%s would have to be fetched, which is not done here.", src.Fetched())
		return nil
	}
	ld.spec.Fetched = append(ld.spec.Fetched, FetchedModule{Addr: Addr{Module: d.mod.address(), Kind: KindModule, Name: c.name}, Name: c.name, Source: src, Range: c.source.Range})
	dir, err := ld.opts.Modules.Module(ld.ctx, ld.spec.Root, c.name, src)
	if err != nil {
		eval.Report(d.diags, c.source.Range, "Module not found", "source", err)
		return nil
	}
	rel := path.Clean("./" + src.Path)
	if err := checkFolder(dir, rel, src.Path); err != nil {
		eval.Report(d.diags, c.source.Range, "Module not found", src.Fetched(), err)
		return nil
	}
	return ld.judged(ld.folder(dir, src.Fetched(), rel), d.diags, c.source.Range)
}

// folder reads a folder, once a load. It is nil where a file does not parse:
// what it declares is then not known.
func (ld *loader) folder(root, fetched, rel string) *folder {
	full := filepath.Join(root, filepath.FromSlash(rel))
	if f, ok := ld.folders[full]; ok {
		return f
	}
	f := newFolder(root, rel)
	f.fetched = fetched
	before := len(ld.diags)
	if ld.readFolder(f); ld.diags[before:].HasErrors() {
		f = nil
	} else {
		f.functions = ld.library(root).Functions(rel)
	}
	ld.folders[full] = f
	return f
}

// judged is a folder whose blocks are known, as a call needs it.
func (ld *loader) judged(f *folder, l *diag.List, at diag.Range) *folder {
	switch {
	case f == nil:
		return nil
	case len(f.files) == 0:
		l.Errorf(at, "Module not found", "There is no spec in %s: no image.hcl, image.yaml, NAME.image.hcl or NAME.image.yaml.", f.address())
		return nil
	}
	f.collect(&ld.diags)
	return f
}

// moduleInputs are the values that a module block gives to variables.
type moduleInputs struct {
	d      *decoder
	call   *call
	values map[string]given
}

func (in *moduleInputs) evaluate(f *folder) {
	for _, a := range in.call.inputs {
		at := syntax.Range(a.NameRange)
		if f.variables[a.Name] == nil {
			in.d.unknownInput(at, a.Name, f)
			continue
		}
		v, ok := in.d.value(a.Expr, moduleBlock.fixed)
		if !ok {
			v = cty.DynamicVal
		}
		in.values[a.Name] = given{
			value: v, expr: a.Expr, by: in.d, from: moduleWord + " " + quote(in.call.name), at: syntax.Range(a.Expr.Range()),
		}
	}
}

func (d *decoder) unknownInput(at diag.Range, name string, f *folder) {
	known := append(moduleBlock.attrNames(), f.variableNames()...)
	if meant := suggestion(name, known); meant != "" {
		d.diags.Errorf(at, "Unknown variable", "%s has no variable %q. Did you mean %q?", f.address(), name, meant)
		(*d.diags)[len(*d.diags)-1].Fix = fixName(at, meant)
		return
	}
	has := "It has none."
	if names := f.variableNames(); len(names) > 0 {
		has = "It has " + choices(names) + "."
	}
	d.diags.Errorf(at, "Unknown variable", "%s has no variable %q. %s", f.address(), name, has)
}

func (in *moduleInputs) lookup(name string) (given, bool) {
	g, ok := in.values[name]
	return g, ok
}

func (in *moduleInputs) missing(v *variable, d *decoder) {
	in.d.diags.Errorf(in.call.header, "Variable without a value", "%s asks for the variable %q, which has no default: write %s = … into this block.", d.mod.address(), v.name, v.name)
	(*in.d.diags)[len(*in.d.diags)-1].Notes = []diag.Note{{Message: "It is declared here.", Range: v.header}}
}

// sortedModules are all modules, callers before those that they call.
func (s *shared) sorted() []*evaluated {
	out := make([]*evaluated, 0, len(s.modules))
	for _, e := range s.modules {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *evaluated) int { return a.number - b.number })
	return out
}
