package calibrate

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Networks of kinds that neither the zoo nor the exported models have. They are for judging predictions and take no
// part in any calibration; their shapes are those of the architectures they are named after.

// otherNetworks builds them by name.
var otherNetworks = map[string]func() *onnx.Model{
	"mlp":         func() *onnx.Model { return mlp(1, 784, 512, 256, 128, 10) },
	"mlp-wide":    func() *onnx.Model { return mlp(1, 2048, 4096, 4096, 1000) },
	"mlp-batch":   func() *onnx.Model { return mlp(64, 256, 1024, 1024, 256) },
	"gru":         func() *onnx.Model { return recurrentNet("GRU", 3, 50, 40, 256, 2) },
	"lstm-small":  func() *onnx.Model { return recurrentNet("LSTM", 4, 100, 64, 128, 1) },
	"rnn":         func() *onnx.Model { return recurrentNet("RNN", 1, 60, 128, 256, 2) },
	"conv1d-kws":  func() *onnx.Model { return conv1dNet([]int64{1, 64, 64, 128, 128, 256}, 4000) },
	"tcn":         tcn,
	"dcgan":       func() *onnx.Model { return dcgan(100, 512, 64) },
	"dcgan-thin":  func() *onnx.Model { return dcgan(64, 256, 32) },
	"text-cnn":    textCNN,
	"encoder2":    func() *onnx.Model { return encoder(2, 64, 256, 4, 1024) },
	"encoder4":    func() *onnx.Model { return encoder(4, 128, 384, 6, 1536) },
	"segmenter":   func() *onnx.Model { return segmenter(96, 32) },
	"segmenter-s": func() *onnx.Model { return segmenter(64, 16) },
}

func mlp(m int64, widths ...int64) *onnx.Model {
	b := &micro{g: &onnx.Graph{Name: "mlp"}}
	x := b.raw(onnx.Float32, m, widths[0])
	for i, n := range widths[1:] {
		x = b.op("Gemm", []int64{m, n}, []arg{x, b.weight(x.dims[1], n, x.dims[1]), b.weight(1, n)}, attrInt("transB", 1))
		if i < len(widths)-2 {
			x = b.unary("Relu", x)
		}
	}
	return b.net(b.unary("Softmax", x, attrInt("axis", -1)))
}

// net ends a graph with a result of any size.
func (m *micro) net(x arg) *onnx.Model {
	m.g.Outputs = []onnx.ValueInfo{{Name: x.name, Type: tensorType(onnx.Float32, x.dims)}}
	return &onnx.Model{IRVersion: microIR, Opsets: []onnx.OpsetID{{Version: microOpset}}, Graph: m.g}
}

func recurrentNet(op string, gates, t, in, h, layers int64) *onnx.Model {
	b := &micro{g: &onnx.Graph{Name: op}}
	x := b.raw(onnx.Float32, t, 1, in)
	for range layers {
		y := b.op(op, []int64{t, 1, 1, h}, []arg{x, b.weight(h, 1, gates*h, x.dims[2]), b.weight(h, 1, gates*h, h), b.weight(1, 1, 2*gates*h)},
			attrInt("hidden_size", h))
		x = b.op("Squeeze", []int64{t, 1, h}, []arg{y, b.ints(1)})
	}
	y := b.op("MatMul", []int64{t, 1, 30}, []arg{x, b.weight(h, h, 30)})
	return b.net(b.unary("Softmax", b.op("Add", y.dims, []arg{y, b.weight(1, 30)}), attrInt("axis", -1)))
}

func (m *micro) conv1(x arg, cout, k, s, dil int64) arg {
	pad := dil * (k - 1) / 2
	return m.op("Conv", []int64{1, cout, convOut(x.dims[2], k, s, dil)}, []arg{x, m.weight(x.dims[1]*k, cout, x.dims[1], k), m.weight(1, cout)},
		attrInts("kernel_shape", k), attrInts("strides", s), attrInts("dilations", dil), attrInts("pads", pad, pad))
}

func conv1dNet(channels []int64, length int64) *onnx.Model {
	b := &micro{g: &onnx.Graph{Name: "conv1d"}}
	x := b.raw(onnx.Float32, 1, channels[0], length)
	for i, c := range channels[1:] {
		x = b.unary("Relu", b.conv1(x, c, []int64{9, 5, 5, 3, 3}[i], 2, 1))
	}
	x = b.pooled(x)
	x = b.op("Flatten", []int64{1, x.dims[1]}, []arg{x})
	return b.net(b.op("Gemm", []int64{1, 12}, []arg{x, b.weight(x.dims[1], 12, x.dims[1]), b.weight(1, 12)}, attrInt("transB", 1)))
}

func tcn() *onnx.Model {
	b := &micro{g: &onnx.Graph{Name: "tcn"}}
	x := b.conv1(b.raw(onnx.Float32, 1, 20, 600), 96, 1, 1, 1)
	for i := range 6 {
		y := b.unary("Relu", b.conv1(x, 96, 3, 1, 1<<i))
		y = b.unary("Relu", b.conv1(y, 96, 3, 1, 1<<i))
		x = b.unary("Relu", b.op("Add", x.dims, []arg{x, y}))
	}
	return b.net(b.conv1(x, 10, 1, 1, 1))
}

