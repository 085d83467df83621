package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Matrix products of com.microsoft.

// fusedMatMul reads FusedMatMul's operands as plain ones. transBatch moves the first axis in front of the last two,
// then trans swaps these.
func fusedMatMul(c *Call) (p matProduct, known bool, err error) {
	shapes := [2]Shape{}
	for i, side := range []string{"A", "B"} {
		v, err := c.want(i)
		if err != nil || !v.Ranked {
			return p, false, err
		}
		s := append(Shape{}, v.Shape...)
		n := len(s)
		if n >= 3 && c.Int("transBatch"+side, 0) != 0 {
			first := s[0]
			copy(s, s[1:n-1])
			s[n-2] = first
		}
		if n >= 2 && c.Int("trans"+side, 0) != 0 {
			s[n-2], s[n-1] = s[n-1], s[n-2]
		}
		shapes[i] = s
	}
	p, err = newMatProduct(c, shapes[0], shapes[1], 0, 1)
	return p, err == nil, err
}

func fusedMatMulShape(c *Call) error {
	p, known, err := fusedMatMul(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(0), p.shape(), known)
	return nil
}

// fusedMatMulWork adds the scaling by alpha and the activation.
func fusedMatMulWork(c *Call) Work {
	p, known, err := fusedMatMul(c)
	if err != nil || !known {
		return Work{}
	}
	w := contractions(p.contraction(weightOf(c, 0, 1)))
	n := c.Out[0].Shape.Elements()
	if c.Float("alpha", 1) != 1 {
		w = w.plus(n, dim.Dim{})
	}
	return w.activated(c, "activation", n)
}

func fusedGemmWork(c *Call) Work {
	return gemmWork(c).activated(c, "activation", c.Out[0].Shape.Elements())
}

// gemmFloat8Shape has the element type of attribute dtype.
func gemmFloat8Shape(c *Call) error {
	if err := gemmShape(c); err != nil {
		return err
	}
	c.Out[0].DType = onnx.DType(c.Int("dtype", int64(onnx.Float32)))
	return nil
}

// packedGemm makes the call of QGemm look like that of Gemm.
func packedGemm(c *Call) *Call {
	in := []*Value{c.Input(0), c.Input(3)}
	if c.Has(6) {
		in = append(in, c.Input(6))
	}
	return &Call{Node: c.Node, Opset: c.Opset, In: in, Out: c.Out, Engine: c.Engine}
}

// qgemmShape: the result is quantised where there is a zero point for it (input 8), else float.
func qgemmShape(c *Call) error {
	if err := gemmShape(packedGemm(c)); err != nil {
		return err
	}
	c.Out[0].DType = onnx.Float32
	if c.Has(8) {
		c.Out[0].DType = c.typeOf(8)
	}
	return nil
}

func qgemmWork(c *Call) Work {
	w := gemmWork(packedGemm(c)).plus(offsets(c, [2]int{0, 2}, [2]int{3, 5}), dim.Dim{})
	for i := range w.Contraction { // as input of this node
		if w.Contraction[i].Weight == 1 {
			w.Contraction[i].Weight = 3
		}
	}
	per := int64(1)
	if c.Has(8) {
		per = requantize
	}
	return w.plus(perElement(c.Out[0], per, 0).Vector, dim.Dim{})
}

// packedShape is a product with packed weights whose extents are attributes: (…, K) by K×N gives (…, N).
func packedShape(c *Call, k, n dim.Dim, dt onnx.DType) error {
	a, known, err := c.wantRank(0, 1, -1)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(dt)
		return nil
	}
	if _, err := c.sameDim(k, a[len(a)-1]); err != nil {
		return c.errorf("last extent of input 0 is %v, want K = %v", a[len(a)-1], k)
	}
	c.Out[0].SetTensor(dt, append(append(Shape{}, a[:len(a)-1]...), n))
	return nil
}

// packedWork counts the MACs of packedShape with the weights at input i, and dequantizing operations for every weight: the
// formula of these operators expands the weights before the product.
func packedWork(c *Call, k, n dim.Dim, i int) Work {
	rows, ok := c.In[0].Elements()
	if !ok {
		return Work{}
	}
	w := contractions(Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: rows.FloorDiv(k), N: n, K: k, Weight: i})
	return w.plus(k.Mul(n).MulInt(dequantizing), dim.Dim{})
}

