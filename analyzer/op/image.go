package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Operators that sample images at given coordinates, and Col2Im.

// gridSampleShape: N and C of the input, the spatial extents of the grid.
func gridSampleShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	grid, err := c.want(1)
	if err != nil {
		return err
	}
	if !x.Ranked || !grid.Ranked {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	if len(x.Shape) < 3 || len(grid.Shape) != len(x.Shape) {
		return c.errorf("input %v and grid %v, want the same rank of at least 3", x.Shape, grid.Shape)
	}
	s := append(Shape{}, x.Shape[:2]...)
	c.Out[0].SetTensor(x.DType, append(s, grid.Shape[1:len(grid.Shape)-1]...))
	return nil
}

// gridSampleWork: 2 operations per tap; 2 taps an axis for linear, 4 for cubic.
func gridSampleWork(c *Call) Work {
	taps := int64(2)
	switch c.Str("mode", "linear") {
	case "nearest":
		return Work{}
	case "cubic", "bicubic":
		taps = 4
	}
	x := c.In[0]
	if !x.Ranked {
		return Work{}
	}
	per := int64(2)
	for range len(x.Shape) - 2 {
		per *= taps
	}
	return perElement(c.Out[0], per, 0)
}

// affineGridShape: the spatial extents of size, and a coordinate for each of them.
func affineGridShape(c *Call) error {
	theta, err := c.want(0)
	if err != nil {
		return err
	}
	size, known, err := c.targetShape(1, "grid")
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(theta.DType)
		return nil
	}
	if len(size) != 4 && len(size) != 5 {
		return c.errorf("size has %d entries, want 4 or 5", len(size))
	}
	s := append(Shape{size[0]}, size[2:]...)
	c.Out[0].SetTensor(theta.DType, append(s, dim.Const(int64(len(size)-2))))
	return nil
}

// affineGridWork: a row of theta, d+1 products and as many additions, per coordinate.
func affineGridWork(c *Call) Work {
	out := c.Out[0]
	if !out.Ranked || len(out.Shape) < 2 {
		return Work{}
	}
	return perElement(out, int64(2*(len(out.Shape)-1)), 0)
}

// col2imShape: N, C = rows / block elements, and the image's extents.
func col2imShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	image, known, err := c.targetShape(1, "image")
	if err != nil {
		return err
	}
	block, blockKnown, err := c.targetShape(2, "block")
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	s := c.freshShape("col2im", 2)
	if x.Ranked {
		if len(x.Shape) != 3 {
			return c.errorf("input 0 has rank %d, want 3", len(x.Shape))
		}
		s[0] = x.Shape[0]
		if blockKnown {
			s[1] = x.Shape[1].FloorDiv(block.Elements())
		}
	}
	c.Out[0].SetTensor(x.DType, append(s, image...))
	return nil
}

// detShape drops the two matrix axes.
func detShape(c *Call) error {
	s, known, err := c.wantRank(0, 2, -1)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(c.In[0].DType)
		return nil
	}
	if _, err := c.sameDim(s[len(s)-2], s[len(s)-1]); err != nil {
		return c.errorf("matrices are not square: %w", err)
	}
	c.Out[0].SetTensor(c.In[0].DType, s[:len(s)-2])
	return nil
}

// matrixWork counts num/den·n³ operations for each n×n matrix of input 0.
func matrixWork(num, den int64) func(*Call) Work {
	return func(c *Call) Work {
		s := c.In[0].Shape
		if !c.In[0].Ranked || len(s) < 2 {
			return Work{}
		}
		n := s[len(s)-1]
		return Work{Vector: s[:len(s)-2].Elements().Mul(n.Pow(3).MulInt(num).FloorDiv(dim.Const(den)))}
	}
}

var imageRules = []Rule{
	{Op: "GridSample", Since: 16, Shape: gridSampleShape, Work: gridSampleWork, Memory: Stream, Class: Movement,
		Doc: "2 operations per tap: 2 taps an axis for linear, 4 for cubic, none for nearest; the weights of taps are not counted"},
	{Op: "AffineGrid", Since: 20, Shape: affineGridShape, Work: affineGridWork, Memory: Stream, Class: Movement, HostInputs: inputs(1),
		Doc: "theta times homogeneous coordinates: 2(d+1) operations per output element"},
	{Op: "Col2Im", Since: 18, Shape: col2imShape, Work: perInput(0, 1, 0), Memory: Stream, Class: Movement, HostInputs: inputs(1, 2),
		Doc: "an addition per input element"},
	{Op: "Det", Since: 11, Shape: detShape, Work: matrixWork(2, 3), Memory: Stream, Class: Other,
		Doc: "LU decomposition: 2/3·n³ operations per matrix"},
}
