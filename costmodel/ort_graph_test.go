package costmodel_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/calibrate/ort"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// differsFromORT are the models whose kernel list is not ONNX Runtime's. The list may only shrink.
var differsFromORT = map[string]bool{
	"timm:resmlp_36_224": true, // which of two transposes a product takes over, in the first of 36 blocks
}

// sharedFiles returns the files that match a pattern below the shared test data, or skips the test where it is absent.
func sharedFiles(t testing.TB, pattern string) []string {
	t.Helper()
	dir := os.Getenv("ONNXCOST_SHARED")
	if dir == "" {
		t.Skip("needs ONNXCOST_SHARED")
	}
	paths, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file matches %s in %s", pattern, dir)
	}
	return paths
}

// ortLibrary opens ONNX Runtime, or skips the test where it is not named.
func ortLibrary(t testing.TB) *ort.Library {
	t.Helper()
	path := os.Getenv(ort.EnvLibrary)
	if path == "" {
		t.Skip("needs " + ort.EnvLibrary)
	}
	lib, err := ort.Open(path)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(lib.Version, "1.30.") {
		t.Skipf("the rules are those of ONNX Runtime 1.30, have %s", lib.Version)
	}
	return lib
}

// The processors that plans are tested for.
var (
	avx512 = costmodel.Processors()["avx512"]
	avx2   = costmodel.Processors()["avx2"]
	arm64  = costmodel.Processors()["arm64"]
)

// targetOf is the processor as the library at hand meets it.
func targetOf(t testing.TB, lib *ort.Library) *specs.Processor {
	t.Helper()
	block, err := lib.ChannelBlock()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range costmodel.Processors() {
		if p.Block() == int64(block) {
			return p
		}
	}
	t.Fatalf("a channel block of %d", block)
	return nil
}

// optimised is ONNX Runtime's own optimised graph of a model.
func optimised(t testing.TB, lib *ort.Library, m *onnx.Model, name string) *onnx.Graph {
	t.Helper()
	dir := t.TempDir()
	path, out := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "optimised.onnx")
	if err := onnx.WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	s, err := lib.NewSession(ort.SourceOf(m, name, path, nil), ort.Options{Threads: 1, OptimizedModel: out, Config: map[string]string{
		"session.optimized_model_external_initializers_file_name":         "weights.bin",
		"session.optimized_model_external_initializers_min_size_in_bytes": "4096",
	}})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := onnx.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(dir) // the weights of a large model need not wait for the end of the test
	return o.Graph
}

// token is what the runtime appends to names that it has given already.
var token = regexp.MustCompile(`(_token)?_\d+$`)

// graphNames counts the nodes of a graph by operator, and by operator and name.
func graphNames(g *onnx.Graph) (ops, names map[string]int) {
	ops, names = map[string]int{}, map[string]int{}
	for _, n := range g.Nodes {
		full := n.OpType
		if n.Domain != "" && n.Domain != "ai.onnx" {
			full = n.Domain + "." + n.OpType
		}
		ops[full]++
		names[full+" "+token.ReplaceAllString(n.Name, "")]++
	}
	return ops, names
}

func planNames(p *costmodel.Plan) (ops, names map[string]int) {
	ops, names = map[string]int{}, map[string]int{}
	for _, k := range p.Kernels {
		if k.Depth == 0 {
			ops[k.FullOp()]++
			names[k.FullOp()+" "+token.ReplaceAllString(k.Name, "")]++
		}
	}
	return ops, names
}

// graphTransposes counts the Transpose nodes of a graph by their permutation.
func graphTransposes(g *onnx.Graph) map[string]int {
	turns := map[string]int{}
	for _, n := range g.Nodes {
		if n.OpType == "Transpose" {
			turns[fmt.Sprint(n.Attr("perm").Ints)]++
		}
	}
	return turns
}

// planTransposes counts those of a kernel list.
func planTransposes(p *costmodel.Plan) map[string]int {
	turns := map[string]int{}
	for _, k := range p.Kernels {
		if k.Op == "Transpose" && k.Depth == 0 {
			turns[fmt.Sprint(k.Permutation(len(k.Inputs[0].Shape)))]++
		}
	}
	return turns
}

