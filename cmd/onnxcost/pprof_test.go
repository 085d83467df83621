package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// TestPprof writes a profile, adds it up, and lets go tool pprof read it.
func TestPprof(t *testing.T) {
	file := filepath.Join(t.TempDir(), "model.pb.gz")
	for _, tc := range []struct {
		args  []string
		types string
		sums  map[string]int64 // of a sample type
		index string
		top   []string // patterns that go tool pprof -top must show
	}{
		{[]string{"analyze", "zoo:resnet18", "--dim", "batch=2", "--by", "total"}, "macs/count flops/count bytes/bytes",
			map[string]int64{"macs": 2 * 1814073344, "flops": 2 * 3638007272, "bytes": 37232640*2 + 46796448 + 32921504*2},
			"macs", []string{`Type: macs`, ` 100% +zoo:resnet18$`, `layer2/0/conv2 \(Conv\)$`, ` +layer3$`, ` +layer3/0$`}},
		{[]string{"predict", "zoo:resnet18", "--device", "jetson-tx1", "--by", "total"}, "macs/count flops/count bytes/bytes time/nanoseconds energy/microjoules",
			map[string]int64{"macs": 1814073344}, "time", []string{`Type: time`, `ms .* 100% +zoo:resnet18$`, `layer4/0/conv2 \(Conv\)$`}},
	} {
		code, _, errs := runIn(t, nil, append(tc.args, "--pprof", file)...)
		if code != exitDone {
			t.Fatalf("exit %d: %s", code, errs)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.ParseData(data)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for i, st := range p.SampleType {
			types = append(types, st.Type+"/"+st.Unit)
			var sum int64
			for _, s := range p.Sample {
				sum += s.Value[i]
			}
			if want, ok := tc.sums[st.Type]; ok && sum != want || sum == 0 {
				t.Errorf("%s: samples add up to %d, want %d", st.Type, sum, want)
			}
		}
		if got := strings.Join(types, " "); got != tc.types {
			t.Errorf("sample types %s, want %s", got, tc.types)
		}
		cmd := exec.Command("go", "tool", "pprof", "-top", "-cum", "-nodecount=200", "-nodefraction=0", "-sample_index="+tc.index, file)
		cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go tool pprof: %v\n%s", err, out)
		}
		for _, want := range tc.top {
			if !regexp.MustCompile("(?m)" + want).Match(out) {
				t.Errorf("no %s in\n%s", want, out)
			}
		}
	}
	code, _, errs := runIn(t, nil, "analyze", "zoo:vit_b_16", "--shape", "input=1,3,h,224", "--pprof", file)
	if code != exitMisuse || !strings.Contains(errs, "a profile needs a value for h: give --dim h=N") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
