package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// The operators of com.microsoft on matrices of 8-bit integers in a layout of cuBLASLt (QOrdered…), and those of block
// floating point. Only the CUDA provider, or none, has kernels; sources: ContribOperators.md and quantization_defs.cc of
// ONNX Runtime. The layouts are attributes: shapes are the logical ones.

// orderedMatMulShape: A · B as numpy multiplies, whose B is stored transposed.
func orderedMatMulShape(c *Call) error { return productShape(c, 0, 2, onnx.Int8) }

// orderedMatMulWork: the product, 1 for the bias or the added matrix, requantised.
func orderedMatMulWork(c *Call) Work {
	w := matmulWork(c, 0, 2)
	for _, i := range []int{5, 6} {
		if c.Has(i) {
			w.Vector = w.Vector.Add(perElement(c.Out[0], 1, 0).Vector)
		}
	}
	return w.plus(perElement(c.Out[0], requantize, 0).Vector, dim.Dim{})
}

// orderedNorm sees X, gamma and bias of QOrderedLayerNormalization as LayerNormalization has them.
func orderedNorm(c *Call) *Call {
	in := []*Value{c.Input(0), c.Input(2), c.Input(3)}
	return &Call{Node: c.Node, Opset: c.Opset, In: in, Out: c.Out[:1], Engine: c.Engine}
}

func orderedNormShape(c *Call) error { return layerNormShape(orderedNorm(c)) }

func orderedNormWork(c *Call) Work {
	return layerNormWork(orderedNorm(c)).plus(perElement(c.Out[0], dequantizing+requantize, 0).Vector, dim.Dim{})
}

// orderedLongformer sees the operands of QOrderedLongformerAttention as LongformerAttention has them.
func orderedLongformer(c *Call) *Call {
	in := []*Value{c.Input(0), c.Input(2), c.Input(4), c.Input(7), c.Input(8), c.Input(10), c.Input(12)}
	return &Call{Node: c.Node, Opset: c.Opset, In: in, Out: c.Out, Engine: c.Engine}
}

func orderedLongformerShape(c *Call) error { return longformerShape(orderedLongformer(c)) }

func orderedLongformerWork(c *Call) Work {
	w := longformerWork(orderedLongformer(c))
	for i := range w.Contraction { // the weights stand elsewhere
		switch w.Contraction[i].Weight {
		case 1:
			w.Contraction[i].Weight = 2
		case 4:
			w.Contraction[i].Weight = 8
		}
	}
	return w.plus(perElement(c.Out[0], requantize, 0).Vector, dim.Dim{})
}

const docOrdered = "; 4 per output element to requantise"

func msOrderedRules() []Rule {
	return []Rule{
		ms(Rule{Op: "QOrderedMatMul", Shape: orderedMatMulShape, Work: orderedMatMulWork, Class: Contract, QuantInputs: inputs(0, 2, 6),
			Scales: inputs(1, 3, 4, 7), Doc: docMatMul + "; 1 for the bias and for the added matrix" + docOrdered}),
		ms(Rule{Op: "QOrderedLayerNormalization", Shape: orderedNormShape, Work: orderedNormWork, Class: Normalization, Scales: inputs(1, 4),
			Doc: "2 to dequantise; " + docMeanVariance + docOrdered}),
		qlinear("QOrderedGelu", sameShape, 4, 1),
		ms(Rule{Op: "QOrderedLongformerAttention", Shape: orderedLongformerShape, Work: orderedLongformerWork, Class: Contract,
			QuantInputs: inputs(0, 2, 8), Scales: inputs(1, 3, 5, 6, 9, 11, 13), Doc: "as LongformerAttention" + docOrdered}),
		defined(msDomain, "QOrderedAttention",
			"x[B,S,I]# sx' sqg' skg' svg' q[I,HQ]# k[I,HK]# v[I,HV]# sq' sk' sv' bq[HQ] bk[HK] bv[HV] sqk'? ssoftmax'? sy' mask? past? bias?",
			"num_heads unidirectional=0", "tokens = B*S; scores = B*num_heads*S*S", "x[B,S,HV]", Definition{
				Products: []DefinedProduct{
					{M: "tokens", N: "HQ", K: "I", Weight: "q"}, {M: "tokens", N: "HK", K: "I", Weight: "k"}, {M: "tokens", N: "HV", K: "I", Weight: "v"},
					{Kind: AttentionKind, Batch: "B*num_heads", M: "S", N: "S", K: "HQ//num_heads"},
					{Kind: AttentionKind, Batch: "B*num_heads", M: "S", N: "HV//num_heads", K: "S"}},
				Vector: "(1 + 4)*tokens*(HQ + HK + HV) + (4 + mask.given + bias.given)*scores + 4*tokens*HV", Special: "2*scores",
				Doc: "the three projections with bias (1) and requantised (4); attention in full: per score 4, masks and biases 1 each, 2 special" + docOrdered}),
		defined(msDomain, "QuantizeWithOrder", "x scale'", "order_input order_output", "", "int8 like x", Definition{
			Class: Quantization, Vector: "4*x.elements", Doc: "4 per element: a product, a rounding, two bounds"}),
		defined(msDomain, "DequantizeWithOrder", "x# scale'", "order_input order_output to", "", "to like x", Definition{
			Class: Quantization, Vector: "x.elements", Doc: "1 per element: a product"}),
		defined(msDomain, "QuantizeBFP", "x", "bfp_type block_dim=-1", "packed <= x.bytes", "uint8[packed] int64[x.rank]! int64[x.rank]!", Definition{
			Class: Quantization, Vector: "4*x.elements", Doc: "4 per element: magnitude, largest exponent, shift, rounding; how long the packed data are depends on bfp_type and is a bounded symbol"}),
		ms(Rule{Op: "DequantizeBFP", Shape: dequantizeBFPShape, Work: perOutput(2, 0), Class: Quantization, QuantInputs: inputs(0), HostInputs: inputs(1, 2),
			KeepsWeights: true, Doc: "2 per element: a shift and a product"}),
	}
}

// dequantizeBFPShape reads the shape of the tensor from input 1.
func dequantizeBFPShape(c *Call) error {
	if _, _, err := c.wantRank(0, 1, 1); err != nil {
		return err
	}
	s, known, err := c.targetShape(1, "bfp")
	if err != nil {
		return err
	}
	c.setOut(0, onnx.DType(c.Int("dtype", int64(onnx.Float32))), s, known)
	return nil
}
