package calibrate_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/calibrate/ort"
	"github.com/onnxcost/onnxcost/specs"
)

// A profile of this machine in four calls: open the runtime, gather samples, fit them, write the device file that
// specs.LoadDevice reads.
func Example() {
	ctx := context.Background()
	path, err := ort.Find("")
	if err != nil {
		fmt.Println(err)
		return
	}
	lib, err := ort.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	samples, _, err := calibrate.GatherORT(ctx, lib, calibrate.SweepOptions{Threads: 1, Seed: 1, For: time.Minute, Date: time.Now().Format(time.DateOnly)})
	if err != nil {
		fmt.Println(err)
		return
	}
	device, err := calibrate.ProfileORT(ctx, samples, "here")
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := specs.MarshalDevice(device)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile("here.yaml", data, 0o644); err != nil {
		fmt.Println(err)
	}
}

// MeasureORT times models, which take turns; one that fails has its error and does not stop the others.
func ExampleMeasureORT() {
	path, err := ort.Find("")
	if err != nil {
		fmt.Println(err)
		return
	}
	lib, err := ort.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := onnx.Open("model.onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	jobs := []calibrate.Job{{Name: "model", Model: m, Path: "model.onnx"}}
	times, err := calibrate.MeasureORT(context.Background(), lib, jobs, calibrate.MeasureOptions{
		Threads: 1, Batches: []int64{1, 8}, Rules: calibrate.DefaultRules(3*time.Second, 1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range times {
		fmt.Println(t.Model, t.Batch, t.Median, t.Err)
	}
}

// Samples are lines of the Go benchmark format; the point that a line measured is in its name.
func ExampleReadSamples() {
	const file = `cpu: Some CPU @ 2.0 GHz
seed: 1

BenchmarkORT/class=gemm/m=64/n=64/k=256/threads=1 120 0.0000125 sec/op
`
	s, err := calibrate.ReadSamples(strings.NewReader(file), "samples.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	x := s.Samples[0]
	k, _ := x.Int("k")
	t, _ := x.Value(calibrate.UnitSeconds)
	fmt.Println(s.Get("cpu"), x.Backend, x.Class, k, t)

	_, err = calibrate.ReadSamples(strings.NewReader(strings.Replace(file, "0.0000125", "-1", 1)), "samples.txt")
	fmt.Println(err)
	// Output:
	// Some CPU @ 2.0 GHz ORT gemm 256 1.25e-05
	// samples.txt:4: -1 sec/op: want a positive number
}

// Predictions are judged beside two baselines on the same rows.
func ExampleValidate() {
	v, err := calibrate.Validate([]calibrate.Row{
		{Measured: 10e-3, Predicted: 11e-3, Low: 9e-3, High: 13e-3, Ops: 7e-3, Roofline: 4e-3},
		{Measured: 20e-3, Predicted: 19e-3, Low: 16e-3, High: 23e-3, Ops: 26e-3, Roofline: 9e-3},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("mean error %.1f %%, operations alone %.1f %%\n", 100*v.MAPE, 100*v.OpsMAPE)
	// Output: mean error 7.5 %, operations alone 30.0 %
}
