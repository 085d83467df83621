package op

// Operators that write updates into a copy of their first input.

// reduceUpdate is the attribute reduction as a function of the present element and the update; nil replaces.
func reduceUpdate(c *Call) func(old, update Num) Num {
	switch c.Str("reduction", "none") {
	case "add":
		return numAdd
	case "mul":
		return numMul
	case "max":
		return numMax
	case "min":
		return numMin
	}
	return nil
}

// scatterWork is one operation per update where the updates are combined with what is there.
func scatterWork(c *Call) Work {
	if reduceUpdate(c) == nil {
		return Work{}
	}
	return perElement(c.In[2], 1, 0)
}

// scatterNDFold writes slices: the last axis of the indices addresses the leading axes of the data.
func scatterNDFold(c *Call) {
	data, shape, ok := c.In[0].table()
	indices, ishape, ok2 := c.Input(1).table()
	updates, _, ok3 := c.Input(2).table()
	if !ok || !ok2 || !ok3 || len(ishape) == 0 {
		return
	}
	depth := ishape[len(ishape)-1]
	if depth > int64(len(shape)) {
		return
	}
	slice := int64(1)
	for _, d := range shape[depth:] {
		slice *= d
	}
	reduce := reduceUpdate(c)
	strides := rowMajor(shape)
	out := append([]Num{}, data...)
	for k := int64(0); (k+1)*depth <= int64(len(indices)) && (k+1)*slice <= int64(len(updates)); k++ {
		var at int64
		for a := range depth {
			p, ok := position(indices[k*depth+a], shape[a])
			if !ok {
				return
			}
			at += p * strides[a]
		}
		write(out[at:at+slice], updates[k*slice:(k+1)*slice], reduce)
		if depth == 0 {
			break
		}
	}
	c.Out[0].Data = &Data{Nums: out}
}

// scatterElementsFold writes single elements: the indices replace the coordinate along axis.
func scatterElementsFold(c *Call) {
	data, shape, ok := c.In[0].table()
	indices, ishape, ok2 := c.Input(1).table()
	updates, _, ok3 := c.Input(2).table()
	a, err := axis(c.Int("axis", 0), len(shape))
	if !ok || !ok2 || !ok3 || err != nil || len(ishape) != len(shape) || len(updates) != len(indices) {
		return
	}
	reduce := reduceUpdate(c)
	strides := rowMajor(shape)
	out := append([]Num{}, data...)
	idx := make([]int64, len(ishape))
	for k := range indices {
		p, ok := position(indices[k], shape[a])
		if !ok {
			return
		}
		at := p * strides[a]
		for d, i := range idx {
			if d != a {
				at += i * strides[d]
			}
		}
		if at >= int64(len(out)) {
			return
		}
		write(out[at:at+1], updates[k:k+1], reduce)
		advance(idx, ishape)
	}
	c.Out[0].Data = &Data{Nums: out}
}

func write(dst, updates []Num, reduce func(old, update Num) Num) {
	for i, u := range updates {
		if reduce != nil {
			u = reduce(dst[i], u)
		}
		dst[i] = u
	}
}

var scatterRules = []Rule{
	{Op: "ScatterND", Since: 11, Shape: sameShape, Work: scatterWork, Memory: Stream, Class: Movement, InPlace: inputs(0),
		Fold: scatterNDFold, Doc: "a copy of the data with slices replaced; an operation per update with attribute reduction"},
	{Op: "ScatterElements", Since: 11, Shape: sameShape, Work: scatterWork, Memory: Stream, Class: Movement, InPlace: inputs(0),
		Fold: scatterElementsFold, Doc: "a copy of the data with elements replaced; an operation per update with attribute reduction"},
	{Op: "Scatter", Since: 9, Shape: sameShape, Work: noWork, Memory: Stream, Class: Movement, InPlace: inputs(0),
		Fold: scatterElementsFold, Doc: "a copy of the data with elements replaced"},
	{Op: "TensorScatter", Since: 24, Shape: sameShape, Work: noWork, Memory: Stream, Class: Movement, InPlace: inputs(0),
		Doc: "a copy of the cache with the update written at each batch's index"},
}
