package spec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	goversion "github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/syntax"
)

// workspaceFile is the file whose folder is the workspace's root.
const workspaceFile = "specbuild.hcl"

// findRoot sets the workspace of the arguments, or reports why there is none.
func (ld *loader) findRoot() string {
	for i, a := range ld.asked {
		found := workspaceFiles(a.dir)
		root := a.dir
		if len(found) > 0 {
			root = filepath.Dir(found[0])
		}
		for _, inner := range slices.Backward(found) {
			if inner == found[0] {
				break
			}
			ld.diags.Errorf(diag.Range{File: ld.shown(inner)}, "Workspace in a workspace", "%s lies below %s, whose workspace it would step out of. Remove it.", ld.shown(inner), ld.shown(found[0]))
			return ""
		}
		if i == 0 {
			ld.spec.Root, ld.spec.Name = root, filepath.Base(root)
			if len(found) > 0 && !ld.readWorkspace(found[0]) {
				return ""
			}
		}
	}
	if len(ld.asked) > 1 && len(workspaceFiles(ld.asked[0].dir)) == 0 && !ld.oneFolder() {
		ld.diags.Errorf(diag.Range{File: ld.shown(ld.asked[1].dir)}, "Several workspaces",
			"Folders that are built together lie in one workspace. Write a file %s into a folder above both.", workspaceFile)
		return ""
	}
	return ld.spec.Root
}

// oneFolder reports whether all arguments mean files of one folder.
func (ld *loader) oneFolder() bool {
	return !slices.ContainsFunc(ld.asked, func(a asked) bool { return a.dir != ld.asked[0].dir })
}

// workspaceFiles are the workspace files at or above a folder, the outermost
// first, as far as the top of the outermost git work tree around it. Where
// there is no work tree, as in an unpacked archive, nothing is a border.
func workspaceFiles(dir string) []string {
	var above []string
	for d := dir; ; d = filepath.Dir(d) {
		above = append(above, d)
		if d == filepath.Dir(d) {
			break
		}
	}
	slices.Reverse(above)
	if top := slices.IndexFunc(above, func(d string) bool { return exists(filepath.Join(d, ".git")) }); top >= 0 {
		above = above[top:]
	}
	var out []string
	for _, d := range above {
		if f := filepath.Join(d, workspaceFile); exists(f) {
			out = append(out, f)
		}
	}
	return out
}

// exists does not follow links: a .git that leads nowhere is still a border.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readWorkspace takes the workspace's name. What else the file may hold is
// refused, not passed over: a policy that is not applied must not look as if
// it were.
func (ld *loader) readWorkspace(full string) bool {
	f := ld.parse(full)
	if f == nil || ld.diags.HasErrors() {
		return false
	}
	m := &module{root: ld.spec.Root, dir: ".", files: map[string]*syntax.File{f.Name: f}}
	d := &decoder{mod: m, diags: &ld.diags, ctx: &hcl.EvalContext{Functions: eval.NewLibrary(nil).Functions(".")}}
	var first *hclsyntax.Block
	for _, b := range bodyOf(f).Blocks {
		switch {
		case b.Type == specbuildBlock.name:
		case b.Type != workspaceBlock.name:
			ld.workspaceBlock(d, b)
		case len(b.Labels) > 0:
			d.label(b.Type, noLabel, []label{{b.Labels[0], syntax.Range(b.LabelRanges[0])}}, headerRange(b))
		case first != nil:
			d.report(headerRange(b), "Block written twice", "A workspace is described once.", nil,
				diag.Note{Message: "It is written here first.", Range: headerRange(first)})
		default:
			first = b
			w, _ := workspaceBlock.decode(d, source{body: b.Body, header: headerRange(b)})
			if w.name.usable() {
				ld.spec.Name = w.name.V
			}
		}
	}
	for _, a := range sortedAttributes(bodyOf(f)) {
		d.unknownName(syntax.Range(a.NameRange), "Unknown attribute", "", "attribute", a.Name, nil, nil)
	}
	return !ld.diags.HasErrors()
}

// workspaceBlock answers the blocks of a workspace that this version refuses.
func (ld *loader) workspaceBlock(d *decoder, b *hclsyntax.Block) {
	at := headerRange(b)
	later := []string{"variable", "locals", "base", "context", "secret", "repository", "cache", "engine", "waiver"}
	switch {
	case slices.Contains(later, b.Type):
		ld.diags.Errorf(at, "Not supported yet", "In %s, this version of specbuild reads workspace { name } only. Write %s in the folder of the spec that uses it, or leave it out.", workspaceFile, b.Type)
	case b.Type == "stage" || b.Type == "image":
		ld.diags.Errorf(at, "Unknown block", "%s describes the workspace; stages and images stand in image.hcl or NAME.image.hcl.", workspaceFile)
	default:
		d.unknownBlock("", b, b.Type, nil, []string{"workspace", "specbuild"})
	}
}

// versionFits judges required_version. It stands for itself: where it is not
// met, nothing else of the file is judged.
func (ld *loader) versionFits(body *hclsyntax.Body, f *syntax.File) bool {
	m := &module{root: ld.spec.Root, dir: ".", files: map[string]*syntax.File{f.Name: f}}
	for _, b := range body.Blocks {
		if b.Type != specbuildBlock.name || len(b.Labels) > 0 {
			continue
		}
		var l diag.List
		d := &decoder{mod: m, diags: &l, ctx: &hcl.EvalContext{}}
		r, _ := specbuildBlock.decode(d, source{body: b.Body, header: headerRange(b)})
		if r.version.usable() {
			ld.judgeVersion(r.version, &l)
		}
		ld.diags = append(ld.diags, l...)
		if l.HasErrors() {
			return false
		}
	}
	return true
}

// judgeVersion compares with this build, by go-version's conditions, which are
// Terraform's too.
func (ld *loader) judgeVersion(asked Attr[string], l *diag.List) {
	wanted, err := goversion.NewConstraint(asked.V)
	if err != nil {
		l.Errorf(asked.Range, "Invalid value", "required_version: %q is not a condition on a version, such as \">= 0.1\" or \"~> 1.2\".", asked.V)
		return
	}
	have, err := versionOf(strings.TrimPrefix(ld.opts.Version, "v"))
	if err != nil {
		return // a build of one's own, without a version
	}
	if !wanted.Check(have) {
		l.Errorf(asked.Range, "Wrong version", "This spec asks for specbuild %s; this is %s. Install another version.", asked.V, ld.opts.Version)
	}
}
