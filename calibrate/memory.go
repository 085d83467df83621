package calibrate

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/calibrate/ort"
	"github.com/onnxcost/onnxcost/costmodel"
)

// MemoryMeasurement is what ONNX Runtime's profiler says of its allocator during the first inference, in bytes. Weights
// and whatever else the session holds before the first node are apart.
type MemoryMeasurement struct {
	Model   string
	Batch   int64
	Threads int
	Nodes   int
	// BaseBytes is what the session holds: packed weights and constants of a few bytes.
	BaseBytes int64
	// RequestedBytes is the peak of what nodes have asked for at one time.
	RequestedBytes int64
	// InUseBytes is the peak of the arena's blocks in use. InUseKnown is false where loading the model used more, so that
	// the runtime's peak says nothing of the inference.
	InUseBytes int64
	InUseKnown bool
	// Timeline is what has been asked for when each node is done.
	Timeline []int64
}

// The keys of the profiler's memory figures.
const (
	memRequested      = "mem_bytes_requested_in_use"
	memRequestedDelta = "mem_requested_in_use_delta"
	memInUse          = "mem_bytes_in_use"
	memInUsePeak      = "mem_in_use_peak"
)

// measureMemory runs a model once in ONNX Runtime with its profiler, without memory patterns, and lets the runtime
// allocate the outputs. Generated weights become stored ones first: the runtime would compute them through the same
// arena while it loads the model, and its peaks would be those of loading.
func measureMemory(ctx context.Context, lib *ort.Library, job Job, batch int64, threads int, seed uint64) (*MemoryMeasurement, error) {
	job, err := job.stored()
	if err != nil {
		return nil, err
	}
	r, err := analyzer.Analyze(ctx, job.Model, job.Options)
	if err != nil {
		return nil, err
	}
	env, batch, err := job.bind(r, batch)
	if err != nil {
		return nil, err
	}
	in, out, err := job.tensors(r, env, seed)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(out, func(_ string, t *ort.Tensor) bool { return len(t.Dims) > 0 }) // see ort.Session.Bind
	src, err := job.source()
	if err != nil {
		return nil, err
	}
	s, err := lib.NewSession(src, ort.Options{Threads: threads, NoMemoryPattern: true, Profile: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Bind(in, out); err != nil {
		return nil, err
	}
	if err := s.Run(); err != nil {
		return nil, err
	}
	p, err := s.CloseProfile()
	if err != nil {
		return nil, err
	}
	m := &MemoryMeasurement{Model: job.Name, Batch: batch, Threads: threads}
	return m, m.read(p)
}

// read takes the figures of the first run.
func (m *MemoryMeasurement) read(p *ort.Profile) error {
	if len(p.Runs) == 0 || len(p.Runs[0].Nodes) == 0 {
		return fmt.Errorf("%s: the profile has no node", m.Model)
	}
	nodes := p.Runs[0].Nodes
	for _, key := range []string{memRequested, memRequestedDelta, memInUse, memInUsePeak} {
		if _, ok := nodes[0].Memory[key]; !ok {
			return fmt.Errorf("%s: the profile has no %s: this build of ONNX Runtime does not record memory", m.Model, key)
		}
	}
	m.Nodes = len(nodes)
	m.BaseBytes = nodes[0].Memory[memRequested] - nodes[0].Memory[memRequestedDelta]
	var inUse int64
	for _, n := range nodes {
		m.Timeline = append(m.Timeline, n.Memory[memRequested]-m.BaseBytes)
		inUse = max(inUse, n.Memory[memInUse])
	}
	m.RequestedBytes = max(0, slices.Max(m.Timeline))
	peak := nodes[len(nodes)-1].Memory[memInUsePeak]
	m.InUseBytes = peak - m.BaseBytes
	// The counter never falls: it is the inference's own where it rises after the first node or nothing lies above.
	m.InUseKnown = peak > nodes[0].Memory[memInUsePeak] || peak == inUse
	return nil
}

// MemoryComparison is a measurement beside what the cost model says.
type MemoryComparison struct {
	*MemoryMeasurement
	Predicted costmodel.MemoryUse
	Kernels   int
}

// RequestedError and InUseError are predicted over measured, less 1.
func (c *MemoryComparison) RequestedError() float64 {
	return relative(c.Predicted.ActivationBytes, c.RequestedBytes)
}

// InUseError is 0 where the measurement has no figure; see InUseKnown.
func (c *MemoryComparison) InUseError() float64 {
	if !c.InUseKnown {
		return 0
	}
	return relative(c.Predicted.InUseBytes, c.InUseBytes)
}

func relative(predicted, measured int64) float64 {
	if measured == 0 {
		return 0
	}
	return float64(predicted)/float64(measured) - 1
}

// CompareMemory measures a model and predicts it for ONNX Runtime's CPU provider.
func CompareMemory(ctx context.Context, lib *ort.Library, job Job, batch int64, threads int, seed uint64) (*MemoryComparison, error) {
	job, err := job.stored() // the prediction is for what runs: equal generated weights would be merged
	if err != nil {
		return nil, err
	}
	m, err := measureMemory(ctx, lib, job, batch, threads, seed)
	if err != nil {
		return nil, err
	}
	r, err := analyzer.Analyze(ctx, job.Model, job.Options)
	if err != nil {
		return nil, err
	}
	env, _, err := job.bind(r, batch)
	if err != nil {
		return nil, err
	}
	cpu, err := HostProcessor(lib)
	if err != nil {
		return nil, err
	}
	plan, err := costmodel.Lower(r, costmodel.ORTCPU, cpu)
	if err != nil {
		return nil, err
	}
	use, err := costmodel.Memory(plan, env, costmodel.MemoryOptions{Threads: threads})
	if err != nil {
		return nil, err
	}
	return &MemoryComparison{m, *use, len(plan.Kernels)}, nil
}

// stored is the job with its generated weights stored.
func (j Job) stored() (Job, error) {
	m, changed, err := storeGenerated(j.Model)
	if err != nil {
		return j, fmt.Errorf("%s: %w", j.Name, err)
	}
	if j.Model = m; changed {
		j.Path = ""
	}
	return j, nil
}

// storeGenerated turns floating-point constants that ConstantOfShape makes of a stored shape into stored tensors.
func storeGenerated(m *onnx.Model) (_ *onnx.Model, changed bool, err error) {
	stored := map[string]*onnx.Tensor{}
	for _, t := range m.Graph.Initializers {
		stored[t.Name] = t
	}
	g := *m.Graph
	g.Nodes, g.Initializers = nil, slices.Clone(m.Graph.Initializers)
	for _, n := range m.Graph.Nodes {
		t, err := generated(n, stored)
		if err != nil {
			return nil, false, err
		}
		if t == nil {
			g.Nodes = append(g.Nodes, n)
			continue
		}
		g.Initializers = append(g.Initializers, t)
		changed = true
	}
	if !changed {
		return m, false, nil
	}
	out := *m
	out.Graph = &g
	return &out, true, nil
}

// generated is the tensor that a ConstantOfShape makes; nil for other nodes, computed shapes and integers.
func generated(n *onnx.Node, stored map[string]*onnx.Tensor) (*onnx.Tensor, error) {
	if n.OpType != "ConstantOfShape" || n.Domain != "" || len(n.Inputs) != 1 || stored[n.Inputs[0]] == nil {
		return nil, nil
	}
	dims, err := stored[n.Inputs[0]].Int64s()
	if err != nil {
		return nil, err
	}
	dt, fill := onnx.Float32, make([]byte, 4)
	if a := n.Attr("value"); a != nil && a.T != nil {
		dt = a.T.DType
		if fill, err = a.T.Bytes(); err != nil {
			return nil, err
		}
	}
	if !dt.IsFloat() || len(fill) == 0 {
		return nil, nil
	}
	count := product(dims)
	return onnx.GeneratedTensor(n.Outputs[0], dt, dims, func(w io.Writer) error { return repeat(w, fill, count) }), nil
}

// repeat writes an element count times.
func repeat(w io.Writer, element []byte, count int64) error {
	const atOnce = 4096
	block := make([]byte, 0, atOnce*len(element))
	for range atOnce {
		block = append(block, element...)
	}
	for count > 0 {
		n := min(count, atOnce)
		if _, err := w.Write(block[:n*int64(len(element))]); err != nil {
			return err
		}
		count -= n
	}
	return nil
}
