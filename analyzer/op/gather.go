package op

import "github.com/onnxcost/onnxcost/analyzer/dim"

// Operators that pick elements or slices by index tensors, beyond Gather.

// gatherElementsShape has the shape of the indices.
func gatherElementsShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	idx, err := c.want(1)
	if err != nil {
		return err
	}
	if x.Ranked && idx.Ranked && len(x.Shape) != len(idx.Shape) {
		return c.errorf("indices have rank %d, want %d as the data", len(idx.Shape), len(x.Shape))
	}
	c.setOut(0, x.DType, idx.Shape, idx.Ranked)
	return nil
}

func gatherElementsFold(c *Call) {
	data, shape, ok := c.In[0].table()
	indices, ishape, ok2 := c.In[1].table()
	a, err := axis(c.Int("axis", 0), len(shape))
	if !ok || !ok2 || err != nil || len(ishape) != len(shape) {
		return
	}
	strides := rowMajor(shape)
	at := -1
	c.Out[0].Data = &Data{Nums: each(ishape, int64(len(indices)), func(idx []int64) Num {
		at++
		p, ok := position(indices[at], shape[a])
		if !ok {
			return Num{}
		}
		from := p * strides[a]
		for k, i := range idx {
			if k != a {
				from += i * strides[k]
			}
		}
		if from >= int64(len(data)) {
			return Num{}
		}
		return data[from]
	})}
}

// position is an index into extent n, counted from the end where negative; ok is false outside and where unknown.
func position(i Num, n int64) (at int64, ok bool) {
	at, ok = i.Int64()
	if at < 0 {
		at += n
	}
	return at, ok && at >= 0 && at < n
}

// gatherNDShape: the last axis of the indices addresses axes of the data, batch_dims leading axes run along.
func gatherNDShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	idx, err := c.want(1)
	if err != nil {
		return err
	}
	if !x.Ranked || !idx.Ranked || len(idx.Shape) == 0 {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	last := len(idx.Shape) - 1
	depth, ok := idx.Shape[last].Value()
	if !ok {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	batch := c.Int("batch_dims", 0)
	if batch < 0 || batch > int64(last) || depth < 0 || batch+depth > int64(len(x.Shape)) {
		return c.errorf("indices %v with %d batch axes do not address data %v", idx.Shape, batch, x.Shape)
	}
	s := append(Shape{}, idx.Shape[:last]...)
	c.Out[0].SetTensor(x.DType, append(s, x.Shape[batch+depth:]...))
	return nil
}

func gatherNDFold(c *Call) {
	data, shape, ok := c.In[0].table()
	indices, ishape, ok2 := c.In[1].table()
	if !ok || !ok2 || !c.Out[0].Ranked {
		return
	}
	n, ok := c.Out[0].Shape.Elements().Value()
	if !ok || n > maxElems || n == 0 {
		return
	}
	batch, depth := int(c.Int("batch_dims", 0)), int(ishape[len(ishape)-1])
	strides := rowMajor(shape)
	length := product(shape[batch+depth:])
	perBatch := product(ishape[batch : len(ishape)-1])
	out := make([]Num, 0, n)
	for t := range product(ishape[:len(ishape)-1]) {
		var from int64
		if batch > 0 {
			from = t / max(perBatch, 1) * strides[batch-1]
		}
		known := true
		for k := range depth {
			p, ok := position(indices[t*int64(depth)+int64(k)], shape[batch+k])
			known = known && ok
			from += p * strides[batch+k]
		}
		if known && from+length <= int64(len(data)) {
			out = append(out, data[from:from+length]...)
		} else {
			out = append(out, make([]Num, length)...)
		}
	}
	c.Out[0].Data = &Data{Nums: out}
}

func product(xs []int64) int64 {
	n := int64(1)
	for _, x := range xs {
		n *= x
	}
	return n
}

// arrayFeatureShape is ai.onnx.ml ArrayFeatureExtractor: it picks along the last axis; a vector becomes one row.
func arrayFeatureShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	idx, err := c.want(1)
	if err != nil {
		return err
	}
	if !x.Ranked || !idx.Ranked || len(x.Shape) == 0 {
		c.Out[0].SetUnranked(x.DType)
		return nil
	}
	n := idx.Shape.Elements()
	if len(x.Shape) == 1 {
		c.Out[0].SetTensor(x.DType, Shape{dim.Const(1), n})
		return nil
	}
	s := append(Shape{}, x.Shape[:len(x.Shape)-1]...)
	c.Out[0].SetTensor(x.DType, append(s, n))
	return nil
}

var gatherRules = []Rule{
	{Op: "GatherElements", Since: 11, Shape: gatherElementsShape, Work: noWork, Memory: Indexed, Class: Movement,
		Fold: gatherElementsFold, Traffic: touchedAndIndices(1), Doc: "moves elements; no arithmetic"},
	{Op: "GatherND", Since: 11, Shape: gatherNDShape, Work: noWork, Memory: Indexed, Class: Movement,
		Fold: gatherNDFold, Traffic: touchedAndIndices(1), Doc: "moves elements; no arithmetic"},
	{Domain: mlDomain, Op: "ArrayFeatureExtractor", Since: 1, Shape: arrayFeatureShape, Work: noWork, Memory: Indexed, Class: Movement,
		Traffic: touchedAndIndices(1), Doc: "moves elements; no arithmetic"},
}
