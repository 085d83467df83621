package memory

import (
	"context"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel/internal/lower"
	"github.com/onnxcost/onnxcost/costmodel/plan"
	"github.com/onnxcost/onnxcost/specs"
)

// avx512 is the processor that the records are of.
var avx512 = &specs.Processor{Features: []specs.Feature{specs.AVX, specs.AVX2, specs.FMA, specs.AVX512F}}

// recordedMemory is a row of testdata/ort_memory.csv.
type recordedMemory struct {
	model                  string
	batch, base, requested int64
	nodes                  int
	inUse                  int64
	inUseKnown             bool
}

func recordedMemories(t *testing.T) (rows []recordedMemory) {
	t.Helper()
	f, err := os.Open("testdata/ort_memory.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range records[1:] {
		row := recordedMemory{model: c[0], batch: number(c[1]), nodes: int(number(c[2])), base: number(c[3]), requested: number(c[4])}
		if row.inUseKnown = c[5] != ""; row.inUseKnown {
			row.inUse = number(c[5])
		}
		rows = append(rows, row)
	}
	return rows
}

// TestORTMemory holds the model to ONNX Runtime's own records: the peak of requested bytes within 1 % and the arena's
// within 5 % on at least nine of ten networks.
func TestORTMemory(t *testing.T) {
	shared := os.Getenv("ONNXCOST_SHARED")
	plans := map[string]*plan.Plan{}
	all, close, inUse, inUseClose := 0, 0, 0, 0
	for _, row := range recordedMemories(t) {
		name, isZoo := strings.CutPrefix(row.model, "zoo:")
		if !isZoo && shared == "" {
			continue
		}
		p := plans[row.model]
		if p == nil {
			var m *onnx.Model
			var err error
			if isZoo {
				m, err = zoo.Build(name, zoo.None)
			} else {
				m, err = onnx.Open(filepath.Join(shared, row.model))
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if p, err = lower.Lower(r, plan.ORTCPU, avx512); err != nil {
				t.Fatal(err)
			}
			plans[row.model] = p
		}
		env := batchEnv(p.Report, row.batch)
		for _, s := range p.Report.FreeDims() {
			if _, bound := env[s]; !bound {
				env[s] = 32
			}
		}
		m, err := Of(p, env, Options{})
		if err != nil {
			t.Fatalf("%s: %v", row.model, err)
		}
		all++
		e := float64(m.ActivationBytes)/float64(row.requested) - 1
		if math.Abs(e) <= 0.01 {
			close++
		} else {
			t.Logf("%s batch %d: requested %d, recorded %d (%+.2f %%)", row.model, row.batch, m.ActivationBytes, row.requested, 100*e)
		}
		if row.inUseKnown {
			inUse++
			e := float64(m.InUseBytes)/float64(row.inUse) - 1
			if math.Abs(e) <= 0.05 {
				inUseClose++
			} else {
				t.Logf("%s batch %d: in use %d, recorded %d (%+.2f %%)", row.model, row.batch, m.InUseBytes, row.inUse, 100*e)
			}
		}
		if m.WeightBytes < row.base {
			t.Errorf("%s: weights of %d bytes, but the session's packed constants alone are %d", row.model, m.WeightBytes, row.base)
		}
	}
	t.Logf("requested within 1 %%: %d of %d; in use within 5 %%: %d of %d", close, all, inUseClose, inUse)
	if 10*close < 9*all || 10*inUseClose < 9*inUse {
		t.Errorf("want at least nine of ten")
	}
}

// TestEagerMemory: the interval holds the figure, and a precision of half the width takes about half.
func TestEagerMemory(t *testing.T) {
	m, err := zoo.Build("resnet50", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range []plan.Runtime{plan.Eager, plan.ORTCUDA, plan.TensorRT, plan.Torch7, plan.ORTCPU} {
		p, err := lower.Lower(r, rt, avx512)
		if err != nil {
			t.Fatal(err)
		}
		full, err := Of(p, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if full.ActivationLowBytes > full.ActivationBytes || full.ActivationBytes > full.ActivationHighBytes || full.ActivationLowBytes <= 0 {
			t.Errorf("%s: %d outside of %d to %d", rt, full.ActivationBytes, full.ActivationLowBytes, full.ActivationHighBytes)
		}
		if known := full.ActivationLowBytes == full.ActivationHighBytes; known != (len(full.Unknown) == 0) {
			t.Errorf("%s: interval %d to %d, and unknown is %q", rt, full.ActivationLowBytes, full.ActivationHighBytes, full.Unknown)
		}
		if rt == plan.Torch7 {
			continue // the figures are those of 32 bits
		}
		half, err := Of(p, nil, Options{Scale: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		if ratio := float64(half.ActivationBytes) / float64(full.ActivationBytes); math.Abs(ratio-0.5) > 0.01 {
			t.Errorf("%s: half the width takes %.3f of the memory", rt, ratio)
		}
	}
}
