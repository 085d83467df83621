package op

import (
	"slices"
	"strconv"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// The quantisers of QONNX, Brevitas and FINN: floats in, floats of the quantised grid out. Sources: docs/qonnx-custom-ops and
// src/qonnx/custom_op of fastmachinelearning/qonnx. The domains have the same operators under the names that they had in turn.

var qonnxDomains = []string{"onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general", "finn"}

const channelsLastDomain = "qonnx.custom_op.channels_last"

// qonnxRules are the rows of all these domains.
func qonnxRules() []Rule {
	var out []Rule
	for _, d := range qonnxDomains {
		quant := func(name, in string, vector, special int, doc string) Rule {
			return defined(d, name, in, "", "", "x like x", Definition{Class: Quantization, Vector: strconv.Itoa(vector) + "*x.elements", Special: strconv.Itoa(special) + "*x.elements", Doc: doc})
		}
		const integer = "6 and a division per element: quotient, zero point, rounding, two bounds, and back"
		out = append(out,
			quant("Quant", "x scale' zero' bits~", 6, 1, integer),
			quant("IntQuant", "x scale' zero' bits~", 6, 1, integer),
			quant("FixedPoint", "x", 4, 0, "a scale, a rounding and two bounds per element"),
			quant("BipolarQuant", "x scale'", 2, 0, "a sign and a product per element"),
			quant("Trunc", "x scale' zero' bits~ more~*?", 7, 2, "7 and 2 divisions per element: quotient, zero point, rounding, shift, two bounds, and back"),
			quant("FloatQuant", "x scale' exponent~ mantissa~ bias~ largest~?", 7, 4, "7 and 4 special per element: quotient, binary logarithm and power, rounding, bounds"),
			defined(d, "MultiThreshold", "x[N,C,...] thresholds[_,T]'", "out_scale=1 out_bias=0", "", "x like x",
				Definition{Class: Quantization, Vector: "x.elements*(T + 2)", Doc: "a comparison per element and threshold; scale and bias"}),
			defined(d, "XnorPopcountMatMul", "a[...,M,K] b[K,N]#", "", "", "a[...,M,N]", Definition{
				Products: []DefinedProduct{{M: "a.elements//K", N: "N", K: "K", Weight: "b"}}, Doc: "M·N·K MACs of bits"}),
			defined(d, "Im2Col", "x[N,H,W,C]", "stride kernel_size pad_amount=0,0,0,0 dilations=1,1",
				"OH = floor((H + pad_amount.0 + pad_amount.2 - dilations.0*(kernel_size.0 - 1) - 1)/stride.0) + 1;"+
					"OW = floor((W + pad_amount.1 + pad_amount.3 - dilations.1*(kernel_size.1 - 1) - 1)/stride.1) + 1",
				"x[N,OH,OW,kernel_size.0*kernel_size.1*C]", Definition{Class: Movement, Doc: movesDoc}),
			Rule{Domain: d, Op: "MaxPoolNHWC", Since: 1, Shape: layoutPoolShape(func(*Call) convolution { return lastConv }), Work: windowWork(1, 0), Memory: Stream, Class: Pooling,
				Doc: docMaxPool},
			Rule{Domain: d, Op: "QuantAvgPool2d", Since: 1, Shape: quantAvgPoolShape, Work: quantAvgPoolWork, Memory: Stream, Class: Pooling,
				Doc: docAvgPool + "; 1 per output element for the shift"},
			defined(d, "DebugMarker", "x", "", "", "x like x", Definition{Class: Movement, View: true, Doc: "a view"}),
		)
	}
	for _, rows := range [][]Rule{convRules, poolRules, normRules} {
		for _, r := range rows {
			if r.Domain == "" && slices.Contains([]string{"Conv", "MaxPool", "AveragePool", "BatchNormalization"}, r.Op) {
				w := 0
				if r.Op == "Conv" { // whose weights have their channels last, too
					w = 1
				}
				out = append(out, lastLayout(channelsLastDomain, r, w))
			}
		}
	}
	return lowestSince(out)
}

// quantAvgPool is the size of QuantAvgPool2d's result and its window.
func quantAvgPool(c *Call) (s Shape, kernel int64, known bool, err error) {
	x, known, err := c.wantRank(0, 4, 4)
	kernel, stride := c.Int("kernel", 1), c.Int("stride", 1)
	if err == nil && (kernel < 1 || stride < 1) {
		err = c.errorf("windows of %d every %d, want at least 1", kernel, stride)
	}
	if err != nil || !known {
		return nil, kernel, false, err
	}
	s = append(Shape{}, x...)
	first := 2
	if c.Str("data_layout", "NCHW") == "NHWC" {
		first = 1
	}
	for i := first; i < first+2; i++ {
		s[i] = s[i].AddInt(-kernel).FloorDiv(dim.Const(stride)).AddInt(1)
	}
	return s, kernel, true, nil
}

func quantAvgPoolShape(c *Call) error {
	s, _, known, err := quantAvgPool(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(0), s, known)
	return nil
}

func quantAvgPoolWork(c *Call) Work {
	_, kernel, _, err := quantAvgPool(c)
	if err != nil || kernel > 1<<20 {
		return Work{}
	}
	return perElement(c.Out[0], kernel*kernel+1, 0)
}
