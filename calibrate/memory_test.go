package calibrate

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// TestStoreGenerated: generated weights become stored ones of the same values; computed shapes stay nodes.
func TestStoreGenerated(t *testing.T) {
	m, err := zoo.Build("squeezenet1_1", zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	out, changed, err := storeGenerated(m)
	if err != nil {
		t.Fatal(err)
	}
	count := func(m *onnx.Model) (n int) {
		for _, x := range m.Graph.Nodes {
			if x.OpType == "ConstantOfShape" {
				n++
			}
		}
		return n
	}
	if before := count(m); before == 0 || !changed || count(out) != 0 || len(out.Graph.Initializers)-len(m.Graph.Initializers) != before {
		t.Fatalf("%d generated weights before, %d after, %d new tensors", before, count(out), len(out.Graph.Initializers)-len(m.Graph.Initializers))
	}
	var b bytes.Buffer
	if err := repeat(&b, []byte{1, 2, 3, 4}, 5000); err != nil || b.Len() != 20000 || !bytes.Equal(b.Bytes()[16384:16388], []byte{1, 2, 3, 4}) {
		t.Errorf("5000 elements of 4 bytes became %d bytes, error %v", b.Len(), err)
	}
}

// TestCompareMemory runs a network in ONNX Runtime where its library is named.
func TestCompareMemory(t *testing.T) {
	if os.Getenv(ort.EnvLibrary) == "" || !ort.Available {
		t.Skip("needs " + ort.EnvLibrary)
	}
	path, err := ort.Find("")
	if err != nil {
		t.Fatal(err)
	}
	lib, err := ort.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"squeezenet1_1", "bn-alexnet"} {
		m, err := zoo.Build(name, zoo.None)
		if err != nil {
			t.Fatal(err)
		}
		// The highest score is an output without extents.
		m.Graph.Nodes = append(m.Graph.Nodes, &onnx.Node{OpType: "ReduceMax", Inputs: []string{m.Graph.Outputs[0].Name}, Outputs: []string{"highest"},
			Attributes: []onnx.Attribute{{Name: "keepdims", Type: onnx.AttrInt}}})
		m.Graph.Outputs = append(m.Graph.Outputs, onnx.ValueInfo{Name: "highest"})
		c, err := CompareMemory(context.Background(), lib, Job{Name: name, Model: m}, 2, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if e := c.RequestedError(); e < -0.01 || e > 0.01 {
			t.Errorf("%s: predicted %d, measured %d (%+.2f %%)", name, c.Predicted.ActivationBytes, c.RequestedBytes, 100*e)
		}
		if e := c.InUseError(); e < -0.05 || e > 0.05 {
			t.Errorf("%s: in use %d, measured %d (%+.2f %%)", name, c.Predicted.InUseBytes, c.InUseBytes, 100*e)
		}
	}
}
