package form

import (
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// broadcast says how a binary operator's operands meet: "" where there is one operand, else by what is repeated. run is the
// number of results that are computed in one go where an operand is repeated in parts, 0 elsewhere.
func (k *ortKernel) broadcast() (kind string, run float64) {
	y := first(k.out, 0)
	all := slices.Concat(k.in, k.w)
	if len(all) < 2 || y == nil {
		if len(k.operands()) > 1 {
			return "_scalar", 0
		}
		return "", 0
	}
	how, kinds := 0, []string{"_same", "_scalar", "_row", "_channel"}
	for _, s := range all {
		switch {
		case volume(s) == volume(y):
		case volume(s) == 1:
			how = max(how, 1)
		case len(s) > 0 && len(y) > 0 && s[len(s)-1] == y[len(y)-1] && s[len(s)-1] > 1: // the inner axes run along both
			how = max(how, 2)
			run = sameExtents(s, y)
		default: // one value for each run of the inner axes
			how = 3
			run = repeated(s, y)
		}
	}
	return kinds[how], run
}

// sameExtents is the number of elements of the inner axes that s and y have in common.
func sameExtents(s, y []float64) float64 {
	n := 1.0
	for i := 1; i <= min(len(s), len(y)) && s[len(s)-i] == y[len(y)-i]; i++ {
		n *= y[len(y)-i]
	}
	return n
}

// repeated is the number of elements of the inner axes of y along which s has one value.
func repeated(s, y []float64) float64 {
	n := 1.0
	for i := 1; i <= len(y) && (i > len(s) || s[len(s)-i] == 1); i++ {
		n *= y[len(y)-i]
	}
	return n
}

// operands are the node's operands by position, constants of the formula included. An operator that stands for a pattern
// has those of its kernel only.
func (k *ortKernel) operands() []string {
	if k.Anchor == nil || k.Anchor.Proto == nil || k.Anchor.Proto.OpType != k.Op {
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
	if k.Layout == plan.LayoutNCHWc {
		k.group += "_blocked"
	}
	x := first(k.in, 0)
	if k.Op == "GlobalAveragePool" || k.Op == "GlobalMaxPool" {
		k.add("elements", volume(x))
		k.add("results", outputs)
		return
	}
	k.group += k.poolMode()
	taps := 1.0
	for _, t := range k.Attrs.IntsAttr("kernel_shape") {
		taps *= float64(t)
	}
	k.add("taps", outputs*taps)
	k.add("elements", outputs)
	k.add("inputs", volume(x))
}

// movement costs by element and by run: elements that lie together on both sides move together.
func (k *ortKernel) movement(moved float64) {
	switch k.Op {
	case "Transpose":
		k.transpose(moved)
		return
	case "Concat":
		k.add("runs", k.concatRuns())
	case "Split":
		k.add("runs", k.splitRuns())
	case "Pad":
		k.group += k.padMode()
		k.add("runs", moved/math.Max(1, lastExtent(first(k.out, 0))))
	case "GridSample":
		k.group += "_" + k.Attrs.StrAttr("mode", "bilinear")
	case "ScatterElements", "ScatterND", "Scatter":
		if s := first(k.in, len(k.in)-1); s != nil {
			k.add("updates", volume(s))
		}
	case "Slice", "Expand":
		k.add("runs", moved/math.Max(1, lastExtent(first(k.out, 0))))
	case "Gather":
		k.add("runs", moved/k.gatherRun())
	case "ReorderInput", "ReorderOutput":
		if k.Layout == plan.LayoutNHWC {
			k.group += "_nhwc"
		}
		if s := first(k.out, 0); len(s) == 4 {
			k.add("runs", s[0]*s[1]*s[2])
		}
	case "Resize", "Upsample":
		k.group += k.resizeMode()
	}
	k.add("elements", moved)
}

// doubles reports whether a Resize makes images twice as large, for which the runtime has a loop of its own: not for
// other ways to find a pixel's source than the one of the oldest opsets.
func (k *ortKernel) doubles() bool {
	x, y := first(k.in, 0), first(k.out, 0)
	oldest := k.Op == "Upsample" || k.Anchor != nil && k.Anchor.Opset < 11
	return len(x) == 4 && len(y) == 4 && x[0] == y[0] && x[1] == y[1] && 2*x[2] == y[2] && 2*x[3] == y[3] &&
		(oldest || k.Attrs.StrAttr("coordinate_transformation_mode", "") == "asymmetric" && k.Attrs.StrAttr("nearest_mode", "") == "floor")
}

// gatherRun is the number of elements that a Gather copies in one go: those of the axes behind its own.
func (k *ortKernel) gatherRun() float64 {
	data := k.extents(k.Args[0])
	axis := k.axis(0, len(data))
	if axis < 0 || axis >= int64(len(data)) {
		return 1
	}
	return math.Max(1, volume(data[axis+1:]))
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
