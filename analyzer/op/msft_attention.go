package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Attention with the projections inside: com.microsoft's Attention and its packed, quantised and decoding forms.

// projectedAttention says where a form keeps its inputs; -1 where it has none.
type projectedAttention struct {
	bias, mask, past, scoreBias, pastLength int
	result                                  int  // input whose element type the result has
	quantized                               bool // input, weight and their zero points (6, 7) are 8-bit integers
	packed                                  bool // input is (tokens, hidden); input 3 is (batch, sequence)
}

var (
	plainAttention   = projectedAttention{bias: 2, mask: 3, past: 4, scoreBias: 5, pastLength: 6}
	quantAttention   = projectedAttention{bias: 2, mask: 5, past: 8, scoreBias: -1, pastLength: -1, result: 2, quantized: true}
	packedAttention  = projectedAttention{bias: 2, mask: -1, past: -1, scoreBias: 5, pastLength: -1, packed: true}
	decoderAttention = projectedAttention{bias: 2, mask: 3, past: 4, scoreBias: 5, pastLength: 6}
)

// projected is the geometry of a node: the attention, the number of tokens that are projected, and the extents of the
// projection.
type projected struct {
	attention
	tokens, input, columns dim.Dim
	vHidden                dim.Dim
	buffer                 dim.Dim // length of the present state
}

func (p projectedAttention) geometry(c *Call) (g projected, known bool, err error) {
	rank := 3
	if p.packed {
		rank = 2
	}
	x, knownX, err := c.wantRank(0, rank, rank)
	if err != nil {
		return g, false, err
	}
	w, knownW, err := c.wantRank(1, 2, 2)
	if err != nil {
		return g, false, err
	}
	heads, err := wantHeads(c, "num_heads")
	if err != nil || !knownX || !knownW {
		return g, false, err
	}
	g.input = x[rank-1]
	if _, err := c.sameDim(g.input, w[0]); err != nil {
		return g, false, c.errorf("input 1 has %v rows, want %v as input 0", w[0], g.input)
	}
	g.columns = w[1]
	if err := checkVector(c, p.bias, g.columns); err != nil {
		return g, false, err
	}
	hidden, vHidden := w[1].FloorDiv(dim.Const(3)), w[1].FloorDiv(dim.Const(3))
	if sizes := c.Ints("qkv_hidden_sizes"); len(sizes) == 3 {
		hidden, vHidden = dim.Const(sizes[0]), dim.Const(sizes[2])
	}
	g.heads, g.kvHeads = dim.Const(heads), dim.Const(heads)
	if g.qk, err = headSize(hidden, heads, 1); err != nil {
		return g, false, err
	}
	if g.v, err = headSize(vHidden, heads, 1); err != nil {
		return g, false, err
	}
	g.vHidden = vHidden
	if p.packed {
		offsets, ok, err := c.wantRank(3, 2, 2)
		if err != nil || !ok {
			return g, false, err
		}
		g.batch, g.q, g.tokens = offsets[0], offsets[1], x[0]
	} else {
		g.batch, g.q, g.tokens = x[0], x[1], x[0].Mul(x[1])
	}
	g.total, g.buffer = g.q, g.q
	if past, ok, err := c.optionalRank(p.past, 5); err != nil {
		return g, false, err
	} else if ok {
		g.total, g.buffer = pastAndNew(c, past[3], g.q, c.Int("past_present_share_buffer", 0) != 0, p.pastLength)
	}
	g.perScore = maskOps(c, p.mask, p.scoreBias)
	if c.Int("unidirectional", 0) != 0 {
		g.perScore++
	}
	return g, true, nil
}

// pastAndNew is the number of keys and the length of the present state. Where past and present share a buffer of the
// greatest length, the keys are those before (scalar input lengthInput, where its value is known) and the new ones,
// otherwise the whole buffer is the upper bound.
func pastAndNew(c *Call, past, added dim.Dim, shared bool, lengthInput int) (total, buffer dim.Dim) {
	if !shared {
		total = past.Add(added)
		return total, total
	}
	if n, ok := scalarInput(c, lengthInput); ok {
		return n.Add(added), past
	}
	return past, past
}

// scalarInput is the known value of a scalar or one-element input.
func scalarInput(c *Call, i int) (dim.Dim, bool) {
	nums := c.Input(i).Elems()
	if len(nums) != 1 {
		return dim.Dim{}, false
	}
	return nums[0].Dim()
}

// maskOps counts one operation per score for each of the inputs that is present.
func maskOps(c *Call, inputs ...int) (n int64) {
	for _, i := range inputs {
		if i >= 0 && c.Has(i) {
			n++
		}
	}
	return n
}

