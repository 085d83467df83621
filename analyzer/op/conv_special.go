package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Convolutions with more to them than a window: integer and quantised operands, deformed windows, carried state.

// requantize is what turning an accumulator into a quantised element takes: scale, round, add the zero point, saturate.
// dequantizing is the way back: subtract the zero point, scale.
const (
	requantize   = 4
	dequantizing = 2
)

// offsets counts the subtractions of zero points: one per element of each tensor whose zero point, the second input
// of a pair, is present and not known to be 0.
func offsets(c *Call, pairs ...[2]int) (n dim.Dim) {
	for _, p := range pairs {
		zero := c.Input(p[1])
		if zero == nil || allZero(zero) {
			continue
		}
		if e, ok := c.Input(p[0]).Elements(); ok {
			n = n.Add(e)
		}
	}
	return n
}

func allZero(v *Value) bool {
	nums := v.Elems()
	for _, x := range nums {
		if !x.Equal(IntOf(0)) {
			return false
		}
	}
	return len(nums) > 0
}

var (
	integerConv = convolution{x: 0, w: 1, bias: -1}
	qlinearConv = convolution{x: 0, w: 3, bias: 8}
	deformConv  = convolution{x: 0, w: 1, bias: 3}
)

// convIntegerShape accumulates in int32.
func convIntegerShape(c *Call) error {
	s, known, err := integerConv.shape(c)
	if err != nil {
		return err
	}
	c.setOut(0, onnx.Int32, s, known)
	return nil
}

func convIntegerWork(c *Call) Work {
	return integerConv.work(c).plus(offsets(c, [2]int{0, 2}, [2]int{1, 3}), dim.Dim{})
}

// qlinearConvShape has the element type of the output's zero point.
func qlinearConvShape(c *Call) error {
	s, known, err := qlinearConv.shape(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(7), s, known)
	return nil
}

func qlinearConvWork(c *Call) Work { return quantizedConvWork(c, qlinearConv) }

// quantizedConvWork adds zero points and requantisation to a convolution with QLinearConv's inputs.
func quantizedConvWork(c *Call, v convolution) Work {
	return v.work(c).plus(offsets(c, [2]int{0, 2}, [2]int{3, 5}), dim.Dim{}).
		plus(perElement(c.Out[0], requantize, 0).Vector, dim.Dim{})
}

// deformConvShape also checks the offsets (batch, groups·kernel·axes, output spatial…) and the mask.
func deformConvShape(c *Call) error {
	s, known, err := deformConv.shape(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(0), s, known)
	if !known {
		return nil
	}
	places := deformedPlaces(c)
	for _, in := range []struct {
		index  int
		factor int64
	}{{2, int64(len(s) - 2)}, {4, 1}} {
		v := c.Input(in.index)
		if v == nil || !v.Ranked {
			continue
		}
		want := plainConv.join(s[0], places.MulInt(in.factor), s[2:])
		if !c.mayEqual(v.Shape, want) {
			return c.errorf("input %d has shape %v, want %v", in.index, v.Shape, want)
		}
	}
	return nil
}

// deformedPlaces is the number of window places that move on their own: offset groups times the kernel.
func deformedPlaces(c *Call) dim.Dim {
	f, err := deformConv.filter(c, -1)
	if err != nil {
		return dim.Dim{}
	}
	return dim.Prod(f.kernel...).MulInt(max(c.Int("offset_group", 1), 1))
}

// deformConvWork adds the interpolation to the convolution. In n spatial axes a sampled value is 2ⁿ products and
// 2ⁿ-1 sums, and one product for the mask; each place of each offset group needs 4 operations an axis for its
// coordinate and fractions and n-1 products for each of the 2ⁿ corner weights.
func deformConvWork(c *Call) Work {
	w := deformConv.work(c)
	out, x := c.Out[0], c.In[0]
	if !out.Ranked || !x.Ranked {
		return w
	}
	f, err := deformConv.filter(c, len(out.Shape))
	if err != nil {
		return w
	}
	n := int64(len(out.Shape) - 2)
	corners := int64(1) << min(n, 16)
	perValue := 2*corners - 1
	if c.Has(4) {
		perValue++
	}
	positions := out.Shape[0].Mul(out.Shape[2:].Elements())
	values := dim.Prod(positions, x.Shape[1], dim.Prod(f.kernel...))
	return w.plus(values.MulInt(perValue), dim.Dim{}).
		plus(positions.Mul(deformedPlaces(c)).MulInt(4*n+corners*(n-1)), dim.Dim{})
}

