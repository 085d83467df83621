package op

import (
	"fmt"
	"math"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Resize and Upsample. Extents follow the standard: floor(extent · scale) for scales, the extents themselves for
// sizes, and nearest integers (halves up) of extent · common scale where the aspect ratio is kept.

// resizeInputs says where a form of the operator finds its operands; -1 where it has none.
type resizeInputs struct{ roi, scales, sizes int }

func resizeRule(name string, since int64, in resizeInputs, host uint64) Rule {
	return Rule{Op: name, Since: since, Shape: func(c *Call) error { return resizeShape(c, in) }, Work: resizeWork,
		Memory: Stream, Class: Movement, HostInputs: host,
		Doc: "per output element 2 operations per tap: 2 taps an axis that changes for linear, 4 for cubic, none for nearest; " +
			"antialias widens the taps by 1/scale; computing the weights is not counted"}
}

// scaledExtent is floor(d · scale), computed in float32 as runtimes do where d is known.
func scaledExtent(d dim.Dim, scale Num) (dim.Dim, bool) {
	if n, ok := d.Value(); ok {
		if f, ok := scale.Float64(); ok {
			p := math.Floor(float64(float32(n) * float32(f)))
			if p >= 0 && p < 1<<62 {
				return dim.Const(int64(p)), true
			}
			return dim.Dim{}, false
		}
	}
	num, den, ok := scale.rational() // for simple fractions floor(n·p/q) is what single precision gives
	if !ok {
		return dim.Dim{}, false
	}
	return d.Mul(num).FloorDiv(dim.Const(den)), true
}

// scaled is scaledExtent, or a fresh extent below extent · ceil(scale).
func (c *Call) scaled(d dim.Dim, scale Num, hint string) dim.Dim {
	if e, ok := scaledExtent(d, scale); ok {
		return e
	}
	var upper dim.Dim
	if f, ok := scale.Float64(); ok && f > 0 && f < 1<<20 {
		upper = d.MulInt(int64(math.Ceil(f)))
	}
	return c.fresh(hint, upper)
}

func resizeShape(c *Call, in resizeInputs) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	if !x.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	rank := len(x.Shape)
	resized := make([]int, rank)
	for i := range resized {
		resized[i] = i
	}
	if as := c.Ints("axes"); as != nil {
		if resized, err = axes(as, rank); err != nil {
			return err
		}
	}
	s := append(Shape{}, x.Shape...)
	c.Out[0].SetTensor(x.DType, s)
	if sizes := resizeOperand(c, in.sizes); sizes != nil {
		nums := sizes.Elems()
		if nums == nil {
			nums = make([]Num, len(resized))
		}
		if len(nums) != len(resized) {
			return c.errorf("%d sizes, want %d", len(nums), len(resized))
		}
		return resizeTo(c, s, resized, nums)
	}
	scales, err := resizeScales(c, in, len(resized))
	if err != nil {
		return err
	}
	crop := roiExtents(c, in.roi, len(resized))
	for i, a := range resized {
		s[a] = c.scaled(x.Shape[a], numMul(scales[i], crop[i]), fmt.Sprintf("resize_%d", a))
	}
	return nil
}

// resizeOperand is input i; exporters write absent operands as empty tensors, too.
func resizeOperand(c *Call, i int) *Value {
	if i < 0 {
		return nil
	}
	v := c.Input(i)
	if v == nil || v.Ranked && v.Shape.Elements().Is(0) {
		return nil
	}
	return v
}

// resizeScales reads the scale of each resized axis: from an input, the attribute scales, or opset 1's two attributes.
func resizeScales(c *Call, in resizeInputs, n int) ([]Num, error) {
	switch a := c.Node.Attr("scales"); {
	case in.scales < 0 && a == nil: // Upsample 1: height_scale and width_scale of NCHW
		if n != 4 {
			return nil, fmt.Errorf("input 0 has rank %d, want 4", n)
		}
		return []Num{Float(1), Float(1), Float(c.Float("height_scale", 1)), Float(c.Float("width_scale", 1))}, nil
	case in.scales < 0:
		nums := make([]Num, len(a.Floats))
		for i, f := range a.Floats {
			nums[i] = Float(float64(f))
		}
		if len(nums) != n {
			return nil, fmt.Errorf("%d scales, want %d", len(nums), n)
		}
		return nums, nil
	}
	v := resizeOperand(c, in.scales)
	if v == nil {
		return nil, fmt.Errorf("neither scales nor sizes, want one")
	}
	nums := v.Elems()
	if nums == nil {
		nums = make([]Num, n)
	}
	if len(nums) != n {
		return nil, fmt.Errorf("%d scales, want %d", len(nums), n)
	}
	return nums, nil
}