func (p projectedAttention) shape(c *Call) error {
	g, known, err := p.geometry(c)
	if err != nil {
		return err
	}
	dt := c.typeOf(p.result)
	out := Shape{g.batch, g.q, g.vHidden}
	if p.packed {
		out = Shape{g.tokens, g.vHidden}
	}
	c.setOut(0, dt, out, known)
	c.setOut(1, dt, Shape{dim.Const(2), g.batch, g.heads, g.buffer, g.qk}, known)
	return nil
}

// work adds the projection of every token, its bias, the rotation of queries and keys where asked for, and for the
// quantised form the zero points and the scale of the projection.
func (p projectedAttention) work(c *Call) Work {
	g, known, err := p.geometry(c)
	if err != nil || !known {
		return Work{}
	}
	w := g.attention.work()
	ct := Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: g.tokens, N: g.columns, K: g.input, Weight: 1}
	w.Contraction = append([]Contraction{ct}, w.Contraction...)
	w.MACs = w.MACs.Add(ct.MACs())
	each := g.tokens.Mul(g.columns)
	if c.Has(p.bias) {
		w = w.plus(each, dim.Dim{})
	}
	if c.Int("do_rotary", 0) != 0 {
		w = w.plus(dim.Prod(g.tokens, g.heads, g.qk).MulInt(2*rotaryOps), dim.Dim{})
	}
	if p.quantized {
		w = w.plus(each, dim.Dim{}).plus(offsets(c, [2]int{0, 6}, [2]int{1, 7}), dim.Dim{})
	}
	return w
}

// relativeBiasShape is RelativePositionBias: a table (buckets, heads) spread over queries and keys, whose numbers are
// inputs 1 and 2.
func relativeBiasShape(c *Call) error {
	table, known, err := c.wantRank(0, 2, 2)
	if err != nil {
		return err
	}
	s := Shape{dim.Const(1), {}, {}, {}}
	if known {
		s[1] = table[1]
	} else {
		s[1] = c.fresh("heads", dim.Dim{})
	}
	for i, hint := range []string{"queries", "keys"} {
		if _, err := c.want(1 + i); err != nil {
			return err
		}
		n, ok := scalarInput(c, 1+i)
		if !ok {
			n = c.fresh(hint, dim.Dim{})
		}
		s[2+i] = n
	}
	c.Out[0].SetTensor(c.typeOf(0), s)
	return nil
}

// relativeBiasWork finds the bucket of every pair of positions: difference, magnitude, comparisons, scales (8) and a
// logarithm.
func relativeBiasWork(c *Call) Work {
	pairs := c.Out[0].Shape[2:].Elements()
	return Work{Vector: pairs.MulInt(8), Special: pairs}
}

// gatedBias is GatedRelativePositionBias: query (batch, sequence, heads·size), its bias, rel_pos (1, heads, sequence,
// sequence), weight (size, D), bias (D), eco_a.
func gatedBias(c *Call) (batch, heads, length, size, columns dim.Dim, known bool, err error) {
	n, err := wantHeads(c, "num_heads")
	if err != nil {
		return batch, heads, length, size, columns, false, err
	}
	rel, knownRel, err := c.wantRank(2, 4, 4)
	if err != nil {
		return batch, heads, length, size, columns, false, err
	}
	w, knownW, err := c.wantRank(3, 2, 2)
	if err != nil {
		return batch, heads, length, size, columns, false, err
	}
	q, knownQ, err := c.wantRank(0, 2, 3)
	if err != nil || !knownRel || !knownW || !knownQ {
		return batch, heads, length, size, columns, false, err
	}
	batch = q[0]
	if offsets := c.Input(6); len(q) == 2 {
		if offsets == nil || !offsets.Ranked || len(offsets.Shape) != 2 {
			return batch, heads, length, size, columns, false, nil
		}
		batch = offsets.Shape[0]
	}
	return batch, dim.Const(n), rel[2], w[0], w[1], true, nil
}

func gatedBiasShape(c *Call) error {
	batch, heads, length, _, _, known, err := gatedBias(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(0), Shape{batch, heads, length, length}, known)
	return nil
}

// gatedBiasWork: the gate's product with its bias and the sum of its halves, two sigmoids (2 and 2) and 4 operations
// per row, then a product per element of the bias.
func gatedBiasWork(c *Call) Work {
	batch, heads, length, size, columns, known, err := gatedBias(c)
	if err != nil || !known {
		return Work{}
	}
	rows := dim.Prod(batch, heads, length)
	w := contractions(Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: rows, N: columns, K: size, Weight: 3})
	return w.plus(rows.Mul(columns).MulInt(2).Add(rows.Mul(size)).Add(rows.MulInt(8)).Add(rows.Mul(length)), rows.MulInt(4))
}

