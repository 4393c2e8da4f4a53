package spec

import (
	"context"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
)

// publishing stands for the source of a module that is about to be published:
// it has none yet.
const publishing = "the module to be published"

// CheckModule reads a folder as those will who fetch it as a module: confined
// to itself, without a workspace, its variables not known. The Spec is for
// showing diagnostics; it cannot be planned.
func CheckModule(ctx context.Context, dir string, opts Options) (*Spec, diag.List) {
	opts.Partial = true
	s := newShared()
	root := inDir(opts.Dir, dir)
	ld := &loader{
		ctx: ctx, opts: opts, spec: &Spec{Root: root, Build: opts.Build, Files: map[string][]byte{}},
		shared: s, said: seen{}, folders: map[string]*folder{}, libraries: map[string]*eval.Library{},
	}
	ld.eval = &bodies{shared: s, reported: ld.said}
	ld.spec.eval = ld.eval
	f := ld.judged(ld.folder(root, publishing, "."), &ld.diags, diag.Range{File: ld.shown(root)})
	if f == nil {
		return ld.spec, ld.diags.Sorted()
	}
	ld.instantiate(ld.newModule(f, "//"), &outside{})
	for _, e := range s.sorted() {
		ld.declarations(e)
	}
	for _, e := range s.sorted() {
		ld.bodies(e)
	}
	return ld.spec, ld.diags.Sorted()
}
