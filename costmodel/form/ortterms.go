package form

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// FormORTCPU is the form of fits for ONNX Runtime's CPU provider: the time of a kernel is a sum of terms, each a count
// (multiply-accumulates with the padding that the kernel computes, loads of a register tile, bytes, calls) times a
// coefficient that is not negative. Terms are grouped by the way a kernel computes; some are shared by all.
//
// The counts follow MLAS, the runtime's library of CPU kernels: blocks of channels and register tiles are those of the
// kernels that it chooses on the plan's processor.
const FormORTCPU = "ort-cpu/linear/v2"

// A Term is one summand of a kernel's time before its coefficient.
type Term struct {
	Group string  // part of the form, such as conv or Softmax
	Name  string  // of the coefficient within the group
	Value float64 // count; seconds per unit is what a fit finds
}

// ORTCache are the sizes at which data stop being near, in bytes. They belong to the machine and stand in the group
// "cache" of a fit.
type ORTCache struct {
	// Near is the distance up to which activations are found in the core's own cache, Far that up to which they are found
	// in any; from twice as far on none of them are.
	Near, Far float64
	// Weights are found in a cache where an inference takes up to ColdFrom of weights and results, none of them from
	// ColdTo on, and a share in between.
	ColdFrom, ColdTo float64
}

// The shared groups.
const (
	NodeGroup    = "node"    // what every kernel costs
	TrafficGroup = "traffic" // bytes beyond the caches, whoever moves them
	groupCache   = "cache"   // sizes, not coefficients
)

// ORTTerms gives the terms of every kernel of an ort-cpu plan for one execution each, under a binding. Kernels without
// work of their own have few; the sum over kernels of Times·Σ coefficient·value is the predicted time of an inference.
// Counts are those of the busiest of so many threads.
func ORTTerms(p *plan.Plan, env dim.Env, cache ORTCache, threads int) ([][]Term, error) {
	if p.Runtime != plan.ORTCPU {
		return nil, fmt.Errorf("plan for runtime %s, want %s", p.Runtime, plan.ORTCPU)
	}
	var used float64 // bytes that pass through the caches between two uses of a weight
	ks := make([]ortKernel, len(p.Kernels))
	tiles := tilesOf(p.Processor)
	for i, k := range p.Kernels {
		ks[i].threads, ks[i].share, ks[i].tiles = float64(max(1, threads)), 1, &tiles
		if err := ks[i].eval(k, env); err != nil {
			return nil, fmt.Errorf("kernel %q (%s): %w", k.Name, k.FullOp(), err)
		}
		used += ks[i].weights + ks[i].written
	}
	share := weightShares{ramp(used, cache.Near, 4*cache.Near), ramp(used, cache.ColdFrom, cache.ColdTo), ramp(used, cache.ColdTo, 2*cache.ColdTo)}
	out := make([][]Term, len(ks))
	far := distances(p, ks, cache)
	called := false
	executions := func(k *plan.Kernel) float64 {
		n, _ := k.Times.Eval(env) // a dimension without a value has been an error above
		return float64(n)
	}
	for i := range ks {
		if ks[i].Kind == plan.KindControl {
			ks[i].trips = tripsOf(p.Kernels, i, executions)
		}
		out[i] = ks[i].terms(cache, share, far[i])
		if !called && ks[i].forks > 0 { // the other threads come late to the first work of an inference
			out[i], called = append(out[i], Term{NodeGroup, "first_forks", 1}), true
		}
	}
	return out, nil
}

// weightShares are the shares of the weights that an inference finds outside of the core's own cache (warm), outside of
// the cache's part that survives an inference (cold), and in memory only, with nothing of them in any cache (lost).
type weightShares struct{ warm, cold, lost float64 }

// ramp is 0 up to from, 1 from to on, and linear in between.
func ramp(v, from, to float64) float64 {
	switch {
	case v <= from:
		return 0
	case v >= to:
		return 1
	}
	return (v - from) / (to - from)
}

// ortKernel is a kernel with its extents as numbers.
type ortKernel struct {
	*plan.Kernel
	in, out              [][]float64 // extents of Inputs and Outputs; nil where the rank is unknown
	w                    [][]float64 // of Weights
	read, written        float64     // bytes of activations
	weights              float64     // bytes
	tiles                *kernelTiles
	near                 float64 // size of the core's own cache, in bytes
	threads              float64 // of the runtime
	share                float64 // of the work, that the busiest thread has
	trips                float64 // of the bodies of a Loop or a Scan
	forks                float64 // how often the threads are called together
	group                string
	batch, gm, gn, gk, g float64 // of the first contraction: Batch, M, N, K, Groups
	list                 []Term
}

