package op

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Normalisations by statistics of the input itself. Mean and variance take a sum, a difference, a square and a sum
// per element, the result a product; scale and bias are one more each. A group of elements that shares its statistics
// takes 3 operations (both means and the epsilon) and, special, a root and a reciprocal.

// meanVariance counts n elements in groups, with extra operations per element for scale and bias.
func meanVariance(n, groups dim.Dim, extra int64) Work {
	return Work{Vector: n.MulInt(5 + extra).Add(groups.MulInt(3)), Special: groups.MulInt(2)}
}

// rootMeanSquare is the form without a mean: square, sum, product per element; mean and epsilon per group.
func rootMeanSquare(n, groups dim.Dim, extra int64) Work {
	return Work{Vector: n.MulInt(3 + extra).Add(groups.MulInt(2)), Special: groups.MulInt(2)}
}

// normalizedAxis is the first axis that layer normalisations run over (default the last).
func normalizedAxis(c *Call, rank int) (int, error) { return axis(c.Int("axis", -1), rank) }

// stashType is the element type of statistics.
func stashType(c *Call) onnx.DType { return onnx.DType(c.Int("stash_type", int64(onnx.Float32))) }

// layerNormShape: Y like X; the statistics keep the axes before axis and have extent 1 behind.
func layerNormShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	c.Out[0].SetType(x)
	stats := Shape(nil)
	if x.Ranked {
		a, err := normalizedAxis(c, len(x.Shape))
		if err != nil {
			return err
		}
		for _, i := range []int{1, 2} {
			if v := c.Input(i); v != nil && v.Ranked {
				if s, err := c.broadcast(v.Shape, x.Shape); err != nil || len(s) > len(x.Shape) {
					return c.errorf("input %d has shape %v, want one that broadcasts to %v", i, v.Shape, x.Shape)
				}
			}
		}
		stats = append(append(Shape{}, x.Shape[:a]...), onesShape(len(x.Shape)-a)...)
	}
	for i := 1; i < len(c.Out); i++ {
		c.setOut(i, stashType(c), stats, x.Ranked)
	}
	return nil
}

// rmsNormShape: Y has the element type of the scale, which may be narrower than X.
func rmsNormShape(c *Call) error {
	if err := layerNormShape(c); err != nil {
		return err
	}
	if scale := c.Input(1); scale != nil {
		c.Out[0].DType = scale.DType
	}
	return nil
}

// layerGroups is the number of groups with statistics of their own.
func layerGroups(c *Call) (n, groups dim.Dim, ok bool) {
	x := c.In[0]
	if !x.Ranked {
		return n, groups, false
	}
	a, err := normalizedAxis(c, len(x.Shape))
	if err != nil {
		return n, groups, false
	}
	return x.Shape.Elements(), x.Shape[:a].Elements(), true
}

func layerNormWork(c *Call) Work {
	n, groups, ok := layerGroups(c)
	if !ok {
		return Work{}
	}
	return meanVariance(n, groups, affine(c))
}

func rmsNormWork(c *Call) Work {
	n, groups, ok := layerGroups(c)
	if !ok {
		return Work{}
	}
	return rootMeanSquare(n, groups, affine(c))
}

// affine counts scale (input 1) and bias (input 2).
func affine(c *Call) (perElement int64) {
	for _, i := range []int{1, 2} {
		if c.Has(i) {
			perElement++
		}
	}
	return perElement
}

// instanceNormShape checks scale and bias, one element per channel.
func instanceNormShape(c *Call) error {
	x, known, err := c.wantRank(0, 3, -1)
	if err != nil {
		return err
	}
	c.Out[0].SetType(c.In[0])
	if !known {
		return nil
	}
	for _, i := range []int{1, 2} {
		if err := checkVector(c, i, x[1]); err != nil {
			return err
		}
	}
	return nil
}

func instanceNormWork(c *Call) Work {
	x := c.In[0]
	if !x.Ranked {
		return Work{}
	}
	return meanVariance(x.Shape.Elements(), x.Shape[:2].Elements(), affine(c))
}

// groupNormShape checks scale and bias: one element per channel, up to opset 20 one per group.
func groupNormShape(perChannel bool) func(*Call) error {
	return func(c *Call) error {
		x, known, err := c.wantRank(0, 2, -1)
		if err != nil {
			return err
		}
		c.Out[0].SetType(c.In[0])
		g := c.Int("num_groups", 0)
		if g < 1 {
			return c.errorf("attribute num_groups is %d, want at least 1", g)
		}
		if !known {
			return nil
		}
		if ch, ok := x[1].Value(); ok && ch%g != 0 {
			return c.errorf("input 0 has %d channels, want a multiple of the group count %d", ch, g)
		}
		want := dim.Const(g)
		if perChannel {
			want = x[1]
		}
		for _, i := range []int{1, 2} {
			if err := checkVector(c, i, want); err != nil {
				return err
			}
		}
		return nil
	}
}

