package analyzer

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// SummarySchema names the form of a list of summaries.
const SummarySchema = "onnxcost/analyze/v1"

// Summary is a Report as programs read it: numbers under the Report's bindings, and text where a dimension is still
// free. Sizes are bytes.
type Summary struct {
	Model       string            `json:"model"`
	IRVersion   int64             `json:"ir_version"`
	Opsets      map[string]int64  `json:"opsets"`
	Dims        map[string]int64  `json:"dims"`
	FreeDims    []string          `json:"free_dims"`
	Inputs      []TensorSummary   `json:"inputs"`
	Outputs     []TensorSummary   `json:"outputs"`
	Totals      TotalsSummary     `json:"totals"`
	LowerBounds bool              `json:"lower_bounds,omitempty"` // some node could not be counted in full
	Formulas    map[string]string `json:"formulas,omitempty"`
	Coverage    CoverageSummary   `json:"coverage"`
	Symbols     []SymbolSummary   `json:"symbols,omitempty"` // data-dependent extents
	Peak        *PeakSummary      `json:"peak,omitempty"`
	Arena       *ArenaSummary     `json:"arena,omitempty"` // absent where a dimension has no value
	Order       *OrderSummary     `json:"order,omitempty"` // where the nodes are not in the file's order
	Nodes       []NodeSummary     `json:"nodes,omitempty"`
	Diagnostics []Diagnostic      `json:"diagnostics"`
}

// TotalsSummary has the totals; a figure that depends on a free dimension is its formula as text.
type TotalsSummary struct {
	Nodes               int64    `json:"nodes"`
	MACs                dim.Dim  `json:"macs"`
	FLOPs               dim.Dim  `json:"flops"`
	Special             dim.Dim  `json:"special"`
	Params              dim.Dim  `json:"params"`
	TrainableParams     dim.Dim  `json:"trainable_params"`
	ConstantBytes       dim.Dim  `json:"constant_bytes"`
	PeakActivationBytes *dim.Dim `json:"peak_activation_bytes"` // null where it is no single formula
	ArenaBytes          *int64   `json:"arena_bytes"`           // null where a dimension has no value
	ArenaBoundBytes     *int64   `json:"arena_bound_bytes"`     // likewise
	BytesRead           dim.Dim  `json:"bytes_read"`
	BytesWritten        dim.Dim  `json:"bytes_written"`
}

// TensorSummary is a tensor's name and type. Sequences, optionals and maps give their type in DType and no shape.
type TensorSummary struct {
	Name  string    `json:"name"`
	DType string    `json:"dtype"`
	Shape []dim.Dim `json:"shape"` // null where the rank is unknown
	Const bool      `json:"const,omitempty"`
}

// CoverageSummary says what share of the nodes could be counted.
type CoverageSummary struct {
	Nodes      float64  `json:"nodes"`
	UnknownOps []string `json:"unknown_ops"`
}

// SymbolSummary is an extent that depends on data.
type SymbolSummary struct {
	Name  string `json:"name"`
	Node  string `json:"node"`
	Upper string `json:"upper,omitempty"`
}

// PeakSummary is the live set at the peak of activation memory.
type PeakSummary struct {
	Node    string        `json:"node"`
	Bytes   int64         `json:"bytes"`
	Tensors []LiveSummary `json:"tensors"`
	// Suggestion says what would lower the peak where one tensor dominates it.
	Suggestion string `json:"suggestion,omitempty"`
}

// LiveSummary is one tensor of the live set.
type LiveSummary struct {
	Name  string    `json:"name"`
	Shape []dim.Dim `json:"shape"`
	Bytes int64     `json:"bytes"`
}

// NodeSummary is one executed node; its figures are those of all its executions in one inference.
type NodeSummary struct {
	Name         string          `json:"name"`
	Op           string          `json:"op"`
	Domain       string          `json:"domain"`
	Scope        string          `json:"scope"`
	Depth        int             `json:"depth,omitempty"` // nesting in control flow
	Times        *dim.Dim        `json:"times,omitempty"` // executions, where not 1
	Inputs       []TensorSummary `json:"inputs"`
	Outputs      []TensorSummary `json:"outputs"`
	MACs         dim.Dim         `json:"macs"`
	FLOPs        dim.Dim         `json:"flops"`
	Special      dim.Dim         `json:"special"`
	Params       dim.Dim         `json:"params"`
	BytesRead    dim.Dim         `json:"bytes_read"`
	BytesWritten dim.Dim         `json:"bytes_written"`
	Partial      bool            `json:"partial,omitempty"` // figures are lower bounds
}

