package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/specs"
)

// The net holds a change that is meant to change no result to it, byte for byte: testdata/net.csv has a digest of what
// predict, check and compare write as JSON, memory with the rest, for every network of the zoo and of the shared data on
// every device. A test run draws a sample of it.
//
//	ONNXCOST_NET=full go test ./cmd/onnxcost -run Net             # all of it
//	ONNXCOST_NET_DUMP=DIR go test ./cmd/onnxcost -run Net         # all of it, and writes the JSON below DIR, for diff -r
//	go test ./cmd/onnxcost -run Net -update                       # records it, profiles fitted anew, where results were meant to change
const (
	netTable = "testdata/net.csv"
	// netSample: of every so many pairs of a network and a device a test run takes one.
	netSample = 13
)

// netProfile is a fitted device file that is kept with the net, so that no change of a fit moves what it says of predictions.
type netProfile struct{ file, samples string }

var netProfiles = []netProfile{
	{"testdata/net-cpu.yaml.gz", "../../calibrate/testdata/epyc-2core.txt.gz"},
	{"testdata/net-gpu.yaml.gz", "../../calibrate/testdata/fake-card.txt"},
}

// netColumn is a device with what else a prediction on it is asked for.
type netColumn struct {
	device             string // a built-in one or the file of a profile
	runtime, precision string
	threads            string
}

func (c netColumn) String() string {
	name := strings.TrimSuffix(filepath.Base(c.device), ".yaml")
	for _, part := range []string{c.runtime, c.precision, c.threads} {
		if part != "" {
			name += " " + part
		}
	}
	return name
}

func (c netColumn) flags() []string {
	flags := []string{"--device", c.device}
	for _, f := range [][2]string{{"--runtime", c.runtime}, {"--precision", c.precision}, {"--threads", c.threads}} {
		if f[1] != "" {
			flags = append(flags, f[0], f[1])
		}
	}
	return flags
}

// settings are the lines of a budget that say the same as the flags.
func (c netColumn) settings() string {
	text := fmt.Sprintf("    device: %q\n", c.device)
	for _, f := range [][2]string{{"runtime", c.runtime}, {"precision", c.precision}, {"threads", c.threads}} {
		if f[1] != "" {
			text += fmt.Sprintf("    %s: %s\n", f[0], f[1])
		}
	}
	return text
}

// netColumns are all built-in devices as they are, and the runtimes, precisions and fits that these do not show.
func netColumns(cpu, gpu string) []netColumn {
	var list []netColumn
	for _, d := range specs.DeviceNames() {
		list = append(list, netColumn{device: d})
	}
	return append(list,
		netColumn{device: "h100-sxm", runtime: "ort-cuda", precision: "fp16"},
		netColumn{device: "rtx-4090", runtime: "tensorrt", precision: "int8"},
		netColumn{device: "cpu-avx512", runtime: "eager"},
		netColumn{device: cpu, threads: "1"},
		netColumn{device: cpu, threads: "2"},
		netColumn{device: gpu, precision: "fp16"})
}

// netModels are the networks of the zoo and those below the directory that ONNXCOST_SHARED names, without which there is
// the zoo alone.
func netModels(t *testing.T, shared string) (list []string) {
	for _, n := range zoo.Names() {
		list = append(list, "zoo:"+n)
	}
	if shared == "" {
		return list
	}
	for _, pattern := range []string{"models/*.onnx", "onnx-light/*.onnx"} {
		paths, err := filepath.Glob(filepath.Join(shared, filepath.FromSlash(pattern)))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no %s in the shared data (%v)", pattern, err)
		}
		list = append(list, paths...)
	}
	return list
}

// netLimits has every kind of limit, some that hold and some that do not.
const netLimits = `    limits: {energy: 1J, energy_per_day: {at: 10/s, max: 1MJ}, latency: 10ms, throughput: 100/s, power: 100W, peak_memory: 100MiB,
      arena: 10MiB, peak_activations: 10MiB, params: 10M, macs: 1G, file_size: 10MB, coverage: 100%}
`

// netRun is one run of a command, a row and a column of the table.
type netRun struct {
	command, model, batch string
	column                netColumn
	args                  []string
	budget                string // the text of the budget file that check reads
}

func netRuns(models []string, i int, c netColumn) []netRun {
	m := models[i]
	var list []netRun
	for _, batch := range []string{"1", "8"} {
		flags := append(c.flags(), "--batch", batch, "-o", "json")
		list = append(list, netRun{"predict", m, batch, c, append([]string{"predict", m}, flags...), ""})
		next := models[(i+1)%len(models)]
		if strings.HasPrefix(next, "zoo:") != strings.HasPrefix(m, "zoo:") {
			next = "zoo:resnet18" // the zoo's rows stand without the shared data
		}
		list = append(list, netRun{"compare", m, batch, c, append([]string{"compare", m, next, "--top", "0"}, flags...), ""})
	}
	budget := fmt.Sprintf("schema: onnxcost/budget/v1\nmodels:\n  - match: %q\n%s    batch: [1, 8]\n%s", m, c.settings(), netLimits)
	return append(list, netRun{"check", m, "1 and 8", c, []string{"check", "-o", "json", "--budget"}, budget})
}

