package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Convolutions. MACs are counted for every window position and every place in the window, those in the padding
// included, as the papers and the other counters do.

// convolution says where an operator of the family keeps its operands, which is all that Conv, ConvInteger and
// QLinearConv differ in.
type convolution struct {
	x, w, bias   int  // inputs; bias < 0: none
	channelsLast bool // x and the output are N, spatial…, C; the weights stay Cout, Cin/groups, kernel…
	padded       bool // channels may be padded to blocks, so those of x and w need not agree
}

var plainConv = convolution{x: 0, w: 1, bias: 2}

// channelAxis is the axis of the channels in a tensor of the given rank.
func (v convolution) channelAxis(rank int) int {
	if v.channelsLast {
		return rank - 1
	}
	return 1
}

// spatial returns the spatial extents of a tensor of the family.
func (v convolution) spatial(s Shape) Shape {
	if v.channelsLast {
		return s[1 : len(s)-1]
	}
	return s[2:]
}

// join makes a tensor shape from its parts.
func (v convolution) join(batch, channels dim.Dim, spatial Shape) Shape {
	s := append(make(Shape, 0, len(spatial)+2), batch)
	if v.channelsLast {
		return append(append(s, spatial...), channels)
	}
	return append(append(s, channels), spatial...)
}

// filter is what the weights (or, where their rank is unknown, the attributes) say of a convolution.
type filter struct {
	cout, cin dim.Dim // output channels in all; input channels of one group
	kernel    []dim.Dim
	known     bool // false: cout and cin are not known, kernel comes from the attribute
	groups    int64
}

// filter reads weights of the form (Cout, Cin/groups, kernel…). rank is that of the input, -1 where unknown.
func (v convolution) filter(c *Call, rank int) (filter, error) {
	f, s, err := readFilter(c, v.w, rank)
	if err != nil || !f.known {
		return f, err
	}
	f.cout, f.cin = s[0], s[1]
	if n, ok := f.cout.Value(); ok && !v.padded && n%f.groups != 0 {
		return f, c.errorf("input %d has %d output channels, want a multiple of the group count %d", v.w, n, f.groups)
	}
	return f, nil
}

// readFilter reads the groups and the kernel of a convolution with weights in input i. It returns their shape, which says
// the channels where it is known. rank is that of the data, -1 where unknown.
func readFilter(c *Call, i, rank int) (f filter, weights Shape, err error) {
	w, err := c.want(i)
	if err != nil {
		return f, nil, err
	}
	if f.groups, err = groups(c); err != nil {
		return f, nil, err
	}
	attr := c.Ints("kernel_shape")
	if !w.Ranked {
		f.kernel = Consts(attr...)
		return f, nil, nil
	}
	switch {
	case rank >= 0 && len(w.Shape) != rank:
		return f, nil, c.errorf("input %d has rank %d, want %d", i, len(w.Shape), rank)
	case len(w.Shape) < 3:
		return f, nil, c.errorf("input %d has rank %d, want at least 3", i, len(w.Shape))
	}
	f.kernel, f.known = w.Shape[2:], true
	return f, w.Shape, checkKernelShape(attr, f.kernel, i)
}

// groups reads the attribute group.
func groups(c *Call) (int64, error) {
	g := c.Int("group", 1)
	if g < 1 {
		return 0, fmt.Errorf("attribute group is %d, want at least 1", g)
	}
	return g, nil
}

// checkKernelShape compares the attribute kernel_shape, where present, with the weights of input i.
func checkKernelShape(attr []int64, kernel []dim.Dim, i int) error {
	if len(attr) == 0 {
		return nil
	}
	if len(attr) != len(kernel) {
		return fmt.Errorf("attribute kernel_shape has %d entries, want %d", len(attr), len(kernel))
	}
	for a, k := range attr {
		if n, ok := kernel[a].Value(); ok && n != k {
			return fmt.Errorf("attribute kernel_shape is %d at place %d, but input %d has extent %d there", k, a, i, n)
		}
	}
	return nil
}

