package local

import (
	"context"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/engine/layer"
	"github.com/specbuild/specbuild/lower/dag"
)

// define gives every node its DefID. Contexts are hashed first; the rest is
// arithmetic.
func (b *build) define(ctx context.Context) error {
	if err := b.hashContexts(ctx); err != nil {
		return err
	}
	for i := range b.g.Nodes {
		s := b.nodes[b.g.Nodes[i].ID]
		s.def = b.defID(s)
	}
	return nil
}

// defID is the definition of a node: its canonical lines and the definitions
// of its inputs. A Local is its content, whatever patterns chose it.
func (b *build) defID(s *state) cache.DefID {
	if sel, ok := b.selections[s.n.ID]; ok {
		k := cache.NewKey("local v1")
		k.Line("selection", sel.Digest())
		return k.DefID()
	}
	if _, ok := s.n.Op.(dag.Scratch); ok {
		return cache.NewKey("scratch v1").DefID()
	}
	k := cache.NewKey(keyTitle(s.n.Op))
	addLines(k, dag.Lines(s.n.Op)[1:])
	for _, in := range s.n.Inputs {
		k.Line("input", b.nodes[in].def.String())
	}
	switch op := s.n.Op.(type) {
	case *dag.Run:
		k.Line("sandbox", sandboxVersion)
		k.Line("idmap", b.idmap())
		for i, m := range op.Mounts {
			if m.Type == "secret" || m.Type == "ssh" {
				k.Line("secret", strconv.Itoa(i), strconv.FormatBool(b.counted(s.n, i)))
			}
		}
	case *dag.Test:
		k.Line("sandbox", sandboxVersion)
	case *dag.Packages:
		k.Line("fixups", fixupsVersion)
	}
	k.Line("format", layer.Format)
	return k.DefID()
}

// keyTitle is the first line of a key: the operation, and the version of what
// the lines below it say.
func keyTitle(op dag.Op) string {
	if op.Kind() == "run" {
		return "run v2" // since 2 it says which secrets are mounted
	}
	return op.Kind() + " v1"
}

// addLines adds canonical lines, which are quoted already, to a key.
func addLines(k *cache.Key, lines []string) {
	for _, l := range lines {
		name, rest, _ := strings.Cut(l, " ")
		var values []string
		for rest != "" {
			q, err := strconv.QuotedPrefix(rest)
			if err != nil { // a canonical line is a name and quoted values
				values = append(values, rest)
				break
			}
			v, _ := strconv.Unquote(q) // QuotedPrefix has checked it
			values = append(values, v)
			rest = strings.TrimPrefix(rest[len(q):], " ")
		}
		k.Line(name, values...)
	}
}

// addRoot adds a chain of layers.
func addRoot(k *cache.Key, chain []*layerRef) {
	for _, l := range chain {
		k.Line("root", l.diffID)
	}
}

// addItems adds the entries that a layer is to hold: parents with what they
// have below, files by content.
func addItems(k *cache.Key, items []layer.Item) {
	for _, it := range items {
		k.Line("entry", it.Entry.String())
	}
}
