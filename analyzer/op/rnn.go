package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Recurrent layers. MACs are steps·batch·directions·gates·hidden·(input + hidden): the product with the input can be
// batched over all steps, the one with the state depends on the step before. Every step is counted; sequence_lens
// shortens sequences only while the model runs.

// cell is what tells RNN, GRU and LSTM apart.
type cell struct {
	gates   int64
	states  int   // outputs after Y: hidden state, and the LSTM's cell state
	initial []int // inputs that hold initial states
	turned  bool  // weights are (directions, input, gates·hidden), as DynamicQuantizeLSTM keeps them
	// activations are the defaults of one direction, in the order of the attribute.
	activations []string
	// apply says how often each of the activations is evaluated per hidden element.
	apply []int64
	// pointwise counts the products and sums of the state update per hidden element, without activations, the sum
	// of the two products and the bias.
	pointwise func(*Call) int64
}

var (
	rnnCell  = cell{gates: 1, states: 1, initial: []int{5}, activations: []string{"Tanh"}, apply: []int64{1}, pointwise: func(*Call) int64 { return 0 }}
	gruCell  = cell{gates: 3, states: 1, initial: []int{5}, activations: []string{"Sigmoid", "Tanh"}, apply: []int64{2, 1}, pointwise: gruPointwise}
	lstmCell = cell{gates: 4, states: 2, initial: []int{5, 6}, activations: []string{"Sigmoid", "Tanh", "Tanh"}, apply: []int64{3, 1, 1}, pointwise: lstmPointwise}
)

// gruPointwise: (1-z)⊙h̃ + z⊙H is a difference, two products and a sum; r⊙ is one more. With linear_before_reset the
// recurrent bias of the candidate is added apart, before the reset.
func gruPointwise(c *Call) int64 {
	n := int64(5)
	if c.Int("linear_before_reset", 0) != 0 && c.Has(3) {
		n++
	}
	return n
}

// lstmPointwise: f⊙C + i⊙c̃ is two products and a sum, o⊙h(C) a product; peepholes add a product and a sum to three
// gates.
func lstmPointwise(c *Call) int64 {
	n := int64(4)
	if c.Has(7) {
		n += 6
	}
	return n
}

// recurrent is the geometry of one layer.
type recurrent struct {
	steps, batch, input, hidden dim.Dim
	directions                  int64
}

// geometry reads X (steps, batch, input; batch first with layout 1), W (directions, gates·hidden, input) and
// R (directions, gates·hidden, hidden). known is false where X or the hidden size is not known.
func (k cell) geometry(c *Call) (g recurrent, known bool, err error) {
	switch d := c.Str("direction", "forward"); d {
	case "forward", "reverse":
		g.directions = 1
	case "bidirectional":
		g.directions = 2
	default:
		return g, false, c.errorf("attribute direction is %q, want forward, reverse or bidirectional", d)
	}
	x, knownX, err := c.wantRank(0, 3, 3)
	if err != nil {
		return g, false, err
	}
	w, knownW, err := c.wantRank(1, 3, 3)
	if err != nil {
		return g, false, err
	}
	r, knownR, err := c.wantRank(2, 3, 3)
	if err != nil {
		return g, false, err
	}
	if k.turned {
		w, r = turn(w), turn(r)
	}
	hidden := c.Int("hidden_size", 0)
	switch {
	case hidden < 0:
		return g, false, c.errorf("attribute hidden_size is %d, want at least 1", hidden)
	case hidden > 0:
		g.hidden = dim.Const(hidden)
	case knownR:
		g.hidden = r[2]
	case knownW:
		g.hidden = w[1].FloorDiv(dim.Const(k.gates))
	default:
		return g, false, nil
	}
	if !knownX {
		return g, false, nil
	}
	g.steps, g.batch, g.input = x[0], x[1], x[2]
	if c.Int("layout", 0) != 0 {
		g.steps, g.batch = x[1], x[0]
	}
	if knownW {
		if g.input, err = c.sameDim(g.input, w[2]); err != nil {
			return g, false, c.errorf("input 0 has %v features, want %v as input 1", x[2], w[2])
		}
	}
	for i, s := range []struct {
		shape Shape
		known bool
		last  dim.Dim
	}{{w, knownW, g.input}, {r, knownR, g.hidden}} {
		want := Shape{dim.Const(g.directions), g.hidden.MulInt(k.gates), s.last}
		if s.known && !c.mayEqual(s.shape, want) {
			if k.turned {
				s.shape, want = turn(s.shape), turn(want)
			}
			return g, false, c.errorf("input %d has shape %v, want %v", i+1, s.shape, want)
		}
	}
	return g, true, nil
}

