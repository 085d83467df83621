package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel"
)

// profileBuilder collects samples for 'go tool pprof'. A stack is the model, the levels of the name hierarchy, and the
// node or kernel. Functions have their whole path as name, so that conv1 of one block is not added to that of another.
type profileBuilder struct {
	types     []sampleType
	chosen    string // the type that a viewer shows first
	samples   []stackSample
	names     []string       // of functions; their numbers start at 1
	functions map[string]int // the number of each name
}

// sampleType is one figure of every sample.
type sampleType struct{ name, unit string }

// stackSample is the figures of a node: functions from the node up to the model, by their numbers.
type stackSample struct {
	functions []int
	op        string
	values    []int64
}

func newProfile(chosen string, types ...sampleType) *profileBuilder {
	return &profileBuilder{types: types, chosen: chosen, functions: map[string]int{}}
}

// countTypes are the sample types of an analysis; timeTypes are what a prediction adds.
var (
	countTypes = []sampleType{{"macs", "count"}, {"flops", "count"}, {"bytes", "bytes"}}
	timeTypes  = []sampleType{{"time", "nanoseconds"}, {"energy", "microjoules"}}
)

func (b *profileBuilder) function(name string) int {
	n, ok := b.functions[name]
	if !ok {
		b.names = append(b.names, name)
		n = len(b.names)
		b.functions[name] = n
	}
	return n
}

// add records one node; what costs nothing is left out.
func (b *profileBuilder) add(model, scope, name, op string, values ...float64) {
	s := stackSample{op: op}
	some := false
	for _, v := range values {
		n := int64(math.Min(math.Round(v), math.MaxInt64/2))
		some = some || n != 0
		s.values = append(s.values, n)
	}
	if !some {
		return
	}
	leaf := strings.TrimPrefix(name, "/")
	s.functions = append(s.functions, b.function(strings.TrimSpace(leaf+" ("+op+")")))
	parts := strings.Split(strings.Trim(scope, "/"), "/")
	for i := len(parts); i > 0; i-- {
		if parts[i-1] != "" {
			s.functions = append(s.functions, b.function(strings.Join(parts[:i], "/")))
		}
	}
	s.functions = append(s.functions, b.function(model))
	b.samples = append(b.samples, s)
}

// report adds the executed nodes of a Report. The error names the dimensions without a value.
func (b *profileBuilder) report(model string, r *analyzer.Report) error {
	if free := r.FreeDims(); len(free) > 0 {
		return fmt.Errorf("%s: %w", model, analyzer.NeedDims("a profile", free))
	}
	var failed error
	value := func(d dim.Dim) float64 {
		v, err := d.Eval(r.Dims)
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", model, err)
		}
		return float64(v)
	}
	r.Walk(func(n *analyzer.Node, times dim.Dim, _ int) {
		b.add(model, analyzer.Scope(n), n.Name, n.Op(), value(n.Work.MACs.Mul(times)), value(n.Work.FLOPs().Mul(times)), value(n.Read.Add(n.Written).Mul(times)))
	})
	return failed
}

// prediction adds the kernels of a prediction: counts, nanoseconds and microjoules. The kernels are those of the plan.
func (b *profileBuilder) prediction(p *costmodel.Prediction, plan *costmodel.Plan) {
	for i := range p.Kernels {
		k := &p.Kernels[i]
		macs, err := plan.Kernels[i].Work.MACs.Mul(plan.Kernels[i].Times).Eval(p.Dims)
		if err != nil {
			macs = 0
		}
		energy := 0.0
		if k.EnergyJ.Known() {
			energy = 1e6 * float64(k.EnergyJ)
		}
		b.add(p.Model, k.Scope, k.Name, k.Op, float64(macs), k.FLOPs, k.Bytes, 1e9*k.TimeS, energy)
	}
}

// write writes the profile, compressed as pprof expects.
func (b *profileBuilder) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return misuse("--pprof: %v", err)
	}
	z := gzip.NewWriter(f)
	_, err = z.Write(b.encode())
	for _, c := range []io.Closer{z, f} {
		if e := c.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		return misuse("--pprof: %v", err)
	}
	return nil
}
