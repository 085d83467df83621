package budget

import (
	"context"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

func zooReport(t testing.TB, name string) *analyzer.Report {
	t.Helper()
	m, err := zoo.Build(name, zoo.None)
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyzer.Analyze(context.Background(), m, analyzer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func device(t testing.TB, name string) *specs.Device {
	t.Helper()
	d, err := specs.LoadDevice(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func predict(t testing.TB, r *analyzer.Report, d *specs.Device, o costmodel.Options) *costmodel.Prediction {
	t.Helper()
	p, err := costmodel.Predict(context.Background(), r, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
