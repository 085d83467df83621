package memory

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// torch7MemoryFit is the memory of Torch7 modules over cuDNN 5 on a board whose processor and GPU share it, as
// arXiv:1605.07678, Figure 5, shows it: flat up to a knee, then a line in the batch size,
//
//	net memory = max( floor, loading·weights, weights − reserve + batch·(outputs·O + norms·N) )
//
// with O the outputs of the modules and N those of batch normalisation. ReLU and additions work in place. The floor is
// what the framework and its libraries take for any network; loading is the peak while a model is read and copied;
// reserve is memory that was in use before the measurement began and is given back under pressure.
type torch7MemoryFit struct {
	FloorBytes   float64 `json:"floor_bytes"`
	Loading      float64 `json:"loading"`
	ReserveBytes float64 `json:"reserve_bytes"`
	Outputs      float64 `json:"outputs"`
	Norms        float64 `json:"norms"`
	// Low and High are the factors that hold IntervalLevel of the published points.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// torch7MemoryJSON is written by TestPaperMemory with -update.
//
//go:embed torch7_memory.json
var torch7MemoryJSON []byte

var torch7Coefficients = sync.OnceValues(func() (c torch7MemoryFit, err error) {
	if err = json.Unmarshal(torch7MemoryJSON, &c); err != nil {
		err = fmt.Errorf("torch7_memory.json: %w", err)
	}
	return c, err
})

// torch7Sizes are what the form needs of a network, in bytes.
type torch7Sizes struct{ weights, outputs, norms float64 }

func torch7SizesOf(lowered *plan.Plan, env dim.Env) (s torch7Sizes, err error) {
	for _, w := range lowered.Report.Weights {
		n, err := w.Bytes.Eval(env)
		if err != nil {
			return s, err
		}
		s.weights += float64(n)
	}
	for _, k := range lowered.Kernels {
		if k.Kind == plan.KindElementwise || k.Depth > 0 {
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
func (c *torch7MemoryFit) parts(s torch7Sizes) (floor, loading, growing float64) {
	return c.FloorBytes, c.Loading * s.weights, s.weights - c.ReserveBytes + c.Outputs*s.outputs + c.Norms*s.norms
}

func (c *torch7MemoryFit) bytes(s torch7Sizes) float64 {
	floor, loading, growing := c.parts(s)
	return max(floor, loading, growing)
}

// torch7Memory evaluates the form. ActivationBytes is all that is not weights: the framework, what loading takes beside
// the weights, and the outputs of the modules.
func torch7Memory(plan *plan.Plan, env dim.Env) (*Use, error) {
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
	m := &Use{PeakKernel: -1, WeightBytes: int64(s.weights), ActivationBytes: rest(net), ActivationLowBytes: rest(net * c.Low),
		ActivationHighBytes: rest(net * c.High)}
	m.InUseBytes, m.HeldBytes = m.ActivationBytes, m.ActivationBytes
	m.unknown("which modules work in place, and the workspaces of convolutions")
	return m, nil
}
