package costmodel

import (
	"math"
	"slices"
)

// broadcast says how a binary operator's operands meet: "" where all have the shape of the result or there is one
// operand, else by what is repeated.
func (k *ortKernel) broadcast() string {
	y := first(k.out, 0)
	all := slices.Concat(k.in, k.w)
	if len(all) < 2 || y == nil {
		if len(k.operands()) > 1 {
			return "_scalar"
		}
		return ""
	}
	kind := ""
	for _, s := range all {
		switch {
		case volume(s) == volume(y):
		case volume(s) == 1:
			kind = max(kind, "_scalar")
		case len(s) > 0 && len(y) > 0 && s[len(s)-1] == y[len(y)-1] && s[len(s)-1] > 1:
			kind = max(kind, "_row") // the inner axis runs along both
		default:
			kind = max(kind, "_channel") // one value for each run of the inner axes
		}
	}
	if kind == "" && len(all) > 1 {
		return "_same"
	}
	return kind
}

// operands are the node's operands by position, constants of the formula included.
func (k *ortKernel) operands() []string {
	if k.Anchor == nil || k.Anchor.Proto == nil {
		return nil
	}
	return k.Anchor.Proto.Inputs
}

// reduction costs by element, and by result where the reduced axes are the inner ones.
func (k *ortKernel) reduction(inputs, outputs float64) {
	x, y := first(k.in, 0), first(k.out, 0)
	inner := len(x) > 0 && len(x) == len(y) && y[len(y)-1] == 1 && x[len(x)-1] > 1 || len(y) < len(x) && outputs <= 1
	switch {
	case outputs <= 1:
		k.group += "_all"
	case inner || len(x) != len(y):
		k.group += "_inner"
	default:
		k.group += "_outer"
	}
	k.add("elements", inputs)
	k.add("results", outputs)
}

// pooling costs by tap and by output.
func (k *ortKernel) pooling(outputs float64) {
	if k.Layout == LayoutNCHWc {
		k.group += "_blocked"
	}
	x := first(k.in, 0)
	if k.Op == "GlobalAveragePool" || k.Op == "GlobalMaxPool" {
		k.add("elements", volume(x))
		k.add("results", outputs)
		return
	}
	taps := 1.0
	if k.Anchor != nil {
		if a := k.Anchor.Proto.Attr("kernel_shape"); a != nil {
			for _, t := range a.Ints {
				taps *= float64(t)
			}
		}
	}
	k.add("taps", outputs*taps)
	k.add("elements", outputs)
	k.add("inputs", volume(x))
}

// movement costs by element and by run: elements that lie together on both sides move together.
func (k *ortKernel) movement(moved float64) {
	switch k.Op {
	case "Transpose":
		run, how := k.transposeRun()
		if k.group += how; run > 1 {
			k.add("runs", moved/run)
		}
	case "Concat":
		k.add("runs", k.concatRuns())
	case "Split":
		k.add("runs", k.splitRuns())
	case "Slice":
		k.add("runs", moved/math.Max(1, lastExtent(first(k.out, 0))))
	case "ReorderInput", "ReorderOutput":
		if k.Layout == LayoutNHWC {
			k.group += "_nhwc"
		}
		if s := first(k.out, 0); len(s) == 4 {
			k.add("runs", s[0]*s[1]*s[2])
		}
	case "Resize", "Upsample":
		if k.Layout == LayoutNCHWc {
			k.group += "_blocked"
		}
		if k.Anchor != nil {
			if a := k.Anchor.Proto.Attr("mode"); a != nil && a.S != "" {
				k.group += "_" + a.S
			}
		}
	}
	k.add("elements", moved)
}

// transposeRun is the number of inner elements that stay together, and how single elements move where none do: one axis
// becomes the innermost (_in) or ceases to be it (_out) while the others keep their order, which the runtime does with
// the loops of a transposed matrix, or any other way (_mixed).
func (k *ortKernel) transposeRun() (run float64, how string) {
	x := first(k.in, 0)
	var perm []int64
	if k.Anchor != nil {
		if a := k.Anchor.Proto.Attr("perm"); a != nil {
			perm = a.Ints
		}
	}
	if len(perm) != len(x) { // without the attribute, the axes are reversed
		perm = nil
		for i := len(x) - 1; i >= 0; i-- {
			perm = append(perm, int64(i))
		}
	}
	var order []int64 // axes of extent 1 do not matter to where elements lie
	for _, p := range perm {
		if p >= 0 && p < int64(len(x)) && x[p] > 1 {
			order = append(order, p)
		}
	}
	if slices.IsSorted(order) {
		return math.Max(1, volume(x)), ""
	}
	run = 1
	largest := slices.Max(order)
	for i := len(order) - 1; i >= 0 && order[i] == largest; i-- {
		run *= x[largest]
		for largest--; largest > 0 && x[largest] == 1; largest-- {
		}
	}
	switch {
	case run > 1:
		return run, ""
	case slices.IsSorted(order[:len(order)-1]):
		return 1, "_in"
	case slices.IsSorted(slices.DeleteFunc(slices.Clone(order), func(p int64) bool { return p == slices.Max(order) })):
		return 1, "_out"
	default:
		return 1, "_mixed"
	}
}

// concatRuns is the number of copies that a Concat makes: one per operand and outer position.
func (k *ortKernel) concatRuns() float64 {
	y := first(k.out, 0)
	outer := 1.0
	for i, d := range y {
		same := true
		for _, s := range k.in {
			if len(s) != len(y) || s[i] != d {
				same = false
			}
		}
		if !same {
			break
		}
		outer *= d
	}
	return outer * float64(max(1, len(k.in)))
}

// splitRuns is concatRuns the other way round.
func (k *ortKernel) splitRuns() float64 {
	x := first(k.in, 0)
	outer := 1.0
	for i, d := range x {
		same := true
		for _, s := range k.out {
			if len(s) != len(x) || s[i] != d {
				same = false
			}
		}
		if !same {
			break
		}
		outer *= d
	}
	return outer * float64(max(1, len(k.out)))
}
