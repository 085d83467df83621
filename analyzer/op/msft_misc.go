package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Operators of com.microsoft that stand alone: quantised forms of single operators, and attentions of their own kind.

// dynamicLSTM is DynamicQuantizeLSTM: LSTM with 8-bit weights.
var dynamicLSTM = cell{gates: 4, states: 2, initial: []int{5, 6}, turned: true, activations: lstmCell.activations, apply: lstmCell.apply,
	pointwise: lstmPointwise}

// dynamicLSTMWork adds what DynamicQuantizeLinear counts (5 and a division) for every element of the input and of the
// state of every step, and a product per gate for the scale of each of the two results.
func dynamicLSTMWork(c *Call) Work {
	w := dynamicLSTM.work(c)
	g, known, err := dynamicLSTM.geometry(c)
	if err != nil || !known {
		return w
	}
	perStep := dim.Prod(g.steps, g.batch)
	quantised := perStep.Mul(g.input).Add(perStep.Mul(g.hidden).MulInt(g.directions))
	return w.plus(quantised.MulInt(5), quantised).plus(perStep.Mul(g.hidden).MulInt(2*dynamicLSTM.gates*g.directions), dim.Dim{})
}

// qlinearReduceShape hides the scales, which stand where ReduceMean has its axes from opset 18 on.
func qlinearReduceShape(c *Call) error {
	if _, err := c.want(0); err != nil {
		return err
	}
	return reduceShape(&Call{Node: c.Node, Opset: 13, In: c.In[:1], Out: c.Out, Engine: c.Engine})
}

// qembedShape is QEmbedLayerNormalization: as EmbedLayerNormalization, from tables of bytes to floats.
func qembedShape(c *Call) error {
	if err := embedShape(c); err != nil {
		return err
	}
	c.Out[0].DType = c.typeOf(8)
	return nil
}

// qembedWork also dequantises each gathered row, gamma and beta.
func qembedWork(c *Call) Work {
	w := embedWork(c)
	rows := int64(2)
	if c.Has(4) {
		rows = 3
	}
	w = w.plus(perElement(c.Out[0], dequantizing*rows, 0).Vector, dim.Dim{})
	for _, i := range []int{5, 6} {
		w = w.plus(perElement(c.Input(i), dequantizing, 0).Vector, dim.Dim{})
	}
	return w
}

// qembedTraffic reads one row of each table for every position.
func qembedTraffic(c *Call) (read, written dim.Dim) {
	read, written = streamed(c, inputs(2, 3, 4))
	for _, i := range []int{2, 3, 4} {
		if table := c.Input(i); table != nil {
			if row, ok := tensorBytes(table.DType, c.Out[0]); ok {
				read = read.Add(row)
			}
		}
	}
	return read, written
}

// longformer is LongformerAttention: every token attends to window tokens on each side, and itself.
func longformer(c *Call) (a attention, hidden dim.Dim, known bool, err error) {
	x, known, err := c.wantRank(0, 3, 3)
	if err != nil || !known {
		return a, hidden, false, err
	}
	heads, err := wantHeads(c, "num_heads")
	if err != nil {
		return a, hidden, false, err
	}
	window, err := wantHeads(c, "window")
	if err != nil {
		return a, hidden, false, err
	}
	a = attention{batch: x[0], heads: dim.Const(heads), q: x[1], total: dim.Const(window).MulInt(2).AddInt(1), perScore: maskOps(c, 3)}
	if a.qk, err = headSize(x[2], heads, 0); err != nil {
		return a, hidden, false, err
	}
	a.v = a.qk
	return a, x[2], true, nil
}

func longformerShape(c *Call) error {
	if _, _, _, err := longformer(c); err != nil {
		return err
	}
	return sameShape(c)
}

