package form

import (
	"slices"

	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// Where a kernel finds its activations depends on what passed through the caches since they were last touched: the result
// of the kernel before is still near, a shortcut over a block has gone, and so has the memory that a result is written
// into unless it held a tensor a moment ago. The distance of a tensor is the number of bytes that other tensors took in
// between, by the order of the plan and with the memory of dead tensors given to the next result of the same size, the
// latest first.

// distant are the bytes of a kernel's activations that lie in a core's own cache though an inference wrote them (near),
// outside of it (mid) and outside of any cache (far).
type distant struct{ nearRead, midRead, farRead, nearWrite, midWrite, farWrite float64 }

// touch is a tensor, or the memory that it left behind.
type touch struct {
	bytes float64
	at    float64 // on the clock of bytes
	uses  int     // reads to come; -1 where the tensor outlives the inference
}

// distances walks through one inference. Tensors that come from outside, and memory that no dead tensor left, were touched
// an inference ago.
func distances(p *plan.Plan, ks []ortKernel, cache ORTCache) []distant {
	owner := map[*op.Value]*touch{}
	of := func(v *op.Value) *touch {
		t := owner[v]
		if t == nil {
			t = &touch{at: -1}
			owner[v] = t
		}
		return t
	}
	var whole float64
	for i := range ks {
		k := &ks[i]
		whole += k.read + k.written + k.weights
		if k.Kind == plan.KindView && len(k.Inputs) > 0 { // another name of the same memory
			t := of(k.Inputs[0])
			for _, v := range k.Outputs {
				owner[v] = t
			}
			continue
		}
		for _, v := range k.Inputs {
			of(v).uses++
		}
	}
	for _, v := range slices.Concat(p.Report.Inputs, p.Report.Outputs) {
		of(v).uses = -1 // the caller's memory
	}
	free := map[float64][]float64{} // clocks at which memory of a size was left, by size
	out := make([]distant, len(ks))
	clock := 0.0
	for i := range ks {
		k := &ks[i]
		if k.Kind == plan.KindView || k.Kind == plan.KindHost {
			continue
		}
		d := &out[i]
		share := func(bytes, at, beside float64) (mid, far float64) {
			distance := whole
			if at >= 0 {
				distance = clock - at
			}
			distance += bytes + beside/2 // on the average, half of the rest passes between two touches of the same byte
			return bytes * ramp(distance, cache.Near, 2*cache.Near), bytes * ramp(distance, cache.Far, 2*cache.Far)
		}
		left := k.read
		for j, v := range k.Inputs {
			t := of(v)
			t.bytes = tensorBytes(v, k.in[j])
			bytes := min(left, t.bytes)
			left -= bytes
			mid, far := share(bytes, t.at, k.written)
			d.midRead, d.farRead = d.midRead+mid, d.farRead+far
			if t.at >= 0 {
				d.nearRead += bytes - mid
			}
		}
		left = k.written
		for j, v := range k.Outputs {
			t := of(v)
			t.bytes = tensorBytes(v, k.out[j])
			at := -1.0
			if stack := free[t.bytes]; len(stack) > 0 && t.uses >= 0 {
				at = stack[len(stack)-1]
				free[t.bytes] = stack[:len(stack)-1]
			}
			bytes := min(left, t.bytes)
			left -= bytes
			mid, far := share(bytes, at, k.read)
			d.midWrite, d.farWrite = d.midWrite+mid, d.farWrite+far
			d.nearWrite += bytes - mid
		}
		clock += k.read + k.written + k.weights
		for _, v := range k.Outputs {
			of(v).at = clock
		}
		for _, v := range k.Inputs {
			t := of(v)
			if t.at = clock; t.uses > 0 {
				if t.uses--; t.uses == 0 {
					free[t.bytes] = append(free[t.bytes], clock)
				}
			}
		}
	}
	return out
}

// tensorBytes is the size of a tensor of these extents; elements of a type without a size count four bytes.
func tensorBytes(v *op.Value, shape []float64) float64 {
	bits := v.DType.Bits()
	if bits == 0 {
		bits = 32
	}
	return float64(bits) / 8 * volume(shape)
}
