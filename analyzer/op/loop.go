package op

import (
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// maxUnroll bounds the trips of a Loop, and the items of a SequenceMap, that are inferred one by one.
const maxUnroll = 64

// maxUnrolledNodes bounds the nodes that this takes.
const maxUnrolledNodes = 1 << 14

// loop is one Loop node while its rule runs. The body takes (iteration, condition, carried…) and gives (condition,
// carried…, scans…).
type loop struct {
	*Call
	body    *onnx.Graph
	initial []*Value
	scans   int

	max      dim.Dim // trip count in input 0, when bounded
	bounded  bool
	maxKnown bool // max holds; otherwise input 0 is there and unknown
	cond     Num  // the condition before the first trip
}

func loopShape(c *Call) error {
	g, err := c.Graph("body")
	if err != nil {
		return err
	}
	l := &loop{Call: c, body: g, cond: boolOf(true)}
	for i := 2; i < len(c.In); i++ {
		v, err := c.want(i)
		if err != nil {
			return err
		}
		l.initial = append(l.initial, v)
	}
	if l.scans = len(c.Out) - len(l.initial); l.scans < 0 {
		return c.errorf("%d outputs, want at least the %d carried values", len(c.Out), len(l.initial))
	}
	if v := c.Input(0); v != nil {
		l.bounded = true
		n, _ := scalar(v)
		l.max, l.maxKnown = n.Dim()
	}
	if v := c.Input(1); v != nil {
		n, _ := scalar(v)
		l.cond = toBool(n)
	}
	return l.infer()
}

func (l *loop) infer() error {
	most, constant := l.max.Value()
	constant = constant && l.bounded && l.maxKnown
	runs, known := l.cond.Int64()
	if constant && most <= 0 || known && runs == 0 {
		return l.never()
	}
	affordable := min(maxUnroll, int64(maxUnrolledNodes/max(len(l.body.Nodes), 1)))
	if constant && most <= affordable && known {
		if done, err := l.unroll(most); done || err != nil {
			return err
		}
		return l.generic()
	}
	if known && (constant || !l.bounded) { // a while loop may still come to its end soon
		b, err := l.trip(Num{}, typesOf(l.initial))
		if err != nil {
			return err
		}
		if _, always := scalar(b.Outputs[0]); !always {
			if done, err := l.unroll(affordable); done || err != nil {
				return err
			}
		}
	}
	return l.generic()
}

// inputs are the values of the body's inputs in one trip.
func (l *loop) inputs(iteration Num, carried []*Value) []*Value {
	i, cond := &Value{}, &Value{}
	i.SetTensor(onnx.Int64, Shape{})
	if iteration.Known() {
		i.Data = &Data{Nums: []Num{iteration}}
	}
	cond.SetTensor(onnx.Bool, Shape{})
	cond.Data = &Data{Nums: []Num{boolOf(true)}} // or the body would not run
	in := []*Value{i, cond}
	for _, v := range carried {
		in = append(in, asData(v))
	}
	return in
}

// asData is a value as a body gets it that runs several times: of the same type and elements, and no constant, since no
// runtime computes what one trip makes of it before the first run.
func asData(v *Value) *Value {
	d := &Value{}
	v.Elems() // a stored constant is read here or never
	d.SetType(v)
	d.Data = v.Data
	return d
}

func (l *loop) trip(iteration Num, carried []*Value) (*Body, error) {
	b, err := l.Engine.Infer(l.body, l.inputs(iteration, carried))
	if err != nil {
		return nil, err
	}
	if want := 1 + len(l.Out); len(b.Outputs) != want {
		return nil, l.errorf("the body has %d outputs, want %d", len(b.Outputs), want)
	}
	return b, nil
}

// never is a loop whose body does not run: the initial values, and scans of extent 0.
func (l *loop) never() error {
	b, err := l.trip(Num{}, typesOf(l.initial))
	if err != nil {
		return err
	}
	for i, v := range l.initial {
		l.Out[i].take(v)
	}
	for i := range l.scans {
		l.setScan(i, dim.Const(0), b.Outputs[1+len(l.initial)+i])
	}
	return nil
}

func (l *loop) setScan(i int, trips dim.Dim, elem *Value) {
	out := l.Out[len(l.initial)+i]
	if !elem.Ranked {
		out.SetUnranked(elem.DType)
		return
	}
	out.SetTensor(elem.DType, append(Shape{trips}, elem.Shape...))
}

// unroll infers trip by trip with everything that is known. done is false, and nothing is recorded, where a condition
// is not known or the loop does not end within the limit.
func (l *loop) unroll(limit int64) (done bool, err error) {
	most, constant := l.max.Value()
	exact := l.bounded && l.maxKnown && constant && most <= limit
	var runs bodyRuns
	carried := l.initial
	scans := make([][]*Value, l.scans)
	ended := false
	for i := range limit {
		b, err := l.trip(IntOf(i), carried)
		if err != nil {
			return false, err
		}
		runs.add(b)
		carried = b.Outputs[1 : 1+len(l.initial)]
		for k := range scans {
			scans[k] = append(scans[k], b.Outputs[1+len(l.initial)+k])
		}
		cond, _ := scalar(b.Outputs[0])
		goOn, known := toBool(cond).Int64()
		if !known {
			if exact && i+1 == limit {
				break // the trip count ends it anyway
			}
			return false, nil
		}
		if ended = goOn == 0; ended {
			break
		}
	}
	if !ended && !exact {
		return false, nil
	}
	runs.record(l.Call)
	for i, v := range carried {
		l.Out[i].take(v)
	}
	for k, items := range scans {
		l.stackScans(k, items)
	}
	return true, nil
}

// stackScans joins one scan output over all trips.
func (l *loop) stackScans(k int, items []*Value) {
	elem := common(items)
	l.setScan(k, dim.Const(int64(len(items))), elem)
	out := l.Out[len(l.initial)+k]
	var nums []Num
	for _, it := range items {
		e := it.Elems()
		if e == nil || len(nums)+len(e) > maxElems {
			return
		}
		nums = append(nums, e...)
	}
	if out.Ranked {
		out.Data = &Data{Nums: nums}
	}
}

// generic infers the body once for all trips: with carried types that every trip keeps.
func (l *loop) generic() error {
	f := fixpoint{Call: l.Call, graph: l.body, first: 1, initial: l.initial, inputs: func(carried []*Value) []*Value {
		return l.inputs(Num{}, carried)
	}}
	if err := f.run(); err != nil {
		return err
	}
	if want := 1 + len(l.Out); len(f.body.Outputs) != want {
		return l.errorf("the body has %d outputs, want %d", len(f.body.Outputs), want)
	}
	trips, counters, err := l.trips(&f)
	if err != nil {
		return err
	}
	l.Engine.Run(f.body, trips)
	for i := range l.initial {
		l.Out[i].take(f.final(i, trips))
		if d := counters.after(i, trips); d != nil && l.Out[i].Data == nil {
			l.Out[i].Data = d
		}
	}
	for i := range l.scans {
		l.setScan(i, trips, f.body.Outputs[1+len(l.initial)+i])
	}
	return nil
}

// typesOf copies the types of values without elements or provenance.
func typesOf(vs []*Value) []*Value {
	out := make([]*Value, len(vs))
	for i, v := range vs {
		out[i] = &Value{}
		out[i].SetType(v)
	}
	return out
}

// fixpoint infers a body whose carried outputs become its next inputs, until their types stay: extents that change
// from trip to trip become fresh symbols, elements that change are forgotten.
type fixpoint struct {
	*Call
	graph   *onnx.Graph
	first   int // the body's output that is the first carried value
	initial []*Value
	inputs  func(carried []*Value) []*Value

	body    *Body
	carried []*Value
	varying []map[int]bool // per carried value, the axes with a fresh extent
	widened []map[int]bool // and those that have taken the larger of two extents
	symbols []string       // the fresh extents
}

// maxRounds bounds the inferences: an axis varies or not, so few are enough for any ordinary body.
const maxRounds = 16

func (f *fixpoint) run() error {
	f.carried = make([]*Value, len(f.initial))
	f.varying, f.widened = make([]map[int]bool, len(f.initial)), make([]map[int]bool, len(f.initial))
	for i, v := range f.initial {
		f.carried[i] = &Value{}
		f.carried[i].SetType(v)
		v.Elems() // a stored constant is read here or never
		f.carried[i].Data = v.Data
		f.varying[i], f.widened[i] = map[int]bool{}, map[int]bool{}
	}
	for range maxRounds {
		var err error
		if f.body, err = f.Engine.Infer(f.graph, f.inputs(slices.Clone(f.carried))); err != nil {
			return err
		}
		if len(f.body.Outputs) < f.first+len(f.carried) {
			return f.errorf("the body has %d outputs, want at least %d", len(f.body.Outputs), f.first+len(f.carried))
		}
		stable := true
		for i := range f.carried {
			if !f.keep(i, f.body.Outputs[f.first+i]) {
				stable = false
			}
		}
		if stable {
			return nil
		}
	}
	return f.errorf("the types of the carried values do not settle")
}

// keep reports whether carried value i stays as the body returns it, and generalises it where not.
func (f *fixpoint) keep(i int, out *Value) bool {
	v := f.carried[i]
	if sameType(v, out) && (v.Data == nil || sameData(v.Data, out.Data)) {
		return true
	}
	next := &Value{}
	next.SetType(v)
	switch {
	case v.Kind != out.Kind:
		next = f.join("loop", v, out)
		next.Data = nil
	case v.Kind != onnx.KindTensor:
		next.Items, next.HasItems, next.Elem = nil, false, joined(v.Elem, out.Elem)
	case v.Ranked && (!out.Ranked || len(out.Shape) != len(v.Shape)):
		next.Ranked, next.Shape = false, nil
	case v.Ranked:
		next.Shape = append(Shape{}, v.Shape...)
		for a, d := range v.Shape {
			switch {
			case f.varying[i][a] || d.Equal(out.Shape[a]):
			case !f.widened[i][a] && dim.Max(d, out.Shape[a]).Equal(out.Shape[a]): // one trip may have broadcast it
				f.widened[i][a] = true
				next.Shape[a] = out.Shape[a]
			default:
				f.varying[i][a] = true
				next.Shape[a] = f.fresh(fmt.Sprintf("loop_%d_%d", i, a), dim.Dim{})
				f.symbols = append(f.symbols, next.Shape[a].Symbols()...)
			}
		}
	}
	if v.Data != nil && next.Shape.Equal(v.Shape) && next.Ranked {
		next.Data = commonData(v.Data, out.Data)
	}
	settled := sameType(next, v) && (v.Data == nil || next.Data != nil && sameData(v.Data, next.Data))
	f.carried[i] = next
	return settled
}

// commonData keeps the elements that both sides agree on; nil where there are none.
func commonData(a, b *Data) *Data {
	if b == nil || len(a.Nums) != len(b.Nums) {
		return nil
	}
	out := make([]Num, len(a.Nums))
	agreed := false
	for i, n := range a.Nums {
		if n.Equal(b.Nums[i]) {
			out[i], agreed = n, true
		}
	}
	if !agreed {
		return nil
	}
	return &Data{Nums: out}
}

// final is carried value i after the last trip. An extent that grows by the same amount in every trip is exact.
func (f *fixpoint) final(i int, trips dim.Dim) *Value {
	v, out := f.carried[i], f.body.Outputs[f.first+i]
	last := &Value{}
	last.SetType(v)
	last.Data = v.Data
	if !v.Ranked || len(f.varying[i]) == 0 {
		return last
	}
	last.Shape = append(Shape{}, v.Shape...)
	for a := range v.Shape {
		if !f.varying[i][a] {
			continue
		}
		if step, ok := f.step(v, out, a); ok {
			last.Shape[a] = f.initial[i].Shape[a].Add(trips.Mul(step))
			continue
		}
		last.Shape[a] = f.fresh(fmt.Sprintf("loop_%d_%d", i, a), dim.Dim{})
	}
	return last
}

// step is what an extent grows by in one trip, where that is the same in all of them.
func (f *fixpoint) step(v, out *Value, a int) (step dim.Dim, ok bool) {
	if !out.Ranked || a >= len(out.Shape) {
		return step, false
	}
	step = out.Shape[a].Sub(v.Shape[a])
	for _, s := range step.Symbols() {
		if slices.Contains(f.symbols, s) {
			return step, false
		}
	}
	return step, step.Err() == nil
}
