package lower

import (
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// Lower turns the executed nodes of a Report into the kernels of a runtime. The kernels of CPU runtimes depend on the
// processor that the runtime's build meets; nil stands for specs.AssumedProcessor. The error is for a runtime that does
// not exist.
func Lower(r *analyzer.Report, rt plan.Runtime, cpu *specs.Processor) (*plan.Plan, error) {
	if cpu == nil {
		cpu = specs.AssumedProcessor()
	}
	p := lowering{&plan.Plan{Runtime: rt, Report: r, Processor: cpu}}
	switch rt {
	case plan.Eager:
		p.lowerFramework(r.Nodes, r.Outputs, dim.Const(1), 0)
	case plan.Torch7:
		p.lowerEager(r.Nodes, dim.Const(1), 0)
	case plan.ORTCPU:
		p.lowerORT(ortLevels())
	case plan.ORTCUDA:
		p.lowerGPU(ortCUDALevels())
	case plan.TensorRT:
		p.lowerGPU(tensorRTLevels())
	default:
		_, err := plan.ParseRuntime(string(rt))
		if err == nil {
			err = fmt.Errorf("runtime %q has no kernels", rt)
		}
		return nil, err
	}
	return p.Plan, nil
}

// lowering is a Plan in the making.
type lowering struct{ *plan.Plan }

// lowerEager makes a kernel of every node that computes or moves data.
func (p lowering) lowerEager(nodes []*analyzer.Node, times dim.Dim, depth int) {
	for _, n := range nodes {
		k := newKernel(n, times, depth)
		if k.Kind == plan.KindView || k.Kind == plan.KindHost || steersOnly(n) {
			p.Free = append(p.Free, n)
		} else {
			p.Kernels = append(p.Kernels, k)
		}
		for _, b := range n.Bodies {
			if !b.Alternative {
				p.lowerEager(b.Nodes, times.Mul(b.Times), depth+1)
			}
		}
	}
}

// newKernel is the kernel of a node on its own.
func newKernel(n *analyzer.Node, times dim.Dim, depth int) *plan.Kernel {
	k := &plan.Kernel{Name: n.Name, Domain: n.Proto.Domain, Op: n.Proto.OpType, Nodes: []*analyzer.Node{n}, Anchor: n,
		Times: times, Depth: depth, Kind: kindOf(n), Work: n.Work, Contraction: n.Work.Contraction, Layout: plan.LayoutNCHW,
		Partial: n.Partial}
	if k.Domain == "ai.onnx" {
		k.Domain = ""
	}
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		steers := n.Rule != nil && n.Rule.IsHost(i)
		if v.Const {
			if !steers {
				k.Weights = append(k.Weights, v)
			}
			continue
		}
		k.Inputs = append(k.Inputs, v)
		if steers && !readsAsData(n, v) {
			k.ShapeInputs = append(k.ShapeInputs, v)
		}
	}
	k.Weights, k.Inputs, k.ShapeInputs = distinct(k.Weights), distinct(k.Inputs), distinct(k.ShapeInputs)
	for _, v := range n.Outputs {
		if v != nil {
			k.Outputs = append(k.Outputs, v)
		}
	}
	return k
}

// readsAsData reports whether v is a data input of n, possibly beside being a steering one.
func readsAsData(n *analyzer.Node, v *op.Value) bool {
	for i, in := range n.Inputs {
		if in == v && !n.Rule.IsHost(i) {
			return true
		}
	}
	return false
}

// steersOnly reports whether a node computes a handful of integers (the parts of a shape), which frameworks do on the
// host.
func steersOnly(n *analyzer.Node) bool {
	if n.Rule == nil || n.Work.Contraction != nil || len(n.Bodies) > 0 {
		return false
	}
	for _, v := range n.Outputs {
		if v == nil {
			continue
		}
		if v.Kind != onnx.KindTensor || v.Data == nil || len(v.Shape) > 1 || !v.DType.IsInteger() {
			return false
		}
	}
	return true
}

// fewValues is the length up to which comparing each with each is faster than a table.
const fewValues = 32

// distinct drops repeated values, in place.
func distinct(list []*op.Value) []*op.Value {
	keep := list[:0]
	var seen map[*op.Value]bool
	if len(list) > fewValues {
		seen = make(map[*op.Value]bool, len(list))
	}
	for _, v := range list {
		if seen == nil && slices.Contains(keep, v) || seen[v] {
			continue
		}
		if seen != nil {
			seen[v] = true
		}
		keep = append(keep, v)
	}
	return keep
}
