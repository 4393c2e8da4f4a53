package local

import (
	"context"
	"fmt"
	"strings"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// Forecast says for each node what Run would do with it: from keys alone, so
// nothing is run or fetched. A node whose own definition is new is known to
// run only if everything below it is known: otherwise early cut-off may still
// find it.
func (e *Engine) Forecast(ctx context.Context, g *dag.Graph) ([]engine.Forecast, error) {
	b := newBuild(e, g, func(engine.Event) {}, func(error) {})
	if err := b.define(ctx); err != nil {
		return nil, err
	}
	said := map[dag.ID]engine.Forecast{}
	var out []engine.Forecast
	for i := range g.Nodes {
		n := &g.Nodes[i]
		f := b.forecast(n, said)
		said[n.ID] = f
		if makes(n.Op) {
			out = append(out, f)
		}
	}
	return out, nil
}

func (b *build) forecast(n *dag.Node, said map[dag.ID]engine.Forecast) engine.Forecast {
	f := engine.Forecast{Node: n.ID, State: engine.Cached}
	s := b.nodes[n.ID]
	switch n.Op.(type) {
	case dag.Scratch, *dag.Local, *dag.Git, *dag.HTTP, *dag.Base, *dag.Image, *dag.Index:
		for _, in := range n.Inputs { // these are what they stand on
			if said[in].State != engine.Cached {
				return engine.Forecast{Node: n.ID, State: said[in].State, Reason: said[in].Reason}
			}
		}
		return f
	}
	if _, ok := b.known(s); ok {
		return f
	}
	for _, in := range n.Inputs {
		if said[in].State == engine.Cached {
			continue
		}
		f.State = engine.Unknown
		f.Reason = "known after " + b.stepName(in, said)
		return f
	}
	f.State, f.Reason = engine.WillRun, b.whyNew(s)
	return f
}

// stepName names the first step that must run before a node is known.
func (b *build) stepName(id dag.ID, said map[dag.ID]engine.Forecast) string {
	n := b.node(id)
	for !makes(n.Op) {
		for _, in := range n.Inputs {
			if said[in].State != engine.Cached {
				n = b.node(in)
				break
			}
		}
	}
	return fmt.Sprintf("%s: %s", n.Meta.Name, n.Meta.Title)
}

// The last definition of each step is remembered by its place in the spec, so
// that a new one can be compared with it: "why does this run again?" is the
// first line in which two texts differ.
const lastKind = "last"

func (b *build) lastKey(n *dag.Node) string {
	return n.Meta.Name + " " + n.Meta.Range.String() + " " + n.Op.Kind() + " " + n.Meta.Platform
}

// remember keeps the definition of a step that was made.
func (b *build) remember(s *state) {
	if makes(s.n.Op) {
		_ = b.o.Store.PutRecord(lastKind, b.lastKey(s.n), b.definition(s)) // lost, a reason is less exact
	}
}

// definition is what a reason is found in: the canonical lines of the node,
// and for each input what it is.
func (b *build) definition(s *state) string {
	var t strings.Builder
	for _, l := range dag.Lines(s.n.Op) {
		fmt.Fprintln(&t, l)
	}
	for _, in := range s.n.Inputs {
		if sel, ok := b.selections[in]; ok {
			for _, e := range sel.Entries {
				fmt.Fprintf(&t, "context %c %q %t %s %q\n", e.Type, e.Path, e.Exec, e.Digest(), e.Link)
			}
			continue
		}
		if n := b.node(in); isRemote(n.Op) { // "commit changed"
			for _, l := range dag.Lines(n.Op)[1:] {
				fmt.Fprintln(&t, l)
			}
			continue
		}
		if base, ok := b.node(in).Op.(*dag.Base); ok { // "base digest a1… → b2…"
			fmt.Fprintf(&t, "base %q %s\n", b.node(in).Meta.Title, base.Digest)
			continue
		}
		fmt.Fprintf(&t, "input %s %s\n", b.node(in).Meta.Title, b.nodes[in].def)
	}
	return t.String()
}

// whyNew is the first reason why a step is not known.
func (b *build) whyNew(s *state) string {
	old, ok := b.o.Store.Record(lastKind, b.lastKey(s.n))
	if !ok {
		return "not built here before"
	}
	return firstChange(old, b.definition(s))
}

// firstChange compares two definitions and says what differs, as a person
// would.
func firstChange(before, now string) string {
	had := map[string]bool{}
	for l := range strings.Lines(before) {
		had[strings.TrimSuffix(l, "\n")] = true
	}
	has := map[string]bool{}
	for l := range strings.Lines(now) {
		has[strings.TrimSuffix(l, "\n")] = true
	}
	for l := range strings.Lines(now) {
		if l = strings.TrimSuffix(l, "\n"); !had[l] {
			return describeLine(l, before)
		}
	}
	for l := range strings.Lines(before) {
		if l = strings.TrimSuffix(l, "\n"); !has[l] {
			return lineSubject(l) + " is gone"
		}
	}
	return "its result is not in the cache any more"
}

func describeLine(l, before string) string {
	subject := lineSubject(l)
	for old := range strings.Lines(before) {
		old = strings.TrimSuffix(old, "\n")
		if lineSubject(old) != subject {
			continue
		}
		if strings.HasPrefix(l, "context ") || strings.HasPrefix(l, "input ") {
			return subject + " changed" // digests that nobody knows
		}
		return subject + " changed" + fromTo(old, l)
	}
	return subject + " is new"
}

// fromTo is what a line of one short value said and says: of a base's digest
// the beginning, as people compare them.
func fromTo(before, now string) string {
	value := func(l string) string {
		v := l[strings.LastIndexByte(l, ' ')+1:]
		v = strings.Trim(v, `"`)
		if _, digest, ok := strings.Cut(v, "sha256:"); ok && len(digest) >= 12 {
			return digest[:12] + "…"
		}
		return v
	}
	a, b := value(before), value(now)
	if len(a)+len(b) > 60 || strings.ContainsAny(a+b, " \n") || a == b {
		return ""
	}
	return ": " + a + " → " + b
}

// StandsOn is how a reason begins that follows from another step's.
const StandsOn = "what it stands on"

// lineSubject is what a line speaks of: its name, and what its first value
// names where there can be several.
func lineSubject(l string) string {
	name, rest, _ := strings.Cut(l, " ")
	switch name {
	case "context":
		_, rest, _ := strings.Cut(rest, " ")
		return firstValue(rest)
	case "base", "env", "package", "file", "directory", "symlink", "user", "group", "host", "mount":
		return name + " " + firstValue(rest)
	case "input":
		i := strings.LastIndexByte(rest, ' ')
		return StandsOn + " (" + rest[:max(i, 0)] + ")"
	default:
		return name
	}
}

func firstValue(s string) string {
	if !strings.HasPrefix(s, `"`) {
		v, _, _ := strings.Cut(s, " ")
		return v
	}
	if i := strings.IndexByte(s[1:], '"'); i >= 0 {
		return s[1 : i+1]
	}
	return s
}

// Definitions is what each node of a graph is defined by, in one digest: the
// operation, the contents of the files that it selects, and the definitions of
// what it stands on. Two graphs in which a node has the same one describe the
// same thing, on any machine. Nothing is run or fetched.
func (e *Engine) Definitions(ctx context.Context, g *dag.Graph) (map[dag.ID]string, error) {
	b := newBuild(e, g, func(engine.Event) {}, func(error) {})
	if err := b.define(ctx); err != nil {
		return nil, err
	}
	out := make(map[dag.ID]string, len(g.Nodes))
	for i := range g.Nodes {
		id := g.Nodes[i].ID
		out[id] = b.nodes[id].def.String()
	}
	return out, nil
}
