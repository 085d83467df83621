package lower

import (
	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// kindOf is the kind of the kernel that a node alone makes.
func kindOf(n *analyzer.Node) plan.Kind {
	r := n.Rule
	if r == nil {
		return plan.KindOther
	}
	switch r.Memory {
	case op.View:
		if n.Written.Is(0) {
			return plan.KindView
		}
	case op.Host:
		return plan.KindHost
	}
	return kindOfClass(r.Class)
}

func kindOfClass(c op.Class) plan.Kind {
	switch c {
	case op.Contract:
		return plan.KindContraction
	case op.Elementwise:
		return plan.KindElementwise
	case op.Normalization:
		return plan.KindNormalization
	case op.Reduction:
		return plan.KindReduction
	case op.Pooling:
		return plan.KindPooling
	case op.Movement:
		return plan.KindMovement
	case op.ShapeOp:
		return plan.KindHost
	case op.ControlFlow:
		return plan.KindControl
	case op.Container:
		return plan.KindContainer
	case op.Quantization:
		return plan.KindQuantization
	}
	return plan.KindOther
}
