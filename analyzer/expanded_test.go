package analyzer_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestExpandedMACs holds the rules of fused operators to the standard's own definition of them: where a node test comes
// with its function body expanded, both graphs have the same MACs.
//
// LinearAttention's body multiplies the state's outer products and its reads as matrices, CausalConvWithState's is a
// convolution over the joined state, attention's two matrix products over repeated key heads. AffineGrid is left out: its
// 3×4 matrices are element-wise work in its rule.
func TestExpandedMACs(t *testing.T) {
	dirs, err := filepath.Glob(shared(t, "onnx-node-tests", "*_expanded*", "model.onnx"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no expanded node tests: %v", err)
	}
	macs := func(path string) (analyzer.Totals, bool) {
		m, err := onnx.Open(path)
		if err != nil {
			return analyzer.Totals{}, false
		}
		inputs, err := analyzer.ReadInputs(m, filepath.Join(filepath.Dir(path), "test_data_set_0"))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{Inputs: inputs})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return r.Totals(), true
	}
	compared := 0
	for _, path := range dirs {
		name := filepath.Base(filepath.Dir(path))
		fused := name[:strings.Index(name, "_expanded")]
		want, _ := macs(path)
		got, ok := macs(filepath.Join(filepath.Dir(filepath.Dir(path)), fused, "model.onnx"))
		if !ok || got.MACs.Is(0) && want.MACs.Is(0) || strings.HasPrefix(name, "test_affine_grid") {
			continue
		}
		compared++
		if !got.MACs.Equal(want.MACs) {
			t.Errorf("%s: got %v MACs, want %v as its body", fused, got.MACs, want.MACs)
		}
	}
	t.Logf("%d operators compared with their bodies", compared)
	if compared < 40 {
		t.Errorf("compared %d operators with their bodies, want at least 40", compared)
	}
}
