package op

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// Attention over operands that are already projected: com.microsoft's MultiHeadAttention, GroupQueryAttention and the
// forms for decoding, packed batches and paged or sparse caches.

// multiHead says where a form keeps its inputs; -1 where it has none.
type multiHead struct {
	bias, pastKey, pastLength int
	masks                     []int
	shared                    func(*Call) bool // past and present share a buffer of the greatest length
}

var (
	plainMHA = multiHead{bias: 3, pastKey: 6, pastLength: 8, masks: []int{4, 5}, shared: func(c *Call) bool { return c.Has(8) }}
	// decoderMHA takes one query at a time.
	decoderMHA = multiHead{bias: 10, pastKey: 5, pastLength: 7, masks: []int{3, 4},
		shared: func(c *Call) bool { return c.Int("past_present_share_buffer", 0) != 0 }}
)

// mhaGeometry is a node's attention, the elements that get a bias, and the length of the present state.
type mhaGeometry struct {
	attention
	biased, buffer dim.Dim
}

// geometry reads query (batch, sequence, hidden) with key and value of the same form, or of the cache's (batch, heads,
// length, size); or all packed: (batch, sequence, heads, 3, size) in the query, (…, heads, 2, size) in the key, or the
// last axis holding query, key and value in turn.
func (m multiHead) geometry(c *Call) (g mhaGeometry, known bool, err error) {
	heads, err := wantHeads(c, "num_heads")
	if err != nil {
		return g, false, err
	}
	q, knownQ, err := c.wantRank(0, 3, 5)
	if err != nil || !knownQ {
		return g, false, err
	}
	g.heads, g.kvHeads, g.batch, g.q = dim.Const(heads), dim.Const(heads), q[0], q[1]
	key, hasKey, err := m.operand(c, 1, heads)
	if err != nil || !hasKey && c.Has(1) {
		return g, false, err
	}
	value, hasValue, err := m.operand(c, 2, heads)
	if err != nil || !hasValue && c.Has(2) {
		return g, false, err
	}
	g.total = g.q
	switch len(q) {
	case 5: // packed query, key and value
		g.qk = q[4]
	case 4:
		return g, false, c.errorf("input 0 has rank 4, want 3 or 5")
	default:
		hidden := q[2]
		if !hasKey {
			hidden = hidden.FloorDiv(dim.Const(3))
		}
		if g.qk, err = headSize(hidden, heads, 0); err != nil {
			return g, false, err
		}
	}
	g.v = g.qk
	if hasKey {
		if _, err := c.sameDim(g.qk, key.size); err != nil {
			return g, false, c.errorf("head size of input 1 is %v, want %v as input 0", key.size, g.qk)
		}
		g.total = key.length
	}
	if hasValue {
		g.v = value.size
	}
	g.biased = dim.Prod(g.batch, g.heads, g.q.Mul(g.qk).Add(g.total.Mul(g.qk.Add(g.v))))
	g.buffer = g.total
	if past, ok, err := c.optionalRank(m.pastKey, 4); err != nil {
		return g, false, err
	} else if ok {
		g.total, g.buffer = pastAndNew(c, past[2], g.total, m.shared(c), m.pastLength)
	} else if c.Has(m.pastKey) {
		return g, false, nil
	}
	g.perScore = maskOps(c, m.masks...)
	if c.Int("unidirectional", 0) != 0 {
		g.perScore++
	}
	return g, true, nil
}

// operand reads a key or value; ok is false where it is absent or its rank unknown.
func (m multiHead) operand(c *Call, i int, heads int64) (p packedHeads, ok bool, err error) {
	if !c.Has(i) {
		return p, false, nil
	}
	s, known, err := c.wantRank(i, 3, 5)
	if err != nil || !known {
		return p, false, err
	}
	switch len(s) {
	case 3:
		size, err := headSize(s[2], heads, i)
		return packedHeads{s[0], dim.Const(heads), s[1], size}, true, err
	case 4:
		return packedHeads{s[0], s[1], s[2], s[3]}, true, nil
	}
	return packedHeads{s[0], s[2], s[1], s[4]}, true, nil
}

func (m multiHead) shape(c *Call) error {
	g, known, err := m.geometry(c)
	if err != nil {
		return err
	}
	dt := c.typeOf(0)
	c.setOut(0, dt, Shape{g.batch, g.q, g.heads.Mul(g.v)}, known)
	c.setOut(1, dt, Shape{g.batch, g.heads, g.buffer, g.qk}, known)
	c.setOut(2, dt, Shape{g.batch, g.heads, g.buffer, g.v}, known)
	c.setOut(3, dt, Shape{g.batch, g.heads, g.q, g.total}, known)
	return nil
}

func (m multiHead) work(c *Call) Work {
	g, known, err := m.geometry(c)
	if err != nil || !known {
		return Work{}
	}
	w := g.attention.work()
	if c.Has(m.bias) {
		w = w.plus(g.biased, dim.Dim{})
	}
	return w
}

