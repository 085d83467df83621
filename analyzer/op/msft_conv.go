package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Convolution and pooling of com.microsoft: fused, channels-last and quantised forms; and the blocked layout
// (com.microsoft.nchwc) of ONNX Runtime's CPU kernels, which an optimised model saved to a file contains.

const nchwcDomain = "com.microsoft.nchwc"

var (
	lastConv  = convolution{x: 0, w: 1, bias: 2, channelsLast: true}
	nchwcConv = convolution{x: 0, w: 1, bias: 2, padded: true}
)

// fused is a convolution whose input 3 is added to the result before the attribute activation is applied.
type fused struct{ convolution }

func (f fused) shape(c *Call) error {
	s, known, err := f.convolution.shape(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(f.x), s, known)
	return nil
}

func (f fused) work(c *Call) Work {
	w := optionalAdd(f.convolution.work, 3)(c)
	n, ok := c.Out[0].Elements()
	if !ok {
		return w
	}
	return w.activated(c, "activation", n)
}

// layoutOf is the layout that attribute channels_last asks for.
func layoutOf(c *Call, v convolution) convolution {
	v.channelsLast = c.Int("channels_last", 0) != 0
	return v
}

func msQLinearConvShape(c *Call) error {
	s, known, err := layoutOf(c, qlinearConv).shape(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(7), s, known)
	return nil
}

func msQLinearConvWork(c *Call) Work { return quantizedConvWork(c, layoutOf(c, qlinearConv)) }

// layoutPoolShape pools input 0 in the given layout.
func layoutPoolShape(layout func(*Call) convolution) func(*Call) error {
	return func(c *Call) error {
		s, known, err := pooled(c, 0, layout(c))
		if err != nil {
			return err
		}
		c.setOut(0, c.typeOf(0), s, known)
		return nil
	}
}

// layoutGlobalPoolShape pools whole channels in the layout that attribute channels_last asks for.
func layoutGlobalPoolShape(c *Call) error {
	return globalPool(c, 0, layoutOf(c, plainConv), c.typeOf(0))
}

// requantized adds the requantisation of every output element.
func requantized(work func(*Call) Work) func(*Call) Work {
	return func(c *Call) Work { return work(c).plus(perElement(c.Out[0], requantize, 0).Vector, dim.Dim{}) }
}

// dynamicPadsShape is ConvTransposeWithDynamicPads: the pads are input 2.
func dynamicPadsShape(c *Call) error {
	x, known, err := c.wantRank(0, 3, -1)
	if err != nil {
		return err
	}
	rank := -1
	if known {
		rank = len(x)
	}
	f, err := transposed(c, rank)
	if err != nil {
		return err
	}
	if !known || !f.known {
		c.setOut(0, c.typeOf(0), nil, false)
		return nil
	}
	n := rank - 2
	win, err := readWindow(c, f.kernel)
	if err != nil {
		return err
	}
	extra, err := perAxis(c, "output_padding", n, 0, 0)
	if err != nil {
		return err
	}
	pads, all := c.Input(2).Int64s()
	if c.Has(2) && all && len(pads) != 2*n {
		return c.errorf("input 2 has %d elements, want %d", len(pads), 2*n)
	}
	spatial := make(Shape, n)
	for i := range spatial {
		if c.Has(2) && all {
			win.begin, win.end = pads[:n], pads[n:]
		}
		if spatial[i], err = win.scattered(i, x[2+i], extra[i]); err != nil {
			return err
		}
		if c.Has(2) && !all {
			spatial[i] = c.fresh("spatial", spatial[i])
		}
	}
	c.Out[0].SetTensor(c.typeOf(0), plainConv.join(x[0], f.cout, spatial))
	return nil
}

// dynamicPadsWork is that of ConvTranspose; the bias is input 3.
func dynamicPadsWork(c *Call) Work {
	in := []*Value{c.In[0], c.In[1], c.Input(3)}
	return convTransposeWork(&Call{Node: c.Node, Opset: c.Opset, In: in, Out: c.Out, Engine: c.Engine})
}

// reorderInputShape rounds the channels up to whole blocks.
func reorderInputShape(c *Call) error {
	x, known, err := c.wantRank(0, 2, -1)
	if err != nil {
		return err
	}
	var s Shape
	if known {
		layout := layoutOf(c, plainConv)
		block := dim.Const(c.Engine.ChannelBlock())
		ch := x[layout.channelAxis(len(x))].CeilDiv(block).Mul(block)
		s = plainConv.join(x[0], ch, layout.spatial(x))
	}
	c.setOut(0, c.typeOf(0), s, known)
	return nil
}

// reorderOutputShape restores the channels that attribute channels gives.
func reorderOutputShape(c *Call) error {
	x, known, err := c.wantRank(0, 2, -1)
	if err != nil {
		return err
	}
	ch := c.Int("channels", 0)
	if ch < 1 {
		return c.errorf("attribute channels is %d, want at least 1", ch)
	}
	var s Shape
	if known {
		s = layoutOf(c, plainConv).join(x[0], dim.Const(ch), x[2:])
	}
	c.setOut(0, c.typeOf(0), s, known)
	return nil
}

