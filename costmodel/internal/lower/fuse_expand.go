package lower

import (
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// expansions are operators that ONNX Runtime's CPU provider has no kernel for: it runs their definition as an ONNX
// function instead. That happens when nodes are given to providers, after the first level of rewrites.
var expansions = map[string]rewriteRule{
	"CastLike": func(g *graph, n *gnode) bool {
		to := n.out[0].val.DType
		g.setOp(n, "Cast", "")
		g.setInput(n, 1, nil)
		n.in = n.in[:1]
		n.SetInt("to", int64(to))
		n.rule = op.Lookup("", "Cast", g.opset)
		return true
	},
	"HardSwish": func(g *graph, n *gnode) bool {
		gate := g.step(n, "HardSigmoid", n.in[0])
		gate.SetAttr(onnx.Attribute{Name: "alpha", Type: onnx.AttrFloat, F: 1.0 / 6})
		g.last(n, "Mul", n.in[0], gate.out[0])
		return true
	},
	"Mish": func(g *graph, n *gnode) bool {
		soft := g.step(n, "Softplus", n.in[0])
		g.last(n, "Mul", n.in[0], g.step(n, "Tanh", soft.out[0]).out[0])
		return true
	},
	"Swish": func(g *graph, n *gnode) bool {
		x := n.in[0]
		alpha := g.newConst(&op.Value{Name: n.name + "_alpha", DType: onnx.Float32}, op.Shape{})
		alpha.val.Data = &op.Data{Nums: []op.Num{op.Float(float64(n.FloatAttr("alpha", 1)))}}
		cast := g.add("Cast", "", n.name, alpha)
		cast.SetInt("to", int64(x.val.DType))
		g.addOutput(cast, g.newTensor(n.name+"_alpha_cast", x.val, op.Shape{}))
		scaled := g.step(n, "Mul", x, cast.out[0])
		g.last(n, "Mul", x, g.step(n, "Sigmoid", scaled.out[0]).out[0])
		return true
	},
}

// expandFunctions replaces the operators of expansions.
func expandFunctions(g *graph) bool {
	changed := false
	for _, n := range g.topological() {
		if f := expansions[n.op]; f != nil && n.domain == "" && !n.dead && f(g, n) {
			changed = true
		}
	}
	return changed
}

// step adds an element-wise node of n's definition, with a result like n's.
func (g *graph) step(n *gnode, opType string, in ...*tensor) *gnode {
	m := g.add(opType, "", n.name+"/"+opType, in...)
	m.origin = n.origin
	out := n.out[0].val
	g.addOutput(m, g.newTensor(n.name+"_"+opType, out, out.Shape))
	m.work = g.workOf(m)
	return m
}

// last adds the node of n's definition that makes the result, and removes n.
func (g *graph) last(n *gnode, opType string, in ...*tensor) {
	m := g.add(opType, "", n.name, in...)
	m.origin = n.origin
	g.moveOutput(n, 0, m, 0)
	m.work = g.workOf(m)
	g.fold(m, n)
	g.remove(n)
}

// workOf counts an added element-wise node by the operator's rule.
func (g *graph) workOf(n *gnode) op.Work {
	c := &op.Call{Node: &onnx.Node{OpType: n.op, Attributes: n.Attrs}, Opset: g.opset}
	for _, t := range n.in {
		c.In = append(c.In, t.val)
	}
	for _, t := range n.out {
		c.Out = append(c.Out, t.val)
	}
	return n.rule.Work(c)
}
