package analyzer

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// traffic is the bytes that one execution must read and write.
func traffic(r *op.Rule, c *op.Call) (read, written dim.Dim) {
	switch {
	case r.Traffic != nil:
		return r.Traffic(c)
	case r.Memory == op.View, r.Memory == op.Host, r.Memory == op.Control:
		return dim.Dim{}, dim.Dim{}
	}
	if len(c.In) > manyInputs {
		read = manyBytes(r, c)
	} else {
		for i, in := range c.In {
			if in == nil || r.IsHost(i) || slices.Contains(c.In[:i], in) {
				continue
			}
			if b, ok := in.Bytes(); ok {
				read = read.Add(b)
			}
		}
	}
	for i, o := range c.Out {
		if c.HasOut(i) {
			if b, ok := o.Bytes(); ok {
				written = written.Add(b)
			}
		}
	}
	return read, written
}

// manyInputs is the number of inputs above which comparing each with each takes longer than a table.
const manyInputs = 32

// manyBytes adds up the inputs of a node with many, each value once.
func manyBytes(r *op.Rule, c *op.Call) dim.Dim {
	seen := make(map[*op.Value]bool, len(c.In))
	var sum dim.Total
	for i, in := range c.In {
		if in == nil || r.IsHost(i) || seen[in] {
			continue
		}
		seen[in] = true
		if b, ok := in.Bytes(); ok {
			sum.Add(b)
		}
	}
	return sum.Dim()
}