func groupNormWork(c *Call) Work {
	x := c.In[0]
	if !x.Ranked {
		return Work{}
	}
	return meanVariance(x.Shape.Elements(), x.Shape[0].MulInt(c.Int("num_groups", 1)), affine(c))
}

// alongAxis runs f over the extent of the attribute axis and the number of rows along it.
func alongAxis(c *Call, def int64, f func(n, rows dim.Dim) Work) Work {
	x := c.In[0]
	if !x.Ranked {
		return Work{}
	}
	a, err := axis(c.Int("axis", def), len(x.Shape))
	if err != nil {
		return Work{}
	}
	return f(x.Shape.Elements(), dim.Prod(x.Shape[:a].Elements(), x.Shape[a+1:].Elements()))
}

func lpNormShape(c *Call) error {
	x, known, err := c.wantRank(0, 1, -1)
	if err != nil {
		return err
	}
	if known {
		if _, err := axis(c.Int("axis", -1), len(x)); err != nil {
			return err
		}
	}
	return sameShape(c)
}

// lpNormWork: magnitude or square, and sum; the division per element and, for p = 2, the root per row are special.
func lpNormWork(c *Call) Work {
	return alongAxis(c, -1, func(n, rows dim.Dim) Work {
		w := Work{Vector: n.MulInt(2), Special: n}
		if c.Int("p", 2) == 2 {
			w.Special = w.Special.Add(rows)
		}
		return w
	})
}

// mvnWork normalises over axes (default batch and spatial axes of an image).
func mvnWork(c *Call) Work {
	x := c.In[0]
	if !x.Ranked {
		return Work{}
	}
	list := []int64{0, 2, 3}
	if c.HasAttr("axes") {
		list = c.Ints("axes")
	}
	over, err := axes(list, len(x.Shape))
	if err != nil {
		return Work{}
	}
	groups := dim.Const(1)
	for i, d := range x.Shape {
		if !slices.Contains(over, i) {
			groups = groups.Mul(d)
		}
	}
	return meanVariance(x.Shape.Elements(), groups, 0)
}

func mvnShape(c *Call) error {
	if err := sameShape(c); err != nil {
		return err
	}
	if x := c.In[0]; x.Ranked && c.HasAttr("axes") {
		if _, err := axes(c.Ints("axes"), len(x.Shape)); err != nil {
			return err
		}
	}
	return nil
}

const (
	docMeanVariance = "5 per element (mean, variance, product), 1 each for scale and bias; per group 3 and, special, root and reciprocal"
	docRMS          = "3 per element (square, sum, product), 1 each for scale and bias; per group 2 and, special, root and reciprocal"
)

var normLayerRules = []Rule{
	// ONNX Runtime knew LayerNormalization and SimplifiedLayerNormalization in the standard's domain before opset 17.
	{Op: "LayerNormalization", Since: 1, Shape: layerNormShape, Work: layerNormWork, Memory: Stream, Class: Normalization, Doc: docMeanVariance},
	{Op: "SimplifiedLayerNormalization", Since: 1, Shape: rmsNormShape, Work: rmsNormWork, Memory: Stream, Class: Normalization, Doc: docRMS},
	{Op: "RMSNormalization", Since: 23, Shape: rmsNormShape, Work: rmsNormWork, Memory: Stream, Class: Normalization, Doc: docRMS},
	{Op: "InstanceNormalization", Since: 1, Shape: instanceNormShape, Work: instanceNormWork, Memory: Stream, Class: Normalization, Doc: docMeanVariance},
	{Op: "GroupNormalization", Since: 21, Shape: groupNormShape(true), Work: groupNormWork, Memory: Stream, Class: Normalization, Doc: docMeanVariance},
	{Op: "GroupNormalization", Since: 18, Shape: groupNormShape(false), Work: groupNormWork, Memory: Stream, Class: Normalization, Doc: docMeanVariance},
	{Op: "LpNormalization", Since: 1, Shape: lpNormShape, Work: lpNormWork, Memory: Stream, Class: Normalization,
		Doc: "2 per element (magnitude or square, and sum); division per element and, for p = 2, root per row: special"},
	{Op: "MeanVarianceNormalization", Since: 9, Shape: mvnShape, Work: mvnWork, Memory: Stream, Class: Normalization, Doc: docMeanVariance},
}
