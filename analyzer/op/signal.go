package op

import (
	"math"
	"math/bits"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Spectral operators. A transform of length n is counted as a fast one: 5·n·log2(n) operations for complex input, half
// of that where one side is real (Cooley-Tukey; Van Loan, Computational Frameworks for the FFT, 1992).

// extentOf is the known scalar in input i, else a fresh extent. A negative constant is an error.
func (c *Call) extentOf(i int, hint string) (dim.Dim, error) {
	v, err := c.want(i)
	if err != nil {
		return dim.Dim{}, err
	}
	n, ok := scalar(v)
	if d, isInt := n.Dim(); ok && isInt {
		if k, isConst := d.Value(); isConst && k < 0 {
			return dim.Dim{}, c.errorf("input %d is %d, want at least 0", i, k)
		}
		return d, nil
	}
	return c.fresh(hint, dim.Dim{}), nil
}

// bins is the number of values of a one-sided spectrum: floor(n/2) + 1.
func bins(n dim.Dim) dim.Dim { return n.FloorDiv(dim.Const(2)).AddInt(1) }

// transformLength is the known length in input i, else what the extent of the spectrum says.
func transformLength(c *Call, i int, extent dim.Dim, oneSided bool) dim.Dim {
	if n, ok := scalar(c.Input(i)); ok {
		if d, ok := n.Dim(); ok {
			return d
		}
	}
	if oneSided {
		return extent.AddInt(-1).MulInt(2)
	}
	return extent
}

// fftWork is the operations of one transform of length n, to the nearest whole number where n is known.
func fftWork(c *Call, n dim.Dim, real bool) dim.Dim {
	v, ok := n.Value()
	switch {
	case !ok:
		w := dim.Prod(dim.Const(5), n, c.fresh("log2", n))
		if real {
			return w.FloorDiv(dim.Const(2))
		}
		return w
	case v < 2:
		return dim.Dim{}
	case v > 1<<40: // no buffer holds the signal; the product may overflow, which sticks
		return dim.Prod(dim.Const(5), n, dim.Const(int64(bits.Len64(uint64(v-1)))))
	}
	w := 5 * float64(v) * math.Log2(float64(v))
	if real {
		w /= 2
	}
	return dim.Const(int64(math.Round(w)))
}

// dftShape finds the axis in an attribute (opset 17) or an input (20). The last axis holds one number for real values
// and two for complex ones.
func dftShape(axisAt func(c *Call, rank int) (a int, known bool, err error)) func(*Call) error {
	return func(c *Call) error {
		s, known, err := c.wantRank(0, 2, -1)
		if err != nil {
			return err
		}
		dt := c.In[0].DType
		if !known {
			c.Out[0].SetUnranked(dt)
			return nil
		}
		a, known, err := axisAt(c, len(s))
		if err != nil {
			return err
		}
		if !known {
			out := c.freshShape("dft", len(s))
			out[len(s)-1] = dftLast(c)
			c.Out[0].SetTensor(dt, out)
			return nil
		}
		out := append(Shape{}, s...)
		n, err := dftLength(c, s[a])
		if err != nil {
			return err
		}
		out[a] = n
		if c.Int("onesided", 0) != 0 && c.Int("inverse", 0) == 0 {
			out[a] = bins(n)
		}
		out[len(s)-1] = dftLast(c)
		c.Out[0].SetTensor(dt, out)
		return nil
	}
}

// dftLast is 1 where a one-sided spectrum is turned back into real values, else 2.
func dftLast(c *Call) dim.Dim {
	if c.Int("onesided", 0) != 0 && c.Int("inverse", 0) != 0 {
		return dim.Const(1)
	}
	return dim.Const(2)
}

// dftLength is the length of the transform: input 1, else the signal's extent; a one-sided spectrum of k bins is
// taken for that of a signal of 2(k-1).
func dftLength(c *Call, extent dim.Dim) (dim.Dim, error) {
	if c.Has(1) {
		return c.extentOf(1, "dft_length")
	}
	if c.Int("onesided", 0) != 0 && c.Int("inverse", 0) != 0 {
		return extent.AddInt(-1).MulInt(2), nil
	}
	return extent, nil
}

func dftAxisAttribute(c *Call, rank int) (int, bool, error) {
	a, err := axis(c.Int("axis", 1), rank)
	return a, true, err
}

func dftAxisInput(c *Call, rank int) (int, bool, error) {
	at := int64(-2)
	if v := c.Input(2); v != nil {
		n, _ := scalar(v)
		var ok bool
		if at, ok = n.Int64(); !ok {
			return 0, false, nil
		}
	}
	a, err := axis(at, rank)
	return a, true, err
}

// dftWork multiplies one transform by the number of lines along the axis.
func dftWork(axisAt func(c *Call, rank int) (a int, known bool, err error)) func(*Call) Work {
	return func(c *Call) Work {
		x := c.In[0]
		if !x.Ranked || !c.Out[0].Ranked {
			return Work{}
		}
		a, known, err := axisAt(c, len(x.Shape))
		if !known || err != nil {
			return Work{}
		}
		n := transformLength(c, 1, c.Out[0].Shape[a], c.Int("onesided", 0) != 0 && c.Int("inverse", 0) == 0)
		rows := dim.Const(1)
		for i, d := range x.Shape[:len(x.Shape)-1] {
			if i != a {
				rows = rows.Mul(d)
			}
		}
		real := x.Shape[len(x.Shape)-1].Is(1) || dftLast(c).Is(1)
		return Work{Vector: rows.Mul(fftWork(c, n, real))}
	}
}

// stftShape: signal [batch, length, 1 or 2] → [batch, frames, bins, 2].
func stftShape(c *Call) error {
	s, known, err := c.wantRank(0, 2, 3)
	if err != nil {
		return err
	}
	if !known {
		s = c.freshShape("signal", 3)
	}
	frame, err := frameLength(c)
	if err != nil {
		return err
	}
	step, err := c.extentOf(1, "frame_step")
	if err != nil {
		return err
	}
	if step.Is(0) {
		return c.errorf("frame step is 0, want at least 1")
	}
	frames := s[1].Sub(frame).FloorDiv(step).AddInt(1)
	if c.Int("onesided", 1) != 0 {
		frame = bins(frame)
	}
	c.Out[0].SetTensor(c.In[0].DType, Shape{s[0], frames, frame, dim.Const(2)})
	return nil
}

// frameLength is input 3, else the length of the window in input 2.
func frameLength(c *Call) (dim.Dim, error) {
	if c.Has(3) {
		if n, ok := scalar(c.In[3]); ok {
			if d, ok := n.Dim(); ok {
				return d, nil
			}
		}
	}
	if w := c.Input(2); w != nil && w.Ranked && len(w.Shape) == 1 {
		return w.Shape[0], nil
	}
	if !c.Has(3) {
		return dim.Dim{}, c.errorf("neither window nor frame_length, want one")
	}
	return c.fresh("frame_length", dim.Dim{}), nil
}

// stftWork: the window and a transform for each frame.
func stftWork(c *Call) Work {
	x, out := c.In[0], c.Out[0]
	if !x.Ranked || !out.Ranked {
		return Work{}
	}
	n := transformLength(c, 3, out.Shape[2], c.Int("onesided", 1) != 0)
	if w := c.Input(2); w != nil && w.Ranked && len(w.Shape) == 1 {
		n = w.Shape[0]
	}
	real := len(x.Shape) < 3 || x.Shape[2].Is(1)
	w := fftWork(c, n, real)
	if c.Has(2) {
		w = w.Add(n)
	}
	return Work{Vector: dim.Prod(out.Shape[0], out.Shape[1], w)}
}

// windowShape is a vector whose length is the scalar input.
func windowShape(c *Call) error {
	n, err := c.extentOf(0, "window")
	if err != nil {
		return err
	}
	c.Out[0].SetTensor(onnx.DType(c.Int("output_datatype", int64(onnx.Float32))), Shape{n})
	return nil
}

// melShape: [floor(dft_length/2)+1, num_mel_bins].
func melShape(c *Call) error {
	mels, err := c.extentOf(0, "mel_bins")
	if err != nil {
		return err
	}
	n, err := c.extentOf(1, "dft_length")
	if err != nil {
		return err
	}
	c.Out[0].SetTensor(onnx.DType(c.Int("output_datatype", int64(onnx.Float32))), Shape{bins(n), mels})
	return nil
}

const fftDoc = "5·n·log2(n) operations per transform, half for real signals; a symbolic length has its logarithm as a symbol"

var signalRules = []Rule{
	{Op: "DFT", Since: 20, Shape: dftShape(dftAxisInput), Work: dftWork(dftAxisInput), Memory: Stream, Class: Other,
		HostInputs: inputsFrom(1), Doc: fftDoc},
	{Op: "DFT", Since: 17, Shape: dftShape(dftAxisAttribute), Work: dftWork(dftAxisAttribute), Memory: Stream, Class: Other,
		HostInputs: inputsFrom(1), Doc: fftDoc},
	{Op: "STFT", Since: 17, Shape: stftShape, Work: stftWork, Memory: Stream, Class: Other, HostInputs: inputs(1, 3),
		Doc: fftDoc + "; a multiplication per sample for the window"},
	{Op: "HannWindow", Since: 17, Shape: windowShape, Work: perOutput(3, 1), Memory: Stream, Class: Other, HostInputs: inputs(0),
		Doc: "a0 - a1·cos(2πi/n): 3 operations and a cosine per element"},
	{Op: "HammingWindow", Since: 17, Shape: windowShape, Work: perOutput(3, 1), Memory: Stream, Class: Other, HostInputs: inputs(0),
		Doc: "a0 - a1·cos(2πi/n): 3 operations and a cosine per element"},
	{Op: "BlackmanWindow", Since: 17, Shape: windowShape, Work: perOutput(6, 2), Memory: Stream, Class: Other, HostInputs: inputs(0),
		Doc: "a0 - a1·cos(2πi/n) + a2·cos(4πi/n): 6 operations and 2 cosines per element"},
	{Op: "MelWeightMatrix", Since: 17, Shape: melShape, Work: perOutput(2, 0), Memory: Stream, Class: Other, HostInputs: inputsFrom(0),
		Doc: "a slope per element: 2 operations; the few mel frequencies are not counted"},
}
