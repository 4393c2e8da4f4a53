package spec

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	goversion "github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// workspaceFile is the file whose folder is the workspace's root.
const workspaceFile = "specbuild.hcl"

// Workspace reads what the workspace around opts.Dir says of itself, its root
// and its policies among it, and no spec: for commands over what was built.
// The Spec has no declarations.
func Workspace(ctx context.Context, opts Options) (*Spec, diag.List) {
	ld := newLoader(ctx, opts)
	ld.requests = []request{{text: ".", dir: inDir(opts.Dir, ".")}}
	ld.findRoot()
	return ld.spec, inItsSyntax(ld.diags.Sorted())
}

// findRoot sets the workspace of the arguments, or reports why there is none.
func (ld *loader) findRoot() bool {
	for i := range ld.requests {
		ld.followLink(&ld.requests[i])
		r := ld.requests[i]
		found := workspaceFiles(r.dir, ld.opts.Top)
		root := r.dir
		if len(found) > 0 {
			root = filepath.Dir(found[0])
		}
		for _, inner := range slices.Backward(found) {
			if inner == found[0] {
				break
			}
			ld.diags.Errorf(diag.Range{File: ld.shown(inner)}, "Workspace in a workspace", "%s lies below %s, whose workspace it would step out of. Remove it.", ld.shown(inner), ld.shown(found[0]))
			return false
		}
		if i == 0 {
			ld.spec.Root, ld.spec.Name = root, filepath.Base(root)
			if len(found) > 0 && !ld.readWorkspace(found[0]) {
				return false
			}
		}
		if !within(ld.spec.Root, r.dir) {
			ld.severalWorkspaces(r.dir)
			return false
		}
	}
	return true
}

// followLink goes to where a folder really lies, if it was named through a
// link from outside of its workspace: or a link in a home would lead around
// the workspace's policy and lock. Who is in a workspace by the names that he
// uses stays there.
func (ld *loader) followLink(r *request) {
	real, err := filepath.EvalSymlinks(r.dir)
	if err != nil || real == r.dir || len(workspaceFiles(r.dir, ld.opts.Top)) > 0 || len(workspaceFiles(real, ld.opts.Top)) == 0 {
		return
	}
	overlay := maps.Clone(ld.opts.Overlay)
	for full, text := range ld.opts.Overlay {
		if rel, err := filepath.Rel(r.dir, full); err == nil && filepath.IsLocal(rel) {
			overlay[filepath.Join(real, rel)] = text
		}
	}
	ld.opts.Overlay, r.dir = overlay, real
	if here, err := filepath.EvalSymlinks(inDir(ld.opts.Dir, ".")); err == nil {
		ld.opts.Dir = here
	}
	if r.file != "" {
		r.file = ld.shown(filepath.Join(real, filepath.Base(r.file)))
	}
}

func (ld *loader) severalWorkspaces(dir string) {
	if len(workspaceFiles(ld.requests[0].dir, ld.opts.Top)) == 0 {
		ld.diags.Errorf(diag.Range{File: ld.shown(dir)}, "Several workspaces",
			"Folders that are built together lie in one workspace. Write a file %s into a folder above both.", workspaceFile)
		return
	}
	ld.diags.Errorf(diag.Range{File: ld.shown(dir)}, "Several workspaces", "%s is not in the workspace of the first argument, %s. Build them one after the other.", ld.shown(dir), ld.shown(ld.spec.Root))
}

// workspaceFiles are the workspace files at or above a folder, the outermost
// first, as far as the top of the outermost git work tree around it. Where
// there is no work tree, as in an unpacked archive, nothing is a border.
func workspaceFiles(dir, border string) []string {
	var above []string
	for d := dir; ; d = filepath.Dir(d) {
		above = append(above, d)
		if d == filepath.Dir(d) || d == border {
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

// readWorkspace takes the workspace's settings, and what it declares for its
// members. What else the file may hold is refused, not passed over: a policy
// that is not applied must not look as if it were.
func (ld *loader) readWorkspace(full string) bool {
	parsed := ld.parse(full, ld.shown(full))
	if parsed == nil || ld.diags.HasErrors() {
		return false
	}
	f := newFolder(ld.spec.Root, ".")
	f.workspace, f.functions = true, ld.library(ld.spec.Root).Functions(".")
	f.files[parsed.Name] = parsed
	settings := hclsyntax.Blocks{}
	body := bodyOf(parsed)
	declared := *body
	declared.Blocks = nil
	for _, b := range body.Blocks {
		switch {
		case b.Type == workspaceBlock.name:
			settings = append(settings, b)
		case b.Type == moduleWord || !slices.Contains(topNames, b.Type) || b.Type == string(KindStage) || b.Type == string(KindImage):
			ld.notOfTheWorkspace(&decoder{mod: &module{folder: f}, diags: &ld.diags}, b)
		default:
			declared.Blocks = append(declared.Blocks, b)
		}
	}
	ld.settings(f, settings)
	parsed.Body = &declared
	f.collect(&ld.diags)
	ld.workspace = f
	return !ld.diags.HasErrors()
}

// settings reads the block `workspace`.
func (ld *loader) settings(f *folder, blocks hclsyntax.Blocks) {
	d := &decoder{mod: &module{folder: f}, diags: &ld.diags, ctx: &hcl.EvalContext{Functions: f.functions}}
	for i, b := range blocks {
		switch {
		case len(b.Labels) > 0:
			d.label(b.Type, noLabel, []label{{b.Labels[0], syntax.Range(b.LabelRanges[0])}}, headerRange(b))
		case i > 0:
			d.report(headerRange(b), "Block written twice", "A workspace is described once.", nil,
				diag.Note{Message: "It is written here first.", Range: headerRange(blocks[0])})
		default:
			w, _ := workspaceBlock.decode(d, source{body: b.Body, header: headerRange(b)})
			if w.name.usable() {
				ld.spec.Name = w.name.V
			}
			ld.members = w.members.V
			if n := w.network; ld.opts.Network != nil && (n.Proxy.Set || n.CA.Set) {
				ld.diags = append(ld.diags, ld.opts.Network(n)...)
			}
			ld.spec.BuildPlatforms = w.buildPlatforms.V
			for _, source := range w.policy.V {
				ld.spec.Policies = append(ld.spec.Policies, PolicySource{source, w.policy.Range})
				if source.Fetched() != "" { // the lock pins it as it pins modules
					ld.spec.Fetched = append(ld.spec.Fetched, FetchedModule{Name: "policy", Source: source, Range: w.policy.Range})
				}
			}
		}
	}
}

// notOfTheWorkspace answers the blocks of a workspace that this version
// refuses.
func (ld *loader) notOfTheWorkspace(d *decoder, b *hclsyntax.Block) {
	at := headerRange(b)
	switch b.Type {
	case "cache", "engine":
		ld.diags.Errorf(at, "Not supported yet", "%s is part of the language, but this version of specbuild cannot do it. Leave the block out.", b.Type)
	case string(KindStage), string(KindImage), moduleWord:
		ld.diags.Errorf(at, "Unknown block", "%s describes the workspace; stages, images and modules stand in image.hcl or NAME.image.hcl.", workspaceFile)
	default:
		d.unknownBlock("", b, b.Type, nil, []string{"base", "context", "locals", "repository", "secret", "specbuild", "variable", "waiver", "workspace"})
	}
}

// versionFits judges required_version. It stands for itself: where it is not
// met, nothing else of the file is judged.
func (ld *loader) versionFits(body *hclsyntax.Body, f *syntax.File) bool {
	m := &module{folder: newFolder(ld.spec.Root, ".")}
	m.files[f.Name] = f
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
