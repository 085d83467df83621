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
		return window{}, c.Errorf("attribute kernel_shape is absent, want %d extents", rank-2)
	}
	if len(k) != rank-2 {
		return window{}, c.Errorf("attribute kernel_shape has %d entries, want %d", len(k), rank-2)
	}
	return readWindow(c, Consts(k...))
}

// pooled is the output shape of a windowed pooling of input i.
func pooled(c *Call, i int, layout convolution) (s Shape, known bool, err error) {
	x, known, err := c.WantRank(i, 3, -1)
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
	x, known, err := c.WantRank(i, 2, -1)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(dt)
		return nil
	}
	spatial := Consts(make([]int64, len(x)-2)...)
	for a := range spatial {
		spatial[a] = dim.Const(1)
	}
	c.Out[0].SetTensor(dt, layout.join(x[0], x[layout.channelAxis(len(x))], spatial))
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
}