// packedMHA is PackedMultiHeadAttention: query (tokens, hidden) or (tokens, heads, 3, size), token offsets (batch,
// sequence) at input 4. Sequences count at their padded length.
func packedMHA(c *Call) (a attention, tokens dim.Dim, known bool, err error) {
	heads, err := wantHeads(c, "num_heads")
	if err != nil {
		return a, tokens, false, err
	}
	q, knownQ, err := c.wantRank(0, 2, 4)
	if err != nil {
		return a, tokens, false, err
	}
	offsets, knownOff, err := c.wantRank(4, 2, 2)
	if err != nil || !knownQ || !knownOff {
		return a, tokens, false, err
	}
	a = attention{batch: offsets[0], heads: dim.Const(heads), kvHeads: dim.Const(heads), q: offsets[1], total: offsets[1],
		perScore: maskOps(c, 6)}
	if len(q) == 4 {
		a.qk, a.v = q[3], q[3]
		return a, q[0], true, nil
	}
	if a.qk, err = headSize(q[1], heads, 0); err != nil {
		return a, tokens, false, err
	}
	a.v = a.qk
	if v, ok, err := c.optionalRank(2, 2); err != nil {
		return a, tokens, false, err
	} else if ok {
		if a.v, err = headSize(v[1], heads, 2); err != nil {
			return a, tokens, false, err
		}
	}
	return a, q[0], true, nil
}

func packedMHAShape(c *Call) error {
	a, tokens, known, err := packedMHA(c)
	if err != nil {
		return err
	}
	c.setOut(0, c.typeOf(0), Shape{tokens, a.heads.Mul(a.v)}, known)
	return nil
}

func packedMHAWork(c *Call) Work {
	a, tokens, known, err := packedMHA(c)
	if err != nil || !known {
		return Work{}
	}
	w := a.work()
	if c.Has(3) {
		w = w.plus(dim.Prod(tokens, a.heads, a.qk.MulInt(2).Add(a.v)), dim.Dim{})
	}
	return w
}

// grouped says where the attentions with fewer key heads keep their inputs; -1 where they have none.
type grouped struct {
	pastKey, total, cos, scoreBias, norm int
	host                                 uint64 // inputs that only steer
	tokens                               bool   // query is (tokens, hidden)
	paged                                bool   // the cache is (blocks, block size, heads, size), block_table input 7
}

var (
	groupQuery  = grouped{pastKey: 3, total: 6, cos: 7, scoreBias: 10, norm: 14, host: inputs(5, 6)}
	sparseQuery = grouped{pastKey: 3, total: 7, cos: 9, scoreBias: -1, norm: -1, host: inputs(5, 6, 7, 8)}
	pagedQuery  = grouped{pastKey: 3, total: -1, cos: 8, scoreBias: -1, norm: 12, host: inputs(5, 6, 7, 10, 16), tokens: true, paged: true}
)

// groupedGeometry adds the new keys of a call and the length of the present state.
type groupedGeometry struct {
	attention
	added, buffer dim.Dim
}

// geometry reads query, key and value, or all in the query's last axis. The number of keys is the value of the input
// total where it is known, else past and new ones together; a paged cache bounds it by the blocks of a sequence.
func (k grouped) geometry(c *Call) (g groupedGeometry, known bool, err error) {
	heads, err := wantHeads(c, "num_heads")
	if err != nil {
		return g, false, err
	}
	kvHeads, err := wantHeads(c, "kv_num_heads")
	if err != nil {
		return g, false, err
	}
	g.heads, g.kvHeads = dim.Const(heads), dim.Const(kvHeads)
	if err := checkGroups(g.heads, g.kvHeads); err != nil {
		return g, false, err
	}
	rank := 3
	if k.tokens {
		rank = 2
	}
	q, knownQ, err := c.wantRank(0, rank, rank)
	if err != nil || !knownQ {
		return g, false, err
	}
	g.batch, g.q = q[0], q[rank-2]
	if k.tokens { // each token is a query of its own
		g.batch, g.q = dim.Const(1), q[0]
	}
	g.added = g.q
	parts := heads
	if !c.Has(1) {
		parts = heads + 2*kvHeads
	} else if key, ok, err := c.optionalRank(1, rank); err != nil {
		return g, false, err
	} else if ok {
		g.added = key[rank-2]
	}
	if g.qk, err = headSize(q[rank-1], parts, 0); err != nil {
		return g, false, err
	}
	g.v = g.qk
	if n := c.Int("v_head_size", 0); n > 0 {
		g.v = dim.Const(n)
	}
	g.softcap = c.Float("softcap", 0) != 0
	g.perScore = maskOps(c, k.scoreBias)
	if c.Int("causal", 1) != 0 {
		g.perScore++
	}
	return g, true, k.keys(c, &g)
}