// Summary evaluates the Report under its Dims. name is how the model is called; nodes says whether to list them, and the
// buffers of the arena.
func (r *Report) Summary(name string, nodes bool) *Summary {
	s := &Summary{Model: name, IRVersion: r.Model.IRVersion, Opsets: map[string]int64{}, Dims: r.Dims,
		FreeDims: r.FreeDims(), Inputs: r.tensors(r.Inputs), Outputs: r.tensors(r.Outputs),
		Diagnostics: r.Diagnostics, LowerBounds: r.LowerBound()}
	if s.FreeDims == nil {
		s.FreeDims = []string{}
	}
	if s.Diagnostics == nil {
		s.Diagnostics = []Diagnostic{}
	}
	for _, o := range r.Model.Opsets {
		s.Opsets[o.Domain] = o.Version
	}
	s.Coverage.Nodes, s.Coverage.UnknownOps = r.Coverage()
	if s.Coverage.UnknownOps == nil {
		s.Coverage.UnknownOps = []string{}
	}
	for _, sym := range r.dataSymbols() {
		x := SymbolSummary{Name: sym.Name, Node: sym.Node}
		if !sym.Upper.Is(0) {
			x.Upper = sym.Upper.String()
		}
		s.Symbols = append(s.Symbols, x)
	}
	r.summariseTotals(s, nodes)
	if nodes {
		s.Nodes = []NodeSummary{}
		r.Walk(func(n *Node, times dim.Dim, depth int) { s.Nodes = append(s.Nodes, r.nodeSummary(n, times, depth)) })
	}
	return s
}

func (r *Report) summariseTotals(s *Summary, buffers bool) {
	var peak dim.Dim
	var formula sync.WaitGroup // takes as long as the rest, which does not need it
	known := false
	formula.Go(func() { peak, known = r.PeakFormula(nil) })
	t := r.Totals()
	b := func(d dim.Dim) dim.Dim { return d.Bind(r.Dims) }
	s.Totals = TotalsSummary{Nodes: t.Nodes, MACs: b(t.MACs), FLOPs: b(t.FLOPs), Special: b(t.Special), Params: b(t.Params),
		TrainableParams: b(t.TrainableParams), ConstantBytes: b(t.ConstantBytes), BytesRead: b(t.BytesRead),
		BytesWritten: b(t.BytesWritten)}
	formulas := map[string]string{}
	add := func(name string, d dim.Dim) {
		if !d.IsConst() && d.Err() == nil {
			formulas[name] = d.String()
		}
	}
	add("macs", t.MACs)
	add("flops", t.FLOPs)
	add("special", t.Special)
	add("params", t.Params)
	add("bytes_read", t.BytesRead)
	add("bytes_written", t.BytesWritten)
	env, _ := r.Bounded(r.Dims)
	if l, arena, err := r.livenessAndArena(env); err == nil {
		p := dim.Const(l.PeakBytes)
		s.Totals.PeakActivationBytes = &p
		s.Peak = r.peakSummary(l)
		if arena != nil {
			s.Totals.ArenaBytes, s.Totals.ArenaBoundBytes = &arena.Bytes, &arena.Bound
			s.Arena = arena.Summary(buffers)
		}
	} else if p, ok := r.PeakFormula(r.Dims); ok {
		s.Totals.PeakActivationBytes = &p
	}
	if formula.Wait(); known {
		add("peak_activation_bytes", peak)
	}
	if len(formulas) > 0 {
		s.Formulas = formulas
	}
}

func (r *Report) peakSummary(l *Liveness) *PeakSummary {
	if l.PeakStep < 0 {
		return nil
	}
	p := &PeakSummary{Node: r.Nodes[l.PeakStep].Name, Bytes: l.PeakBytes}
	for _, v := range l.Live {
		p.Tensors = append(p.Tensors, LiveSummary{Name: v.Value.Name, Shape: r.bindShape(v.Value.Shape), Bytes: v.Bytes})
	}
	p.Suggestion = r.suggest(l)
	return p
}

