package calibrate_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

func attrFloat(name string, v float32) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: v}
}

// schemaCases are operators that the runtime's CPU provider has no kernel for, but whose shapes it infers.
var schemaCases = []operatorCase{
	{op: "com.microsoft:QOrderedMatMul", attrs: attrs(attrI("order_A", 1), attrI("order_B", 0), attrI("order_Y", 1)),
		in: []operand{of(onnx.Int8, 2, 3, 4), float(), of(onnx.Int8, 4, 5), float(), float()}},
	{op: "com.microsoft:QOrderedGelu", in: []operand{of(onnx.Int8, 2, 3, 4), float(), float()}},
	{op: "com.microsoft:QOrderedLayerNormalization", attrs: attrs(attrFloat("epsilon", 1e-5)), in: []operand{of(onnx.Int8, 2, 3, 4), float(), float(4), float(4), float()}},
	{op: "com.microsoft:QOrderedLongformerAttention", attrs: attrs(attrI("num_heads", 2), attrI("window", 2), attrI("order_input", 1), attrI("order_weight", 0), attrI("order_global_weight", 0), attrI("order_output", 1)),
		in: []operand{of(onnx.Int8, 2, 4, 8), float(), of(onnx.Int8, 8, 24), float(), float(24), float(), float(), of(onnx.Float16, 2, 4), of(onnx.Int8, 8, 24), float(), float(24), float(), of(onnx.Int32, 2, 4), float()}},
	{op: "com.microsoft:QuantizeWithOrder", attrs: attrs(attrI("order_input", 1), attrI("order_output", 1)), in: []operand{float(2, 3, 4), float()}},
	{op: "com.microsoft:DequantizeWithOrder", attrs: attrs(attrI("order_input", 1), attrI("order_output", 1), attrI("to", 10)), in: []operand{of(onnx.Int8, 2, 3, 4), float()}},
	{op: "com.microsoft:DecoderAttention", attrs: attrs(attrI("num_heads", 2)), in: []operand{float(3, 2, 8), float(3, 2, 8), float(8, 8), float(8, 16), float(24), of(onnx.Bool, 2, 3), float(2, 2, 3, 4), float(2, 2, 3, 4),
		of(onnx.Bool, 1), of(onnx.Bool, 1), of(onnx.Bool, 1), of(onnx.Bool, 1)}},
	{op: "com.microsoft:VarlenCausalConvWithState", outs: 2, attrs: attrs(attrI("dilation", 2)), in: []operand{float(9, 8), float(8, 1, 3), of(onnx.Int32, 4), float(8), float(3, 8, 4)}},
	{op: "com.ms.internal.nhwc:Conv", attrs: attrs(attrN("strides", 2, 2)), in: []operand{float(1, 9, 7, 4), float(6, 4, 3, 3)}},
	{op: "com.ms.internal.nhwc:ConvTranspose", attrs: attrs(attrN("strides", 2, 2)), in: []operand{float(1, 5, 4, 4), float(4, 6, 3, 3)}},
	{op: "com.ms.internal.nhwc:AveragePool", attrs: attrs(attrN("kernel_shape", 3, 2)), in: []operand{float(1, 9, 7, 4)}},
	{op: "com.ms.internal.nhwc:LpPool", attrs: attrs(attrN("kernel_shape", 3, 2)), in: []operand{float(1, 9, 7, 4)}},
	{op: "com.ms.internal.nhwc:GlobalAveragePool", in: []operand{float(1, 9, 7, 4)}},
	{op: "com.ms.internal.nhwc:SpaceToDepth", attrs: attrs(attrI("blocksize", 2)), in: []operand{float(1, 8, 6, 3)}},
	{op: "com.ms.internal.nhwc:GridSample", in: []operand{float(1, 9, 7, 4), float(1, 5, 6, 2)}},
	{op: "com.ms.internal.nhwc:BatchNormalization", in: []operand{float(1, 9, 7, 4), float(4), float(4), float(4), float(4)}},
	{op: "com.ms.internal.nhwc:InstanceNormalization", in: []operand{float(1, 9, 7, 4), float(4), float(4)}},
	{op: "com.ms.internal.nhwc:LRN", attrs: attrs(attrI("size", 3)), in: []operand{float(1, 9, 7, 4)}},
	{op: "com.ms.internal.nhwc:QLinearConv", in: []operand{of(onnx.Uint8, 1, 9, 7, 4), float(), of(onnx.Uint8), of(onnx.Uint8, 6, 4, 3, 3), float(), of(onnx.Uint8), float(), of(onnx.Uint8)}},
	{op: "com.ms.internal.nhwc:QLinearAveragePool", attrs: attrs(attrN("kernel_shape", 3, 2)), in: []operand{of(onnx.Uint8, 1, 9, 7, 4), float(), of(onnx.Uint8), float(), of(onnx.Uint8)}},
	{op: "com.microsoft:QOrderedAttention", attrs: attrs(attrI("num_heads", 2), attrI("order_input", 1), attrI("order_weight", 0), attrI("order_output", 1)), in: []operand{of(onnx.Int8, 2, 3, 8), float(), float(), float(), float(),
		of(onnx.Int8, 8, 8), of(onnx.Int8, 8, 8), of(onnx.Int8, 8, 8), float(), float(), float(), float(8), float(8), float(8), float(), float(), float()}},
	{op: "com.ms.internal.nhwc:MaxPool", attrs: attrs(attrN("kernel_shape", 2, 2)), in: []operand{float(1, 9, 7, 4)}},
	{op: "com.ms.internal.nhwc:DepthToSpace", attrs: attrs(attrI("blocksize", 2)), in: []operand{float(1, 9, 7, 12)}},
}

