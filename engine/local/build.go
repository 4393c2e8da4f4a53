package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/lower/dag"
)

// build is one run of one graph.
type build struct {
	*Engine
	g      *dag.Graph
	events func(engine.Event)
	fail   context.CancelCauseFunc

	eventMu    sync.Mutex
	noted      map[string]bool   // notes that were told, guarded by eventMu
	nodes      map[dag.ID]*state // fixed when the build is made
	selections map[dag.ID]*source.Selection
	remotes    map[dag.ID]*remote // of every Git and HTTP node
	proof      proof
	several    bool           // steps of several platforms: events say which
	left       atomic.Int64   // nodes that make something and are not done
	later      sync.WaitGroup // what no step waits for, and the build does
}

// state is what is known of a node. The fields after once are written inside
// it and read after it.
type state struct {
	n   *dag.Node
	def cache.DefID

	above    []*state               // whose input it is
	shipped  bool                   // its layer is part of an image that was asked for
	expected atomic.Bool            // it was told to the sandbox
	begun    atomic.Bool            // its inputs were begun
	hit      atomic.Pointer[result] // found by its definition already

	once   sync.Once
	result result
	err    error

	treeOnce sync.Once
	tree     *layer.Tree
	treeErr  error
}

// result is what a node came to.
type result struct {
	own   []*layerRef // the layers that the node itself adds: a base's are several
	entry cache.Entry
}

func newBuild(e *Engine, g *dag.Graph, events func(engine.Event), fail context.CancelCauseFunc) *build {
	b := &build{
		Engine: e, g: g, events: events, fail: fail,
		noted: map[string]bool{}, nodes: map[dag.ID]*state{}, selections: map[dag.ID]*source.Selection{},
		remotes: map[dag.ID]*remote{},
	}
	platform := ""
	for i := range g.Nodes {
		n := &g.Nodes[i]
		s := &state{n: n}
		b.nodes[n.ID] = s
		b.proof.declare(n)
		if isRemote(n.Op) {
			b.remotes[n.ID] = &remote{}
		}
		for _, in := range n.Inputs { // inputs come first
			b.nodes[in].above = append(b.nodes[in].above, s)
		}
		if makes(n.Op) {
			b.left.Add(1)
			b.several = b.several || platform != "" && n.Meta.Platform != platform
			platform = n.Meta.Platform
		}
	}
	for _, out := range g.Outputs {
		b.ship(out.Images)
	}
	return b
}

// makes reports whether an operation is work that a person would count.
func makes(op dag.Op) bool {
	switch op.(type) {
	case *dag.Copy, *dag.Run, *dag.Packages, *dag.Files, *dag.Test:
		return true
	default:
		return false
	}
}

func (b *build) node(id dag.ID) *dag.Node {
	if s, ok := b.nodes[id]; ok {
		return s.n
	}
	return nil
}

// get brings one node about, once: looked up by definition, then by action,
// then made. It waits for inputs without holding a slot, so that the graph's
// depth cannot exhaust them.
func (b *build) get(ctx context.Context, id dag.ID) (result, error) {
	s := b.nodes[id]
	s.once.Do(func() {
		s.result, s.err = b.resolve(ctx, s)
		if s.err != nil {
			b.fail(s.err) // the first cause wins; everything else stops
		} else if makes(s.n.Op) {
			b.left.Add(-1)
		}
	})
	return s.result, s.err
}

func (b *build) resolve(ctx context.Context, s *state) (result, error) {
	if err := ctx.Err(); err != nil {
		return result{}, context.Cause(ctx)
	}
	if r, ok := b.known(s); ok {
		b.finished(s.n, r, time.Time{}, true)
		return r, nil
	}
	b.expect(ctx, s)
	b.begin(ctx, s)
	ex, err := b.executor(ctx, s)
	if err != nil {
		return result{}, b.failed(s.n, err)
	}
	if ex.act == (cache.ActionID{}) { // nothing that a key could name: a scratch
		return ex.make(ctx)
	}
	if r, ok := b.acted(s, ex); ok {
		b.finished(s.n, r, time.Time{}, true)
		return r, nil
	}
	unlock, err := b.o.Store.Lock(ctx, "act-"+ex.act.String(), func(pid int) {
		b.send(s.n, engine.Event{Kind: engine.Note, Text: fmt.Sprintf("%s: waiting for process %d, which builds the same", s.n.Meta.Name, pid)})
	})
	if err != nil {
		return result{}, b.failed(s.n, err)
	}
	if r, ok := b.acted(s, ex); ok { // another process was faster
		unlock()
		b.finished(s.n, r, time.Time{}, true)
		return r, nil
	}
	r, err := b.execute(ctx, s, ex)
	if err != nil {
		unlock()
		return result{}, err
	}
	b.later.Go(func() {
		defer unlock()
		b.publish(s, ex, r.entry)
	})
	return r, nil
}

