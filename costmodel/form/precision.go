package form

import (
	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/specs"
)

// NativePrecision is the format of most of the weights that products use; fp32 where there are none.
func NativePrecision(r *analyzer.Report) specs.DType {
	switch floatType(r) {
	case onnx.Float16:
		return specs.FP16
	case onnx.BFloat16:
		return specs.BF16
	}
	return specs.FP32
}

// floatType is the floating-point type that most weights are stored in.
func floatType(r *analyzer.Report) onnx.DType {
	counts := map[onnx.DType]float64{}
	for _, w := range r.Weights {
		if n, err := w.Params.Eval(r.Dims); err == nil && w.Value != nil {
			counts[w.Value.DType] += float64(n)
		}
	}
	best := onnx.Float32
	for _, t := range []onnx.DType{onnx.Float16, onnx.BFloat16} {
		if counts[t] > counts[best] {
			best = t
		}
	}
	return best
}

// ActivationScale is the width of a precision over that of the model's floating-point tensors.
func ActivationScale(r *analyzer.Report, p specs.DType) float64 {
	return elementSize{p.Bits()}.scale(floatType(r))
}

// WeightBytes is the storage of all weights at a precision.
func WeightBytes(r *analyzer.Report, p specs.DType) float64 {
	s := elementSize{p.Bits()}
	var sum float64
	for _, w := range r.Weights {
		if n, err := w.Bytes.Eval(r.Dims); err == nil {
			sum += float64(n) * s.scale(w.Value.DType)
		}
	}
	return sum
}

// Quantised reports whether the model itself has products of integers: operators that take them, or activations between
// QuantizeLinear and DequantizeLinear.
func Quantised(r *analyzer.Report) (found bool) {
	r.Walk(func(n *analyzer.Node, _ dim.Dim, _ int) {
		if found || n.Rule == nil {
			return
		}
		if n.Proto.OpType == "QuantizeLinear" || n.Proto.OpType == "DynamicQuantizeLinear" {
			found = true
		}
		for _, v := range n.Inputs {
			found = found || len(n.Work.Contraction) > 0 && v != nil && (v.DType == onnx.Int8 || v.DType == onnx.Uint8)
		}
	})
	return found
}
