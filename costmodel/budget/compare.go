package budget

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// CompareSchema names the form of a Comparison.
const CompareSchema = "onnxcost/compare/v1"

// Comparison is what changed from one model to another, in total and by layer.
type Comparison struct {
	Schema string `json:"schema"`
	Old    string `json:"old"`
	New    string `json:"new"`
	Device string `json:"device,omitempty"`
	Batch  int64  `json:"batch"`
	// Totals are in the order in which tables show them; those of a device are absent without one.
	Totals []Change `json:"totals"`
	// Layers are all rows of which something changed, in the order of the new model, removed ones where they stood.
	Layers []LayerChange `json:"layers"`
	Same   int           `json:"same"` // rows of which nothing changed
}

// Change is one total. Energy, macs and throughput are per sample, as in budgets.
type Change struct {
	Metric    string             `json:"metric"`
	Dimension specs.Dimension    `json:"dimension"`
	Old       costmodel.Optional `json:"old"`
	New       costmodel.Optional `json:"new"`
}

// Relative is the change as a share of the old value: 0.05 is five percent more. It is 0 where nothing changed and
// infinite where something came from nothing.
func (c Change) Relative() float64 {
	if c.Old == c.New {
		return 0
	}
	return float64((c.New - c.Old) / costmodel.Optional(math.Abs(float64(c.Old))))
}

// LayerStatus is what became of a layer.
type LayerStatus string

// The states. A row of a fused layer has several old nodes, one of a split layer several new ones.
const (
	LayerSame    LayerStatus = "same"
	LayerChanged LayerStatus = "changed"
	LayerRenamed LayerStatus = "renamed"
	LayerFused   LayerStatus = "fused"
	LayerSplit   LayerStatus = "split"
	LayerAdded   LayerStatus = "added"
	LayerRemoved LayerStatus = "removed"
)

// LayerChange is a layer of one model, the other, or both.
type LayerChange struct {
	Status LayerStatus  `json:"status"`
	Op     string       `json:"op"`
	Old    []string     `json:"old"` // node names
	New    []string     `json:"new"`
	Before LayerFigures `json:"before"`
	After  LayerFigures `json:"after"`
}

// LayerFigures are the parts of the totals that belong to a layer, for a whole batch.
type LayerFigures struct {
	MACs   float64 `json:"macs"`
	FLOPs  float64 `json:"flops"`
	Params float64 `json:"params"`
	Bytes  float64 `json:"bytes"` // read and written
	// MemoryBytes are the layer's constants, and those of its results that live at the peak of the activations.
	MemoryBytes float64 `json:"memory_bytes"`
	TimeS       float64 `json:"time_s"`   // 0 without a device
	EnergyJ     float64 `json:"energy_j"` // 0 without a device, or where it is unknown
}

func (f *LayerFigures) add(g LayerFigures) {
	f.MACs, f.FLOPs, f.Params, f.Bytes = f.MACs+g.MACs, f.FLOPs+g.FLOPs, f.Params+g.Params, f.Bytes+g.Bytes
	f.MemoryBytes, f.TimeS, f.EnergyJ = f.MemoryBytes+g.MemoryBytes, f.TimeS+g.TimeS, f.EnergyJ+g.EnergyJ
}

// side is one of the two models.
type side struct {
	subject
	layers []*layer
	of     map[*analyzer.Node]*layer
	maker  map[*op.Value]*layer
}

// Compare says what changed from one model to the other. Without a device (nil) it compares counts and memory alone.
// Options with a batch of 0 take each Report's own.
func Compare(ctx context.Context, before, after *analyzer.Report, d *specs.Device, o costmodel.Options) (*Comparison, error) {
	a, err := newSide(ctx, before, d, o)
	if err != nil {
		return nil, fmt.Errorf("the old model: %w", err)
	}
	b, err := newSide(ctx, after, d, o)
	if err != nil {
		return nil, fmt.Errorf("the new model: %w", err)
	}
	c := &Comparison{Schema: CompareSchema, Batch: b.samples}
	if d != nil {
		c.Device = d.Name
	}
	if err := c.totals(a, b); err != nil {
		return nil, err
	}
	c.rows(a, b)
	return c, nil
}

func newSide(ctx context.Context, r *analyzer.Report, d *specs.Device, o costmodel.Options) (s *side, err error) {
	s = &side{subject: subject{report: r}, of: map[*analyzer.Node]*layer{}, maker: map[*op.Value]*layer{}}
	var p *costmodel.Predictor
	if d != nil {
		if p, err = costmodel.Compile(ctx, r, d, o); err != nil {
			return nil, err
		}
		if s.prediction, err = p.At(o.Batch, o.Dims); err != nil {
			return nil, err
		}
		s.env, s.samples = s.prediction.Dims, s.prediction.Batch
	} else if s.env, s.samples, err = costmodel.BindBatch(r, o.Batch); err != nil {
		return nil, err
	}
	if err := s.collect(); err != nil {
		return nil, err
	}
	if p != nil {
		s.spread(p)
	}
	return s, ctx.Err()
}

