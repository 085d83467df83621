package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Attention operators of the standard.

// sdpa reads the operands of Attention (opset 23): Q, K, V with three axes (heads packed, attributes q_num_heads and
// kv_num_heads) or four, the optional past of K and V.
func sdpa(c *Call) (a attention, known bool, err error) {
	q, okQ, err := heads4(c, 0, "q_num_heads")
	if err != nil {
		return a, false, err
	}
	k, okK, err := heads4(c, 1, "kv_num_heads")
	if err != nil {
		return a, false, err
	}
	v, okV, err := heads4(c, 2, "kv_num_heads")
	if err != nil || !okQ || !okK || !okV {
		return a, false, err
	}
	if _, err := c.sameDim(q.size, k.size); err != nil {
		return a, false, c.errorf("head size of input 1 is %v, want %v as input 0", k.size, q.size)
	}
	if err := checkGroups(q.heads, k.heads); err != nil {
		return a, false, err
	}
	a = attention{batch: q.batch, heads: q.heads, kvHeads: k.heads, q: q.length, total: k.length, qk: q.size, v: v.size,
		softcap: c.Float("softcap", 0) != 0}
	if past, ok, err := c.optionalRank(4, 4); err != nil {
		return a, false, err
	} else if ok {
		a.total = a.total.Add(past[2])
	} else if c.Has(4) {
		return a, false, nil
	}
	for _, i := range []int{3, 6} { // mask, valid lengths
		if c.Has(i) {
			a.perScore++
		}
	}
	if c.Int("is_causal", 0) != 0 {
		a.perScore++
	}
	return a, true, nil
}

// optionalRank is the shape of input i where it is present and of known rank, which has to be rank.
func (c *Call) optionalRank(i, rank int) (s Shape, ok bool, err error) {
	if !c.Has(i) {
		return nil, false, nil
	}
	return c.wantRank(i, rank, rank)
}

// attentionShape types Y like Q with the head size of V, the joined keys and values, and the scores.
func attentionShape(c *Call) error {
	a, known, err := sdpa(c)
	if err != nil {
		return err
	}
	var y Shape
	if known {
		y = Shape{a.batch, a.heads, a.q, a.v}
		if len(c.In[0].Shape) == 3 {
			y = Shape{a.batch, a.q, a.heads.Mul(a.v)}
		}
	}
	c.setOut(0, c.typeOf(0), y, known)
	c.setOut(1, c.typeOf(1), Shape{a.batch, a.kvHeads, a.total, a.qk}, known)
	c.setOut(2, c.typeOf(2), Shape{a.batch, a.kvHeads, a.total, a.v}, known)
	c.setOut(3, c.typeOf(0), Shape{a.batch, a.heads, a.q, a.total}, known)
	return nil
}

func attentionWork(c *Call) Work {
	a, known, err := sdpa(c)
	if err != nil || !known {
		return Work{}
	}
	return a.work()
}

