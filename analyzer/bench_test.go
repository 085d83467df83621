package analyzer_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// BenchmarkAnalyze times parsing and inference of real exports, per node of the file.
func BenchmarkAnalyze(b *testing.B) {
	for _, f := range []string{"onnx-light/light_resnet50", "onnx-light/light_densenet121", "models/vit_b_32", "models/swin_t"} {
		path := shared(b, filepath.FromSlash(f)+".onnx")
		m, err := onnx.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		nodes := len(m.Graph.Nodes)
		name := strings.TrimPrefix(filepath.Base(f), "light_")
		perNode := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(nodes), "ns/node")
		}
		b.Run(fmt.Sprintf("step=parse/model=%s", name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := onnx.Open(path); err != nil {
					b.Fatal(err)
				}
			}
			perNode(b)
		})
		b.Run(fmt.Sprintf("step=infer/model=%s", name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := analyzer.Analyze(context.Background(), m, analyzer.Options{}); err != nil {
					b.Fatal(err)
				}
			}
			perNode(b)
		})
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("step=totals/model=%s", name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Totals()
				if _, err := r.Liveness(nil); err != nil {
					b.Fatal(err)
				}
			}
			perNode(b)
		})
	}
}
