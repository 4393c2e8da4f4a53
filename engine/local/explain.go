package local

import (
	"context"
	"strings"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// Explanation is what one step is made of, what becomes of it, and why it ran
// when it last did.
type Explanation struct {
	engine.Forecast
	Definition []string  // the lines that its key is made of
	Ran        time.Time // when it last ran here; zero if it never did
	Why        string    // the first reason then
}

// Explain says it for all steps of a graph, by node. Nothing is run or fetched.
func (e *Engine) Explain(ctx context.Context, g *dag.Graph) (map[dag.ID]Explanation, error) {
	b := newBuild(e, g, func(engine.Event) {}, func(error) {})
	if err := b.define(ctx); err != nil {
		return nil, err
	}
	said := map[dag.ID]engine.Forecast{}
	out := map[dag.ID]Explanation{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		f := b.forecast(n, said)
		said[n.ID] = f
		if !makes(n.Op) {
			continue
		}
		x := Explanation{Forecast: f, Definition: strings.Split(strings.TrimSuffix(b.definition(b.nodes[n.ID]), "\n"), "\n")}
		if text, ok := b.o.Store.Record(ranKind, b.lastKey(n)); ok {
			when, why, _ := strings.Cut(text, " ")
			if t, err := time.Parse(time.RFC3339, when); err == nil {
				x.Ran, x.Why = t, why
			}
		}
		out[n.ID] = x
	}
	return out, nil
}

// ranKind is the record of when and why a step last ran, for `explain`.
const ranKind = "ran"

// ran keeps why a step ran, before its definition becomes the last one.
func (b *build) ran(s *state) {
	if makes(s.n.Op) {
		_ = b.o.Store.PutRecord(ranKind, b.lastKey(s.n), time.Now().UTC().Format(time.RFC3339)+" "+b.whyNew(s)) // lost, one reason is not told
	}
}

// Difference is the first thing in which two definitions differ, in words.
func Difference(before, now []string) string {
	return firstChange(strings.Join(before, "\n"), strings.Join(now, "\n"))
}
