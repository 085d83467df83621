package calibrate

import (
	"fmt"
	"strconv"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/specs"
)

// gpuProductPoint is a product with its time.
type gpuProductPoint struct {
	name    string
	gemm    cuda.GEMM
	warm    bool
	seconds float64
}

func (p *gpuProductPoint) bytes() float64 {
	a, b, d := p.gemm.Sizes()
	return float64(a + b + d)
}

// gpuStreamPoint is a kernel that moves bytes with its time.
type gpuStreamPoint struct {
	name    string
	kind    string
	bytes   float64
	warm    bool
	seconds float64
}

// gpuPowerPoint is a power state.
type gpuPowerPoint struct {
	name    string
	kind    string
	dtype   specs.DType // "" without products
	ops     float64     // of one run
	warm    float64     // bytes of one run that were touched just before: a product's operands, a short kernel's
	bytes   float64     // others
	seconds float64     // of one run
	watts   float64     // of the board
}

// moved is the bytes of main memory that cost what a run's bytes cost.
func (p *gpuPowerPoint) moved(m *form.GPUMemory) float64 {
	return p.bytes + m.EnergyBytes(p.warm, true)
}

// gpuData is a GPU's samples by what they say.
type gpuData struct {
	units    float64
	products map[specs.DType][]gpuProductPoint
	streams  []gpuStreamPoint
	launches map[string]float64 // by kind and mode
	power    []gpuPowerPoint
	idle     []float64 // watts, of every trial
	idleW    float64   // their median; 0 without
}

// gpuDataOf sorts the samples. Points that were measured several times count once, with their median.
func gpuDataOf(s *Samples) (*gpuData, error) {
	d := &gpuData{products: map[specs.DType][]gpuProductPoint{}, launches: map[string]float64{}}
	units, err := strconv.Atoi(s.Get("gpu-sms"))
	if err != nil || units < 1 {
		return nil, fmt.Errorf("samples: gpu-sms %q: want a number of SMs", s.Get("gpu-sms"))
	}
	d.units = float64(units)
	values := map[string][]float64{}
	var order []*Sample
	for i := range s.Samples {
		x := &s.Samples[i]
		if x.Backend != BackendCUDA {
			continue
		}
		name := x.Name()
		unit := UnitSeconds
		if x.Class == classPower {
			unit = UnitWatts
			name += "#" + strconv.Itoa(i) // every trial counts
		}
		v, ok := x.Value(unit)
		if !ok {
			return nil, fmt.Errorf("sample %s: want %s", x.Name(), unit)
		}
		if values[name] == nil {
			order = append(order, x)
		}
		values[name] = append(values[name], v)
	}
	for _, x := range order {
		v := median(values[x.Name()])
		cache, _ := x.Param("cache")
		kind, _ := x.Param("kind")
		switch x.Class {
		case classGEMM:
			g, err := gemmOf(x)
			if err != nil {
				return nil, err
			}
			t := specs.DType(g.DType)
			d.products[t] = append(d.products[t], gpuProductPoint{x.Name(), g, cache == "warm", v})
		case classStream:
			n, ok := x.Int("bytes")
			if !ok || n < 1 {
				return nil, fmt.Errorf("sample %s: bytes: want a positive whole number", x.Name())
			}
			d.streams = append(d.streams, gpuStreamPoint{x.Name(), kind, float64(n), cache == "warm", v})
		case classLaunch:
			mode, _ := x.Param("mode")
			d.launches[kind+"/"+mode] = v
		case classPower:
			w, _ := x.Value(UnitWatts)
			if kind == powerIdle {
				d.idle = append(d.idle, w)
				continue
			}
			p, err := powerPointOf(x, w)
			if err != nil {
				return nil, err
			}
			d.power = append(d.power, p)
		}
	}
	if len(d.idle) > 0 {
		d.idleW = median(d.idle)
	}
	return d, nil
}

// powerPoints are the power states as the fit takes them: of bytes that were touched just before, part comes from a cache.
func (d *gpuData) powerPoints(m *form.GPUMemory) []powerPoint {
	var out []powerPoint
	for i := range d.power {
		p := &d.power[i]
		out = append(out, powerPoint{p.name, p.dtype, p.ops, p.moved(m), p.seconds, p.watts})
	}
	return out
}

func powerPointOf(x *Sample, watts float64) (gpuPowerPoint, error) {
	p := gpuPowerPoint{name: x.Name(), watts: watts}
	p.kind, _ = x.Param("kind")
	sec, ok := x.Value(UnitSeconds)
	if !ok {
		return p, fmt.Errorf("sample %s: want %s", x.Name(), UnitSeconds)
	}
	p.seconds = sec
	if n, ok := x.Int("bytes"); ok {
		if cache, _ := x.Param("cache"); cache == "warm" {
			p.warm = float64(n)
		} else {
			p.bytes = float64(n)
		}
	}
	if _, ok := x.Param("dtype"); ok {
		g, err := gemmOf(x)
		if err != nil {
			return p, err
		}
		a, b, d := g.Sizes()
		p.dtype, p.ops, p.warm = specs.DType(g.DType), g.FLOPs(), float64(a+b+d)
	}
	return p, nil
}
