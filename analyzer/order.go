package analyzer

import (
	"container/heap"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// The order in which nodes are inferred: names, not positions, say what a node needs.

// order returns the nodes in an order in which every input is defined before its use: the file's order where that
// is one, a stable topological order otherwise. In the file's order, slots are those of the inputs and outputs of each
// node in turn.
func (e *engine) order(g *onnx.Graph, protos []*onnx.Node, s *scope) (nodes []*onnx.Node, slots []int32, err error) {
	d := &definitions{s: s, first: int32(len(s.vals)), by: make([]int32, 0, len(protos))}
	parts := make([]reading, 1, mostReadings)
	args := 0
	for i, p := range protos {
		if i > 0 && i%(len(protos)/cap(parts)+1) == 0 && len(protos) >= manyReadings {
			parts = append(parts, reading{lo: i, args: args, made: int32(len(s.vals))})
		}
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
	parts[0].made = d.first
	slots = make([]int32, args)
	var beside sync.WaitGroup
	for k := range parts[1:] {
		beside.Go(func() { parts[k].read(d, protos[:parts[k+1].lo], slots[parts[k].args:]) })
	}
	last := &parts[len(parts)-1]
	last.read(d, protos, slots[last.args:])
	beside.Wait()
	sorted := true
	for k := range parts {
		r := &parts[k]
		if r.undefined >= 0 {
			in := protos[r.undefined].Inputs[r.input]
			return nil, nil, e.graphError(g, "%s: input %d %q is produced by no node, initializer or graph input", describe(r.undefined, protos[r.undefined]), r.input, in)
		}
		sorted = sorted && !r.unsorted
	}
	for k := 0; k < len(parts) && sorted; k++ {
		sorted = !slices.ContainsFunc(parts[k].withGraphs, func(i int) bool { return e.takesLater(d, protos[i], i) })
	}
	if sorted {
		return protos, slots, nil
	}
	e.diagnose(Diagnostic{SeverityNote, CodeOrder, "", fmt.Sprintf("graph %q: nodes are not in topological order; sorted", g.Name)})
	nodes, err = e.sort(g, protos, d)
	return nodes, nil, err
}

const (
	mostReadings = 4       // parts of a graph whose inputs are looked up beside each other
	manyReadings = 1 << 14 // nodes of a graph that is worth it
)

// reading looks up the inputs of the nodes from lo on, which nothing changes meanwhile.
type reading struct {
	lo   int
	args int   // of the nodes before
	made int32 // slot of the first output

	unsorted         bool
	undefined, input int // first node with an input that nothing defines, and that input; -1 where there is none
	withGraphs       []int
}

// read fills in the slots of the inputs and outputs of protos[r.lo:].
func (r *reading) read(d *definitions, protos []*onnx.Node, slots []int32) {
	at, made, weight := 0, r.made, int32(-1)
	r.undefined = -1
	for i := r.lo; i < len(protos); i++ {
		p := protos[i]
		for k, in := range p.Inputs {
			slots[at] = noSlot
			if in != "" {
				j, local := d.s.slots.guess(in, made-1, weight+1)
				switch {
				case local:
					slots[at] = j
					if j < d.first {
						weight = j
					}
					r.unsorted = r.unsorted || !d.before(j, i)
				case d.s.parent.lookup(in) == nil:
					r.undefined, r.input = i, k
					return
				}
			}
			at++
		}
		for _, out := range p.Outputs {
			slots[at] = noSlot
			if out != "" {
				slots[at] = made
				made++
			}
			at++
		}
		if hasGraph(p) {
			r.withGraphs = append(r.withGraphs, i)
		}
	}
}

func hasGraph(p *onnx.Node) bool {
	for a := range p.Attributes {
		if p.Attributes[a].G != nil {
			return true
		}
	}
	return false
}

// takesLater reports whether a graph in node i takes a value that a later node makes.
func (e *engine) takesLater(d *definitions, p *onnx.Node, i int) bool {
	for a := range p.Attributes {
		for _, name := range e.captures(p.Attributes[a].G) {
			if j, local := d.s.slots.find(name); local && !d.before(j, i) {
				return true
			}
		}
	}
	return false
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
