package dag

import (
	"encoding/json"
	"fmt"
	"slices"
)

// document is the graph as JSON.
type document struct {
	Version int        `json:"version"`
	Nodes   []jsonNode `json:"nodes"`
	Outputs []Output   `json:"outputs"`
}

type jsonNode struct {
	ID     ID              `json:"id"`
	Kind   string          `json:"kind"`
	Op     json.RawMessage `json:"op"`
	Inputs []ID            `json:"inputs"`
	Meta   Meta            `json:"meta"`
}

// documentVersion rises when a reader of the old form would misread the new
// one.
const documentVersion = 1

// MarshalJSON writes all of the graph; UnmarshalJSON reads it back.
func (g *Graph) MarshalJSON() ([]byte, error) {
	doc := document{Version: documentVersion, Outputs: g.Outputs}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		op, err := json.Marshal(n.Op)
		if err != nil {
			return nil, fmt.Errorf("write node %s: %w", n.ID.Short(), err)
		}
		doc.Nodes = append(doc.Nodes, jsonNode{n.ID, n.Op.Kind(), op, n.Inputs, n.Meta})
	}
	return json.Marshal(doc)
}

// UnmarshalJSON reads what MarshalJSON wrote. Every ID is computed anew: a
// document whose IDs do not fit what its nodes say is refused.
func (g *Graph) UnmarshalJSON(data []byte) error {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("read a graph: %w", err)
	}
	if doc.Version != documentVersion {
		return fmt.Errorf("read a graph: its version is %d, not %d", doc.Version, documentVersion)
	}
	out := Graph{Outputs: doc.Outputs, index: map[ID]int{}}
	for _, n := range doc.Nodes {
		op, err := readOp(n.Kind, n.Op)
		if err != nil {
			return fmt.Errorf("read node %s: %w", n.ID.Short(), err)
		}
		for _, in := range n.Inputs {
			if _, ok := out.index[in]; !ok {
				return fmt.Errorf("read node %s: its input %s does not stand before it", n.ID.Short(), in.Short())
			}
		}
		if got := identify(op, n.Inputs); got != n.ID {
			return fmt.Errorf("read node %s: what it says has the ID %s", n.ID.Short(), got.Short())
		}
		out.index[n.ID] = len(out.Nodes)
		out.Nodes = append(out.Nodes, Node{ID: n.ID, Op: op, Inputs: n.Inputs, Meta: n.Meta})
	}
	if err := out.checkOutputs(); err != nil {
		return err
	}
	*g = out
	return nil
}

func (g *Graph) checkOutputs() error {
	for _, o := range g.Outputs {
		for _, id := range slices.Concat([]ID{o.Node}, o.Images, o.Tests) {
			if _, ok := g.index[id]; !ok {
				return fmt.Errorf("read output %s: there is no node %s", o.Addr, id.Short())
			}
		}
		if len(o.Platforms) != len(o.Images) {
			return fmt.Errorf("read output %s: it has %d images and %d platforms", o.Addr, len(o.Images), len(o.Platforms))
		}
	}
	return nil
}

func readOp(kind string, data []byte) (Op, error) {
	var op Op
	switch kind {
	case "scratch":
		return Scratch{}, nil
	case "base":
		op = &Base{}
	case "local":
		op = &Local{}
	case "git":
		op = &Git{}
	case "http":
		op = &HTTP{}
	case "copy":
		op = &Copy{}
	case "run":
		op = &Run{}
	case "packages":
		op = &Packages{}
	case "files":
		op = &Files{}
	case "image":
		op = &Image{}
	case "index":
		op = &Index{}
	case "test":
		op = &Test{}
	default:
		return nil, fmt.Errorf("the operation %q is unknown", kind)
	}
	if err := json.Unmarshal(data, op); err != nil {
		return nil, err
	}
	return op, nil
}
