package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// decoderSize is the shape of a decoder-only language model with grouped-query attention.
type decoderSize struct {
	layers, hidden, heads, kvHeads, mlp, vocab int64
}

// size70B has the extents of the published 70-billion-parameter models of that form (Llama 3, arXiv:2407.21783, table 3).
var size70B = decoderSize{layers: 80, hidden: 8192, heads: 64, kvHeads: 8, mlp: 28672, vocab: 128256}

// nodesPerLayer is what decoder writes for each layer; decoderRest what stands around them.
const (
	nodesPerLayer = 60
	decoderRest   = 9
)

// decoderOf returns a decoder of about n nodes with small layers.
func decoderOf(n int) *onnx.Model {
	return decoder(decoderSize{layers: int64(max(1, (n-decoderRest)/nodesPerLayer)), hidden: 256, heads: 8, kvHeads: 2, mlp: 896, vocab: 32000})
}

// decoder writes the prefill pass of a language model as exporters do, norms and rotary embeddings in single
// operators, with its weights in a file of external data that is not there.
func decoder(s decoderSize) *onnx.Model {
	b := &decoderBuilder{decoderSize: s, headDim: s.hidden / s.heads, g: &onnx.Graph{Name: "main_graph"}}
	b.g.Inputs = []onnx.ValueInfo{
		b.input("input_ids", onnx.Int64, named("batch"), named("sequence")),
		b.input("cos", onnx.Float16, named("sequence"), known(b.headDim)),
		b.input("sin", onnx.Float16, named("sequence"), known(b.headDim)),
		b.input("mask", onnx.Float16, known(1), known(1), named("sequence"), named("sequence")),
	}
	b.constants()
	b.at = "/model"
	x := b.node("Gather", nil, b.weight("model.embed_tokens.weight", s.vocab, s.hidden), "input_ids")
	for l := range s.layers {
		x = b.layer(l, x)
	}
	b.at = "/model/norm"
	x = b.norm(b.weight("model.norm.weight", s.hidden), x)
	b.at = "/lm_head"
	x = b.node("MatMul", nil, x, b.weight("lm_head.weight", s.hidden, s.vocab))
	b.g.Outputs = []onnx.ValueInfo{{Name: x}}
	return &onnx.Model{IRVersion: 9, ProducerName: "test", Opsets: []onnx.OpsetID{{Version: 17}}, Graph: b.g}
}

type decoderBuilder struct {
	decoderSize
	headDim int64
	g       *onnx.Graph
	at      string // scope of the next nodes
	offset  int64  // of the next weight
}

func named(param string) onnx.Dimension { return onnx.Dimension{Param: param} }
func known(v int64) onnx.Dimension      { return onnx.Dimension{Value: v, HasValue: true} }

func (b *decoderBuilder) input(name string, t onnx.DType, shape ...onnx.Dimension) onnx.ValueInfo {
	return onnx.ValueInfo{Name: name, Type: &onnx.Type{Kind: onnx.KindTensor, DType: t, HasShape: true, Shape: shape}}
}

// weight declares external data behind that of the weight before.
func (b *decoderBuilder) weight(name string, dims ...int64) string {
	t := onnx.VirtualTensor(name, onnx.Float16, dims)
	size := int64(2)
	for _, d := range dims {
		size *= d
	}
	t.External = &onnx.External{Location: "weights.bin", Offset: b.offset, Length: size}
	b.offset += size
	b.g.Initializers = append(b.g.Initializers, t)
	return name
}

func (b *decoderBuilder) constants() {
	ints := func(name string, v ...int64) {
		b.g.Initializers = append(b.g.Initializers, onnx.Int64Tensor(name, []int64{int64(len(v))}, v...))
	}
	ints("heads", 0, 0, b.heads, b.headDim)
	ints("kv_heads", 0, 0, b.kvHeads, b.headDim)
	ints("repeat", 1, 1, b.heads/b.kvHeads, 1, 1)
	ints("repeated", 0, b.heads, -1, b.headDim)
	ints("joined", 0, 0, b.hidden)
	ints("zero", 0)
	ints("half", b.headDim/2)
	ints("end", b.headDim)
	ints("last", -1)
	ints("two", 2)
	for _, name := range []string{"square", "eps", "scale"} {
		b.g.Initializers = append(b.g.Initializers, onnx.NewTensor(name, onnx.Float16, nil, []byte{0, 0x3c}))
	}
}

// node adds a node and returns the name of its output.
func (b *decoderBuilder) node(op string, attrs []onnx.Attribute, inputs ...string) string {
	name := fmt.Sprintf("%s/%s_%d", b.at, op, len(b.g.Nodes))
	out := name + "_output_0"
	b.g.Nodes = append(b.g.Nodes, &onnx.Node{Name: name, OpType: op, Inputs: inputs, Outputs: []string{out}, Attributes: attrs})
	return out
}

func intAttr(name string, v int64) []onnx.Attribute {
	return []onnx.Attribute{{Name: name, Type: onnx.AttrInt, I: v}}
}

func perm(v ...int64) []onnx.Attribute {
	return []onnx.Attribute{{Name: "perm", Type: onnx.AttrInts, Ints: v}}
}

