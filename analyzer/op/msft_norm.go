package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Normalisations, embeddings and expert layers of com.microsoft.

// skipNorm is a layer normalisation of the sum of inputs 0 and 1 (and a bias).
type skipNorm struct {
	bias  int                                       // input of the bias
	scale []int                                     // inputs that scale and shift the result
	count func(n, groups dim.Dim, extra int64) Work // the normalisation
}

var (
	skipLayerNorm = skipNorm{bias: 4, scale: []int{2, 3}, count: meanVariance}
	skipRMSNorm   = skipNorm{bias: 3, scale: []int{2}, count: rootMeanSquare}
)

// shape: output, mean and inverse deviation per row in float32, and the sum.
func (k skipNorm) shape(c *Call) error {
	x, known, err := c.wantRank(0, 2, -1)
	if err != nil {
		return err
	}
	if _, err := c.want(1); err != nil {
		return err
	}
	dt := c.typeOf(0)
	c.setOut(0, dt, x, known)
	c.setOut(3, dt, x, known)
	var stats Shape
	if known {
		stats = append(append(Shape{}, x[:len(x)-1]...), dim.Const(1))
		for _, i := range append([]int{k.bias}, k.scale...) {
			if err := checkVector(c, i, x[len(x)-1]); err != nil {
				return err
			}
		}
	}
	c.setOut(1, onnx.Float32, stats, known)
	c.setOut(2, onnx.Float32, stats, known)
	return nil
}

func (k skipNorm) work(c *Call) Work {
	x := c.In[0]
	if !x.Ranked {
		return Work{}
	}
	n := x.Shape.Elements()
	extra := int64(0)
	for _, i := range k.scale {
		if c.Has(i) {
			extra++
		}
	}
	w := k.count(n, x.Shape[:len(x.Shape)-1].Elements(), extra).plus(n, dim.Dim{})
	if c.Has(k.bias) {
		w = w.plus(n, dim.Dim{})
	}
	return w
}

// embedShape: inputs are word and segment ids (batch, sequence), the three tables, gamma, beta, mask, position ids.
func embedShape(c *Call) error {
	ids, knownIDs, err := c.wantRank(0, 2, 2)
	if err != nil {
		return err
	}
	table, known, err := c.wantRank(2, 2, 2)
	if err != nil {
		return err
	}
	known = known && knownIDs
	var s, index Shape
	if known {
		s, index = Shape{ids[0], ids[1], table[1]}, Shape{ids[0]}
	}
	dt := c.typeOf(2)
	c.setOut(0, dt, s, known)
	c.setOut(1, onnx.Int32, index, known)
	c.setOut(2, dt, s, known)
	return nil
}

// embedWork: the sum of two or three embeddings, then a layer normalisation with scale and bias; with a mask, a
// comparison for each of its elements.
func embedWork(c *Call) Work {
	out := c.Out[0]
	if !out.Ranked {
		return Work{}
	}
	n := out.Shape.Elements()
	w := meanVariance(n, out.Shape[:2].Elements(), 2).plus(n, dim.Dim{})
	if c.Has(4) {
		w = w.plus(n, dim.Dim{})
	}
	if mask := c.Input(7); mask != nil {
		w = w.plus(perElement(mask, 1, 0).Vector, dim.Dim{})
	}
	return w
}

// embedTraffic reads one row of each table for every position instead of the tables.
func embedTraffic(c *Call) (read, written dim.Dim) {
	read, written = streamed(c, inputs(2, 3, 4))
	row, ok := c.Out[0].Bytes()
	for _, i := range []int{2, 3, 4} {
		if ok && c.Has(i) {
			read = read.Add(row)
		}
	}
	return read, written
}

// streamed is the traffic of a node that reads each input byte once, the inputs in skip left out.
func streamed(c *Call, skip uint64) (read, written dim.Dim) {
	for i, v := range c.In {
		if v == nil || Has(skip, i) {
			continue
		}
		if b, ok := v.Bytes(); ok {
			read = read.Add(b)
		}
	}
	for i, v := range c.Out {
		if b, ok := v.Bytes(); ok && c.HasOut(i) {
			written = written.Add(b)
		}
	}
	return read, written
}

// msGroupNorm is GroupNorm and SkipGroupNorm: attribute groups, channels last by default, optional SiLU.
func msGroupNormShape(c *Call) error {
	x, known, err := c.wantRank(0, 3, -1)
	if err != nil {
		return err
	}
	if g := c.Int("groups", 0); g < 1 {
		return c.errorf("attribute groups is %d, want at least 1", g)
	}
	c.setOut(0, c.typeOf(0), x, known)
	c.setOut(1, c.typeOf(0), x, known)
	if !known {
		return nil
	}
	ch := x[1]
	if c.Int("channels_last", 1) != 0 {
		ch = x[len(x)-1]
	}
	for _, i := range []int{1, 2} {
		if err := checkVector(c, i, ch); err != nil {
			return err
		}
	}
	return nil
}

