package op

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// The domain com.ms.internal.nhwc: operators of the standard whose first input and first output have their channels last,
// as execution providers that prefer this layout rewrite them. Source: internal_nhwc_onnx_schemas.cc of ONNX Runtime, which
// infers them as here: the first input in the standard's layout, the standard's rule, and the output turned back. Weights
// keep their layout. Resize, whose scales and sizes are written for the layout that it has, is the standard's.

const nhwcDomain = "com.ms.internal.nhwc"

// channelsFirst is v with its channels, the last axis, behind the batch.
func channelsFirst(v *Value) *Value {
	if v == nil || !v.Ranked || len(v.Shape) < 3 {
		return v
	}
	n := len(v.Shape)
	t := &Value{}
	t.SetTensor(v.DType, append(Shape{v.Shape[0], v.Shape[n-1]}, v.Shape[1:n-1]...))
	return t
}

// channelsLast turns a shape back.
func channelsLast(s Shape) Shape {
	if len(s) < 3 {
		return s
	}
	return append(append(Shape{s[0]}, s[2:]...), s[1])
}

// standardLayout is the call in the layout of the standard; inputs up to number turned are laid out anew.
func standardLayout(c *Call, turned int) *Call {
	in := slices.Clone(c.In)
	for i := range min(turned+1, len(in)) {
		in[i] = channelsFirst(in[i])
	}
	out := make([]*Value, len(c.Out))
	for i, o := range c.Out {
		out[i] = &Value{Name: o.Name}
	}
	return &Call{Node: c.Node, Opset: c.Opset, In: in, Out: out, Engine: c.Engine}
}

// lastLayout is a standard row with the channels of the inputs up to number turned, and of the outputs, last.
func lastLayout(domain string, r Rule, turned int) Rule {
	shape, work := r.Shape, r.Work
	r.Domain, r.Fold, r.Memory = domain, nil, Stream
	r.Shape = func(c *Call) error {
		inner := standardLayout(c, turned)
		if err := shape(inner); err != nil {
			return err
		}
		for i, o := range inner.Out {
			c.Out[i].SetType(o)
			if o.Ranked {
				c.Out[i].Shape = channelsLast(o.Shape)
			}
		}
		return nil
	}
	r.Work = func(c *Call) Work {
		inner := standardLayout(c, turned)
		for i, o := range c.Out {
			inner.Out[i] = channelsFirst(o)
		}
		w := work(inner)
		if n, ok := c.Out[0].Elements(); ok && c.HasAttr("activation") {
			w = w.activated(c, "activation", n)
		}
		return w
	}
	r.Doc += "; the activation that an attribute names"
	return r
}

// qlinearTransposed sees the operands of QLinearConvTranspose as ConvTranspose has them.
func qlinearTransposed(c *Call) *Call {
	in := []*Value{c.Input(0), c.Input(3)}
	if c.Has(8) {
		in = append(in, c.Input(8))
	}
	return &Call{Node: c.Node, Opset: c.Opset, In: in, Out: c.Out, Engine: c.Engine}
}

func qlinearTransposeShape(c *Call) error {
	if err := convTransposeShape(qlinearTransposed(c)); err != nil {
		return err
	}
	c.Out[0].DType = c.typeOf(7)
	return nil
}

func qlinearTransposeWork(c *Call) Work {
	w := convTransposeWork(qlinearTransposed(c))
	for i := range w.Contraction {
		w.Contraction[i].Weight = 3
	}
	return w.plus(offsets(c, [2]int{0, 2}, [2]int{3, 5}), dim.Dim{})
}

// qlinearTranspose is QLinearConvTranspose, which only this domain has, in the standard's layout.
var qlinearTranspose = Rule{Op: "QLinearConvTranspose", Since: 1, Shape: qlinearTransposeShape, Work: requantized(qlinearTransposeWork), Class: Contract,
	QuantInputs: inputs(3, 8), Scales: inputs(1, 2, 4, 5, 6, 7), Doc: "as ConvTranspose; " + docZeroPoint + "; " + docRequantize}

// nhwcRules are the rows of the domain, made from those of the standard.
func nhwcRules() []Rule {
	var out []Rule
	for _, rows := range [][]Rule{convRules, convSpecialRules, poolRules, normRules, normLayerRules, rearrangeRules, imageRules, msConvRules, {qlinearTranspose}} {
		for _, r := range rows {
			standard := r.Domain == "" && slices.Contains([]string{"AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace",
				"GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GridSample", "InstanceNormalization", "LRN", "LpPool", "MaxPool", "MaxUnpool",
				"QLinearConv", "SpaceToDepth"}, r.Op)
			if standard || r.Op == "QLinearConvTranspose" || r.Domain == msDomain && r.Op == "QLinearAveragePool" {
				out = append(out, lastLayout(nhwcDomain, r, 0))
			}
		}
	}
	for _, r := range resizeRules {
		if r.Op == "Resize" {
			r.Domain = nhwcDomain
			out = append(out, r)
		}
	}
	return lowestSince(out)
}

// lowestSince makes the first row of every operator hold from version 1: the domain's version is that of the standard, or 1.
func lowestSince(out []Rule) []Rule {
	first := map[ruleKey]int{}
	for i, r := range out {
		k := ruleKey{r.Domain, r.Op}
		if j, ok := first[k]; !ok || out[j].Since > r.Since {
			first[k] = i
		}
	}
	for _, i := range first {
		out[i].Since = 1
	}
	return out
}
