package dim

import "testing"

var (
	sink      Dim
	sinkInt   int64
	sinkBool  bool
	constants = [2]Dim{Const(56), Const(7)}
	large     = [2]Dim{Const(4089184256), Const(128)}
)

func BenchmarkConst(b *testing.B) {
	for _, bench := range []struct {
		name string
		op   func(x, y Dim) Dim
		args [2]Dim
	}{
		{"op=add", Dim.Add, constants},
		{"op=sub", Dim.Sub, constants},
		{"op=mul", Dim.Mul, constants},
		{"op=mul64", Dim.Mul, large},
		{"op=floordiv", Dim.FloorDiv, constants},
		{"op=ceildiv", Dim.CeilDiv, constants},
		{"op=mod", Dim.Mod, constants},
		{"op=min", Min, constants},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			x, y, op := bench.args[0], bench.args[1], bench.op
			for b.Loop() {
				sink = op(x, y)
			}
		})
	}
}

func BenchmarkSymbolic(b *testing.B) {
	x, y := Symbol("batch"), Symbol("seq")
	h := Symbol("h")
	half := h.AddInt(1).FloorDiv(Const(2))
	small := x.Mul(y).MulInt(9216).Add(x.MulInt(3)).AddInt(7)
	other := x.Mul(y).MulInt(4).Add(y).AddInt(1)
	total := small.Add(x.Mul(half).Mul(half).MulInt(64))
	env := Env{"batch": 8, "seq": 128, "h": 224}
	same := x.MulInt(3).AddInt(7).Add(y.Mul(x).MulInt(9216))
	for _, bench := range []struct {
		name string
		op   func()
	}{
		{"op=add_int", func() { sink = small.AddInt(4) }},
		{"op=add/terms=1+1", func() { sink = x.Add(y) }},
		{"op=add/terms=3+3", func() { sink = small.Add(other) }},
		{"op=mul_int/terms=3", func() { sink = small.MulInt(4) }},
		{"op=mul/terms=1x1", func() { sink = x.Mul(y) }},
		{"op=mul/terms=3x1", func() { sink = small.Mul(x) }},
		{"op=mul/terms=3x3", func() { sink = small.Mul(other) }},
		{"op=floordiv/const", func() { sink = h.AddInt(1).FloorDiv(constants[1]) }},
		{"op=floordiv/nested", func() { sink = half.AddInt(1).FloorDiv(Const(2)) }},
		{"op=floordiv/exact", func() { sink = small.Mul(h).FloorDiv(h) }},
		{"op=min/ordered", func() { sink = Min(x, Const(1)) }},
		{"op=min/open", func() { sink = Min(x, Const(4)) }},
		{"op=equal/terms=3", func() { sinkBool = small.Equal(same) }},
		{"op=eval/terms=4", func() { sinkInt, _ = total.Eval(env) }},
		{"op=bind/all", func() { sink = total.Bind(env) }},
		{"op=bind/one", func() { sink = total.Bind(Env{"h": 224}) }},
		{"op=string/terms=4", func() { _ = total.String() }},
		{"op=parse/terms=4", func() { sink, _ = Parse("64*batch*floor((h + 1)/2)^2 + 9216*batch*seq + 3*batch + 7") }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bench.op()
			}
		})
	}
}

// TestAllocations pins what the inference of a model relies on: constants and evaluations allocate nothing.
func TestAllocations(t *testing.T) {
	x, h := Symbol("batch"), Symbol("h")
	total := x.Mul(h.AddInt(1).FloorDiv(Const(2)).Pow(2)).MulInt(64).Add(Min(x, Const(4))).AddInt(3)
	env := Env{"batch": 8, "h": 224}
	for name, op := range map[string]func(){
		"constants": func() {
			d := constants[0].Add(constants[1]).Mul(large[0]).FloorDiv(constants[1]).CeilDiv(Const(2))
			d = Max(d.Mod(Const(1000)), Min(constants[0], d)).Sub(Const(1)).MulInt(3).AddInt(1).Neg()
			sink, sinkBool = d, d.Equal(constants[0])
		},
		"AddInt":      func() { sink = total.AddInt(5) },
		"Eval":        func() { sinkInt, _ = total.Eval(env) },
		"Bind to all": func() { sink = total.Bind(env) },
	} {
		if n := testing.AllocsPerRun(100, op); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}