// longformerWork counts both projections (local and global, each h×3h with a bias) and the windows.
func longformerWork(c *Call) Work {
	a, hidden, known, err := longformer(c)
	if err != nil || !known {
		return Work{}
	}
	w := a.work()
	tokens := a.batch.Mul(a.q)
	for _, i := range []int{1, 4} {
		ct := Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: tokens, N: hidden.MulInt(3), K: hidden, Weight: i}
		w.Contraction = append(w.Contraction, ct)
		w.MACs = w.MACs.Add(ct.MACs())
		w = w.plus(ct.M.Mul(ct.N), dim.Dim{})
	}
	return w
}

// deltaNet is GatedDeltaNet: query, key (tokens, heads, size) and value (tokens, value heads, value size), where the
// tokens may be written as batch and sequence.
type deltaNet struct {
	steps, sequences              dim.Dim
	heads, valueHeads, size, vals dim.Dim
	lead                          Shape
}

func readDeltaNet(c *Call) (g deltaNet, known bool, err error) {
	q, knownQ, err := c.wantRank(0, 3, 4)
	if err != nil {
		return g, false, err
	}
	if _, _, err := c.wantRank(1, 3, 4); err != nil {
		return g, false, err
	}
	v, knownV, err := c.wantRank(2, 3, 4)
	if err != nil || !knownQ || !knownV {
		return g, false, err
	}
	if len(q) != len(v) {
		return g, false, c.errorf("input 2 has rank %d, want %d", len(v), len(q))
	}
	n := len(q)
	g = deltaNet{steps: q[0], sequences: dim.Const(1), heads: q[n-2], size: q[n-1], valueHeads: v[n-2], vals: v[n-1], lead: q[:n-2]}
	if n == 4 {
		g.steps, g.sequences = q[1], q[0]
	}
	return g, true, checkGroups(g.valueHeads, g.heads)
}

func deltaNetShape(c *Call) error {
	g, known, err := readDeltaNet(c)
	if err != nil {
		return err
	}
	var y, state Shape
	knownState := known
	if known {
		y = append(append(Shape{}, g.lead...), g.valueHeads, g.vals)
		state = Shape{g.sequences, g.valueHeads, g.vals, g.size}
		if len(g.lead) == 1 { // packed sequences: the batch is that of the state or of the prefix sums
			sums, before := c.Input(3), c.Input(6)
			switch {
			case sums != nil && sums.Ranked && len(sums.Shape) == 1:
				state[0] = sums.Shape[0].AddInt(-1)
			case before != nil && before.Ranked && len(before.Shape) == 4:
				state[0] = before.Shape[0]
			default:
				knownState = false
			}
		}
	}
	c.setOut(0, c.typeOf(0), y, known)
	c.setOut(1, onnx.Float32, state, knownState)
	if n := c.Int("state_update_capacity", 0); n > 0 && knownState {
		row := g.valueHeads.Add(g.heads.Mul(g.size)).Add(g.valueHeads.Mul(g.vals)).MulInt(n)
		c.setOut(2, onnx.Float32, Shape{state[0], row}, true)
	} else {
		c.setOut(2, onnx.Float32, nil, false)
	}
	return nil
}

// deltaNetWork is that of LinearAttention with a state of each value head. Sequences packed one behind the other count
// as one chain of steps.
func deltaNetWork(c *Call) Work {
	g, known, err := readDeltaNet(c)
	if err != nil || !known {
		return Work{}
	}
	a := attention{batch: g.sequences, heads: g.valueHeads, kvHeads: g.valueHeads, q: g.steps, qk: g.size, v: g.vals}
	w := a.recurrence(c, c.Input(4))
	if c.Int("qk_l2_norm", 0) != 0 { // square, sum and product of every element of query and key; root and reciprocal
		rows := dim.Prod(g.sequences, g.steps, g.heads).MulInt(2)
		w = w.plus(rows.Mul(g.size).MulInt(3), rows.MulInt(2))
	}
	gates := dim.Prod(g.sequences, g.steps, g.valueHeads)
	if c.Str("gate_activation", "none") == "qwen" { // bias, softplus (1 and 2), scale
		w = w.plus(gates.MulInt(3), gates.MulInt(2))
	}
	if c.Str("beta_activation", "none") == "sigmoid" {
		w = w.plus(gates.MulInt(2), gates.MulInt(2))
	}
	return w
}