// roiExtents is the share of each axis that tf_crop_and_resize keeps; 1 for the other modes.
func roiExtents(c *Call, i, n int) []Num {
	share := make([]Num, n)
	for k := range share {
		share[k] = IntOf(1)
	}
	v := resizeOperand(c, i)
	if v == nil || c.Str("coordinate_transformation_mode", "") != "tf_crop_and_resize" {
		return share
	}
	roi := v.Elems()
	for k := range share {
		share[k] = Num{}
		if len(roi) == 2*n {
			share[k] = numSub(roi[n+k], roi[k])
		}
	}
	return share
}

// resizeTo applies sizes to the axes of s, keeping the aspect ratio where the attribute asks for it.
func resizeTo(c *Call, s Shape, resized []int, sizes []Num) error {
	policy := c.Str("keep_aspect_ratio_policy", "stretch")
	if policy == "stretch" {
		for i, a := range resized {
			d, ok := sizes[i].Dim()
			if !ok {
				d = c.fresh(fmt.Sprintf("resize_%d", a), dim.Dim{})
			}
			s[a] = d
		}
		return nil
	}
	// not_larger takes the least of the scales size/extent, not_smaller the greatest. Rounding keeps their order, so the
	// extent is the least or greatest of what each scale alone would give: floor(extent·size/own + 1/2).
	pick := dim.Max
	if policy == "not_larger" {
		pick = dim.Min
	}
	own := append(Shape{}, s...)
	for _, a := range resized {
		var best dim.Dim
		known := true
		for i, b := range resized {
			size, ok := sizes[i].Dim()
			if known = known && ok && !own[b].Is(0); !known {
				break
			}
			d := size
			if b != a {
				d = own[a].Mul(size).MulInt(2).Add(own[b]).FloorDiv(own[b].MulInt(2))
			}
			if i == 0 {
				best = d
			} else {
				best = pick(best, d)
			}
		}
		if s[a] = best; !known {
			s[a] = c.fresh(fmt.Sprintf("resize_%d", a), dim.Dim{})
		}
	}
	return nil
}

func resizeWork(c *Call) Work {
	taps := int64(0)
	switch c.Str("mode", "nearest") {
	case "linear", "bilinear":
		taps = 2
	case "cubic":
		taps = 4
	default:
		return Work{}
	}
	x, y := c.In[0], c.Out[0]
	if !x.Ranked || !y.Ranked {
		return Work{}
	}
	per := dim.Const(1)
	for i, from := range x.Shape {
		to := y.Shape[i]
		if from.Equal(to) {
			continue
		}
		k := dim.Const(taps)
		if c.Int("antialias", 0) != 0 {
			k = dim.Max(k, from.MulInt(taps).CeilDiv(to))
		}
		per = per.Mul(k)
	}
	if per.Is(1) {
		return Work{} // nothing changes
	}
	return Work{Vector: dim.Prod(dim.Const(2), per, y.Shape.Elements())}
}

var resizeRules = []Rule{
	resizeRule("Resize", 11, resizeInputs{roi: 1, scales: 2, sizes: 3}, inputsFrom(1)),
	resizeRule("Resize", 10, resizeInputs{roi: -1, scales: 1, sizes: -1}, inputsFrom(1)),
	resizeRule("Upsample", 9, resizeInputs{roi: -1, scales: 1, sizes: -1}, inputsFrom(1)),
	resizeRule("Upsample", 1, resizeInputs{roi: -1, scales: -1, sizes: -1}, 0),
}
