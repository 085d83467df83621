package dim_test

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// The height of a strided convolution's output, and what it is for one input.
func Example() {
	batch, h := dim.Symbol("batch"), dim.Symbol("h")
	const kernel, stride, pad, channels = 7, 2, 3, 64

	oh := h.AddInt(2*pad - kernel).FloorDiv(dim.Const(stride)).AddInt(1)
	elements := dim.Prod(batch, oh, oh).MulInt(channels)
	fmt.Println(oh)
	fmt.Println(elements)
	fmt.Println(elements.Bind(dim.Env{"h": 224}))
	fmt.Println(elements.Eval(dim.Env{"h": 224, "batch": 8}))
	// Output:
	// floor((h + 1)/2)
	// 64*batch*floor((h + 1)/2)^2
	// 802816*batch
	// 6422528 <nil>
}

// Two ways to write a formula have one canonical form, so equality needs no simplification.
func ExampleDim_Equal() {
	a, b := dim.Symbol("a"), dim.Symbol("b")
	square := a.Add(b).Mul(a.Add(b))
	expanded := dim.Sum(b.Mul(b), a.Mul(b).MulInt(2), a.Mul(a))
	fmt.Println(square, square.Equal(expanded))
	// Output: a^2 + 2*a*b + b^2 true
}

// Extrema of provably ordered arguments disappear, because a symbol is at least 1.
func ExampleMax() {
	seq := dim.Symbol("seq")
	fmt.Println(dim.Max(seq, dim.Const(1)))
	fmt.Println(dim.Max(seq.AddInt(1), seq))
	fmt.Println(dim.Min(seq, dim.Const(512)))
	// Output:
	// seq
	// seq + 1
	// min(seq, 512)
}

// Errors stick to the result and surface where it is used.
func ExampleDim_Err() {
	d := dim.Const(1 << 62).MulInt(4).Add(dim.Symbol("batch"))
	fmt.Println(d, d.Err())
	_, err := dim.Symbol("batch").Mul(dim.Symbol("seq")).Eval(dim.Env{"batch": 1})
	fmt.Println(err)
	// Output:
	// overflow dim: int64 overflow
	// dim: no value for seq
}

func ExampleDim_LessEq() {
	h := dim.Symbol("h")
	fmt.Println(h.FloorDiv(dim.Const(2)).LessEq(h))
	fmt.Println(h.LessEq(dim.Symbol("w")))
	// Output:
	// true true
	// false false
}

func ExampleDim_Bounds() {
	seq := dim.Symbol("seq")
	lo, hi, loOK, hiOK := seq.Mod(dim.Const(8)).Bounds()
	fmt.Println(lo, hi, loOK, hiOK)
	// Output: 0 7 true true
}

// Dimension formulas as exporters write them.
func ExampleParse() {
	for _, s := range []string{"floor(h/2 - 1/2) + 1", "2*(past + seq)", `"batch-size"*Max(1, s0)`, "h/2"} {
		d, err := dim.Parse(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(d)
	}
	// Output:
	// floor((h + 1)/2)
	// 2*past + 2*seq
	// "batch-size"*s0
	// formula "h/2": offset 1: want a division without remainder; use // or floor(a/b)
}
