package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// The rest of com.microsoft. Sources: ContribOperators.md, bert_defs.cc and attn_lstm_schema_defs.cc of ONNX Runtime.

// fairAttention is DecoderAttention, fairseq's decoder layer: query (sequence, batch, hidden), key of the encoder (total,
// batch, hidden), caches (batch, heads, length, size). Bool scalars say whether it attends to the encoder (input 8) and
// whether it reads the cache (9).
type fairAttention struct {
	attention
	hidden, projected dim.Dim // projected are the rows that become keys and values
}

func readFairAttention(c *Call) (g fairAttention, known bool, err error) {
	q, knownQ, err := c.wantRank(0, 3, 3)
	if err != nil {
		return g, false, err
	}
	k, knownK, err := c.wantRank(1, 3, 3)
	if err != nil || !knownQ || !knownK {
		return g, false, err
	}
	heads, err := wantHeads(c, "num_heads")
	if err != nil {
		return g, false, err
	}
	g.attention = attention{batch: q[1], heads: dim.Const(heads), q: q[0], perScore: maskOps(c, 5)}
	g.hidden = q[2]
	if g.qk, err = headSize(q[2], heads, 0); err != nil {
		return g, false, err
	}
	g.v = g.qk
	var cached dim.Dim
	if past, ok, err := c.optionalRank(6, 4); err != nil {
		return g, false, err
	} else if ok {
		cached = past[2]
	}
	cross, knownCross := scalar(c.Input(8))
	past, knownPast := scalar(c.Input(9))
	if !knownCross || !knownPast {
		g.total = dim.Max(k[0], q[0].Add(cached))
		g.projected = dim.Max(k[0], q[0])
		return g, true, nil
	}
	fromEncoder, fromCache := !cross.Equal(IntOf(0)), !past.Equal(IntOf(0))
	switch {
	case fromEncoder && fromCache:
		g.total = cached
	case fromEncoder:
		g.total, g.projected = k[0], k[0]
	case fromCache:
		g.total, g.projected = cached.Add(q[0]), q[0]
	default:
		g.total, g.projected = q[0], q[0]
	}
	return g, true, nil
}

func fairAttentionShape(c *Call) error {
	g, known, err := readFairAttention(c)
	if err != nil {
		return err
	}
	if err := sameShape(c); err != nil {
		return err
	}
	for _, i := range []int{1, 2} {
		c.setOut(i, c.typeOf(0), Shape{g.batch, g.heads, g.total, g.qk}, known)
	}
	return nil
}

func fairAttentionWork(c *Call) Work {
	g, known, err := readFairAttention(c)
	if err != nil || !known {
		return Work{}
	}
	w := g.attention.work()
	for i, rows := range []dim.Dim{g.q, g.projected} {
		if rows.Is(0) {
			continue
		}
		ct := Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: rows.Mul(g.batch), N: g.hidden.MulInt(int64(1 + i)), K: g.hidden, Weight: 2 + i}
		w.Contraction = append(w.Contraction, ct)
		w.MACs = w.MACs.Add(ct.MACs())
		w = w.plus(ct.M.Mul(ct.N), dim.Dim{})
	}
	return w
}

// attnLSTM sees the operands of AttnLSTM as LSTM has them: the input that its weights are for is that of the node joined
// with the attention of the step before.
func attnLSTM(c *Call) (*Call, error) {
	x, known, err := c.wantRank(0, 3, 3)
	if err != nil {
		return nil, err
	}
	w, knownW, err := c.wantRank(1, 3, 3)
	if err != nil {
		return nil, err
	}
	in := append([]*Value{}, c.In[:min(len(c.In), 8)]...)
	if known && knownW {
		joined := &Value{}
		joined.SetTensor(c.typeOf(0), Shape{x[0], x[1], w[2]})
		in[0] = joined
	}
	return &Call{Node: c.Node, Opset: c.Opset, In: in, Out: c.Out, Engine: c.Engine}, nil
}

