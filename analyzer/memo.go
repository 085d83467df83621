package analyzer

import (
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// Networks repeat their layers: most nodes have the operator, the attributes and the types of their inputs in common with
// a node before them. What a rule says is a function of these alone, so that it is asked once.

const (
	memoMost   = 512 // places for results
	memoInputs = 8   // inputs of a node whose result is kept; few nodes have more, and those rarely repeat
)

// memo keeps results of rules, at each place the latest two.
type memo [][2]applied

// applied is a call of a rule with its results.
type applied struct {
	rule   *op.Rule
	opset  int64
	node   *onnx.Node
	in     []*op.Value
	out    []op.Value // as the rule left them
	counts *Counts
	needs  []int32 // of engine.required
}

// newMemo has room for the results of a graph of so many nodes, or for those that repeat in a large one.
func newMemo(nodes int) memo {
	size := 8
	for 2*size < nodes && size < memoMost {
		size *= 2
	}
	return make(memo, size)
}

// place returns where a call's result is kept, nil where it is not.
func (m memo) place(c *op.Call) *[2]applied {
	p := c.Node
	if len(m) == 0 || len(c.In) > memoInputs || len(p.Outputs) == 0 || slices.Contains(p.Outputs, "") {
		return nil
	}
	h := mix(uint64(len(p.OpType)), uint64(p.OpType[0])<<8|uint64(p.OpType[len(p.OpType)-1]))
	for i := range p.Attributes {
		a := &p.Attributes[i]
		if !plain(a) {
			return nil
		}
		h = mix(h, uint64(a.I))
		for _, x := range a.Ints {
			h = mix(h, uint64(x))
		}
	}
	for _, v := range c.In {
		if v == nil {
			h = mix(h, 1)
			continue
		}
		h = mix(h, uint64(v.DType))
		for _, d := range v.Shape {
			n, _ := d.Value()
			h = mix(h, uint64(n))
		}
		if v.Data != nil {
			for _, x := range v.Data.Nums[:min(len(v.Data.Nums), memoInputs)] {
				n, _ := x.Int64()
				h = mix(h, uint64(n))
			}
		}
	}
	return &m[h>>32&uint64(len(m)-1)]
}

func mix(h, x uint64) uint64 { return (h ^ x) * 0x9e3779b97f4a7c15 }

// recall gives a node the result of an earlier call that differs in nothing that its rule may look at.
func (a *applied) recall(n *Node, c *op.Call) (ok bool) {
	if a.rule != n.Rule || a.opset != c.Opset || len(a.in) != len(c.In) || len(a.out) != len(c.Out) || !sameAttributes(a.node, c.Node) {
		return false
	}
	for i, v := range c.In {
		if !alike(v, a.in[i]) || slices.Index(c.In, v) != slices.Index(a.in, a.in[i]) {
			return false
		}
	}
	for i, o := range c.Out {
		o.SetResult(&a.out[i])
	}
	n.Counts = a.counts
	return true
}

// keep records the result of a call that left nothing unknown, in the place of the older of two.
func keep(at *[2]applied, n *Node, c *op.Call, needs []int32) {
	at[0], at[1] = at[1], at[0]
	a := &at[0]
	out := a.out[:0]
	for _, o := range c.Out {
		out = append(out, *o)
	}
	*a = applied{n.Rule, c.Opset, c.Node, c.In, out, n.Counts, needs}
}

// alike reports whether no rule can tell two inputs apart.
func alike(a, b *op.Value) bool {
	if a == b || a == nil || b == nil {
		return a == b
	}
	return a.Kind == onnx.KindTensor && b.Kind == onnx.KindTensor && a.DType == b.DType && a.Ranked && b.Ranked &&
		a.Const == b.Const && op.SameOrigin(a, b) && a.Data == b.Data && !a.HasItems && !b.HasItems && a.Elem == b.Elem &&
		(a.Tensor == b.Tensor || !a.MayHaveElems() && !b.MayHaveElems()) && a.Shape.Equal(b.Shape)
}

// plain reports whether an attribute holds nothing but numbers and text, one or a list of integers.
func plain(a *onnx.Attribute) bool {
	return a.T == nil && a.G == nil && a.SparseTensor == nil && a.TP == nil && len(a.Floats) == 0 && len(a.Strings) == 0 &&
		len(a.Tensors) == 0 && len(a.Graphs) == 0 && len(a.SparseTensors) == 0 && len(a.TypeProtos) == 0
}

// sameAttributes compares plain attributes.
func sameAttributes(a, b *onnx.Node) bool {
	if len(a.Attributes) != len(b.Attributes) {
		return false
	}
	for i := range a.Attributes {
		x, y := &a.Attributes[i], &b.Attributes[i]
		if x.Name != y.Name || x.RefAttrName != y.RefAttrName || x.Type != y.Type || x.I != y.I || x.S != y.S ||
			math.Float32bits(x.F) != math.Float32bits(y.F) || !slices.Equal(x.Ints, y.Ints) {
			return false
		}
	}
	return true
}
