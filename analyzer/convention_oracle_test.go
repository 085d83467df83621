package analyzer_test

import (
	"context"
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

func convention(t *testing.T, name string) analyzer.Convention {
	t.Helper()
	c, ok := analyzer.ConventionByName(name)
	if !ok {
		t.Fatalf("no convention %q", name)
	}
	return c
}

func zooReport(t *testing.T, name string) *analyzer.Report {
	t.Helper()
	m, err := zoo.Build(name, zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// recountAt is the figure of a convention for one sample.
func recountAt(t *testing.T, r *analyzer.Report, name string) int64 {
	t.Helper()
	v, err := r.Recount(convention(t, name)).Eval(r.Dims)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestPaperConvention compares the paper's networks with a recount of their layers by the rules of torch-opCounter, and
// with the positions of the points in the paper's Figure 2.
//
// The recount is printed with three decimals. The points were read off a drawing to ±0.01 G-Ops; ResNet-18's lies
// under GoogLeNet's, and Inception-v4's (18.45) is not the network that goes by the name: it fits one without the long
// branch of its seven Inception-B blocks.
func TestPaperConvention(t *testing.T) {
	for _, c := range []struct {
		name           string
		recount, point float64 // G-Ops; 0: no point to compare with
	}{
		{"alexnet", 2.272, 2.27}, // 1.450 if groups counted
		{"bn-alexnet", 1.301, 1.30},
		{"bn-nin", 2.524, 2.52},
		{"enet", 1.570, 1.57},
		{"googlenet", 3.004, 3.01},
		{"resnet18", 3.634, 0},
		{"resnet34", 7.338, 7.34},
		{"resnet50", 8.210, 8.21},
		{"resnet101", 15.652, 15.65},
		{"resnet152", 23.097, 23.1},
		{"vgg16", 30.968, 30.97},
		{"vgg19", 39.294, 39.29},
		{"inception-v3", 11.444, 11.45},
		{"inception-v4", 24.538, 0},
		{"googlenet-bvlc", 3.172, 0},
	} {
		got := float64(recountAt(t, zooReport(t, c.name), "paper")) / 1e9
		if math.Abs(got-c.recount) > 0.001 {
			t.Errorf("%s: got %.4f G-Ops, want %.3f", c.name, got, c.recount)
		}
		if c.point != 0 && math.Abs(got-c.point) > 0.01 {
			t.Errorf("%s: got %.4f G-Ops, want %.2f ± 0.01 as plotted", c.name, got, c.point)
		}
	}
}

// TestThopFigures compares with what thop 0.1.1 prints for torchvision's networks, to the last digit. Where the graph
// differs from torchvision's model, the difference is spelled out.
func TestThopFigures(t *testing.T) {
	const (
		softmax = 3*1000 - 1 // the graph ends with one, the model does not
		// The model has an adaptive average pool of 7×7 to 1×1 (50 per output element), the graph an average pool
		// with a window of 7×7 (1 per output element).
		pooledBasic      = 512 * (50 - 1)
		pooledBottleneck = 2048 * (50 - 1)
		// The model has an adaptive average pool of 7×7 to 7×7 (2 per output element), the graph none.
		noPool = 2 * 512 * 7 * 7
		// The model pools by a function, which the tool does not see; the graph has a GlobalAveragePool.
		functional = 1024*7*7 + 1024
	)
	for _, c := range []struct {
		name    string
		printed int64 // by thop for torchvision's model
		graph   int64 // what the zoo's graph has more
	}{
		{"resnet18", 1824033792, -pooledBasic},
		{"resnet50", 4133742592, -pooledBottleneck},
		{"resnet101", 7866435584, -pooledBottleneck},
		{"resnet152", 11603945472, -pooledBottleneck},
		{"densenet121", 2897007104, functional},
		{"vgg16", 15470314496, softmax - noPool},
		{"vgg19", 19632112640, softmax - noPool},
	} {
		if got := recountAt(t, zooReport(t, c.name), "thop"); got != c.printed+c.graph {
			t.Errorf("zoo %s: got %d, want %d printed for torchvision's model %+d", c.name, got, c.printed, c.graph)
		}
	}
	for _, c := range []struct {
		path    string
		printed int64
		graph   int64
	}{
		{"onnx-light/light_resnet50.onnx", 4133742592, softmax - pooledBottleneck},
		{"onnx-light/light_densenet121.onnx", 2897007104, functional},
		{"onnx-light/light_vgg19.onnx", 19632112640, softmax - noPool},
		{"models/vgg16.onnx", 15470314496, -noPool / 2}, // exported as an average pool with a window of 1×1
	} {
		r := analyze(t, shared(t, strings.Split(c.path, "/")...), analyzer.Options{})
		if got := recountAt(t, r, "thop"); got != c.printed+c.graph {
			t.Errorf("%s: got %d, want %d printed for torchvision's model %+d", c.path, got, c.printed, c.graph)
		}
	}
}

// TestThopReadme compares with the table of thop's README where the graph still has its BatchNormalization. The table
// was made by an early release that also counted biases, activations and maximum pools, at most 0.9 % of these networks
// (VGG-16), and has two decimals of G: hence 1 % and half a digit.
func TestThopReadme(t *testing.T) {
	f, err := os.Open(shared(t, "oracles", "counters.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := csv.NewReader(f)
	rows.FieldsPerRecord = -1 // each source has columns of its own
	all, err := rows.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	readme := map[string]float64{} // GMACs by model
	for _, row := range all {
		if row[0] == "thop README" {
			if readme[row[1]], err = strconv.ParseFloat(row[4], 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct{ row, zoo string }{
		{"resnet18", "resnet18"}, {"resnet34", "resnet34"}, {"resnet50", "resnet50"}, {"resnet101", "resnet101"},
		{"resnet152", "resnet152"}, {"vgg16", "vgg16"}, {"vgg19", "vgg19"}, {"densenet121", "densenet121"},
		{"squeezenet1_1", "squeezenet1_1"}, {"mobilenet_v2", "mobilenet-v2"},
	} {
		want, ok := readme[c.row]
		if !ok {
			t.Errorf("the table has no row %s", c.row)
			continue
		}
		got := float64(recountAt(t, zooReport(t, c.zoo), "thop")) / 1e9
		if math.Abs(got-want) > 0.01*want+0.005 {
			t.Errorf("%s: got %.3f GMACs, want %.2f", c.zoo, got, want)
		}
	}
}

// TestTorchConvention: torch's counter gives twice the MACs that torchvision publishes for its models, at their three
// decimals of G; and for ResNet-50 the figure that FlopCounterMode prints, to the last digit.
func TestTorchConvention(t *testing.T) {
	if got := recountAt(t, zooReport(t, "resnet50"), "torch"); got != 8178368512 {
		t.Errorf("resnet50: got %d, want 8178368512", got)
	}
	compared := 0
	for _, row := range table(t, shared(t, "oracles", "torchvision.csv")) {
		name := row["model"]
		if !strings.Contains("vgg16 resnet18 googlenet mobilenet_v2 densenet121 efficientnet_b0 vit_b_32 swin_t convnext_tiny shufflenet_v2_x1_0", name) {
			continue
		}
		compared++
		got := float64(recountAt(t, analyze(t, shared(t, "models", name+".onnx"), analyzer.Options{}), "torch")) / 2e9
		if s := strconv.FormatFloat(math.Round(got*1e3)/1e3, 'f', -1, 64); s != row["gmacs"] {
			t.Errorf("%s: got %s, want half the FLOPs to be %s GMACs", name, s, row["gmacs"])
		}
	}
	if compared != 10 {
		t.Errorf("compared %d models, want 10", compared)
	}
}

// TestFvcoreConvention: fvcore's own example (a 1×1 convolution of 3 to 10 channels on 10×10, a rectifier, a linear
// layer of 1000 to 10) is 3000 + 10000; and ResNet-50 is its MACs and 2 per element that BatchNormalization sees, which
// thop's figure for the same model tells independently, being 4 per element.
func TestFvcoreConvention(t *testing.T) {
	conv := recount(t, single(13, "Conv", nil, act(1, 3, 10, 10), weight(10, 3, 1, 1), weight(10)))["fvcore"]
	relu := recount(t, single(13, "Relu", nil, act(1, 10, 10, 10)))["fvcore"]
	fc := recount(t, single(13, "Gemm", attrs(integerAttr("transB", 1)), act(1, 1000), weight(10, 1000), weight(10)))["fvcore"]
	if conv != 3000 || relu != 0 || fc != 10000 {
		t.Errorf("fvcore's example: got %d, %d and %d, want 3000, 0 and 10000", conv, relu, fc)
	}
	const macs, thop, adaptivePool = 4089184256, 4133742592, 2048 * 50
	if got, want := recountAt(t, zooReport(t, "resnet50"), "fvcore"), int64(macs+(thop-adaptivePool-macs)/2); got != want {
		t.Errorf("resnet50: got %d, want %d", got, want)
	}
}
