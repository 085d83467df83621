package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Pooling. A window of k places counts k operations per output element: k-1 sums and the scaling of an average, or k
// comparisons of a maximum (the first against the initial value). Places in the padding count like the others.

// pooling reads the attributes of a windowed pooling operator for an input shape with rank-2 spatial axes.
func pooling(c *Call, rank int) (window, error) {
	k := c.Ints("kernel_shape")
	if len(k) == 0 {
		return window{}, c.errorf("attribute kernel_shape is absent, want %d extents", rank-2)
	}
	if len(k) != rank-2 {
		return window{}, c.errorf("attribute kernel_shape has %d entries, want %d", len(k), rank-2)
	}
	return readWindow(c, Consts(k...))
}

// pooled is the output shape of a windowed pooling of input i.
func pooled(c *Call, i int, layout convolution) (s Shape, known bool, err error) {
	x, known, err := c.wantRank(i, 3, -1)
	if err != nil || !known {
		return nil, false, err
	}
	w, err := pooling(c, len(x))
	if err != nil {
		return nil, false, err
	}
	spatial, err := w.extents(layout.spatial(x))
	if err != nil {
		return nil, false, err
	}
	return layout.join(x[0], x[layout.channelAxis(len(x))], spatial), true, nil
}

func poolShape(c *Call) error {
	s, known, err := pooled(c, 0, plainConv)
	if err != nil {
		return err
	}
	c.setOut(0, c.In[0].DType, s, known)
	return nil
}

// maxPoolShape also types the second output, the flat index of each maximum.
func maxPoolShape(c *Call) error {
	if err := poolShape(c); err != nil {
		return err
	}
	c.setOut(1, onnx.Int64, c.Out[0].Shape, c.Out[0].Ranked)
	return nil
}

// windowWork counts vector operations for every place of the window and special ones for every output element.
func windowWork(perPlace, special int64) func(*Call) Work {
	return func(c *Call) Work {
		n, ok := c.Out[0].Elements()
		if !ok {
			return Work{}
		}
		return Work{Vector: dim.Prod(n, Consts(c.Ints("kernel_shape")...).Elements()).MulInt(perPlace), Special: n.MulInt(special)}
	}
}

// lpPoolWork: (Σ|x|^p)^(1/p). p = 1 needs a magnitude and a sum per place, p = 2 a product and a sum; other powers are
// special. Every p but 1 takes a root per output element.
func lpPoolWork(c *Call) Work {
	switch c.lpNorm() {
	case 1:
		return windowWork(2, 0)(c)
	case 2:
		return windowWork(2, 1)(c)
	}
	w := windowWork(1, 1)(c)
	w.Special = w.Special.Add(w.Vector)
	return w
}

// lpNorm is the attribute p, a float in opset 1.
func (c *Call) lpNorm() float64 { return c.Float("p", float64(c.Int("p", 2))) }

// globalPoolShape keeps batch and channels and makes every spatial extent 1.
func globalPoolShape(c *Call) error { return globalPool(c, 0, plainConv, c.typeOf(0)) }

// typeOf is the element type of input i, undefined where it is absent.
func (c *Call) typeOf(i int) onnx.DType {
	if v := c.Input(i); v != nil {
		return v.DType
	}
	return onnx.Undefined
}

func globalPool(c *Call, i int, layout convolution, dt onnx.DType) error {
	x, known, err := c.wantRank(i, 2, -1)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(dt)
		return nil
	}
	c.Out[0].SetTensor(dt, layout.join(x[0], x[layout.channelAxis(len(x))], onesShape(len(x)-2)))
	return nil
}

// globalLpPoolWork is lpPoolWork with the whole input as the window.
func globalLpPoolWork(c *Call) Work {
	in, ok1 := c.In[0].Elements()
	out, ok2 := c.Out[0].Elements()
	if !ok1 || !ok2 {
		return Work{}
	}
	switch c.lpNorm() {
	case 1:
		return Work{Vector: in.MulInt(2)}
	case 2:
		return Work{Vector: in.MulInt(2), Special: out}
	}
	return Work{Vector: in, Special: in.Add(out)}
}

// maxUnpoolShape: input 2, where present, is the whole output shape; else the extents are those of the window that
// made the input.
func maxUnpoolShape(c *Call) error {
	x, known, err := c.wantRank(0, 3, -1)
	if err != nil {
		return err
	}
	dt := c.In[0].DType
	if c.Has(2) {
		s, ok, err := c.targetShape(2, "unpool")
		if err != nil {
			return err
		}
		if known && ok && len(s) != len(x) {
			return c.errorf("input 2 has %d extents, want %d", len(s), len(x))
		}
		if known && !ok {
			s, ok = plainConv.join(x[0], x[1], c.freshShape("unpool", len(x)-2)), true
		}
		c.setOut(0, dt, s, ok)
		return nil
	}
	if !known {
		c.Out[0].SetUnranked(dt)
		return nil
	}
	w, err := pooling(c, len(x))
	if err != nil {
		return err
	}
	spatial := make(Shape, len(x)-2)
	for i := range spatial {
		if spatial[i], err = w.scattered(i, x[2+i], 0); err != nil {
			return err
		}
	}
	c.Out[0].SetTensor(dt, plainConv.join(x[0], x[1], spatial))
	return nil
}

