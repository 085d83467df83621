package analyzer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// operand is an input of a one-node model: an activation, or a weight that is declared and has no values.
type operand struct {
	dims   []int64
	weight bool
	dtype  onnx.DType
	ints   []int64 // values of a stored int64 tensor
	absent bool
}

func act(dims ...int64) operand    { return operand{dims: dims} }
func weight(dims ...int64) operand { return operand{dims: dims, weight: true} }
func stored(v ...int64) operand    { return operand{dims: []int64{int64(len(v))}, ints: v} }
func (o operand) of(t onnx.DType) operand {
	o.dtype = t
	return o
}

var none = operand{absent: true}

// single is a model of one node whose output has no declared shape.
func single(opset int64, op string, attrs []onnx.Attribute, operands ...operand) *onnx.Model {
	n := &onnx.Node{OpType: op, Attributes: attrs, Outputs: []string{"y"}}
	if domain, name, ok := strings.Cut(op, ":"); ok {
		n.Domain, n.OpType = domain, name
	}
	g := &onnx.Graph{Name: "g", Outputs: []onnx.ValueInfo{{Name: "y"}}}
	for i, o := range operands {
		name := fmt.Sprint("x", i)
		dt := o.dtype
		if dt == onnx.Undefined {
			dt = onnx.Float32
		}
		switch {
		case o.absent:
			name = ""
		case o.ints != nil:
			g.Initializers = append(g.Initializers, onnx.Int64Tensor(name, o.dims, o.ints...))
		case o.weight:
			g.Initializers = append(g.Initializers, onnx.VirtualTensor(name, dt, o.dims))
		default:
			g.Inputs = append(g.Inputs, input(name, dt, o.dims...))
		}
		n.Inputs = append(n.Inputs, name)
	}
	g.Nodes = []*onnx.Node{n}
	return &onnx.Model{IRVersion: 10, Graph: g,
		Opsets: []onnx.OpsetID{{Version: opset}, {Domain: "com.microsoft", Version: 1}}}
}

func input(name string, dt onnx.DType, dims ...int64) onnx.ValueInfo {
	t := &onnx.Type{Kind: onnx.KindTensor, DType: dt, HasShape: true}
	for _, d := range dims {
		t.Shape = append(t.Shape, onnx.Dimension{Value: d, HasValue: true})
	}
	return onnx.ValueInfo{Name: name, Type: t}
}

func ints(name string, v ...int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

func integerAttr(name string, v int64) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v}
}

func text(name, v string) onnx.Attribute {
	return onnx.Attribute{Name: name, Type: onnx.AttrString, S: v}
}

func attrs(a ...onnx.Attribute) []onnx.Attribute { return a }

// counts is what each convention makes of a model; those that count 0 are left out.
type counts map[string]int64

func recount(t *testing.T, m *onnx.Model) counts {
	t.Helper()
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Diagnostics {
		if d.Severity == analyzer.SeverityError {
			t.Fatalf("%s: %s", d.Node, d.Message)
		}
	}
	got := counts{}
	for _, c := range analyzer.Conventions() {
		if v := mustInt(t, r.Recount(c)); v != 0 {
			got[c.Name] = v
		}
	}
	return got
}

