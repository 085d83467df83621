package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// randomInts is a known tensor of small random integers.
func randomInts(r *rand.Rand, shape []int, below int) *Value {
	n := 1
	for _, d := range shape {
		n *= d
	}
	xs := make([]any, n)
	for i := range xs {
		xs[i] = r.IntN(below)
	}
	return elems(onnx.Int64, shape, xs...)
}

func at(v *Value, i int) int64 {
	x, _ := v.Data.Nums[i].Int64()
	return x
}

// TestNonZeroOracle counts and lists by loops.
func TestNonZeroOracle(t *testing.T) {
	r := seeded()
	for range 50 {
		a, b := 1+r.IntN(4), 1+r.IntN(4)
		x := randomInts(r, []int{a, b}, 3)
		var rows, cols string
		n := 0
		for i := range a {
			for j := range b {
				if at(x, i*b+j) != 0 {
					rows += fmt.Sprintf("%d ", i)
					cols += fmt.Sprintf("%d ", j)
					n++
				}
			}
		}
		c, _ := apply(t, "NonZero", latest, 1, nil, x)
		if got, want := types(c), fmt.Sprintf("int64[2,%d]", n); got != want {
			t.Errorf("%v: got %s, want %s", x.Data, got, want)
		}
		if got := dataText(c.Out[0]) + " "; n > 0 && got != rows+cols {
			t.Errorf("got %q, want %q", got, rows+cols)
		}
	}
}

// TestUniqueOracle finds equal rows by comparing all pairs.
func TestUniqueOracle(t *testing.T) {
	r := seeded()
	for i := range 60 {
		a, b := 1+r.IntN(5), 1+r.IntN(3)
		x := randomInts(r, []int{a, b}, 2)
		sorted := i % 2
		var first []int
		inverse := make([]int, a)
		same := func(p, q int) bool {
			for j := range b {
				if at(x, p*b+j) != at(x, q*b+j) {
					return false
				}
			}
			return true
		}
		for p := range a {
			k := 0
			for k < len(first) && !same(first[k], p) {
				k++
			}
			if k == len(first) {
				first = append(first, p)
			}
			inverse[p] = k
		}
		c, _ := apply(t, "Unique", latest, 4, attributes{"axis": 0, "sorted": sorted}, x)
		want := fmt.Sprintf("int64[%d,%d] int64[%d] int64[%d] int64[%d]", len(first), b, len(first), a, len(first))
		if got := types(c); got != want {
			t.Fatalf("%v: got %s, want %s", x.Data, got, want)
		}
		for p := range a { // value[inverse[p]] is row p, whatever the order
			k := int(at(c.Out[2], p))
			if sorted == 0 && k != inverse[p] {
				t.Errorf("inverse of %d is %d, want %d", p, k, inverse[p])
			}
			for j := range b {
				if at(c.Out[0], k*b+j) != at(x, p*b+j) {
					t.Errorf("row %d does not come back", p)
				}
			}
		}
		for k := 1; sorted == 1 && k < len(first); k++ { // rows in ascending order
			for j := range b {
				d := at(c.Out[0], k*b+j) - at(c.Out[0], (k-1)*b+j)
				if d < 0 {
					t.Errorf("rows %v are not sorted", dataText(c.Out[0]))
				}
				if d != 0 {
					break
				}
			}
		}
	}
}

// TestNonMaxSuppressionOracle selects by repeatedly taking the best remaining box and striking out what it overlaps.
func TestNonMaxSuppressionOracle(t *testing.T) {
	r := seeded()
	for range 100 {
		n, classes, limit := 1+r.IntN(12), 1+r.IntN(2), 1+r.IntN(6)
		iou, least := float64(1+r.IntN(8))/10, 0.25
		var boxes, scores []any
		for range n {
			y, x := r.IntN(6), r.IntN(6)
			boxes = append(boxes, y, x, y+1+r.IntN(4), x+1+r.IntN(4))
		}
		for range n * classes {
			scores = append(scores, float64(r.IntN(1<<20))/(1<<20))
		}
		want := ""
		count := 0
		for class := range classes {
			left := make([]bool, n)
			for i := range left {
				left[i] = scores[class*n+i].(float64) > least
			}
			for range limit {
				best := -1
				for i := range n {
					if left[i] && (best < 0 || scores[class*n+i].(float64) > scores[class*n+best].(float64)) {
						best = i
					}
				}
				if best < 0 {
					break
				}
				want += fmt.Sprintf("0 %d %d ", class, best)
				count++
				for i := range n {
					if overlap(boxes[best*4:], boxes[i*4:]) > iou {
						left[i] = false
					}
				}
				left[best] = false
			}
		}
		c, _ := apply(t, "NonMaxSuppression", latest, 1, nil,
			elems(onnx.Float32, []int{1, n, 4}, boxes...), elems(onnx.Float32, []int{1, classes, n}, scores...),
			ints(limit), floats(iou), floats(least))
		if got := c.Out[0].String(); got != fmt.Sprintf("int64[%d,3]", count) || count > 0 && dataText(c.Out[0])+" " != want {
			t.Fatalf("got %s %s, want %d: %s", got, dataText(c.Out[0]), count, want)
		}
	}
}

