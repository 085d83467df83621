package op

import (
	"fmt"
	"testing"
)

// cellLoops walks a recurrent layer as its equations are written: for every direction, step and sequence each gate's
// rows times the input and the state.
func cellLoops(dirs, steps, batch, gates, hidden, input int64) (macs int64) {
	for range dirs {
		for range steps {
			for range batch {
				for range gates {
					for range hidden {
						for range input {
							macs++
						}
						for range hidden {
							macs++
						}
					}
				}
			}
		}
	}
	return macs
}

func TestRecurrentAgainstLoops(t *testing.T) {
	r := seeded()
	cells := map[string]int64{"RNN": 1, "GRU": 3, "LSTM": 4}
	for i := range 120 {
		name := []string{"RNN", "GRU", "LSTM"}[i%3]
		gates := cells[name]
		steps, batch, hidden, input := between(r, 1, 4), between(r, 1, 3), between(r, 1, 4), between(r, 1, 4)
		dirs := between(r, 1, 2)
		as := attributes{"hidden_size": hidden, "direction": []string{"", "forward", "bidirectional"}[dirs]}
		if dirs == 1 && r.IntN(2) == 0 {
			as["direction"] = "reverse"
		}
		x := f32(steps, batch, input)
		outs, y, h := 2, f32(steps, dirs, batch, hidden), f32(dirs, batch, hidden)
		if r.IntN(2) == 0 {
			as["layout"] = 1
			x, y, h = f32(batch, steps, input), f32(batch, steps, dirs, hidden), f32(batch, dirs, hidden)
		}
		want := y.String() + " " + h.String()
		if name == "LSTM" {
			outs, want = 3, want+" "+h.String()
		}
		c, w := apply(t, name, latest, outs, as, x, f32(dirs, gates*hidden, input), f32(dirs, gates*hidden, hidden))
		what := fmt.Sprintf("%s %v over %v", name, as, x)
		if got := types(c); got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
		wantConst(t, what, w.MACs, cellLoops(dirs, steps, batch, gates, hidden, input))
		if in, st := w.Contraction[0], w.Contraction[1]; !in.M.Is(steps*batch) || !st.Batch.Is(steps) || st.Kind != RecurrentKind {
			t.Errorf("%s: got geometry %+v", what, w.Contraction)
		}
	}
}

// TestCellArithmetic counts one step of one element by the equations of the standard.
func TestCellArithmetic(t *testing.T) {
	one := func(g int) []*Value { return []*Value{f32(1, 1, 1), f32(1, g, 1), f32(1, g, 1)} }
	with := func(in []*Value, extra ...*Value) []*Value { return append(in, extra...) }
	tests := []struct {
		name            string
		op              string
		as              attributes
		in              []*Value
		vector, special int64
	}{
		{"sum of both products, tanh", "RNN", nil, one(1), 1, 1},
		{"bias and relu", "RNN", attributes{"activations": []string{"Relu"}}, with(one(1), f32(1, 2)), 3, 0},
		{"clip", "RNN", attributes{"clip": 3.0}, one(1), 3, 1},
		// three sums; two sigmoids of 2 and 2, a tanh; reset, interpolation 4
		{"gru", "GRU", nil, one(3), 3 + 4 + 5, 5},
		{"gru, linear before reset", "GRU", attributes{"linear_before_reset": 1}, with(one(3), f32(1, 6)), 6 + 4 + 6, 5},
		// four sums; three sigmoids, two tanh; cell 3 and output 1
		{"lstm", "LSTM", nil, one(4), 4 + 6 + 4, 8},
		{"lstm with bias and peepholes", "LSTM", nil, with(one(4), f32(1, 8), nil, nil, nil, f32(1, 3)), 8 + 6 + 10, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, w := apply(t, tt.op, latest, 1, tt.as, tt.in...)
			wantConst(t, "vector", w.Vector, tt.vector)
			wantConst(t, "special", w.Special, tt.special)
		})
	}
	both := []*Value{f32(1, 1, 1), f32(2, 1, 1), f32(2, 1, 1)}
	_, w := apply(t, "RNN", latest, 1, attributes{"direction": "bidirectional", "activations": []string{"Relu", "Tanh"}}, both...)
	wantConst(t, "an activation for each direction: vector", w.Vector, 3)
	wantConst(t, "an activation for each direction: special", w.Special, 1)
}

