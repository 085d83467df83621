package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// window is the sliding window of a convolution or pooling operator, one entry per spatial axis.
type window struct {
	kernel             []dim.Dim
	strides, dilations []int64
	begin, end         []int64 // explicit padding; zero under auto_pad
	// same is auto_pad SAME_UPPER or SAME_LOWER: padded so that the output is ceil(input/stride), whatever the dilation.
	// (ONNX Runtime refuses a dilated convolution there, and its pools leave the dilation out of the padding.)
	same bool
	ceil bool // attribute ceil_mode of the pooling operators
}

// readWindow reads strides, dilations, pads, auto_pad and ceil_mode for a kernel of the given extents. Explicit pads
// are ignored beside an auto_pad other than NOTSET, as runtimes do.
func readWindow(c *Call, kernel []dim.Dim) (w window, err error) {
	n := len(kernel)
	w.kernel = kernel
	for i, k := range kernel {
		if v, ok := k.Value(); ok && v < 1 {
			return w, fmt.Errorf("kernel has extent %d at spatial axis %d, want at least 1", v, i)
		}
	}
	w.ceil = c.Int("ceil_mode", 0) != 0
	if w.strides, err = perAxis(c, "strides", n, 1, 1); err != nil {
		return w, err
	}
	if w.dilations, err = perAxis(c, "dilations", n, 1, 1); err != nil {
		return w, err
	}
	switch mode := c.Str("auto_pad", "NOTSET"); mode {
	case "NOTSET", "":
		pads, err := perAxis(c, "pads", 2*n, 0, minPad)
		if err != nil {
			return w, err
		}
		w.begin, w.end = pads[:n], pads[n:]
		return w, nil
	case "SAME_UPPER", "SAME_LOWER":
		w.same = true
	case "VALID":
	default:
		return w, fmt.Errorf("attribute auto_pad is %q, want NOTSET, SAME_UPPER, SAME_LOWER or VALID", mode)
	}
	zero := make([]int64, n)
	w.begin, w.end = zero, zero
	return w, nil
}

// minPad allows negative padding, which crops: the standard excludes it, some exporters write it.
const minPad = -1 << 31

// perAxis reads an integer-list attribute of n entries, def each where it is absent or empty.
func perAxis(c *Call, name string, n int, def, least int64) ([]int64, error) {
	v := c.Ints(name)
	if len(v) == 0 {
		v = make([]int64, n)
		for i := range v {
			v[i] = def
		}
		return v, nil
	}
	if len(v) != n {
		return nil, fmt.Errorf("attribute %s has %d entries, want %d", name, len(v), n)
	}
	for i, x := range v {
		if x < least || x > 1<<31 {
			return nil, fmt.Errorf("attribute %s has %d at place %d, want %d to 2147483648", name, x, i, least)
		}
	}
	return v, nil
}

// reach is the extent that the dilated kernel covers along axis i: (k-1)·dilation + 1.
func (w *window) reach(i int) dim.Dim {
	return w.kernel[i].AddInt(-1).MulInt(w.dilations[i]).AddInt(1)
}

// extent is the number of window positions along axis i over an input of extent in:
// floor((in + pads - reach)/stride) + 1. With ceil_mode the quotient is rounded up, but a window may not start in the
// padding behind the input (the rule of the AveragePool and MaxPool documentation since opset 22, which ONNX Runtime
// applies to all versions); both bounds are floors with the same divisor, so the smaller numerator decides.
func (w *window) extent(i int, in dim.Dim) (dim.Dim, error) {
	s := dim.Const(w.strides[i])
	if w.same {
		return in.CeilDiv(s), nil
	}
	span := in.AddInt(w.begin[i]).AddInt(w.end[i]).Sub(w.reach(i))
	if v, ok := span.Value(); ok && v < 0 {
		if in.Is(0) {
			return in, nil
		}
		return in, fmt.Errorf("spatial axis %d: the window covers %v, the padded input only %v", i, w.reach(i), span.Add(w.reach(i)))
	}
	if w.ceil {
		span = dim.Min(span.AddInt(w.strides[i]-1), in.AddInt(w.begin[i]).AddInt(-1))
	}
	out := span.FloorDiv(s).AddInt(1)
	return out, out.Err()
}

// extents applies extent to every spatial axis.
func (w *window) extents(in Shape) (Shape, error) {
	out := make(Shape, len(in))
	for i, d := range in {
		var err error
		if out[i], err = w.extent(i, d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// scattered is the output extent of the transposed window along axis i: (in-1)·stride + output_padding + reach - pads.
// Under SAME the padding is what brings it to in·stride, and never negative (as ONNX Runtime computes it), which
// leaves (in-1)·stride + min(reach + output_padding, stride).
func (w *window) scattered(i int, in dim.Dim, outputPadding int64) (dim.Dim, error) {
	tail := w.reach(i).AddInt(outputPadding)
	if w.same {
		tail = dim.Min(tail, dim.Const(w.strides[i]))
	}
	out := in.AddInt(-1).MulInt(w.strides[i]).Add(tail).AddInt(-w.begin[i]).AddInt(-w.end[i])
	if v, ok := out.Value(); ok && v < 0 {
		return out, fmt.Errorf("spatial axis %d: padding leaves an output of extent %d", i, v)
	}
	return out, out.Err()
}

// plain returns extents as integers, nil where one is symbolic.
func plain(ds []dim.Dim) []int64 {
	out, ok := intShape(ds)
	if !ok {
		return nil
	}
	return out
}
