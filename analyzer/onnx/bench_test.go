package onnx

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"
)

// transformer returns a graph in the manner of PyTorch's exporter: per layer some forty small nodes with long names,
// a few shape constants, and one weight of weightBytes bytes; after shape inference also a type for each value.
func transformer(layers int, weightBytes int64, valueInfo bool) *Model {
	g := &Graph{Name: "main_graph"}
	x := "input_ids"
	g.Inputs = []ValueInfo{{Name: x, Type: &Type{Kind: KindTensor, DType: Float32, HasShape: true,
		Shape: []Dimension{{Param: "batch"}, {Param: "sequence"}, {Value: 768, HasValue: true}}}}}
	ops := []string{"MatMul", "Add", "Reshape", "Transpose", "Mul", "Softmax", "Div", "Erf"}
	for l := range layers {
		weight := fmt.Sprintf("encoder.layer.%d.attention.self.query.weight", l)
		if weightBytes > 0 {
			g.Initializers = append(g.Initializers, GeneratedTensor(weight, Float32, []int64{weightBytes / 4}, zeros(weightBytes)))
		} else {
			g.Initializers = append(g.Initializers, VirtualTensor(weight, Float32, []int64{768, 768}))
		}
		for i := range 40 {
			op := ops[i%len(ops)]
			name := fmt.Sprintf("/encoder/layer.%d/attention/self/%s_%d", l, op, i)
			y := name + "_output_0"
			n := &Node{Name: name, OpType: op, Inputs: []string{x}, Outputs: []string{y}}
			switch op {
			case "MatMul", "Add", "Mul", "Div":
				n.Inputs = append(n.Inputs, weight)
			case "Reshape":
				shape := fmt.Sprintf("/encoder/layer.%d/Constant_%d_output_0", l, i)
				g.Initializers = append(g.Initializers, Int64Tensor(shape, []int64{4}, 0, -1, 12, 64))
				n.Inputs = append(n.Inputs, shape)
			case "Transpose":
				n.Attributes = []Attribute{{Name: "perm", Type: AttrInts, Ints: []int64{0, 2, 1, 3}}}
			case "Softmax":
				n.Attributes = []Attribute{{Name: "axis", Type: AttrInt, I: -1}}
			}
			g.Nodes = append(g.Nodes, n)
			if valueInfo {
				g.ValueInfo = append(g.ValueInfo, ValueInfo{Name: y, Type: g.Inputs[0].Type})
			}
			x = y
		}
	}
	g.Outputs = []ValueInfo{{Name: x, Type: g.Inputs[0].Type}}
	return &Model{IRVersion: 8, ProducerName: "pytorch", ProducerVersion: "2.5.0", Opsets: []OpsetID{{Version: 17}}, Graph: g}
}

func zeros(n int64) func(io.Writer) error {
	return func(w io.Writer) error {
		block := make([]byte, 1<<20)
		for left := n; left > 0; left -= int64(len(block)) {
			if _, err := w.Write(block[:min(left, int64(len(block)))]); err != nil {
				return err
			}
		}
		return nil
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct {
		name        string
		layers      int
		weightBytes int64
		valueInfo   bool
	}{
		{"nodes=40", 1, 0, false},
		{"nodes=13000", 325, 0, false},
		{"nodes=13000/types=13000", 325, 0, true},
		{"nodes=200/weights=500MB", 5, 100_000_000, false},
		{"nodes=2000/weights=500MB", 50, 10_000_000, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "m.onnx")
			if err := WriteFile(path, transformer(c.layers, c.weightBytes, c.valueInfo)); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Open(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	data, err := Marshal(transformer(325, 0, true))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, "bench"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	m := transformer(325, 0, true)
	data, err := Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Encode(io.Discard, m); err != nil {
			b.Fatal(err)
		}
	}
}
