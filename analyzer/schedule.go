package analyzer

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Schedule is an order of execution of the main graph, chosen for its peak of live buffers (see Report.Buffers).
type Schedule struct {
	Order []int // indices into Report.Nodes
	// PeakBytes is the largest sum of live buffers under Order, FilePeakBytes the one under the Report's own order.
	PeakBytes, FilePeakBytes int64
	// Optimal says that no order has a lower peak.
	Optimal bool
}

// scheduleStates bounds the search for an order, in states kept.
const scheduleStates = 100_000

// MinMemoryOrder looks for the order of execution with the lowest peak of live buffers under env (the Report's own Dims
// where env is nil). Nodes that every other node must come before or after divide the graph into pieces that are ordered
// one by one; within a piece, the sets of executed nodes are searched layer by layer, all of them where they are few and
// the best ones otherwise. A piece that cannot be improved keeps its order. The error names the dimensions without a
// value.
func (r *Report) MinMemoryOrder(env dim.Env) (*Schedule, error) {
	if env == nil {
		env, _ = r.Bounded(r.Dims)
	}
	s, err := newScheduler(r, env)
	if err != nil {
		return nil, err
	}
	out := &Schedule{Order: make([]int, 0, len(s.nodes)), Optimal: true}
	var live int64
	for _, b := range s.bufs {
		if b.input {
			live += b.bytes
			out.PeakBytes = max(out.PeakBytes, live)
		}
	}
	out.FilePeakBytes = out.PeakBytes
	for _, piece := range s.pieces() {
		order, peak, filePeak, exact := s.order(piece, live)
		out.Order = append(out.Order, order...)
		out.PeakBytes, out.FilePeakBytes = max(out.PeakBytes, peak), max(out.FilePeakBytes, filePeak)
		out.Optimal = out.Optimal && exact
		for _, n := range order {
			live += s.run(n)
		}
	}
	out.Optimal = out.Optimal || out.PeakBytes == s.floor()
	return out, nil
}

// Reordered is the Report with the nodes of the main graph in another order. The error says which node would run before
// something that it needs.
func (r *Report) Reordered(order []int) (*Report, error) {
	if len(order) != len(r.Nodes) {
		return nil, fmt.Errorf("order of %d nodes: want %d", len(order), len(r.Nodes))
	}
	made := map[*op.Value]bool{}
	for _, n := range r.Nodes {
		for _, o := range n.Outputs {
			made[o] = true
		}
	}
	out := *r
	out.Nodes = make([]*Node, len(order))
	for i, k := range order {
		if k < 0 || k >= len(r.Nodes) {
			return nil, fmt.Errorf("order: node %d, want 0 to %d", k, len(r.Nodes)-1)
		}
		n := *r.Nodes[k]
		n.Index = i
		out.Nodes[i] = &n
		var early *op.Value
		uses(&n, func(v *op.Value) {
			if made[v] {
				early = v
			}
		})
		if early != nil {
			return nil, fmt.Errorf("order: node %q comes before the one that makes %q, or twice", n.Name, early.Name)
		}
		for _, o := range n.Outputs {
			delete(made, o)
		}
	}
	return &out, nil
}

// schedBuf is the memory of a tensor and its views. Whether a result takes its place depends on the order.
type schedBuf struct {
	bytes  int64
	users  []int // nodes that read it, ascending
	left   int   // users that have not run
	output bool  // needed at the end
	input  bool  // there from the start
}

type schedNode struct {
	uses      []int // buffers, distinct
	makes     []int
	overwrite []int // buffers whose place the first result may take, once this node is their last user
	inner     int64 // workspace of bodies
	before    []int // producers
	after     []int // readers
}

type scheduler struct {
	bufs  []schedBuf
	nodes []schedNode
}

