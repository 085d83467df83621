package form

import (
	"math"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/specs"
)

// TestGemmSeconds holds the tiled form to its limits and to cases done by hand.
func TestGemmSeconds(t *testing.T) {
	const units, rate = 80, 1e12
	r := gemmRate{perUnit: rate * (largest + 16) / largest, edge: 16, k0: 64, tail: 1, align: 8}
	peak := func(batch, m, n, k float64) float64 {
		return 2 * batch * m * n * k / (gemmSeconds(r, units, batch, m, n, k, 1e12) * rate * units)
	}
	if e := peak(1, 20480, 16384, 8192); e < 0.97 || e > 1 {
		t.Errorf("an endless product reaches %.3f of the rate, want nearly 1", e)
	}
	if e := peak(1, 49, 512, 4608); e > 0.6 || e < 0.05 {
		t.Errorf("a 49×512 output reaches %.3f of the rate: far too few tiles", e)
	}
	// One tile more than a wave costs half a wave more (tail 1), by hand: 256×128 tiles.
	wave := gemmSeconds(gemmRate{perUnit: rate, tail: 1}, 1, 1, 256*2, 128, 1000, 1e15)
	if want := 2 * 2 * 256 * 128 * 1000 / rate; math.Abs(wave/want-1) > 1e-12 {
		t.Errorf("two tiles on one unit take %g s, want %g", wave, want)
	}
	if got := gemmSeconds(r, units, 1, 0, 10, 10, 1e12); got != 0 {
		t.Errorf("an empty product takes %g s", got)
	}
	for _, k := range []float64{8, 64, 1000, 4608} {
		last := 0.0
		for m := 1.0; m < 1e6; m *= 1.7 {
			s := gemmSeconds(r, units, 1, m, 256, k, 1e12)
			if s < last*0.75 {
				t.Errorf("K %g: %g rows take %g s, fewer took %g s", k, m, s, last)
			}
			last = s
		}
	}
	one, two := gemmSeconds(r, units, 1, 1000, 100, 100, 1e12), gemmSeconds(r, units, 1, 1000, 104, 104, 1e12)
	if one != two {
		t.Errorf("K = N = 100 takes %g s and 104, to which it is padded, %g s", one, two)
	}
}

func TestConvClass(t *testing.T) {
	for _, c := range []struct {
		name   string
		p      product
		want   convClass
		groups float64
	}{
		{"1x1", product{K: 64, Window: []int64{1, 1}}, convPointwise, 1},
		{"3x3", product{K: 64 * 9, Window: []int64{3, 3}}, convDense, 1},
		{"stem", product{K: 3 * 49, Window: []int64{7, 7}}, convNarrow, 1},
		{"grouped", product{K: 4 * 9, Window: []int64{3, 3}}, convNarrow, 32},
		{"wide groups", product{K: 48 * 25, Window: []int64{5, 5}}, convDense, 2},
		{"depthwise", product{K: 9, Window: []int64{3, 3}}, convDepthwise, 96},
		{"1x1 of one channel", product{K: 1, Window: []int64{1, 1}}, convNarrow, 1},
		{"1-D", product{K: 64 * 3, Window: []int64{3}}, convDense, 1},
	} {
		c.p.Kind, c.p.Groups = op.ConvKind, c.groups
		if got := convClassOf(c.p); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestBandwidths(t *testing.T) {
	b := bandwidths{dram: 1e11, cache: 1e12, cacheBytes: 2e6}
	for _, c := range []struct{ read, written, weights, want float64 }{
		{1e6, 0, 0, 1e-6},            // within the usable half
		{5e6, 5e6, 0, 1e-4},          // streamed
		{0, 0, 1e6, 1e-5},            // weights are cold
		{1e6, 5e5, 0, 75e-8 + 75e-7}, // half way
	} {
		if got, _, _ := b.seconds(c.read, c.written, c.weights); math.Abs(got/c.want-1) > 1e-9 {
			t.Errorf("%+v: %g s", c, got)
		}
	}
	b.resident = true
	if got, in, _ := b.seconds(0, 0, 1e6); got != 1e-6 || in != got {
		t.Errorf("resident weights take %g s, %g of them in the cache", got, in)
	}
	none := bandwidths{dram: 1e11}
	if got, in, _ := none.seconds(1e6, 0, 0); got != 1e-5 || in != 0 {
		t.Errorf("without a cache: %g s, %g in it", got, in)
	}
}

func TestNonNegative(t *testing.T) {
	// Measured 1, features chosen so that x = (2, 0, 0.5) is exact; the second feature would help only with a minus.
	rows := [][]float64{{0.5, 1, 0}, {0.25, 2, 1}, {0, 1, 2}, {0.4, 0, 0.4}}
	fit := func(floor ...float64) []float64 {
		t.Helper()
		x, err := fitRelative(rows, floor)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := fit(0, 0, 0)
	for i, want := range []float64{2, 0, 0.5} {
		if math.Abs(x[i]-want) > 1e-6 {
			t.Errorf("x = %v, want 2, 0, 0.5", x)
			break
		}
	}
	if x := fit(3, 0, 0); x[0] != 3 {
		t.Errorf("x[0] = %g under a floor of 3", x[0])
	}
	// One point in seven follows another law; the others decide.
	rows = nil
	for i := range 7 {
		rows = append(rows, []float64{1 + float64(i%2)*1e-3})
	}
	rows[3] = []float64{0.5}
	if x := fit(0); math.Abs(x[0]-1) > 5e-3 {
		t.Errorf("the outlier pulled the fit to %g", x[0])
	}
}

func TestPriors(t *testing.T) {
	for _, p := range Priors() {
		if !(0 < p.Low && p.Low <= p.Value && p.Value <= p.High) || p.Name == "" || len(p.Reason) < 20 || p.Unit == "" {
			t.Errorf("prior %+v is not a value in a range with a reason", p)
		}
	}
	low, high := WithWaits(0.8, 1.25, 1)
	if o := priors[priorOverhead]; math.Abs(high-math.Sqrt(o.High/o.Low)) > 1e-9 || math.Abs(low*high-1) > 1e-9 {
		t.Errorf("all waiting: %g to %g, want the range of the overhead", low, high)
	}
	if low, high := residualInterval(&specs.Residuals{P: []float64{0.05, 0.95}, Q: []float64{-0.1, 0.2}}); math.Abs(math.Log(low)+0.1) > 1e-12 || math.Abs(math.Log(high)-0.2) > 1e-12 {
		t.Errorf("residuals give %g to %g", low, high)
	}
}