func (k *ortKernel) eval(from *plan.Kernel, env dim.Env) error {
	k.Kernel = from
	var err error
	num := func(d dim.Dim) float64 {
		v, e := d.Eval(env)
		if e != nil && err == nil {
			err = e
		}
		return float64(v)
	}
	shapes := func(vs []*op.Value) [][]float64 {
		out := make([][]float64, len(vs))
		for i, v := range vs {
			if !v.Ranked {
				continue
			}
			out[i] = make([]float64, len(v.Shape))
			for a, d := range v.Shape {
				out[i][a] = num(d)
			}
		}
		return out
	}
	k.in, k.out, k.w = shapes(from.Inputs), shapes(from.Outputs), shapes(from.Weights)
	k.read, k.written, k.weights = num(from.Read()), num(from.Written()), num(from.WeightBytes())
	if len(from.Contraction) > 0 {
		c := from.Contraction[0]
		k.batch, k.g, k.gm, k.gn, k.gk = num(c.Batch), num(c.Groups), num(c.M), num(c.N), num(c.K)
	}
	return err
}

// add appends a term of the kernel's group, of which the busiest thread has its share.
func (k *ortKernel) add(name string, value float64) {
	k.addWhole(name, value*k.share)
}

// addWhole is add for what the calling thread does alone, or every thread anew.
func (k *ortKernel) addWhole(name string, value float64) {
	if value > 0 {
		k.list = append(k.list, Term{k.group, name, value})
	}
}

// call appends what a kernel of the group costs whatever its size.
func (k *ortKernel) call() { k.list = append(k.list, Term{k.group, "calls", 1}) }

// terms is the time of one execution in terms.
func (k *ortKernel) terms(cache ORTCache, share weightShares, far distant) []Term {
	k.near = cache.Near
	k.list = append(k.list, Term{NodeGroup, "calls", 1})
	switch k.Kind {
	case plan.KindView, plan.KindHost, plan.KindContainer:
		return k.list
	case plan.KindControl:
		k.control()
		return k.list
	}
	switch {
	case k.Op == "Conv" || k.Op == "FusedConv":
		k.conv()
	case k.Op == "ConvTranspose":
		k.convTranspose()
	case slices.ContainsFunc(k.Contraction, func(c op.Contraction) bool { return c.Kind == op.RecurrentKind }):
		k.recurrent()
	case k.Op == "Einsum":
		k.einsum()
	case len(k.Contraction) > 0:
		k.product()
	default:
		k.stream()
	}
	if k.forks > 0 {
		k.list = append(k.list, Term{NodeGroup, "forks", k.forks})
	}
	k.traffic(share, far)
	return k.list
}

// traffic is what bytes cost that no cache near the core holds.
func (k *ortKernel) traffic(share weightShares, far distant) {
	add := func(name string, v float64) {
		if v > 0 {
			k.list = append(k.list, Term{TrafficGroup, name, v})
		}
	}
	if k.threads > 1 { // half of it, or more, is near another core
		add("handed_read_bytes", far.nearRead*(1-1/k.threads))
		add("handed_write_bytes", far.nearWrite*(1-1/k.threads))
	}
	add("mid_read_bytes", far.midRead)
	add("mid_write_bytes", far.midWrite)
	add("far_read_bytes", far.farRead)
	add("far_write_bytes", far.farWrite)
	add("warm_bytes", k.weights*share.warm)
	add("cold_bytes", k.weights*share.cold)
	add("lost_bytes", k.weights*share.lost)
}

// volume is the product of extents; 0 for an unknown shape.
func volume(shape []float64) float64 {
	if shape == nil {
		return 0
	}
	n := 1.0
	for _, d := range shape {
		n *= d
	}
	return n
}

// first is the shape at position i, nil where there is none.
func first(shapes [][]float64, i int) []float64 {
	if i < len(shapes) {
		return shapes[i]
	}
	return nil
}

