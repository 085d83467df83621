package analyzer

import (
	"container/heap"
	"fmt"
	"slices"
	"sort"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// The order in which nodes are inferred: names, not positions, say what a node needs.

// order returns the nodes in an order in which every input is defined before its use: the file's order where that
// is one, a stable topological order otherwise. In the file's order, slots are those of the inputs and outputs of each
// node in turn.
func (e *engine) order(g *onnx.Graph, protos []*onnx.Node, s *scope) (nodes []*onnx.Node, slots []int32, err error) {
	d := &definitions{s: s, first: int32(len(s.vals)), by: make([]int32, 0, len(protos))}
	args := 0
	for i, p := range protos {
		args += len(p.Inputs) + len(p.Outputs)
		for _, out := range p.Outputs {
			if out == "" {
				continue
			}
			if _, fresh := s.reserve(out); !fresh {
				return nil, nil, e.graphError(g, "value %q is defined twice, the second time by %s", out, describe(i, p))
			}
			d.by = append(d.by, int32(i))
		}
	}
	sorted := true
	slots = make([]int32, 0, args)
	made := d.first
	for i, p := range protos {
		for k, in := range p.Inputs {
			at := int32(noSlot)
			if in != "" {
				j, local := s.slots.find(in)
				switch {
				case !local && s.parent.lookup(in) == nil:
					return nil, nil, e.graphError(g, "%s: input %d %q is produced by no node, initializer or graph input", describe(i, p), k, in)
				case local:
					at = j
					sorted = sorted && d.before(j, i)
				}
			}
			slots = append(slots, at)
		}
		for _, out := range p.Outputs {
			if out == "" {
				slots = append(slots, noSlot)
				continue
			}
			slots = append(slots, made)
			made++
		}
		for a := range p.Attributes {
			if !sorted {
				break
			}
			for _, name := range e.captures(p.Attributes[a].G) {
				if j, local := s.slots.find(name); local && !d.before(j, i) {
					sorted = false
				}
			}
		}
	}
	if sorted {
		return protos, slots, nil
	}
	e.diagnose(Diagnostic{SeverityNote, CodeOrder, "", fmt.Sprintf("graph %q: nodes are not in topological order; sorted", g.Name)})
	nodes, err = e.sort(g, protos, d)
	return nodes, nil, err
}

// definitions says which node of a graph makes the value of a slot.
type definitions struct {
	s     *scope
	first int32   // slots before it are initializers and inputs
	by    []int32 // producing node, by slot from first on
}

// before reports whether the value of a slot is there when node i runs in file order.
func (d *definitions) before(slot int32, i int) bool {
	return slot < d.first || int(d.by[slot-d.first]) < i
}

// producer returns the node that makes a name; ok is false where none of this graph does.
func (d *definitions) producer(name string) (i int, ok bool) {
	slot, ok := d.s.slots.find(name)
	if !ok || slot < d.first {
		return 0, false
	}
	return int(d.by[slot-d.first]), true
}

// sort is Kahn's algorithm that takes ready nodes in file order.
func (e *engine) sort(g *onnx.Graph, protos []*onnx.Node, d *definitions) ([]*onnx.Node, error) {
	users := make([][]int, len(protos))
	missing := make([]int, len(protos))
	for i, p := range protos {
		need := func(name string) {
			if j, ok := d.producer(name); ok {
				users[j] = append(users[j], i)
				missing[i]++
			}
		}
		for _, in := range p.Inputs {
			need(in)
		}
		for a := range p.Attributes {
			for _, name := range e.captures(p.Attributes[a].G) {
				need(name)
			}
		}
	}
	var ready intHeap
	for i := range protos {
		if missing[i] == 0 {
			heap.Push(&ready, i)
		}
	}
	order := make([]*onnx.Node, 0, len(protos))
	for ready.Len() > 0 {
		i := heap.Pop(&ready).(int)
		order = append(order, protos[i])
		for _, u := range users[i] {
			if missing[u]--; missing[u] == 0 {
				heap.Push(&ready, u)
			}
		}
	}
	if len(order) < len(protos) {
		i := slices.IndexFunc(missing, func(m int) bool { return m > 0 })
		return nil, e.graphError(g, "%s is part of a cycle", describe(i, protos[i]))
	}
	return order, nil
}

func describe(i int, p *onnx.Node) string { return fmt.Sprintf("node %d %q (%s)", i, p.Name, p.OpType) }

// captures returns the names that a subgraph takes from enclosing graphs, sorted, those of nested subgraphs included.
func (e *engine) captures(g *onnx.Graph) []string {
	if g == nil {
		return nil
	}
	if names, ok := e.captured[g]; ok {
		return names
	}
	if e.captured == nil {
		e.captured = map[*onnx.Graph][]string{}
	}
	e.captured[g] = nil // a graph that holds itself takes nothing more from outside
	local := make(map[string]bool, len(g.Inputs)+len(g.Nodes))
	for _, in := range g.Inputs {
		local[in.Name] = true
	}
	for _, t := range g.Initializers {
		local[t.Name] = true
	}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			local[o] = true
		}
	}
	var out []string
	take := func(name string) {
		if name != "" && !local[name] {
			out = append(out, name)
		}
	}
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			take(in)
		}
		for a := range n.Attributes {
			for _, name := range e.captures(n.Attributes[a].G) {
				take(name)
			}
		}
	}
	for _, o := range g.Outputs {
		take(o.Name)
	}
	slices.Sort(out)
	e.captured[g] = slices.Compact(out)
	return e.captured[g]
}

// intHeap is a min-heap of node positions for container/heap.
type intHeap struct{ sort.IntSlice }

func (h *intHeap) Push(x any) { h.IntSlice = append(h.IntSlice, x.(int)) }

func (h *intHeap) Pop() any {
	last := len(h.IntSlice) - 1
	x := h.IntSlice[last]
	h.IntSlice = h.IntSlice[:last]
	return x
}
