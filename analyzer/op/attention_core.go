package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// attention is the geometry that all attention operators share: queries of length q against total keys.
type attention struct {
	batch          dim.Dim
	heads, kvHeads dim.Dim
	q, total       dim.Dim // sequence lengths
	qk, v          dim.Dim // head sizes
	perScore       int64   // vector operations per score besides scale and softmax: masks, biases
	softcap        bool    // cap·tanh(score/cap)
}

// scores is the number of elements of QKᵀ.
func (a attention) scores() dim.Dim { return dim.Prod(a.batch, a.heads, a.q, a.total) }

// work counts QKᵀ and PV in full: a causal or padding mask saves nothing here, because runtimes differ in how much
// of it they skip. Per score: the scale, the softmax (3 and 2 special), a soft cap (2 and a tanh), masks and biases.
func (a attention) work() Work {
	heads := a.batch.Mul(a.heads)
	w := contractions(
		Contraction{Kind: AttentionKind, Batch: heads, Groups: dim.Const(1), M: a.q, N: a.total, K: a.qk, Weight: -1},
		Contraction{Kind: AttentionKind, Batch: heads, Groups: dim.Const(1), M: a.q, N: a.v, K: a.total, Weight: -1},
	)
	vector, special := 4+a.perScore, int64(2)
	if a.softcap {
		vector, special = vector+2, special+1
	}
	n := a.scores()
	return w.plus(n.MulInt(vector), n.MulInt(special))
}

// headSize divides a hidden extent by its number of heads.
func headSize(hidden dim.Dim, heads int64, input int) (dim.Dim, error) {
	if n, ok := hidden.Value(); ok && n%heads != 0 {
		return dim.Dim{}, fmt.Errorf("input %d has hidden size %d, want a multiple of its %d heads", input, n, heads)
	}
	return hidden.FloorDiv(dim.Const(heads)), nil
}

// wantHeads reads a positive number-of-heads attribute.
func wantHeads(c *Call, name string) (int64, error) {
	n := c.Int(name, 0)
	if n < 1 {
		return 0, fmt.Errorf("attribute %s is %d, want at least 1", name, n)
	}
	return n, nil
}

// packedHeads is a tensor seen as (batch, heads, length, head size).
type packedHeads struct{ batch, heads, length, size dim.Dim }

// heads4 reads input i as (batch, heads, length, size), or as (batch, length, heads·size) with the number of heads in
// the named attribute. ok is false where its rank is not known.
func heads4(c *Call, i int, attr string) (p packedHeads, ok bool, err error) {
	s, known, err := c.wantRank(i, 3, 4)
	if err != nil || !known {
		return p, false, err
	}
	if len(s) == 4 {
		return packedHeads{s[0], s[1], s[2], s[3]}, true, nil
	}
	n, err := wantHeads(c, attr)
	if err != nil {
		return p, false, err
	}
	size, err := headSize(s[2], n, i)
	return packedHeads{s[0], dim.Const(n), s[1], size}, true, err
}

// checkGroups refuses query heads that the key heads do not divide.
func checkGroups(q, kv dim.Dim) error {
	a, ok1 := q.Value()
	b, ok2 := kv.Value()
	if ok1 && ok2 && (b < 1 || a%b != 0) {
		return fmt.Errorf("%d query heads over %d key heads, want a multiple", a, b)
	}
	return nil
}

// rotaryOps are the operations per rotated element: two products and a sum.
const rotaryOps = 3

const docRotary = "3 per rotated element (two products, a sum); caches are read by position"
