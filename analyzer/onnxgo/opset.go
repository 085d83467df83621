package onnxgo

import (
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// latestOpset is taken where no operator shows its age: the newest when onnx-go was archived, in 2024.
const latestOpset = 21

// lastOpset says through which opset an operator had an attribute that it lost. The operators that compute element by
// element had axis and broadcast, most reductions had axes.
var lastOpset = map[string]map[string]int64{
	"Add": legacyBroadcast, "Sub": legacyBroadcast, "Mul": legacyBroadcast, "Div": legacyBroadcast, "Pow": legacyBroadcast,
	"And": legacyBroadcast, "Or": legacyBroadcast, "Xor": legacyBroadcast, "Equal": legacyBroadcast, "Greater": legacyBroadcast,
	"Less": legacyBroadcast, "Gemm": {"broadcast": 6},
	"ReduceMean": {"axes": 17}, "ReduceMax": {"axes": 17}, "ReduceMin": {"axes": 17}, "ReduceProd": {"axes": 17},
	"ReduceL1": {"axes": 17}, "ReduceL2": {"axes": 17}, "ReduceLogSum": {"axes": 17}, "ReduceLogSumExp": {"axes": 17},
	"ReduceSumSquare": {"axes": 17}, "ReduceSum": {"axes": 12},
	"Squeeze": {"axes": 12}, "Unsqueeze": {"axes": 12}, "Split": {"split": 12},
	"BatchNormalization": {"spatial": 8, "is_test": 6, "consumed_inputs": 5},
	"Dropout":            {"ratio": 11, "is_test": 6},
	"Clip":               {"min": 10, "max": 10},
	"Pad":                {"pads": 10, "paddings": 1},
	"Slice":              {"starts": 9, "ends": 9},
	"TopK":               {"k": 9},
	"Upsample":           {"mode": 9, "scales": 8},
	"Reshape":            {"shape": 4},
}

var legacyBroadcast = map[string]int64{"axis": 6, "broadcast": 6}

// inferOpset is the newest opset in which all attributes exist.
func inferOpset(nodes []*onnx.Node) int64 {
	opset := int64(latestOpset)
	for _, n := range nodes {
		for _, a := range n.Attributes {
			if last, ok := lastOpset[n.OpType][a.Name]; ok {
				opset = min(opset, last)
			}
		}
	}
	return opset
}
