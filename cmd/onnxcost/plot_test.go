package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// gallery is the commands behind the README's pictures, by the folder of plots/gallery that they fill.
var gallery = map[string]string{
	"paper": "plot all --source paper --format svg",
	"model": "plot time-batch ops-time roofline layers memory zoo:resnet50 --format svg",
}

// TestGallery draws the README's pictures again and compares the bytes; -update rewrites them. A change of the cost model
// changes those that show predictions: look at them and update.
func TestGallery(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("pictures are compared on amd64: other processors fuse multiplications and additions, which moves last digits")
	}
	for folder, command := range gallery {
		kept := filepath.Join("..", "..", "plots", "gallery", folder)
		dir := t.TempDir()
		if *update {
			if err := os.RemoveAll(kept); err != nil {
				t.Fatal(err)
			}
			dir = kept
		}
		var stdout, stderr bytes.Buffer
		if code := run(append(strings.Fields(command), "--dir", dir), strings.NewReader(""), &stdout, &stderr); code != exitDone {
			t.Fatalf("%s: exit %d\n%s", command, code, stderr.String())
		}
		got, want := svgs(t, dir), svgs(t, kept)
		for name := range got {
			if want[name] == "" {
				t.Errorf("%s/%s is not in the gallery (go test ./cmd/onnxcost -run Gallery -update)", folder, name)
			} else if got[name] != want[name] {
				t.Errorf("%s/%s has changed (go test ./cmd/onnxcost -run Gallery -update rewrites it; look at it)", folder, name)
			}
		}
		for name := range want {
			if got[name] == "" {
				t.Errorf("%s/%s is in the gallery and is not drawn", folder, name)
			}
		}
	}
}

func svgs(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no pictures (%v)", dir, err)
	}
	out := map[string]string{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = string(data)
	}
	return out
}

func TestModelKey(t *testing.T) {
	for _, name := range []string{"zoo:resnet50", "models/ResNet50.onnx", "ResNet-50", `resnet50`} {
		if got := modelKey(name); got != "resnet50" {
			t.Errorf("modelKey(%q) = %q, want resnet50", name, got)
		}
	}
}

// BenchmarkPlotAll draws all figures of the paper, as 'onnxcost plot all' does. It should stay below 5 s.
func BenchmarkPlotAll(b *testing.B) {
	for b.Loop() {
		var stdout, stderr bytes.Buffer
		if code := run([]string{"plot", "all", "--dir", b.TempDir()}, strings.NewReader(""), &stdout, &stderr); code != exitDone {
			b.Fatalf("exit %d\n%s", code, stderr.String())
		}
	}
}
