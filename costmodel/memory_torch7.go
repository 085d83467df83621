package costmodel

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Torch7Memory is the memory of Torch7 modules over cuDNN 5 on a board whose processor and GPU share it, as
// arXiv:1605.07678, Figure 5, shows it: flat up to a knee, then a line in the batch size,
//
//	net memory = max( floor, loading·weights, weights − reserve + batch·(outputs·O + norms·N) )
//
// with O the outputs of the modules and N those of batch normalisation. ReLU and additions work in place. The floor is
// what the framework and its libraries take for any network; loading is the peak while a model is read and copied;
// reserve is memory that was in use before the measurement began and is given back under pressure.
type Torch7Memory struct {
	FloorBytes   float64 `json:"floor_bytes"`
	Loading      float64 `json:"loading"`
	ReserveBytes float64 `json:"reserve_bytes"`
	Outputs      float64 `json:"outputs"`
	Norms        float64 `json:"norms"`
	// Low and High are the factors that hold IntervalLevel of the published points.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// torch7MemoryJSON is written by the test of FitPaperMemory with -update.
//
//go:embed torch7_memory.json
var torch7MemoryJSON []byte

var torch7Coefficients = sync.OnceValues(func() (c Torch7Memory, err error) {
	if err = json.Unmarshal(torch7MemoryJSON, &c); err != nil {
		err = fmt.Errorf("torch7_memory.json: %w", err)
	}
	return c, err
})

// torch7Sizes are what the form needs of a network, in bytes.
type torch7Sizes struct{ weights, outputs, norms float64 }

func torch7SizesOf(plan *Plan, env dim.Env) (s torch7Sizes, err error) {
	for _, w := range plan.Report.Weights {
		n, err := w.Bytes.Eval(env)
		if err != nil {
			return s, err
		}
		s.weights += float64(n)
	}
	for _, k := range plan.Kernels {
		if k.Kind == KindElementwise || k.Depth > 0 {
			continue
		}
		for _, o := range k.Outputs {
			b, ok := o.Bytes()
			if !ok {
				continue
			}
			n, err := b.Eval(env)
			if err != nil {
				return s, err
			}
			if k.Anchor != nil && k.Anchor.Rule != nil && k.Anchor.Rule.Statistics != 0 {
				s.norms += float64(n)
			} else {
				s.outputs += float64(n)
			}
		}
	}
	return s, nil
}

// parts are the three terms of the form for sizes of a whole batch.
func (c *Torch7Memory) parts(s torch7Sizes) (floor, loading, growing float64) {
	return c.FloorBytes, c.Loading * s.weights, s.weights - c.ReserveBytes + c.Outputs*s.outputs + c.Norms*s.norms
}

func (c *Torch7Memory) bytes(s torch7Sizes) float64 {
	floor, loading, growing := c.parts(s)
	return max(floor, loading, growing)
}

// torch7Memory evaluates the form. ActivationBytes is all that is not weights: the framework, what loading takes beside
// the weights, and the outputs of the modules.
func torch7Memory(plan *Plan, env dim.Env) (*MemoryUse, error) {
	c, err := torch7Coefficients()
	if err != nil {
		return nil, err
	}
	s, err := torch7SizesOf(plan, env)
	if err != nil {
		return nil, err
	}
	net := c.bytes(s)
	rest := func(total float64) int64 { return int64(math.Round(max(0, total-s.weights))) }
	m := &MemoryUse{PeakKernel: -1, WeightBytes: int64(s.weights), ActivationBytes: rest(net), ActivationLowBytes: rest(net * c.Low),
		ActivationHighBytes: rest(net * c.High)}
	m.InUseBytes, m.HeldBytes = m.ActivationBytes, m.ActivationBytes
	m.unknown("which modules work in place, and the workspaces of convolutions")
	return m, nil
}

// PaperMemoryPoint is a point of Figure 5.
type PaperMemoryPoint struct {
	Network       string  `json:"network"`
	Batch         int     `json:"batch"`
	MeasuredBytes float64 `json:"measured_bytes"`
	FittedBytes   float64 `json:"fitted_bytes"`
	sizes         torch7Sizes
}

// FitPaperMemory fits the form to Figure 5 by the mean of the absolute logarithms of fitted over measured. points are the
// figure's, with plan giving the Torch7 plan of a network of the paper. Nothing is random.
func FitPaperMemory(points []PaperMemoryPoint, plan func(network string) (*Plan, error)) (Torch7Memory, []PaperMemoryPoint, error) {
	points = slices.Clone(points)
	for i := range points {
		p, err := plan(points[i].Network)
		if err != nil {
			return Torch7Memory{}, nil, err
		}
		env := batchEnv(p.Report, int64(points[i].Batch))
		if points[i].sizes, err = torch7SizesOf(p, env); err != nil {
			return Torch7Memory{}, nil, err
		}
	}
	c := Torch7Memory{FloorBytes: math.Inf(1), Loading: 1, ReserveBytes: 1e8, Outputs: 1, Norms: 0.5}
	for _, p := range points {
		c.FloorBytes = min(c.FloorBytes, p.MeasuredBytes)
	}
	loss := func(c *Torch7Memory) (sum float64) {
		for i := range points {
			sum += math.Abs(math.Log(c.bytes(points[i].sizes) / points[i].MeasuredBytes))
		}
		return sum
	}
	// One coefficient after the other by ever smaller factors: five of them and some sixty points need no more.
	terms := []*float64{&c.FloorBytes, &c.Loading, &c.ReserveBytes, &c.Outputs, &c.Norms}
	best := loss(&c)
	for step := 0.3; step > 1e-4; {
		improved := false
		for _, t := range terms {
			for _, f := range [...]float64{1 + step, 1 / (1 + step)} {
				old := *t
				*t *= f
				if l := loss(&c); l < best-1e-12 {
					best, improved = l, true
				} else {
					*t = old
				}
			}
		}
		if !improved {
			step /= 2
		}
	}
	ratios := make([]float64, len(points))
	for i := range points {
		points[i].FittedBytes = c.bytes(points[i].sizes)
		ratios[i] = points[i].MeasuredBytes / points[i].FittedBytes
	}
	slices.Sort(ratios)
	if n := len(ratios); n > 0 {
		tail := int(float64(n) * (1 - IntervalLevel) / 2)
		c.Low, c.High = min(1, ratios[tail]), max(1, ratios[n-1-tail])
	}
	return c, points, nil
}

// batchEnv binds the leading dimensions of the inputs.
func batchEnv(r *analyzer.Report, batch int64) dim.Env {
	env := dim.Env{}
	for k, v := range r.Dims {
		env[k] = v
	}
	for _, v := range r.Inputs {
		if v.Ranked && len(v.Shape) > 0 {
			for _, s := range v.Shape[0].Symbols() {
				env[s] = batch
			}
		}
	}
	return env
}