// shape infers the output shape; known is false where not even the rank is known.
func (v convolution) shape(c *Call) (out Shape, known bool, err error) {
	x, err := c.want(v.x)
	if err != nil {
		return nil, false, err
	}
	rank := -1
	if x.Ranked {
		if rank = len(x.Shape); rank < 3 {
			return nil, false, c.errorf("input %d has rank %d, want at least 3", v.x, rank)
		}
	}
	f, err := v.filter(c, rank)
	if err != nil {
		return nil, false, err
	}
	if !x.Ranked {
		if !f.known {
			return nil, false, nil
		}
		return v.join(c.fresh("batch", dim.Dim{}), f.cout, c.freshShape("spatial", len(f.kernel))), true, nil
	}
	if !f.known {
		f.cout = c.fresh("channels", dim.Dim{})
		if len(f.kernel) == 0 {
			return v.join(x.Shape[0], f.cout, c.freshShape("spatial", rank-2)), true, nil
		}
	}
	if len(f.kernel) != rank-2 {
		return nil, false, c.errorf("attribute kernel_shape has %d entries, want %d", len(f.kernel), rank-2)
	}
	if f.known && !v.padded {
		if err := v.checkChannels(c, x, f); err != nil {
			return nil, false, err
		}
	}
	win, err := readWindow(c, f.kernel)
	if err != nil {
		return nil, false, err
	}
	spatial, err := win.extents(v.spatial(x.Shape))
	if err != nil {
		return nil, false, err
	}
	return v.join(x.Shape[0], f.cout, spatial), true, v.checkBias(c, f.cout)
}

// checkChannels compares the input's channels with what the weights of all groups take.
func (v convolution) checkChannels(c *Call, x *Value, f filter) error {
	have, ok1 := x.Shape[v.channelAxis(len(x.Shape))].Value()
	want, ok2 := f.cin.MulInt(f.groups).Value()
	c.equal(x.Shape[v.channelAxis(len(x.Shape))], f.cin.MulInt(f.groups))
	if ok1 && ok2 && have != want {
		return fmt.Errorf("input %d has %d channels, want %d (%v for each of %d groups)", v.x, have, want, f.cin, f.groups)
	}
	return nil
}

func (v convolution) checkBias(c *Call, cout dim.Dim) error {
	if v.bias < 0 || v.padded {
		return nil
	}
	return checkVector(c, v.bias, cout)
}

// checkVector refuses an input i that is known not to hold n elements.
func checkVector(c *Call, i int, n dim.Dim) error {
	b := c.Input(i)
	if b == nil || !b.Ranked {
		return nil
	}
	have, ok1 := b.Shape.Elements().Value()
	want, ok2 := n.Value()
	if ok1 && ok2 && have != want {
		return fmt.Errorf("input %d has %d elements, want %d", i, have, want)
	}
	c.equal(b.Shape.Elements(), n)
	return nil
}

// work counts the MACs and, where there is a bias, an addition per output element.
func (v convolution) work(c *Call) Work {
	out := c.Out[0]
	if !out.Ranked {
		return Work{}
	}
	f, err := v.filter(c, len(out.Shape))
	if err != nil {
		return Work{}
	}
	ch := v.channelAxis(len(out.Shape))
	g := dim.Const(f.groups)
	if !f.known {
		f.cout = out.Shape[ch]
		if x := c.Input(v.x); x.Ranked {
			f.cin = x.Shape[ch].FloorDiv(g)
		}
	}
	ct := Contraction{Kind: ConvKind, Batch: dim.Const(1), Groups: g,
		M: out.Shape[0].Mul(v.spatial(out.Shape).Elements()), N: f.cout.FloorDiv(g),
		K: f.cin.Mul(dim.Prod(f.kernel...)), Weight: v.w}
	if win, err := readWindow(c, f.kernel); err == nil {
		ct.Window, ct.Strides, ct.Dilation = plain(f.kernel), win.strides, win.dilations
	}
	w := contractions(ct)
	if v.bias >= 0 && c.Has(v.bias) {
		w = w.plus(out.Shape.Elements(), dim.Dim{})
	}
	return w
}

// convShape gives the output the element type of the input.
func convShape(c *Call) error {
	s, known, err := plainConv.shape(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.In[0].DType, s, known)
	return nil
}

// transposed reads the weights (Cin, Cout/groups, kernel…) of a ConvTranspose.
func transposed(c *Call, rank int) (filter, error) {
	f, s, err := readFilter(c, 1, rank)
	if err != nil || !f.known {
		return f, err
	}
	f.cin, f.cout = s[0], s[1].MulInt(f.groups)
	if n, ok := f.cin.Value(); ok && n%f.groups != 0 {
		return f, c.errorf("input 1 has %d input channels, want a multiple of the group count %d", n, f.groups)
	}
	return f, nil
}

