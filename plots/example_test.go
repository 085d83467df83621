package plots_test

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/plots"
	"github.com/onnxcost/onnxcost/specs"
)

// A figure of the paper from its published points: what it says, and its picture.
func ExamplePaperFigureByName() {
	f, err := plots.PaperFigureByName("fig7")
	if err != nil {
		fmt.Println(err)
		return
	}
	drawing := f.Draw(plots.PaperDataset(), plots.Style{})
	fmt.Println(drawing.Findings[0])
	var svg bytes.Buffer
	if err := drawing.Write(&svg, "svg"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(bytes.Contains(svg.Bytes(), []byte("<svg")))
	// Output:
	// Batch of 1 image, published: 0.187 G-Ops per ms, intercept -2.3 G-Ops, R² 0.937 over 14 networks.
	// true
}

// A roofline of one's own model: analysed, compiled for a device, evaluated at a batch size, drawn.
func ExampleRoofline() {
	m, err := zoo.Build("resnet18", zoo.None)
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := specs.LoadDevice("jetson-tx1")
	if err != nil {
		fmt.Println(err)
		return
	}
	sub, err := plots.NewSubject(context.Background(), "resnet18", m, analyzer.Options{}, d, costmodel.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := sub.Predictor.At(16, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := os.CreateTemp("", "roofline*.png")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := plots.Roofline(sub.Name, p, d, plots.Style{}).Write(f, "png"); err != nil {
		fmt.Println(err)
		return
	}
	info, err := f.Stat()
	fmt.Println(err, info.Size() > 10_000)
	// Output: <nil> true
}
