package calibrate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// IsGPU reports whether samples are those of a GPU, from GatherGPU.
func IsGPU(s *Samples) bool {
	return slices.ContainsFunc(s.Samples, func(x Sample) bool { return x.Backend == BackendCUDA })
}

// knownCards are the built-in devices by what their driver calls them, without the maker's name. Names are whole: an
// H200 NVL or a GH200 is another card.
var knownCards = map[string]string{
	"H200": "h200", "H100 80GB HBM3": "h100-sxm", "A100-SXM4-80GB": "a100-sxm", "GeForce RTX 5090": "rtx-5090", "GeForce RTX 4090": "rtx-4090",
	"GeForce RTX 3090": "rtx-3090", "Tesla V100-SXM2-16GB": "v100", "Tesla T4": "t4", "L4": "l4",
}

// gpuFormats are the formats of fits, in the order of a profile.
var gpuFormats = []specs.DType{specs.FP32, specs.TF32, specs.FP16, specs.BF16, specs.INT8, specs.FP8}

// ProfileGPU fits the samples of a card and makes a device of them: the data sheet of a card that the program knows,
// else what was measured, with a fit of time per format and of power. name is how --device finds it. A format with too
// few samples, or power without sensors, is left out and named in the notes.
func ProfileGPU(s *Samples, name string) (d *specs.Device, notes []string, err error) {
	data, err := gpuDataOf(s)
	if err != nil {
		return nil, nil, err
	}
	seed, err := strconv.ParseUint(cmp.Or(s.Get("seed"), "1"), 10, 64)
	if err != nil {
		return nil, nil, fmt.Errorf("samples: seed %q: want a whole number", s.Get("seed"))
	}
	number := func(key string) float64 {
		v, err := strconv.ParseFloat(s.Get(key), 64)
		if err != nil || !(v > 0) {
			return 0
		}
		return v
	}
	memory, memoryGroup, err := fitMemory(data, number("gpu-l2-bytes"), seed)
	if err != nil {
		return nil, nil, err
	}
	power, err := fitPower(data.powerPoints(memory), data.idleW)
	if err != nil {
		return nil, nil, err
	}
	conditions, err := gpuConditions(s)
	if err != nil {
		return nil, nil, err
	}
	overhead := gpuOverheads(data)
	rates := map[specs.DType]float64{}
	var times, powers []specs.Fit
	for _, format := range gpuFormats {
		points := data.products[format]
		if len(points) == 0 {
			continue
		}
		products, group, err := fitProducts(points, data.units, memory, seed)
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s has no fit: %v", format, err))
			continue
		}
		rates[format] = products.Rate
		f := specs.Fit{Measure: specs.MeasureTime, Form: form.FormGPU, Precision: format, Conditions: conditions,
			Groups:    map[string]specs.Group{"product": group, "memory": memoryGroup, "overhead": overhead, "ops": gpuOps(points)},
			Residuals: group.Residuals, Score: group.Score, Samples: &specs.Samples{Count: len(points) + memoryGroup.Samples, Digest: s.Digest()},
			Notes: []string{"products and copies only: how much slower than its product a convolution is, and what a framework spends per operator, are assumed"}}
		times = append(times, f)
		if power != nil {
			if _, ok := power.perOp[format]; ok {
				f := power.fit(format)
				f.Conditions = conditions
				f.Samples = &specs.Samples{Count: len(data.power), Digest: s.Digest()}
				powers = append(powers, f)
			}
		}
	}
	if len(times) == 0 {
		return nil, notes, errors.New("no format has enough products to fit")
	}
	if power == nil {
		notes = append(notes, "power has no fit: the samples have no idle power or too few states")
	}
	d, err = gpuDevice(s, name, number, rates, memory)
	if err != nil {
		return nil, notes, err
	}
	d.Fits = append(times, powers...)
	measured := func(v float64, what string) *specs.Figure { return &specs.Figure{Value: v, Estimate: what} }
	if v := overhead.Terms["gap_s"].Value; v > 0 {
		d.Overhead.GapS = measured(digits(v, 3), "measured by the calibration: a busy kernel in a stream against one in a graph")
	}
	if v := overhead.Terms["launch_s"].Value; v > 0 {
		d.Overhead.LaunchS = measured(digits(v, 3), "measured by the calibration: the host's time for a launch")
	}
	if data.idleW > 0 {
		d.Power.IdleW = measured(digits(data.idleW, 4), "measured by the calibration with a context and no work")
		d.Power.Covers = specs.ScopeBoard // as NVML's sensors do
	}
	if v := number("gpu-power-limit-w"); v > 0 {
		d.Power.LimitW = measured(v, "the limit that the driver enforced at the calibration")
	}
	return d, notes, d.Validate()
}

// gpuOverheads are launches: what the host spends on one, and what a stream adds between kernels.
func gpuOverheads(d *gpuData) specs.Group {
	g := specs.Group{Terms: map[string]specs.Coefficient{}}
	if v := d.launches["empty/"+modeHost]; v > 0 {
		g.Terms["launch_s"] = specs.Coefficient{Value: v, Unit: "s"}
	}
	stream, graph := d.launches["busy/"+modeStream], d.launches["busy/"+modeGraph]
	if stream > 0 && graph > 0 {
		g.Terms["gap_s"] = specs.Coefficient{Value: max(0, stream-graph), Unit: "s"}
	}
	if v := d.launches["empty/"+modeGraph]; v > 0 {
		g.Terms["graph_s"] = specs.Coefficient{Value: v, Unit: "s"}
	}
	return g
}