// extent reads a required positive attribute as an extent.
func extent(c *Call, name string) (dim.Dim, error) {
	n, err := wantHeads(c, name)
	return dim.Const(n), err
}

// nBits is the K and N of an operator with packed weights. Bnb4's product with transB = 0 goes the other way.
func nBits(c *Call) (k, n dim.Dim, err error) {
	if k, err = extent(c, "K"); err != nil {
		return k, n, err
	}
	if n, err = extent(c, "N"); err != nil {
		return k, n, err
	}
	if c.Int("transB", 1) == 0 {
		k, n = n, k
	}
	return k, n, nil
}

func nBitsShape(c *Call) error {
	k, n, err := nBits(c)
	if err != nil {
		return err
	}
	return packedShape(c, k, n, c.typeOf(0))
}

func nBitsWork(c *Call) Work {
	k, n, err := nBits(c)
	if err != nil {
		return Work{}
	}
	return optionalAdd(func(c *Call) Work { return packedWork(c, k, n, 1) }, 5)(c)
}

// nBitsParams counts the weights that input 1 packs.
func nBitsParams(c *Call, i int) (dim.Dim, bool) {
	k, n, err := nBits(c)
	return k.Mul(n), err == nil && i == 1
}

// blockWeight is the N×K of an unpacked float8 weight (per = 1) or of two float4 values a byte (per = 2).
func blockWeight(c *Call, per int64) (k, n dim.Dim, known bool, err error) {
	b, known, err := c.wantRank(1, 2, 2)
	if err != nil || !known {
		return k, n, false, err
	}
	return b[1].MulInt(per), b[0], true, nil
}

func blockWeightShape(per int64) func(*Call) error {
	return func(c *Call) error {
		k, n, known, err := blockWeight(c, per)
		if err != nil {
			return err
		}
		if !known {
			c.setOut(0, c.typeOf(0), nil, false)
			return nil
		}
		return packedShape(c, k, n, c.typeOf(0))
	}
}

func blockWeightWork(per int64, bias int) func(*Call) Work {
	return optionalAdd(func(c *Call) Work {
		k, n, known, err := blockWeight(c, per)
		if err != nil || !known {
			return Work{}
		}
		return packedWork(c, k, n, 1)
	}, bias)
}

// fpQ4Shape is MatMulFpQ4: the shape of the packed B is input 2.
func fpQ4Shape(c *Call) error {
	b, known, err := c.targetShape(2, "weights")
	if err != nil {
		return err
	}
	if !known {
		c.setOut(0, c.typeOf(0), nil, false)
		return nil
	}
	if len(b) != 2 {
		return c.errorf("input 2 has %d extents, want 2", len(b))
	}
	return packedShape(c, b[0], b[1], c.typeOf(0))
}

func fpQ4Work(c *Call) Work {
	s, a := c.Out[0], c.In[0]
	if !s.Ranked || !a.Ranked {
		return Work{}
	}
	return packedWork(c, a.Shape[len(a.Shape)-1], s.Shape[len(s.Shape)-1], 1)
}

// projections are MatMulNBitsMlp and MatMulNBitsQkv: several products with packed weights over one input, which may be
// normalised first (scale at input 2, after the sum with input 1).
type projections struct {
	weights []int    // inputs that hold packed weights; the bias follows the scales, two places on
	n       []string // attribute with the columns of each
	gated   bool     // the two products are multiplied into one output, the first through attribute activation
}

func (p projections) shape(c *Call) error {
	k, err := extent(c, "K")
	if err != nil {
		return err
	}
	sum := len(p.weights)
	if p.gated {
		sum = 1
	}
	for i := range sum {
		n, err := extent(c, p.n[i])
		if err != nil {
			return err
		}
		if i >= len(c.Out) {
			break
		}
		if err := packedShape(&Call{Node: c.Node, In: c.In, Out: c.Out[i:], Engine: c.Engine}, k, n, c.typeOf(0)); err != nil {
			return err
		}
	}
	c.setOut(sum, c.typeOf(0), c.In[0].Shape, c.In[0].Ranked)
	return nil
}