// overlap counts the unit squares that both boxes cover, over those that either covers.
func overlap(a, b []any) float64 {
	both, either := 0, 0
	covers := func(p []any, y, x int) bool {
		return y >= p[0].(int) && y < p[2].(int) && x >= p[1].(int) && x < p[3].(int)
	}
	for y := range 12 {
		for x := range 12 {
			inA, inB := covers(a, y, x), covers(b, y, x)
			if inA && inB {
				both++
			}
			if inA || inB {
				either++
			}
		}
	}
	return float64(both) / float64(either)
}

// TestUnknownExtents: without elements a data-dependent extent is a symbol with its bound.
func TestUnknownExtents(t *testing.T) {
	for _, k := range []struct {
		op    string
		as    attributes
		in    []*Value
		want  string
		bound string
	}{
		{"NonZero", nil, in(tensorOf(onnx.Bool, "n", 4)), "int64[2,nonzero_1]", "4*n"},
		{"Compress", attributes{"axis": 1}, in(f32("n", 8), tensorOf(onnx.Bool, 6)), "float32[n,compress_1]", "6"},
		{"Compress", nil, in(f32("n", 8), tensorOf(onnx.Bool, "m")), "float32[compress_1]", "min(m, 8*n)"},
		{"Unique", nil, in(f32("n", 8)), "float32[unique_1]", "8*n"},
		{"Unique", attributes{"axis": -1}, in(f32("n", 8)), "float32[n,unique_1]", "8"},
		{"NonMaxSuppression", nil, in(f32("b", "n", 4), f32("b", 80, "n"), ints(100)), "int64[selected_1,3]", "80*b*min(n, 100)"},
		{"com.microsoft.BifurcationDetector", nil, in(tensorOf(onnx.Int64, 9), tensorOf(onnx.Int64, 4), tensorOf(onnx.Int64), tensorOf(onnx.Int64, "k")), "int64[tokens_1]", "k + 4"},
	} {
		opset := int64(latest)
		if k.op[0] == 'c' {
			opset = 1
		}
		c, _ := apply(t, k.op, opset, 1, k.as, k.in...)
		if got := c.Out[0].String(); got != k.want {
			t.Errorf("%s: got %s, want %s", k.op, got, k.want)
		}
		for _, bound := range c.Engine.(*testEngine).bounds {
			if bound.String() != k.bound {
				t.Errorf("%s: bound %v, want %s", k.op, bound, k.bound)
			}
		}
	}
}

func TestCompressRules(t *testing.T) {
	x := elems(onnx.Int64, []int{3, 2}, 1, 2, 3, 4, 5, 6)
	runRuleCases(t, []ruleCase{
		{op: "Compress", as: attributes{"axis": 0}, in: in(x, elems(onnx.Bool, []int{3}, 0, 1, 1)), want: "int64[2,2]", data: "3 4 5 6"},
		{op: "Compress", as: attributes{"axis": 1}, in: in(x, elems(onnx.Bool, []int{1}, 1)), want: "int64[3,1]", data: "1 3 5"},
		{op: "Compress", in: in(x, elems(onnx.Bool, []int{5}, 0, 1, 0, 0, 1)), want: "int64[2]", data: "2 5"},
		{op: "NonMaxSuppression", in: in(f32(1, 5, 4), f32(1, 1, 5)), want: "int64[0,3]"},
		{op: "NonZero", in: in(elems(onnx.Int64, []int{0})), want: "int64[1,0]"},
	})
}