func (b *decoderBuilder) layer(l int64, x string) string {
	w := func(name string, dims ...int64) string {
		return b.weight(fmt.Sprintf("model.layers.%d.%s.weight", l, name), dims...)
	}
	b.at = fmt.Sprintf("/model/layers.%d/input_layernorm", l)
	h := b.norm(w("input_layernorm", b.hidden), x)
	b.at = fmt.Sprintf("/model/layers.%d/self_attn", l)
	kv := b.kvHeads * b.headDim
	q := b.split(b.node("MatMul", nil, h, w("self_attn.q_proj", b.hidden, b.hidden)), "heads")
	k := b.split(b.node("MatMul", nil, h, w("self_attn.k_proj", b.hidden, kv)), "kv_heads")
	v := b.split(b.node("MatMul", nil, h, w("self_attn.v_proj", b.hidden, kv)), "kv_heads")
	q, k = b.rotary(q), b.rotary(k)
	k, v = b.repeat(k), b.repeat(v)
	scores := b.node("MatMul", nil, q, b.node("Transpose", perm(0, 1, 3, 2), k))
	scores = b.node("Add", nil, b.node("Mul", nil, scores, "scale"), "mask")
	h = b.node("MatMul", nil, b.node("Softmax", intAttr("axis", -1), scores), v)
	h = b.node("Reshape", nil, b.node("Transpose", perm(0, 2, 1, 3), h), "joined")
	x = b.node("Add", nil, x, b.node("MatMul", nil, h, w("self_attn.o_proj", b.hidden, b.hidden)))
	b.at = fmt.Sprintf("/model/layers.%d/post_attention_layernorm", l)
	h = b.norm(w("post_attention_layernorm", b.hidden), x)
	b.at = fmt.Sprintf("/model/layers.%d/mlp", l)
	gate := b.node("MatMul", nil, h, w("mlp.gate_proj", b.hidden, b.mlp))
	gate = b.node("Mul", nil, gate, b.node("Sigmoid", nil, gate))
	up := b.node("MatMul", nil, h, w("mlp.up_proj", b.hidden, b.mlp))
	down := b.node("MatMul", nil, b.node("Mul", nil, gate, up), w("mlp.down_proj", b.mlp, b.hidden))
	return b.node("Add", nil, x, down)
}

// norm is RMSNorm.
func (b *decoderBuilder) norm(weight, x string) string {
	axes := []onnx.Attribute{{Name: "axes", Type: onnx.AttrInts, Ints: []int64{-1}}}
	mean := b.node("ReduceMean", axes, b.node("Pow", nil, x, "square"))
	root := b.node("Sqrt", nil, b.node("Add", nil, mean, "eps"))
	scaled := b.node("Mul", nil, x, b.node("Reciprocal", nil, root))
	return b.node("Mul", nil, scaled, weight)
}

func (b *decoderBuilder) split(x, shape string) string {
	return b.node("Transpose", perm(0, 2, 1, 3), b.node("Reshape", nil, x, shape))
}

func (b *decoderBuilder) rotary(x string) string {
	low := b.node("Slice", nil, x, "zero", "half", "last")
	high := b.node("Slice", nil, x, "half", "end", "last")
	turned := b.node("Concat", intAttr("axis", -1), b.node("Neg", nil, high), low)
	return b.node("Add", nil, b.node("Mul", nil, x, "cos"), b.node("Mul", nil, turned, "sin"))
}

// repeat gives every group of query heads its own copy of the keys or values.
func (b *decoderBuilder) repeat(x string) string {
	wide := b.node("Expand", nil, b.node("Unsqueeze", nil, x, "two"), "repeat")
	return b.node("Reshape", nil, wide, "repeated")
}

func writeModel(t testing.TB, m *onnx.Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := onnx.WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	return path
}

// BenchmarkGrowth times each step of an analysis at growing graphs; ns/node and B/node show how it grows.
func BenchmarkGrowth(b *testing.B) {
	d, err := specs.LoadDevice("h100-sxm")
	if err != nil {
		b.Fatal(err)
	}
	sizes := []int{1_000, 10_000, 100_000}
	if os.Getenv("ONNXCOST_FULL") != "" {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		path := writeModel(b, decoderOf(n))
		ctx := context.Background()
		bind := analyzer.Options{Dims: dim.Env{"sequence": 128}}
		var m *onnx.Model
		var r *analyzer.Report
		steps := []struct {
			name string
			run  func() error
		}{
			{"parse", func() (err error) { m, err = onnx.Open(path); return err }},
			{"infer", func() (err error) { r, err = analyzer.Analyze(ctx, m, bind); return err }},
			{"totals", func() error { r.Totals(); return nil }},
			{"liveness", func() error { _, err := r.Liveness(nil); return err }},
			{"formula", func() error { r.PeakFormula(nil); return nil }},
			{"arena", func() error { _, err := r.Arena(nil, analyzer.ArenaOptions{}); return err }},
			{"summary", func() error { r.Summary("model", false); return nil }},
			{"compile", func() error { _, err := costmodel.Compile(ctx, r, d, costmodel.Options{}); return err }},
			{"predict", func() error { _, err := costmodel.Predict(ctx, r, d, costmodel.Options{NoKernels: true}); return err }},
		}
		for _, s := range steps {
			b.Run(fmt.Sprintf("step=%s/nodes=%d", s.name, n), func(b *testing.B) {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				for b.Loop() {
					if err := s.run(); err != nil {
						b.Fatal(err)
					}
				}
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/node")
				b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/float64(n), "B/node")
			})
		}
	}
}