func (r *Report) nodeSummary(n *Node, times dim.Dim, depth int) NodeSummary {
	at := func(d dim.Dim) dim.Dim { return d.Mul(times).Bind(r.Dims) }
	s := NodeSummary{Name: n.Name, Op: n.Proto.OpType, Domain: n.Proto.Domain, Scope: Scope(n), Depth: depth,
		Inputs: r.tensors(n.Inputs), Outputs: r.tensors(n.Outputs), MACs: at(n.Work.MACs), FLOPs: at(n.Work.FLOPs()),
		Special: at(n.Work.Special), Params: n.Params().Bind(r.Dims), BytesRead: at(n.Read), BytesWritten: at(n.Written),
		Partial: n.Partial}
	if !times.Is(1) {
		t := times.Bind(r.Dims)
		s.Times = &t
	}
	return s
}

func (r *Report) tensors(vs []*op.Value) []TensorSummary {
	out := make([]TensorSummary, 0, len(vs))
	for _, v := range vs {
		if v == nil {
			continue
		}
		t := TensorSummary{Name: v.Name, DType: v.DType.String(), Const: v.Const}
		switch {
		case v.Kind != onnx.KindTensor:
			t.DType = v.String()
		case v.Ranked:
			t.Shape = r.bindShape(v.Shape)
		}
		out = append(out, t)
	}
	return out
}

func (r *Report) bindShape(s op.Shape) []dim.Dim {
	out := make([]dim.Dim, len(s))
	for i, d := range s {
		out[i] = d.Bind(r.Dims)
	}
	return out
}

// Scope is the place of a node in the name hierarchy of the program that exported the model, without the node's own
// part: "/layer1/layer1.0/conv1/Conv" is in "layer1/layer1.0/conv1". Where node names have no hierarchy, that of the
// first weight serves ("layer1.0.conv1.weight" is in "layer1/0/conv1"); "" where there is none either.
func Scope(n *Node) string {
	name := strings.TrimPrefix(n.Name, "/")
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		return name[:i]
	}
	for _, w := range n.Weights {
		if i := strings.LastIndexByte(w.Value.Name, '.'); i > 0 {
			return strings.ReplaceAll(w.Value.Name[:i], ".", "/")
		}
	}
	return ""
}

// PeakFormula is the peak of activation memory as a formula in the dimensions that env leaves free: the maximum of
// the live sums that no other one provably exceeds. ok is false where more than four of them remain.
func (r *Report) PeakFormula(env dim.Env) (peak dim.Dim, ok bool) {
	const most = 4
	lives, ok := r.lives(env)
	if !ok {
		return dim.Dim{}, false
	}
	byEnd := make([]int32, len(lives))
	at := make([]int32, len(r.Nodes)+2) // where those that end at a step begin in byEnd
	for _, l := range lives {
		at[l.last+1]++
	}
	for i := range at[1:] {
		at[i+1] += at[i]
	}
	for i, l := range lives {
		byEnd[at[l.last]] = int32(i)
		at[l.last]++
	}
	var live dim.Total
	var tops []dim.Dim
	born, dead := 0, 0
	steps := int32(max(len(r.Nodes), 1))
	for i := range steps {
		for ; dead < len(byEnd) && lives[byEnd[dead]].last < i; dead++ {
			live.Sub(lives[byEnd[dead]].bytes)
		}
		for ; born < len(lives) && lives[born].first <= i; born++ { // lives are in the order of their first use
			live.Add(lives[born].bytes)
		}
		grows := i+1 < steps && (dead == len(byEnd) || lives[byEnd[dead]].last > i) // nothing dies before the next step
		if grows || slices.ContainsFunc(tops, live.Under) {
			continue
		}
		if tops = addMaximal(tops, live.Dim()); len(tops) > 16*most {
			return dim.Dim{}, false
		}
	}
	if len(tops) > most {
		return dim.Dim{}, false
	}
	peak = dim.Const(0)
	for _, t := range tops {
		peak = dim.Max(peak, t)
	}
	return peak, peak.Err() == nil
}

