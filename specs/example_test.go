package specs_test

import (
	"fmt"

	"github.com/onnxcost/onnxcost/specs"
)

func ExampleLoadDevice() {
	d, err := specs.LoadDevice("h100-sxm")
	if err != nil {
		fmt.Println(err)
		return
	}
	peak, _ := d.PeakRate(specs.FP16)
	fmt.Printf("%s: %.4g FLOP/s in %s, sums in %s\n", d.Title, peak.Value, specs.FP16, peak.Accumulate)
	fmt.Println(d.Citation(peak.Figure))
	// Output:
	// NVIDIA H100 SXM5 80 GB: 9.894e+14 FLOP/s in fp16, sums in fp32
	// NVIDIA, NVIDIA H100 Tensor Core GPU Architecture, 2022, table of A100 and H100 specifications
}

func ExampleParseDevice() {
	_, err := specs.ParseDevice([]byte(`schema: onnxcost/device/v1
name: mine
class: gpu
kind: datasheet
source: me
sources: {me: {title: my notes}}
compute: {units: 8}
peak:
  fp16: fast
memory: {capacity_bytes: 8 GiB, bandwidth: 68e9}
`), "mine.yaml")
	fmt.Println(err)
	// Output:
	// mine.yaml:9:9: peak.fp16: want FLOP/s as a number, have "fast"
	// mine.yaml:10:9: memory.bandwidth_bytes_per_s: missing: want B/s
	// mine.yaml:10:26: memory.capacity_bytes: want bytes as a number, have "8 GiB"; write plain SI without a unit
	// mine.yaml:10:33: memory.bandwidth: unknown key; did you mean bandwidth_bytes_per_s?
}

func ExampleParseQuantity() {
	q, _ := specs.ParseQuantity("250 mJ", specs.DimEnergy)
	fmt.Println(q.Value, q)
	_, err := specs.ParseQuantity("5 GB", specs.DimEnergy)
	fmt.Println(err)
	// Output:
	// 0.25 250 mJ
	// want an energy such as 250 mJ or 1.1 kJ, have "5 GB", which is a size in bytes
}

func ExamplePaper() {
	p := specs.Paper()
	n, _ := p.Network("resnet50")
	ms, _ := p.At(n.TimeMS, 16)
	fmt.Println(n.Name, n.Top1Percent, "%", n.GOps, "G-Ops", ms, "ms per image at batch 16")
	// Output:
	// ResNet-50 75.99 % 8.21 G-Ops 51.12 ms per image at batch 16
}