// epilogue is what a fused activation and a fused sum add to a contraction.
func (k *ortKernel) epilogue(group string, outputs float64) {
	outputs *= k.share
	switch {
	case k.Activation == "":
	case k.Activation == "Relu" || k.Activation == "Clip" || k.Activation == "LeakyRelu":
		k.list = append(k.list, Term{group, "act", outputs})
	default: // computed by a pass of its own over the output
		k.list = append(k.list, Term{k.Activation, "elements", outputs})
	}
	if k.Sum {
		k.list = append(k.list, Term{group, "sum", outputs})
	}
}

// product is a matrix product: weights packed beforehand, or two activations. Threads divide the longer of the two
// extents of a large product, or the products of a batch.
func (k *ortKernel) product() {
	batch := k.batch * k.g
	m, n, kk := k.gm, k.gn, k.gk
	outputs := batch * m * n
	constant := len(k.w) > 0 && k.Contraction[0].Weight >= 0
	if constant { // products with one matrix are one product over all rows
		m, batch = m*batch, 1
	}
	t := productThreads(batch*m*n*kk, k.threads)
	if batch > 1 {
		t = math.Ceil(t / batch) // for each product
		k.divide(divided(batch, k.threads/t))
	}
	if t > 1 {
		k.forks = 1
		if n > m {
			n = math.Ceil(math.Ceil(n/16)/t) * 16
		} else {
			m = math.Ceil(m / t)
		}
	}
	switch {
	case constant && k.gm*k.batch*k.g == 1:
		k.group = "gemv"
		k.add("macs", kk*n)
		k.add("columns", n)
		k.add("depth", kk)
	case constant:
		k.group = "gemm"
		k.matrix(1, m, n, kk)
	default:
		k.group = "batched"
		k.matrix(batch, m, n, kk)
		k.add("products", batch)
		k.add("pack", batch*kk*n) // the second operand is packed at every run
	}
	if outputs > 0 {
		k.share = batch * m * n / outputs * k.share
	}
	k.epilogue(k.group, outputs)
}

// matrix is the terms of a tiled product.
func (k *ortKernel) matrix(batch, m, n, kk float64) {
	n16 := math.Ceil(n/16) * 16
	k.add("macs", batch*m*n16*kk)
	k.add("b_loads", batch*math.Ceil(m/k.tiles.gemmRows)*n16*kk)
	k.add("a_loads", batch*m*kk*math.Ceil(n/k.tiles.gemmColumns))
	k.add("outputs", batch*m*n*math.Ceil(kk/256))
	k.add("inputs", batch*m*kk)
}

// recurrent is a recurrent layer: the product of all inputs at once, then a small product for each step.
func (k *ortKernel) recurrent() {
	// In: [steps, batch, input]; the contraction counts all of it.
	x, w, r := first(k.in, 0), first(k.w, 0), first(k.w, 1)
	k.group = k.Op
	if len(x) != 3 || len(w) != 3 || len(r) != 3 {
		k.add("input_macs", k.batch*k.g*k.gm*k.gn*k.gk)
		return
	}
	steps, batch, input := x[0], x[1], x[2]
	dirs, gates, hidden := r[0], r[1]/r[2], r[2] // recurrence weights: [directions, gates·hidden, hidden]
	inputThreads := productThreads(steps*batch*gates*hidden*input, k.threads)
	stepThreads := productThreads(batch*gates*hidden*hidden, k.threads)
	k.forks = dirs * (forksOf(inputThreads) + steps*forksOf(stepThreads))
	k.add("input_macs", dirs*steps*batch*gates*hidden*input/inputThreads)
	k.add("step_macs", dirs*steps*batch*gates*hidden*hidden/stepThreads)
	k.add("step_weights", dirs*steps*gates*hidden*hidden/stepThreads)
	k.add("cells", dirs*steps*batch*gates*hidden)
	k.add("steps", dirs*steps)
	k.add("weights", dirs*gates*hidden*(input+hidden))
	k.add("far_step_bytes", dirs*(steps-1)*(4*gates*hidden*hidden/stepThreads-k.near)) // what all steps but the first fetch anew
}

// forksOf is 1 where several threads have to be called.
func forksOf(threads float64) float64 {
	if threads > 1 {
		return 1
	}
	return 0
}