// output is all that the run says; hide takes this machine's folders out of it.
func (r netRun) output(t *testing.T, hide *strings.Replacer) []byte {
	args := r.args
	if r.budget != "" {
		path := filepath.Join(t.TempDir(), "budget.yaml")
		if err := os.WriteFile(path, []byte(r.budget), 0o666); err != nil {
			t.Fatal(err)
		}
		args = append(slices.Clone(args), path)
	}
	var out, problems bytes.Buffer
	code := run(args, strings.NewReader(""), &out, &problems)
	text := hide.Replace(fmt.Sprintf("%sexit %d\n%s", out.Bytes(), code, problems.Bytes()))
	if r.budget != "" {
		text = strings.ReplaceAll(text, args[len(args)-1], "budget.yaml")
	}
	return []byte(text)
}

func TestNet(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the digests hold for amd64; other processors round products and sums in one step, which changes last digits")
	}
	shared, dump := os.Getenv("ONNXCOST_SHARED"), os.Getenv("ONNXCOST_NET_DUMP")
	full := *update || dump != "" || os.Getenv("ONNXCOST_NET") == "full"
	if *update && shared == "" {
		t.Fatal("to record the net takes the shared data: ONNXCOST_SHARED names the directory")
	}
	dir := t.TempDir()
	var profiles []string
	for _, p := range netProfiles {
		if *update {
			p.fit(t)
		}
		path := filepath.Join(dir, strings.TrimSuffix(filepath.Base(p.file), ".gz"))
		if err := os.WriteFile(path, unzip(t, p.file), 0o666); err != nil {
			t.Fatal(err)
		}
		profiles = append(profiles, path)
	}
	models, columns := netModels(t, shared), netColumns(profiles[0], profiles[1])
	hide := strings.NewReplacer(dir+string(filepath.Separator), "", shared+string(filepath.Separator), "shared/")
	want := readNet(t, columns)

	var mu sync.Mutex
	got := map[string]string{}
	t.Run("models", func(t *testing.T) {
		for i, m := range models {
			t.Run(hide.Replace(m), func(t *testing.T) {
				t.Parallel()
				for j, c := range columns {
					if !full && (i+j)%netSample != 0 {
						continue
					}
					for _, r := range netRuns(models, i, c) {
						text := r.output(t, hide)
						key := netKey(r.command, hide.Replace(r.model), r.batch, c)
						sum := sha256.Sum256(text)
						digest := hex.EncodeToString(sum[:4])
						mu.Lock()
						got[key] = digest
						mu.Unlock()
						if dump != "" {
							writeDump(t, filepath.Join(dump, r.command, c.String(), r.batch, strings.NewReplacer(":", "-").Replace(hide.Replace(r.model))+".json"), text)
						}
						if w := want[key]; w != digest && !*update {
							t.Errorf("%s: digest %s, recorded %q", key, digest, w)
						}
					}
				}
			})
		}
	})
	if *update {
		writeNet(t, models, columns, got, hide)
	}
	if shared == "" {
		t.Run("shared data", func(t *testing.T) { t.Skip("ONNXCOST_SHARED is not set: the net held the zoo alone") })
	}
	if !full {
		t.Run("full", func(t *testing.T) {
			t.Skipf("one pair of a network and a device in %d was run; ONNXCOST_NET=full runs all", netSample)
		})
	}
}

func netKey(command, model, batch string, c netColumn) string {
	return fmt.Sprintf("%s %s, batch %s, %v", command, model, batch, c)
}

// readNet reads the recorded digests by netKey.
func readNet(t *testing.T, columns []netColumn) map[string]string {
	t.Helper()
	list := map[string]string{}
	f, err := os.Open(netTable)
	if errors.Is(err, fs.ErrNotExist) && *update {
		return list
	} else if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		for j, c := range columns {
			if k := slices.Index(rows[0], c.String()); k >= 0 {
				list[netKey(row[0], row[1], row[2], columns[j])] = row[k]
			}
		}
	}
	return list
}

func writeNet(t *testing.T, models []string, columns []netColumn, got map[string]string, hide *strings.Replacer) {
	t.Helper()
	head := []string{"command", "model", "batch"}
	for _, c := range columns {
		head = append(head, c.String())
	}
	rows := [][]string{head}
	for _, command := range []string{"predict", "compare", "check"} {
		for _, m := range models {
			for _, batch := range []string{"1", "8", "1 and 8"} {
				row := []string{command, hide.Replace(m), batch}
				for _, c := range columns {
					row = append(row, got[netKey(row[0], row[1], row[2], c)])
				}
				if row[3] != "" {
					rows = append(rows, row)
				}
			}
		}
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(netTable, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

func writeDump(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// fit makes the profile again from its samples, by the command.
func (p netProfile) fit(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	samples := p.samples
	if strings.HasSuffix(samples, ".gz") {
		samples = filepath.Join(dir, strings.TrimSuffix(filepath.Base(p.samples), ".gz"))
		if err := os.WriteFile(samples, unzip(t, p.samples), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "profile.yaml")
	var problems bytes.Buffer
	if code := run([]string{"calibrate", "--from", samples, "-o", out}, strings.NewReader(""), io.Discard, &problems); code != exitDone {
		t.Fatalf("calibrate --from %s: exit %d\n%s", p.samples, code, problems.Bytes())
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.file, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

func unzip(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
