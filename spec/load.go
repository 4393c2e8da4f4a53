package spec

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
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
// The Spec is nil if nothing could be read; after errors it holds what was
// right and must not be planned. The diagnostics are sorted.
func Load(ctx context.Context, opts Options) (*Spec, diag.List) {
	ld := &loader{opts: opts, spec: &Spec{Build: opts.Build, Files: map[string][]byte{}}}
	if !ld.read(ctx) {
		return nil, ld.diags.Sorted()
	}
	spec := ld.evaluate(ctx)
	return spec, ld.diags.Sorted()
}

// loader is the state of one Load.
type loader struct {
	opts    Options
	diags   diag.List
	spec    *Spec
	modules []*module
	asked   []asked
}

// asked is one argument: a folder, or one file of it.
type asked struct {
	dir  string // absolute
	file string // as diagnostics show it; empty for a folder
}

// read finds and parses all files. It answers false where nothing more can be
// said: without the tree of a file, what others name in it would be unknown.
func (ld *loader) read(ctx context.Context) bool {
	args := ld.opts.Args
	if len(args) == 0 {
		args = []string{"."}
	}
	for _, arg := range args {
		ld.argument(arg)
	}
	if ld.diags.HasErrors() || ctx.Err() != nil {
		return false
	}
	root := ld.findRoot()
	if root == "" {
		return false
	}
	seen := map[string]bool{}
	for _, a := range ld.asked {
		if !seen[a.dir] {
			seen[a.dir] = true
			ld.readModule(a.dir)
		}
	}
	return !ld.diags.HasErrors()
}

// argument sorts one argument of the command into folder or file.
func (ld *loader) argument(arg string) {
	shown := filepath.ToSlash(arg)
	at := diag.Range{File: shown}
	if strings.Contains(arg, "...") {
		ld.diags.Errorf(at, "Not supported yet", "Patterns of folders, such as %q, are not supported yet. Name the folders.", shown)
		return
	}
	full := inDir(ld.opts.Dir, arg)
	info, err := os.Stat(full)
	switch {
	case err != nil:
		ld.diags.Errorf(at, "Spec not found", "There is no file or folder %q: %s.", shown, reason(err))
	case info.IsDir():
		ld.asked = append(ld.asked, asked{dir: full})
	case isYAML(filepath.Base(full)):
		ld.refuseYAML(at)
	case !isSpec(filepath.Base(full)):
		ld.diags.Errorf(at, "Not a spec", "A spec is called image.hcl or NAME.image.hcl; %q is not. Name such a file, or its folder.", shown)
	default:
		ld.asked = append(ld.asked, asked{dir: filepath.Dir(full), file: ld.shown(full)})
	}
}

func (ld *loader) refuseYAML(at diag.Range) {
	ld.diags.Errorf(at, "Not supported yet", "Specs in YAML are not supported yet; write %s as HCL.", at.File)
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

// readModule parses the specs of one folder.
func (ld *loader) readModule(dir string) {
	rel, err := filepath.Rel(ld.spec.Root, dir)
	if err != nil || !within(ld.spec.Root, dir) {
		ld.diags.Errorf(diag.Range{File: ld.shown(dir)}, "Several workspaces", "%s is not in the workspace of the first argument, %s. Build them one after the other.", ld.shown(dir), ld.shown(ld.spec.Root))
		return
	}
	m := &module{
		root: ld.spec.Root, dir: filepath.ToSlash(rel), build: ld.opts.Build,
		files: map[string]*syntax.File{}, blocks: map[Kind]map[string]*declaration{},
		variables: map[string]*variable{}, locals: map[string]*local{}, secrets: map[string]*Secret{},
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		ld.diags.Errorf(diag.Range{File: ld.shown(dir)}, "Spec not found", "The folder %s cannot be read: %s.", ld.shown(dir), reason(err))
		return
	}
	for _, e := range entries {
		full := filepath.Join(dir, e.Name())
		switch {
		case isYAML(e.Name()):
			ld.refuseYAML(diag.Range{File: ld.shown(full)})
		case isSpec(e.Name()):
			ld.readFile(m, full)
		}
	}
	if len(m.files) == 0 && !ld.diags.HasErrors() {
		ld.diags.Errorf(diag.Range{File: ld.shown(dir)}, "Spec not found", "There is no image.hcl and no NAME.image.hcl in %s.", ld.shown(dir))
	}
	ld.modules = append(ld.modules, m)
}

// parse reads and parses one file; it answers nil where there is no tree.
func (ld *loader) parse(full string) *syntax.File {
	name := ld.shown(full)
	data, edited := ld.opts.Overlay[full]
	var err error
	if !edited {
		data, err = readRegular(full)
	}
	if err != nil {
		ld.diags.Errorf(diag.Range{File: name}, "File not read", "%s cannot be read: %s.", name, reason(err))
		return nil
	}
	f, problems := syntax.Parse(name, data)
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

func (ld *loader) readFile(m *module, full string) {
	if f := ld.parse(full); f != nil {
		m.files[f.Name] = f
	}
}

// evaluate gives the Spec of what was read.
func (ld *loader) evaluate(ctx context.Context) *Spec {
	files, err := eval.OpenFiles(ld.spec.Root)
	if err != nil {
		ld.diags.Errorf(diag.Range{File: ld.shown(ld.spec.Root)}, "Spec not found", "The workspace cannot be read: %s.", reason(err))
		return nil
	}
	// The files stay open: At calls file() for a target long after Load.
	library := eval.NewLibrary(files)
	in := &inputs{vars: ld.opts.Vars, env: ld.opts.Env}
	in.files = readVarFiles(ld.opts, ld.spec.Files, &ld.diags)
	ev := &bodies{modules: map[string]*evaluated{}}
	for _, m := range ld.modules {
		m.functions = library.Functions(m.dir)
		m.collect(&ld.diags)
		ld.module(ctx, m, in, ev)
	}
	ld.unusedInputs(in)
	ld.spec.eval = ev
	ld.selectImages()
	ld.sort()
	return ld.spec
}

// unusedInputs reports values for variables that no module declares.
func (ld *loader) unusedInputs(in *inputs) {
	var names []string
	for _, m := range ld.modules {
		names = append(names, m.variableNames()...)
	}
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

// selectImages finds the images that the arguments mean: all of a folder, or
// those of one file. An image that both mean is built once.
func (ld *loader) selectImages() {
	seen := map[Addr]bool{}
	for _, a := range ld.asked {
		for _, img := range ld.spec.Images {
			inDir := filepath.Join(ld.spec.Root, filepath.FromSlash(strings.TrimPrefix(img.Addr.Module, "//"))) == a.dir
			if inDir && (a.file == "" || a.file == img.Range.File) && !seen[img.Addr] {
				seen[img.Addr] = true
				ld.spec.Selected = append(ld.spec.Selected, img.Addr)
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
