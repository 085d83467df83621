package calibrate

import (
	"fmt"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// The groups of a GPU's points beside its formats.
const (
	groupBandwidth = "bandwidth"
	groupMemcpy    = "driver's copy" // measured for comparison; no term is fitted to it
)

// flopsPerByte is the arithmetic of the embedded kernels: an addition and a multiplication for every three elements
// moved, a comparison for every two, of four bytes.
var flopsPerByte = map[string]float64{streamTriad: 2.0 / 12, streamRelu: 1.0 / 8}

// fitPointsGPU evaluates the forms of costmodel as the profile has them.
func fitPointsGPU(s *Samples, d *specs.Device) (*Fitted, error) {
	data, err := gpuDataOf(s)
	if err != nil {
		return nil, err
	}
	out := &Fitted{}
	var memory *form.GPUMemory
	for _, format := range gpuFormats {
		points := data.products[format]
		if len(points) == 0 {
			continue
		}
		fit := findGPUFit(d, specs.MeasureTime, format)
		if fit == nil {
			out.note("%d products in %s are left out: the profile has no fit of them", len(points), format)
			continue
		}
		m, err := form.GPUMemoryOf(fit.Groups["memory"])
		if err != nil {
			return nil, err
		}
		g, err := form.GPUProductsOf(fit.Groups["product"], data.units)
		if err != nil {
			return nil, err
		}
		memory = m
		for i := range points {
			p := &points[i]
			x := &p.gemm
			out.Points = append(out.Points, FittedPoint{Name: productName(x, p.warm), Group: string(format), MeasuredS: p.seconds, Warm: p.warm,
				FittedS: g.Seconds(float64(x.Batch), float64(x.M), float64(x.N), float64(x.K), m.TrafficS(p.bytes(), p.warm), m.DRAM),
				FLOPs:   x.FLOPs(), Bytes: p.bytes()})
		}
		roof := FittedRoof{Name: string(format), Group: string(format), FLOPs: g.Rate, BytesPerS: m.DRAM, CacheBytesPerS: m.Cache, Source: "fitted"}
		if r, ok := d.PeakRate(format); ok && r.Estimate == "" {
			roof.SheetFLOPs = r.Value
		}
		out.Roofs = append(out.Roofs, roof)
	}
	if memory == nil {
		return nil, fmt.Errorf("profile %s has no fit of the form %s for a format of the samples", d.Name, form.FormGPU)
	}
	for _, p := range data.streams {
		group := groupBandwidth
		if p.kind == streamMemcpy {
			group = groupMemcpy
		}
		name := fmt.Sprintf("%s %s", p.kind, binarySize(p.bytes))
		out.Points = append(out.Points, FittedPoint{Name: name + warmWord(p.warm), Group: group, MeasuredS: p.seconds, Warm: p.warm,
			FittedS: memory.Seconds(p.bytes, p.warm), FLOPs: flopsPerByte[p.kind] * p.bytes, Bytes: p.bytes})
	}
	if n := len(data.launches); n > 0 {
		out.note("%d samples of launches are left out: each is a constant of the profile by itself", n)
	}
	fitPowerPoints(out, data, d, memory)
	return out, nil
}

// findGPUFit is the fit of a format itself, not one that stands in for it.
func findGPUFit(d *specs.Device, measure specs.Measure, format specs.DType) *specs.Fit {
	formula := form.FormGPU
	if measure == specs.MeasurePower {
		formula = form.FormPower
	}
	if f := d.FindFit(specs.FitKey{Measure: measure, Form: formula, Precision: format}); f != nil && f.Precision == format {
		return f
	}
	return nil
}

// fitPowerPoints adds the power states: idle + active + (ε·operations + ε_mem·bytes)/t.
func fitPowerPoints(out *Fitted, data *gpuData, d *specs.Device, m *form.GPUMemory) {
	if d.Power.IdleW == nil || len(data.idle)+len(data.power) == 0 {
		return
	}
	idle := d.Power.IdleW.Value
	for _, w := range data.idle {
		out.Power = append(out.Power, FittedPower{"idle", powerIdle, w, idle})
	}
	var lacking int
	for i := range data.power {
		p := &data.power[i]
		fit := findGPUFit(d, specs.MeasurePower, p.dtype)
		for _, format := range gpuFormats {
			if p.dtype == "" && fit == nil {
				fit = findGPUFit(d, specs.MeasurePower, format) // what activity and bytes cost is common to all formats
			}
		}
		if fit == nil {
			lacking++
			continue
		}
		net := fit.Groups["net"]
		w := idle + net.Term("active_w") + (net.Term("j_per_op")*p.ops+net.Term("j_per_byte")*p.moved(m))/p.seconds
		name := p.kind
		if p.dtype != "" {
			name += " " + string(p.dtype)
		}
		out.Power = append(out.Power, FittedPower{name, p.kind, p.watts, w})
	}
	if lacking > 0 {
		out.note("%d power states are left out: the profile has no fit of power for them", lacking)
	}
}

func productName(g *cuda.GEMM, warm bool) string {
	s := fmt.Sprintf("%s %d×%d×%d", g.DType, g.M, g.N, g.K)
	if g.Batch > 1 {
		s += fmt.Sprintf(" ×%d", g.Batch)
	}
	return s + warmWord(warm)
}

func warmWord(warm bool) string {
	if warm {
		return ", warm"
	}
	return ""
}

func binarySize(bytes float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}} {
		if bytes >= u.size {
			return fmt.Sprintf("%.3g %s", bytes/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g KiB", bytes/(1<<10))
}