// ahead begins what a node takes from beside the root that it stands on, if
// the node is not known: a root is made from below, and without this each
// stage that an image copies from would wait for the copy before.
func (b *build) ahead(ctx context.Context, s *state) {
	if len(s.n.Inputs) < 2 || s.begun.Load() {
		return
	}
	if _, ok := b.known(s); !ok {
		b.begin(ctx, s)
	}
}

// begin makes a node's inputs but the first, which whoever makes the node
// asks for itself. They are in its key, so none is made in vain; the first
// content of a cache mount is in no key, and waits until the step runs.
func (b *build) begin(ctx context.Context, s *state) {
	if len(s.n.Inputs) < 2 || s.begun.Swap(true) {
		return
	}
	for i, in := range s.n.Inputs {
		if i > 0 && !onlyFills(s.n.Op, i) {
			b.later.Go(func() { _, _ = b.get(ctx, in) }) // its error is the build's
		}
	}
}

// onlyFills reports whether an input is nothing but the first content of cache
// mounts.
func onlyFills(op dag.Op, input int) bool {
	run, ok := op.(*dag.Run)
	if !ok {
		return false
	}
	fills := false
	for _, m := range run.Mounts {
		if m.Input == input && m.Type != "cache" {
			return false
		}
		fills = fills || m.Input == input
	}
	return fills
}

// publish remembers a node that was made. No step waits for it, since what
// stands on the node has its result in memory; that it fails, as on a full
// disk, ends the build.
func (b *build) publish(s *state, ex executor, e cache.Entry) {
	if err := b.o.Store.Publish(s.def, ex.act, e); err != nil {
		b.fail(b.failed(s.n, err))
		return
	}
	b.ran(s)
	b.remember(s)
}

// execute makes a node in a slot.
func (b *build) execute(ctx context.Context, s *state, ex executor) (result, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return result{}, context.Cause(ctx)
	}
	began := time.Now()
	b.send(s.n, engine.Event{Kind: engine.Started})
	if err := b.provenEntry(ctx, cache.Entry{KeyText: ex.text}); err != nil {
		return result{}, b.failed(s.n, err)
	}
	r, err := ex.make(ctx)
	if err == nil {
		err = b.provenEntry(ctx, r.entry)
	}
	if err != nil {
		return result{}, b.failed(s.n, err)
	}
	r.entry.Elapsed, r.entry.Created, r.entry.KeyText = time.Since(began), time.Now(), ex.text
	b.finished(s.n, r, began, false)
	return r, nil
}

// known looks a node up by its definition, in the store until it is found:
// who is on the way down asks, and so does who makes the node.
func (b *build) known(s *state) (result, bool) {
	if b.o.NoCache || s.def == (cache.DefID{}) {
		return result{}, false
	}
	if r := s.hit.Load(); r != nil {
		return *r, true
	}
	e, ok := b.o.Store.Def(s.def)
	if !ok {
		return result{}, false
	}
	r, ok := b.fromEntry(s, e)
	if ok {
		s.hit.Store(&r)
	}
	return r, ok
}

// acted looks a node up by what its inputs came to; a hit is remembered under
// the definition too.
func (b *build) acted(s *state, ex executor) (result, bool) {
	if b.o.NoCache {
		return result{}, false
	}
	e, ok := b.o.Store.Action(ex.act)
	if !ok {
		return result{}, false
	}
	if _, ok := s.n.Op.(*dag.Copy); ok {
		e.Facts = ex.facts
	}
	r, ok := b.fromEntry(s, e)
	if ok {
		_ = b.o.Store.Publish(s.def, cache.ActionID{}, e) // lost, it costs one look-up more
		b.remember(s)
	}
	return r, ok
}

