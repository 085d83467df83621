package analyzer_test

import (
	"fmt"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
)

// matmulBody is a Loop body: state = state·w, scanned too. w comes from the enclosing graph.
func matmulBody() *onnx.Graph {
	return &onnx.Graph{Name: "body",
		Inputs:  []onnx.ValueInfo{tensorInfo("i", onnx.Int64), tensorInfo("go_in", onnx.Bool), {Name: "state_in"}},
		Nodes:   []*onnx.Node{node("go = Identity(go_in)"), node("state = MatMul(state_in, w)"), node("trace = Identity(state)")},
		Outputs: outputs("go", "state", "trace")}
}

// controlModel puts nodes behind x [batch, 4], flag (bool), limit (int64) and the weight w [4, 4].
func controlModel(opset int64, nodes []*onnx.Node, outs ...string) *onnx.Model {
	m := model(&onnx.Graph{Name: "main",
		Inputs:       []onnx.ValueInfo{tensorInfo("x", onnx.Float32, "batch", 4), tensorInfo("flag", onnx.Bool), tensorInfo("limit", onnx.Int64)},
		Initializers: []*onnx.Tensor{noData("w", 4, 4), onnx.Int64Tensor("five", nil, 5), onnx.Int64Tensor("zero", nil, 0), onnx.Int64Tensor("thousand", nil, 1000), onnx.NewTensor("yes", onnx.Bool, nil, []byte{1})},
		Nodes:        nodes, Outputs: outputs(outs...)})
	m.Opsets = append(m.Opsets, onnx.OpsetID{Domain: "com.microsoft", Version: 1})
	m.Opsets[0].Version = opset
	return m
}

func TestLoopCounts(t *testing.T) {
	ifInside := matmulBody()
	ifInside.Nodes[1] = node("state = If(flag)",
		attrGraph("then_branch", &onnx.Graph{Name: "then", Nodes: []*onnx.Node{node("a = MatMul(state_in, w)")}, Outputs: outputs("a")}),
		attrGraph("else_branch", &onnx.Graph{Name: "else", Nodes: []*onnx.Node{node("b0 = MatMul(state_in, w)"), node("b = MatMul(b0, w)")}, Outputs: outputs("b")}))
	for _, k := range []struct {
		name, loop string
		body       *onnx.Graph
		macs       string
		state      string
		trace      string
	}{
		{"five trips", "s, t = Loop(five, yes, x)", matmulBody(), "80*batch", "float32[batch,4]", "float32[5,batch,4]"},
		{"no condition", "s, t = Loop(five, , x)", matmulBody(), "80*batch", "float32[batch,4]", "float32[5,batch,4]"},
		{"no trip", "s, t = Loop(zero, , x)", matmulBody(), "0", "float32[batch,4]", "float32[0,batch,4]"},
		{"too many to unroll", "s, t = Loop(thousand, , x)", matmulBody(), "16000*batch", "float32[batch,4]", "float32[1000,batch,4]"},
		{"limit unknown", "s, t = Loop(limit, , x)", matmulBody(), "16*batch*trips", "float32[batch,4]", "float32[trips,batch,4]"},
		{"condition unknown", "s, t = Loop(five, flag, x)", matmulBody(), "16*batch*trips", "float32[batch,4]", "float32[trips,batch,4]"},
		{"costlier branch inside", "s, t = Loop(five, , x)", ifInside, "160*batch", "float32[batch,4]", "float32[5,batch,4]"},
	} {
		t.Run(k.name, func(t *testing.T) {
			r := run(t, controlModel(17, []*onnx.Node{node("loop: "+k.loop, attrGraph("body", k.body))}, "s", "t"), analyzer.Options{KeepFree: true})
			if got := r.Totals().MACs.String(); got != k.macs {
				t.Errorf("MACs: got %s, want %s", got, k.macs)
			}
			if got := r.Outputs[0].String(); got != k.state {
				t.Errorf("state: got %s, want %s", got, k.state)
			}
			if got := r.Outputs[1].String(); got != k.trace {
				t.Errorf("trace: got %s, want %s", got, k.trace)
			}
			if r.LowerBound() {
				t.Errorf("partial: %v", r.Diagnostics)
			}
		})
	}
}

