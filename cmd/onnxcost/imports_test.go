package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/onnxcost/onnxcost/"

// allowed lists, per package, the packages of this module that it may import; internal packages that it does not name
// count as part of the folder that holds them. The direction is cmd → {plots, calibrate} → costmodel → {analyzer, specs}.
var allowed = map[string][]string{
	"internal/bound":            {},
	"internal/nnls":             {},
	"specs":                     {},
	"analyzer/dim":              {},
	"analyzer/onnx":             {},
	"analyzer/op":               {"analyzer/dim", "analyzer/onnx"},
	"analyzer":                  {"analyzer/dim", "analyzer/onnx", "analyzer/op"},
	"analyzer/zoo":              {"analyzer/onnx"},
	"analyzer/onnxgo":           {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op"},
	"costmodel/plan":            {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "specs"},
	"costmodel/internal/ortops": {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "specs", "costmodel/plan"},
	"costmodel/internal/lower":  {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "specs", "costmodel/plan", "costmodel/internal/ortops"},
	"costmodel/internal/memory": {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "specs", "costmodel/plan", "costmodel/internal/ortops"},
	"costmodel/form":            {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "analyzer/zoo", "specs", "costmodel/plan", "costmodel/internal/ortops", "internal/nnls"},
	"costmodel":                 {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "analyzer/zoo", "specs", "internal/nnls", "costmodel/plan", "costmodel/form", "costmodel/internal/lower", "costmodel/internal/memory"},
	"costmodel/budget":          {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "analyzer/zoo", "specs", "costmodel", "costmodel/plan"},
	"calibrate/cuda":            {},
	"calibrate/ort":             {"analyzer/onnx"},
	"calibrate":                 {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "analyzer/zoo", "specs", "costmodel", "costmodel/plan", "costmodel/form", "calibrate/cuda", "calibrate/ort", "internal/nnls"},
	"plots":                     {"analyzer", "analyzer/dim", "analyzer/onnx", "analyzer/op", "analyzer/zoo", "specs", "costmodel"},
	"cmd/onnxcost":              {"*"},
}

// only lists imports that one package alone may have.
var only = map[string][]string{
	"gonum.org/v1/plot":               {"plots"},
	"gopkg.in/yaml.v3":                {"specs"},
	"C":                               {"calibrate/cuda"},
	"github.com/owulveryck/onnx-go":   {"analyzer/onnxgo"},
	"github.com/yalue/onnxruntime_go": {"calibrate/ort"},
	"github.com/NVIDIA/go-nvml":       {"calibrate/cuda"},
}

// TestImports enforces the direction of imports for the code that is built; tests may look further.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		room := roomOf(p.ImportPath)
		may, known := allowed[room]
		if !known {
			t.Errorf("package %s has no place in the layout", p.ImportPath)
			continue
		}
		seen[room] = true
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module) {
				if r := roomOf(imp); r != room && !slices.Contains(may, r) && !slices.Contains(may, "*") {
					t.Errorf("%s imports %s, which the layout does not allow", p.ImportPath, imp)
				}
			}
			for lib, rooms := range only {
				if (imp == lib || strings.HasPrefix(imp, lib+"/")) && !slices.Contains(rooms, room) {
					t.Errorf("%s imports %s, which only %v may", p.ImportPath, imp, rooms)
				}
			}
		}
	}
	if !seen["analyzer"] || !seen["cmd/onnxcost"] {
		t.Fatalf("go list found %v, want at least the analyzer and the command", seen)
	}
}

// TestPlotsAreLight holds what a program takes in that only draws: no C below plots, and fewer than 30 packages beyond those
// that gonum/plot itself needs.
func TestPlotsAreLight(t *testing.T) {
	const most = 30
	needs := func(pkg string) (list []string) {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{len .CgoFiles}}{{end}}", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			path, cgo, ok := strings.Cut(strings.TrimSpace(line), " ")
			if !ok {
				continue
			}
			if list = append(list, path); cgo != "0" {
				t.Errorf("%s needs %s, which has C in it", pkg, path)
			}
		}
		return list
	}
	library := needs("gonum.org/v1/plot")
	own := slices.DeleteFunc(needs(module+"plots"), func(p string) bool { return slices.Contains(library, p) })
	if !slices.Contains(own, module+"costmodel") {
		t.Fatalf("go list found %v, want the cost model among them", own)
	}
	if len(own) >= most {
		t.Errorf("plots needs %d packages beyond gonum/plot, want fewer than %d: %v", len(own), most, own)
	}
}

// roomOf is the folder of the layout that a package belongs to.
func roomOf(path string) string {
	room := strings.TrimPrefix(path, module)
	if _, known := allowed[room]; known {
		return room
	}
	if i := strings.Index(room, "/internal"); i >= 0 {
		room = room[:i]
	}
	return room
}
