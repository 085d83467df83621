package calibrate_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// operand is an input of a node: a graph input of a type and extents, or a constant.
type operand struct {
	dtype onnx.DType
	dims  []int64
	value *onnx.Tensor
}

func of(dt onnx.DType, dims ...int64) operand { return operand{dtype: dt, dims: dims} }
func float(dims ...int64) operand             { return of(onnx.Float32, dims...) }

// fixed is a constant vector of integers.
func fixed(v ...int64) operand {
	return operand{value: onnx.Int64Tensor("", []int64{int64(len(v))}, v...)}
}

func attrI(name string, v int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func attrS(name, v string) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrString, S: v}
}

func attrF(name string, v ...float32) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrFloats, Floats: v}
}

func attrs(list ...onnx.Attribute) []onnx.Attribute { return list }

func attrN(name string, v ...int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

// operatorCase is one node: an operator with its domain before a colon, at an opset of the standard.
type operatorCase struct {
	op    string
	opset int64
	outs  int // 1 where 0
	attrs []onnx.Attribute
	in    []operand
}

// operatorCases are operators of other domains and behaviour of old and recent opsets; a Rule that no model and no test of
// the standard runs has a line here where the runtime has a kernel for it.
var operatorCases = []operatorCase{
	// com.microsoft
	{op: "com.microsoft:GatherND", in: []operand{float(2, 3, 4), {value: onnx.Int64Tensor("", []int64{2, 2}, 0, 1, 1, 2)}}},
	{op: "com.microsoft:GridSample", in: []operand{float(2, 3, 5, 7), float(2, 4, 6, 2)}},
	{op: "com.microsoft:TransposeMatMul", attrs: attrs(attrI("transA", 1), attrI("transB", 1)), in: []operand{float(2, 4, 3), float(2, 5, 4)}},
	{op: "com.microsoft:FusedMatMul", attrs: attrs(attrI("transBatchA", 1)), in: []operand{float(3, 2, 4), float(2, 4, 5)}},
	{op: "com.microsoft:MatMulInteger16", in: []operand{of(onnx.Int16, 2, 3, 4), of(onnx.Int16, 2, 4, 5)}},
	{op: "com.microsoft:MaxpoolWithMask", attrs: attrs(attrN("kernel_shape", 3, 3), attrN("strides", 2, 2)), in: []operand{float(2, 3, 9, 7), of(onnx.Int32, 2, 3, 9, 7)}},
	{op: "com.microsoft:QuantizeLinear", in: []operand{float(3, 4), float(), of(onnx.Uint8)}},
	{op: "com.microsoft:RotaryEmbedding", in: []operand{float(2, 3, 4, 8), {value: onnx.Int64Tensor("", []int64{1}, 0)}, float(9, 4), float(9, 4)}},

	{op: "com.microsoft:SampleOp", in: []operand{float(2, 3)}},
	{op: "com.microsoft:AttnLSTM", outs: 3, attrs: attrs(attrI("hidden_size", 4)), in: []operand{float(5, 2, 3), float(1, 16, 9), float(1, 16, 4), float(1, 32), {value: onnx.NewTensor("", onnx.Int32, []int64{2}, []byte{5, 0, 0, 0, 4, 0, 0, 0})},
		float(1, 2, 4), float(1, 2, 4), float(1, 12), float(1, 4, 7), float(1, 8, 7), float(1, 7), float(2, 5, 8), {value: onnx.NewTensor("", onnx.Int32, []int64{2}, []byte{5, 0, 0, 0, 4, 0, 0, 0})}, float(1, 12, 6)}},
	{op: "com.microsoft:EngramGate", in: []operand{float(2, 3, 4, 8), float(2, 3, 4, 8), float(2, 3, 8), float(4, 8), float(4, 8)}},
	{op: "com.microsoft:NGramHashMapping", outs: 2, attrs: attrs(attrI("max_ngram_size", 3), attrI("n_head_per_ngram", 2), attrI("pad_id", 0)),
		in: []operand{of(onnx.Int64, 2, 5), fixed(3, 5, 7), fixed(11, 13, 17, 19)}},

	// ai.onnx.ml
	{op: "ai.onnx.ml:Binarizer", in: []operand{float(3, 4)}},
	{op: "ai.onnx.ml:Imputer", attrs: attrs(attrF("imputed_value_floats", 1)), in: []operand{float(3, 4)}},
	{op: "ai.onnx.ml:FeatureVectorizer", attrs: attrs(attrN("inputdimensions", 3, 4)), in: []operand{float(2, 3), float(2, 4)}},
	{op: "ai.onnx.ml:FeatureVectorizer", attrs: attrs(attrN("inputdimensions", 3)), in: []operand{float(1, 1, 3)}},
	{op: "ai.onnx.ml:FeatureVectorizer", attrs: attrs(attrN("inputdimensions", 12)), in: []operand{float(2, 3, 4)}},
	{op: "ai.onnx.ml:FeatureVectorizer", attrs: attrs(attrN("inputdimensions", 3)), in: []operand{float(3)}},
	{op: "ai.onnx.ml:Normalizer", in: []operand{float(3, 4)}},
	{op: "ai.onnx.ml:Scaler", attrs: attrs(attrF("offset", 0), attrF("scale", 2)), in: []operand{of(onnx.Int64, 3, 4)}},

	// The standard's earlier forms: attributes where there are inputs now.
	{op: "Reshape", opset: 5, in: []operand{float(2, 3, 4), fixed(0, -1)}},
	{op: "Squeeze", opset: 11, attrs: attrs(attrN("axes", 1, -1)), in: []operand{float(3, 1, 4, 1)}},
	{op: "Unsqueeze", opset: 11, attrs: attrs(attrN("axes", 0, -1)), in: []operand{float(3, 4)}},
	{op: "Split", opset: 11, outs: 2, attrs: attrs(attrI("axis", -1), attrN("split", 1, 3)), in: []operand{float(3, 4)}},
	{op: "Slice", opset: 9, attrs: attrs(attrN("starts", 1, -3), attrN("ends", 9, -1), attrN("axes", 0, 2)), in: []operand{float(4, 3, 5)}},
	{op: "Flatten", opset: 8, attrs: attrs(attrI("axis", 2)), in: []operand{float(2, 3, 4, 5)}},
	{op: "Gather", opset: 10, attrs: attrs(attrI("axis", 1)), in: []operand{float(2, 5, 3), fixed(4, 0)}},
	{op: "Scatter", opset: 10, attrs: attrs(attrI("axis", 1)), in: []operand{float(2, 5), {value: onnx.Int64Tensor("", []int64{2, 3}, 0, 4, 2, 1, 3, 0)}, float(2, 3)}},
	{op: "ReduceL1", opset: 11, attrs: attrs(attrN("axes", 0, 2)), in: []operand{float(2, 3, 4)}},
	{op: "ReduceL2", opset: 11, attrs: attrs(attrN("axes", -1), attrI("keepdims", 0)), in: []operand{float(2, 3, 4)}},
	{op: "ReduceLogSumExp", opset: 11, in: []operand{float(2, 3, 4)}},
	{op: "ReduceMax", opset: 12, attrs: attrs(attrN("axes", 1), attrI("keepdims", 0)), in: []operand{float(2, 3, 4)}},
	{op: "Clip", opset: 6, attrs: attrs(onnx.Attribute{Name: "min", Type: onnx.AttrFloat, F: 0}), in: []operand{float(2, 3)}},
	{op: "Expand", opset: 8, in: []operand{float(3, 1), fixed(2, 1, 4)}},
	{op: "Where", opset: 9, in: []operand{of(onnx.Bool, 3, 1), float(1, 4), float(2, 3, 4)}},
	{op: "PRelu", opset: 9, in: []operand{float(2, 3, 4), float(3, 1)}},
	{op: "Pow", opset: 7, in: []operand{float(2, 3), float(3)}},
	{op: "Sum", opset: 8, in: []operand{float(3, 1), float(1, 4), float(2, 1, 1)}},
	{op: "Mean", opset: 8, in: []operand{float(3, 1), float(4)}},
	{op: "Mod", opset: 10, in: []operand{of(onnx.Int32, 3, 1), of(onnx.Int32, 1, 4)}},

	// Recent ones.
	{op: "Gelu", opset: 20, in: []operand{float(2, 3)}},
	{op: "BitwiseXor", opset: 18, in: []operand{of(onnx.Int32, 3, 1), of(onnx.Int32, 4)}},
	{op: "BitShift", opset: 11, attrs: attrs(attrS("direction", "LEFT")), in: []operand{of(onnx.Uint32, 3, 1), of(onnx.Uint32, 4)}},
	{op: "Celu", opset: 12, in: []operand{float(2, 3)}},
	{op: "Shrink", opset: 9, in: []operand{float(2, 3)}},
	{op: "IsNaN", opset: 9, in: []operand{float(2, 3)}},
	{op: "RandomNormalLike", opset: 9, in: []operand{float(2, 3)}},
}

// model is a graph of the node alone. Extents of graph inputs are symbols; dims are their numbers.
func (c *operatorCase) model() (m *onnx.Model, dims map[string]int64) {
	domain, name, ok := strings.Cut(c.op, ":")
	if !ok {
		domain, name = "", c.op
	}
	n := &onnx.Node{Name: "node", OpType: name, Domain: domain, Attributes: c.attrs}
	g := &onnx.Graph{Name: "g", Nodes: []*onnx.Node{n}}
	dims = map[string]int64{}
	for i, o := range c.in {
		in := fmt.Sprintf("x%d", i)
		n.Inputs = append(n.Inputs, in)
		if o.value != nil {
			w := *o.value
			w.Name = in
			g.Initializers = append(g.Initializers, &w)
			continue
		}
		info := onnx.ValueInfo{Name: in, Type: &onnx.Type{Kind: onnx.KindTensor, DType: o.dtype, HasShape: true}}
		for k, d := range o.dims {
			sym := fmt.Sprintf("%s_%d", in, k)
			dims[sym] = d
			info.Type.Shape = append(info.Type.Shape, onnx.Dimension{Param: sym})
		}
		g.Inputs = append(g.Inputs, info)
	}
	for i := range max(1, c.outs) {
		out := fmt.Sprintf("y%d", i)
		n.Outputs = append(n.Outputs, out)
		g.Outputs = append(g.Outputs, onnx.ValueInfo{Name: out})
	}
	m = &onnx.Model{IRVersion: 10, Graph: g, Opsets: []onnx.OpsetID{{Version: max(c.opset, 7)}}}
	if domain != "" {
		m.Opsets = []onnx.OpsetID{{Version: 17}, {Domain: domain, Version: 1}}
	}
	return m, dims
}

// TestOperatorShapesInRuntime analyses single operators with free extents and compares the extents of their outputs
// with those of a run in ONNX Runtime.
func TestOperatorShapesInRuntime(t *testing.T) {
	if os.Getenv(ort.EnvLibrary) == "" {
		t.Skip("needs ONNXRUNTIME_LIB, the path of ONNX Runtime's C library")
	}
	lib := openLibrary(t)
	for i := range operatorCases {
		c := &operatorCases[i]
		t.Run(fmt.Sprintf("%s-%d", c.op, c.opset), func(t *testing.T) {
			m, dims := c.model()
			r, err := analyzer.Analyze(t.Context(), m, analyzer.Options{Dims: dims})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Diagnostics) > 0 || len(r.Nodes) != 1 || r.Nodes[0].Rule == nil {
				t.Fatalf("got %d nodes and %v", len(r.Nodes), r.Diagnostics)
			}
			data, err := onnx.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			compareShapes(t, r, profile(t, lib, ort.SourceOf(m, c.op, "", data), r, nil))
		})
	}
}
