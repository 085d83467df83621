package analyzer

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Buffer is memory that one tensor, or several that alias each other, occupy: a tensor and its views, and results that
// were written over an input that died.
type Buffer struct {
	Bytes  int64
	First  int         // node that makes the first tensor, -1 for graph inputs
	Last   int         // last node that uses any of them; len(Nodes) where one is a graph output
	Values []*op.Value // in the order of their making, all of the same size; nil for the workspace of a body
}

// Buffers groups the tensors of the main graph by the memory that they can share, in the order of their making. What
// may alias is declared by the rules: a view (Rule.Views) has its input's buffer, and a result may take the place of an
// input that dies at the node (Rule.InPlace) where both have the same size and element width. Graph inputs and constants
// belong to the caller and are never overwritten. The bodies of a control-flow node run in a workspace of their own,
// beside the inputs and outputs of the node.
//
// partial says that some tensor's size is unknown and counts 0. The error names the dimensions without a value.
func (r *Report) Buffers(env dim.Env) (bufs []Buffer, partial bool, err error) {
	return r.buffers(env, false)
}

// ViewBuffers is Buffers for a runtime that never writes a result over an input: only views share memory.
func (r *Report) ViewBuffers(env dim.Env) (bufs []Buffer, partial bool, err error) {
	return r.buffers(env, true)
}

func (r *Report) buffers(env dim.Env, viewsOnly bool) (bufs []Buffer, partial bool, err error) {
	if env == nil {
		env, _ = r.Bounded(r.Dims)
	}
	l := &liveness{env: env, scale: r.scale, places: zeros[place](r.values), viewsOnly: viewsOnly}
	bufs, err = l.buffers(r.Nodes, r.Inputs, r.Outputs, nil)
	return bufs, l.partial, err
}

func (l *liveness) buffers(nodes []*Node, inputs, outputs, handed []*op.Value) ([]Buffer, error) {
	vals, err := l.lifetimes(nodes, inputs, outputs, handed)
	if err != nil {
		return nil, err
	}
	return l.group(vals, nodes)
}

// group assigns the tensors of a graph, whose lifetimes are given, to buffers.
func (l *liveness) group(vals []LiveValue, nodes []*Node) ([]Buffer, error) {
	a := &aliases{viewsOnly: l.viewsOnly, vals: vals, bufOf: make([]int32, len(vals)), bufs: make([]Buffer, 0, len(vals)), values: make([]*op.Value, len(vals))}
	a.index = func(v *op.Value) int {
		if v == nil || v.Resident() {
			return -1
		}
		if p := l.places[v.ID]; p.run == l.runs {
			return int(p.pos)
		}
		return -1
	}
	for i := range vals {
		a.bufOf[i] = -1
	}
	next := 0
	for ; next < len(vals) && vals[next].First < 0; next++ {
		a.own(next)
	}
	for i, n := range nodes {
		for ; next < len(vals) && vals[next].First <= i; next++ {
			if b := a.share(n, i, next); b >= 0 {
				a.join(next, b)
			} else {
				a.own(next)
			}
		}
	}
	return l.workspaces(nodes, a.bufs)
}

// workspaces adds a buffer for the bodies of every control-flow node.
func (l *liveness) workspaces(nodes []*Node, bufs []Buffer) ([]Buffer, error) {
	for i, n := range nodes {
		most, err := l.workspace(n)
		if err != nil {
			return nil, err
		}
		if most > 0 {
			bufs = append(bufs, Buffer{Bytes: most, First: i, Last: i})
		}
	}
	return bufs, nil
}

// workspace is what the bodies of a node need, one at a time.
func (l *liveness) workspace(n *Node) (most int64, err error) {
	for _, b := range n.Bodies {
		inner, err := l.buffers(b.Nodes, b.Inputs, b.Outputs, n.handed(b))
		if err != nil {
			return 0, err
		}
		most = max(most, planBuffers(inner, len(b.Nodes), ArenaOptions{}).Bytes)
	}
	return most, nil
}

// aliases assigns the tensors of one graph to buffers.
type aliases struct {
	viewsOnly bool
	vals      []LiveValue
	index     func(*op.Value) int // position in vals, -1 for constants and for values of other graphs
	bufOf     []int32
	bufs      []Buffer
	values    []*op.Value // backing of the one-element Buffer.Values
}

func (a *aliases) own(i int) {
	v := &a.vals[i]
	a.bufOf[i] = int32(len(a.bufs))
	a.values[i] = v.Value
	a.bufs = append(a.bufs, Buffer{Bytes: v.Bytes, First: v.First, Last: v.Last, Values: a.values[i : i+1 : i+1]})
}

func (a *aliases) join(i, b int) {
	buf := &a.bufs[b]
	a.bufOf[i] = int32(b)
	buf.Values = append(buf.Values, a.vals[i].Value)
	buf.Last = max(buf.Last, a.vals[i].Last)
}

// share returns the buffer that tensor i, an output of node n at the given step, can have; -1 for one of its own.
func (a *aliases) share(n *Node, step, i int) int {
	out := a.vals[i].Value
	if n.Rule == nil || len(n.Outputs) == 0 || n.Outputs[0] != out || out.Kind != onnx.KindTensor || a.vals[i].Bytes == 0 {
		return -1
	}
	if n.views() {
		if k := a.index(n.Inputs[0]); k >= 0 && a.vals[k].Bytes == a.vals[i].Bytes {
			return int(a.bufOf[k])
		}
		return -1
	}
	if a.viewsOnly {
		return -1
	}
	for k, in := range n.Inputs {
		if at := a.index(in); at >= 0 && a.vals[at].Bytes == a.vals[i].Bytes && n.mayOverwrite(k) {
			if b := a.bufOf[at]; a.bufs[b].Last == step && a.bufs[b].First >= 0 && !a.readTwice(n, k, b) {
				return int(b)
			}
		}
	}
	return -1
}

// readTwice reports whether an operator that is not element-wise reads buffer b by another argument than k as well: the
// order in which it reads and writes is then its own.
func (a *aliases) readTwice(n *Node, k int, b int32) bool {
	if n.Rule.Class == op.Elementwise {
		return false
	}
	for j, in := range n.Inputs {
		if at := a.index(in); j != k && at >= 0 && a.bufOf[at] == b {
			return true
		}
	}
	return false
}

// views reports whether the rule of n makes its first output the first input under another type or shape. That both have
// as many bytes is for the caller to check under its bindings.
func (n *Node) views() bool {
	if n.Rule == nil || len(n.Inputs) == 0 || len(n.Outputs) == 0 || n.Inputs[0] == nil || n.Outputs[0] == nil {
		return false
	}
	return n.Rule.Views(n.Inputs[0], n.Outputs[0]) && (n.Rule.Memory != op.View || n.Work.FLOPs().Is(0))
}

// mayOverwrite reports whether the rule of n lets its first output take the place of input i: an input that the rule
// names, with elements of the same width. That there are as many of them, and that nobody needs the input any more, is
// for the caller to check.
func (n *Node) mayOverwrite(i int) bool {
	if n.Rule == nil || i >= len(n.Inputs) || !op.Has(n.Rule.InPlace, i) || len(n.Outputs) == 0 {
		return false
	}
	in, out := n.Inputs[i], n.Outputs[0]
	return in != nil && out != nil && in.Kind == onnx.KindTensor && out.Kind == onnx.KindTensor &&
		in.DType.Bits() == out.DType.Bits()
}