func (p projections) work(c *Call) Work {
	k, err := extent(c, "K")
	elements, ok := c.In[0].Elements()
	if err != nil || !ok {
		return Work{}
	}
	rows := elements.FloorDiv(k)
	var w Work
	if c.Has(1) {
		w = w.plus(elements, dim.Dim{})
	}
	if c.Has(2) {
		norm := rootMeanSquare(elements, rows, 1)
		w = w.plus(norm.Vector, norm.Special)
	}
	for i, at := range p.weights {
		n, err := extent(c, p.n[i])
		if err != nil {
			return w
		}
		one := packedWork(c, k, n, at)
		w.MACs, w.Contraction = w.MACs.Add(one.MACs), append(w.Contraction, one.Contraction...)
		w = w.plus(one.Vector, dim.Dim{})
		if c.Has(at + 2) {
			w = w.plus(rows.Mul(n), dim.Dim{})
		}
		if p.gated && i == 0 {
			w = w.plus(rows.Mul(n), dim.Dim{}).activated(c, "activation", rows.Mul(n))
		}
	}
	return w
}

func (p projections) params(c *Call, i int) (dim.Dim, bool) {
	k, err := extent(c, "K")
	for j, at := range p.weights {
		if at == i && err == nil {
			n, err := extent(c, p.n[j])
			return k.Mul(n), err == nil
		}
	}
	return dim.Dim{}, false
}

var (
	gatedMlp = projections{weights: []int{3, 6}, n: []string{"N", "N"}, gated: true}
	qkvBits  = projections{weights: []int{3, 6, 9}, n: []string{"Nq", "Nkv", "Nkv"}}
)

// productOf is MatMul of inputs a and b with the result type of input t.
func productOf(a, b, t int) func(*Call) error {
	return func(c *Call) error { return productShape(c, a, b, c.typeOf(t)) }
}

// toFloatWork scales the integer result once per element and adds the bias where there is one.
func toFloatWork(aZero, bZero, bias int, quantizeA int64) func(*Call) Work {
	return optionalAdd(func(c *Call) Work {
		w := matmulWork(c, 0, 1).plus(perElement(c.Out[0], 1, 0).Vector, dim.Dim{})
		if quantizeA > 0 { // x/scale is the division that DynamicQuantizeLinear counts as special
			a := perElement(c.In[0], quantizeA, 1)
			w = w.plus(a.Vector, a.Special)
		} else {
			w = w.plus(offsets(c, [2]int{0, aZero}), dim.Dim{})
		}
		return w.plus(offsets(c, [2]int{1, bZero}), dim.Dim{})
	}, bias)
}

// integer16Shape accumulates in int32, in uint32 where both operands are unsigned.
func integer16Shape(c *Call) error {
	dt := onnx.Int32
	if c.typeOf(0) == onnx.Uint16 && c.typeOf(1) == onnx.Uint16 {
		dt = onnx.Uint32
	}
	return productShape(c, 0, 1, dt)
}

const (
	docFusedMatMul = docMatMul + "; 1 per output element where alpha is not 1; the activation"
	docPacked      = "rows·K·N MACs; 2 per weight to dequantise, 1 per output element for a bias"
)

