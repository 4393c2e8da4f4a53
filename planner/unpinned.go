package planner

import (
	"context"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/spec/diag"
)

// Unpinned checks and judges a spec for which there is no lock yet: what only
// the lock can tell is left open, and that it is missing is no mistake. It
// also gives what a lock would have to hold.
func Unpinned(ctx context.Context, in Input) (pin.Needs, diag.List) {
	p := newPlanner(ctx, in, in.Spec.At)
	p.unpinned = true
	p.images()
	p.unused()
	if in.Judge != nil {
		p.ds = append(p.ds, in.Judge(p.facts())...)
	}
	return p.needs, p.ds.Sorted()
}
