package zoo

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// want are trainable parameters and MACs of one image, recounted by hand from the definitions that Entry.Source names.
// The residual networks, the VGGs, Inception-v3 and the modern ones also equal the figures that torchvision publishes.
var want = []struct {
	name         string
	params, macs int64
}{
	{"alexnet", 60965224, 724406816},
	{"bn-alexnet", 60541992, 649646624},
	{"bn-nin", 8655336, 1259939840},
	{"enet", 5861508, 779341568},
	{"googlenet", 6991880, 1498677248},
	{"resnet18", 11689512, 1814073344},
	{"resnet34", 21797672, 3663761408},
	{"resnet50", 25557032, 4089184256},
	{"resnet101", 44549160, 7801405440},
	{"resnet152", 60192808, 11513626624},
	{"vgg16", 138357544, 15470264320},
	{"vgg19", 143667240, 19632062464},
	{"inception-v3", 23834568, 5713216096},
	{"inception-v4", 42679816, 12253974624},
	{"googlenet-bvlc", 6998552, 1582671872},
	{"mobilenet-v2", 3504872, 300774272},
	{"squeezenet1_1", 1235496, 349151936},
	{"densenet121", 7978856, 2834161664},
	{"vit_b_16", 86567656, 17563828224},
}

func analyze(t *testing.T, m *onnx.Model) *analyzer.Report {
	t.Helper()
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Diagnostics {
		if d.Severity != analyzer.SeverityNote || d.Code == analyzer.CodeOrder || d.Code == analyzer.CodeDeadNode {
			t.Fatalf("%s: %s: %s", d.Code, d.Node, d.Message)
		}
	}
	return r
}

// TestCounts holds every network, with and without weights, and after a round trip through a file, to its figures.
func TestCounts(t *testing.T) {
	var names []string
	for _, w := range want {
		names = append(names, w.name)
	}
	if d := cmp.Diff(Names(), names); d != "" {
		t.Fatalf("networks without figures (-zoo +test):\n%s", d)
	}
	for _, w := range want {
		t.Run(w.name, func(t *testing.T) {
			none := build(t, w.name, None)
			data := marshal(t, none)
			if len(data) > 256<<10 {
				t.Errorf("without weights the file has %d bytes", len(data))
			}
			file, err := onnx.Decode(data, w.name)
			if err != nil {
				t.Fatal(err)
			}
			for form, m := range map[string]*onnx.Model{"none": none, "file": file, "fill": build(t, w.name, Fill)} {
				r := analyze(t, m)
				got := r.Totals()
				if p := got.TrainableParams.String(); p != fmt.Sprint(w.params) {
					t.Errorf("%s: trainable params: got %s, want %d", form, p, w.params)
				}
				if macs := got.MACs.String(); macs != fmt.Sprintf("%d*batch", w.macs) {
					t.Errorf("%s: MACs: got %s, want %d*batch", form, macs, w.macs)
				}
				if r.LowerBound() {
					t.Errorf("%s: totals are lower bounds", form)
				}
				if out := r.Outputs[0].Shape.String(); len(r.Outputs) != 1 || out != "batchx1000" {
					t.Errorf("%s: output: got %s, want batchx1000", form, out)
				}
			}
		})
	}
}