// flexShape is FlexAttention: rank-4 operands, graphs that change scores and probabilities.
func flexShape(c *Call) error {
	for i := range 3 {
		if _, _, err := c.wantRank(i, 4, 4); err != nil {
			return err
		}
	}
	a, known, err := sdpa(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(0), Shape{a.batch, a.heads, a.q, a.v}, known)
	if !known {
		return nil
	}
	for _, name := range []string{"score_mod", "mask_mod", "prob_mod"} {
		if c.HasAttr(name) {
			if err := runModifier(c, name, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// runModifier infers a graph of FlexAttention. With one input it maps the whole score tensor at once; with five
// (score, batch, head, query, key) or, for the mask, four it runs for every score.
func runModifier(c *Call, name string, a attention) error {
	g, err := c.Graph(name)
	if err != nil {
		return err
	}
	in := make([]*Value, len(g.Inputs))
	times := a.scores()
	for i := range in {
		in[i] = &Value{Name: g.Inputs[i].Name}
		in[i].SetTensor(onnx.Int64, Shape{})
	}
	switch len(in) {
	case 1:
		in[0].SetTensor(c.typeOf(0), Shape{a.batch, a.heads, a.q, a.total})
		times = dim.Const(1)
	case 4:
	case 5:
		in[0].DType = c.typeOf(0)
	default:
		return c.errorf("attribute %s is a graph with %d inputs, want 1, 4 or 5", name, len(in))
	}
	body, err := c.Engine.Infer(g, in)
	if err != nil {
		return err
	}
	c.Engine.Run(body, times)
	return nil
}

// flexWork counts the attention itself; the graphs count as bodies. The mask of a mask_mod is one selection a score.
func flexWork(c *Call) Work {
	a, known, err := sdpa(c)
	if err != nil || !known {
		return Work{}
	}
	if c.HasAttr("mask_mod") {
		a.perScore++
	}
	return a.work()
}

// rotaryShape keeps the input and checks the attribute that names the rotated part of each head.
func rotaryShape(c *Call) error {
	if _, _, err := c.wantRank(0, 3, 4); err != nil {
		return err
	}
	if n := c.Int("rotary_embedding_dim", 0); n < 0 || n%2 != 0 {
		return c.errorf("attribute rotary_embedding_dim is %d, want an even number", n)
	}
	return sameShape(c)
}

// rotated is the number of elements of input 0 that are rotated, and how many positions they hold.
func rotated(c *Call) (elements, positions dim.Dim, ok bool) {
	x := c.In[0]
	if !x.Ranked {
		return elements, positions, false
	}
	s := x.Shape
	elements = s.Elements()
	size, length := dim.Dim{}, dim.Dim{}
	if len(s) == 4 {
		length, size = s[2], s[3]
	} else {
		length = s[1]
		if n := c.Int("num_heads", 0); n > 0 {
			size = s[2].FloorDiv(dim.Const(n))
		}
	}
	if part := c.Int("rotary_embedding_dim", 0); part > 0 && !size.Is(0) {
		elements = elements.MulInt(part).FloorDiv(size)
	}
	return elements, s[0].Mul(length), true
}

// rotaryWork: each rotated element is two products and a sum.
func rotaryWork(c *Call) Work {
	n, _, ok := rotated(c)
	if !ok {
		return Work{}
	}
	return Work{Vector: n.MulInt(rotaryOps)}
}

// rotaryTraffic reads of both caches (cos and sin: inputs first and first+1) only the row of each position.
func rotaryTraffic(first int, ids int) func(*Call) (read, written dim.Dim) {
	return func(c *Call) (read, written dim.Dim) {
		read, _ = c.In[0].Bytes()
		written, _ = c.Out[0].Bytes()
		if v := c.Input(ids); v != nil {
			if b, ok := v.Bytes(); ok {
				read = read.Add(b)
			}
		}
		_, positions, ok := rotated(c)
		for i := first; i <= first+1 && ok; i++ {
			if v := c.Input(i); v != nil && v.Ranked && len(v.Shape) > 0 {
				row := positions.Mul(v.Shape[len(v.Shape)-1])
				read = read.Add(row.MulInt(int64(v.DType.Bits())).CeilDiv(dim.Const(8)))
			}
		}
		return read, written
	}
}

// linearState is LinearAttention: a state of qk×v per key head that every step updates and every query head reads.
// com.microsoft's operator also lets several key heads share a query head.
func linearState(c *Call) (a attention, known bool, err error) {
	for i := range 3 {
		if _, _, err := c.wantRank(i, 3, 3); err != nil {
			return a, false, err
		}
	}
	q, okQ, err := heads4(c, 0, "q_num_heads")
	if err != nil {
		return a, false, err
	}
	v, okV, err := heads4(c, 2, "kv_num_heads")
	if err != nil || !okQ || !okV {
		return a, false, err
	}
	a = attention{batch: q.batch, heads: dim.Max(q.heads, v.heads), kvHeads: v.heads, q: q.length, qk: q.size, v: v.size}
	if checkGroups(v.heads, q.heads) == nil {
		return a, true, nil
	}
	return a, true, checkGroups(q.heads, v.heads)
}

func linearAttentionShape(c *Call) error {
	a, known, err := linearState(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(0), Shape{a.batch, a.q, a.heads.Mul(a.v)}, known)
	stateType := c.typeOf(0)
	if past := c.Input(3); past != nil {
		stateType = past.DType
	}
	c.setOut(1, stateType, stateWindow(c, Shape{a.batch, a.kvHeads, a.qk, a.v}), known)
	return nil
}

// stateWindow puts the number of kept states in front, where com.microsoft's attribute state_window asks for them.
func stateWindow(c *Call, s Shape) Shape {
	if w := c.Int("state_window", 0); w > 0 {
		return append(Consts(w), s...)
	}
	return s
}

// linearAttentionWork counts, per step and key head, the update S += k⊗v and for every query head the read qᵀS; the
// delta rules also retrieve Sᵀk (2 per element of v for the difference and beta), the gated ones decay the state (one
// product per element) by exponentials of the decay input.
func linearAttentionWork(c *Call) Work {
	a, known, err := linearState(c)
	if err != nil || !known {
		return Work{}
	}
	return a.recurrence(c, c.Input(4))
}

// recurrence is the work of a state of qk×v per key head that q steps update by the attribute update_rule.
func (a attention) recurrence(c *Call, decay *Value) Work {
	states := a.batch.Mul(a.kvHeads)
	one := dim.Const(1)
	step := func(m, n, k dim.Dim) Contraction {
		return Contraction{Kind: RecurrentKind, Batch: a.q, Groups: states, M: m, N: n, K: k, Weight: -1}
	}
	cs := []Contraction{step(a.qk, a.v, one), step(a.heads.FloorDiv(a.kvHeads), a.v, a.qk)}
	rule := c.Str("update_rule", "gated_delta")
	delta := rule == "delta" || rule == "gated_delta"
	if delta {
		cs = append(cs, step(one, a.v, a.qk))
	}
	w := contractions(cs...)
	steps := states.Mul(a.q)
	w = w.plus(dim.Prod(a.batch, a.heads, a.q, a.v), dim.Dim{}) // scale
	if delta {
		w = w.plus(steps.Mul(a.v).MulInt(2), dim.Dim{})
	}
	if rule == "gated" || rule == "gated_delta" {
		w = w.plus(dim.Prod(steps, a.qk, a.v), dim.Dim{})
		if n, ok := decay.Elements(); ok {
			w = w.plus(dim.Dim{}, n)
		}
	}
	return w
}

const (
	docAttention = "heads·q·total·(head+v head) MACs, masks save nothing; per score 4 (scale, softmax) and 2 special, " +
		"2 and a tanh for softcap, 1 for each mask or bias"
	docLinearAttention = "per step a MAC per state element and key head to update (twice for the delta rules) and per query head to read; " +
		"decay, difference, beta and scale 1 each, exp special"
)

var attentionRules = []Rule{
	{Op: "Attention", Since: 23, Shape: attentionShape, Work: attentionWork, Memory: Stream, Class: Contract,
		HostInputs: inputs(6), Doc: docAttention},
	{Domain: "ai.onnx.preview", Op: "FlexAttention", Since: 1, Shape: flexShape, Work: flexWork, Memory: Stream, Class: Contract,
		Doc: docAttention + "; score_mod, mask_mod and prob_mod count as bodies"},
	{Op: "RotaryEmbedding", Since: 23, Shape: rotaryShape, Work: rotaryWork, Memory: Stream, Class: Elementwise,
		Traffic: rotaryTraffic(1, 3), Doc: docRotary},
	{Op: "LinearAttention", Since: 27, Shape: linearAttentionShape, Work: linearAttentionWork, Memory: Stream, Class: Contract,
		Doc: docLinearAttention},
	{Op: "SwiGLU", Since: 28, Shape: broadcastShape, Work: perOutput(swigluVector, swigluSpecial), Memory: Stream, Class: Elementwise,
		InPlace: inputs(0, 1), Doc: "swish of the first input (4 and 2 special) times the second (1)"},
}
