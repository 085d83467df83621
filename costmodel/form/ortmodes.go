package form

import (
	"math"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// One operator may have several kernels: by its attributes, by the types of its operands, by the axis that it works along.
// Each is a group of the form by itself, called by the operator and the mode, such as Resize_cubic or Cast_fromint. A group
// that no microbenchmark had is taken for the nearest one that has: the same name without its last part.

// padMode is the mode of a Pad: constants are filled in, other modes copy elements one by one.
func (k *ortKernel) padMode() string {
	if mode := k.Attrs.StrAttr("mode", "constant"); mode != "constant" {
		return "_" + mode
	}
	return ""
}

// poolMode tells the windows that MLAS has no kernel for, which the runtime slides itself.
func (k *ortKernel) poolMode() string {
	switch {
	case len(k.out) > 1:
		return "_indices"
	case slices.ContainsFunc(k.Attrs.IntsAttr("dilations"), func(d int64) bool { return d > 1 }):
		return "_dilated"
	}
	return ""
}

// castMode is the pair of types that a Cast goes between, where it is not from float to a number of whole bytes.
func (k *ortKernel) castMode() string {
	if len(k.Inputs) == 0 || len(k.Outputs) == 0 {
		return ""
	}
	from, to := k.Inputs[0].DType, k.Outputs[0].DType
	switch {
	case from == onnx.Bool:
		return "_frombool"
	case to == onnx.Bool:
		return "_bool"
	case from == onnx.Float16 || to == onnx.Float16 || from == onnx.BFloat16 || to == onnx.BFloat16:
		return "_half"
	case from.IsInteger() && to.IsInteger():
		return "_ints"
	case from.IsInteger():
		return "_fromint"
	}
	return ""
}

// typeMode tells arithmetic on integers and on double precision from that on floats.
func (k *ortKernel) typeMode() string {
	if len(k.Inputs) == 0 {
		return ""
	}
	switch t := k.Inputs[len(k.Inputs)-1].DType; {
	case t.IsInteger():
		return "_int"
	case t == onnx.Float64:
		return "_double"
	}
	return ""
}

// resizeMode is the interpolation of a Resize.
func (k *ortKernel) resizeMode() string {
	mode := k.Attrs.StrAttr("mode", "nearest")
	switch {
	case k.Layout == plan.LayoutNCHWc:
		return "_blocked_" + mode
	case k.Attrs.IntAttr("antialias", 0) != 0:
		return "_" + mode + "_antialias"
	case mode == "nearest" && k.doubles():
		return "_twice"
	}
	return "_" + mode
}

// axisMode says where the axis lies that a running sum goes along.
func (k *ortKernel) axisMode() string {
	x := first(k.in, 0)
	axis := int64(-1)
	if v := k.Args[1]; v != nil {
		if e := v.Elems(); len(e) == 1 {
			if n, ok := e[0].Float64(); ok {
				axis = int64(n)
			}
		}
	}
	if axis < 0 {
		axis += int64(len(x))
	}
	if axis >= 0 && axis < int64(len(x)) && volume(x[axis+1:]) > 1 {
		return "_outer"
	}
	return "_inner"
}

// topK counts what finding the k largest costs: every element is compared once, and a heap of k is sorted.
func (k *ortKernel) topK() {
	x, y := first(k.in, 0), first(k.out, 0)
	k.add("elements", volume(x))
	found := volume(y)
	if len(y) > 0 {
		last := y[len(y)-1]
		k.add("sorted", found*math.Log2(math.Max(2, last)))
	}
}

// suppression counts the boxes that a NonMaxSuppression sorts and the pairs that it compares at most: of every box with
// every one that is kept.
func (k *ortKernel) suppression() {
	s := first(k.in, 1) // scores: batch, classes, boxes
	if len(s) != 3 {
		k.add("elements", volume(first(k.out, 0)))
		return
	}
	kept := s[2]
	if y := first(k.out, 0); len(y) > 0 && s[0]*s[1] > 0 {
		kept = math.Min(kept, math.Ceil(y[0]/(s[0]*s[1])))
	}
	k.add("elements", volume(s))
	k.add("pairs", s[0]*s[1]*kept*s[2])
}

// tripsOf is how often the bodies of a Loop or a Scan run, by the executions of the kernels in them.
func tripsOf(kernels []*plan.Kernel, i int, times func(*plan.Kernel) float64) float64 {
	k := kernels[i]
	if i+1 >= len(kernels) || kernels[i+1].Depth <= k.Depth {
		return 0
	}
	if own := times(k); own > 0 {
		return times(kernels[i+1]) / own
	}
	return 0
}

// control is what it takes to enter a body, and to go around once more.
func (k *ortKernel) control() {
	k.group = k.Op
	k.add("trips", k.trips)
	k.call()
}