// TestLoopTripCountIsSaid: a count that depends on data is a finding and a symbol with its bound.
func TestLoopTripCountIsSaid(t *testing.T) {
	r := run(t, controlModel(17, []*onnx.Node{node("loop: s, t = Loop(five, flag, x)", attrGraph("body", matmulBody()))}, "s"), analyzer.Options{KeepFree: true})
	if got := fmt.Sprint(codes(r)); got != "[trip-count]" {
		t.Errorf("got findings %s", got)
	}
	for _, s := range r.Symbols {
		if s.Name == "trips" && s.Upper.Is(5) && s.Node == "loop" {
			return
		}
	}
	t.Errorf("no symbol trips with the bound 5 in %+v", r.Symbols)
}

// TestGrowingState appends a row in every trip and multiplies all of them: the work of trip i is that of i+1 rows. The
// oracle adds it up in a loop.
func TestGrowingState(t *testing.T) {
	body := &onnx.Graph{Name: "body",
		Inputs: []onnx.ValueInfo{tensorInfo("i", onnx.Int64), tensorInfo("go_in", onnx.Bool), {Name: "rows_in"}},
		Nodes: []*onnx.Node{node("go = Identity(go_in)"), node("rows = Concat(rows_in, x)", attrInt("axis", 0)),
			node("y = MatMul(rows, w)")},
		Outputs: outputs("go", "rows")}
	body.Nodes = append(body.Nodes, node("kept = Add(y, rows)"))
	body.Outputs = outputs("go", "kept")
	m := controlModel(17, []*onnx.Node{node("loop: s = Loop(five, , x)", attrGraph("body", body))}, "s")
	r := run(t, m, analyzer.Options{Dims: map[string]int64{"batch": 3}})
	want := int64(0)
	for trip := range int64(5) {
		want += (trip + 2) * 3 * 4 * 4
	}
	if got, _ := r.Totals().MACs.Bind(r.Dims).Value(); got != want {
		t.Errorf("MACs: got %d, want %d", got, want)
	}
	if got := r.Outputs[0].Shape[0].Bind(r.Dims); !got.Is(18) {
		t.Errorf("rows: got %v, want 18", got)
	}
	// with an open count the final extent is still exact: it grows by the same in every trip
	m = controlModel(17, []*onnx.Node{node("loop: s = Loop(limit, , x)", attrGraph("body", body))}, "s")
	r = run(t, m, analyzer.Options{KeepFree: true})
	if got := r.Outputs[0].String(); got != "float32[batch*trips + batch,4]" {
		t.Errorf("got %s", got)
	}
}

// TestWhileLoop runs while a counter is below 7, in steps of 2, with no trip count at all.
func TestWhileLoop(t *testing.T) {
	body := &onnx.Graph{Name: "body",
		Inputs:       []onnx.ValueInfo{tensorInfo("i", onnx.Int64), tensorInfo("go_in", onnx.Bool), {Name: "n_in"}, {Name: "s_in"}},
		Initializers: []*onnx.Tensor{onnx.Int64Tensor("two", nil, 2), onnx.Int64Tensor("seven", nil, 7)},
		Nodes:        []*onnx.Node{node("n = Add(n_in, two)"), node("go = Less(n, seven)"), node("s_out = MatMul(s_in, w)")},
		Outputs:      outputs("go", "n", "s_out")}
	m := controlModel(17, []*onnx.Node{node("loop: n_end, s = Loop(, yes, zero, x)", attrGraph("body", body))}, "n_end", "s")
	r := run(t, m, analyzer.Options{KeepFree: true})
	if got := r.Totals().MACs.String(); got != "64*batch" { // n = 2, 4, 6, 8
		t.Errorf("MACs: got %s, want 64*batch", got)
	}
	if got, ok := r.Outputs[0].Int64s(); !ok || got[0] != 8 {
		t.Errorf("counter: got %v, want 8", got)
	}
}