// convTranspose is a product with the transposed filter followed by the scatter of its columns.
func (k *ortKernel) convTranspose() {
	k.group = "convtranspose"
	outputs := volume(first(k.out, 0))
	k.divide(1 / productThreads(k.gm*k.gn*k.gk, k.threads))
	k.matrix(k.batch*k.g, k.gm, k.gn, k.gk)
	k.share = 1 // the rest is the calling thread's
	k.add("columns", k.batch*k.g*k.gm*k.gn)
	k.add("written", outputs)
	k.epilogue(k.group, outputs)
}

// learnedBranches is the number of outcomes of one branch that a processor's predictor keeps from one inference to the next.
const learnedBranches = 1 << 15

// extents are those of one of the kernel's inputs or weights, nil for another value.
func (k *ortKernel) extents(v *op.Value) []float64 {
	if i := slices.Index(k.Inputs, v); i >= 0 {
		return k.in[i]
	}
	if i := slices.Index(k.Weights, v); i >= 0 {
		return k.w[i]
	}
	return nil
}

// powers reports whether a Pow has the exponent 2 or 3, which the runtime multiplies out.
func (k *ortKernel) powers() bool {
	if k.Op != "Pow" || k.Anchor == nil || len(k.Anchor.Inputs) < 2 || k.Anchor.Inputs[1] == nil {
		return false
	}
	e := k.Anchor.Inputs[1].Elems()
	if len(e) != 1 {
		return false
	}
	v, ok := e[0].Float64()
	return ok && (v == 2 || v == 3)
}

// axis is the kernel's attribute of that name, or def, counted from the front; outside of the rank where the model is wrong.
func (k *ortKernel) axis(def int64, rank int) int64 {
	if def = k.Attrs.IntAttr("axis", def); def < 0 {
		def += int64(rank)
	}
	return def
}

// acrossRows is the extent of the axis that a softmax runs along where it is another than the last of x, which the runtime
// does between two transpositions from opset 13 on; before, it takes the axes from there on as one. 0 stands for the last.
func (k *ortKernel) acrossRows(x []float64) float64 {
	if k.Op != "Softmax" && k.Op != "LogSoftmax" || k.Anchor == nil || k.Anchor.Opset < 13 {
		return 0
	}
	axis := k.axis(-1, len(x))
	for i := axis + 1; axis >= 0 && i < int64(len(x)); i++ {
		if x[i] > 1 {
			return x[axis]
		}
	}
	return 0
}

// stream is everything that is no contraction: time per element, by operator and way of access.
func (k *ortKernel) stream() {
	k.group = k.Op
	if k.Domain != "" && !strings.Contains(k.Domain, "nchwc") && k.Domain != plan.DomainMS {
		k.group = k.FullOp()
	}
	inputs, outputs := 0.0, 0.0
	for _, s := range k.in {
		inputs += volume(s)
	}
	for _, s := range k.out {
		outputs += volume(s)
	}
	k.divideStream(inputs, outputs)
	switch k.Kind {
	case plan.KindElementwise:
		kind, run := k.broadcast()
		if kind == "_scalar" && k.powers() {
			kind = "_product"
		}
		k.group += kind
		if k.Op == "Cast" {
			k.group += k.castMode()
		} else {
			k.group += k.typeMode()
		}
		k.add("elements", outputs)
		if run > 0 {
			k.add("runs", outputs/run)
		}
		if k.Op == "PRelu" { // computed by a branch, which the processor foresees in data that it has seen often
			k.add("branches", outputs*ramp(outputs, learnedBranches, 2*learnedBranches))
		}
	case plan.KindReduction:
		switch k.Op {
		case "TopK":
			k.topK()
		case "CumSum":
			k.group += k.axisMode()
			k.add("elements", outputs)
		default:
			k.reduction(inputs, outputs)
		}
	case plan.KindNormalization:
		s := first(k.in, 0)
		row := lastExtent(s)
		if n := k.acrossRows(s); n > 0 {
			k.group += "_axis"
			row = n
		}
		k.add("elements", math.Max(inputs, outputs))
		if len(s) > 0 {
			k.add("rows", volume(s)/math.Max(1, row))
		}
	case plan.KindPooling:
		k.pooling(outputs)
	case plan.KindMovement, plan.KindReorder:
		k.movement(outputs)
	default:
		if k.Op == "NonMaxSuppression" {
			k.suppression()
		} else {
			k.add("elements", math.Max(inputs, outputs))
		}
	}
	k.call()
}
