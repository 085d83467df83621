package calibrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

func library(t *testing.T) *ort.Library {
	t.Helper()
	if !ort.Available || os.Getenv(ort.EnvLibrary) == "" {
		t.Skip("needs ONNXRUNTIME_LIB, the path of ONNX Runtime's C library, and cgo")
	}
	path, err := ort.Find("")
	if err != nil {
		t.Fatal(err)
	}
	lib, err := ort.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// TestEveryMicrobenchmarkRuns loads and runs one model of each class: the runtime's own shape inference agrees with the
// declared output, or it refuses the model.
func TestEveryMicrobenchmarkRuns(t *testing.T) {
	lib := library(t)
	seen := map[string]bool{}
	for _, b := range Sweep(11, 0.1) {
		if seen[b.Class] {
			continue
		}
		seen[b.Class] = true
		s, err := openMicro(context.Background(), lib, b, ort.Options{Threads: 1}, 1)
		if err != nil {
			t.Errorf("%s: %v", b.Sample().Name(), err)
			continue
		}
		if err := s.Run(); err != nil {
			t.Errorf("%s: %v", b.Sample().Name(), err)
		}
		s.Close()
	}
	if len(seen) != len(microClasses) {
		t.Errorf("%d classes ran, want %d", len(seen), len(microClasses))
	}
}

// TestMeasureORT runs networks in turns, beside one that the runtime refuses and a batch that cannot be.
func TestMeasureORT(t *testing.T) {
	lib := library(t)
	broken := otherNetworks["mlp"]()
	broken.Graph.Nodes[0].OpType = "NoSuchOperator"
	broken.Graph.Outputs[0].Type.HasShape = false
	jobs := []Job{
		{Name: "mlp", Model: otherNetworks["mlp"]()}, {Name: "text-cnn", Model: otherNetworks["text-cnn"]()},
		{Name: "broken", Model: broken}, {Name: "segmenter-s", Model: otherNetworks["segmenter-s"]()},
	}
	rules := Rules{MinRuns: 3, Share: time.Millisecond, Rounds: 3, Warmup: 1, Seed: 1}
	got, err := MeasureORT(context.Background(), lib, jobs, MeasureOptions{Threads: 1, Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range got {
		var refused *ort.RunError
		if m.Model == "broken" {
			if !errors.As(m.Err, &refused) || !strings.Contains(m.Err.Error(), "NoSuchOperator") {
				t.Errorf("broken: got %v, want the runtime's words", m.Err)
			}
			continue
		}
		if m.Err != nil || m.Runs < 3 || !(m.Median > 0) || m.Batch != 1 || m.Model != jobs[i].Name {
			t.Errorf("%s: got %+v", jobs[i].Name, m)
		}
	}
	got, err = MeasureORT(context.Background(), lib, jobs[:1], MeasureOptions{Threads: 1, Batches: []int64{4}, Rules: rules})
	var batch *BatchError
	if err != nil || !errors.As(got[0].Err, &batch) || batch.Fixed != 1 {
		t.Errorf("batch 4 of a model with a fixed batch: got %+v, %v", got, err)
	}
}

// TestGatherKeepsWhatItHas is stopped after its first block: the samples so far come back and are well formed.
func TestGatherKeepsWhatItHas(t *testing.T) {
	lib := library(t)
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	s, _, err := GatherORT(ctx, lib, SweepOptions{Threads: 1, Seed: 1, For: time.Second, Date: "2026-01-02", Progress: func(p Progress) {
		if calls++; calls == 2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || len(s.Samples) == 0 {
		t.Fatalf("got %d samples, %v, want some and the context's error", len(s.Samples), err)
	}
	var b strings.Builder
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSamples(strings.NewReader(b.String()), "samples"); err != nil {
		t.Error(err)
	}
	if s.Get("onnxruntime") != lib.Version || s.Get("seed") != "1" || s.Get("cores") == "" {
		t.Errorf("configuration: %v", s.Config)
	}
}

// TestProfilerAgreesWithLowering compares the operators of the runtime's optimised graph with the kernels of a plan.
func TestProfilerAgreesWithLowering(t *testing.T) {
	lib := library(t)
	for _, name := range []string{"segmenter-s", "tcn", "mlp", "text-cnn", "gru", "dcgan-thin"} {
		for _, d := range compareOperators(t, lib, otherNetworks[name](), 2) {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestProfilerAgreesOnUnseenNetworks is the same for every unseen network with a free batch, and for those with a batch of
// one in the file where the runtime makes other kernels of products or sums once it knows all extents.
func TestProfilerAgreesOnUnseenNetworks(t *testing.T) {
	lib := library(t)
	compare := func(name string, m *onnx.Model) {
		for _, d := range compareOperators(t, lib, m, 0) {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unseenNetworks)) {
		compare(name, unseenNetworks[name].model())
	}
	for _, name := range []string{"bert-l4-h768", "bert-tiny", "bilstm-tagger", "blazeface", "mixer-s32", "mobilebert", "sasrec", "shufflenet-v1-g3",
		"t5-small-encoder", "vit-tiny"} {
		compare(name+" of batch 1", unseenNetworks[name].build())
	}
}

// compareOperators runs a network under the profiler, once for its loading and runs times more, counts kernels by operator,
// and says where the plan has another number.
func compareOperators(t *testing.T, lib *ort.Library, m *onnx.Model, runs int) []string {
	t.Helper()
	seen, err := MeasureKernels(context.Background(), lib, Job{Name: m.Graph.Name, Model: m}, 0, 1, runs)
	if err != nil {
		t.Fatal(err)
	}
	cpu, err := HostProcessor(lib)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for _, k := range planOf(t, m, cpu).Kernels {
		want[k.Op]++
	}
	var out []string
	for _, k := range seen {
		if want[k.Op] != k.Nodes {
			out = append(out, fmt.Sprintf("the runtime ran %d nodes %s, the plan has %d", k.Nodes, k.Op, want[k.Op]))
		}
		delete(want, k.Op)
	}
	for _, op := range slices.Sorted(maps.Keys(want)) {
		out = append(out, fmt.Sprintf("the plan has %d kernels %s that the runtime did not run", want[op], op))
	}
	return out
}