var msMatmulRules = []Rule{
	ms(Rule{Op: "FusedMatMul", Shape: fusedMatMulShape, Work: fusedMatMulWork, Class: Contract, Doc: docFusedMatMul}),
	ms(Rule{Op: "TransposeMatMul", Shape: fusedMatMulShape, Work: fusedMatMulWork, Class: Contract, Doc: docFusedMatMul}),
	ms(Rule{Op: "FusedMatMulActivation", Shape: fusedMatMulShape, Work: fusedMatMulWork, Class: Contract, Doc: docFusedMatMul}),
	ms(Rule{Op: "FusedGemm", Shape: gemmShape, Work: fusedGemmWork, Class: Contract, Doc: docGemm + "; the activation"}),
	ms(Rule{Op: "GemmFloat8", Shape: gemmFloat8Shape, Work: fusedGemmWork, Class: Contract, Scales: inputsFrom(3), Doc: docGemm + "; the activation"}),
	ms(Rule{Op: "GemmFastGelu", Shape: productOf(0, 1, 0), Class: Contract, Doc: docMatMul + "; 1 for the bias, FastGelu 8 and a tanh",
		Work: optionalAdd(func(c *Call) Work {
			gelu := perElement(c.Out[0], 8, 1)
			return matmulWork(c, 0, 1).plus(gelu.Vector, gelu.Special)
		}, 2)}),
	ms(Rule{Op: "MatMulInteger16", Shape: integer16Shape, Work: func(c *Call) Work { return matmulWork(c, 0, 1) }, Class: Contract,
		QuantInputs: inputs(0, 1), Doc: docMatMul}),
	ms(Rule{Op: "MatMulIntegerToFloat", Shape: productOf(0, 1, 2), Work: toFloatWork(4, 5, 6, 0), Class: Contract,
		QuantInputs: inputs(0, 1), Scales: inputs(2, 3, 4, 5), Doc: docMatMul + "; " + docZeroPoint + "; 1 per output element for the scale and for the bias"}),
	ms(Rule{Op: "DynamicQuantizeMatMul", Shape: productOf(0, 1, 0), Work: toFloatWork(-1, 3, 4, 5), Class: Contract,
		QuantInputs: inputs(1), Scales: inputs(2, 3),
		Doc: docMatMul + "; 5 and a division per element of A to quantise it; 1 per output element for the scale and for the bias"}),
	ms(Rule{Op: "QGemm", Shape: qgemmShape, Work: qgemmWork, Class: Contract, QuantInputs: inputs(0, 3, 6), Scales: inputs(1, 2, 4, 5, 7, 8),
		Doc: docGemm + "; " + docZeroPoint + "; " + docRequantize + ", or 1 to scale to float"}),
	ms(Rule{Op: "MatMulNBits", Shape: nBitsShape, Work: nBitsWork, Class: Contract, QuantInputs: inputs(1), Scales: inputs(2, 3),
		HostInputs: inputs(4), Params: nBitsParams, Doc: docPacked}),
	ms(Rule{Op: "MatMulBnb4", Shape: nBitsShape, Work: nBitsWork, Class: Contract, QuantInputs: inputs(1), Scales: inputs(2),
		Params: nBitsParams, Doc: docPacked}),
	ms(Rule{Op: "MatMulNBitsMlp", Shape: gatedMlp.shape, Work: gatedMlp.work, Class: Contract, QuantInputs: inputs(3, 6), Scales: inputs(4, 7),
		Params: gatedMlp.params, Doc: docPacked + "; normalisation, activation and product of the gate where present"}),
	ms(Rule{Op: "MatMulNBitsQkv", Shape: qkvBits.shape, Work: qkvBits.work, Class: Contract, QuantInputs: inputs(3, 6, 9),
		Scales: inputs(4, 7, 10), Params: qkvBits.params, Doc: docPacked + "; normalisation"}),
	ms(Rule{Op: "MatMulFpQ4", Shape: fpQ4Shape, Work: fpQ4Work, Class: Contract, QuantInputs: inputs(1), HostInputs: inputs(2), Doc: docPacked,
		Params: func(c *Call, i int) (dim.Dim, bool) {
			b, known := c.Input(2).Int64s()
			return Consts(b...).Elements(), known && i == 1
		}}),
	ms(Rule{Op: "MatMulBlockQuantizedFp8Weight", Shape: blockWeightShape(1), Work: blockWeightWork(1, 4), Class: Contract,
		Scales: inputs(2, 3), Doc: docPacked}),
	ms(Rule{Op: "MatMulBlockQuantizedFp4Weight", Shape: blockWeightShape(2), Work: blockWeightWork(2, 5), Class: Contract,
		QuantInputs: inputs(1), Scales: inputs(2, 3, 4), Doc: docPacked,
		Params: func(c *Call, i int) (dim.Dim, bool) {
			k, n, known, err := blockWeight(c, 2)
			return k.Mul(n), err == nil && known && i == 1
		}}),
}
