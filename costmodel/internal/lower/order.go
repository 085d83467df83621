package lower

import "slices"

// visit is an entry of the depth-first stack: a node to enter, or one whose producers have all been left.
type visit struct {
	node  *gnode
	leave bool
}

// topological returns the live nodes in ONNX Runtime's default execution order: a reverse depth-first search that
// starts at the nodes nobody reads from and, at every fork, goes to the producer with the highest position first. A
// node runs after everything it needs. (GraphViewer and Graph::ReverseDFSFrom in ONNX Runtime's core/graph; checked
// against the profiler.)
//
// The result is valid until the graph changes and must not be modified.
func (g *graph) topological() []*gnode {
	if g.ordered != nil {
		return g.ordered
	}
	g.stamp++
	stack := g.stack[:0]
	for _, n := range g.nodes {
		if !n.dead && !n.read() {
			stack = append(stack, visit{node: n})
		}
	}
	order := make([]*gnode, 0, len(g.nodes))
	var producers []*gnode
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := v.node
		if v.leave {
			order = append(order, n)
			continue
		}
		if n.mark == g.stamp {
			continue
		}
		n.mark = g.stamp
		stack = append(stack, visit{n, true})
		producers = producers[:0]
		for _, ts := range [2][]*tensor{n.in, n.captured} {
			for _, t := range ts {
				if t != nil && t.from != nil && t.from.mark != g.stamp {
					producers = append(producers, t.from)
				}
			}
		}
		if len(producers) > 1 {
			slices.SortFunc(producers, func(a, b *gnode) int { return a.index - b.index })
		}
		for _, p := range producers {
			stack = append(stack, visit{node: p})
		}
	}
	g.stack, g.ordered = stack, order
	return order
}

// read reports whether some node reads an output of n.
func (n *gnode) read() bool {
	for _, t := range n.out {
		if t != nil && len(t.uses) > 0 {
			return true
		}
	}
	return false
}
