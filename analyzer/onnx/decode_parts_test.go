package onnx

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// onCores calls f with n processors to run on.
func onCores(n int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	f()
}

// TestParts: a graph decoded in parts is the one decoded from the start to the end, and so is what is wrong with it.
func TestParts(t *testing.T) {
	m := transformer(2000, 0, true)
	m.Graph.Metadata = []StringPair{{"a", "1"}, {"b", "2"}}
	whole, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	last := []byte("encoder.layer.1950.attention.self.query.weight")
	at := bytes.Index(whole, last)
	if at < 0 {
		t.Fatal("the model has no layer.1950")
	}
	cut := bytes.Clone(whole)
	cut[at-1] = 0xff // a length that leads too far
	empty := record(modelGraph, bytes.Repeat(record(graphNode), 100_000))
	for _, tt := range []struct {
		name string
		data []byte
	}{{"as it was written", whole}, {"a length that leads too far", cut}, {"empty nodes", empty},
		{"too many empty nodes", record(modelGraph, bytes.Repeat(record(graphNode), 1_000_000))}} {
		t.Run(tt.name, func(t *testing.T) {
			var want *Model
			var wrong string
			onCores(1, func() {
				m, err := Decode(tt.data, "m.onnx")
				if want = m; err != nil {
					wrong = err.Error()
				}
			})
			for _, cores := range []int{2, 3, 16} {
				onCores(cores, func() {
					got, err := Decode(tt.data, "m.onnx")
					switch {
					case err != nil && err.Error() != wrong || err == nil && wrong != "":
						t.Errorf("%d cores: got %v, want %s", cores, err, wrong)
					case err == nil:
						if !reflect.DeepEqual(got, want) { // cmp takes seconds for so many nodes
							t.Errorf("%d cores: (-one +several)\n%s", cores, cmp.Diff(want, got))
						}
					}
				})
			}
		})
	}
	if d := newDecoder(whole, ""); !decodesInParts(d) {
		t.Error("the graph was not decoded in parts")
	}
}

// decodesInParts reports whether the graph of d's model has parts that decode.
func decodesInParts(d *decoder) (ok bool) {
	onCores(2, func() {
		f := d.fields(span{0, len(d.data)}, modelMessage)
		for f.next() {
			if f.num == modelGraph {
				n, marks := d.count(f.span())
				ok = d.graphParts(&Graph{}, f.span(), &n, marks)
			}
		}
	})
	return ok
}
