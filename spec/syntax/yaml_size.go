package syntax

import "gopkg.in/yaml.v3"

// YAMLSize is how large a YAML document is once every alias is followed: its
// nodes, and its depth up to one more than [MaxDepth], where counting stops
// (an alias may lie below its own anchor). Text that is not YAML is 0, 0.
//
// Nine anchors that each name the one before nine times are a billion nodes
// out of 300 bytes, so whoever follows aliases asks this first.
func YAMLSize(src []byte) (nodes float64, depth int) {
	var doc yaml.Node
	if yaml.Unmarshal(src, &doc) != nil || len(doc.Content) == 0 {
		return 0, 0
	}
	s := yamlSizer{counts: make(map[*yaml.Node]yamlCount)}
	c := s.size(doc.Content[0], 1)
	return c.nodes, c.depth
}

type yamlCount struct {
	nodes float64
	depth int
}

type yamlSizer struct {
	counts map[*yaml.Node]yamlCount
	over   bool
}

func (s *yamlSizer) size(n *yaml.Node, level int) yamlCount {
	if s.over || level > MaxDepth {
		s.over = true
		return yamlCount{1, MaxDepth + 1}
	}
	if c, ok := s.counts[n]; ok {
		return c
	}
	c := yamlCount{nodes: 1}
	children := n.Content
	if n.Alias != nil {
		children = []*yaml.Node{n.Alias}
	}
	for _, child := range children {
		in := s.size(child, level+1)
		c.nodes += in.nodes
		c.depth = max(c.depth, in.depth)
	}
	c.depth = min(c.depth+1, MaxDepth+1)
	s.counts[n] = c
	return c
}