// fromEntry gives the result that an entry describes, if its layer can still
// be had.
func (b *build) fromEntry(s *state, e cache.Entry) (result, bool) {
	r := result{entry: e}
	if op, ok := s.n.Op.(*dag.Base); ok {
		own, ok := b.baseLayers(op, s.n.Meta, e)
		r.own = own
		return r, ok
	}
	if e.DiffID == "" {
		return r, true
	}
	l := &layerRef{e: b.Engine, diffID: e.DiffID, size: e.TarSize}
	if _, ok := s.n.Op.(*dag.Copy); ok {
		l.sel, l.when = b.selections[s.n.Inputs[1]], b.commitTime(s.n, e.Facts)
	}
	r.own = []*layerRef{l}
	return r, l.available()
}

func (b *build) finished(n *dag.Node, r result, began time.Time, cached bool) {
	if !makes(n.Op) {
		return
	}
	ev := engine.Event{Kind: engine.Finished, Cached: cached}
	if cached {
		ev.Elapsed = 0
		if r.entry.Output != "" {
			b.send(n, engine.Event{Kind: engine.Output, Text: r.entry.Output})
		}
	} else {
		ev.Elapsed = time.Since(began)
	}
	b.send(n, ev)
}

// failed makes the error of a node a *engine.StepError, but for the
// interruption of the whole build.
func (b *build) failed(n *dag.Node, err error) error {
	var se *engine.StepError
	if errors.Is(err, context.Canceled) || errors.As(err, &se) {
		return err
	}
	return &engine.StepError{Node: n.ID, Name: n.Meta.Name, Title: b.covered(n.Meta.Title), Range: n.Meta.Range, Err: err}
}

// verdict is the error of the whole build: the first cause, with the count of
// what was not done because of it.
func (b *build) verdict(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var se *engine.StepError
	if !errors.As(err, &se) {
		return err
	}
	out := *se
	out.Skipped = max(0, int(b.left.Load())-1)
	b.send(b.node(out.Node), engine.Event{Kind: engine.Finished, Err: out.Err})
	return &out
}

// chain is the root that a node leaves: the layers of everything below it and
// its own, lowest first.
func (b *build) chain(ctx context.Context, id dag.ID) ([]*layerRef, error) {
	s := b.nodes[id]
	var below []*layerRef
	if hasBelow(s.n.Op) {
		b.ahead(ctx, s)
		var err error
		if below, err = b.chain(ctx, s.n.Inputs[0]); err != nil {
			return nil, err
		}
	}
	r, err := b.get(ctx, id)
	if err != nil {
		return nil, err
	}
	return append(below[:len(below):len(below)], r.own...), nil
}

func hasBelow(op dag.Op) bool {
	switch op.(type) {
	case *dag.Copy, *dag.Run, *dag.Packages, *dag.Files:
		return true
	default:
		return false
	}
}

// tree is the merged view of the root that a node leaves.
func (b *build) tree(ctx context.Context, id dag.ID) (*layer.Tree, error) {
	s := b.nodes[id]
	s.treeOnce.Do(func() { s.tree, s.treeErr = b.growTree(ctx, s) })
	return s.tree, s.treeErr
}

func (b *build) growTree(ctx context.Context, s *state) (*layer.Tree, error) {
	tree, err := layer.Merge()
	if err == nil && hasBelow(s.n.Op) {
		b.ahead(ctx, s)
		tree, err = b.tree(ctx, s.n.Inputs[0])
	}
	if err != nil {
		return nil, err
	}
	r, err := b.get(ctx, s.n.ID)
	if err != nil {
		return nil, err
	}
	for _, l := range r.own {
		toc, err := l.toc(ctx)
		if err != nil {
			return nil, err
		}
		if tree, err = tree.With(toc); err != nil {
			return nil, err
		}
	}
	return tree, nil
}