func msGroupNormWork(c *Call) Work {
	x := c.In[0]
	if !x.Ranked {
		return Work{}
	}
	n := x.Shape.Elements()
	w := meanVariance(n, x.Shape[0].MulInt(c.Int("groups", 1)), affine(c))
	for _, i := range []int{3, 4} { // the skip and its bias
		if c.Has(i) {
			w = w.plus(n, dim.Dim{})
		}
	}
	if c.Int("activation", 0) == 1 {
		w = w.plus(n.MulInt(siluVector), n.MulInt(siluSpecial))
	}
	return w
}

// gatedRMSWork normalises groups of as many elements as the scale (input 1) has, then multiplies by silu of the gate.
func gatedRMSWork(c *Call) Work {
	x, scale := c.In[0], c.Input(1)
	if !x.Ranked || scale == nil || !scale.Ranked {
		return Work{}
	}
	n := x.Shape.Elements()
	return rootMeanSquare(n, n.FloorDiv(scale.Shape.Elements()), 1).plus(n.MulInt(siluVector+1), n.MulInt(siluSpecial))
}

// gateShape is LinearAttentionGate: decay like input 0, beta like input 3.
func gateShape(c *Call) error {
	if err := sameShape(c); err != nil {
		return err
	}
	if b := c.Input(3); b != nil {
		c.setOut(1, b.DType, b.Shape, b.Ranked)
	}
	return nil
}

// gateWork: decay is bias, softplus (1 and 2) and scale; beta a sigmoid.
func gateWork(c *Call) Work {
	w := perElement(c.Out[0], 3, 2)
	if b := c.Input(3); b != nil && c.HasOut(1) {
		e := perElement(b, 2, 2)
		w = w.plus(e.Vector, e.Special)
	}
	return w
}

// experts says where MoE and QMoE keep the weights of their layers.
type experts struct {
	fc     [3]int // weights (experts, columns, packed inner extent) of the layers; the third may be absent
	bias   [3]int
	bits   bool // attribute expert_weight_bits packs several weights to a byte
	perAll uint64
}

var (
	floatExperts = experts{fc: [3]int{2, 4, 6}, bias: [3]int{3, 5, 7}, perAll: inputs(2, 3, 4, 5, 6, 7)}
	quantExperts = experts{fc: [3]int{2, 5, 8}, bias: [3]int{4, 7, 10}, bits: true, perAll: inputs(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)}
)

// pack is the number of weights in a stored element.
func (e experts) pack(c *Call) int64 {
	if !e.bits || c.typeOf(e.fc[0]) != onnx.Uint8 {
		return 1
	}
	switch bits := c.Int("expert_weight_bits", 4); bits {
	case 2, 4, 8:
		return 8 / bits
	}
	return 1
}

// layer is the (experts, columns, inner) of layer i.
func (e experts) layer(c *Call, i int) (count, columns, inner dim.Dim, ok bool) {
	v := c.Input(e.fc[i])
	if v == nil || !v.Ranked || len(v.Shape) != 3 {
		return count, columns, inner, false
	}
	return v.Shape[0], v.Shape[1], v.Shape[2].MulInt(e.pack(c)), true
}

func (e experts) shape(c *Call) error {
	x, known, err := c.wantRank(0, 2, 3)
	if err != nil {
		return err
	}
	for i, at := range e.fc {
		if i == 2 && !c.Has(at) {
			continue
		}
		if _, _, err := c.wantRank(at, 3, 3); err != nil {
			return err
		}
	}
	c.setOut(0, c.typeOf(0), x, known)
	return nil
}

// rows is the number of token-expert pairs: every token goes to k experts.
func (e experts) rows(c *Call) (rows, tokens dim.Dim, ok bool) {
	x := c.In[0]
	if !x.Ranked {
		return rows, tokens, false
	}
	tokens = x.Shape[:len(x.Shape)-1].Elements()
	return tokens.MulInt(c.Int("k", 1)), tokens, true
}

