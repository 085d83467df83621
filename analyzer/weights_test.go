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

// TestStoredInAttributes: ai.onnx.ml keeps its parameters in attributes: floats are parameters, other lists are bytes.
func TestStoredInAttributes(t *testing.T) {
	floats := func(name string, n int) onnx.Attribute {
		return onnx.Attribute{Name: name, Type: onnx.AttrFloats, Floats: make([]float32, n)}
	}
	ints := func(name string, n int) onnx.Attribute {
		return onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: make([]int64, n)}
	}
	words := func(name string, w ...string) onnx.Attribute {
		return onnx.Attribute{Name: name, Type: onnx.AttrStrings, Strings: w}
	}
	tensor := func(name string, dt onnx.DType, dims ...int64) onnx.Attribute {
		return onnx.Attribute{Name: name, Type: onnx.AttrTensor, T: onnx.VirtualTensor("", dt, dims)}
	}
	for _, k := range []struct {
		op                       string
		attrs                    []onnx.Attribute
		params, trainable, bytes string
	}{
		{"LinearRegressor", []onnx.Attribute{attrInt("targets", 3), floats("coefficients", 30), floats("intercepts", 3)}, "33", "33", "132"},
		{"LinearClassifier", []onnx.Attribute{floats("coefficients", 30), floats("intercepts", 3), ints("classlabels_ints", 3)}, "33", "33", "156"},
		{"SVMClassifier", []onnx.Attribute{floats("support_vectors", 50), floats("coefficients", 10), floats("rho", 1), floats("prob_a", 1), floats("prob_b", 1), floats("kernel_params", 3),
			ints("vectors_per_class", 2), ints("classlabels_ints", 2)}, "63", "63", "296"},
		{"SVMRegressor", []onnx.Attribute{floats("support_vectors", 50), floats("coefficients", 5), floats("rho", 1)}, "56", "56", "224"},
		{"TreeEnsembleRegressor", []onnx.Attribute{floats("nodes_values", 7), floats("nodes_hitrates", 7), ints("nodes_nodeids", 7), ints("nodes_treeids", 7), ints("nodes_featureids", 7),
			ints("nodes_truenodeids", 7), ints("nodes_falsenodeids", 7), words("nodes_modes", "BRANCH_LEQ", "LEAF"), floats("target_weights", 4), ints("target_ids", 4)}, "11", "11", "398"},
		{"TreeEnsembleClassifier", []onnx.Attribute{tensor("nodes_values_as_tensor", onnx.Float64, 7), tensor("class_weights_as_tensor", onnx.Float64, 4)}, "11", "11", "88"},
		{"Scaler", []onnx.Attribute{floats("offset", 10), floats("scale", 10)}, "20", "0", "80"},
		{"Imputer", []onnx.Attribute{floats("imputed_value_floats", 10)}, "10", "0", "40"},
		{"Imputer", []onnx.Attribute{ints("imputed_value_int64s", 10)}, "10", "0", "80"},
		{"OneHotEncoder", []onnx.Attribute{ints("cats_int64s", 5)}, "0", "0", "40"},
		{"LabelEncoder", []onnx.Attribute{words("keys_strings", "cat", "dog"), floats("values_floats", 2)}, "2", "2", "14"},
		{"LabelEncoder", []onnx.Attribute{tensor("keys_tensor", onnx.Int64, 3), tensor("values_tensor", onnx.Float32, 3)}, "3", "3", "36"},
		{"Normalizer", nil, "0", "0", "0"},
		{"FeatureVectorizer", []onnx.Attribute{ints("inputdimensions", 1)}, "0", "0", "0"},
	} {
		g := &onnx.Graph{Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, "b", 10)}, Outputs: outputs("y"),
			Nodes: []*onnx.Node{node("y = ai.onnx.ml."+k.op+"(x)", k.attrs...)}}
		if k.op == "LinearClassifier" || k.op == "SVMClassifier" || k.op == "TreeEnsembleClassifier" {
			g.Nodes[0].Outputs = append(g.Nodes[0].Outputs, "scores")
		}
		m := model(g)
		m.Opsets = append(m.Opsets, onnx.OpsetID{Domain: "ai.onnx.ml", Version: 3})
		tot := run(t, m, analyzer.Options{}).Totals()
		if got := tot.Params.String() + " " + tot.TrainableParams.String() + " " + tot.ConstantBytes.String(); got != k.params+" "+k.trainable+" "+k.bytes {
			t.Errorf("%s: got %s parameters, trainable, bytes; want %s %s %s", k.op, got, k.params, k.trainable, k.bytes)
		}
	}
}

// TestDequantisedWeights: what is dequantised from constants alone belongs to the weights, however far it is moved; what is
// dequantised from activations does not.
func TestDequantisedWeights(t *testing.T) {
	stored := []*onnx.Tensor{onnx.VirtualTensor("w", onnx.Int8, []int64{1000, 1000}), onnx.VirtualTensor("s", onnx.Float32, nil), onnx.VirtualTensor("z", onnx.Int8, nil)}
	r := run(t, model(&onnx.Graph{
		Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Int8, 1, 1000)}, Initializers: stored, Outputs: outputs("y"),
		Nodes: []*onnx.Node{node("f = DequantizeLinear(w, s, z)"), node("t = Transpose(f)"), node("d = DequantizeLinear(x, s, z)"), node("y = MatMul(d, t)")},
	}), analyzer.Options{})
	live, err := r.Liveness(nil)
	if err != nil || live.PeakBytes != 8000 {
		t.Errorf("peak: got %d, %v, want 8000: d and y", live.PeakBytes, err)
	}
	arena, err := r.Arena(nil, analyzer.ArenaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := arena.Verify(r, nil); err != nil {
		t.Error(err)
	}
	tot := r.Totals()
	if !tot.Params.Is(1000000) || !tot.ConstantBytes.Is(1000005) {
		t.Errorf("got %v parameters of %v bytes, want 1000000 of 1000005", tot.Params, tot.ConstantBytes)
	}
	if peak, ok := r.PeakFormula(nil); !ok || !peak.Is(8000) {
		t.Errorf("peak as a formula: got %v, want 8000", peak)
	}
}

// TestFoldedQuantisation: a quantised constant is its constant; the scale is no parameter.
func TestFoldedQuantisation(t *testing.T) {
	m := model(&onnx.Graph{
		Inputs: []onnx.ValueInfo{tensorInfo("x", onnx.Float32, 1, 3, 8, 8)}, Outputs: outputs("y"),
		Initializers: []*onnx.Tensor{onnx.VirtualTensor("w", onnx.Float32, []int64{4, 3, 3, 3}), onnx.VirtualTensor("s", onnx.Float32, []int64{4, 1, 1, 1}),
			onnx.VirtualTensor("z", onnx.Float32, nil), onnx.VirtualTensor("bits", onnx.Float32, nil)},
		Nodes: []*onnx.Node{node("q = onnx.brevitas.Quant(w, s, z, bits)"), node("y = Conv(x, q)")},
	})
	m.Opsets = append(m.Opsets, onnx.OpsetID{Domain: "onnx.brevitas", Version: 1})
	r := run(t, m, analyzer.Options{})
	if tot := r.Totals(); !tot.Params.Is(108) || len(r.Nodes) != 1 {
		t.Errorf("got %v parameters in %d nodes, want 108 in the convolution alone", tot.Params, len(r.Nodes))
	}
}
