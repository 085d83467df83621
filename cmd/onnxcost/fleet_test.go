package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

// TestOrdered: results come in order whatever the work takes, at most a window is in flight, and an error or a
// cancelled context ends it.
func TestOrdered(t *testing.T) {
	const n, workers = 500, 8
	var begun, taken, most atomic.Int64
	var got []int
	err := ordered(context.Background(), n, workers, func(_ context.Context, i int) int {
		for d := begun.Add(1) - taken.Load(); ; {
			m := most.Load()
			if d <= m || most.CompareAndSwap(m, d) {
				break
			}
		}
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		return i * i
	}, func(i, r int) error {
		taken.Add(1)
		if r != i*i {
			t.Errorf("%d: got %d", i, r)
		}
		got = append(got, i)
		return nil
	})
	if err != nil || len(got) != n || !slices.IsSorted(got) {
		t.Fatalf("%v: %d results, sorted %v", err, len(got), slices.IsSorted(got))
	}
	if m := most.Load(); m > 4*workers+1 {
		t.Errorf("%d in flight, want at most %d", m, 4*workers+1)
	}
	stop := errors.New("stop")
	count := 0
	if err := ordered(context.Background(), n, workers, func(_ context.Context, i int) int { return i }, func(i, _ int) error {
		count++
		if i == 3 {
			return stop
		}
		return nil
	}); err != stop || count != 4 {
		t.Errorf("got %v after %d results, want the error of the fourth", err, count)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	err = ordered(ctx, n, 2, func(ctx context.Context, i int) int {
		if i == 10 {
			once.Do(cancel)
			<-ctx.Done()
		}
		return i
	}, func(i, _ int) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context is cancelled", err)
	}
	if err := ordered(context.Background(), 0, 4, func(context.Context, int) int { return 0 }, nil); err != nil {
		t.Error(err)
	}
}

// TestResumeTorn: a run that was killed in the middle of a line is gone on with behind it.
func TestResumeTorn(t *testing.T) {
	code, out, errs := runIn(t, map[string]string{"done.ndjson": "{\"model\":\"zoo:vgg16\"}\n{\"model\":\"zoo:ale"},
		"analyze", "zoo:vgg16", "zoo:alexnet", "--by", "total", "-o", "ndjson", "--resume", "done.ndjson")
	if code != 0 || !strings.HasPrefix(out, "\n{\"model\":\"zoo:alexnet\"") || strings.Count(out, "\n") != 2 || !strings.Contains(errs, "done.ndjson:2: the line is not finished") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
}

// smallModels writes n files, all of the same small network.
func smallModels(t testing.TB, dir string, n int) {
	t.Helper()
	m, err := zoo.Build("squeezenet1_1", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := onnx.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("%03d", i%100))
		if i < 100 {
			if err := os.MkdirAll(sub, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("m%05d.onnx", i)), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFleetMemory: the live heap after many models is that after few, because results are let go as they are written.
func TestFleetMemory(t *testing.T) {
	heap := func(n int) uint64 {
		t.Helper()
		dir := t.TempDir()
		smallModels(t, dir, n)
		w := &countingWriter{}
		var errs strings.Builder
		if code := run([]string{"analyze", filepath.Join(dir, "**", "*.onnx"), "-o", "ndjson"}, strings.NewReader(""), w, &errs); code != 0 {
			t.Fatal(errs.String())
		}
		if w.lines != n {
			t.Fatalf("%d lines, want %d", w.lines, n)
		}
		return w.peak
	}
	few, many := heap(64), heap(640)
	t.Logf("live heap at most %.1f MiB for 64 models, %.1f MiB for 640", float64(few)/(1<<20), float64(many)/(1<<20))
	if many > few*3/2+(4<<20) {
		t.Errorf("live heap grows from %d to %d bytes with ten times the models", few, many)
	}
}

// countingWriter counts lines and looks at the live heap from time to time.
type countingWriter struct {
	lines int
	peak  uint64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.lines += strings.Count(string(p), "\n")
	if w.lines%32 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.peak = max(w.peak, m.HeapAlloc)
	}
	return len(p), nil
}