func convTransposeShape(c *Call) error {
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
	dt := c.In[0].DType
	switch {
	case !known && !f.known:
		c.Out[0].SetUnranked(dt)
		return nil
	case !known:
		c.Out[0].SetTensor(dt, plainConv.join(c.fresh("batch", dim.Dim{}), f.cout, c.freshShape("spatial", len(f.kernel))))
		return nil
	case !f.known:
		f.cout = c.fresh("channels", dim.Dim{})
	}
	if f.known {
		have, ok1 := x[1].Value()
		want, ok2 := f.cin.Value()
		if ok1 && ok2 && have != want {
			return c.errorf("input 0 has %d channels, want %d", have, want)
		}
	}
	if len(f.kernel) != rank-2 {
		if len(f.kernel) != 0 {
			return c.errorf("attribute kernel_shape has %d entries, want %d", len(f.kernel), rank-2)
		}
		c.Out[0].SetTensor(dt, plainConv.join(x[0], f.cout, c.freshShape("spatial", rank-2)))
		return nil
	}
	spatial, err := convTransposeExtents(c, x[2:], f.kernel)
	if err != nil {
		return err
	}
	c.Out[0].SetTensor(dt, plainConv.join(x[0], f.cout, spatial))
	return checkVector(c, 2, f.cout)
}

// convTransposeExtents gives the spatial extents of a ConvTranspose: the attribute output_shape (spatial, or the
// whole shape as some exporters write it), else what window.scattered says.
func convTransposeExtents(c *Call, in Shape, kernel []dim.Dim) (Shape, error) {
	n := len(in)
	win, err := readWindow(c, kernel)
	if err != nil {
		return nil, err
	}
	if want := c.Ints("output_shape"); len(want) > 0 {
		if len(want) == n+2 {
			want = want[2:]
		}
		if len(want) != n {
			return nil, c.errorf("attribute output_shape has %d entries, want %d", len(want), n)
		}
		for i, v := range want {
			if v < 0 {
				return nil, c.errorf("attribute output_shape has %d at place %d, want at least 0", v, i)
			}
		}
		return Consts(want...), nil
	}
	extra, err := perAxis(c, "output_padding", n, 0, 0)
	if err != nil {
		return nil, err
	}
	out := make(Shape, n)
	for i := range out {
		if out[i], err = win.scattered(i, in[i], extra[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// convTransposeWork counts what every input position scatters: Cin/groups·Cout·kernel MACs, those that padding
// crops included.
func convTransposeWork(c *Call) Work {
	x, out := c.In[0], c.Out[0]
	if !x.Ranked || !out.Ranked {
		return Work{}
	}
	f, err := transposed(c, len(x.Shape))
	if err != nil {
		return Work{}
	}
	g := dim.Const(f.groups)
	ct := Contraction{Kind: ConvTransposeKind, Batch: dim.Const(1), Groups: g,
		M: x.Shape[0].Mul(x.Shape[2:].Elements()), N: out.Shape[1].FloorDiv(g).Mul(dim.Prod(f.kernel...)),
		K: x.Shape[1].FloorDiv(g), Weight: 1}
	if win, err := readWindow(c, f.kernel); err == nil {
		ct.Window, ct.Strides, ct.Dilation = plain(f.kernel), win.strides, win.dilations
	}
	w := contractions(ct)
	if c.Has(2) {
		w = w.plus(out.Shape.Elements(), dim.Dim{})
	}
	return w
}

// The parts of documentation that the rows of the family share.
const (
	docConv = "N·OH·OW·Cout·(Cin/groups)·kernel MACs, padding included; 1 per output element for the bias"
)

var convRules = []Rule{
	{Op: "Conv", Since: 1, Shape: convShape, Work: plainConv.work, OutWork: inputs(0), Memory: Stream, Class: Contract, Doc: docConv},
	{Op: "ConvTranspose", Since: 1, Shape: convTransposeShape, Work: convTransposeWork, Memory: Stream, Class: Contract,
		Doc: "N·IH·IW·Cin·(Cout/groups)·kernel MACs (the input's extents), cropped products included; 1 per output element for the bias"},
}