// gpuDevice is the card's data sheet, or one made of what was measured.
func gpuDevice(s *Samples, name string, number func(string) float64, rates map[specs.DType]float64, m *form.GPUMemory) (*specs.Device, error) {
	card, units := s.Get("gpu"), number("gpu-sms")
	if known, ok := knownCards[strings.TrimPrefix(card, "NVIDIA ")]; ok {
		d, err := specs.LoadDevice(known)
		if err != nil {
			return nil, err
		}
		if d.Compute.Units.Value == units { // else a variant, or a part of the card
			d.Name, d.Title, d.Kind, d.Mode = name, card, specs.Calibrated, "as found, "+cmp.Or(s.Get("date"), "undated")
			return d, nil
		}
	}
	const stated = "as the driver states it"
	d := &specs.Device{Schema: specs.DeviceSchemaID, Name: name, Title: card, Vendor: "NVIDIA", Class: specs.GPU, Kind: specs.Calibrated,
		Architecture: "compute capability " + s.Get("gpu-capability"), Mode: "as found, " + cmp.Or(s.Get("date"), "undated"),
		Compute: specs.Compute{Units: specs.Figure{Value: units, Estimate: stated}},
		Peak:    map[specs.DType]specs.Rate{}, PeakVector: map[specs.DType]specs.Rate{},
		Memory: specs.Memory{CapacityBytes: specs.Figure{Value: number("gpu-memory-bytes"), Estimate: stated},
			BandwidthBytesPerS: specs.Figure{Value: digits(m.DRAM, 3), Estimate: "fitted to copies and streaming kernels"}}}
	if s.Get("gpu-integrated") != "" {
		d.Class, d.Memory.Shared = specs.IntegratedGPU, true
	}
	if d.Memory.CapacityBytes.Value == 0 {
		return nil, errors.New("samples: gpu-memory-bytes: want the size of the memory")
	}
	if v := number("gpu-clock-hz"); v > 0 {
		d.Compute.BoostHz = &specs.Figure{Value: v, Estimate: stated}
	}
	if v := number("gpu-l2-bytes"); v > 0 {
		d.Caches = []specs.Cache{{Name: "L2", Scope: specs.PerDevice, CapacityBytes: specs.Figure{Value: v, Estimate: stated},
			BandwidthBytesPerS: &specs.Figure{Value: digits(m.Cache, 3), Estimate: "fitted to copies and streaming kernels"}}}
	}
	for t, rate := range rates {
		r := specs.Rate{Figure: specs.Figure{Value: digits(rate, 3), Estimate: "fitted rate of an endless product"}, Accumulate: specs.FP32, Path: specs.Matrix}
		if t.Integer() {
			r.Accumulate = specs.INT32
		}
		if t == specs.FP32 {
			r.Path = specs.Vector
			d.PeakVector[t] = r
		}
		d.Peak[t] = r
	}
	return d, nil
}

// gpuConditions is what the samples say of their circumstances.
func gpuConditions(s *Samples) (*specs.Conditions, error) {
	c := &specs.Conditions{Date: s.Get("date"), Host: strings.Trim(s.Get("cpu")+", "+s.Get("os"), ", "), Device: s.Get("gpu"), Driver: s.Get("driver"),
		Libraries: map[string]string{}}
	for _, key := range []string{"cuda", "cublaslt"} {
		if v := s.Get(key); v != "" {
			c.Libraries[key] = v
		}
	}
	seed, err := strconv.Atoi(cmp.Or(s.Get("seed"), "1"))
	if err != nil {
		return nil, fmt.Errorf("samples: seed %q: want a whole number", s.Get("seed"))
	}
	c.Seed = seed
	span := func(key string) (lo, hi float64, ok bool) {
		if n, _ := fmt.Sscanf(s.Get(key), "%g %g", &lo, &hi); n == 2 {
			return lo, hi, true
		}
		return 0, 0, false
	}
	if lo, hi, ok := span("gpu-temperature-c"); ok {
		c.TemperatureC = &specs.Range{Min: lo, Max: hi}
	}
	if _, hi, ok := span("gpu-clock-seen-hz"); ok && hi > 0 {
		c.CoreHz = hi
	}
	if v, err := strconv.ParseFloat(s.Get("gpu-memory-clock-hz"), 64); err == nil && v > 0 {
		c.MemoryHz = v
	}
	if v, err := strconv.ParseFloat(s.Get("gpu-power-limit-w"), 64); err == nil && v > 0 {
		c.PowerLimitW = v
	}
	if v := s.Get("gpu-throttle"); v != "" {
		c.Throttling = strings.Fields(v)
	}
	for _, key := range []string{"anchor-spread", "recheck-drift", "power-source"} {
		if v := s.Get(key); v != "" {
			c.Notes = append(c.Notes, key+": "+v)
		}
	}
	return c, nil
}