func newScheduler(r *Report, env dim.Env) (*scheduler, error) {
	l := &liveness{env: env, scale: r.scale, places: make([]place, r.values)}
	vals, err := l.lifetimes(r.Nodes, r.Inputs, r.Outputs, nil)
	if err != nil {
		return nil, err
	}
	main := l.runs
	s := &scheduler{nodes: make([]schedNode, len(r.Nodes))}
	bufOf := make([]int, len(vals))
	at := func(v *op.Value) int {
		if v != nil && !v.Resident() && l.places[v.ID].run == main {
			return int(l.places[v.ID].pos)
		}
		return -1
	}
	next := 0
	for ; next < len(vals) && vals[next].First < 0; next++ {
		bufOf[next] = s.newBuf(vals[next].Bytes, true)
	}
	maker := make([]int, len(vals))
	for i, n := range r.Nodes {
		x := &s.nodes[i]
		var seen []int
		uses(n, func(v *op.Value) {
			if k := at(v); k >= 0 && k < next && !slices.Contains(seen, k) {
				seen = append(seen, k)
				b := bufOf[k]
				if !slices.Contains(x.uses, b) {
					x.uses = append(x.uses, b)
					s.bufs[b].users = append(s.bufs[b].users, i)
				}
				if vals[k].First >= 0 && !slices.Contains(x.before, maker[k]) {
					x.before = append(x.before, maker[k])
					s.nodes[maker[k]].after = append(s.nodes[maker[k]].after, i)
				}
			}
		})
		for ; next < len(vals) && vals[next].First <= i; next++ {
			maker[next] = i
			first := len(n.Outputs) > 0 && n.Outputs[0] == vals[next].Value && vals[next].Bytes > 0
			if first && n.views() {
				if k := at(n.Inputs[0]); k >= 0 && vals[k].Bytes == vals[next].Bytes {
					bufOf[next] = bufOf[k]
					continue
				}
			}
			bufOf[next] = s.newBuf(vals[next].Bytes, false)
			x.makes = append(x.makes, bufOf[next])
			if !first {
				continue
			}
			for j, in := range n.Inputs {
				if k := at(in); k >= 0 && vals[k].Bytes == vals[next].Bytes && n.mayOverwrite(j) && !s.bufs[bufOf[k]].input &&
					(n.Rule.Class == op.Elementwise || reads(n, bufOf[k], bufOf, at) == 1) {
					x.overwrite = append(x.overwrite, bufOf[k])
				}
			}
		}
		if x.inner, err = l.workspace(n); err != nil {
			return nil, err
		}
	}
	for _, v := range r.Outputs {
		if k := at(v); k >= 0 {
			s.bufs[bufOf[k]].output = true
		}
	}
	for i := range s.bufs {
		s.bufs[i].left = len(s.bufs[i].users)
	}
	return s, nil
}

// reads counts the arguments by which n reads a buffer.
func reads(n *Node, b int, bufOf []int, at func(*op.Value) int) (times int) {
	for _, in := range n.Inputs {
		if k := at(in); k >= 0 && bufOf[k] == b {
			times++
		}
	}
	return times
}

func (s *scheduler) newBuf(bytes int64, input bool) int {
	s.bufs = append(s.bufs, schedBuf{bytes: bytes, input: input})
	return len(s.bufs) - 1
}

// floor is what no order can go below: what one node needs by itself.
func (s *scheduler) floor() int64 {
	var most int64
	for _, n := range s.nodes {
		var sum, out int64
		for _, b := range n.uses {
			sum += s.bufs[b].bytes
		}
		for _, b := range n.makes {
			out += s.bufs[b].bytes
		}
		if len(n.overwrite) > 0 {
			out -= s.bufs[n.overwrite[0]].bytes
		}
		most = max(most, sum+out+n.inner)
	}
	return most
}

// run executes node i and returns by how much the live sum changes.
func (s *scheduler) run(i int) (delta int64) {
	n := &s.nodes[i]
	for _, b := range n.makes {
		if len(s.bufs[b].users) > 0 || s.bufs[b].output {
			delta += s.bufs[b].bytes
		}
	}
	for _, b := range n.uses {
		if s.bufs[b].left--; s.bufs[b].left == 0 && !s.bufs[b].output {
			delta -= s.bufs[b].bytes
		}
	}
	return delta
}

// pieces divides the nodes, in their order, behind every node that all earlier ones lead to and that leads to all later
// ones.
func (s *scheduler) pieces() (out [][]int) {
	n := len(s.nodes)
	reach := make([]int, n+1) // the earliest latest producer of the nodes from i on
	reach[n] = n
	for i := n - 1; i >= 0; i-- {
		last := -1
		for _, b := range s.nodes[i].before {
			last = max(last, b)
		}
		reach[i] = min(reach[i+1], last)
	}
	var piece []int
	farthest := -1 // the latest first reader of the nodes before i
	for i := range n {
		piece = append(piece, i)
		if farthest <= i && (i+1 == n || reach[i+1] >= i) {
			out = append(out, piece)
			piece = nil
		}
		first := n
		for _, a := range s.nodes[i].after {
			first = min(first, a)
		}
		farthest = max(farthest, first)
	}
	if piece != nil {
		out = append(out, piece)
	}
	return out
}

// order finds the order of a piece with the lowest peak. live is the sum of what lives before it.
func (s *scheduler) order(piece []int, live int64) (order []int, peak, filePeak int64, exact bool) {
	p := newPieceSearch(s, piece)
	filePeak = p.peakOf(live)
	if len(piece) < 2 {
		return piece, filePeak, filePeak, true
	}
	found, best, exact := p.search(live)
	if best >= filePeak {
		return piece, filePeak, filePeak, exact
	}
	order = make([]int, len(piece))
	for i, k := range found {
		order[i] = piece[k]
	}
	return order, best, filePeak, exact
}

// compareStates puts the state to be kept first: the lower peak, then the lower live sum.
func compareStates(a, b *pieceState) int {
	return cmp.Or(cmp.Compare(a.peak, b.peak), cmp.Compare(a.live, b.live))
}
