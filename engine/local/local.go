// Package local is the embedded engine: it runs a graph in this process,
// without a daemon, on top of a store that several processes share.
//
// A build is a topological walk with constructive traces: a node is looked up
// by what it is by definition (DefID), then by what its inputs turned out to
// be (ActionID), and only then run. Results are lazy: a layer is a digest and
// a table of contents until somebody wants its bytes.
package local

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/engine/layer/blob"
	"github.com/specbuild/specbuild/engine/sandbox"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
)

// Options is what an engine needs of the outside.
type Options struct {
	Store      *cache.Store
	Registry   *image.Registry
	Sandbox    sandbox.Runner // runs steps; nil where this machine cannot
	Machine    Machine        // what this machine can run
	Fetch      *fetch.Client  // brings packages and files; nil where all are in the store
	Git        *git.Client    // brings commits; nil where all are in the store
	Network    fetch.Network  // of steps that have one; not of Fetch, Git and Registry, which have theirs
	Compressor blob.Compressor
	Images     Forms        // in which the layers of finished images will be asked for, so that they are made so at once
	Contexts   *source.View // what was seen of contexts when the graph was planned; nil looks anew for each graph
	Parallel   int          // steps at once; 0 is the number of cores
	KeepFailed bool         // leave a failed step's upper directory behind
	NoCache    bool         // look nothing up, but remember results
}

// Machine answers what a step can count on, as probed once.
type Machine struct {
	IDMap func() sandbox.IDMap
	// CanRun says why steps of a platform cannot run here, or nil.
	CanRun func(platform string) error
	// Emulator is the static program that runs a foreign platform's code, or
	// nil where the kernel knows it or none is needed.
	Emulator func(platform string) *sandbox.Emulator
}

// Engine runs graphs. It may run several, one after the other or at once.
type Engine struct {
	o     Options
	slots chan struct{} // one for each step that works

	scratches scratches
}

// New makes an engine.
func New(o Options) *Engine {
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	o.Compressor = o.Compressor.Shared()
	if o.Compressor.Cache == nil {
		o.Compressor.Cache = chunkCache{o.Store.Chunks()}
	}
	return &Engine{o: o, slots: make(chan struct{}, o.Parallel)}
}

var _ engine.Engine = (*Engine)(nil)

// Run runs what the outputs need and is not known yet. Tests run after the
// images they look at; a build with a failed test has no results.
func (e *Engine) Run(ctx context.Context, g *dag.Graph, events func(engine.Event)) ([]engine.Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := newBuild(e, g, events, cancel)
	if err := b.define(ctx); err != nil {
		return nil, b.verdict(ctx, err)
	}
	results := make([]engine.Result, len(g.Outputs))
	var wg sync.WaitGroup
	for i, out := range g.Outputs {
		wg.Go(func() {
			r, err := b.output(ctx, out)
			if err != nil {
				cancel(err)
			}
			results[i] = r
		})
	}
	wg.Wait()
	b.later.Wait() // which may have failed too
	if err := context.Cause(ctx); err != nil {
		return nil, b.verdict(ctx, err)
	}
	return results, nil
}

// output brings one output about: its images, its checks, its tests.
func (b *build) output(ctx context.Context, out dag.Output) (engine.Result, error) {
	r := engine.Result{Output: out, Search: b.search(ctx)}
	if n := b.node(out.Node); n != nil {
		r.Index, _ = n.Op.(*dag.Index)
		if r.Index != nil {
			if err := b.provenIndex(ctx, r.Index); err != nil {
				return r, b.failed(n, err)
			}
		}
	}
	r.Images = make([]engine.Image, len(out.Images))
	err := each(len(out.Images), func(i int) error {
		img, err := b.image(ctx, out.Images[i])
		if err != nil {
			return err
		}
		r.Images[i] = img
		return b.withinBudget(ctx, out, img)
	})
	if err != nil {
		return r, err
	}
	untested := make([]*engine.Untested, len(out.Tests))
	err = each(len(out.Tests), func(i int) error {
		u, err := b.test(ctx, out.Tests[i])
		untested[i] = u
		return err
	})
	for _, u := range untested {
		if u != nil {
			r.Untested = append(r.Untested, *u)
		}
	}
	return r, err
}

// each calls f for 0 to n-1 at the same time and gives the first error by
// number.
func each(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// BudgetError is an image that is larger than its spec allows.
type BudgetError struct {
	Output dag.Output
	Detail string
}

func (e *BudgetError) Error() string { return e.Output.Addr + ": " + e.Detail }

func (b *build) withinBudget(ctx context.Context, out dag.Output, img engine.Image) error {
	if n := out.Budget.Layers; n > 0 && len(img.Layers) > n {
		return &BudgetError{out, fmt.Sprintf("the image for %s has %d layers, its budget is %d", img.Platform, len(img.Layers), n)}
	}
	if out.Budget.Size == 0 {
		return nil
	}
	var size int64
	for _, l := range img.Layers {
		n, err := l.(*layerRef).tarSize(ctx)
		if err != nil {
			return err
		}
		size += n
	}
	if size > out.Budget.Size {
		return &BudgetError{out, fmt.Sprintf("the image for %s has %d bytes, uncompressed, in %d layers; its budget is %d",
			img.Platform, size, len(img.Layers), out.Budget.Size)}
	}
	return nil
}

// send gives an event its time and its node's names.
func (b *build) send(n *dag.Node, ev engine.Event) {
	ev.Time = time.Now()
	if n != nil {
		ev.Node, ev.Name, ev.Title = n.ID, n.Meta.Name, n.Meta.Title
		if b.several && n.Meta.Platform != "" {
			ev.Title += " (" + strings.TrimPrefix(n.Meta.Platform, "linux/") + ")"
		}
	}
	ev.Title = b.covered(ev.Title)
	if ev.Kind != engine.Output { // which was masked piece by piece
		ev.Text = b.covered(ev.Text)
	}
	b.eventMu.Lock()
	defer b.eventMu.Unlock()
	if ev.Kind == engine.Note {
		if b.noted[ev.Text] {
			return // said for another platform
		}
		b.noted[ev.Text] = true
	}
	b.events(ev)
}
