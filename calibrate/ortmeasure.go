package calibrate

import (
	"context"
	"fmt"
	"time"

	"github.com/onnxcost/onnxcost/calibrate/ort"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// MeasureOptions steer MeasureORT.
type MeasureOptions struct {
	Threads  int
	Batches  []int64 // leading dimension of the inputs; nil for what each model is bound to
	Rules    Rules
	Provider string
	// CalmS is what the probe took when the machine was calibrated, in seconds; see CalmSeconds. 0 is unknown: calm is then
	// the fastest that this measurement sees.
	CalmS    float64
	Progress func(Progress)
}

// CalmSeconds is what a small kernel took in calm when the device was calibrated for ONNX Runtime with so many threads;
// 0 where it was not.
func CalmSeconds(d *specs.Device, threads int) float64 {
	f := d.FindFit(specs.FitKey{Measure: specs.MeasureTime, Form: form.FormORTCPU, Runtime: string(costmodel.ORTCPU), Threads: threads, Precision: specs.FP32})
	if f == nil {
		return 0
	}
	return f.Groups[form.RunGroup].Term(form.CalmTerm)
}

// A Measurement is what was seen of one model at one batch size.
type Measurement struct {
	Model   string
	Batch   int64 // leading dimension of the inputs
	Threads int
	Timing
}

// MeasureORT times models in ONNX Runtime. Models that fit into memory together take turns, so that drift hits all
// alike; with Rules.RAPL their energy is counted too, above the power of the loaded sessions when nothing runs. A model
// that cannot be loaded or run has its Err and does not stop the others; the error is ctx's.
func MeasureORT(ctx context.Context, lib *ort.Library, jobs []Job, o MeasureOptions) ([]Measurement, error) {
	if o.Threads < 1 {
		return nil, fmt.Errorf("%d threads, want at least 1", o.Threads)
	}
	batches := o.Batches
	if len(batches) == 0 {
		batches = []int64{0}
	}
	var all []Measurement
	var owner []*Job
	for i := range jobs {
		for _, b := range batches {
			all = append(all, Measurement{Model: jobs[i].Name, Batch: b, Threads: o.Threads})
			owner = append(owner, &jobs[i])
		}
	}
	begin := time.Now()
	room := float64(cores().MemoryB) / 4
	for from := 0; from < len(all); {
		to, need := from, 0.0
		for to < len(all) && (to == from || need < room || room == 0 && to-from < 4) {
			need += 3 * owner[to].weightBytes() // stored, packed, and the file while it loads
			need += 64 << 20 * float64(max(1, all[to].Batch))
			to++
		}
		if o.Progress != nil {
			left := time.Duration(0)
			if from > 0 {
				left = time.Since(begin) / time.Duration(from) * time.Duration(len(all)-from)
			}
			o.Progress(Progress{What: all[from].Model, Done: from, Total: len(all), Left: left})
		}
		if err := measureTogether(ctx, lib, owner[from:to], all[from:to], o); err != nil {
			return all, err
		}
		from = to
	}
	return all, nil
}

// measureTogether loads some models and lets them take turns.
func measureTogether(ctx context.Context, lib *ort.Library, jobs []*Job, out []Measurement, o MeasureOptions) error {
	var subjects []subject
	var at []int
	options := runOptions(o.Threads, o.Provider)
	for i := range out {
		out[i].Name = out[i].Model
		s, batch, err := jobs[i].session(ctx, lib, options, out[i].Batch, o.Rules.Seed)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			out[i].Err = err
			continue
		}
		defer s.Close()
		out[i].Batch = batch
		subjects = append(subjects, subject{Name: out[i].Model, Run: s.Run})
		at = append(at, i)
	}
	rules := o.Rules
	if r := rules.RAPL; r != nil && r.Err() == nil && len(subjects) > 0 {
		w, err := r.idle(ctx, wallClock{}, idleSettle, min(2*idleWindow, rules.Share/6))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if rules.IdleW = w; err != nil {
			rules.RAPL = nil // its Err tells why
		}
	}
	rules.cpus, rules.settle = cores().Place(o.Threads), settleTime(o.Threads)
	if s, err := openMicro(ctx, lib, probeMicro, probeOptions(o.Threads, o.Provider), 0); err == nil {
		defer s.Close()
		rules.probe = &probe{run: s.Run, known: o.CalmS, patience: rules.Share * time.Duration(len(subjects)) * waiting / 100}
	}
	timings, err := timeInTurns(ctx, subjects, rules, nil)
	for k, t := range timings {
		if u := cores().Unlike(o.Threads); u != "" && t.Err == nil {
			t.Warnings = append(t.Warnings, u)
		}
		out[at[k]].Timing = t
	}
	return err
}

// weightBytes is the size of the job's stored weights in memory, generated ones included.
func (j *Job) weightBytes() float64 {
	var n float64
	for _, t := range j.Model.Graph.Initializers {
		if e, err := t.Elements(); err == nil {
			if b, ok := t.DType.Bytes(e); ok {
				n += float64(b)
			}
		}
	}
	for _, node := range j.Model.Graph.Nodes { // constants that the runtime expands when it loads the model
		if node.OpType != "ConstantOfShape" {
			continue
		}
		for _, t := range j.Model.Graph.Initializers {
			if len(node.Inputs) > 0 && t.Name == node.Inputs[0] {
				if dims, err := t.Int64s(); err == nil {
					n += 4 * float64(product(dims))
				}
			}
		}
	}
	return n
}
