//go:build cgo

package zoo_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// TestRunsInONNXRuntime runs exports of both forms. Small networks run filled too; the form without weights, which the
// runtime expands when it loads it, runs for all but the largest.
func TestRunsInONNXRuntime(t *testing.T) {
	lib := os.Getenv("ONNXRUNTIME_LIB")
	if lib == "" {
		t.Skip("needs ONNXRUNTIME_LIB, the path of ONNX Runtime's C library")
	}
	ort.SetSharedLibraryPath(lib)
	if err := ort.InitializeEnvironment(); err != nil {
		t.Fatal(err)
	}
	defer ort.DestroyEnvironment()

	filled := map[string]bool{"enet": true, "resnet18": true, "inception-v4": true, "mobilenet-v2": true, "squeezenet1_1": true}
	large := map[string]bool{"vgg16": true, "vgg19": true, "resnet101": true, "resnet152": true} // more of what smaller ones have
	for _, name := range zoo.Names() {
		if testing.Short() && name != "enet" && name != "squeezenet1_1" {
			continue
		}
		if !large[name] {
			t.Run(name+"/none", func(t *testing.T) {
				for _, v := range infer(t, name, zoo.None) {
					if !finite(v) {
						t.Fatalf("output has a %g", v)
					}
				}
			})
		}
		if filled[name] {
			t.Run(name+"/fill", func(t *testing.T) { checkFilled(t, name, infer(t, name, zoo.Fill)) })
		}
	}
}

// checkFilled wants outputs of two samples that are finite, of moderate size, and depend on the sample.
func checkFilled(t *testing.T, name string, out []float32) {
	var sq, diff, sum float64
	for i, v := range out {
		if !finite(v) {
			t.Fatalf("output has a %g", v)
		}
		sum += float64(v)
		sq += float64(v) * float64(v)
		diff += math.Abs(float64(v - out[(i+1000)%2000]))
	}
	rms := math.Sqrt(sq / float64(len(out)))
	t.Logf("root mean square %.3g, mean difference of two samples %.3g", rms, diff/2000)
	if rms < 1e-4 || rms > 1e4 {
		t.Errorf("root mean square of the output: got %g, want between 1e-4 and 1e4", rms)
	}
	if diff/2000 < 1e-6 {
		t.Errorf("two samples give the same output")
	}
	if e, _ := zoo.Info(name); e.Name == "inception-v4" && math.Abs(sum-2) > 1e-3 {
		t.Errorf("probabilities of two samples: sum %g, want 2", sum)
	}
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// infer exports a network and runs it on two samples.
func infer(t *testing.T, name string, w zoo.Weights) []float32 {
	t.Helper()
	m, err := zoo.Build(name, w)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".onnx")
	if err := onnx.WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	s, err := ort.NewDynamicAdvancedSession(path, []string{"input"}, []string{"output"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Destroy()
	e, _ := zoo.Info(name)
	x := make([]float32, 2*e.Input[0]*e.Input[1]*e.Input[2])
	for i := range x {
		x[i] = float32(math.Sin(float64(i) * float64(1+2*i/len(x)))) // the second sample has twice the frequency
	}
	in, err := ort.NewTensor(ort.NewShape(2, e.Input[0], e.Input[1], e.Input[2]), x)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Destroy()
	out := []ort.Value{nil}
	if err := s.Run([]ort.Value{in}, out); err != nil {
		t.Fatal(err)
	}
	defer out[0].Destroy()
	y, ok := out[0].(*ort.Tensor[float32])
	if !ok || len(y.GetData()) != 2000 {
		t.Fatalf("output: got %T of shape %v, want float32 of 2x1000", out[0], out[0].GetShape())
	}
	return append([]float32(nil), y.GetData()...)
}