// TestConventions holds each table against counts by hand on models of one node.
func TestConventions(t *testing.T) {
	window := attrs(ints("kernel_shape", 3, 2), ints("strides", 2, 1), ints("pads", 1, 0, 1, 0), integerAttr("group", 3))
	image := act(2, 3, 4, 5) // 120 elements
	square3 := attrs(ints("kernel_shape", 3, 3), ints("strides", 2, 2), integerAttr("ceil_mode", 1))
	for _, c := range []struct {
		name string
		m    *onnx.Model
		want counts
	}{
		// 2·12·5·9 = 1080 outputs of 2·3·2 = 12 products; paper: 6·3·2 = 36 as if ungrouped, and a bias.
		{"conv with bias", single(13, "Conv", window, act(2, 6, 9, 10), weight(12, 2, 3, 2), weight(12)),
			counts{"ours": 12960, "torch": 25920, "fvcore": 12960, "thop": 12960, "onnx-tool": 14040, "paper": 1080 * 73}},
		{"conv without bias", single(13, "Conv", window, act(2, 6, 9, 10), weight(12, 2, 3, 2)),
			counts{"ours": 12960, "torch": 25920, "fvcore": 12960, "thop": 12960, "onnx-tool": 12960, "paper": 1080 * 73}},
		// 4·9 = 36 outputs of 9 products; paper: 2·9 and a bias, for Torch's parallel layers
		{"depthwise conv", single(13, "Conv", attrs(integerAttr("group", 4)), act(1, 4, 5, 5), weight(4, 1, 3, 3)),
			counts{"ours": 324, "torch": 648, "fvcore": 324, "thop": 324, "onnx-tool": 324, "paper": 36 * 19}},
		{"conv in one axis", single(13, "Conv", nil, act(1, 4, 10), weight(8, 4, 3)), // 64 outputs of 12 products; paper knows images
			counts{"ours": 768, "torch": 1536, "fvcore": 768, "thop": 768, "onnx-tool": 768}},
		// Input 2·4·30, output 2·6·120 = 1440. Input view: 240 elements times 3·2·2. thop: 1440·(4/2)·4; onnx-tool: 1440·3·4.
		{"transposed conv", single(13, "ConvTranspose", attrs(ints("strides", 2, 2), integerAttr("group", 2)), act(2, 4, 5, 6), weight(4, 3, 2, 2)),
			counts{"ours": 2880, "torch": 5760, "fvcore": 2880, "thop": 11520, "onnx-tool": 17280}},
		{"integer conv", single(13, "ConvInteger", nil, act(1, 2, 4, 4).of(onnx.Uint8), weight(3, 2, 3, 3).of(onnx.Uint8)), // 12 outputs of 18
			counts{"ours": 216, "onnx-tool": 216}},

		{"quantised conv with bias", single(13, "QLinearConv", nil, act(1, 2, 4, 4).of(onnx.Uint8), weight(), weight().of(onnx.Uint8),
			weight(3, 2, 3, 3).of(onnx.Uint8), weight(), weight().of(onnx.Uint8), weight(), weight().of(onnx.Uint8), weight(3).of(onnx.Int32)),
			counts{"ours": 216, "onnx-tool": 228}},

		{"gemm with bias", single(13, "Gemm", attrs(integerAttr("transB", 1)), act(3, 5), weight(7, 5), weight(7)), // 21 outputs of 5
			counts{"ours": 105, "torch": 210, "fvcore": 105, "thop": 105, "onnx-tool": 126, "paper": 231}},
		{"gemm without bias", single(13, "Gemm", nil, act(3, 5), weight(5, 7)),
			counts{"ours": 105, "torch": 210, "fvcore": 105, "thop": 105, "onnx-tool": 105, "paper": 210}},
		{"linear", single(13, "MatMul", nil, act(2, 3, 5), weight(5, 7)), // 42 outputs of 5
			counts{"ours": 210, "torch": 420, "fvcore": 210, "thop": 210, "onnx-tool": 210, "paper": 420}},
		{"product of activations", single(13, "MatMul", nil, act(2, 3, 5), act(2, 5, 7)),
			counts{"ours": 210, "torch": 420, "fvcore": 210, "onnx-tool": 210}},
		{"right operand with more axes", single(13, "MatMul", nil, act(3, 5), act(4, 5, 7)), // 84 outputs of 5; fvcore: 15·7
			counts{"ours": 420, "torch": 840, "fvcore": 105, "onnx-tool": 420}},
		{"matrix times vector", single(13, "MatMul", nil, act(3, 5), weight(5)), // onnx-tool: 1 per output
			counts{"ours": 15, "fvcore": 15, "thop": 15, "onnx-tool": 3, "paper": 30}},
		{"vector times matrix", single(13, "MatMul", nil, act(5), weight(5, 7)),
			counts{"ours": 35, "torch": 70, "fvcore": 35, "thop": 35, "onnx-tool": 35, "paper": 70}},
		{"einsum", single(13, "Einsum", attrs(text("equation", "bij,bjk->bik")), act(2, 3, 5), act(2, 5, 7)),
			counts{"ours": 210, "torch": 420, "fvcore": 210, "onnx-tool": 210}},

		{"convolution with activation", single(13, "com.microsoft:FusedConv", attrs(text("activation", "Relu")), act(1, 2, 4, 4), weight(3, 2, 3, 3)),
			counts{"ours": 216, "torch": 432, "fvcore": 216, "thop": 216}},
		{"scaled product", single(13, "com.microsoft:FusedMatMul", attrs(integerAttr("transB", 1)), act(3, 5), act(7, 5)),
			counts{"ours": 105, "torch": 210, "fvcore": 105}},
		// 2 heads of 4: 3 queries and 3 keys, 2·2·3·3·4
		{"attention of a runtime", single(13, "com.microsoft:MultiHeadAttention", attrs(integerAttr("num_heads", 2)), act(1, 3, 8), act(1, 3, 8), act(1, 3, 8)),
			counts{"ours": 144, "torch": 288}},
		{"quantised product", single(13, "QLinearMatMul", nil, act(2, 3, 5).of(onnx.Uint8), weight(), weight().of(onnx.Uint8),
			weight(5, 7).of(onnx.Uint8), weight(), weight().of(onnx.Uint8), weight(), weight().of(onnx.Uint8)),
			counts{"ours": 210, "onnx-tool": 210}},
		{"dequantisation", single(13, "DequantizeLinear", nil, act(2, 3).of(onnx.Uint8), weight()), counts{"onnx-tool": 12}},
		// 2 heads, 3 queries, 5 keys of 4, values of 6: 2·3·5·(4+6)
		{"attention", single(23, "Attention", nil, act(1, 2, 3, 4), act(1, 2, 5, 4), act(1, 2, 5, 6)), counts{"ours": 300, "torch": 600}},

		{"batch normalisation", single(13, "BatchNormalization", nil, image, weight(3), weight(3), weight(3), weight(3)),
			counts{"fvcore": 240, "thop": 480, "onnx-tool": 120 * 31}},
		{"layer normalisation", single(17, "LayerNormalization", nil, act(2, 3, 8), weight(8), weight(8)), // 48 elements, 6 rows
			counts{"fvcore": 240, "thop": 192, "onnx-tool": 48*7 + 6*29}},
		{"instance normalisation", single(13, "InstanceNormalization", nil, image, weight(3), weight(3)),
			counts{"fvcore": 600, "thop": 480, "onnx-tool": 120 * 14}},
		{"group normalisation", single(21, "GroupNormalization", attrs(integerAttr("num_groups", 3)), image, weight(3), weight(3)),
			counts{"fvcore": 600}},
		{"response normalisation", single(13, "LRN", attrs(integerAttr("size", 5)), act(1, 4, 3, 3)),
			counts{"onnx-tool": 36 * (5 + 37)}},
		{"softmax", single(13, "Softmax", nil, act(2, 3, 4)), // thop: 6 rows of 4+3+4
			counts{"thop": 66, "onnx-tool": 24 * 36}},
		{"softmax of opset 11", single(11, "Softmax", nil, act(2, 3, 4)), // 2 rows of 12+11+12
			counts{"thop": 70, "onnx-tool": 24 * 36}},
		{"logarithm of softmax", single(13, "LogSoftmax", nil, act(2, 10)),
			counts{"onnx-tool": 20 * 80, "paper": 60}},

		{"rectifier", single(13, "Relu", nil, image), counts{"onnx-tool": 120, "paper": 120}},
		{"rectifier with slopes", single(13, "PRelu", nil, image, weight(3, 1, 1)),
			counts{"thop": 120, "onnx-tool": 240, "paper": 120}},
		{"sum of two", single(13, "Add", nil, act(2, 3), act(2, 3)), counts{"onnx-tool": 6, "paper": 12}},
		{"shift", single(13, "Add", nil, act(2, 3), weight(3)), counts{"onnx-tool": 6}},
		{"sum of three", single(13, "Sum", nil, act(2, 3), act(2, 3), act(2, 3)), counts{"onnx-tool": 12, "paper": 18}},
		{"reduction", single(13, "ReduceSum", attrs(integerAttr("keepdims", 0)), act(2, 3, 4), stored(1)), // 24 to 8
			counts{"onnx-tool": 24, "paper": 16}},

		// ceil_mode makes 4×4 windows of what rounds down to 3×3; paper counts the latter and one channel.
		{"maximum pool", single(13, "MaxPool", square3, act(2, 3, 8, 8)), counts{"onnx-tool": 96 * 9, "paper": 2 * 9 * 9}},
		{"average pool", single(13, "AveragePool", attrs(ints("kernel_shape", 2, 2), ints("strides", 2, 2)), act(2, 3, 8, 8)),
			counts{"thop": 96, "onnx-tool": 96 * 4, "paper": 2 * 16 * 4}},
		{"average pool in space", single(13, "AveragePool", attrs(ints("kernel_shape", 2, 2, 2)), act(1, 1, 3, 3, 3)), // 8 outputs
			counts{"thop": 8, "onnx-tool": 16}},
		{"global average pool", single(13, "GlobalAveragePool", nil, image),
			counts{"fvcore": 120, "thop": 126, "onnx-tool": 120 + 6*4, "paper": 2 * 20}},

		{"nearest resize", single(13, "Resize", nil, act(1, 2, 3, 3), none, none, stored(1, 2, 6, 6)), // 72 outputs
			counts{"fvcore": 72, "thop": 72}},
		{"bilinear resize", single(13, "Resize", attrs(text("mode", "linear")), act(1, 2, 3, 3), none, none, stored(1, 2, 6, 6)),
			counts{"fvcore": 288, "thop": 72 * 11, "onnx-tool": 288}},
		{"bicubic resize", single(13, "Resize", attrs(text("mode", "cubic")), act(1, 2, 3, 3), none, none, stored(1, 2, 6, 6)),
			counts{"thop": 72 * 259, "onnx-tool": 576}},
		{"grid sample", single(16, "GridSample", nil, act(1, 2, 4, 4), act(1, 3, 3, 2)), counts{"fvcore": 72}},

		// 7 steps of a batch of 2, 3 inputs, 4 hidden, both directions: 28 cell runs. thop: 4·(4·(7+3)+4) a run.
		// onnx-tool: 14·(2·16·7 + 64) and 56 hidden elements at 4 + 3·32 + 2·38 + 4.
		{"lstm", single(14, "LSTM", attrs(integerAttr("hidden_size", 4), text("direction", "bidirectional")),
			act(7, 2, 3), weight(2, 16, 3), weight(2, 16, 4), weight(2, 32)),
			counts{"ours": 28 * 16 * 7, "thop": 28 * 176, "onnx-tool": 14*(224+64) + 56*180}},
		// 14 cell runs. thop: 4·(3·(7+3)+4). onnx-tool: 14·(12·7 + 24) and 56 elements at 3 + 2·32 + 38 + 5.
		{"gru", single(14, "GRU", attrs(integerAttr("hidden_size", 4)), act(7, 2, 3), weight(1, 12, 3), weight(1, 12, 4), weight(1, 24)),
			counts{"ours": 14 * 12 * 7, "thop": 14 * 136, "onnx-tool": 14*(84+24) + 56*110}},
		{"rnn without bias", single(14, "RNN", attrs(integerAttr("hidden_size", 4)), act(7, 2, 3), weight(1, 4, 3), weight(1, 4, 4)),
			counts{"ours": 14 * 28, "thop": 14 * 4 * 8}},

		{"operator without a rule", single(13, "com.example:Mystery", nil, image), counts{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, recount(t, c.m)); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnnxToolWeights: the instruction counts of functions of one operand, as the tool's table has them.
func TestOnnxToolWeights(t *testing.T) {
	for op, want := range map[string]int64{"Exp": 32, "Log": 43, "Sqrt": 24, "Reciprocal": 4, "Sin": 39, "Cos": 39, "Tanh": 76, "Atan": 64,
		"Sigmoid": 32, "HardSigmoid": 4, "HardSwish": 5, "LeakyRelu": 2, "Elu": 35, "Softplus": 76, "Floor": 1, "Ceil": 1, "Round": 1,
		"Abs": 1, "Neg": 1, "Sign": 1, "Hardmax": 1, "LpNormalization": 33, "Erf": 0, "Selu": 0, "Identity": 0, "Transpose": 0} {
		if got := recount(t, single(14, op, nil, act(2, 3)))["onnx-tool"]; got != 6*want {
			t.Errorf("%s: got %d for 6 elements, want %d", op, got, 6*want)
		}
	}
}

// TestConventionsFollowControlFlow: a body counts once for each trip, in every convention.
func TestConventionsFollowControlFlow(t *testing.T) {
	body := &onnx.Graph{
		Name:   "body",
		Inputs: []onnx.ValueInfo{input("i", onnx.Int64), input("c", onnx.Bool), input("h", onnx.Float32, 2, 3)},
		Nodes: []*onnx.Node{
			{OpType: "Identity", Inputs: []string{"c"}, Outputs: []string{"again"}},
			{OpType: "Relu", Inputs: []string{"h"}, Outputs: []string{"next"}},
		},
		Outputs: []onnx.ValueInfo{{Name: "again"}, {Name: "next"}},
	}
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetID{{Version: 13}}, Graph: &onnx.Graph{
		Name:         "g",
		Inputs:       []onnx.ValueInfo{input("x", onnx.Float32, 2, 3)},
		Initializers: []*onnx.Tensor{onnx.Int64Tensor("trips", nil, 5)},
		Nodes: []*onnx.Node{{OpType: "Loop", Inputs: []string{"trips", "", "x"}, Outputs: []string{"y"},
			Attributes: attrs(onnx.Attribute{Name: "body", Type: onnx.AttrGraph, G: body})}},
		Outputs: []onnx.ValueInfo{{Name: "y"}},
	}}
	want := counts{"onnx-tool": 30, "paper": 30}
	if diff := cmp.Diff(want, recount(t, m)); diff != "" {
		t.Errorf("five trips over 6 elements (-want +got):\n%s", diff)
	}
}

// TestConventionFacts: every convention can be found and says what it is; none carries an address.
func TestConventionFacts(t *testing.T) {
	var names []string
	for _, c := range analyzer.Conventions() {
		names = append(names, c.Name)
		found, ok := analyzer.ConventionByName(c.Name)
		if !ok || found.Title != c.Title {
			t.Errorf("%s: ConventionByName gives %q, %v", c.Name, found.Title, ok)
		}
		if c.Title == "" || c.Source == "" || c.Note == "" {
			t.Errorf("%s: title %q, source %q and note %q, want all three", c.Name, c.Title, c.Source, c.Note)
		}
		if !slices.Contains([]string{"MACs", "FLOPs", "ops"}, c.Unit) || c.PerMAC != 1 && c.PerMAC != 2 {
			t.Errorf("%s: unit %q and %d per MAC", c.Name, c.Unit, c.PerMAC)
		}
		if strings.Contains(c.Source+c.Note, "://") {
			t.Errorf("%s: the source or the note has an address", c.Name)
		}
		// a 1×1 convolution over one pixel with two channels is 2 MACs, to which paper adds a bias
		want := 2 * c.PerMAC
		if c.Name == "paper" {
			want++
		}
		if got := recount(t, single(13, "Conv", nil, act(1, 2, 1, 1), weight(1, 2, 1, 1)))[c.Name]; got != want {
			t.Errorf("%s: two MACs count %d, want %d", c.Name, got, want)
		}
	}
	if want := []string{"ours", "fvcore", "onnx-tool", "paper", "thop", "torch"}; !slices.Equal(names, want) {
		t.Errorf("conventions %v, want %v", names, want)
	}
	if _, ok := analyzer.ConventionByName("ptflops"); ok {
		t.Error("ConventionByName finds a convention that is none")
	}
}
