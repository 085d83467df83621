package memory

import (
	"errors"
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/internal/ortops"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// ortMemory runs the allocation plan of ONNX Runtime's CPU provider through its arena. Memory patterns are off: with
// them the runtime asks for one block from the second run on, which is a little larger or smaller.
func ortMemory(plan *plan.Plan, env dim.Env, opt Options) (*Use, error) {
	m := &Use{PeakKernel: -1}
	if err := ortWeights(m, plan, env, opt); err != nil {
		return nil, err
	}
	r := &ortRun{m: m, env: env, opt: opt, arena: newBFC()}
	if err := r.run(plan.Program, 0); err != nil {
		return nil, err
	}
	m.ActivationBytes, m.InUseBytes, m.HeldBytes = r.peak, r.arena.peak, r.arena.held
	m.ActivationLowBytes, m.ActivationHighBytes = r.peak, r.peak
	return m, nil
}

// ortRun is one inference.
type ortRun struct {
	m     *Use
	env   dim.Env
	opt   Options
	arena *bfcArena
	live  int64
	peak  int64
}

func (r *ortRun) run(p *plan.Program, depth int) error {
	sizes := make([]int64, len(p.Buffers))
	at := make([]int64, len(p.Buffers))
	for i := range p.Buffers {
		b := &p.Buffers[i]
		if !b.Known {
			r.m.unknown("the size of " + b.Name)
			continue
		}
		n, err := b.Bytes.Eval(r.env)
		if err != nil {
			return fmt.Errorf("size of %s: %w", b.Name, err)
		}
		sizes[i] = int64(n * r.opt.scale(b.DType))
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		for _, b := range s.Bodies { // one trip: its buffers are free again before the next one
			if err := r.run(b, depth+1); err != nil {
				return err
			}
		}
		for _, b := range s.Allocs {
			at[b] = r.arena.alloc(sizes[b])
			r.live += sizes[b]
		}
		if err := r.workspace(s.Kernel); err != nil {
			return err
		}
		if r.live > r.peak {
			r.peak = r.live
			if depth == 0 {
				r.m.PeakKernel = i
			}
		}
		if depth == 0 {
			r.m.Timeline = append(r.m.Timeline, r.live)
		}
		for _, b := range s.Frees {
			r.arena.release(at[b])
			r.live -= sizes[b]
		}
	}
	if depth > 0 { // what a body gives its node
		for i := range p.Buffers {
			if p.Buffers[i].Last == len(p.Steps) {
				r.arena.release(at[i])
				r.live -= sizes[i]
			}
		}
	}
	return nil
}

// workspace takes and gives back the temporary memory of a kernel, beside its outputs.
func (r *ortRun) workspace(k *plan.Kernel) error {
	f := ortWorkspaces[ortops.Of(k.FullOp()).Workspace]
	if len(k.Contraction) > 0 && k.Contraction[0].Kind == op.RecurrentKind {
		r.m.unknown(fmt.Sprintf("the workspace of %s %s is not in InUseBytes", k.Op, k.Name))
	}
	if f == nil {
		return nil
	}
	bytes, err := f(k, r.env, r.opt.Threads)
	if err != nil {
		return fmt.Errorf("workspace of %s: %w", k.Name, err)
	}
	addrs := make([]int64, len(bytes))
	for i, b := range bytes {
		addrs[i] = r.arena.alloc(b)
	}
	for _, a := range addrs {
		r.arena.release(a)
	}
	return nil
}

// ortWeights adds up what the session holds: constants, those that a product reads as a matrix in panels of 16 columns.
func ortWeights(m *Use, plan *plan.Plan, env dim.Env, opt Options) error {
	seen := map[*op.Value]bool{}
	for _, k := range plan.Kernels {
		for i, w := range k.Weights {
			if seen[w] {
				continue
			}
			seen[w] = true
			if i == 0 {
				packed, ok, err := ortPacked(k, env)
				if err != nil {
					return err
				}
				if ok {
					m.WeightBytes += int64(float64(packed) * opt.scale(w.DType))
					continue
				}
			}
			if err := m.addWeight(w, env, opt); err != nil {
				return err
			}
		}
		for _, n := range k.Nodes {
			for _, w := range n.Weights {
				if w.Attribute == "" || seen[w.Value] {
					continue
				}
				seen[w.Value] = true
				if err := m.addWeight(w.Value, env, opt); err != nil {
					return err
				}
			}
		}
	}
	var failed error
	plan.Report.Walk(func(n *analyzer.Node, _ dim.Dim, _ int) { // branches that could run instead are loaded, too
		if n.Proto.OpType != "If" || failed != nil {
			return
		}
		for _, w := range n.Weights {
			if !seen[w.Value] {
				seen[w.Value] = true
				failed = errors.Join(failed, m.addWeight(w.Value, env, opt))
			}
		}
	})
	return failed
}

// addWeight adds the size of a constant.
func (m *Use) addWeight(w *op.Value, env dim.Env, opt Options) error {
	b, known := w.Bytes()
	n, err := m.sizeOf(b, known, w.Name, env)
	if err == nil {
		m.WeightBytes += int64(float64(n) * opt.scale(w.DType))
	}
	return err
}

// ortPanel is the number of columns that MLAS packs a matrix in.
const ortPanel = 16

// ortPacked is the size of the packed form of a kernel's first constant: K·⌈N/16⌉·16 elements for the right operand of
// a product and for each direction of a recurrent layer. ok is false where it is not packed.
func ortPacked(k *plan.Kernel, env dim.Env) (bytes int64, ok bool, err error) {
	switch k.FullOp() {
	case "MatMul", "Gemm", plan.DomainMS + ".FusedMatMul", plan.DomainMS + ".FusedGemm":
	default:
		return 0, false, nil
	}
	b := k.Args[1]
	if len(k.Weights) == 0 || b != k.Weights[0] || b.DType != onnx.Float32 || len(b.Shape) != 2 {
		return 0, false, nil
	}
	rows, err := b.Shape[0].Eval(env)
	if err != nil {
		return 0, false, err
	}
	cols, err := b.Shape[1].Eval(env)
	if err != nil {
		return 0, false, err
	}
	if k.Attrs.IntAttr("transB", 0) != 0 {
		rows, cols = cols, rows
	}
	return rows * ((cols + ortPanel - 1) / ortPanel * ortPanel) * 4, true, nil
}