// keys sets the number of keys and the length of the present state.
func (k grouped) keys(c *Call, g *groupedGeometry) error {
	g.total, g.buffer = g.added, g.added
	past, ok, err := c.optionalRank(k.pastKey, 4)
	if err != nil {
		return err
	}
	if k.paged {
		if table, has, err := c.wantRank(7, 2, 2); err != nil {
			return err
		} else if has && ok {
			g.total = table[1].Mul(past[1])
		}
		return nil
	}
	if ok {
		g.total, g.buffer = past[2].Add(g.added), past[2].Add(g.added)
	}
	if n, has := scalarInput(c, k.total); has {
		if ok {
			c.require(Cache, n, g.total, past[2])
		}
		g.total, g.buffer = n, n
		if ok { // the buffer never shrinks
			g.buffer = dim.Max(n, past[2])
		}
	}
	return nil
}

func (k grouped) shape(c *Call) error {
	g, known, err := k.geometry(c)
	if err != nil {
		return err
	}
	dt := c.typeOf(0)
	if k.tokens {
		c.setOut(0, dt, Shape{g.q, g.heads.Mul(g.v)}, known)
	} else {
		c.setOut(0, dt, Shape{g.batch, g.q, g.heads.Mul(g.v)}, known)
	}
	for i := 1; i <= 2 && i < len(c.Out); i++ {
		past := c.Input(k.pastKey + i - 1)
		switch {
		case past != nil && (k.paged || !known):
			c.Out[i].SetType(past)
		case past != nil && past.Ranked: // a quantised cache keeps its type and its packed head size
			c.setOut(i, past.DType, append(append(Shape{}, g.batch, g.kvHeads, g.buffer), past.Shape[3]), true)
		default:
			c.setOut(i, dt, Shape{g.batch, g.kvHeads, g.buffer, g.qk}, known)
		}
	}
	c.setOut(3, dt, Shape{g.batch, g.heads, g.q, g.total}, known)
	return nil
}

// work adds the rotation of queries and new keys (attribute do_rotary) and their normalisation.
func (k grouped) work(c *Call) Work {
	g, known, err := k.geometry(c)
	if err != nil || !known {
		return Work{}
	}
	w := g.attention.work()
	queries, keys := dim.Prod(g.batch, g.heads, g.q), dim.Prod(g.batch, g.kvHeads, g.added)
	if c.Int("do_rotary", 0) != 0 {
		w = w.plus(queries.Add(keys).Mul(g.qk).MulInt(rotaryOps), dim.Dim{})
	}
	if k.norm >= 0 && c.Has(k.norm) {
		n := rootMeanSquare(queries.Add(keys).Mul(g.qk), queries.Add(keys), 1)
		w = w.plus(n.Vector, n.Special)
	}
	return w
}

// traffic reads of the rotary caches only the rows of the new positions.
func (k grouped) traffic(c *Call) (read, written dim.Dim) {
	read, written = streamed(c, k.host|inputs(k.cos, k.cos+1))
	g, known, err := k.geometry(c)
	for i := k.cos; i <= k.cos+1 && known && err == nil; i++ {
		if v := c.Input(i); v != nil && v.Ranked && len(v.Shape) == 2 {
			row := dim.Prod(g.batch, g.added, v.Shape[1])
			read = read.Add(row.MulInt(int64(v.DType.Bits())).CeilDiv(dim.Const(8)))
		}
	}
	return read, written
}

const docGrouped = docAttention + "; local_window_size is not used; rotation 3 per element of queries and new keys"

var msMHARules = []Rule{
	ms(Rule{Op: "MultiHeadAttention", Shape: plainMHA.shape, Work: plainMHA.work, Class: Contract, HostInputs: inputs(8),
		Doc: docAttention + "; 1 per element for the bias of the projections"}),
	ms(Rule{Op: "DecoderMaskedMultiHeadAttention", Shape: decoderMHA.shape, Work: decoderMHA.work, Class: Contract, HostInputs: inputs(7, 8),
		Doc: docAttention + "; 1 per element for the bias of the projections"}),
	ms(Rule{Op: "PackedMultiHeadAttention", Shape: packedMHAShape, Work: packedMHAWork, Class: Contract,
		Doc: docAttention + "; sequences count at their padded length; 1 per element for the bias"}),
	ms(Rule{Op: "GroupQueryAttention", Shape: groupQuery.shape, Work: groupQuery.work, Class: Contract, Traffic: groupQuery.traffic,
		HostInputs: groupQuery.host, Scales: inputs(12, 13), Doc: docGrouped + "; the keys are input 6 where it is known, else past and new"}),
	ms(Rule{Op: "SparseAttention", Shape: sparseQuery.shape, Work: sparseQuery.work, Class: Contract, Traffic: sparseQuery.traffic,
		HostInputs: sparseQuery.host, Doc: docGrouped + "; an upper bound: the block mask is data"}),
	ms(Rule{Op: "PagedAttention", Shape: pagedQuery.shape, Work: pagedQuery.work, Class: Contract, Traffic: pagedQuery.traffic,
		HostInputs: pagedQuery.host, Scales: inputs(14, 15), Doc: docGrouped + "; an upper bound: every token reads all blocks of a sequence"}),
}
