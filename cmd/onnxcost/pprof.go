package main

import (
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel"
)

// profileBuilder collects samples for 'go tool pprof'. A stack is the model, the levels of the name hierarchy, and the
// node or kernel. Functions have their whole path as name, so that conv1 of one block is not added to that of another.
type profileBuilder struct {
	p         *profile.Profile
	locations map[string]*profile.Location
}

func newProfile(defaultType string, types ...profile.ValueType) *profileBuilder {
	b := &profileBuilder{p: &profile.Profile{DefaultSampleType: defaultType}, locations: map[string]*profile.Location{}}
	for i := range types {
		b.p.SampleType = append(b.p.SampleType, &types[i])
	}
	b.p.PeriodType, b.p.Period = b.p.SampleType[0], 1
	return b
}

// countTypes are the sample types of an analysis; a prediction adds time and energy.
var countTypes = []profile.ValueType{{Type: "macs", Unit: "count"}, {Type: "flops", Unit: "count"}, {Type: "bytes", Unit: "bytes"}}

func (b *profileBuilder) location(name string) *profile.Location {
	if l := b.locations[name]; l != nil {
		return l
	}
	id := uint64(len(b.p.Function) + 1)
	f := &profile.Function{ID: id, Name: name, SystemName: name}
	l := &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
	b.p.Function, b.p.Location = append(b.p.Function, f), append(b.p.Location, l)
	b.locations[name] = l
	return l
}

// add records one node; what costs nothing is left out.
func (b *profileBuilder) add(model, scope, name, op string, values ...float64) {
	s := &profile.Sample{Label: map[string][]string{"op": {op}}}
	some := false
	for _, v := range values {
		n := int64(math.Min(math.Round(v), math.MaxInt64/2))
		some = some || n != 0
		s.Value = append(s.Value, n)
	}
	if !some {
		return
	}
	leaf := strings.TrimPrefix(name, "/")
	s.Location = append(s.Location, b.location(strings.TrimSpace(leaf+" ("+op+")")))
	parts := strings.Split(strings.Trim(scope, "/"), "/")
	for i := len(parts); i > 0; i-- {
		if parts[i-1] != "" {
			s.Location = append(s.Location, b.location(strings.Join(parts[:i], "/")))
		}
	}
	s.Location = append(s.Location, b.location(model))
	b.p.Sample = append(b.p.Sample, s)
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

// write checks the profile and writes it, compressed as pprof expects.
func (b *profileBuilder) write(path string) error {
	if err := b.p.CheckValid(); err != nil {
		return fmt.Errorf("--pprof: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return misuse("--pprof: %v", err)
	}
	err = b.p.Write(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return misuse("--pprof: %v", err)
	}
	return nil
}