func TestRecurrentSymbolic(t *testing.T) {
	c, w := apply(t, "LSTM", 14, 3, attributes{"hidden_size": 512}, f32("time", "batch", 80), f32(1, 2048, 80), f32(1, 2048, 512))
	if got, want := types(c), "float32[time,1,batch,512] float32[1,batch,512] float32[1,batch,512]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := w.MACs.String(), "1212416*batch*time"; got != want {
		t.Errorf("MACs: got %s, want %s", got, want)
	}
	c, _ = apply(t, "GRU", 14, 2, attributes{"hidden_size": 8}, unranked(), f32(1, 24, 3), f32(1, 24, 8))
	if got, want := types(c), "float32[?] float32[?]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestDynamicQuantizeLSTM has its weights turned and quantises input and state of every step.
func TestDynamicQuantizeLSTM(t *testing.T) {
	in := []*Value{f32(2, 3, 4), tensorOf(3, 1, 4, 20), tensorOf(3, 1, 5, 20), nil, nil, nil, nil, nil, f32(1), tensorOf(3, 1), f32(1), tensorOf(3, 1)}
	c, w := apply(t, "com.microsoft.DynamicQuantizeLSTM", 1, 1, attributes{"hidden_size": 5}, in...)
	if got, want := types(c), "float32[2,1,3,5]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wantConst(t, "MACs", w.MACs, cellLoops(1, 2, 3, 4, 5, 4))
	plain, pw := apply(t, "LSTM", latest, 1, attributes{"hidden_size": 5}, f32(2, 3, 4), f32(1, 20, 4), f32(1, 20, 5))
	_ = plain
	// 2·3·(4+5) elements are quantised with 5 operations and a division, 2 scales for each of 2·3·20 gate elements
	wantConst(t, "vector", w.Vector.Sub(pw.Vector), 5*54+2*120)
	wantConst(t, "special", w.Special.Sub(pw.Special), 54)
}

func TestRecurrentErrors(t *testing.T) {
	tests := []struct {
		op   string
		in   []*Value
		as   attributes
		want string
	}{
		{"LSTM", []*Value{f32(2, 3), f32(1, 8, 4), f32(1, 8, 2)}, nil, "input 0 has rank 2, want 3"},
		{"LSTM", []*Value{f32(2, 3, 5), f32(1, 8, 4), f32(1, 8, 2)}, nil, "input 0 has 5 features, want 4 as input 1"},
		{"LSTM", []*Value{f32(2, 3, 4), f32(1, 9, 4), f32(1, 8, 2)}, nil, "input 1 has shape 1x9x4, want 1x8x4"},
		{"LSTM", []*Value{f32(2, 3, 4), f32(1, 8, 4), f32(1, 8, 2)}, attributes{"direction": "bidirectional"}, "input 1 has shape 1x8x4, want 2x8x4"},
		{"LSTM", []*Value{f32(2, 3, 4), f32(1, 8, 4), f32(1, 8, 2)}, attributes{"direction": "both"},
			`attribute direction is "both", want forward, reverse or bidirectional`},
		{"LSTM", []*Value{f32(2, 3, 4), f32(1, 8, 4), f32(1, 8, 2), nil, nil, f32(1, 4, 2)}, nil, "input 5 has shape 1x4x2, want 1x3x2"},
		{"GRU", []*Value{f32(2, 3, 4), f32(1, 6, 4)}, nil, "input 2 is absent, want one"},
		{"RNN", []*Value{f32(2, 3, 4), f32(1, 6, 4), f32(1, 6, 6)}, attributes{"hidden_size": -1}, "attribute hidden_size is -1, want at least 1"},
		{"com.microsoft.DynamicQuantizeLSTM", []*Value{f32(2, 3, 4), f32(1, 20, 4), f32(1, 5, 20)}, attributes{"hidden_size": 5},
			"input 0 has 4 features, want 20 as input 1"},
	}
	for _, tt := range tests {
		if got := applyError(t, tt.op, latest, 1, tt.as, tt.in...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.op, got, tt.want)
		}
	}
	c, r := newCall("RNN", latest, 1, attributes{"activations": []string{"Cube"}}, f32(1, 1, 1), f32(1, 1, 1), f32(1, 1, 1))
	if err := r.Shape(c); err != nil {
		t.Fatal(err)
	}
	r.Work(c)
	if found := c.Engine.(*testEngine).found; len(found) != 1 || found[0] != `activation: the operations of activation "Cube" are not counted` {
		t.Errorf("unknown activation: got %q", found)
	}
}