// collect makes a layer of every executed node.
func (s *side) collect() (err error) {
	eval := func(d dim.Dim) float64 {
		v, e := s.total(d)
		if e != nil && err == nil {
			err = e
		}
		return v
	}
	s.report.Walk(func(n *analyzer.Node, times dim.Dim, _ int) {
		l := &layer{name: n.Name, op: n.Op(), node: n, figures: LayerFigures{MACs: eval(n.Work.MACs.Mul(times)), FLOPs: eval(n.Work.FLOPs().Mul(times)),
			Params: eval(n.Params()), Bytes: eval(n.Read.Add(n.Written).Mul(times))}}
		for _, w := range n.Weights {
			l.figures.MemoryBytes += eval(w.Bytes)
		}
		for _, v := range n.Outputs {
			if v != nil {
				s.maker[v] = l
			}
		}
		for _, v := range n.Inputs {
			if v == nil || v.Const {
				continue
			}
			if p := s.maker[v]; p != nil && !slices.Contains(l.from, p) {
				l.from, p.to = append(l.from, p), append(p.to, l)
			}
		}
		l.signature = s.signature(l)
		s.of[n] = l
		s.layers = append(s.layers, l)
	})
	if err != nil {
		return err
	}
	live, err := s.report.Liveness(s.env)
	if err != nil {
		return costmodel.NeedDims(err, s.report, s.env)
	}
	for _, v := range live.Live {
		if l := s.maker[v.Value]; l != nil {
			l.figures.MemoryBytes += float64(v.Bytes)
		}
	}
	return nil
}

// spread gives the time and the energy of each kernel to the node that it stands for. What a runtime adds of its own has
// a layer of its own.
func (s *side) spread(p *costmodel.Predictor) {
	for i := range s.prediction.Kernels {
		k, plan := &s.prediction.Kernels[i], p.Plan.Kernels[i]
		var l *layer
		if plan.Anchor != nil {
			l = s.of[plan.Anchor]
		}
		for _, n := range plan.Nodes {
			if l == nil {
				l = s.of[n]
			}
		}
		if l == nil {
			if k.TimeS == 0 {
				continue
			}
			l = &layer{name: k.Name, op: k.Op, signature: k.Op}
			s.layers = append(s.layers, l)
		}
		l.figures.TimeS += k.TimeS
		if k.EnergyJ.Known() {
			l.figures.EnergyJ += float64(k.EnergyJ)
		}
	}
}

// totals compares what both models have.
func (c *Comparison) totals(a, b *side) error {
	for i := range limitKinds {
		m := &limitKinds[i]
		if m.key == limitEnergyPerDay || m.device && a.prediction == nil {
			continue
		}
		if err := c.total(m.key, m.dim, a, b, m.measure); err != nil {
			return err
		}
	}
	more := func(f func(analyzer.Totals) dim.Dim) func(*subject) (estimate, error) {
		return func(s *subject) (estimate, error) {
			v, err := s.total(f(s.report.Totals()))
			return exactly(v), err
		}
	}
	for _, x := range []struct {
		key string
		dim specs.Dimension
		of  func(analyzer.Totals) dim.Dim
	}{
		{"flops", specs.DimFLOPs, func(t analyzer.Totals) dim.Dim { return t.FLOPs }},
		{"constants", specs.DimBytes, func(t analyzer.Totals) dim.Dim { return t.ConstantBytes }},
		{"traffic", specs.DimBytes, func(t analyzer.Totals) dim.Dim { return t.BytesRead.Add(t.BytesWritten) }},
		{"nodes", specs.DimCount, func(t analyzer.Totals) dim.Dim { return dim.Const(t.Nodes) }},
	} {
		if err := c.total(x.key, x.dim, a, b, more(x.of)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Comparison) total(key string, d specs.Dimension, a, b *side, measure func(*subject) (estimate, error)) error {
	before, err := measure(&a.subject)
	if err != nil {
		return err
	}
	after, err := measure(&b.subject)
	if err != nil {
		return err
	}
	c.Totals = append(c.Totals, Change{key, d, costmodel.Optional(before.value), costmodel.Optional(after.value)})
	return nil
}

// Metric finds a total by its name.
func (c *Comparison) Metric(name string) (Change, bool) {
	i := slices.IndexFunc(c.Totals, func(x Change) bool { return x.Metric == name })
	if i < 0 {
		return Change{}, false
	}
	return c.Totals[i], true
}

// Top are the n layers that change a figure the most, largest change first.
func (c *Comparison) Top(n int, figure func(LayerFigures) float64) []LayerChange {
	rows := slices.DeleteFunc(slices.Clone(c.Layers), func(l LayerChange) bool { return figure(l.After) == figure(l.Before) })
	slices.SortStableFunc(rows, func(x, y LayerChange) int {
		a, b := math.Abs(figure(x.After)-figure(x.Before)), math.Abs(figure(y.After)-figure(y.Before))
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	return rows[:min(n, len(rows))]
}
