package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Matrix products of integers.

// integerProductShape is MatMulInteger, which accumulates in int32.
func integerProductShape(c *Call) error { return productShape(c, 0, 1, onnx.Int32) }

// qlinearMatMulShape has the element type of the output's zero point.
func qlinearMatMulShape(c *Call) error { return productShape(c, 0, 3, c.typeOf(7)) }

// qlinearMatMulWork subtracts zero points, multiplies in int32 and requantises.
func qlinearMatMulWork(c *Call) Work {
	return matmulWork(c, 0, 3).plus(offsets(c, [2]int{0, 2}, [2]int{3, 5}), dim.Dim{}).
		plus(perElement(c.Out[0], requantize, 0).Vector, dim.Dim{})
}

const docMatMul = "batch·M·N·K MACs; leading axes broadcast"

var matmulQuantRules = []Rule{
	{Op: "MatMulInteger", Since: 10, Memory: Stream, Class: Contract, QuantInputs: inputs(0, 1), Scales: inputs(2, 3),
		Shape: integerProductShape,
		Work: func(c *Call) Work {
			return matmulWork(c, 0, 1).plus(offsets(c, [2]int{0, 2}, [2]int{1, 3}), dim.Dim{})
		},
		Doc: docMatMul + "; " + docZeroPoint},
	{Op: "QLinearMatMul", Since: 10, Memory: Stream, Class: Contract, QuantInputs: inputs(0, 3), Scales: inputs(1, 2, 4, 5, 6, 7),
		Shape: qlinearMatMulShape, Work: qlinearMatMulWork,
		Doc: docMatMul + "; " + docZeroPoint + "; " + docRequantize},
}
