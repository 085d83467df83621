package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/calibrate"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// backendFlags say what runs a model.
type backendFlags struct {
	backend  string
	lib      string
	provider string
	seed     uint64
}

func (f *backendFlags) add(c *cobra.Command, fs *pflag.FlagSet, def string) {
	fs.StringVar(&f.backend, "backend", def, "what runs the models: "+strings.Join(backends, ", "))
	fs.StringVar(&f.lib, "lib", "", "`PATH` of ONNX Runtime's library (default: "+ort.EnvLibrary+", then the usual places)")
	fs.StringVar(&f.provider, "provider", "cpu", "execution provider: "+strings.Join(ort.Providers(), ", "))
	fs.Uint64Var(&f.seed, "seed", 1, "seed of shapes, inputs and order")
	completeWords(c, "backend", backends)
	completeWords(c, "provider", ort.Providers())
}

// backends are the names that --backend takes.
var backends = []string{"ort"}

// open loads ONNX Runtime.
func (f *backendFlags) open() (*ort.Library, error) {
	if err := oneOf("--backend", f.backend, backends); err != nil {
		return nil, err
	}
	if err := oneOf("--provider", f.provider, ort.Providers()); err != nil {
		return nil, err
	}
	path, err := ort.Find(f.lib)
	if err != nil {
		return nil, &codedError{exitInput, err}
	}
	lib, err := ort.Open(path)
	if err != nil {
		return nil, &codedError{exitInput, err}
	}
	return lib, nil
}

// counters opens the energy counters; where there are none, it says why in a line, and what is measured has no energy.
func (f *backendFlags) counters(s streams) *calibrate.RAPL {
	if f.provider != "cpu" {
		fmt.Fprintf(s.err, "onnxcost: energy is unavailable: RAPL counts the processor's package, not what provider %s runs on\n", f.provider)
		return nil
	}
	r, err := calibrate.OpenRAPL()
	if err != nil {
		fmt.Fprintf(s.err, "onnxcost: energy is unavailable: %v\n", err)
		return nil
	}
	return r
}

// parseCounts reads "1,2,4".
func parseCounts(flag, text string) ([]int64, error) {
	if text == "" {
		return nil, nil
	}
	var out []int64
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil || n < 1 {
			return nil, misuse("%s %s: want whole numbers of at least 1, such as 1,2,4,8", flag, text)
		}
		out = append(out, n)
	}
	return out, nil
}

// loadJob reads a MODEL argument as something to run. A network of the zoo whose time depends on its data gets random weights.
func loadJob(arg string, flags *modelFlags, stdin io.Reader) (calibrate.Job, error) {
	m, name, err := loadModel(arg, stdin)
	if err != nil {
		return calibrate.Job{}, err
	}
	if base, ok := strings.CutPrefix(arg, "zoo:"); ok && slices.ContainsFunc(m.Graph.Nodes, func(n *onnx.Node) bool { return n.OpType == "PRelu" }) {
		// Weights that are all alike give data that are all alike, whose branches the processor foresees.
		if m, err = buildZoo(base, zoo.Fill); err != nil {
			return calibrate.Job{}, err
		}
	}
	j := calibrate.Job{Name: name, Model: m}
	if arg != "-" && !strings.HasPrefix(arg, "zoo:") {
		j.Path = arg
	}
	if j.Options, err = flags.options(m); err != nil {
		return calibrate.Job{}, err
	}
	if flags.inputs != "" {
		if j.Values, err = knownTensors(m, flags.inputs); err != nil {
			return calibrate.Job{}, err
		}
	}
	return j, nil
}

// knownTensors reads the tensors of --inputs that are to be fed.
func knownTensors(m *onnx.Model, dir string) (map[string]*onnx.Tensor, error) {
	values := map[string]*onnx.Tensor{}
	for i, vi := range ort.FreeInputs(m) {
		path := fmt.Sprintf("%s/input_%d.pb", strings.TrimSuffix(dir, "/"), i)
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t, err := onnx.ReadTensor(data)
		if err != nil {
			return nil, &codedError{exitInput, fmt.Errorf("%s: %w", path, err)}
		}
		values[vi.Name] = t
	}
	return values, nil
}

// loadJobs reads every model; those that fail are reported and left out, and worst is their exit code.
func loadJobs(s streams, args []string, flags *modelFlags) (jobs []calibrate.Job, worst int) {
	for _, arg := range expandZoo(args) {
		j, err := loadJob(arg, flags, s.in)
		if err != nil {
			fmt.Fprintf(s.err, "onnxcost: %s\n", describeError(arg, err))
			worst = max(worst, exitCode(err))
			continue
		}
		jobs = append(jobs, j)
	}
	return jobs, worst
}

// progressLine draws progress in place, on a terminal only and only between measurements.
func progressLine(w io.Writer, what string) func(calibrate.Progress) {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return func(p calibrate.Progress) {
		left := ""
		if p.Left > 0 {
			left = ", " + p.Left.Round(time.Second).String() + " left"
		}
		fmt.Fprintf(f, "\r\x1b[K%s: %d of %d%s: %s", what, p.Done, p.Total, left, shorten(p.What, 60))
		if p.Done >= p.Total {
			fmt.Fprintln(f)
		}
	}
}

// exitOfRun is the exit code of a model that did not run: its own fault and the runtime's are inputs that could not be
// used.
func exitOfRun(err error) int {
	var batch *calibrate.BatchError
	var opt *analyzer.OptionError
	if errors.As(err, &batch) || errors.As(err, &opt) {
		return exitMisuse
	}
	return exitInput
}

// duration prints seconds for people.
func durationText(seconds float64) string {
	for _, u := range []struct {
		factor float64
		name   string
	}{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}} {
		if seconds >= u.factor {
			return significant(seconds/u.factor) + " " + u.name
		}
	}
	return significant(seconds/1e-9) + " ns"
}
