package spec

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	goversion "github.com/hashicorp/go-version"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Load reads the modules of the arguments and evaluates all of them that does
// not depend on a platform. Every body is evaluated once with the target not
// known, so that its mistakes are found whatever is built later.
//
// The Spec is nil if nothing could be read. Where a file does not parse it has
// no more than Files, for the lines that messages show, and Folders is nil;
// after other errors it holds what was right. Neither may be planned. The
// diagnostics are sorted.
func Load(ctx context.Context, opts Options) (*Spec, diag.List) {
	ld := newLoader(ctx, opts)
	if !ld.read() {
		if len(ld.spec.Files) == 0 {
			return nil, inItsSyntax(ld.diags.Sorted())
		}
		return &Spec{Root: ld.spec.Root, Build: ld.spec.Build, Files: ld.spec.Files}, inItsSyntax(ld.diags.Sorted())
	}
	ld.evaluate()
	return ld.spec, inItsSyntax(ld.diags.Sorted())
}

func newLoader(ctx context.Context, opts Options) *loader {
	s := newShared()
	ld := &loader{
		ctx: ctx, opts: opts, spec: &Spec{Build: opts.Build, Files: map[string][]byte{}},
		shared: s, said: seen{}, folders: map[string]*folder{}, libraries: map[string]*eval.Library{},
	}
	ld.eval = &bodies{shared: s, reported: ld.said}
	return ld
}

// loader is the state of one Load.
type loader struct {
	ctx    context.Context
	opts   Options
	diags  diag.List
	spec   *Spec
	shared *shared
	eval   *bodies
	said   seen // reported mistakes of modules

	requests  []request
	workspace *folder // what specbuild.hcl declares
	members   []string
	roots     []*root
	folders   map[string]*folder // by absolute folder; nil for one that is wrong
	libraries map[string]*eval.Library
}

// root is a folder that the arguments mean.
type root struct {
	folder *folder
	// found is true where a pattern led here: nobody has named the folder.
	found bool
}

// read finds and parses all files. It answers false where nothing more can be
// said: without the tree of a file, what others name in it would be unknown.
func (ld *loader) read() bool {
	ld.sortArguments()
	if ld.diags.HasErrors() || ld.ctx.Err() != nil || !ld.findRoot() {
		return false
	}
	at := map[string]int{}
	for i := range ld.requests {
		r := &ld.requests[i]
		for _, rel := range ld.foldersOf(r) {
			n, again := at[rel]
			if !again {
				n, at[rel] = len(ld.roots), len(ld.roots)
				f := ld.folder(ld.spec.Root, "", rel)
				ld.roots = append(ld.roots, &root{folder: f, found: true})
				if f != nil && len(f.files) == 0 {
					dir := ld.shown(f.absolute(rel))
					where, all := dir, ""
					if dir == "." {
						where = "this folder"
					}
					if len(ld.members) > 0 {
						all = " `./...` means all specs below a folder."
					}
					ld.diags.Errorf(diag.Range{File: dir}, "Spec not found", "There is no image.hcl or NAME.image.hcl, nor either in YAML, in %s.%s", where, all)
				}
			}
			ld.roots[n].found = ld.roots[n].found && r.pattern
			r.folders = append(r.folders, rel)
		}
	}
	return !ld.diags.HasErrors()
}

// isSpec and isYAML are by name alone, so that a folder's other files, however
// many, are never opened.
func isSpec(base string) bool { return base == "image.hcl" || strings.HasSuffix(base, ".image.hcl") }
func isYAML(base string) bool { return base == "image.yaml" || strings.HasSuffix(base, ".image.yaml") }

// inDir is an argument as an absolute path. Links in it are kept: what the
// user named is what messages name.
func inDir(dir, arg string) string {
	if filepath.IsAbs(arg) {
		return filepath.Clean(arg)
	}
	full, err := filepath.Abs(filepath.Join(dir, arg))
	if err != nil {
		return filepath.Join(dir, arg)
	}
	return full
}

// shown is a file as diagnostics name it: from the folder that the command
// runs in.
func (ld *loader) shown(full string) string {
	rel, err := filepath.Rel(inDir(ld.opts.Dir, "."), full)
	if err != nil {
		return filepath.ToSlash(full)
	}
	return filepath.ToSlash(rel)
}