func attnLSTMShape(c *Call) error {
	inner, err := attnLSTM(c)
	if err != nil {
		return err
	}
	for i, rank := range map[int]int{8: 3, 9: 3, 10: 2, 11: 3, 13: 3} {
		if c.Has(i) {
			if _, _, err := c.wantRank(i, rank, rank); err != nil {
				return err
			}
		}
	}
	return lstmCell.shape(inner)
}

// attnLSTMWork adds to the cell Bahdanau's attention of every step: the query layer, tanh(keys + query) · V, the softmax,
// the context, and the attention layer; the keys are made once.
func attnLSTMWork(c *Call) Work {
	inner, err := attnLSTM(c)
	if err != nil {
		return Work{}
	}
	w := lstmCell.work(inner)
	g, known, err := lstmCell.geometry(inner)
	memory, qw := c.Input(11), c.Input(8)
	if err != nil || !known || memory == nil || qw == nil || !memory.Ranked || !qw.Ranked || len(memory.Shape) != 3 || len(qw.Shape) != 3 {
		return w
	}
	one, dirs := dim.Const(1), dim.Const(g.directions)
	length, depth, size := memory.Shape[1], memory.Shape[2], qw.Shape[2]
	add := func(ct Contraction) {
		w.Contraction = append(w.Contraction, ct)
		w.MACs = w.MACs.Add(ct.MACs())
	}
	add(Contraction{Kind: MatMulKind, Batch: one, Groups: dirs, M: g.batch.Mul(length), N: size, K: depth, Weight: 9})
	add(Contraction{Kind: RecurrentKind, Batch: g.steps, Groups: dirs, M: g.batch, N: size, K: g.hidden, Weight: 8})
	add(Contraction{Kind: AttentionKind, Batch: g.steps.Mul(g.batch), Groups: dirs, M: one, N: length, K: size, Weight: 10})
	add(Contraction{Kind: AttentionKind, Batch: g.steps.Mul(g.batch), Groups: dirs, M: one, N: depth, K: length, Weight: -1})
	if aw := c.Input(13); aw != nil && aw.Ranked && len(aw.Shape) == 3 {
		add(Contraction{Kind: RecurrentKind, Batch: g.steps, Groups: dirs, M: g.batch, N: aw.Shape[2], K: aw.Shape[1], Weight: 13})
	}
	scores := dim.Prod(g.steps, g.batch, dirs, length)
	return w.plus(scores.Mul(size.AddInt(3)), scores.Mul(size.AddInt(2)))
}

// sparseMatMulShape is SparseToDenseMatMul: a sparse matrix by a dense one.
func sparseMatMulShape(c *Call) error {
	a, known, err := c.wantRank(0, 2, 2)
	if err != nil {
		return err
	}
	b, knownB, err := c.wantRank(1, 2, 2)
	if err != nil {
		return err
	}
	if !known || !knownB {
		c.setOut(0, c.typeOf(1), nil, false)
		return nil
	}
	m, k, kb, n := a[0], a[1], b[0], b[1]
	if c.Int("transA", 0) != 0 {
		m, k = k, m
	}
	if c.Int("transB", 0) != 0 {
		kb, n = n, kb
	}
	if _, err := c.sameDim(k, kb); err != nil {
		return c.errorf("input 1 has %v rows, want %v as input 0 has columns", kb, k)
	}
	c.setOut(0, c.typeOf(1), Shape{m, n}, true)
	return nil
}

// sparseMatMulWork counts the product of dense matrices, the upper bound: how many elements are stored is data.
func sparseMatMulWork(c *Call) Work {
	a, out := c.Input(0), c.Out[0]
	if a == nil || !a.Ranked || !out.Ranked || len(a.Shape) != 2 {
		return Work{}
	}
	k := a.Shape[1]
	if c.Int("transA", 0) != 0 {
		k = a.Shape[0]
	}
	return contractions(Contraction{Kind: MatMulKind, Batch: dim.Const(1), Groups: dim.Const(1), M: out.Shape[0], N: out.Shape[1], K: k, Weight: 1})
}

