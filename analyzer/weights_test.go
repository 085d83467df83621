package analyzer_test

import (
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestQuantizedWeights: weights packed several to a byte count by their number, integer operands of quantised operators
// are weights, scales and zero points are bytes only.
func TestQuantizedWeights(t *testing.T) {
	stored := func(name string, dt onnx.DType, dims ...int64) *onnx.Tensor {
		return onnx.VirtualTensor(name, dt, dims)
	}
	tests := []struct {
		name          string
		graph         *onnx.Graph
		params, bytes string
	}{
		{"4 bits to a weight", &onnx.Graph{
			Inputs:       []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 3, 100)},
			Initializers: []*onnx.Tensor{stored("b", onnx.Uint8, 10, 4, 16), stored("s", onnx.Float32, 40), stored("z", onnx.Uint8, 10, 2)},
			Nodes: []*onnx.Node{node("y = com.microsoft.MatMulNBits(x, b, s, z)",
				attrInt("K", 100), attrInt("N", 10), attrInt("bits", 4), attrInt("block_size", 32))},
			Outputs: outputs("y"),
		}, "1000", "820"},
		{"a scale for each channel", &onnx.Graph{
			Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Uint8, 1, 3, 8, 8)},
			Initializers: []*onnx.Tensor{stored("one", onnx.Float32), stored("zero", onnx.Uint8), stored("w", onnx.Int8, 4, 3, 3, 3),
				stored("ws", onnx.Float32, 4), stored("wz", onnx.Int8, 4), stored("bias", onnx.Int32, 4)},
			Nodes:   []*onnx.Node{node("y = QLinearConv(x, one, zero, w, ws, wz, one, zero, bias)")},
			Outputs: outputs("y"),
		}, "112", "149"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := model(tt.graph)
			m.Opsets = append(m.Opsets, onnx.OpsetID{Domain: "com.microsoft", Version: 1})
			tot := run(t, m, analyzer.Options{}).Totals()
			if got := tot.Params.String(); got != tt.params {
				t.Errorf("params: got %s, want %s", got, tt.params)
			}
			if got := tot.ConstantBytes.String(); got != tt.bytes {
				t.Errorf("constant bytes: got %s, want %s", got, tt.bytes)
			}
		})
	}
}
