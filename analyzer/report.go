package analyzer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Report is the result of an analysis. Shapes and figures are formulas in the free dimensions; Dims holds the values
// that the user or the defaults give to some of them.
type Report struct {
	Model   *onnx.Model
	Inputs  []*op.Value // stored defaults left out
	Outputs []*op.Value
	// Nodes are the nodes that execute, in the stated order: the file's where it is topological. Constants that any
	// runtime folds and nodes whose outputs nobody uses are left out.
	Nodes []*Node
	// Folded are nodes left out of Nodes because the known extents of the inputs decide their results, and nodes whose
	// outputs nobody uses then; bodies included, in no particular order. Runtimes that infer fewer extents execute some of
	// them.
	Folded      []*Node
	Weights     []*Weight
	Symbols     []Symbol
	Dims        dim.Env
	UnusedDims  []string // names of Options.Dims that the model lacks
	Diagnostics []Diagnostic
	// Requirements are the equalities that inference has assumed: they hold wherever the model runs.
	Requirements []Requirement

	values, counts int // number of values and of Counts, for tables by their numbers
	known, counted int
	unknown        map[string]int
	prebound       bool // inferred with Dims already in place
	scale          func(onnx.DType) float64
}

// Scaled is the Report with the sizes of activations as another precision has them: those of element type t times
// scale(t). Liveness, Buffers and Arena are of these sizes.
func (r *Report) Scaled(scale func(t onnx.DType) float64) *Report {
	c := *r
	c.scale = scale
	return &c
}

// Walk calls f for every executed node, bodies included, with the number of times that it runs in one inference and
// its depth (0 in the main graph). Bodies follow the node that runs them; alternative branches are not visited.
func (r *Report) Walk(f func(n *Node, times dim.Dim, depth int)) {
	walk(r.Nodes, dim.Const(1), 0, f)
}

func walk(nodes []*Node, times dim.Dim, depth int, f func(*Node, dim.Dim, int)) {
	for _, n := range nodes {
		f(n, times, depth)
		for _, b := range n.Bodies {
			if !b.Alternative {
				walk(b.Nodes, times.Mul(b.Times), depth+1, f)
			}
		}
	}
}

// walkAll calls f for every node, those of bodies and of branches that could run instead included.
func walkAll(nodes []*Node, f func(*Node)) {
	for _, n := range nodes {
		f(n)
		for _, b := range n.Bodies {
			walkAll(b.Nodes, f)
		}
	}
}

// Totals are the sums over all executed nodes, as formulas.
type Totals struct {
	Nodes           int64 // executed nodes, bodies included once
	MACs            dim.Dim
	FLOPs           dim.Dim
	Special         dim.Dim
	Params          dim.Dim
	TrainableParams dim.Dim
	ConstantBytes   dim.Dim
	BytesRead       dim.Dim
	BytesWritten    dim.Dim
}

// Totals sums the figures of the executed nodes.
func (r *Report) Totals() Totals {
	var t Totals
	var macs, flops, special, read, written dim.Total
	var once []*Counts               // of the nodes that run once
	nodes := make([]int64, r.counts) // that have them
	r.Walk(func(n *Node, times dim.Dim, _ int) {
		t.Nodes++
		if times.Is(1) {
			if nodes[n.id]++; nodes[n.id] == 1 {
				once = append(once, n.Counts)
			}
			return
		}
		add := func(sum *dim.Total, x dim.Dim) {
			if !x.Is(0) {
				sum.Add(x.Mul(times))
			}
		}
		add(&macs, n.Work.MACs)
		add(&flops, n.Work.FLOPs())
		add(&special, n.Work.Special)
		add(&read, n.Read)
		add(&written, n.Written)
	})
	for _, c := range once {
		k := nodes[c.id]
		macs.AddTimes(c.Work.MACs, k)
		flops.AddTimes(c.Work.FLOPs(), k)
		special.AddTimes(c.Work.Special, k)
		read.AddTimes(c.Read, k)
		written.AddTimes(c.Written, k)
	}
	t.MACs, t.FLOPs, t.Special, t.BytesRead, t.BytesWritten = macs.Dim(), flops.Dim(), special.Dim(), read.Dim(), written.Dim()
	var params, trainable, constant dim.Total
	for _, w := range r.Weights {
		params.Add(w.Params)
		if w.Trainable {
			trainable.Add(w.Params)
		}
		constant.Add(w.Bytes)
	}
	t.Params, t.TrainableParams, t.ConstantBytes = params.Dim(), trainable.Dim(), constant.Dim()
	return t
}

