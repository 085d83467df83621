package lower

import (
	"cmp"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// kernel fills k from a rewritten node.
func (n *gnode) kernel(k *plan.Kernel, times dim.Dim, depth int) {
	n.kernelIn(k, times, depth, new([]*op.Value))
}

// kernelIn is kernel with a slab for the lists of values.
func (n *gnode) kernelIn(k *plan.Kernel, times dim.Dim, depth int, slab *[]*op.Value) {
	*k = plan.Kernel{Name: n.name, Domain: n.domain, Op: n.op, Nodes: n.src, Anchor: n.origin, Times: times, Depth: depth,
		Kind: n.kind(), Work: n.work, Contraction: n.work.Contraction, Activation: n.act, Sum: n.sum, Layout: n.layout}
	if k.Domain == domainBroken {
		if k.Domain = n.Proto.Domain; k.Domain == "ai.onnx" {
			k.Domain = ""
		}
	}
	if len(k.Nodes) > 1 {
		slices.SortStableFunc(k.Nodes, func(a, b *analyzer.Node) int { return cmp.Compare(a.Index, b.Index) })
	}
	for _, m := range k.Nodes {
		k.Partial = k.Partial || m.Partial
	}
	total := 2*len(n.in) + len(n.captured) + len(n.out)
	if cap(*slab)-len(*slab) < total {
		*slab = make([]*op.Value, 0, max(total, 256))
	}
	list := func(n int) []*op.Value {
		at := len(*slab)
		*slab = (*slab)[:at+n]
		return (*slab)[at : at : at+n]
	}
	k.Weights, k.Inputs = list(len(n.in)), list(len(n.in)+len(n.captured))
	k.Outputs = list(len(n.out))
	for i, t := range n.in {
		if t == nil {
			continue
		}
		steers := n.rule != nil && n.rule.IsHost(i)
		if t.isConst() {
			if !steers {
				k.Weights = append(k.Weights, t.val)
			}
			continue
		}
		k.Inputs = append(k.Inputs, t.val)
		if steers && !n.asData(t) {
			k.ShapeInputs = append(k.ShapeInputs, t.val)
		}
	}
	for _, t := range n.captured {
		if !t.isConst() {
			k.Inputs = append(k.Inputs, t.val)
		}
	}
	k.Weights, k.Inputs, k.ShapeInputs = distinct(k.Weights), distinct(k.Inputs), distinct(k.ShapeInputs)
	for _, t := range n.out {
		if t != nil {
			k.Outputs = append(k.Outputs, t.val)
		}
	}
	k.Attrs = n.Attributes
	for i := range k.Args {
		if t := n.arg(i); t != nil {
			k.Args[i] = t.val
		}
	}
}

// asData reports whether t is an operand of n, possibly beside steering it.
func (n *gnode) asData(t *tensor) bool {
	for i, in := range n.in {
		if in == t && !n.rule.IsHost(i) {
			return true
		}
	}
	return false
}

// kind is the kind of kernel that a rewritten node makes.
func (n *gnode) kind() plan.Kind {
	switch {
	case n.op == "ReorderInput" || n.op == "ReorderOutput":
		return plan.KindReorder
	case n.origin == nil && n.rule == nil:
		return plan.KindOther
	case n.rule == nil:
		return kindOf(n.origin)
	case n.rule.Memory == op.View:
		return plan.KindView
	case n.rule.Memory == op.Host:
		return plan.KindHost
	}
	return kindOfClass(n.rule.Class)
}
