package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Matrix products. A product whose right operand is one matrix for the whole batch (a layer's weights) is counted as
// a single tall product, which is how every runtime executes it.

// matProduct is the geometry of a numpy-style matrix product: 1-D operands are a row on the left and a column on the
// right, leading axes broadcast.
type matProduct struct {
	batch   Shape // of the result
	m, n, k dim.Dim
	vecA    bool // the left operand is 1-D: the result has no row axis
	vecB    bool
	shared  bool // the right operand has no batch of its own
}

// newMatProduct checks the operands' shapes; ia and ib number the inputs in errors.
func newMatProduct(c *Call, a, b Shape, ia, ib int) (p matProduct, err error) {
	switch {
	case len(a) == 0:
		return p, fmt.Errorf("input %d has rank 0, want at least 1", ia)
	case len(b) == 0:
		return p, fmt.Errorf("input %d has rank 0, want at least 1", ib)
	}
	p.vecA, p.vecB = len(a) == 1, len(b) == 1
	if p.vecA {
		a = Shape{dim.Const(1), a[0]}
	}
	if p.vecB {
		b = Shape{b[0], dim.Const(1)}
	}
	ra, rb := len(a)-2, len(b)-2
	if p.k, err = c.sameDim(a[ra+1], b[rb]); err != nil {
		return p, fmt.Errorf("input %d has %v rows, want %v as the last extent of input %d", ib, b[rb], a[ra+1], ia)
	}
	p.m, p.n = a[ra], b[rb+1]
	p.shared = b[:rb].Elements().Is(1)
	p.batch, err = c.broadcast(a[:ra], b[:rb])
	return p, err
}

func (p matProduct) shape() Shape {
	s := append(Shape{}, p.batch...)
	if !p.vecA {
		s = append(s, p.m)
	}
	if !p.vecB {
		s = append(s, p.n)
	}
	return s
}

// contraction is the geometry of the product; weight is the constant-weight operand.
func (p matProduct) contraction(weight int) Contraction {
	ct := Contraction{Kind: MatMulKind, Batch: p.batch.Elements(), Groups: dim.Const(1), M: p.m, N: p.n, K: p.k, Weight: weight}
	if p.shared {
		ct.M, ct.Batch = ct.M.Mul(ct.Batch), dim.Const(1)
	}
	return ct
}

// weightOf is the operand that holds weights: the right one where it is constant, else the left one, else none.
func weightOf(c *Call, left, right int) int {
	if v := c.Input(right); v != nil && v.Const {
		return right
	}
	if v := c.Input(left); v != nil && v.Const {
		return left
	}
	return -1
}

// matMulShape is MatMul: the product has the element type of its operands.
func matMulShape(c *Call) error { return productShape(c, 0, 1, c.typeOf(0)) }

// productShape is the shape rule of the matrix products with operands a and b.
func productShape(c *Call, a, b int, dt onnx.DType) error {
	p, known, err := matmulOperands(c, a, b)
	if err != nil {
		return err
	}
	if !known {
		c.Out[0].SetUnranked(dt)
		return nil
	}
	c.Out[0].SetTensor(dt, p.shape())
	return nil
}

func matmulOperands(c *Call, a, b int) (p matProduct, known bool, err error) {
	va, err := c.want(a)
	if err != nil {
		return p, false, err
	}
	vb, err := c.want(b)
	if err != nil || !va.Ranked || !vb.Ranked {
		return p, false, err
	}
	p, err = newMatProduct(c, va.Shape, vb.Shape, a, b)
	return p, err == nil, err
}

// matmulWork counts the MACs of operands a and b.
func matmulWork(c *Call, a, b int) Work {
	p, known, err := matmulOperands(c, a, b)
	if err != nil || !known {
		return Work{}
	}
	return contractions(p.contraction(weightOf(c, a, b)))
}

// gemmOperands is the geometry of Gemm: A (M×K, or K×M under transA) by B (K×N, or N×K under transB). What the operands
// do not tell is made up by unknown, which may return the zero Dim.
func gemmOperands(c *Call, unknown func(hint string) dim.Dim) (m, n, k dim.Dim, err error) {
	a, knownA, err := c.wantRank(0, 2, 2)
	if err != nil {
		return m, n, k, err
	}
	b, knownB, err := c.wantRank(1, 2, 2)
	if err != nil {
		return m, n, k, err
	}
	if knownA {
		m, k = a[0], a[1]
		if c.Int("transA", 0) != 0 {
			m, k = k, m
		}
	} else {
		m = unknown("rows")
	}
	if !knownB {
		n = unknown("columns")
		if !knownA {
			k = unknown("inner")
		}
		return m, n, k, nil
	}
	kb, n := b[0], b[1]
	if c.Int("transB", 0) != 0 {
		kb, n = n, kb
	}
	if !knownA {
		return m, n, kb, nil
	}
	both, err := c.sameDim(k, kb)
	if err != nil {
		return m, n, k, c.errorf("input 1 gives an inner extent of %v, want %v as input 0", kb, k)
	}
	return m, n, both, nil
}

func gemmShape(c *Call) error {
	m, n, _, err := gemmOperands(c, func(hint string) dim.Dim { return c.fresh(hint, dim.Dim{}) })
	if err != nil {
		return err
	}
	c.Out[0].SetTensor(c.In[0].DType, Shape{m, n})
	if bias := c.Input(2); bias != nil && bias.Ranked {
		if s, err := c.broadcast(bias.Shape, c.Out[0].Shape); err != nil || len(s) != 2 {
			return c.errorf("input 2 has shape %v, want one that broadcasts to %v", bias.Shape, c.Out[0].Shape)
		}
	}
	return nil
}

// gemmWork counts M·N·K MACs, an addition per output element for C, and the scalings by alpha and beta where they
// are not 1.
func gemmWork(c *Call) Work {
	_, _, k, err := gemmOperands(c, func(hint string) dim.Dim {
		if hint != "inner" {
			return dim.Dim{}
		}
		return c.fresh(hint, dim.Dim{})
	})
	if err != nil {
		return Work{}
	}
	m, n := c.Out[0].Shape[0], c.Out[0].Shape[1]
	w := contractions(Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: m, N: n, K: k,
		Weight: weightOf(c, 0, 1)})
	if c.Float("alpha", 1) != 1 {
		w = w.plus(m.Mul(n), dim.Dim{})
	}
	if bias := c.Input(2); bias != nil {
		w = w.plus(m.Mul(n), dim.Dim{})
		if c.Float("beta", 1) != 1 {
			if e, ok := bias.Elements(); ok {
				w = w.plus(e, dim.Dim{})
			}
		}
	}
	return w
}

const docGemm = "M·N·K MACs; 1 per output element for C and for alpha, 1 per element of C for beta, where they are not 1"

var matmulRules = []Rule{
	{Op: "MatMul", Since: 1, Memory: Stream, Class: Contract, Doc: docMatMul,
		Shape: matMulShape, Work: func(c *Call) Work { return matmulWork(c, 0, 1) }},
	{Op: "Gemm", Since: 1, Shape: gemmShape, Work: gemmWork, Memory: Stream, Class: Contract, Doc: docGemm},
}