// causal is the geometry of CausalConvWithState, a depthwise convolution over the last axis that starts from the last
// elements of the step before. com.microsoft's form adds dilation, several kept states, and channels behind.
type causal struct {
	channels, positions dim.Dim
	kernel              Shape // extents of the weights (channels, 1, kernel…) behind the second
	state               Shape
}

func causalConv(c *Call) (g causal, known bool, err error) {
	x, knownX, err := c.wantRank(0, 3, -1)
	if err != nil {
		return g, false, err
	}
	w, knownW, err := c.wantRank(1, 3, -1)
	if err != nil || !knownX || !knownW {
		return g, false, err
	}
	last := c.Int("channels_last", 0) != 0
	if !last && len(w) != len(x) {
		return g, false, c.errorf("input 1 has rank %d, want %d", len(w), len(x))
	}
	g.kernel = w[2:]
	keep := g.kernel[len(g.kernel)-1].AddInt(-1).MulInt(max(c.Int("dilation", 1), 1))
	if last {
		g.channels, g.positions = x[2:].Elements(), x[:2].Elements()
		g.state = append(Shape{x[0], keep}, x[2:]...)
	} else {
		g.channels, g.positions = x[1], x[0].Mul(x[2:].Elements())
		g.state = append(append(Shape{}, x[:len(x)-1]...), keep)
	}
	g.state = stateWindow(c, g.state)
	if _, err := c.sameDim(g.channels, w[0]); err != nil {
		return g, false, c.errorf("input 0 has %v channels, want %v", g.channels, w[0])
	}
	if past := c.Input(3); past != nil && past.Ranked && !c.mayEqual(past.Shape, g.state) {
		return g, false, c.errorf("input 3 has shape %v, want %v", past.Shape, g.state)
	}
	return g, true, checkVector(c, 2, g.channels)
}

func causalConvShape(c *Call) error {
	g, known, err := causalConv(c)
	if err != nil {
		return err
	}
	if err := sameShape(c); err != nil {
		return err
	}
	c.setOut(1, c.typeOf(0), g.state, known)
	return nil
}

func causalConvWork(c *Call) Work {
	g, known, err := causalConv(c)
	if err != nil || !known {
		return Work{}
	}
	ones := plain(onesShape(len(g.kernel)))
	w := contractions(Contraction{Kind: ConvKind, Batch: dim.Const(1), Groups: g.channels, M: g.positions, N: dim.Const(1),
		K: g.kernel.Elements(), Window: plain(g.kernel), Strides: ones, Dilation: ones, Weight: 1})
	n := g.channels.Mul(g.positions)
	if c.Has(2) {
		w = w.plus(n, dim.Dim{})
	}
	return w.activated(c, "activation", n)
}

func onesShape(n int) Shape {
	s := make(Shape, n)
	for i := range s {
		s[i] = dim.Const(1)
	}
	return s
}

const (
	docZeroPoint  = "1 per element whose zero point is not known to be 0"
	docRequantize = "4 per output element to requantise"
	docCausalConv = "N·C·L·kernel MACs; 1 per output element for the bias, 3 and 2 special for silu"
)

var convSpecialRules = []Rule{
	{Op: "ConvInteger", Since: 10, Shape: convIntegerShape, Work: convIntegerWork, Memory: Stream, Class: Contract,
		QuantInputs: inputs(1), Scales: inputs(2, 3), Doc: docConv + "; " + docZeroPoint},
	{Op: "QLinearConv", Since: 10, Shape: qlinearConvShape, Work: qlinearConvWork, Memory: Stream, Class: Contract,
		QuantInputs: inputs(3, 8), Scales: inputs(1, 2, 4, 5, 6, 7),
		Doc: docConv + "; " + docZeroPoint + "; " + docRequantize},
	{Op: "DeformConv", Since: 19, Shape: deformConvShape, Work: deformConvWork, Memory: Stream, Class: Contract,
		Doc: docConv + "; in n axes 2^(n+1)-1 per sampled value (1 more with a mask) and 4n + (n-1)·2^n per moved place"},
	{Op: "CausalConvWithState", Since: 27, Shape: causalConvShape, Work: causalConvWork, Memory: Stream, Class: Contract,
		Doc: docCausalConv},
}