// missing is what a has more of than b.
func missing(a, b map[string]int) (list []string) {
	for k, n := range a {
		if n > b[k] {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	return list
}

// networks yields the shared models and the zoo by name, and the published graphs where all are asked for.
func networks(t *testing.T, all bool, f func(name string, m *onnx.Model)) {
	paths := slices.Concat(sharedFiles(t, "models/*.onnx"), sharedFiles(t, "onnx-light/*.onnx"))
	if all {
		paths = append(paths, publishedGraphs(t)...)
	}
	for _, path := range paths {
		m, err := onnx.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		if strings.Contains(path, publishedDir) {
			name = "timm:" + name
		}
		f(name, m)
	}
	for _, name := range zoo.Names() {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		f("zoo:"+name, m)
	}
}

// TestGraphsOfORT compares the kernel list of ort-cpu with the nodes of ONNX Runtime's own optimised graph: operators
// with their domains, and names.
func TestGraphsOfORT(t *testing.T) {
	lib := ortLibrary(t)
	cpu := targetOf(t, lib)
	equal, all := 0, 0
	var lines []string
	networks(t, *record, func(name string, m *onnx.Model) {
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := costmodel.Lower(r, costmodel.ORTCPU, cpu)
		if err != nil {
			t.Fatal(err)
		}
		g := optimised(t, lib, m, name)
		ops, names := planNames(p)
		wantOps, wantNames := graphNames(g)
		lines = append(lines, graphLine(cpu, name, wantOps, graphTransposes(g)))
		same := operatorList(ops) == operatorList(wantOps)
		all++
		if same {
			equal++
		}
		t.Logf("%-24s ours %4d, ORT %4d, equal %t", name, len(p.Kernels), len(g.Nodes), same)
		switch {
		case !same && !differsFromORT[name]:
			t.Errorf("%s: too many %v, too few %v", name, missing(ops, wantOps), missing(wantOps, ops))
		case same && differsFromORT[name]:
			t.Errorf("%s is equal now; take it off the list of those that differ", name)
		case same:
			if extra := missing(names, wantNames); extra != nil && !strings.HasPrefix(name, "timm:") { // their names are not looked at
				t.Errorf("%s: names that ORT does not have: %v", name, extra)
			}
			turns, wantTurns := planTransposes(p), graphTransposes(g)
			if missing(turns, wantTurns) != nil || missing(wantTurns, turns) != nil {
				t.Errorf("%s: permutations %v, ORT has %v", name, turns, wantTurns)
			}
		}
	})
	t.Logf("%d of %d equal", equal, all)
	if *record {
		recordGraphs(t, cpu, lines)
	}
}

// recordedGraphs has what ONNX Runtime made of networks on each kind of processor, a line each: the kind, the network,
// its operators and the permutations of its transposes.
const recordedGraphs = "testdata/ort_graphs.txt"

// kindOf is the name of a processor in the recording.
func kindOf(cpu *specs.Processor) string {
	for kind, p := range costmodel.Processors() {
		if p.Block() == cpu.Block() {
			return kind
		}
	}
	return ""
}

func graphLine(cpu *specs.Processor, name string, ops, turns map[string]int) string {
	return strings.Join([]string{kindOf(cpu), name, operatorList(ops), operatorList(turns)}, "\t")
}

// recordGraphs puts the lines of one kind of processor in the place of those that the recording has.
func recordGraphs(t *testing.T, cpu *specs.Processor, lines []string) {
	t.Helper()
	old, err := os.ReadFile(recordedGraphs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(old)) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, kindOf(cpu)+"\t") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	if err := os.WriteFile(recordedGraphs, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRecordedGraphs holds the kernel lists of all kinds of processors against what ONNX Runtime made there, on any machine.
func TestRecordedGraphs(t *testing.T) {
	text, err := os.ReadFile(recordedGraphs)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		want[strings.TrimSuffix(line, "\n")] = true
	}
	found := map[string]int{}
	networks(t, true, func(name string, m *onnx.Model) {
		r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for kind, cpu := range costmodel.Processors() {
			p, err := costmodel.Lower(r, costmodel.ORTCPU, cpu)
			if err != nil {
				t.Fatal(err)
			}
			ops, _ := planNames(p)
			if line := graphLine(cpu, name, ops, planTransposes(p)); want[line] == differsFromORT[name] {
				t.Errorf("%s: %s: in the recording %t, known to differ %t: %s", kind, name, want[line], differsFromORT[name], line)
			}
			found[kind]++
		}
	})
	for kind, n := range found {
		t.Logf("%s: %d networks", kind, n)
	}
	if len(want) != found["avx512"]+found["avx2"]+found["arm64"] {
		t.Errorf("the recording has %d lines, %v were looked for", len(want), found)
	}
}

// publishedDir is where the graphs of published architectures are unpacked to.
const publishedDir = "timm-graphs"

// crashes are the published graphs with which ONNX Runtime 1.30 itself crashes when it makes a session.
var crashes = []string{"poolformerv2_s24", "poolformerv2_s36"}

// publishedGraphs unpacks the graphs of published architectures that the runtime takes.
func publishedGraphs(t *testing.T) []string {
	t.Helper()
	archive := sharedFiles(t, "published/timm/graphs.tar.xz")[0]
	dir := filepath.Join(t.TempDir(), publishedDir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-xJf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Skipf("needs tar and xz: %v %s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no graph in %s: %v", archive, err)
	}
	return slices.DeleteFunc(paths, func(p string) bool {
		return slices.Contains(crashes, strings.TrimSuffix(filepath.Base(p), ".onnx"))
	})
}

// TestFusionsInORT holds the ort-cpu lines of fusions.txt and moved.txt against ONNX Runtime itself.
func TestFusionsInORT(t *testing.T) {
	lib := ortLibrary(t)
	block := targetOf(t, lib).Block()
	for _, path := range []string{"testdata/fusions.txt", "testdata/moved.txt"} {
		var differ []tinyLine
		for _, m := range readTiny(t, path) {
			want, ok := m.wantOn(block)
			if !ok {
				t.Errorf("%s:%d: %s has no ort-cpu line", path, m.line, m.name)
				continue
			}
			ops, _ := graphNames(optimised(t, lib, m.model, m.name))
			if got := operatorList(ops); got != want {
				t.Errorf("%s:%d: %s: ORT has %s, the file says %s", path, m.line, m.name, got, want)
				differ = append(differ, tinyLine{m.line, fmt.Sprintf("ort-cpu/%d: %s", block, got)})
			}
		}
		if *record {
			insertLines(t, path, differ)
		}
	}
}

// TestOrderOfORT compares the order of the kernels with the one in which the profiler sees the nodes run. Nodes whose
// position the runtime leaves to the order of a hash table (ReorderOutput, and what follows from it) are left out by
// taking networks with at most one.
func TestOrderOfORT(t *testing.T) {
	lib := ortLibrary(t)
	for _, name := range []string{"resnet50", "inception-v3", "densenet121", "mobilenet-v2"} {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		p, err := costmodel.Lower(zooNetwork(t, name, zoo.None), costmodel.ORTCPU, targetOf(t, lib))
		if err != nil {
			t.Fatal(err)
		}
		data, err := onnx.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got := ranNodes(t, lib, m, name, data)
		var want []string
		for _, k := range p.Kernels {
			want = append(want, token.ReplaceAllString(k.Name, ""))
		}
		if !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("%s: kernel %d is %s, the profiler saw %s", name, i, want[i], got[i])
					break
				}
			}
		}
	}
}

// ranNodes runs a model once and returns the names of its nodes as the profiler saw them run.
func ranNodes(t *testing.T, lib *ort.Library, m *onnx.Model, name string, data []byte) []string {
	t.Helper()
	s, err := lib.NewSession(ort.SourceOf(m, name, "", data), ort.Options{Threads: 1, Profile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := map[string]*ort.Tensor{}
	for _, vi := range ort.FreeInputs(m) {
		var dims []int64
		for _, d := range vi.Type.Shape {
			dims = append(dims, max(d.Value, 1))
		}
		if in[vi.Name], err = ort.RandomTensor(vi.Type.DType, dims, 0, rand.New(rand.NewPCG(1, 2))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Bind(in, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	prof, err := s.CloseProfile()
	if err != nil {
		t.Fatal(err)
	}
	if len(prof.Runs) == 0 {
		t.Fatal("the profile has no run")
	}
	var names []string
	for _, n := range prof.Runs[0].Nodes {
		names = append(names, token.ReplaceAllString(n.Name, ""))
	}
	return names
}
