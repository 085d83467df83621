package ort

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Profile is what the runtime recorded of a session.
type Profile struct {
	// Runs holds the runs in their order.
	Runs []Run
}

// Run is one inference.
type Run struct {
	Seconds float64
	Nodes   []NodeRecord // in the order of execution
}

// NodeRecord is one node of the optimised graph in one run.
type NodeRecord struct {
	Name     string
	Op       string // with its domain where the runtime gives it
	Provider string // such as CPUExecutionProvider
	// Seconds is the duration, which the runtime gives in whole microseconds.
	Seconds float64
	// Inputs and Outputs are the shapes of the tensors; weights that were packed beforehand are missing.
	Inputs, Outputs []Shape
	// Memory holds the figures whose key begins with mem_, in bytes, where the runtime records them.
	Memory map[string]int64
}

// Shape is the type and the extents of a tensor in a profile.
type Shape struct {
	DType string // as the runtime writes it: float, int64
	Dims  []int64
}

// maxProfileBytes bounds a profile. The runtime itself stops at a million events.
const maxProfileBytes = 1 << 30

// event is an entry of the profile, in the form of Chrome's trace events.
type event struct {
	Category string                     `json:"cat"`
	Name     string                     `json:"name"`
	Duration float64                    `json:"dur"` // microseconds
	Start    float64                    `json:"ts"`
	Args     map[string]json.RawMessage `json:"args"`
}

// readProfile reads the runtime's profile file.
func readProfile(r io.Reader) (*Profile, error) {
	d := json.NewDecoder(io.LimitReader(r, maxProfileBytes))
	var nodes, runs []event
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("offset %d: want a list of events", d.InputOffset())
	}
	for d.More() {
		var e event
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("offset %d: %w", d.InputOffset(), err)
		}
		if math.IsNaN(e.Duration) || e.Duration < 0 {
			return nil, fmt.Errorf("offset %d: event %q: duration %g, want at least 0", d.InputOffset(), e.Name, e.Duration)
		}
		switch {
		case e.Category == "Session" && e.Name == "model_run":
			runs = append(runs, e)
		case e.Category == "Node" && strings.HasSuffix(e.Name, "_kernel_time"):
			nodes = append(nodes, e)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("offset %d: the list of events does not end: %w", d.InputOffset(), err)
	}
	return assemble(runs, nodes), nil
}

// assemble gives every node event to the run that surrounds it.
func assemble(runs, nodes []event) *Profile {
	byStart := func(a, b event) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(runs, byStart)
	slices.SortStableFunc(nodes, byStart)
	p := &Profile{}
	for i, r := range runs {
		run := Run{Seconds: r.Duration * 1e-6}
		for len(nodes) > 0 && (i == len(runs)-1 || nodes[0].Start < runs[i+1].Start) {
			run.Nodes = append(run.Nodes, record(nodes[0]))
			nodes = nodes[1:]
		}
		p.Runs = append(p.Runs, run)
	}
	return p
}

func record(e event) NodeRecord {
	n := NodeRecord{
		Name:     strings.TrimSuffix(e.Name, "_kernel_time"),
		Op:       e.text("op_name"),
		Provider: e.text("provider"),
		Seconds:  e.Duration * 1e-6,
		Inputs:   e.shapes("input_type_shape"),
		Outputs:  e.shapes("output_type_shape"),
	}
	for key := range e.Args {
		if !strings.HasPrefix(key, "mem_") {
			continue
		}
		if v, err := strconv.ParseInt(e.text(key), 10, 64); err == nil {
			if n.Memory == nil {
				n.Memory = map[string]int64{}
			}
			n.Memory[key] = v
		}
	}
	return n
}

// text is an argument that is a string, or a bare number as the runtime writes some of them.
func (e event) text(key string) string {
	raw := e.Args[key]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// shapes reads [{"float":[1,3,224,224]},{"int64":[]}].
func (e event) shapes(key string) []Shape {
	var list []map[string][]int64
	if json.Unmarshal(e.Args[key], &list) != nil {
		return nil
	}
	out := make([]Shape, 0, len(list))
	for _, m := range list {
		for dt, dims := range m {
			out = append(out, Shape{dt, dims})
		}
	}
	return out
}

// providerNames are the runtime's names of its execution providers by the names that users give.
var providerNames = map[string]string{
	"cpu": "CPU", "cuda": "CUDA", "tensorrt": "Tensorrt", "coreml": "CoreML", "directml": "Dml", "openvino": "OpenVINO",
	"xnnpack": "XNNPACK", "qnn": "QNN", "rocm": "ROCM", "migraphx": "MIGraphX", "webgpu": "WebGPU", "dnnl": "Dnnl", "acl": "ACL",
}

// Providers lists the execution providers that Options.Provider may name, sorted. Whether a library has one shows when
// a session asks for it.
func Providers() []string {
	names := make([]string, 0, len(providerNames))
	for n := range providerNames {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// checkProvider wants at least one node of the last run to have run elsewhere than on the CPU. Shape arithmetic stays
// on the CPU under every provider, so more cannot be asked.
func (p *Profile) checkProvider(model, provider string) error {
	if len(p.Runs) == 0 {
		return fmt.Errorf("%s: the profile has no run", model)
	}
	nodes := p.Runs[len(p.Runs)-1].Nodes
	want := providerNames[provider] + "ExecutionProvider"
	cpu := map[string]bool{}
	for _, n := range nodes {
		if strings.EqualFold(n.Provider, want) {
			return nil
		}
		cpu[n.Op] = true
	}
	f := &FallbackError{Model: model, Provider: provider, Nodes: len(nodes)}
	for op := range cpu {
		f.CPU = append(f.CPU, op)
	}
	slices.Sort(f.CPU)
	return f
}
