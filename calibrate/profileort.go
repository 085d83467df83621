package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// ProfileORT fits the samples of every thread count and makes a device of them. The figures of its data sheet part are
// what the microbenchmarks reached, and say so: a baseline, not a vendor's statement. name is how --device finds it.
func ProfileORT(ctx context.Context, s *Samples, name string) (*specs.Device, error) {
	points, err := ortPoints(s)
	if err != nil {
		return nil, err
	}
	var threads []int
	for _, p := range points {
		if !slices.Contains(threads, p.Threads) {
			threads = append(threads, p.Threads)
		}
	}
	if len(threads) == 0 {
		return nil, errors.New("no samples of ONNX Runtime: their names begin with " + BackendORT)
	}
	slices.Sort(threads)
	d, err := machineDevice(s, name)
	if err != nil {
		return nil, err
	}
	if d.Processor, err = s.processor(); err != nil {
		return nil, err
	}
	cores := d.Compute.Units.Value
	var peak, bandwidth float64 // of one core, of the machine
	for _, t := range threads {
		var like *specs.Fit
		if len(d.Fits) > 0 {
			like = &d.Fits[0]
		}
		f, rates, err := fitORT(ctx, s, points, t, like)
		if err != nil {
			return nil, err
		}
		if f.Conditions, err = conditionsOf(s); err != nil {
			return nil, err
		}
		d.Fits = append(d.Fits, *f)
		peak = math.Max(peak, rates.flops/float64(t))
		bandwidth = math.Max(bandwidth, rates.bytes)
	}
	rate := specs.Rate{Figure: specs.Figure{Value: digits(peak*cores, 3), Estimate: "the fastest microbenchmark, for all cores"},
		Accumulate: specs.FP32, Path: specs.Vector}
	d.Peak = map[specs.DType]specs.Rate{specs.FP32: rate}
	d.PeakVector = map[specs.DType]specs.Rate{specs.FP32: rate}
	d.Memory.BandwidthBytesPerS = specs.Figure{Value: digits(bandwidth, 3), Estimate: "the fastest element-wise microbenchmark beyond the caches"}
	if err := addPower(ctx, s, d); err != nil {
		return nil, err
	}
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return d, nil
}

// digits keeps n significant digits: more would claim a precision that the measurements do not have.
func digits(v float64, n int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', n-1, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// machineDevice is the device that the configuration of the samples describes.
func machineDevice(s *Samples, name string) (*specs.Device, error) {
	number := func(key string) float64 {
		v, err := strconv.ParseFloat(s.Get(key), 64)
		if err != nil || v < 0 {
			return 0
		}
		return v
	}
	cores := number("cores")
	if cores < 1 {
		return nil, errors.New("samples: the configuration has no cores")
	}
	const stated = "as the operating system states it"
	memory := specs.Figure{Value: number("memory-bytes"), Estimate: stated}
	if memory.Value == 0 {
		memory = specs.Figure{Value: 4 << 30, Estimate: "unknown to the system; a small machine's"}
	}
	d := &specs.Device{Schema: specs.DeviceSchemaID, Name: name, Title: s.Get("cpu"), Vendor: s.Get("vendor"), Class: specs.CPU,
		Kind: specs.Calibrated, Mode: fmt.Sprintf("%.0f cores, ONNX Runtime %s, provider %s", cores, s.Get("onnxruntime"), s.Get("provider")),
		Compute: specs.Compute{Units: specs.Figure{Value: cores, Estimate: stated}},
		Memory:  specs.Memory{CapacityBytes: memory, Shared: true}}
	for level := range 4 {
		prefix := fmt.Sprintf("cache-l%d-", level+1)
		size := number(prefix + "bytes")
		if size == 0 {
			continue
		}
		c := specs.Cache{Name: fmt.Sprintf("L%d", level+1), Scope: specs.PerUnit, CapacityBytes: specs.Figure{Value: size, Estimate: stated}}
		if s.Get(prefix+"usual") != "" {
			c.CapacityBytes.Estimate = "as such a core is usually built; the operating system does not state it"
		}
		if number(prefix+"shared") > 1 {
			c.Scope = specs.PerDevice
		}
		d.Caches = append(d.Caches, c)
	}
	return d, nil
}

// conditionsOf is what the samples say of themselves.
func conditionsOf(s *Samples) (*specs.Conditions, error) {
	c := &specs.Conditions{Date: s.Get("date"), Host: strings.TrimSpace(s.Get("cpu") + ", " + s.Get("os")), Device: s.Get("provider"),
		Libraries: map[string]string{}}
	if v := s.Get("onnxruntime"); v != "" {
		c.Libraries["onnxruntime"] = v
	}
	if text := s.Get("seed"); text != "" {
		seed, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("samples: seed %q: want a whole number", text)
		}
		c.Seed = seed
	}
	for _, key := range []string{configKinds, "governor", "load", "anchor-spread", configAssumed} {
		if v := s.Get(key); v != "" {
			c.Notes = append(c.Notes, key+": "+v)
		}
	}
	return c, nil
}

// reached is the best of a set of microbenchmarks.
type reached struct {
	flops float64 // FLOP/s of products
	bytes float64 // B/s of kernels without products whose operands exceed the caches
}

// dilated reports whether a point is a convolution with a dilation. Taps in the padding count as operations, kernels skip
// them, and with a dilation most may be there: such a point seems faster than the machine is.
func (p *ortPoint) dilated() bool {
	dil, ok := p.Micro.Sample().Int("dil")
	return ok && dil > 1
}

func (d *ortDesign) reached(far float64) (reached, error) {
	var r reached
	for i, lowered := range d.plans {
		if !d.points[i].dilated() {
			r.flops = math.Max(r.flops, d.ops[i]/d.b[i])
		}
		var moved, largest float64
		for _, k := range lowered.Kernels {
			read, err := k.Read().Eval(lowered.Report.Dims)
			if err != nil {
				return r, err
			}
			written, err := k.Written().Eval(lowered.Report.Dims)
			if err != nil {
				return r, err
			}
			moved += float64(read + written)
			largest = math.Max(largest, float64(read+written))
			if k.Kind == plan.KindContraction {
				moved = math.Inf(-1)
			}
		}
		if largest > far {
			r.bytes = math.Max(r.bytes, moved/d.b[i])
		}
	}
	if r.bytes == 0 { // no microbenchmark left the caches: the fastest there is
		r.bytes = 10e9
	}
	return r, nil
}
