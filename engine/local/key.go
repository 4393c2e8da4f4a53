package local

import (
	"context"
	"fmt"
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
	case *dag.Copy:
		if op.Unpack {
			k.Line("archives", archivesVersion)
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
	switch op.Kind() {
	case "run":
		return "run v2" // since 2 it says which secrets are mounted
	case "files":
		return "files v2" // since 2 it says what accounts were written
	}
	return op.Kind() + " v1"
}

// archivesVersion is part of the key of every copy that unpacks. Before 2 the
// members of a zip were known by name and size alone.
const archivesVersion = "2"

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
// have below, files by content. A file whose content nobody has hashed would
// be taken for every other of its name and size, so it is no part of a key.
func addItems(k *cache.Key, items []layer.Item) error {
	for _, it := range items {
		if it.Type == layer.File && it.Digest == "" {
			return fmt.Errorf("the content of /%s is not known, and so nothing can be remembered of it", it.Path)
		}
		k.Line("entry", it.Entry.String())
	}
	return nil
}
