package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/plots"
	"github.com/onnxcost/onnxcost/specs"
)

type calibrateOptions struct {
	backendFlags
	cudaFlags
	from    string
	samples string
	threads string
	length  time.Duration
	name    string
	plot    string
	idle    string
	maximum string
	output  string
}

func newCalibrate(s streams) *cobra.Command {
	var o calibrateOptions
	c := &cobra.Command{
		Use:   "calibrate --backend ort|cuda -o PROFILE.yaml",
		Short: "Measure this machine with microbenchmarks and write its device profile",
		Long: `Measure this machine with tiny models of every kind of kernel (--backend ort) or an NVIDIA GPU with matrix products,
copies and power states (--backend cuda), fit what each kernel costs, and write a device profile that 'predict --device'
takes. No network is part of it. --for is the time for the GPU, or for each number of threads.

Power comes from the sensors of the GPU, or from the energy counters of the processor's package (RAPL, on Linux, where the
user may read them). Where there are none, --idle-power and --max-power write what the data sheet states, labelled so.

--samples keeps what was measured, in the format of Go benchmarks (benchstat compares two of them); --from fits a kept
file again, on any machine. Interrupting keeps what has been measured.

--plot fit.svg shows the fit: fitted against measured time of every microbenchmark, in fit-roofline.svg those that
compute under the roofs of the machine, and in fit-power.svg the power states of a GPU.`,
		Example: `  onnxcost calibrate --backend ort -o here.yaml
  onnxcost calibrate --backend ort --threads 1,4 --samples here.txt -o here.yaml
  onnxcost calibrate --backend cuda --samples gpu.txt -o gpu.yaml
  onnxcost calibrate --backend ort --idle-power 10W --max-power 65W -o here.yaml
  onnxcost calibrate --from here.txt -o here.yaml --plot fit.svg`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse("calibrate: unexpected %q; it takes no models", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return runCalibrate(cmd.Context(), s, o) },
	}
	f := c.Flags()
	o.add(c, f, "")
	o.addCUDA(c)
	f.StringVar(&o.from, "from", "", "fit the samples in `FILE` instead of measuring")
	f.StringVar(&o.samples, "samples", "", "write the samples to `FILE`")
	f.StringVar(&o.threads, "threads", "1", "numbers of threads, `1,2,4`, each measured and fitted by itself")
	f.DurationVar(&o.length, "for", 60*time.Second, "time to measure, loading included")
	f.StringVar(&o.name, "name", "", "name of the device (default: the profile's file name)")
	f.StringVar(&o.plot, "plot", "", "draw the fit: `FILE.png`, .svg or .pdf, and beside it FILE-roofline and FILE-power")
	f.StringVar(&o.idle, "idle-power", "", "idle power as the data sheet states it, `10W`, where none is measured")
	f.StringVar(&o.maximum, "max-power", "", "sustained limit as the data sheet states it, `65W`, where none is measured")
	f.StringVarP(&o.output, "output", "o", "", "the profile, `FILE.yaml`")
	return c
}

func (o *calibrateOptions) check() ([]int64, error) {
	switch {
	case o.output == "":
		return nil, misuse("calibrate: no profile to write; give -o FILE.yaml")
	case o.from == "" && o.backend == "":
		return nil, misuse("calibrate: give --backend %s|%s to measure, or --from SAMPLES to fit", strings.Join(backends, "|"), backendCUDA)
	case o.backend != "" && o.backend != backendCUDA && !slices.Contains(backends, o.backend):
		return nil, misuse("--backend %s: want one of %s, %s", o.backend, strings.Join(backends, ", "), backendCUDA)
	case o.from != "" && o.backend != "":
		return nil, misuse("calibrate: --from and --backend exclude each other")
	case o.from != "" && o.samples != "":
		return nil, misuse("calibrate: --from and --samples exclude each other")
	case o.plot != "" && !isPicture(o.plot):
		return nil, misuse("--plot %s: want a file that ends in .%s", o.plot, strings.Join(plots.Formats(), ", ."))
	case o.length < 5*time.Second || o.length > time.Hour:
		return nil, misuse("--for %s: want 5s to 1h", o.length)
	}
	return parseCounts("--threads", o.threads)
}

