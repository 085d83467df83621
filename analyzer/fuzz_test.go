package analyzer_test

import (
	"context"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/internal/bound"
)

// FuzzAnalyze sends any bytes through the whole analysis: an error or a report, never a panic, and no more time and
// memory than the bytes explain; the report is the same where every rule is asked anew. FuzzPredict of package costmodel goes on from there.
func FuzzAnalyze(f *testing.F) {
	for _, name := range []string{"alexnet", "squeezenet1_1", "enet"} {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			f.Fatal(err)
		}
		data, err := onnx.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, data := range bound.Seeds(f, "onnx-light/*.onnx", "onnx-node-tests/*/model.onnx") {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnx.Decode(data, "fuzz.onnx")
		if (m == nil) == (err == nil) {
			t.Fatalf("Decode gives model %v and error %v", m != nil, err)
		}
		if err != nil {
			return
		}
		bound.Run(t, len(data), func() {
			r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
			if (r == nil) == (err == nil) {
				t.Fatalf("Analyze gives report %v and error %v", r != nil, err)
			}
			if err != nil {
				return
			}
			r.Summary("fuzz.onnx", true)
			for _, c := range analyzer.Conventions() {
				r.Recount(c)
			}
		})
		if got, want := outcome(m, analyzer.Options{}), outcome(m, analyzer.AskAll(analyzer.Options{})); got != want {
			t.Errorf("with results that serve several nodes: got %s\nwant %s", got, want)
		}
	})
}