// Coverage is the share of the model's nodes, folded ones included, whose operator has a rule and whose work could be
// counted; 1 for a model without nodes. unknown lists the operators without a rule, sorted.
func (r *Report) Coverage() (share float64, unknown []string) {
	unknown = slices.Sorted(maps.Keys(r.unknown))
	if r.counted == 0 {
		return 1, unknown
	}
	partial := 0
	r.Walk(func(n *Node, _ dim.Dim, _ int) {
		if n.Partial && n.Rule != nil {
			partial++
		}
	})
	return float64(r.known-partial) / float64(r.counted), unknown
}

// LowerBound reports whether some node could not be counted in full, so that totals are lower bounds.
func (r *Report) LowerBound() bool {
	partial := false
	r.Walk(func(n *Node, _ dim.Dim, _ int) { partial = partial || n.Partial })
	return partial
}

// dropUnusedSymbols forgets data-dependent symbols that no figure needs: those of nodes that were folded or dropped,
// and of inferences that a rule tried and gave up.
func (r *Report) dropUnusedSymbols() {
	if len(r.dataSymbols()) == 0 {
		return
	}
	used := map[string]bool{}
	need := func(ds ...dim.Dim) {
		for _, d := range ds {
			if !d.IsConst() {
				for _, s := range d.Symbols() {
					used[s] = true
				}
			}
		}
	}
	walkAll(r.Nodes, func(n *Node) {
		for _, b := range n.Bodies {
			need(b.Times)
		}
		need(n.Work.MACs, n.Work.Vector, n.Work.Special, n.Read, n.Written)
		for _, vs := range [][]*op.Value{n.Inputs, n.Outputs} {
			for _, v := range vs {
				if v != nil {
					need(v.Shape...)
				}
			}
		}
	})
	r.Symbols = slices.DeleteFunc(r.Symbols, func(s Symbol) bool { return s.Input == "" && !used[s.Name] })
}

// fixed reports whether every symbol of the model has a value.
func (r *Report) fixed() bool {
	for _, s := range r.Symbols {
		if _, bound := r.Dims[s.Name]; !bound {
			return false
		}
	}
	return true
}

// collectWeights finds the constants that executed nodes read as data, those of branches that could run instead
// included: they are resident whichever runs, and belong to the node that chooses.
func (r *Report) collectWeights() {
	r.weightsOf(r.Nodes, nil, zeros[*Weight](r.values))
}

// weightsOf collects the weights of nodes for owner, or each for itself where owner is nil.
func (r *Report) weightsOf(nodes []*Node, owner *Node, byRoot []*Weight) {
	for _, n := range nodes {
		to := owner
		if to == nil {
			to = n
		}
		if n.Rule != nil && n.Rule.Stored != nil {
			r.addStored(n, to)
		}
		for i, in := range n.Inputs {
			switch {
			case in == nil || !in.Const:
			case n.Rule == nil: // without a rule, float constants are taken for weights
				r.addWeights(byRoot, to, in, weightUse{})
			case !n.Rule.IsHost(i):
				r.addWeights(byRoot, to, in, weightUse{
					quantised: op.Has(n.Rule.QuantInputs, i),
					statistic: op.Has(n.Rule.Statistics, i),
					scale:     op.Has(n.Rule.Scales, i),
					packed:    packedWeights(n, i),
				})
			}
		}
		for _, b := range n.Bodies {
			if b.Alternative && owner == nil {
				r.weightsOf(b.Nodes, n, byRoot)
			} else {
				r.weightsOf(b.Nodes, owner, byRoot)
			}
		}
	}
}

// addStored adds the constants that node n keeps in attributes, each as a value of its own, as weights of node to.
func (r *Report) addStored(n, to *Node) {
	for _, s := range n.Rule.Stored(n.Proto) {
		v := &op.Value{Name: n.Name + " " + s.Attribute, ID: r.values, Const: true}
		r.values++
		v.SetTensor(s.DType, op.Consts(s.Elements))
		w := &Weight{Value: v, Bytes: dim.Const(s.Bytes), Trainable: !s.Statistic, Attribute: s.Attribute}
		if s.Weight {
			w.Params = dim.Const(s.Elements)
		}
		r.Weights = append(r.Weights, w)
		to.Weights = append(to.Weights, w)
	}
}

