package calibrate

import (
	"math"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Unseen networks on tokens, patches, sound, points and tables.

// attention is attention over heads of one matrix each of queries, keys and values; scores changes the scores before the
// softmax.
func (m *micro) attention(q, k, v arg, heads int64, scores func(arg) arg) arg {
	seq, width := q.dims[1], q.dims[2]
	head := width / heads
	split := func(x arg, perm ...int64) arg { return permute(m, m.reshape(x, 1, seq, heads, head), perm) }
	s := m.op("MatMul", []int64{1, heads, seq, seq}, []arg{split(q, 0, 2, 1, 3), split(k, 0, 2, 3, 1)})
	s = m.unary("Softmax", scores(s), attrInt("axis", -1))
	y := m.op("MatMul", []int64{1, heads, seq, head}, []arg{s, split(v, 0, 2, 1, 3)})
	return m.reshape(permute(m, y, []int64{0, 2, 1, 3}), 1, seq, width)
}

// attend is attention with scores divided by the root of a head's width; bias, if any, is added to them.
func (m *micro) attend(q, k, v arg, heads int64, bias *arg) arg {
	return m.attention(q, k, v, heads, func(s arg) arg {
		s = m.op("Div", s.dims, []arg{s, m.scalar(float32(math.Sqrt(float64(q.dims[2] / heads))))})
		if bias != nil {
			s = m.add(s, *bias)
		}
		return s
	})
}

// rows looks up ids in a table of n rows.
func (m *micro) rows(n, width int64, ids arg) arg {
	return m.op("Gather", append(append([]int64{}, ids.dims...), width), []arg{m.weight(width, n, width), ids}, attrInt("axis", 0))
}

// positions are the stored numbers from 0 to seq-1.
func (m *micro) positions(seq int64) arg {
	p := make([]int64, seq)
	for i := range p {
		p[i] = int64(i)
	}
	return m.ints(p...)
}

// maskBias makes of a mask of tokens what is added to scores.
func (m *micro) maskBias(mask arg) arg {
	wide := m.op("Unsqueeze", []int64{1, 1, 1, mask.dims[1]}, []arg{mask, m.ints(1, 2)})
	keep := m.unary("Cast", wide, attrInt("to", int64(onnx.Float32)))
	return m.op("Mul", keep.dims, []arg{m.op("Sub", keep.dims, []arg{m.scalar(1), keep}), m.scalar(-10000)})
}

// causal is a stored bias that leaves a token those before it.
func (m *micro) causal(seq int64) arg {
	v := make([]float32, seq*seq)
	for i := range seq * seq {
		if i%seq > i/seq {
			v[i] = -10000
		}
	}
	bias := arg{"causal", []int64{1, 1, seq, seq}}
	m.g.Initializers = append(m.g.Initializers, onnx.Float32Tensor(bias.name, bias.dims, v...))
	return bias
}

// thirds cuts queries, keys and values out of one product.
func (m *micro) thirds(x arg) (q, k, v arg) {
	part := append(append([]int64{}, x.dims[:2]...), x.dims[2]/3)
	p := m.ops("Split", [][]int64{part, part, part}, []arg{x}, attrInt("axis", 2))
	return p[0], p[1], p[2]
}

// bert is an uncased BERT of Devlin and others 2019, or of Turc and others 2019, over 128 tokens, as transformers
// exports BertModel: three embeddings, a mask, and the pooled first token as second result. Before opset 17 layer
// normalisation was exported in parts.
func bert(layers, width, heads int64, parts bool) *onnx.Model {
	const seq = 128
	m := newNet("bert")
	ids, mask, types := m.raw(onnx.Int64, 1, seq), m.raw(onnx.Int64, 1, seq), m.raw(onnx.Int64, 1, seq)
	norm := m.layerNorm
	if parts {
		norm = func(x arg) arg { return layerNormParts(m, x) }
	}
	x := norm(m.add(m.add(m.rows(30522, width, ids), m.rows(2, width, types)), m.rows(512, width, m.positions(seq))))
	bias := m.maskBias(mask)
	for range layers {
		a := m.attend(m.linear(x, width), m.linear(x, width), m.linear(x, width), heads, &bias)
		x = norm(m.add(m.linear(a, width), x))
		x = norm(m.add(m.linear(gelu(m, m.linear(x, 4*width)), width), x))
	}
	first := m.op("Gather", []int64{1, width}, []arg{x, m.index(0)}, attrInt("axis", 1))
	return m.heads(x, m.unary("Tanh", m.dense(first, width)))
}

// index is a stored scalar index.
func (m *micro) index(i int64) arg {
	name := "s" + m.ints(i).name
	m.g.Initializers[len(m.g.Initializers)-1] = onnx.Int64Tensor(name, nil, i)
	return arg{name, nil}
}

// gpt2 is three of the twelve layers of the small GPT-2 of Radford and others 2019 over 64 tokens, with the causal mask
// added to the scores and Gelu by tanh, as transformers exports GPT2LMHeadModel.
func gpt2() *onnx.Model {
	const seq, width, heads, vocabulary = 64, 768, 12, 50257
	m := newNet("gpt2")
	ids := m.raw(onnx.Int64, 1, seq)
	x := m.op("Gather", []int64{1, seq, width}, []arg{m.weight(width, vocabulary, width), ids}, attrInt("axis", 0))
	x = m.add(x, m.weight(width, 1, seq, width))
	bias := m.causal(seq)
	conv1D := func(x arg, n int64) arg {
		y := m.dense(m.op("Reshape", []int64{seq, x.dims[2]}, []arg{x, m.ints(-1, x.dims[2])}), n)
		return m.op("Reshape", []int64{1, seq, n}, []arg{y, m.ints(-1, seq, n)})
	}
	for range 3 {
		q, k, v := m.thirds(conv1D(layerNormParts(m, x), 3*width))
		x = m.add(conv1D(m.attend(q, k, v, heads, &bias), width), x)
		x = m.add(conv1D(m.tanhGelu(conv1D(layerNormParts(m, x), 4*width)), width), x)
	}
	return m.net(m.op("MatMul", []int64{1, seq, vocabulary}, []arg{layerNormParts(m, x), m.weight(width, width, vocabulary)}))
}

// patches cuts an image into tokens.
func (m *micro) patches(side, patch, width int64) arg {
	x := m.slide(m.image(3, side, side), width, square(patch, patch, 0), true)
	return permute(m, m.reshape(x, 1, width, x.dims[2]*x.dims[3]), []int64{0, 2, 1})
}

// vitTiny is DeiT-Ti of Touvron and others 2021, ViT with 192 channels, 3 heads and 12 layers.
func vitTiny() *onnx.Model {
	const width = 192
	m := newNet("vittiny")
	x := m.patches(224, 16, width)
	batch := m.op("Gather", []int64{1}, []arg{m.op("Shape", []int64{3}, []arg{x}), m.ints(0)}, attrInt("axis", 0))
	class := m.op("Expand", []int64{1, 1, width}, []arg{m.weight(width, 1, 1, width), m.op("Concat", []int64{3}, []arg{batch, m.ints(1, width)}, attrInt("axis", 0))})
	x = m.join(1, class, x)
	x = m.add(x, m.weight(width, 1, x.dims[1], width))
	for range 12 {
		q, k, v := m.thirds(m.linear(m.layerNorm(x), 3*width))
		x = m.add(x, m.linear(m.attend(q, k, v, 3, nil), width))
		x = m.add(x, m.linear(gelu(m, m.linear(m.layerNorm(x), 4*width)), width))
	}
	first := m.op("Gather", []int64{1, width}, []arg{m.layerNorm(x), m.index(0)}, attrInt("axis", 1))
	return m.net(m.dense(first, 1000))
}

// mixerS32 is Mixer-S/32 of Tolstikhin and others 2021.
func mixerS32() *onnx.Model {
	m := newNet("mixer")
	x := m.patches(224, 32, 512)
	swap := []int64{0, 2, 1}
	inner := func(x arg, n int64) arg { return m.linear(gelu(m, m.linear(x, n)), x.dims[2]) }
	for range 8 {
		x = m.add(x, permute(m, inner(permute(m, m.layerNorm(x), swap), 256), swap))
		x = m.add(x, inner(m.layerNorm(x), 2048))
	}
	mean := m.op("ReduceMean", []int64{1, 512}, []arg{m.layerNorm(x)}, attrInts("axes", 1), attrInt("keepdims", 0))
	return m.net(m.dense(mean, 1000))
}

// pointNet is the classifier of Qi and others 2017 for 1024 points, with both alignment networks.
func pointNet() *onnx.Model {
	m := newNet("pointnet")
	shared := func(x arg, widths ...int64) arg {
		for _, c := range widths {
			x = m.unary("Relu", m.batchNorm(m.slide(x, c, sliding{kernel: []int64{1}}, true)))
		}
		return x
	}
	full := func(x arg, widths ...int64) arg {
		for _, n := range widths {
			x = m.unary("Relu", m.batchNorm(m.dense(x, n)))
		}
		return x
	}
	most := func(x arg) arg {
		return m.op("ReduceMax", []int64{1, x.dims[1]}, []arg{x}, attrInts("axes", 2), attrInt("keepdims", 0))
	}
	align := func(x arg) arg {
		k := x.dims[1]
		one := make([]float32, k*k)
		for i := range k {
			one[i*k+i] = 1
		}
		y := m.dense(full(most(shared(x, 64, 128, 1024)), 512, 256), k*k)
		y = m.reshape(m.op("Add", y.dims, []arg{y, m.floats(one...)}), 1, k, k)
		z := permute(m, x, []int64{0, 2, 1})
		return permute(m, m.op("MatMul", z.dims, []arg{z, y}), []int64{0, 2, 1})
	}
	x := shared(align(m.raw(onnx.Float32, 1, 3, 1024)), 64, 64)
	x = shared(align(x), 64, 128, 1024)
	return m.net(m.dense(full(most(x), 512, 256), 40))
}

// criteoRows are the categories of each column of the Criteo Kaggle data set.
var criteoRows = []int64{1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992, 5461306, 10, 5652, 2173, 4,
	7046547, 18, 15, 286181, 105, 142572}

// dlrm is Naumov and others 2019 as it is set up for that data set, its tables hashed to at most 100,000 rows: two
// perceptrons, 26 embeddings of 16 numbers, and the products of all pairs.
func dlrm() *onnx.Model {
	const wide = 16
	m := newNet("dlrm")
	perceptron := func(x arg, last string, widths ...int64) arg {
		for i, n := range widths {
			x = m.dense(x, n)
			if i < len(widths)-1 {
				x = m.unary("Relu", x)
			}
		}
		return m.unary(last, x)
	}
	bottom := perceptron(m.raw(onnx.Float32, 1, 13), "Relu", 512, 256, 64, wide)
	parts := []arg{bottom}
	for _, n := range criteoRows {
		parts = append(parts, m.op("Gather", []int64{1, wide}, []arg{m.weight(wide, min(n, 100_000), wide), m.raw(onnx.Int64, 1)}, attrInt("axis", 0)))
	}
	n := int64(len(parts))
	z := m.reshape(m.join(1, parts...), 1, n, wide)
	z = m.reshape(m.op("MatMul", []int64{1, n, n}, []arg{z, permute(m, z, []int64{0, 2, 1})}), 1, n*n)
	var pairs []int64
	for i := range n {
		for j := range i {
			pairs = append(pairs, i*n+j)
		}
	}
	z = m.op("Gather", []int64{1, int64(len(pairs))}, []arg{z, m.ints(pairs...)}, attrInt("axis", 1))
	return m.net(perceptron(m.join(1, bottom, z), "Sigmoid", 512, 256, 1))
}

// bidirectional is a recurrent layer in both directions over [steps, 1, width].
func (m *micro) bidirectional(op string, gates int64, x arg, hidden int64, attrs ...onnx.Attribute) arg {
	in := []arg{x, m.weight(hidden, 2, gates*hidden, x.dims[2]), m.weight(hidden, 2, gates*hidden, hidden), m.weight(1, 2, 2*gates*hidden)}
	return m.op(op, []int64{x.dims[0], 2, 1, hidden}, in, append(attrs, attrInt("hidden_size", hidden), attrString("direction", "bidirectional"))...)
}

// sideBySide joins the two directions of [steps, 2, 1, hidden] to [steps, 1, 2*hidden].
func (m *micro) sideBySide(y arg) arg {
	steps, wide := y.dims[0], 2*y.dims[3]
	return m.op("Reshape", []int64{steps, 1, wide}, []arg{permute(m, y, []int64{0, 2, 1, 3}), m.ints(steps, -1, wide)})
}

// deepSpeech2 is Amodei and others 2016 with two convolutions and three bidirectional GRU layers of 800, over two
// seconds of spectrum in 161 bands.
func deepSpeech2() *onnx.Model {
	const steps, hidden = 100, 800
	m := newNet("deepspeech2")
	conv := func(x arg, kh, kw, sh, sw int64) arg {
		w := sliding{kernel: []int64{kh, kw}, strides: []int64{sh, sw}, pads: []int64{kh / 2, kw / 2, kh / 2, kw / 2}}
		y := m.batchNorm(m.slide(x, 32, w, true))
		return m.op("Clip", y.dims, []arg{y, m.scalar(0), m.scalar(20)})
	}
	x := conv(conv(m.image(1, 161, 2*steps), 41, 11, 2, 2), 21, 11, 2, 1)
	x = permute(m, m.reshape(x, 1, x.dims[1]*x.dims[2], steps), []int64{2, 0, 1})
	for i := range 3 {
		if i > 0 {
			flat := m.batchNorm(m.reshape(x, steps, hidden))
			x = m.op("Reshape", x.dims, []arg{flat, m.ints(steps, -1, hidden)})
		}
		y := m.bidirectional("GRU", 3, x, hidden, attrInt("linear_before_reset", 1))
		x = m.op("ReduceSum", []int64{steps, 1, hidden}, []arg{y, m.ints(1)}, attrInt("keepdims", 0))
	}
	y := m.op("MatMul", []int64{steps, 1, 29}, []arg{x, m.weight(hidden, hidden, 29)})
	return m.net(m.unary("Softmax", permute(m, y, []int64{1, 0, 2}), attrInt("axis", -1)))
}

// bilstmTagger is Lample and others 2016 without characters and without the transition scores: 100 numbers a word, 100
// cells a direction, 17 tags, a sentence of 40 words.
func bilstmTagger() *onnx.Model {
	const words, wide = 40, 100
	m := newNet("tagger")
	e := m.op("Gather", []int64{1, words, wide}, []arg{m.weight(wide, 20000, wide), m.raw(onnx.Int64, 1, words)}, attrInt("axis", 0))
	y := m.sideBySide(m.bidirectional("LSTM", 4, permute(m, e, []int64{1, 0, 2}), wide))
	return m.net(m.unary("LogSoftmax", permute(m, m.linear(y, 17), []int64{1, 0, 2}), attrInt("axis", -1)))
}

// dsCNN is the small DS-CNN for keywords of Zhang and others 2017, over 49 frames of 10 coefficients.
func dsCNN() *onnx.Model {
	m := newNet("dscnn")
	x := m.slide(m.image(1, 49, 10), 64, sliding{kernel: []int64{10, 4}, strides: []int64{2, 2}, pads: []int64{4, 1, 5, 1}}, false)
	x = m.unary("Relu", m.batchNorm(x))
	for range 4 {
		x = m.block(m.block(x, 64, 3, 1, 64, "Relu"), 64, 1, 1, 1, "Relu")
	}
	x = m.flatten(m.pool("AveragePool", x, sliding{kernel: x.dims[2:]}))
	return m.net(m.unary("Softmax", m.dense(x, 12), attrInt("axis", -1)))
}

// waveNet is van den Oord and others 2016 with the widths of ibab/tensorflow-wavenet (32 residual and dilated channels,
// 512 skipped, 256 levels) and two of its stacks of dilations, over 1024 samples.
func waveNet() *onnx.Model {
	m := newNet("wavenet")
	causal := func(x arg, c, dilation int64) arg {
		return m.slide(x, c, sliding{kernel: []int64{2}, dilations: []int64{dilation}, pads: []int64{dilation, 0}}, true)
	}
	point := func(x arg, c int64) arg { return m.slide(x, c, sliding{kernel: []int64{1}}, true) }
	x := causal(m.raw(onnx.Float32, 1, 256, 1024), 32, 1)
	var sum *arg
	for stack := range 2 {
		for d := int64(1); d <= 512; d *= 2 {
			y := m.op("Mul", x.dims, []arg{m.unary("Tanh", causal(x, 32, d)), m.unary("Sigmoid", causal(x, 32, d))})
			skip := point(y, 512)
			if sum != nil {
				skip = m.add(*sum, skip)
			}
			sum = &skip
			if stack == 0 || d < 512 { // nothing reads what the last would pass on
				x = m.add(x, point(y, 32))
			}
		}
	}
	y := point(m.unary("Relu", point(m.unary("Relu", *sum), 512)), 256)
	return m.net(m.unary("Softmax", y, attrInt("axis", 1)))
}

// m5 is Dai and others 2017, five layers on four seconds of sound at 8 kHz.
func m5() *onnx.Model {
	m := newNet("m5")
	x := m.raw(onnx.Float32, 1, 1, 32000)
	for _, l := range []struct{ c, k, s int64 }{{128, 80, 4}, {128, 3, 1}, {256, 3, 1}, {512, 3, 1}} {
		x = m.slide(x, l.c, sliding{kernel: []int64{l.k}, strides: []int64{l.s}}, true)
		x = m.pool("MaxPool", m.unary("Relu", m.batchNorm(x)), sliding{kernel: []int64{4}, strides: []int64{4}})
	}
	return m.classify(x, 10)
}