// regionShape types (regions, channels, height, width) for the operators that pool regions of input 0.
func regionShape(c *Call, height, width int64) error {
	x, knownX, err := c.wantRank(0, 4, 4)
	if err != nil {
		return err
	}
	rois, knownR, err := c.wantRank(1, 2, 2)
	if err != nil {
		return err
	}
	if height < 1 || width < 1 {
		return c.errorf("output extents are %d and %d, want at least 1", height, width)
	}
	s := Shape{{}, {}, dim.Const(height), dim.Const(width)}
	if knownR {
		s[0] = rois[0]
	} else {
		s[0] = c.fresh("regions", dim.Dim{})
	}
	if knownX {
		s[1] = x[1]
	} else {
		s[1] = c.fresh("channels", dim.Dim{})
	}
	c.Out[0].SetTensor(c.In[0].DType, s)
	return nil
}

func maxRoiPoolShape(c *Call) error {
	p := c.Ints("pooled_shape")
	if len(p) != 2 {
		return c.errorf("attribute pooled_shape has %d entries, want 2", len(p))
	}
	return regionShape(c, p[0], p[1])
}

// maxRoiPoolWork bounds the comparisons: regions are data, and none is larger than the whole map.
func maxRoiPoolWork(c *Call) Work {
	x, out := c.In[0], c.Out[0]
	if !x.Ranked {
		return Work{}
	}
	return Work{Vector: dim.Prod(out.Shape[0], out.Shape[1], x.Shape[2], x.Shape[3])}
}

func roiAlignShape(c *Call) error {
	return regionShape(c, c.Int("output_height", 1), c.Int("output_width", 1))
}

// roiAlignWork: every output element pools its bilinear samples, 7 operations and the sum or maximum each; place
// and corner weights of a sample take 12 operations for all channels. With sampling_ratio 0 the samples follow the
// size of the region, which is data: regions as large as the whole map are assumed.
func roiAlignWork(c *Call) Work {
	x, out := c.In[0], c.Out[0]
	if !x.Ranked {
		return Work{}
	}
	samples := dim.Const(1)
	for i := range 2 {
		per := dim.Const(c.Int("sampling_ratio", 0))
		if per.Is(0) {
			per = x.Shape[2+i].CeilDiv(out.Shape[2+i])
		}
		samples = samples.Mul(per)
	}
	bins := dim.Prod(out.Shape[0], out.Shape[2], out.Shape[3], samples)
	return Work{Vector: bins.Mul(out.Shape[1]).MulInt(8).Add(bins.MulInt(12))}
}

const (
	docMaxPool = "k comparisons per output element for a window of k places, padding included"
	docAvgPool = "k operations per output element for a window of k places: k-1 sums and the scaling, padding included"
	docLpPool  = "2k per output element (magnitude or square, and sum) and a root unless p is 1; other p: k powers (special) instead of the squares"
)

var poolRules = []Rule{
	{Op: "MaxPool", Since: 1, Shape: maxPoolShape, Work: windowWork(1, 0), Memory: Stream, Class: Pooling, Doc: docMaxPool},
	{Op: "AveragePool", Since: 1, Shape: poolShape, Work: windowWork(1, 0), Memory: Stream, Class: Pooling, Doc: docAvgPool},
	{Op: "LpPool", Since: 1, Shape: poolShape, Work: lpPoolWork, Memory: Stream, Class: Pooling, Doc: docLpPool},
	{Op: "GlobalMaxPool", Since: 1, Shape: globalPoolShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Pooling,
		Doc: "1 comparison per input element"},
	{Op: "GlobalAveragePool", Since: 1, Shape: globalPoolShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Pooling,
		Doc: "1 per input element: H·W-1 sums and the scaling per channel"},
	{Op: "GlobalLpPool", Since: 1, Shape: globalPoolShape, Work: globalLpPoolWork, Memory: Stream, Class: Pooling,
		Doc: docLpPool + "; the window is the whole input"},
	{Op: "MaxUnpool", Since: 9, Shape: maxUnpoolShape, Work: noWork, Memory: Stream, Class: Movement, HostInputs: inputs(2),
		Doc: "scatters; nothing is computed"},
	{Op: "MaxRoiPool", Since: 1, Shape: maxRoiPoolShape, Work: maxRoiPoolWork, Memory: Stream, Class: Pooling,
		Doc: "upper bound: regions·channels·H·W comparisons, as if every region were the whole map"},
	{Op: "RoiAlign", Since: 10, Shape: roiAlignShape, Work: roiAlignWork, Memory: Stream, Class: Pooling,
		Doc: "8 per sample and channel (bilinear value, pooled), 12 per sample; sampling_ratio 0 is taken for regions as large as the map"},
}
