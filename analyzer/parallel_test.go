package analyzer_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// TestParallel analyses four models a thousand times at once, each model shared by 250 goroutines. Every one must see
// what a single one sees; under the race detector nothing may be written that another reads.
func TestParallel(t *testing.T) {
	const runs = 1000
	names := []string{"alexnet", "squeezenet1_1", "mobilenet-v2", "resnet18"}
	models, want := make([]*onnx.Model, len(names)), make([]string, len(names))
	for i, name := range names {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		models[i], want[i] = m, r.Totals().MACs.String()
	}
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range runs {
		group.Go(func() {
			<-start
			k := i % len(names)
			r, err := analyzer.Analyze(context.Background(), models[k], analyzer.Options{Dims: map[string]int64{"batch": int64(1 + i%7)}})
			if err != nil {
				t.Error(err)
				return
			}
			if got := r.Totals().MACs.String(); got != want[k] {
				t.Errorf("%s: got %s, want %s", names[k], got, want[k])
			}
			if s := r.Summary(names[k], true); s.Dims["batch"] != int64(1+i%7) {
				t.Errorf("%s: batch %d, want %d", names[k], s.Dims["batch"], 1+i%7)
			}
		})
	}
	close(start)
	group.Wait()
}

// TestCancelled: a context that is done ends the analysis with its error.
func TestCancelled(t *testing.T) {
	m, err := zoo.Build("densenet121", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := analyzer.Analyze(ctx, m, analyzer.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
