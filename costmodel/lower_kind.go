package costmodel

import (
	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// kindOf is the kind of the kernel that a node alone makes.
func kindOf(n *analyzer.Node) Kind {
	r := n.Rule
	if r == nil {
		return KindOther
	}
	switch r.Memory {
	case op.View:
		if n.Written.Is(0) {
			return KindView
		}
	case op.Host:
		return KindHost
	}
	return kindOfClass(r.Class)
}

func kindOfClass(c op.Class) Kind {
	switch c {
	case op.Contract:
		return KindContraction
	case op.Elementwise:
		return KindElementwise
	case op.Normalization:
		return KindNormalization
	case op.Reduction:
		return KindReduction
	case op.Pooling:
		return KindPooling
	case op.Movement:
		return KindMovement
	case op.ShapeOp:
		return KindHost
	case op.ControlFlow:
		return KindControl
	case op.Container:
		return KindContainer
	case op.Quantization:
		return KindQuantization
	}
	return KindOther
}