// reason is an error of the file system without the path, which the message
// says already.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

func isYML(base string) bool { return base == "image.yml" || strings.HasSuffix(base, ".image.yml") }

// refuseYML answers the other ending of YAML. To pass the file over would be
// to build without it.
func (ld *loader) refuseYML(at diag.Range) {
	ld.diags.Errorf(at, "Not a spec", "Specs in YAML end in .yaml, and in nothing else: call this one %s.", strings.TrimSuffix(filepath.Base(at.File), "yml")+"yaml")
}

// readFolder parses the specs of one folder.
func (ld *loader) readFolder(f *folder) {
	dir := f.absolute(f.dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		ld.diags.Errorf(diag.Range{File: ld.shown(dir)}, "Spec not found", "The folder %s cannot be read: %s.", f.address(), reason(err))
		return
	}
	for _, base := range ld.withUnsaved(dir, entries) {
		full := filepath.Join(dir, base)
		name := ld.shown(full)
		if f.fetched != "" && f.fetched != publishing {
			name = f.fetched + "//" + path.Join(f.dir, base)
		}
		switch {
		case isYML(base):
			ld.refuseYML(diag.Range{File: name})
		case isSpec(base), isYAML(base):
			if parsed := ld.parse(full, name); parsed != nil {
				f.files[parsed.Name] = parsed
			}
		}
	}
}

// withUnsaved are the names of a folder's files, those included that an editor
// has and has not saved once.
func (ld *loader) withUnsaved(dir string, entries []os.DirEntry) []string {
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for full := range ld.opts.Overlay {
		if base := filepath.Base(full); filepath.Dir(full) == dir && !slices.Contains(names, base) {
			names = append(names, base)
		}
	}
	slices.Sort(names)
	return names
}

// parse reads and parses one file; it answers nil where there is no tree.
func (ld *loader) parse(full, name string) *syntax.File {
	data, edited := ld.opts.Overlay[full]
	var err error
	if !edited {
		data, err = readRegular(full)
	}
	if err != nil {
		ld.diags.Errorf(diag.Range{File: name}, "File not read", "%s cannot be read: %s.", name, reason(err))
		return nil
	}
	f, problems := parseEither(name, data)
	ld.spec.Files[name] = f.Bytes
	// What another version is asked to read may look wrong to this one.
	if f.Body != nil && !ld.versionFits(bodyOf(f), f) {
		return nil
	}
	ld.diags = append(ld.diags, problems...)
	if f.Body == nil {
		return nil
	}
	return f
}

// parseEither reads either syntax; the name tells which. What is unsaved in an
// editor has the same name.
func parseEither(name string, data []byte) (*syntax.File, diag.List) {
	if isYAML(path.Base(name)) {
		return syntax.ParseYAML(name, data, Grammar())
	}
	return syntax.Parse(name, data)
}

// readRegular reads a file, but waits for no pipe and reads no more than the
// parser would take.
func readRegular(full string) ([]byte, error) {
	info, err := os.Stat(full)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(full)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 4*syntax.MaxBytes))
}

// evaluate fills the Spec with what was read.
func (ld *loader) evaluate() {
	in := &outside{vars: ld.opts.Vars, env: ld.opts.Env}
	in.files = readVarFiles(ld.opts, ld.spec.Files, &ld.diags)
	var declared []string
	if ld.workspace != nil {
		ld.shared.workspace = ld.instantiate(ld.newModule(ld.workspace, workspaceModule), in)
		declared = ld.workspace.variableNames()
	}
	for _, r := range ld.roots {
		r.folder.collect(&ld.diags)
	}
	for _, r := range ld.inOrder(in) {
		if ld.ctx.Err() != nil {
			ld.diags.Errorf(diag.Range{}, "Interrupted", "The spec was not read to its end: %s.", ld.ctx.Err())
			return
		}
		if r.found && ld.isTemplate(r.folder, in) {
			continue
		}
		ld.instantiate(ld.newModule(r.folder, r.folder.address()), in)
		declared = append(declared, r.folder.variableNames()...)
	}
	modules := ld.shared.sorted()
	for _, e := range modules {
		ld.declarations(e)
	}
	for _, e := range modules {
		ld.bodies(e)
	}
	ld.unusedInputs(in, declared)
	ld.spec.eval = ld.eval
	ld.spec.Folders, ld.spec.Calls = map[string]string{}, map[string]diag.Range{}
	for _, e := range modules {
		ld.spec.Folders[e.mod.addr] = e.mod.below()
		for _, c := range e.mod.children {
			for _, called := range c.byKey {
				ld.spec.Calls[called.mod.addr] = c.call.header
			}
		}
	}
	ld.selectAll()
	ld.sort()
	ld.secretsAreNoText()
}

