package main

import (
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
)

// scopeNode is a place in the name hierarchy with what it and all below it cost.
type scopeNode struct {
	name     string // from its parent on
	own      bool   // some node stands here itself
	total    analyzer.Group
	children []*scopeNode
}

// scopeTree adds groups, one per scope, up along the hierarchy. Chains of single children become one place.
func scopeTree(gs []analyzer.Group) *scopeNode {
	root := &scopeNode{}
	for _, g := range gs {
		at := root
		at.add(g)
		for _, part := range scopeParts(g.Name) {
			at = at.child(part)
			at.add(g)
		}
		at.own = true
	}
	for _, c := range root.children {
		c.collapse()
	}
	return root
}

// scopeParts cuts a scope into levels. Exporters repeat the parents in a level's name ("layer1/layer1.0"); only what
// is new is kept.
func scopeParts(scope string) []string {
	if scope == "" {
		return []string{"(none)"}
	}
	parts := strings.Split(scope, "/")
	for i := len(parts) - 1; i > 0; i-- {
		if short := strings.TrimPrefix(parts[i], parts[i-1]+"."); short != "" {
			parts[i] = short
		}
	}
	return parts
}

func (s *scopeNode) child(name string) *scopeNode {
	for _, c := range s.children {
		if c.name == name {
			return c
		}
	}
	c := &scopeNode{name: name}
	s.children = append(s.children, c)
	return c
}

func (s *scopeNode) add(g analyzer.Group) { addGroup(&s.total, g) }

// addGroup adds the figures of g to sum.
func addGroup(sum *analyzer.Group, g analyzer.Group) {
	sum.Nodes += g.Nodes
	sum.MACs, sum.FLOPs, sum.Special = sum.MACs.Add(g.MACs), sum.FLOPs.Add(g.FLOPs), sum.Special.Add(g.Special)
	sum.Params = sum.Params.Add(g.Params)
	sum.BytesRead, sum.BytesWritten = sum.BytesRead.Add(g.BytesRead), sum.BytesWritten.Add(g.BytesWritten)
	sum.Partial = sum.Partial || g.Partial
}

func (s *scopeNode) collapse() {
	for len(s.children) == 1 && !s.own {
		c := s.children[0]
		s.name, s.own, s.children = s.name+"/"+c.name, c.own, c.children
	}
	for _, c := range s.children {
		c.collapse()
	}
}

// rows lists the tree down to a depth (0: all of it), children indented below their parent.
func (s *scopeNode) rows(depth int) []analyzer.Group {
	var out []analyzer.Group
	var visit func(n *scopeNode, level int)
	visit = func(n *scopeNode, level int) {
		g := n.total
		g.Name = strings.Repeat("  ", level) + n.name
		out = append(out, g)
		if depth > 0 && level+1 >= depth {
			return
		}
		for _, c := range n.children {
			visit(c, level+1)
		}
	}
	for _, c := range s.children {
		visit(c, 0)
	}
	return out
}