// charConv is WordConvEmbedding: characters of words (words, length), a filter (filters, 1, window, size) over the rows of
// a table of characters, tanh, and the largest value along the word.
type charConv struct{ words, positions, filters, window, size dim.Dim }

func readCharConv(c *Call) (g charConv, known bool, err error) {
	words, knownWords, err := c.wantRank(0, 2, 2)
	if err != nil {
		return g, false, err
	}
	w, knownFilter, err := c.wantRank(1, 4, 4)
	if err != nil || !knownWords || !knownFilter {
		return g, false, err
	}
	g = charConv{words: words[0], filters: w[0], window: w[2], size: w[3]}
	g.positions = words[1].Sub(g.window).AddInt(1)
	return g, true, nil
}

func charConvShape(c *Call) error {
	g, known, err := readCharConv(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(1), Shape{g.words, g.filters}, known)
	return nil
}

// charConvWork takes every word to be as long as the sequence allows; the runtime stops at the first character 0.
func charConvWork(c *Call) Work {
	g, known, err := readCharConv(c)
	if err != nil || !known {
		return Work{}
	}
	w := contractions(Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: g.words.Mul(g.positions), N: g.filters,
		K: g.window.Mul(g.size), Weight: 1})
	out := dim.Prod(g.words, g.positions, g.filters)
	return w.plus(out.MulInt(2), out) // bias, maximum; tanh
}

// charConvTraffic reads a row of the table for every character.
func charConvTraffic(c *Call) (read, written dim.Dim) {
	read, written = streamed(c, inputs(3))
	g, known, err := readCharConv(c)
	if err != nil || !known || !c.In[0].Ranked {
		return read, written
	}
	if rows, ok := tensorBytes(c.typeOf(3), c.In[0]); ok {
		read = read.Add(rows.Mul(g.size))
	}
	return read, written
}

var msMiscRules = []Rule{
	ms(Rule{Op: "QEmbedLayerNormalization", Shape: qembedShape, Work: qembedWork, Memory: Indexed, Class: Normalization, Traffic: qembedTraffic,
		QuantInputs: inputs(2, 3, 4, 5, 6), Scales: inputsFrom(8), Doc: "2 to dequantise each gathered element; as EmbedLayerNormalization"}),
	ms(Rule{Op: "LongformerAttention", Shape: longformerShape, Work: longformerWork, Class: Contract,
		Doc: "both projections, and attention to 2·window+1 keys; the keys of global tokens are data and not counted"}),
	ms(Rule{Op: "GatedDeltaNet", Shape: deltaNetShape, Work: deltaNetWork, Class: Contract, HostInputs: inputs(3, 9, 10), Doc: docLinearAttention}),
	ms(Rule{Op: "DynamicQuantizeLSTM", Shape: dynamicLSTM.shape, Work: dynamicLSTMWork, Class: Contract, QuantInputs: inputs(1, 2),
		Scales: inputs(8, 9, 10, 11), Doc: docRecurrent + "; 5 and a division per element of input and state to quantise it"}),
	ms(Rule{Op: "QLinearReduceMean", Shape: qlinearReduceShape, Work: requantized(perInput(0, 1, 0)), Class: Reduction, Scales: inputsFrom(1),
		Doc: "1 per input element; " + docRequantize}),
	ms(Rule{Op: "WordConvEmbedding", Shape: charConvShape, Work: charConvWork, Memory: Indexed, Traffic: charConvTraffic, Class: Contract,
		Doc: "positions·filters·window·size MACs a word of full length; 2 and a tanh for bias, activation and maximum"}),
}