// TestTorchvision compares with what torchvision publishes for the networks that both have.
func TestTorchvision(t *testing.T) {
	shared := os.Getenv("ONNXCOST_SHARED")
	if shared == "" {
		t.Skip("needs ONNXCOST_SHARED")
	}
	f, err := os.Open(filepath.Join(shared, "oracles", "torchvision.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	differs := map[string]bool{"alexnet": true, "googlenet": true} // torchvision builds other networks under these names
	compared := 0
	for _, row := range rows[1:] {
		name := row[0]
		if _, ok := Info(name); !ok || differs[name] {
			continue
		}
		compared++
		got := analyze(t, build(t, name, None)).Totals()
		if name != "inception_v3" { // torchvision counts the parameters of its auxiliary head
			if p := got.TrainableParams.String(); p != row[1] {
				t.Errorf("%s: params: got %s, want %s", name, p, row[1])
			}
		}
		macs, err := got.MACs.Eval(map[string]int64{"batch": 1})
		if err != nil {
			t.Fatal(err)
		}
		wantG, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if math.Round(float64(macs)/1e6) != math.Round(wantG*1e3) {
			t.Errorf("%s: MACs: got %d, want %s G", name, macs, row[2])
		}
	}
	if compared < 9 {
		t.Errorf("only %d networks compared", compared)
	}
}

func TestNames(t *testing.T) {
	for alias, name := range map[string]string{
		"mobilenet_v2": "mobilenet-v2", "Inception_V3": "inception-v3", "VGG-16": "vgg16", "bn_NIN": "bn-nin", "ViT-B-16": "vit_b_16",
		"SqueezeNet1.1": "squeezenet1_1",
	} {
		if e, ok := Info(alias); !ok || e.Name != name {
			t.Errorf("Info(%q): got %q, want %q", alias, e.Name, name)
		}
	}
	if e, ok := Info("resnet"); ok {
		t.Errorf("Info(resnet) found %q", e.Name)
	}
	seen := map[string]string{}
	paper := 0
	for _, n := range Names() {
		e, _ := Info(n)
		if other, ok := seen[plain(n)]; ok {
			t.Errorf("%s and %s are one name", n, other)
		}
		seen[plain(n)] = n
		if e.Title == "" || e.Source == "" {
			t.Errorf("%s has no title or source", n)
		}
		if e.Group == Paper {
			paper++
		}
	}
	if paper != 14 {
		t.Errorf("the paper's networks: got %d, want 14", paper)
	}
	_, err := Build("lenet", None)
	if err == nil || !strings.Contains(err.Error(), `no network "lenet"; there are alexnet,`) {
		t.Errorf("Build(lenet): got %v", err)
	}
	if _, err := Build("enet", 7); err == nil {
		t.Error("Build accepted weights 7")
	}
}

// TestNodeNames requires unique path names, so that costs group by stage and block.
func TestNodeNames(t *testing.T) {
	for _, name := range Names() {
		seen := map[string]bool{}
		scoped := 0
		for _, n := range build(t, name, None).Graph.Nodes {
			if !strings.HasPrefix(n.Name, "/") || strings.Contains(n.Name, "//") || seen[n.Name] {
				t.Errorf("%s: node name %q is not a path of its own", name, n.Name)
			}
			seen[n.Name] = true
			if strings.Count(n.Name, "/") > 1 {
				scoped++
			}
		}
		if 2*scoped < len(seen) {
			t.Errorf("%s: only %d of %d nodes stand in a scope", name, scoped, len(seen))
		}
	}
}

// TestFillIsPinned pins the bytes of a filled export: users compare measurements of exported files between releases
// and machines.
func TestFillIsPinned(t *testing.T) {
	const want = "280f5de69744af92be647ffc39b31af7b9fbea9c4def53d21ccf910dc2dfd87a"
	for range 2 {
		if got := fmt.Sprintf("%x", sha256.Sum256(marshal(t, build(t, "squeezenet1_1", Fill)))); got != want {
			t.Errorf("SHA-256 of squeezenet1_1: got %s, want %s", got, want)
		}
	}
}

// TestFillDistribution checks mean, deviation and independence of a weight against He's rule.
func TestFillDistribution(t *testing.T) {
	in := heNormal(512 * 9)
	v := values(t, in.tensor("a", []int64{512, 512, 3, 3}))
	u := values(t, in.tensor("b", []int64{512, 512, 3, 3}))
	var sum, sq, cross float64
	for i := range v {
		sum += v[i]
		sq += v[i] * v[i]
		cross += v[i] * u[i]
	}
	n := float64(len(v))
	std := math.Sqrt(2.0 / (512 * 9))
	if got := sum / n / std; math.Abs(got) > 5/math.Sqrt(n) {
		t.Errorf("mean: got %g standard deviations", got)
	}
	if got := math.Sqrt(sq/n) / std; math.Abs(got-1) > 0.005 {
		t.Errorf("standard deviation: got %g of the wanted", got)
	}
	if got := cross / sq; math.Abs(got) > 5/math.Sqrt(n) {
		t.Errorf("correlation of two weights: got %g", got)
	}
}

// TestFillStreams writes the largest network and watches the heap.
func TestFillStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("generates 575 MB")
	}
	w := &heapWatcher{}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := onnx.Encode(w, build(t, "vgg19", Fill)); err != nil {
		t.Fatal(err)
	}
	if w.n < 4*143667240 || w.n > 4*143667240+1<<20 {
		t.Errorf("file: got %d bytes, want little above %d", w.n, 4*143667240)
	}
	if grown := int64(w.peak) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("heap grew by %d bytes", grown)
	}
}

// heapWatcher discards what it is given and samples the heap once every 32 MiB.
type heapWatcher struct {
	n    int64
	next int64
	peak uint64
}

func (w *heapWatcher) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	if w.n >= w.next {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.peak, w.next = max(w.peak, m.HeapAlloc), w.n+32<<20
	}
	return len(p), nil
}

func build(t *testing.T, name string, w Weights) *onnx.Model {
	t.Helper()
	m, err := Build(name, w)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func marshal(t *testing.T, m *onnx.Model) []byte {
	t.Helper()
	b, err := onnx.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func values(t *testing.T, w *onnx.Tensor) []float64 {
	t.Helper()
	v, err := w.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func BenchmarkBuild(b *testing.B) {
	for _, w := range []Weights{None, Fill} {
		b.Run(fmt.Sprintf("net=resnet152/weights=%d", w), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Build("resnet152", w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFill is the speed at which random weights are made.
func BenchmarkFill(b *testing.B) {
	b.SetBytes(4 << 20)
	for b.Loop() {
		if err := heNormal(9).write(io.Discard, "w", 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