func TestIf(t *testing.T) {
	one := &onnx.Graph{Name: "one", Nodes: []*onnx.Node{node("a = MatMul(x, w)")}, Outputs: outputs("a")}
	two := &onnx.Graph{Name: "two", Nodes: []*onnx.Node{node("b0 = MatMul(x, w)"), node("b = Concat(b0, b0)", attrInt("axis", 1))}, Outputs: outputs("b")}
	heavy := &onnx.Graph{Name: "heavy", Nodes: []*onnx.Node{node("c0 = MatMul(x, w)"), node("c = MatMul(c0, w)")}, Outputs: outputs("c")}
	flat := &onnx.Graph{Name: "flat", Nodes: []*onnx.Node{node("d = Flatten(x)", attrInt("axis", 0)), node("e = Squeeze(d, zero1)")}, Outputs: outputs("e")}
	for _, k := range []struct {
		name            string
		cond            string
		then, otherwise *onnx.Graph
		macs, out       string
		others          int
	}{
		{"known", "yes", one, heavy, "16*batch", "float32[batch,4]", 0},
		{"costlier", "flag", one, heavy, "32*batch", "float32[batch,4]", 1},
		{"costlier first", "flag", heavy, one, "32*batch", "float32[batch,4]", 1},
		{"extents differ", "flag", one, two, "16*batch", "float32[batch,if_0_1]", 1},
		{"ranks differ", "flag", one, flat, "16*batch", "float32[batch,4]", 1}, // the costlier branch is assumed
	} {
		t.Run(k.name, func(t *testing.T) {
			m := controlModel(17, []*onnx.Node{node("if: y = If("+k.cond+")", attrGraph("then_branch", k.then), attrGraph("else_branch", k.otherwise))}, "y")
			m.Graph.Initializers = append(m.Graph.Initializers, onnx.Int64Tensor("zero1", []int64{1}, 0))
			r := run(t, m, analyzer.Options{KeepFree: true})
			if got := r.Totals().MACs.String(); got != k.macs {
				t.Errorf("MACs: got %s, want %s", got, k.macs)
			}
			if got := r.Outputs[0].String(); got != k.out {
				t.Errorf("got %s, want %s", got, k.out)
			}
			others := 0
			for _, b := range r.Nodes[0].Bodies {
				if b.Alternative {
					others++
				}
			}
			if others != k.others {
				t.Errorf("%d other branches are reported, want %d", others, k.others)
			}
		})
	}
}

func TestScan(t *testing.T) {
	body := &onnx.Graph{Name: "body", Inputs: []onnx.ValueInfo{{Name: "s_in"}, {Name: "row"}},
		Nodes: []*onnx.Node{node("s_out = Add(s_in, row)"), node("m = MatMul(s_out, w)")}, Outputs: outputs("s_out", "m")}
	in := []onnx.ValueInfo{tensorInfo("s0", onnx.Float32, "batch", 4), tensorInfo("xs", onnx.Float32, "batch", "seq", 4)}
	axes := func(name string, v ...int64) onnx.Attribute {
		return onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
	}
	for _, k := range []struct {
		name, scan string
		opset      int64
		attrs      []onnx.Attribute
		want       string
	}{
		{"9", "s, ms = Scan(s0, xs)", 9, []onnx.Attribute{axes("scan_input_axes", 1)}, "float32[batch,4] float32[seq,batch,4] 16*batch*seq"},
		{"9 output axis", "s, ms = Scan(s0, xs)", 16, []onnx.Attribute{axes("scan_input_axes", -2), axes("scan_output_axes", -2)}, "float32[batch,4] float32[batch,seq,4] 16*batch*seq"},
		{"8", "s, ms = Scan(, s0, xs)", 8, nil, "float32[batch,4] float32[batch,seq,4] 16*batch*seq"},
	} {
		t.Run(k.name, func(t *testing.T) {
			attrs := append(k.attrs, attrInt("num_scan_inputs", 1), attrGraph("body", body))
			m := controlModel(k.opset, []*onnx.Node{node("scan: "+k.scan, attrs...)}, "s", "ms")
			m.Graph.Inputs = in
			r := run(t, m, analyzer.Options{KeepFree: true})
			if k.opset == 8 { // slices have no batch axis there: a row is [4], and MatMul makes it [4]
				k.want = "float32[batch,4] float32[batch,seq,4] 16*batch*seq"
			}
			if got := fmt.Sprintf("%v %v %v", r.Outputs[0], r.Outputs[1], r.Totals().MACs); got != k.want {
				t.Errorf("got %s, want %s", got, k.want)
			}
		})
	}
}