// life is a tensor of the main graph with the first and the last node that need it.
type life struct {
	bytes       dim.Dim
	first, last int32
}

// lives lists the tensors of the main graph that are no constants, in the order of their making; ok is false where
// bodies make some of their own.
func (r *Report) lives(env dim.Env) (lives []life, ok bool) {
	lives = make([]life, 0, len(r.Nodes)+len(r.Inputs))
	at := zeros[int32](r.values) // value ID → position + 1
	define := func(v *op.Value, step int) {
		if v == nil || v.Resident() || at[v.ID] > 0 {
			return
		}
		b, _ := v.Bytes()
		lives = append(lives, life{b.Bind(env), int32(step), int32(step)})
		at[v.ID] = int32(len(lives))
	}
	extend := func(v *op.Value, step int) {
		if k := at[v.ID]; k > 0 {
			lives[k-1].last = int32(step)
		}
	}
	for _, v := range r.Inputs {
		define(v, 0)
	}
	for i, n := range r.Nodes {
		if len(n.Bodies) > 0 {
			return nil, false
		}
		for _, o := range n.Outputs {
			define(o, i)
		}
		uses(n, func(v *op.Value) { extend(v, i) })
	}
	for _, v := range r.Outputs {
		extend(v, len(r.Nodes))
	}
	return lives, true
}

// addMaximal adds d to a list of formulas of which none provably exceeds another.
func addMaximal(tops []dim.Dim, d dim.Dim) []dim.Dim {
	keep := tops[:0]
	for i, t := range tops {
		if le, known := d.LessEq(t); known && le {
			return append(keep, tops[i:]...)
		}
		if le, known := t.LessEq(d); known && le {
			continue
		}
		keep = append(keep, t)
	}
	return append(keep, d)
}

// Group is a set of nodes that a table shows as one row.
type Group struct {
	Name         string
	First        *Node // the first node of the group
	Nodes        int64
	MACs         dim.Dim
	FLOPs        dim.Dim
	Special      dim.Dim
	Params       dim.Dim
	BytesRead    dim.Dim
	BytesWritten dim.Dim
	Partial      bool
}

// Groups adds the executed nodes up by key, in order of first appearance, under the Report's Dims.
func (r *Report) Groups(key func(*Node) string) []Group {
	var out []Group
	index := map[string]int{}
	var recent [256]boundCounts
	r.Walk(func(n *Node, times dim.Dim, _ int) {
		k := key(n)
		i, ok := index[k]
		if !ok {
			i = len(out)
			index[k] = i
			out = append(out, Group{Name: k, First: n})
		}
		g, t := &out[i], times.Bind(r.Dims)
		c := &recent[n.id%len(recent)]
		if c.of != n.Counts {
			*c = boundCounts{n.Counts, n.Work.MACs.Bind(r.Dims), n.Work.FLOPs().Bind(r.Dims), n.Work.Special.Bind(r.Dims), n.Read.Bind(r.Dims), n.Written.Bind(r.Dims)}
		}
		g.Nodes++
		g.MACs = g.MACs.Add(c.macs.Mul(t))
		g.FLOPs = g.FLOPs.Add(c.flops.Mul(t))
		g.Special = g.Special.Add(c.special.Mul(t))
		g.Params = g.Params.Add(n.Params().Bind(r.Dims))
		g.BytesRead = g.BytesRead.Add(c.read.Mul(t))
		g.BytesWritten = g.BytesWritten.Add(c.written.Mul(t))
		g.Partial = g.Partial || n.Partial
	})
	return out
}

// boundCounts are Counts under a Report's Dims.
type boundCounts struct {
	of                                  *Counts
	macs, flops, special, read, written dim.Dim
}

// NeedDims is the error of a figure that needs a number for the dimensions free, which have none.
func NeedDims(what string, free []string) error {
	flags := make([]string, len(free))
	for i, f := range free {
		flags[i] = "--dim " + f + "=N"
	}
	return &OptionError{Msg: fmt.Sprintf("%s needs a value for %s: give %s", what, strings.Join(free, ", "), strings.Join(flags, " ")), Err: &dim.UnboundError{Symbols: free}}
}
