package dag

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// uses counts, for each node, the nodes and outputs that take from it.
func (g *Graph) uses() map[ID]int {
	n := map[ID]int{}
	for i := range g.Nodes {
		inputs := g.Nodes[i].Inputs
		for k, in := range inputs {
			if !slices.Contains(inputs[:k], in) { // one run may mount one root twice
				n[in]++
			}
		}
	}
	for _, o := range g.Outputs {
		n[o.Node]++
	}
	return n
}

// WriteText lists the graph for people: each node with its short ID, its
// operation, what it does and what it takes from; a node that several take
// from is marked.
func (g *Graph) WriteText(w io.Writer) error {
	var b strings.Builder
	uses := g.uses()
	for i := range g.Nodes {
		n := &g.Nodes[i]
		line := fmt.Sprintf("%s  %-8s  %s", n.ID.Short(), n.Op.Kind(), n.Meta.Title)
		if n.Meta.Name != "" {
			line += "  [" + n.Meta.Name + place(n.Meta.Platform) + "]"
		}
		if len(n.Inputs) > 0 {
			line += "  <- " + strings.Join(shorts(n.Inputs), " ")
		}
		if k := uses[n.ID]; k > 1 {
			line += fmt.Sprintf("  shared by %d", k)
		}
		b.WriteString(line + "\n")
	}
	for _, o := range g.Outputs {
		fmt.Fprintf(&b, "output %s = %s", o.Addr, o.Node.Short())
		for i, id := range o.Images {
			fmt.Fprintf(&b, "  %s=%s", o.Platforms[i], id.Short())
		}
		if len(o.Tests) > 0 {
			fmt.Fprintf(&b, "  after %s", strings.Join(shorts(o.Tests), " "))
		}
		b.WriteString("\n")
		for _, t := range o.Tags {
			fmt.Fprintf(&b, "  tag %s\n", t)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func place(platform string) string {
	if platform == "" {
		return ""
	}
	return " " + platform
}

func shorts(ids []ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.Short()
	}
	return out
}

// WriteDOT draws the graph for Graphviz: one cluster for each stage, image,
// base or context; dashed edges are checks that an image waits for.
func (g *Graph) WriteDOT(w io.Writer) error {
	var b strings.Builder
	b.WriteString("digraph specbuild {\n  rankdir=BT;\n  node [shape=box, fontname=\"monospace\", fontsize=10];\n")
	members := g.members()
	for i, name := range g.names() {
		indent := "  "
		if name != "" {
			fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s;\n", i, dotQuote(name))
			indent = "    "
		}
		for _, n := range members[name] {
			fmt.Fprintf(&b, "%s%s [label=%s];\n", indent, dotQuote(n.ID.Short()), dotQuote(dotLabel(n)))
		}
		if name != "" {
			b.WriteString("  }\n")
		}
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		_, image := n.Op.(*Image)
		for k, in := range n.Inputs {
			style := ""
			if image && k > 0 {
				style = " [style=dashed]"
			}
			fmt.Fprintf(&b, "  %s -> %s%s;\n", dotQuote(n.ID.Short()), dotQuote(in.Short()), style)
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// names lists what nodes belong to, in the order of the graph.
func (g *Graph) names() []string {
	var out []string
	seen := map[string]bool{}
	for i := range g.Nodes {
		if n := g.Nodes[i].Meta.Name; !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

func (g *Graph) members() map[string][]*Node {
	out := map[string][]*Node{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		out[n.Meta.Name] = append(out[n.Meta.Name], n)
	}
	return out
}

func dotLabel(n *Node) string {
	label := n.Op.Kind() + place(n.Meta.Platform)
	if n.Meta.Title != "" && n.Meta.Title != n.Op.Kind() {
		label += "\n" + n.Meta.Title
	}
	return label + "\n" + n.ID.Short()
}

// dotQuote is a DOT string: only quotes, backslashes and line ends mean
// something in it.
func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
