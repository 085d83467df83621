package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/calibrate/cuda"
	"github.com/onnxcost/onnxcost/specs"
)

// backendCUDA is the --backend that measures a GPU; it runs no models, so that only calibrate has it.
const backendCUDA = "cuda"

// cudaFlags choose the card and the library.
type cudaFlags struct {
	dir  string
	card int
}

func (f *cudaFlags) addCUDA(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.dir, "cuda-lib", "", "`DIR` with cuBLASLt (default: LD_LIBRARY_PATH, the loader's places, a toolkit, Python's packages)")
	fs.IntVar(&f.card, "card", 0, "`N`umber of the GPU, as CUDA counts them")
	fs.Lookup("backend").Usage = "what to measure: ort (this machine through ONNX Runtime), cuda (an NVIDIA GPU)"
}

// gatherGPU measures a card. stopped says why it ended before its time, with samples in hand. A machine without a card is
// an input that could not be read.
func (o *calibrateOptions) gatherGPU(ctx context.Context, s streams) (all *calibrate.Samples, stopped, err error) {
	if o.card < 0 {
		return nil, nil, misuse("--card %d: want at least 0", o.card)
	}
	d, err := cuda.Open(cuda.Options{LibDir: o.dir})
	if err != nil {
		return nil, nil, &codedError{exitInput, err}
	}
	defer d.Close()
	all, notes, err := calibrate.GatherGPU(ctx, d, calibrate.GPUOptions{Card: o.card, Seed: o.seed, For: o.length, Date: time.Now().Format(time.DateOnly),
		Progress: progressLine(s.err, "GPU"), OpenMeter: cuda.OpenMeter})
	for _, n := range notes {
		fmt.Fprintf(s.err, "onnxcost: %s\n", n)
	}
	if all == nil || len(all.Samples) == 0 {
		if err == nil {
			err = errors.New("the card gave no samples")
		}
		return nil, nil, &codedError{exitInput, err}
	}
	if o.samples != "" {
		var b bytes.Buffer
		if werr := all.Write(&b); werr != nil {
			return nil, nil, werr
		}
		if werr := os.WriteFile(o.samples, b.Bytes(), 0o644); werr != nil {
			return nil, nil, werr
		}
	}
	return all, err, nil
}

// profileGPU fits a card's samples.
func (o *calibrateOptions) profileGPU(s streams, samples *calibrate.Samples) (*specs.Device, error) {
	d, notes, err := calibrate.ProfileGPU(samples, o.deviceName())
	for _, n := range notes {
		fmt.Fprintf(s.err, "onnxcost: %s\n", n)
	}
	return d, err
}

// summariseGPU says how good the fits are, a line each.
func summariseGPU(w io.Writer, d *specs.Device) {
	said := map[string]bool{}
	for i := range d.Fits {
		f := &d.Fits[i]
		if f.Score == nil {
			continue
		}
		what := string(f.Precision) + " products"
		if f.Measure == specs.MeasurePower {
			what = "power states" // fitted together, whatever their format
		}
		if !said[what] {
			fmt.Fprintf(w, "%s: fitted to %s", what, percent(f.Score.MAPE, 1))
			if n := f.Score.HeldOutCount; n > 0 {
				fmt.Fprintf(w, "; %d set apart: %s", n, percent(f.Score.HeldOutMAPE, 1))
			}
			fmt.Fprintln(w)
		}
		said[what] = true
	}
}
