package form

import (
	"errors"
	"fmt"
	"math"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// Bound says what decides a kernel's time.
type Bound string

// The bounds.
const (
	BoundCompute  Bound = "compute"  // arithmetic
	BoundMemory   Bound = "memory"   // bytes over a bandwidth
	BoundOverhead Bound = "overhead" // launch, dispatch, filling and draining the device
)

// Demand is what one execution of a kernel asks of a device, as numbers: a Kernel under a binding of the free dimensions
// and a precision. Counts are as in op.Work; Read, Written and Weights are bytes in the element sizes of the precision.
type Demand struct {
	Kernel     *plan.Kernel
	Executions float64 // executions in one inference
	FLOPs      float64
	MACs       float64
	Special    float64
	Read       float64 // activations
	Written    float64
	Weights    float64
	Products   []product
	// Precision is the format of the kernel's products: that of the prediction, or the operands' where they are
	// quantised in the model.
	Precision specs.DType
	// Missing says why the kernel has no time model; "" where it has one.
	Missing string
}

// Bytes is all traffic of one execution.
func (l *Demand) Bytes() float64 { return l.Read + l.Written + l.Weights }

// product is a Contraction as numbers: Batch·Groups products of M×K by K×N.
type product struct {
	Kind            op.ContractionKind
	Batch, Groups   float64
	M, N, K         float64
	Window, Strides []int64
	Weight          bool // one operand is a constant
}

// MACs is Batch·Groups·M·N·K.
func (p product) MACs() float64 { return p.Batch * p.Groups * p.M * p.N * p.K }

// conv reports whether the product is a convolution of either direction.
func (p product) conv() bool { return p.Kind == op.ConvKind || p.Kind == op.ConvTransposeKind }

// KernelTime is the predicted time of one execution of a kernel.
type KernelTime struct {
	Seconds float64
	Bound   Bound
	// Group names the part of the fit or the prior that the time rests on; intervals weigh the parts by their time.
	Group string
	// rests says how near the microbenchmarks were that a fitted time rests on.
	rests knowledge
	// CacheBytes is the part of the traffic that never reaches main memory.
	CacheBytes float64
	// Parts divides Seconds among the priors of a datasheet prediction, by their index; nil for fits.
	Parts *priorShares
}

// Model predicts kernels on one device for one plan. Implementations are the fitted forms and the datasheet models;
// they hold no state between calls, so that a Predictor serves several goroutines.
type Model interface {
	// Times fills out[i] with the time of one execution of loads[i], except where load.Missing says that there is none
	// to give. env holds the binding for models that look at shapes.
	Times(loads []Demand, env dim.Env, out []KernelTime) error
	// Host says how long the host takes per kernel before the device can begin it, and the pause of the device between
	// two kernels; both 0 where kernels run one after the other in the calling thread.
	Host() (dispatchS, gapS float64)
	// Interval gives the factors on the sum of the times that hold 90 % of measurements, from the kernels' shares of it.
	Interval(loads []Demand, times []KernelTime) (low, high float64)
}

// sized is bytes of tensors in the model's element size, and what the precision makes of them.
type sized struct {
	bytes plan.Formula
	scale float64
}

// DemandFormula is a load whose numbers are formulas still.
type DemandFormula struct {
	Kernel                           *plan.Kernel
	executions, flops, macs, special plan.Formula
	read, written, weights           []sized
	products                         []productForm
	precision                        specs.DType
	Missing                          string
}

type productForm struct {
	kind                   op.ContractionKind
	batch, groups, m, n, k plan.Formula
	window, strides        []int64
	weight                 bool
}

// NewDemandFormula prepares a kernel for evaluation at a precision of arithmetic and one of floating-point tensors.
func NewDemandFormula(k *plan.Kernel, p, storage specs.DType) DemandFormula {
	f := DemandFormula{Kernel: k, executions: plan.NewFormula(k.Times), flops: plan.NewFormula(k.Work.FLOPs()), macs: plan.NewFormula(k.Work.MACs),
		special: plan.NewFormula(k.Work.Special), precision: p}
	for _, c := range k.Contraction {
		f.products = append(f.products, productForm{kind: c.Kind, batch: plan.NewFormula(c.Batch), groups: plan.NewFormula(c.Groups),
			m: plan.NewFormula(c.M), n: plan.NewFormula(c.N), k: plan.NewFormula(c.K), window: c.Window, strides: c.Strides, weight: c.Weight >= 0})
	}
	if len(k.Contraction) > 0 && len(k.Inputs) > 0 && (k.Inputs[0].DType == onnx.Int8 || k.Inputs[0].DType == onnx.Uint8) {
		f.precision = specs.INT8
	}
	sizes := elementSizes(k, storage)
	if k.Indexed() != nil {
		scale := 1.0
		if vs := append(append([]*op.Value(nil), k.Inputs...), k.Outputs...); len(vs) > 0 {
			scale = sizes.scale(vs[len(vs)-1].DType)
		}
		f.read = []sized{{plan.NewFormula(k.Read()), scale}}
		f.written = []sized{{plan.NewFormula(k.Written()), scale}}
		f.weights = []sized{{plan.NewFormula(k.WeightBytes()), scale}}
	} else if !k.MovesNoData() {
		var in []*op.Value
		for _, v := range k.Inputs {
			if !contains(k.ShapeInputs, v) {
				in = append(in, v)
			}
		}
		f.read, f.written, f.weights = sizes.sum(in), sizes.sum(k.Outputs), sizes.sum(k.Weights)
	}
	f.Missing = missingReason(k)
	return f
}

// missingReason says why no time can be given for a kernel.
func missingReason(k *plan.Kernel) string {
	switch {
	case k.Anchor != nil && k.Anchor.Rule == nil:
		return "operator " + k.Anchor.Op() + " has no rule"
	case k.Partial:
		return "its work or its traffic could not be counted in full"
	}
	return ""
}

func contains(vs []*op.Value, v *op.Value) bool {
	for _, x := range vs {
		if x == v {
			return true
		}
	}
	return false
}

// elementSize says how a precision changes the storage of floating-point tensors in one kernel.
type elementSize struct{ bits int }

// elementSizes is the storage of a kernel's floating-point tensors: that of the precision; for int8, only kernels that
// a quantised network runs in integers (products, pooling, movement and arithmetic without special functions) shrink,
// and the others stay in fp32.
func elementSizes(k *plan.Kernel, p specs.DType) elementSize {
	if p == specs.INT8 {
		switch {
		case k.Kind == plan.KindContraction, k.Kind == plan.KindPooling, k.Kind == plan.KindMovement, k.Kind == plan.KindReorder,
			k.Kind == plan.KindElementwise && k.Work.Special.Is(0):
		default:
			return elementSize{32}
		}
	}
	return elementSize{p.Bits()}
}

// scale is the factor on the stored size of a type. Formats of 8 bits and less, integers and float64 stay what they are.
func (s elementSize) scale(t onnx.DType) float64 {
	switch t {
	case onnx.Float32, onnx.Float16, onnx.BFloat16:
		return float64(s.bits) / float64(t.Bits())
	}
	return 1
}

// sum adds the bytes of values up, apart by scale.
func (s elementSize) sum(vs []*op.Value) []sized {
	var out []sized
	sums := map[float64]dim.Dim{}
	var order []float64
	for _, v := range vs {
		b, ok := v.Bytes()
		if !ok {
			continue
		}
		f := s.scale(v.DType)
		if _, seen := sums[f]; !seen {
			order = append(order, f)
		}
		sums[f] = sums[f].Add(b)
	}
	for _, f := range order {
		out = append(out, sized{plan.NewFormula(sums[f]), f})
	}
	return out
}

// Eval fills l with the numbers under env.
func (f *DemandFormula) Eval(env dim.Env, l *Demand) error {
	var firstErr error
	num := func(x *plan.Formula) float64 {
		v, err := x.Eval(env)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return v
	}
	bytes := func(parts []sized) float64 {
		var s float64
		for i := range parts {
			s += num(&parts[i].bytes) * parts[i].scale
		}
		return s
	}
	l.Kernel, l.Precision, l.Missing = f.Kernel, f.precision, f.Missing
	l.Executions, l.FLOPs, l.MACs, l.Special = num(&f.executions), num(&f.flops), num(&f.macs), num(&f.special)
	l.Read, l.Written, l.Weights = bytes(f.read), bytes(f.written), bytes(f.weights)
	l.Products = l.Products[:0]
	for i := range f.products {
		p := &f.products[i]
		l.Products = append(l.Products, product{Kind: p.kind, Batch: num(&p.batch), Groups: num(&p.groups), M: num(&p.m),
			N: num(&p.n), K: num(&p.k), Window: p.window, Strides: p.strides, Weight: p.weight})
	}
	if firstErr != nil {
		var unbound *dim.UnboundError
		if errors.As(firstErr, &unbound) {
			return firstErr
		}
		return fmt.Errorf("kernel %q (%s): %w", f.Kernel.Name, f.Kernel.FullOp(), firstErr)
	}
	if math.IsInf(l.FLOPs, 0) || math.IsNaN(l.FLOPs) {
		return fmt.Errorf("kernel %q (%s): FLOPs overflow", f.Kernel.Name, f.Kernel.FullOp())
	}
	return nil
}