// removePaddingShape packs (batch, sequence, hidden) into as many rows as there are tokens, which is data.
func removePaddingShape(c *Call) error {
	x, known, err := c.wantRank(0, 3, 3)
	if err != nil {
		return err
	}
	var packed, offsets, sums Shape
	if known {
		packed = Shape{c.fresh("tokens", x[0].Mul(x[1])), x[2]}
		offsets, sums = Shape{x[0], x[1]}, Shape{x[0].AddInt(1)}
	}
	c.setOut(0, c.typeOf(0), packed, known)
	c.setOut(1, onnx.Int32, offsets, known)
	c.setOut(2, onnx.Int32, sums, known)
	c.setOut(3, onnx.Int32, Consts(1), true)
	return nil
}

func restorePaddingShape(c *Call) error {
	x, known, err := c.wantRank(0, 2, 2)
	if err != nil {
		return err
	}
	offsets, knownOff, err := c.wantRank(1, 2, 2)
	if err != nil {
		return err
	}
	known = known && knownOff
	var s Shape
	if known {
		s = Shape{offsets[0], offsets[1], x[1]}
	}
	c.setOut(0, c.typeOf(0), s, known)
	return nil
}

// gemmaRotaryShape rotates q (input 1) and k (input 3).
func gemmaRotaryShape(c *Call) error {
	for i, from := range []int{1, 3} {
		v, err := c.want(from)
		if err != nil {
			return err
		}
		c.setOut(i, v.DType, v.Shape, v.Ranked)
	}
	return nil
}

// gemmaRotaryWork evaluates sine and cosine of the embedding and rotates both tensors.
func gemmaRotaryWork(c *Call) Work {
	w := perElement(c.In[0], 0, 2)
	for _, o := range c.Out {
		w = w.plus(perElement(o, rotaryOps, 0).Vector, dim.Dim{})
	}
	return w
}

const docProjected = "tokens·input·(q+k+v) MACs for the projection and 1 per element for its bias; " + docAttention

var msAttentionRules = []Rule{
	ms(Rule{Op: "Attention", Shape: plainAttention.shape, Work: plainAttention.work, Class: Contract, HostInputs: inputs(6), Doc: docProjected}),
	ms(Rule{Op: "DecoderMaskedSelfAttention", Shape: decoderAttention.shape, Work: decoderAttention.work, Class: Contract,
		HostInputs: inputs(6, 7), Doc: docProjected}),
	ms(Rule{Op: "QAttention", Shape: quantAttention.shape, Work: quantAttention.work, Class: Contract, QuantInputs: inputs(1),
		Scales: inputs(3, 4, 6, 7), Doc: docProjected + "; " + docZeroPoint + ", 1 to scale the projection"}),
	ms(Rule{Op: "PackedAttention", Shape: packedAttention.shape, Work: packedAttention.work, Class: Contract,
		Doc: docProjected + "; sequences count at their padded length"}),
	ms(Rule{Op: "RelativePositionBias", Shape: relativeBiasShape, Work: relativeBiasWork, Class: Movement, HostInputs: inputs(1, 2),
		Doc: "8 and a logarithm per pair of positions to find its bucket"}),
	ms(Rule{Op: "GatedRelativePositionBias", Shape: gatedBiasShape, Work: gatedBiasWork, Class: Contract,
		Doc: "batch·heads·sequence·size·D MACs for the gate; its sums and sigmoids per row, 1 per element of the bias"}),
	ms(Rule{Op: "RemovePadding", Shape: removePaddingShape, Work: noWork, Class: Movement, Doc: "the number of tokens is a symbol"}),
	ms(Rule{Op: "RestorePadding", Shape: restorePaddingShape, Work: noWork, Class: Movement, Doc: "copies"}),
	ms(Rule{Op: "RotaryEmbedding", Shape: rotaryShape, Work: rotaryWork, Class: Elementwise, Traffic: rotaryTraffic(2, 1), Doc: docRotary}),
	ms(Rule{Op: "MRotaryEmbedding", Shape: rotaryShape, Work: rotaryWork, Class: Elementwise, Traffic: rotaryTraffic(2, 1), Doc: docRotary}),
	ms(Rule{Op: "GemmaRotaryEmbedding", Shape: gemmaRotaryShape, Work: gemmaRotaryWork, Class: Elementwise,
		Doc: "sine and cosine of the embedding, 3 per element of both results"}),
	ms(Rule{Op: "LinearAttention", Shape: linearAttentionShape, Work: linearAttentionWork, Class: Contract, Doc: docLinearAttention}),
}
