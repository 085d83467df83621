package analyzer_test

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// recurrence is a loop whose state begins as a constant: h = h·R + x[i], 16·16 MACs a trip.
func recurrence(trips string, init ...*onnx.Tensor) *onnx.Model {
	body := &onnx.Graph{Name: "body", Inputs: []onnx.ValueInfo{tensorInfo("i", onnx.Int64), tensorInfo("go_in", onnx.Bool), {Name: "h_in"}},
		Nodes:   nodesOf(node("go = Identity(go_in)"), node("hr = MatMul(h_in, R)"), node("xi = Gather(x, i)", attrInt("axis", 0)), node("h_out = Add(hr, xi)")),
		Outputs: outputs("go", "h_out")}
	return graphOf(inputsOf(tensorInfo("x", onnx.Float32, 2000, 1, 16), tensorInfo("n", onnx.Int64)),
		append(constants(zeroFloats("h0", 1, 16), zeroFloats("R", 16, 16)), init...),
		nodesOf(node("shape = Shape(x)"), node(fmt.Sprintf("loop: h = Loop(%s, , h0)", trips), attrGraph("body", body))), "h")
}

// loopCorpus: what travels through a loop is data. M trips are M times one trip, and the body is listed once.
func loopCorpus() []corpusCase {
	var all []corpusCase
	for _, m := range []int64{1, 2, 5, 64, 65, 1000} {
		all = append(all, corpusCase{name: fmt.Sprintf("loop/constant state, %d trips", m), model: recurrence("M", scalarOf("M", m)),
			macs: fmt.Sprint(m * 256), params: "272", nodes: 5, outputs: "h[1,16]"})
	}
	all = append(all, corpusCase{name: "loop/constant state, open count", model: recurrence("n"), macs: "256*trips", nodes: 5, finding: "it depends on data"},
		corpusCase{name: "loop/constant state, count bound", model: recurrence("n"), dims: map[string]int64{"trips": 7}, macs: "1792"})

	// the state of one loop goes into another, which keeps it as a constant would be kept
	inner := &onnx.Graph{Name: "inner", Inputs: []onnx.ValueInfo{tensorInfo("j", onnx.Int64), tensorInfo("gi", onnx.Bool), {Name: "s_in"}},
		Nodes: nodesOf(node("go2 = Identity(gi)"), node("s_out = MatMul(s_in, R)")), Outputs: outputs("go2", "s_out")}
	outer := &onnx.Graph{Name: "outer", Inputs: []onnx.ValueInfo{tensorInfo("i", onnx.Int64), tensorInfo("go_in", onnx.Bool), {Name: "h_in"}},
		Nodes: nodesOf(node("go = Identity(go_in)"), node("in: h_out = Loop(three, , h_in)", attrGraph("body", inner))), Outputs: outputs("go", "h_out")}
	nested := func(m int64) *onnx.Model {
		return graphOf(nil, constants(zeroFloats("h0", 1, 16), zeroFloats("R", 16, 16), scalarOf("three", 3), scalarOf("M", m)),
			nodesOf(node("out: h = Loop(M, , h0)", attrGraph("body", outer))), "h")
	}
	all = append(all, corpusCase{name: "loop/nested", model: nested(4), macs: fmt.Sprint(4 * 3 * 256), nodes: 5},
		corpusCase{name: "loop/nested, many", model: nested(100), macs: fmt.Sprint(100 * 3 * 256), nodes: 5})

	// a scan whose state is a constant
	scan := &onnx.Graph{Name: "body", Inputs: []onnx.ValueInfo{{Name: "h_in"}, {Name: "xi"}},
		Nodes: nodesOf(node("hr = MatMul(h_in, R)"), node("h_out = Add(hr, xi)"), node("y = Identity(h_out)")), Outputs: outputs("h_out", "y")}
	all = append(all, corpusCase{name: "scan/constant state", macs: fmt.Sprint(2000 * 256), nodes: 4, outputs: "h[1,16] ys[2000,1,16]",
		model: graphOf(inputsOf(tensorInfo("x", onnx.Float32, 2000, 1, 16)), constants(zeroFloats("h0", 1, 16), zeroFloats("R", 16, 16)),
			nodesOf(node("h, ys = Scan(h0, x)", attrGraph("body", scan), attrInt("num_scan_inputs", 1))), "h", "ys")})

	// a loop that resizes image by image collects its results while it runs
	one := &onnx.Graph{Name: "body", Inputs: []onnx.ValueInfo{tensorInfo("i", onnx.Int64), tensorInfo("go_in", onnx.Bool)},
		Nodes: nodesOf(node("go = Identity(go_in)"), node("im = Gather(x, i)", attrInt("axis", 0)), node("o = Relu(im)")), Outputs: outputs("go", "o")}
	all = append(all, corpusCase{name: "loop/scan output at the peak", nodes: 4, outputs: "y[2,1000]",
		// x 8000, y 8000; in the body, while o is made, go 1, im and o 4000 each
		peak: 8000 + 8000 + 1 + 4000 + 4000,
		model: graphOf(inputsOf(tensorInfo("x", onnx.Float32, 2, 1000)), constants(scalarOf("M", 2)),
			nodesOf(node("y = Loop(M, )", attrGraph("body", one))), "y")})
	return all
}

