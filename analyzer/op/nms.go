package op

import (
	"cmp"
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// NonMaxSuppression: boxes [batch, n, 4], scores [batch, classes, n] → selected triples (batch, class, box).

func nmsShape(c *Call) error {
	boxes, err := c.want(0)
	if err != nil {
		return err
	}
	scores, err := c.want(1)
	if err != nil {
		return err
	}
	selected, known := nonMaxSuppression(c)
	if known {
		c.Out[0].SetTensor(onnx.Int64, Consts(int64(len(selected)/3), 3))
		c.Out[0].keep(selected)
		return nil
	}
	var upper dim.Dim
	if scores.Ranked && len(scores.Shape) == 3 {
		each := scores.Shape[2]
		if m, ok := scalar(c.Input(2)); ok {
			if d, ok := m.Dim(); ok {
				each = dim.Min(each, d)
			}
		}
		upper = dim.Prod(scores.Shape[0], scores.Shape[1], each)
	} else if boxes.Ranked && len(boxes.Shape) != 3 {
		return c.errorf("boxes %v, want rank 3", boxes.Shape)
	}
	c.Out[0].SetTensor(onnx.Int64, Shape{c.fresh("selected", upper), dim.Const(3)})
	return nil
}

// scalar is the only element of v.
func scalar(v *Value) (Num, bool) {
	if e := v.Elems(); len(e) == 1 {
		return e[0], e[0].Known()
	}
	return Num{}, false
}

// threshold is an optional scalar input; ok is false where it is present and not known.
func (c *Call) threshold(i int, def float64) (f float64, ok bool) {
	if c.Input(i) == nil {
		return def, true
	}
	n, ok := scalar(c.Input(i))
	if !ok {
		return 0, false
	}
	return n.Float64()
}

// nonMaxSuppression runs the algorithm of the standard: per batch and class the boxes above the score threshold in
// falling order of score, each kept unless it overlaps a kept one by more than the IoU threshold.
func nonMaxSuppression(c *Call) (selected []Num, known bool) {
	limit, ok1 := c.threshold(2, 0)
	iou, ok2 := c.threshold(3, 0)
	least, ok3 := c.threshold(4, math.Inf(-1))
	if !ok1 || !ok2 || !ok3 {
		return nil, false
	}
	if limit <= 0 {
		return nil, true
	}
	boxes, bs, ok1 := scanFloats(c.In[0])
	scores, ss, ok2 := scanFloats(c.In[1])
	if !ok1 || !ok2 || len(bs) != 3 || len(ss) != 3 || bs[2] != 4 || bs[1] != ss[2] || bs[0] != ss[0] {
		return nil, false
	}
	center := c.Int("center_point_box", 0) != 0
	n := ss[2]
	if n == 0 {
		return nil, true
	}
	for line := range ss[0] * ss[1] {
		batch, class := line/ss[1], line%ss[1]
		var order []int64
		for i := range n {
			if scores[line*n+i] > least {
				order = append(order, i)
			}
		}
		slices.SortStableFunc(order, func(i, j int64) int { return cmp.Compare(scores[line*n+j], scores[line*n+i]) })
		var kept []corners
		for _, i := range order {
			if float64(len(kept)) >= limit {
				break
			}
			at := (batch*n + i) * 4
			box := newCorners(boxes[at:at+4], center)
			if slices.ContainsFunc(kept, func(k corners) bool { return box.iou(k) > float32(iou) }) {
				continue
			}
			kept = append(kept, box)
			selected = append(selected, IntOf(batch), IntOf(class), IntOf(i))
		}
	}
	return selected, true
}

func scanFloats(v *Value) (xs []float64, shape []int64, ok bool) {
	nums, shape, ok := v.scan()
	if !ok {
		return nil, nil, false
	}
	xs = make([]float64, len(nums))
	for i, n := range nums {
		if xs[i], ok = n.Float64(); !ok {
			return nil, nil, false
		}
	}
	return xs, shape, true
}

// corners is a box in single precision, the precision in which runtimes compare overlaps.
type corners struct{ x0, y0, x1, y1 float32 }

// newCorners reads [y1, x1, y2, x2] in any order of the corners, or [x, y, width, height] around a centre.
func newCorners(b []float64, center bool) corners {
	p, q, r, s := float32(b[0]), float32(b[1]), float32(b[2]), float32(b[3])
	if center {
		return corners{p - r/2, q - s/2, p + r/2, q + s/2}
	}
	return corners{min(q, s), min(p, r), max(q, s), max(p, r)}
}

func (a corners) area() float32 { return (a.x1 - a.x0) * (a.y1 - a.y0) }

// iou is the intersection over the union, 0 where either is empty.
func (a corners) iou(b corners) float32 {
	w := min(a.x1, b.x1) - max(a.x0, b.x0)
	h := min(a.y1, b.y1) - max(a.y0, b.y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	union := a.area() + b.area() - w*h
	if union <= 0 {
		return 0
	}
	return w * h / union
}

func nmsWork(c *Call) Work { return perElement(c.In[1], 1, 0) }