func TestSequenceMap(t *testing.T) {
	item := func(rows int64) *op.Value {
		v := &op.Value{}
		v.SetTensor(onnx.Float32, op.Consts(rows, 4))
		return v
	}
	body := &onnx.Graph{Name: "body", Inputs: []onnx.ValueInfo{{Name: "a"}},
		Nodes: []*onnx.Node{node("y = MatMul(a, w)")}, Outputs: outputs("y")}
	m := func() *onnx.Model {
		m := controlModel(17, []*onnx.Node{node("map: ys = SequenceMap(xs)", attrGraph("body", body)), node("y1 = SequenceAt(ys, five)")}, "ys")
		m.Graph.Inputs = []onnx.ValueInfo{{Name: "xs", Type: &onnx.Type{Kind: onnx.KindSequence, Elem: tensorInfo("", onnx.Float32, 3, 4).Type}}}
		return m
	}
	known := &op.Value{}
	known.SetItems(onnx.KindSequence, []*op.Value{item(2), item(2), item(5)})
	r := run(t, m(), analyzer.Options{Inputs: map[string]*op.Value{"xs": known}})
	if got := r.Totals().MACs; !got.Is((2 + 2 + 5) * 4 * 4) {
		t.Errorf("MACs: got %v, want %d", got, (2+2+5)*4*4)
	}
	if got := len(r.Outputs[0].Items); got != 3 {
		t.Errorf("got %d items, want 3", got)
	}
	r = run(t, m(), analyzer.Options{})
	if got := fmt.Sprintf("%v %v", r.Outputs[0], r.Totals().MACs); got != "sequence(float32[3,4]) 48*items" {
		t.Errorf("got %s", got)
	}
}

// TestGreedySearch counts the prompt once and a step per generated token.
func TestGreedySearch(t *testing.T) {
	decoder := &onnx.Graph{Name: "decoder",
		Inputs:  []onnx.ValueInfo{tensorInfo("input_ids", onnx.Int32, "batch_size", "seq_len"), tensorInfo("past_0", onnx.Float32, 2, "batch_size", 1, "past_seq_len", 4)},
		Nodes:   []*onnx.Node{node("h = Gather(w, input_ids)"), node("logits = MatMul(h, w)"), node("present_0 = Identity(past_0)")},
		Outputs: outputs("logits", "present_0")}
	m := controlModel(17, []*onnx.Node{node("search: out = com.microsoft.GreedySearch(ids, max)", attrInt("vocab_size", 4), attrGraph("decoder", decoder))}, "out")
	m.Graph.Inputs = []onnx.ValueInfo{tensorInfo("ids", onnx.Int32, "batch", 10)}
	m.Graph.Initializers = append(m.Graph.Initializers, onnx.NewTensor("max", onnx.Int32, []int64{1}, []byte{30, 0, 0, 0}))
	r := run(t, m, analyzer.Options{KeepFree: true})
	prompt, steps := int64(10), int64(30-10-1)
	if got, want := r.Totals().MACs, dim.Symbol("batch").MulInt(16*(prompt+steps)); !got.Equal(want) {
		t.Errorf("MACs: got %v, want %v", got, want)
	}
	if got := r.Outputs[0].String(); got != "int32[batch,30]" {
		t.Errorf("got %s", got)
	}
}