// nchwcUpsampleShape multiplies every axis by an integer scale.
func nchwcUpsampleShape(c *Call) error {
	x, known, err := c.wantRank(0, 1, -1)
	if err != nil {
		return err
	}
	if !known {
		c.setOut(0, c.typeOf(0), nil, false)
		return nil
	}
	scales, err := perAxis(c, "scales", len(x), 1, 1)
	if err != nil {
		return err
	}
	s := make(Shape, len(x))
	for i := range s {
		s[i] = x[i].MulInt(scales[i])
	}
	c.Out[0].SetTensor(c.typeOf(0), s)
	return nil
}

func nchwcUpsampleWork(c *Call) Work {
	if c.Str("mode", "nearest") == "nearest" {
		return Work{}
	}
	return perElement(c.Out[0], 7, 0)
}

// nchwc is a row of the blocked layout's domain.
func nchwc(r Rule) Rule {
	r.Domain, r.Since, r.Memory = nchwcDomain, 1, Stream
	r.Doc += "; channels count as they are padded"
	return r
}

const docFusedConv = docConv + ", 1 for the added input 3, and the activation"

var msConvRules = []Rule{
	ms(Rule{Op: "FusedConv", Shape: fused{plainConv}.shape, Work: fused{plainConv}.work, Class: Contract, InPlace: inputs(3), Doc: docFusedConv}),
	ms(Rule{Op: "NhwcFusedConv", Shape: fused{lastConv}.shape, Work: fused{lastConv}.work, Class: Contract, InPlace: inputs(3), Doc: docFusedConv}),
	ms(Rule{Op: "NhwcConv", Shape: fused{lastConv}.shape, Work: lastConv.work, Class: Contract, Doc: docConv}),
	ms(Rule{Op: "QLinearConv", Shape: msQLinearConvShape, Work: msQLinearConvWork, Class: Contract,
		QuantInputs: inputs(3, 8), Scales: inputs(1, 2, 4, 5, 6, 7), Doc: docConv + "; " + docZeroPoint + "; " + docRequantize}),
	ms(Rule{Op: "ConvTransposeWithDynamicPads", Shape: dynamicPadsShape, Work: dynamicPadsWork, Class: Contract, HostInputs: inputs(2),
		Doc: "as ConvTranspose"}),
	ms(Rule{Op: "CausalConvWithState", Shape: causalConvShape, Work: causalConvWork, Class: Contract, Doc: docCausalConv}),

	ms(Rule{Op: "NhwcMaxPool", Shape: layoutPoolShape(func(*Call) convolution { return lastConv }), Work: windowWork(1, 0),
		Class: Pooling, Doc: docMaxPool}),
	ms(Rule{Op: "MaxpoolWithMask", Shape: poolShape, Work: windowWork(1, 0), Class: Pooling, Doc: docMaxPool}),
	ms(Rule{Op: "QLinearAveragePool", Shape: layoutPoolShape(func(c *Call) convolution { return layoutOf(c, plainConv) }),
		Work: requantized(windowWork(1, 0)), Class: Pooling, Scales: inputsFrom(1), Doc: docAvgPool + "; " + docRequantize}),
	ms(Rule{Op: "QLinearGlobalAveragePool", Shape: layoutGlobalPoolShape,
		Work: requantized(perInput(0, 1, 0)), Class: Pooling, Scales: inputsFrom(1), Doc: "1 per input element; " + docRequantize}),

	nchwc(Rule{Op: "Conv", Shape: fused{nchwcConv}.shape, Work: fused{nchwcConv}.work, Class: Contract, InPlace: inputs(3), Doc: docFusedConv}),
	nchwc(Rule{Op: "MaxPool", Shape: poolShape, Work: windowWork(1, 0), Class: Pooling, Doc: docMaxPool}),
	nchwc(Rule{Op: "AveragePool", Shape: poolShape, Work: windowWork(1, 0), Class: Pooling, Doc: docAvgPool}),
	nchwc(Rule{Op: "GlobalMaxPool", Shape: globalPoolShape, Work: perInput(0, 1, 0), Class: Pooling, Doc: "1 per input element"}),
	nchwc(Rule{Op: "GlobalAveragePool", Shape: globalPoolShape, Work: perInput(0, 1, 0), Class: Pooling, Doc: "1 per input element"}),
	nchwc(Rule{Op: "ReorderInput", Shape: reorderInputShape, Work: noWork, Class: Movement, Doc: "to whole blocks of channels"}),
	nchwc(Rule{Op: "ReorderOutput", Shape: reorderOutputShape, Work: noWork, Class: Movement, Doc: "from blocked channels"}),
	nchwc(Rule{Op: "Upsample", Shape: nchwcUpsampleShape, Work: nchwcUpsampleWork, Class: Movement, Doc: "nearest: nothing; linear: 7 per output element"}),
}
