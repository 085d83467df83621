package analyzer_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// FuzzAnalyze sends any bytes through the whole pipeline: an error or a report, never a panic, and never long.
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
	if dir := os.Getenv("ONNXCOST_SHARED"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "onnx-node-tests", "*", "model.onnx"))
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			if len(data) < 4096 {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnx.Decode(data, "fuzz.onnx")
		if (m == nil) == (err == nil) {
			t.Fatalf("Decode gives model %v and error %v", m != nil, err)
		}
		if err != nil {
			return
		}
		start := time.Now()
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
		if spent := time.Since(start); spent > 20*time.Second { // ten times the aim: other programs may run
			t.Fatalf("%d bytes took %v", len(data), spent)
		}
	})
}