func dcgan(z, wide, thin int64) *onnx.Model {
	b := &micro{g: &onnx.Graph{Name: "dcgan"}}
	x := b.raw(onnx.Float32, 1, z, 1, 1)
	up := func(x arg, cout, k, s, pad int64) arg {
		out := (x.dims[2]-1)*s - 2*pad + k
		return b.op("ConvTranspose", []int64{1, cout, out, out}, []arg{x, b.weight(x.dims[1], x.dims[1], cout, k, k)},
			attrInts("kernel_shape", k, k), attrInts("strides", s, s), attrInts("pads", pad, pad, pad, pad))
	}
	norm := func(x arg) arg {
		c := x.dims[1]
		return b.unary("Relu", b.op("BatchNormalization", x.dims, []arg{x, b.positive(c), b.weight(1, c), b.weight(1, c), b.positive(c)}))
	}
	x = norm(up(x, wide, 4, 1, 0))
	for c := wide / 2; c >= thin; c /= 2 {
		x = norm(up(x, c, 4, 2, 1))
	}
	return b.net(b.unary("Tanh", up(x, 3, 4, 2, 1)))
}

func textCNN() *onnx.Model {
	b := &micro{g: &onnx.Graph{Name: "textcnn"}}
	ids := b.raw(onnx.Int64, 1, 56)
	e := b.op("Gather", []int64{1, 56, 300}, []arg{b.weight(1, 10000, 300), ids}, attrInt("axis", 0))
	x := b.op("Transpose", []int64{1, 300, 56}, []arg{e}, attrInts("perm", 0, 2, 1))
	var parts []arg
	for _, k := range []int64{3, 4, 5} {
		y := b.op("Conv", []int64{1, 100, 56 - k + 1}, []arg{x, b.weight(300*k, 100, 300, k), b.weight(1, 100)}, attrInts("kernel_shape", k))
		parts = append(parts, b.op("ReduceMax", []int64{1, 100}, []arg{b.unary("Relu", y)}, attrInts("axes", 2), attrInt("keepdims", 0)))
	}
	y := b.op("Concat", []int64{1, 300}, parts, attrInt("axis", 1))
	return b.net(b.op("Gemm", []int64{1, 2}, []arg{y, b.weight(300, 2, 300), b.weight(1, 2)}, attrInt("transB", 1)))
}

// encoder is a transformer encoder after embedding, with layer normalisation first and Gelu in parts.
func encoder(layers, seq, width, heads, inner int64) *onnx.Model {
	b := &micro{g: &onnx.Graph{Name: "encoder"}}
	x := b.raw(onnx.Float32, 1, seq, width)
	norm := func(x arg) arg {
		return b.op("LayerNormalization", x.dims, []arg{x, b.positive(width), b.weight(1, width)}, attrInt("axis", -1))
	}
	linear := func(x arg, n int64) arg {
		k := x.dims[2]
		y := b.op("MatMul", []int64{1, seq, n}, []arg{x, b.weight(k, k, n)})
		return b.op("Add", y.dims, []arg{b.weight(1, n), y})
	}
	head := width / heads
	split := func(x arg, perm ...int64) arg {
		y := b.op("Reshape", []int64{1, seq, heads, head}, []arg{x, b.ints(1, seq, heads, head)})
		return permute(b, y, perm)
	}
	for range layers {
		n := norm(x)
		q, k, v := split(linear(n, width), 0, 2, 1, 3), split(linear(n, width), 0, 2, 3, 1), split(linear(n, width), 0, 2, 1, 3)
		s := b.op("Mul", []int64{1, heads, seq, seq}, []arg{b.op("MatMul", []int64{1, heads, seq, seq}, []arg{q, k}), b.scalar(0.125)})
		a := b.op("MatMul", []int64{1, heads, seq, head}, []arg{b.unary("Softmax", s, attrInt("axis", -1)), v})
		a = b.op("Reshape", []int64{1, seq, width}, []arg{permute(b, a, []int64{0, 2, 1, 3}), b.ints(1, seq, width)})
		x = b.op("Add", x.dims, []arg{x, linear(a, width)})
		x = b.op("Add", x.dims, []arg{x, linear(gelu(b, linear(norm(x), inner)), width)})
	}
	return b.net(norm(x))
}

// segmenter is a small encoder and a decoder with resizing, skip connections and a map as large as the input.
func segmenter(size, c int64) *onnx.Model {
	b := &micro{g: &onnx.Graph{Name: fmt.Sprint("segmenter", size)}}
	conv := func(x arg, cout, s int64) arg {
		return b.conv(x, cout, micros{"kh": 3, "kw": 3, "s": s, "dil": 1, "g": 1, "act": 1})
	}
	x := conv(b.raw(onnx.Float32, 1, 3, size, size), c, 1)
	skips := []arg{x}
	for i := range int64(3) {
		x = conv(conv(x, c<<(i+1), 2), c<<(i+1), 1)
		skips = append(skips, x)
	}
	for i := 2; i >= 0; i-- {
		up := b.op("Resize", []int64{1, x.dims[1], 2 * x.dims[2], 2 * x.dims[3]}, []arg{x, {}, b.floats(1, 1, 2, 2)},
			attrString("mode", "nearest"), attrString("coordinate_transformation_mode", "asymmetric"), attrString("nearest_mode", "floor"))
		joined := b.op("Concat", []int64{1, up.dims[1] + skips[i].dims[1], up.dims[2], up.dims[3]}, []arg{up, skips[i]}, attrInt("axis", 1))
		x = conv(joined, skips[i].dims[1], 1)
	}
	return b.net(b.conv(x, 4, micros{"kh": 1, "kw": 1, "s": 1, "dil": 1, "g": 1}))
}

func (m *micro) floats(v ...float32) arg {
	name := "f" + fmt.Sprint(len(m.g.Initializers))
	m.g.Initializers = append(m.g.Initializers, onnx.Float32Tensor(name, []int64{int64(len(v))}, v...))
	return arg{name, nil}
}
