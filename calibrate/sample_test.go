package calibrate

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnxcost/onnxcost/internal/bound"
)

func someSamples() *Samples {
	return &Samples{
		Config: []Param{{"cpu", "Some CPU @ 2.0 GHz"}, {"seed", "1"}},
		Samples: []Sample{
			{"ORT", "gemm", []Param{{"m", "64"}, {"threads", "1"}}, 12, []Value{{1.25e-3, UnitSeconds}, {1.2e-3, UnitLow}}},
			{"ORT", "gemm", []Param{{"m", "64"}, {"threads", "1"}}, 10, []Value{{1.5e-3, UnitSeconds}}},
			{"CUDA", "copy", nil, 100, []Value{{2e-6, UnitSeconds}, {310.5, UnitWatts}}},
		},
	}
}

func TestSamplesRoundTrip(t *testing.T) {
	want := someSamples()
	var b bytes.Buffer
	if err := want.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSamples(bytes.NewReader(b.Bytes()), "samples.txt")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("samples changed (-want +got):\n%s", d)
	}
	if got.Digest() != want.Digest() || !strings.HasPrefix(got.Digest(), "sha256:") {
		t.Errorf("digest: got %s, want %s", got.Digest(), want.Digest())
	}
	if n := got.Samples[0].Name(); n != "ORT/class=gemm/m=64/threads=1" {
		t.Errorf("name: got %s", n)
	}
	if v, ok := got.Samples[0].Int("m"); v != 64 || !ok {
		t.Errorf("m: got %d, %v", v, ok)
	}
}

func TestReadSamplesErrors(t *testing.T) {
	const good = "BenchmarkORT/class=gemm/m=64 10 0.001 sec/op\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "cpu: x\n", "samples.txt: no samples"},
		{"no class", good + "BenchmarkORT/m=64 10 1 sec/op\n", `samples.txt:2: name "ORT/m=64": want /class=NAME first`},
		{"positional part", "BenchmarkORT/class=gemm/64 10 1 sec/op\n", `samples.txt:1: part "/64" of the name: want /key=value`},
		{"processors", "BenchmarkORT/class=gemm-8 10 1 sec/op\n", `samples.txt:1: part "-8"`},
		{"negative", "\n\nBenchmarkORT/class=gemm 10 -1 sec/op\n", "samples.txt:3: -1 sec/op: want a positive number"},
		{"not a number", "BenchmarkORT/class=gemm 10 NaN sec/op\n", "samples.txt:1: NaN sec/op: want a positive number"},
		{"twice", "BenchmarkORT/class=gemm/m=1/m=2 10 1 sec/op\n", `samples.txt:1: parameter "m" twice`},
		{"unit missing", good + good + "BenchmarkORT/class=gemm 10 1\n", "samples.txt:3: "},
		{"two machines", "cpu: a\n" + good + "cpu: b\n" + good, `samples.txt:4: cpu: "b" here, "a" before`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadSamples(strings.NewReader(c.text), "samples.txt")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			var se *SampleError
			if !errors.As(err, &se) || se.File != "samples.txt" {
				t.Errorf("got %T, want a *SampleError with the file's name", err)
			}
		})
	}
}

func TestWriteRefusesWhatWouldNotReadBack(t *testing.T) {
	for _, s := range []*Samples{
		{Samples: []Sample{{"ort", "gemm", nil, 1, []Value{{1, UnitSeconds}}}}},
		{Samples: []Sample{{"ORT", "a b", nil, 1, []Value{{1, UnitSeconds}}}}},
		{Samples: []Sample{{"ORT", "a", nil, 0, []Value{{1, UnitSeconds}}}}},
		{Samples: []Sample{{"ORT", "a-8", nil, 1, []Value{{1, UnitSeconds}}}}},
		{Samples: []Sample{{"ORT", "a", nil, 1, nil}}},
		{Config: []Param{{"CPU", "x"}}, Samples: someSamples().Samples},
		{Config: []Param{{"cpu", "x\ny"}}, Samples: someSamples().Samples},
	} {
		if err := s.Write(&bytes.Buffer{}); err == nil {
			t.Errorf("%+v was written", s)
		}
	}
}

// TestBenchstatReadsSamples runs the real tool where it is installed.
func TestBenchstatReadsSamples(t *testing.T) {
	tool, err := exec.LookPath("benchstat")
	if err != nil {
		t.Skip("needs benchstat in PATH")
	}
	var b bytes.Buffer
	if err := someSamples().Write(&b); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "-")
	cmd.Stdin = &b
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "class=gemm/m=64") {
		t.Errorf("benchstat: %v\n%s", err, out)
	}
}

func FuzzSamples(f *testing.F) {
	var b bytes.Buffer
	if err := someSamples().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add("BenchmarkORT/class=gemm/m=64 10 0.001 sec/op 5 ns/op\n")
	f.Add("Unit sec/op better=lower\nBenchmarkA/class=b/c=-1 1 2 sec/op\nkey: \n")
	f.Fuzz(func(t *testing.T, text string) {
		var s *Samples
		var err error
		bound.Run(t, len(text), func() { s, err = ReadSamples(strings.NewReader(text), "fuzz") })
		if (s == nil) == (err == nil) {
			t.Fatalf("got samples %t and error %v", s != nil, err)
		}
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := s.Write(&out); err != nil {
			return // a configuration that the format allows and that we do not write
		}
		again, err := ReadSamples(bytes.NewReader(out.Bytes()), "again")
		if err != nil {
			t.Fatalf("what was written does not read: %v\n%s", err, out.String())
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Fatalf("samples changed (-first +second):\n%s", d)
		}
	})
}
