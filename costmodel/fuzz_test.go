package costmodel_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/costmodel/form"
	"github.com/onnxcost/onnxcost/internal/bound"
	"github.com/onnxcost/onnxcost/specs"
)

// FuzzPredict sends any bytes through everything from the file to the prediction, under the runtime of that number: an
// error or a prediction with figures that are possible, never a panic, and no more time and memory than the bytes explain.
func FuzzPredict(f *testing.F) {
	devices := map[costmodel.Runtime]*specs.Device{}
	for runtime, name := range map[costmodel.Runtime]string{costmodel.Eager: "h100-sxm", costmodel.ORTCPU: "cpu-avx512",
		costmodel.ORTCUDA: "h100-sxm", costmodel.TensorRT: "h100-sxm", costmodel.Torch7: "jetson-tx1"} {
		d, err := specs.LoadDevice(name)
		if err != nil {
			f.Fatal(err)
		}
		devices[runtime] = d
	}
	runtimes := costmodel.Runtimes()
	for _, name := range []string{"squeezenet1_1", "mobilenet-v2"} {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			f.Fatal(err)
		}
		data, err := onnx.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for i := range runtimes {
			f.Add(data, uint8(i))
		}
	}
	for i, data := range bound.Seeds(f, "onnx-node-tests/*/model.onnx") {
		f.Add(data, uint8(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, which uint8) {
		runtime := runtimes[int(which)%len(runtimes)].Name
		bound.Run(t, len(data), func() {
			m, err := onnx.Decode(data, "fuzz.onnx")
			if err != nil {
				return
			}
			r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
			if err != nil {
				return
			}
			p, err := costmodel.Predict(context.Background(), r, devices[runtime], costmodel.Options{Runtime: runtime})
			if (p == nil) == (err == nil) {
				t.Fatalf("Predict gives prediction %v and error %v", p != nil, err)
			}
			var option *costmodel.OptionError
			if err != nil && !errors.As(err, &option) && !errors.Is(err, dim.ErrOverflow) && !errors.Is(err, dim.ErrDivideByZero) {
				t.Fatalf("got %T, want an *OptionError or a figure that does not fit: %v", err, err)
			}
			if err == nil {
				possible(t, p)
			}
			countable(t, r)
		})
	})
}

// countable fails where a count of the calibrated form of ort-cpu is none, for one thread and for several.
func countable(t *testing.T, r *analyzer.Report) {
	t.Helper()
	p, err := costmodel.Lower(r, costmodel.ORTCPU, avx512)
	if err != nil {
		return
	}
	for _, threads := range []int{1, 3} {
		kernels, err := form.ORTTerms(p, r.Dims, form.ORTCache{Near: 1 << 20, Far: 1 << 25, ColdFrom: 1 << 22, ColdTo: 1 << 24}, threads)
		if err != nil {
			continue
		}
		for i, terms := range kernels {
			for _, x := range terms {
				if !(x.Value >= 0) || math.IsInf(x.Value, 0) {
					t.Fatalf("%d threads: kernel %d (%s): %s.%s is %g", threads, i, p.Kernels[i].FullOp(), x.Group, x.Name, x.Value)
				}
			}
		}
	}
}

// possible fails where a figure of p is one that no measurement could give.
func possible(t *testing.T, p *costmodel.Prediction) {
	t.Helper()
	for name, v := range map[string]float64{
		"latency": p.LatencyS, "low end": p.LatencyLowS, "high end": p.LatencyHighS, "weights": float64(p.WeightMemoryBytes),
		"activations": float64(p.ActivationMemoryBytes), "peak memory": float64(p.PeakMemoryBytes),
	} {
		if !(v >= 0) || math.IsInf(v, 0) {
			t.Errorf("%s is %v", name, v)
		}
	}
	if p.LatencyLowS > p.LatencyS || p.LatencyS > p.LatencyHighS {
		t.Errorf("latency %v outside of its interval %v to %v", p.LatencyS, p.LatencyLowS, p.LatencyHighS)
	}
	var sum float64
	for i := range p.Kernels {
		if k := &p.Kernels[i]; !(k.TimeS >= 0) || !(k.FLOPs >= 0) || !(k.Bytes >= 0) {
			t.Errorf("kernel %q: %v s, %v FLOPs, %v bytes", k.Name, k.TimeS, k.FLOPs, k.Bytes)
		}
		sum += p.Kernels[i].TimeS
	}
	if math.Abs(sum-p.LatencyS) > 1e-6*p.LatencyS {
		t.Errorf("kernels take %v s together, the network %v", sum, p.LatencyS)
	}
}