// turn exchanges the last two of three axes.
func turn(s Shape) Shape {
	if len(s) != 3 {
		return s
	}
	return Shape{s[0], s[2], s[1]}
}

// shape types Y (steps, directions, batch, hidden) and the final states (directions, batch, hidden); with layout 1 the
// batch comes first.
func (k cell) shape(c *Call) error {
	g, known, err := k.geometry(c)
	if err != nil {
		return err
	}
	dt := c.In[0].DType
	y := Shape{g.steps, dim.Const(g.directions), g.batch, g.hidden}
	state := Shape{dim.Const(g.directions), g.batch, g.hidden}
	if c.Int("layout", 0) != 0 {
		y = Shape{g.batch, g.steps, dim.Const(g.directions), g.hidden}
		state = Shape{g.batch, dim.Const(g.directions), g.hidden}
	}
	c.setOut(0, dt, y, known)
	for i := range k.states {
		c.setOut(1+i, dt, state, known)
	}
	if !known {
		return nil
	}
	for _, i := range k.initial {
		if v := c.Input(i); v != nil && v.Ranked && !c.mayEqual(v.Shape, state) {
			return c.errorf("input %d has shape %v, want %v", i, v.Shape, state)
		}
	}
	return nil
}

// work counts both products, and per hidden element and step: the sum of the products and the bias (Wb + Rb are one
// vector) for every gate, clipping (2 for every gate), the activations and the state update.
func (k cell) work(c *Call) Work {
	g, known, err := k.geometry(c)
	if err != nil || !known {
		return Work{}
	}
	dirs, n := dim.Const(g.directions), g.hidden.MulInt(k.gates)
	w := contractions(
		Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dirs, M: g.steps.Mul(g.batch), N: n, K: g.input, Weight: 1},
		Contraction{Kind: RecurrentKind, Batch: g.steps, Groups: dirs, M: g.batch, N: n, K: g.hidden, Weight: 2},
	)
	perGate := int64(1)
	if c.Has(3) {
		perGate++
	}
	if c.HasAttr("clip") {
		perGate += 2
	}
	perStep := dim.Prod(g.steps, g.batch, g.hidden)
	each := k.gates*perGate + k.pointwise(c)
	for d := range g.directions {
		vector, special := k.activationCost(c, int(d))
		w = w.plus(perStep.MulInt(each+vector), perStep.MulInt(special))
	}
	return w
}

// activationCost adds up the activations of one direction per hidden element.
func (k cell) activationCost(c *Call, direction int) (vector, special int64) {
	names := k.activations
	if a := c.Node.Attr("activations"); a != nil && a.Type == onnx.AttrStrings {
		if at := direction * len(names); len(a.Strings) >= at+len(names) {
			names = a.Strings[at : at+len(names)]
		}
	}
	for i, name := range names {
		v, s := activationCost(c, name)
		vector += v * k.apply[i]
		special += s * k.apply[i]
	}
	return vector, special
}

const docRecurrent = "steps·batch·directions·gates·hidden·(input+hidden) MACs; per gate the sum of both products, bias and clip, " +
	"then activations and state update; sequence_lens is not used"

var rnnRules = []Rule{
	{Op: "RNN", Since: 1, Shape: rnnCell.shape, Work: rnnCell.work, Memory: Stream, Class: Contract, Doc: docRecurrent},
	{Op: "GRU", Since: 1, Shape: gruCell.shape, Work: gruCell.work, Memory: Stream, Class: Contract, Doc: docRecurrent},
	{Op: "LSTM", Since: 1, Shape: lstmCell.shape, Work: lstmCell.work, Memory: Stream, Class: Contract, Doc: docRecurrent},
}