// library is the functions of the language over one root. The files stay
// open: At calls file() for a target long after Load.
func (ld *loader) library(root string) *eval.Library {
	if l, ok := ld.libraries[root]; ok {
		return l
	}
	files, err := eval.OpenFiles(root)
	if err != nil {
		ld.diags.Errorf(diag.Range{File: ld.shown(root)}, "Spec not found", "The folder cannot be read: %s.", reason(err))
	}
	l := eval.NewLibrary(files)
	ld.libraries[root] = l
	return l
}

// inOrder is the folders, those last that a pattern found and that lack the
// value of a variable: by then it is known whether somebody calls them.
func (ld *loader) inOrder(in *outside) []*root {
	var first, last []*root
	for _, r := range ld.roots {
		if r.found && ld.lacksValues(r.folder, in) {
			last = append(last, r)
		} else {
			first = append(first, r)
		}
	}
	return append(first, last...)
}

func (ld *loader) lacksValues(f *folder, in *outside) bool {
	for name, v := range f.variables {
		if _, set := in.lookup(name); v.def.Expr == nil && !set {
			return true
		}
	}
	return false
}

// isTemplate reports whether a folder is there to be called: others do, and
// it has variables that only they can set.
func (ld *loader) isTemplate(f *folder, in *outside) bool {
	if !ld.lacksValues(f, in) {
		return false
	}
	for _, e := range ld.shared.modules {
		if e.mod.folder == f && e.mod.caller != nil {
			return true
		}
	}
	return false
}

// unusedInputs reports values for variables that no module declares.
func (ld *loader) unusedInputs(in *outside, names []string) {
	for _, name := range slices.Sorted(maps.Keys(in.vars)) {
		if !slices.Contains(names, name) {
			ld.diags.Errorf(diag.Range{}, "Unknown variable", "--var %s=…: no variable %q is declared.%s", name, name, eval.DidYouMean(name, names))
		}
	}
	for _, f := range in.files {
		for _, name := range slices.Sorted(maps.Keys(f)) {
			if !slices.Contains(names, name) {
				ld.diags.Errorf(f[name].at, "Unknown variable", "No variable %q is declared.%s", name, eval.DidYouMean(name, names))
			}
		}
	}
}

// sort puts everything in the order of its address: the order of the files
// must not decide what a plan looks like.
func (ld *loader) sort() {
	s := ld.spec
	slices.SortFunc(s.Bases, func(a, b *Base) int { return compareAddr(a.Addr, b.Addr) })
	slices.SortFunc(s.Contexts, func(a, b *Context) int { return compareAddr(a.Addr, b.Addr) })
	slices.SortFunc(s.Secrets, func(a, b *Secret) int { return compareAddr(a.Addr, b.Addr) })
	slices.SortFunc(s.Repositories, func(a, b *Repository) int { return compareAddr(a.Addr, b.Addr) })
	slices.SortFunc(s.Stages, func(a, b *StageDecl) int { return compareAddr(a.Addr, b.Addr) })
	slices.SortFunc(s.Images, func(a, b *ImageDecl) int { return compareAddr(a.Addr, b.Addr) })
	slices.SortFunc(s.Selected, compareAddr)
}

func compareAddr(a, b Addr) int {
	return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
}

// versionOf is a version without what Go's own builds append: a build of
// 0.2.0 on the way, v0.2.0-0.2026…, has what ">= 0.2" asks for.
func versionOf(s string) (*goversion.Version, error) {
	v, err := goversion.NewVersion(s)
	if err != nil {
		return nil, err
	}
	return v.Core(), nil
}