func runCalibrate(ctx context.Context, s streams, o calibrateOptions) error {
	threads, err := o.check()
	if err != nil {
		return err
	}
	stated, err := o.statedPower()
	if err != nil {
		return err
	}
	var samples *calibrate.Samples
	var stopped error
	switch {
	case o.from != "":
		samples, err = readSamples(o.from)
	case o.backend == backendCUDA:
		samples, stopped, err = o.gatherGPU(ctx, s)
	default:
		samples, stopped, err = o.gather(ctx, s, threads)
	}
	if err != nil {
		return err
	}
	gpu := calibrate.IsGPU(samples)
	var d *specs.Device
	if gpu {
		d, err = o.profileGPU(s, samples)
	} else {
		d, err = calibrate.ProfileORT(context.WithoutCancel(ctx), samples, o.deviceName())
	}
	if err != nil {
		return &codedError{exitInput, errors.Join(fmt.Errorf("the samples give no profile: %w", err), stopped)}
	}
	stated.complete(s, d)
	data, err := specs.MarshalDevice(d)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.output, data, 0o644); err != nil {
		return err
	}
	if o.plot != "" {
		if err := drawFit(context.WithoutCancel(ctx), s.err, o.plot, samples, d); err != nil {
			return err
		}
	}
	if gpu {
		summariseGPU(s.err, d)
	}
	for i := 0; !gpu && i < len(d.Fits); i++ {
		f := &d.Fits[i]
		if f.Measure == specs.MeasurePower {
			fmt.Fprintf(s.err, "%s: power of the %s, %d microbenchmarks, fitted to %s above idle; set apart: %s\n",
				threadCount(f.Threads), scopeText(string(d.Power.Covers)), f.Samples.Count, percent(f.Score.MAPE, 1), percent(f.Score.HeldOutMAPE, 1))
			continue
		}
		fmt.Fprintf(s.err, "%s: %d microbenchmarks, fitted to %s; of those set apart, half are within %s and %s within 10 %%\n",
			threadCount(f.Threads), f.Samples.Count, percent(f.Score.MAPE, 1), percent(f.Residuals.Quantile(0.75)-f.Residuals.Quantile(0.25), 2), percent(f.Score.Within10, 1))
	}
	switch {
	case errors.Is(stopped, context.Canceled):
		return &codedError{exitMisuse, errors.New("interrupted; the profile rests on what had been measured")}
	case stopped != nil:
		return &codedError{exitInput, fmt.Errorf("stopped; the profile rests on what had been measured: %w", stopped)}
	}
	return nil
}

// gather measures every number of threads. stopped says that the user interrupted it.
func (o *calibrateOptions) gather(ctx context.Context, s streams, threads []int64) (all *calibrate.Samples, stopped, err error) {
	lib, err := o.open()
	if err != nil {
		return nil, nil, err
	}
	counters := o.counters(s)
	for _, t := range threads {
		got, notes, err := calibrate.GatherORT(ctx, lib, calibrate.SweepOptions{Threads: int(t), Seed: o.seed, For: o.length, Provider: o.provider,
			Date: time.Now().Format(time.DateOnly), RAPL: counters, Progress: progressLine(s.err, threadCount(int(t)))})
		for _, n := range notes {
			fmt.Fprintf(s.err, "onnxcost: %s\n", n)
		}
		switch {
		case err != nil && !errors.Is(err, context.Canceled):
			return nil, nil, &codedError{exitInput, err}
		case err != nil:
			stopped = err
		}
		if all == nil {
			all = got
		} else {
			all.Samples = append(all.Samples, got.Samples...)
		}
		if stopped != nil {
			break
		}
	}
	if o.samples != "" && len(all.Samples) > 0 {
		var b bytes.Buffer
		if err := all.Write(&b); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(o.samples, b.Bytes(), 0o644); err != nil {
			return nil, nil, err
		}
	}
	return all, stopped, nil
}

func readSamples(path string) (*calibrate.Samples, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	samples, err := calibrate.ReadSamples(f, path)
	if err != nil {
		return nil, &codedError{exitInput, err}
	}
	return samples, nil
}

var notInName = regexp.MustCompile(`[^a-z0-9._-]+`)

// deviceName is --name, or the profile's file name made to fit.
func (o *calibrateOptions) deviceName() string {
	if o.name != "" {
		return o.name
	}
	base := strings.ToLower(strings.TrimSuffix(filepath.Base(o.output), filepath.Ext(o.output)))
	base = strings.Trim(notInName.ReplaceAllString(base, "-"), "._-")
	if base == "" {
		return "this-machine"
	}
	return base[:min(64, len(base))]
}