// weightUse says what a node's rule makes of a constant input.
type weightUse struct {
	quantised, statistic, scale bool
	packed                      dim.Dim // weights that the input packs into fewer elements; 0 where its elements are the weights
}

// packedWeights is what the rule's Params says of input i.
func packedWeights(n *Node, i int) dim.Dim {
	if n.Rule.Params == nil {
		return dim.Dim{}
	}
	count, ok := n.Rule.Params(&op.Call{Node: n.Proto, Opset: n.Opset, In: n.Inputs}, i)
	if !ok {
		return dim.Dim{}
	}
	return count
}

func (r *Report) addWeights(byRoot []*Weight, n *Node, v *op.Value, use weightUse) {
	for _, root := range v.Roots {
		w := byRoot[root.ID]
		if w == nil {
			w = &Weight{Value: root, Trainable: true}
			w.Bytes, _ = root.Bytes()
			byRoot[root.ID] = w
			r.Weights = append(r.Weights, w)
			n.Weights = append(n.Weights, w)
		}
		if use.statistic {
			w.Trainable = false
		}
		isWeight := root.DType.IsFloat() && len(root.Shape) > 0 || root.DType.IsInteger() && use.quantised
		if use.scale || !isWeight || !w.Params.Is(0) {
			continue
		}
		if w.Params, _ = root.Elements(); !use.packed.Is(0) && len(v.Roots) == 1 {
			w.Params = use.packed
		}
	}
}

// bindDefaults gives the leading free dimension of the inputs the value 1 and takes the user's values.
func (r *Report) bindDefaults(opt Options) {
	maps.Copy(r.Dims, opt.Dims)
	if opt.KeepFree {
		return
	}
	r.Dims = r.Determine(r.Dims)
	for _, in := range r.Inputs {
		if len(in.Shape) == 0 {
			continue
		}
		syms := in.Shape[0].Symbols()
		if len(syms) != 1 || !in.Shape[0].Equal(dim.Symbol(syms[0])) {
			continue
		}
		if _, ok := r.Dims[syms[0]]; ok {
			continue
		}
		r.Dims[syms[0]] = 1
		r.Dims = r.Determine(r.Dims)
		r.Diagnostics = append(r.Diagnostics, Diagnostic{SeverityNote, CodeDefaultDim, "",
			fmt.Sprintf("dimension %s (leading dimension of input %q) is free; taken as 1, --dim %s=N gives another", syms[0], in.Name, syms[0])})
	}
}

// external reports weights whose data file is absent; their figures need only the declared shapes.
func (r *Report) external(m *onnx.Model) {
	missing := 0
	for _, t := range m.Graph.Initializers {
		if t.External != nil && t.External.Absent {
			missing++
		}
	}
	if missing > 0 {
		r.Diagnostics = append(r.Diagnostics, Diagnostic{SeverityNote, CodeExternal, "",
			fmt.Sprintf("the external data of %d weights is absent; counts use the declared shapes", missing)})
	}
}

// defaultNotes are the notes on dimensions that the analysis gave a value.
func (r *Report) defaultNotes() (ds []Diagnostic) {
	for _, d := range r.Diagnostics {
		if d.Code == CodeDefaultDim {
			ds = append(ds, d)
		}
	}
	return ds
}

// undecided reports whether data-dependent symbols, branches that nobody decided or invalid nodes are left.
func (r *Report) undecided() bool { return r.openQuestions() > 0 }

func (r *Report) openQuestions() int {
	return len(r.dataSymbols()) + len(r.undecidedIfs()) + r.misfits()
}

func (r *Report) inputSymbols() (out []Symbol) {
	for _, s := range r.Symbols {
		if s.Input != "" {
			out = append(out, s)
		}
	}
	return out
}

func (r *Report) dataSymbols() (out []Symbol) {
	for _, s := range r.Symbols {
		if s.Input == "" {
			out = append(out, s)
		}
	}
	return out
}
