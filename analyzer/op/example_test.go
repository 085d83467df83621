package op_test

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// A rule sees one node: what it takes, at which version, and nothing of the graph. The batch size stays a symbol.
func ExampleLookup() {
	node := &onnx.Node{OpType: "Conv", Inputs: []string{"x", "w"}, Outputs: []string{"y"}, Attributes: []onnx.Attribute{
		{Name: "pads", Type: onnx.AttrInts, Ints: []int64{3, 3, 3, 3}}, {Name: "strides", Type: onnx.AttrInts, Ints: []int64{2, 2}}}}
	var x, w, y op.Value
	x.SetTensor(onnx.Float32, op.Shape{dim.Symbol("batch"), dim.Const(3), dim.Const(224), dim.Const(224)})
	w.SetTensor(onnx.Float32, op.Consts(64, 3, 7, 7))
	c := &op.Call{Node: node, Opset: 22, In: []*op.Value{&x, &w}, Out: []*op.Value{&y}}

	rule := op.Lookup(node.Domain, node.OpType, c.Opset)
	if err := rule.Shape(c); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(y.Shape)
	fmt.Println(rule.Work(c).MACs, "MACs")
	fmt.Println("a rule for Convolution:", op.Lookup("", "Convolution", 22) != nil)
	// Output:
	// batchx64x112x112
	// 118013952*batch MACs
	// a rule for Convolution: false
}