// hashVector: 2n-1 operations for the n-gram of each order from 2 up, which are max²-1 in all, then a remainder for each
// head.
const hashVector = "places*(max_ngram_size^2 - 1) + (1 + offsets.given)*places*hashes"

const docHash = "a product and an exclusive or per token of every n-gram, a remainder per head"

func msRareRules() []Rule {
	return []Rule{
		ms(Rule{Op: "DecoderAttention", Shape: fairAttentionShape, Work: fairAttentionWork, Class: Contract, HostInputs: inputs(8, 9, 10, 11),
			Doc: "the projections that the flags ask for, with bias; attention in full: per score 4, mask 1, 2 special; of unknown flags the costlier"}),
		ms(Rule{Op: "AttnLSTM", Shape: attnLSTMShape, Work: attnLSTMWork, Class: Contract,
			Doc: docRecurrent + "; per step Bahdanau's attention: query layer, tanh(keys + query)·V, softmax, context, attention layer; the keys once"}),
		ms(Rule{Op: "SparseToDenseMatMul", Shape: sparseMatMulShape, Work: sparseMatMulWork, Class: Contract,
			Doc: "M·N·K MACs as if the matrix were dense, an upper bound: how many elements it stores is data"}),
		defined(msDomain, "EngramGate", "key[B,S,M,H] query[B,S,M,H] value[B,S,H] sk[M,H] sq[M,H] sv[M,H]?", "", "rows = B*S*M", "key like key key like key", Definition{
			Class: Normalization, Vector: "rows*(11*H + 10) + sv.given*rows*(4*H + 2)", Special: "7*rows + 2*sv.given*rows",
			Doc: "two RMS norms (4 per element, 2 and 2 special per row), their dot product, the gate (6 and 3 special per row), its product; a third norm for the second output"}),
		defined(msDomain, "NGramHashMapping", "ids[B,S] multipliers~ sizes~ past[B,_]? offsets~? eos~? segments[B,S]? pastsegments[B,_]?",
			"max_ngram_size n_head_per_ngram", "hashes = (max_ngram_size - 1)*n_head_per_ngram; places = B*S",
			"ids[B,S,hashes] ids[B,max_ngram_size - 1] int32[B,max_ngram_size - 1]", Definition{Vector: hashVector, Doc: docHash}),
		defined(msDomain, "VarlenNGramHashMapping", "ids[places] multipliers~ sizes~ starts[L] past[B,_]? offsets~? eos~? segments[places]? pastsegments[B,_]?",
			"max_ngram_size n_head_per_ngram", "hashes = (max_ngram_size - 1)*n_head_per_ngram",
			"ids[places,hashes] ids[L - 1,max_ngram_size - 1] int32[L - 1,max_ngram_size - 1]", Definition{Vector: hashVector, Doc: docHash}),
		defined(msDomain, "VarlenCausalConvWithState", "x[T,C] w[C,1,K] starts[L]~ bias[C]? state[L - 1,C,(K - 1)*dilation] captures?",
			"dilation=1 state_update_capacity=0 activation=none{none:0,silu:1,swish:1,:0}", "",
			"x like x x[L - 1,C,(K - 1)*dilation]! x[L - 1,state_update_capacity,C]", Definition{
				Products: []DefinedProduct{{Kind: ConvKind, M: "T", N: "1", K: "K", Groups: "C", Weight: "w", Window: []string{"K"}, Strides: []string{"1"}, Dilation: []string{"dilation"}}},
				Vector:   "T*C*(bias.given + 3*activation)", Special: "2*T*C*activation", Doc: docCausalConv}),
		ms(Rule{Op: "SampleOp", Shape: sameShape, Work: noWork, Class: Movement, Doc: "copies its input"}),
	}
}

// Opaque says what an operator hides from its graph, "" where it hides nothing: what it computes and gives is not known,
// and no rule can say it.
func Opaque(domain, name string) string {
	switch (ruleKey{domain, name}) {
	case ruleKey{msDomain, "EPContext"}:
		return "a part that an execution provider compiled"
	case ruleKey{msDomain, "Snpe"}:
		return "a network compiled for SNPE"
	}
	return ""
}