// TestOperatorShapesInSchemas splits what operators without a kernel give at the sizes that the analysis knows: the runtime
// infers the same, or it would refuse the splits before it misses the kernel, as it does those of other sizes.
func TestOperatorShapesInSchemas(t *testing.T) {
	if os.Getenv(ort.EnvLibrary) == "" {
		t.Skip("needs ONNXRUNTIME_LIB, the path of ONNX Runtime's C library")
	}
	lib := openLibrary(t)
	for i := range schemaCases {
		c := &schemaCases[i]
		t.Run(c.op, func(t *testing.T) {
			m, dims := c.model()
			for j := range m.Graph.Inputs { // the runtime knows sizes by numbers only
				for k, d := range m.Graph.Inputs[j].Type.Shape {
					m.Graph.Inputs[j].Type.Shape[k] = onnx.Dimension{Value: dims[d.Param], HasValue: true}
				}
			}
			if m.Opsets[1].Domain == "com.ms.internal.nhwc" {
				m.Opsets[1].Version = 17
			}
			r, err := analyzer.Analyze(t.Context(), m, analyzer.Options{})
			if err != nil || len(r.Nodes) != 1 || r.Nodes[0].Rule == nil {
				t.Fatalf("%v %v", err, r)
			}
			node, constants := m.Graph.Nodes[0], m.Graph.Initializers
			load := func(more int64) string {
				m.Graph.Nodes, m.Graph.Initializers = []*onnx.Node{node}, slices.Clone(constants)
				m.Graph.Outputs = nil
				for j, v := range r.Outputs {
					for axis, d := range v.Shape { // a split of another size does not pass the runtime's inference
						n, _ := d.Value()
						part, size := fmt.Sprintf("part%d_%d", j, axis), fmt.Sprintf("size%d_%d", j, axis)
						m.Graph.Initializers = append(m.Graph.Initializers, onnx.Int64Tensor(size, []int64{1}, n+more))
						m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{OpType: "Split", Inputs: []string{v.Name, size}, Outputs: []string{part}, Attributes: attrs(attrI("axis", int64(axis)))})
						m.Graph.Outputs = append(m.Graph.Outputs, onnx.ValueInfo{Name: part})
					}
				}
				data, err := onnx.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				s, err := lib.NewSession(ort.SourceOf(m, "m", "", data), ort.Options{Threads: 1, Level: ort.OptimizeNone})
				if err == nil {
					s.Close()
				}
				return fmt.Sprint(err)
			}
			right, wrong := load(0), load(1)
			if strings.Contains(right, "ShapeInferenceError") || !strings.Contains(wrong, "ShapeInferenceError") {
				t.Errorf("with %v: %s\nwith larger sizes: %s", r.Outputs, right, wrong)
			}
		})
	}
}