// work counts every layer once for each token and chosen expert, 2 per weight of the layer's experts to dequantise, the
// router's softmax (3 and 2 special per probability), the activation, and the weighted sum of the experts (2).
func (e experts) work(c *Call) Work {
	rows, tokens, ok := e.rows(c)
	if !ok {
		return Work{}
	}
	var w Work
	hidden := c.In[0].Shape[len(c.In[0].Shape)-1]
	for i := range e.fc {
		count, columns, inner, ok := e.layer(c, i)
		if !ok {
			continue
		}
		ct := Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: rows, N: columns, K: inner, Weight: e.fc[i]}
		w.Contraction = append(w.Contraction, ct)
		w.MACs = w.MACs.Add(ct.MACs())
		if e.bits {
			w = w.plus(dim.Prod(dim.Min(count, rows), columns, inner).MulInt(dequantizing), dim.Dim{})
		}
		if c.Has(e.bias[i]) {
			w = w.plus(rows.Mul(columns), dim.Dim{})
		}
	}
	if _, _, inter, ok := e.layer(c, 1); ok { // the inner extent of the second layer is the activated one
		v, s := activationCost(c, c.Str("activation_type", "relu"))
		n := rows.Mul(inter)
		w = w.plus(n.MulInt(v), n.MulInt(s))
	}
	if router := c.Input(1); router != nil {
		p := perElement(router, 3, 2)
		w = w.plus(p.Vector, p.Special)
	}
	return w.plus(tokens.Mul(hidden).MulInt(2*c.Int("k", 1)), dim.Dim{})
}

// traffic reads the weights of at most as many experts as there are token-expert pairs.
func (e experts) traffic(c *Call) (read, written dim.Dim) {
	read, written = streamed(c, e.perAll)
	rows, _, ok := e.rows(c)
	for i, v := range c.In {
		if v == nil || !v.Ranked || len(v.Shape) == 0 || i > 63 || e.perAll&(1<<i) == 0 {
			continue
		}
		one := *v
		one.Shape = v.Shape[1:]
		if b, has := one.Bytes(); has && ok {
			read = read.Add(b.Mul(dim.Min(v.Shape[0], rows)))
		}
	}
	return read, written
}

// params counts packed weights.
func (e experts) params(c *Call, i int) (dim.Dim, bool) {
	for j, at := range e.fc {
		if at == i {
			count, columns, inner, ok := e.layer(c, j)
			return dim.Prod(count, columns, inner), ok
		}
	}
	return dim.Dim{}, false
}

const docExperts = "tokens·k·columns·inner MACs per layer, evenly over the experts; router softmax, activation, bias, weighted sum"

var msNormRules = []Rule{
	ms(Rule{Op: "LayerNormalization", Shape: layerNormShape, Work: layerNormWork, Class: Normalization, Doc: docMeanVariance}),
	ms(Rule{Op: "SimplifiedLayerNormalization", Shape: rmsNormShape, Work: rmsNormWork, Class: Normalization, Doc: docRMS}),
	ms(Rule{Op: "SkipLayerNormalization", Shape: skipLayerNorm.shape, Work: skipLayerNorm.work, Class: Normalization,
		Doc: "1 for the sum, 1 for its bias; " + docMeanVariance}),
	ms(Rule{Op: "SkipSimplifiedLayerNormalization", Shape: skipRMSNorm.shape, Work: skipRMSNorm.work, Class: Normalization,
		Doc: "1 for the sum, 1 for its bias; " + docRMS}),
	ms(Rule{Op: "EmbedLayerNormalization", Shape: embedShape, Work: embedWork, Memory: Indexed, Class: Normalization, Traffic: embedTraffic,
		Doc: "sum of the embeddings (1 or 2); " + docMeanVariance}),
	ms(Rule{Op: "GroupNorm", Shape: msGroupNormShape, Work: msGroupNormWork, Class: Normalization, Doc: docMeanVariance + "; silu 3 and 2 special"}),
	ms(Rule{Op: "SkipGroupNorm", Shape: msGroupNormShape, Work: msGroupNormWork, Class: Normalization,
		Doc: "1 for the skip, 1 for its bias; " + docMeanVariance + "; silu 3 and 2 special"}),
	ms(Rule{Op: "GatedRMSNorm", Shape: sameShape, Work: gatedRMSWork, Class: Normalization, Doc: docRMS + "; silu of the gate and product"}),
	ms(Rule{Op: "LinearAttentionGate", Shape: gateShape, Work: gateWork, Class: Elementwise,
		Doc: "decay: bias, softplus, scale (3 and 2 special); beta: sigmoid (2 and 2)"}),
	ms(Rule{Op: "MoE", Shape: floatExperts.shape, Work: floatExperts.work, Class: Contract, Traffic: floatExperts.traffic, Doc: docExperts}),
	ms(Rule{Op: "QMoE", Shape: quantExperts.shape, Work: quantExperts.work, Class: Contract, Traffic: quantExperts.traffic,
		QuantInputs: inputs(2, 5, 8), Scales: inputs(3, 6, 9, 11, 12, 13, 15, 16, 17, 18, 19, 20), Params: quantExperts.params,
		Doc: docExperts + "; 2 per weight of the experts used to dequantise"}),
}