// counting is a while loop in the manner of TensorFlow: a counter from start in steps, while it compares so with x's
// first axis, which has T places; 256 MACs a trip.
func counting(start, step int64, compare string) *onnx.Model {
	body := &onnx.Graph{Name: "body",
		Inputs:  []onnx.ValueInfo{tensorInfo("i", onnx.Int64), tensorInfo("go_in", onnx.Bool), {Name: "c_in"}, {Name: "h_in"}},
		Nodes:   nodesOf(node("c_out = Add(c_in, step)"), node("go = "+fmt.Sprintf(compare, "c_out")), node("h_out = MatMul(h_in, R)"), node("y = Identity(h_out)")),
		Outputs: outputs("go", "c_out", "h_out", "y")}
	if compare == "both" {
		body.Nodes[1] = node("less = Less(c_out, T)")
		body.Nodes = append(body.Nodes, node("room = Less(i, cap)"), node("go = And(less, room)"))
	}
	first := node("go0 = " + fmt.Sprintf(compare, "start"))
	if compare == "both" {
		first = node("go0 = Less(start, T)")
	}
	return graphOf(inputsOf(tensorInfo("x", onnx.Float32, 3, "T", 16), tensorInfo("stop", onnx.Bool)),
		constants(scalarOf("start", start), scalarOf("step", step), scalarOf("one", 1), scalarOf("cap", 100000), zeroFloats("h0", 1, 16), zeroFloats("R", 16, 16)),
		nodesOf(node("s = Shape(x)"), node("T = Gather(s, one)", attrInt("axis", 0)), first,
			node("loop: c, h, ys = Loop(, go0, start, h0)", attrGraph("body", body)), node("z = Relu(ys)")), "z", "c")
}

// whileCorpus: start + step·i against a bound is solved for the number of trips, whatever the bound is.
func whileCorpus() []corpusCase {
	all := []corpusCase{
		{name: "while/from 0 in steps of 1", model: counting(0, 1, "Less(%s, T)"), macs: "256*T", outputs: "z[T,1,16] c[]", silent: "trip"},
		{name: "while/from 0 up to and with", model: counting(0, 1, "LessOrEqual(%s, T)"), macs: "256*T + 256", silent: "trip"},
		{name: "while/bound on the left", model: counting(0, 1, "Greater(T, %s)"), macs: "256*T", silent: "trip"},
		{name: "while/in steps of 3", model: counting(0, 3, "Less(%s, T)"), macs: "256*floor((T + 2)/3)", silent: "trip"},
		{name: "while/from -4", model: counting(-4, 1, "Less(%s, T)"), macs: "256*T + 1024", silent: "trip"},
		{name: "while/never ends", model: counting(2, 1, "Less(one, %s)"), finding: "neither a count nor the condition"},
		{name: "while/its own cap", model: counting(0, 1, "both"), macs: "256*min(T, 100001)", silent: "trip"},
	}
	for _, t := range []int64{1, 10, 64, 65, 1000} {
		all = append(all, corpusCase{name: fmt.Sprintf("while/%d frames", t), model: counting(0, 1, "Less(%s, T)"), dims: map[string]int64{"T": t},
			macs: fmt.Sprint(256 * t), outputs: fmt.Sprintf("z[%d,1,16] c[]", t), silent: "trip"})
	}
	return all
}
