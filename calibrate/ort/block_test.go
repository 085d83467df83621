package ort

import (
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestChannelBlockOfGraph reads what the runtime makes of the convolution on an AVX-512 processor, on others, and in a
// build without a blocked layout; and graphs that it does not make.
func TestChannelBlockOfGraph(t *testing.T) {
	graph := func(op, domain string, dims ...int64) *onnx.Graph {
		return &onnx.Graph{Nodes: []*onnx.Node{{OpType: "ReorderInput", Domain: domainNCHWC}, {OpType: op, Domain: domain, Inputs: []string{"x", "w"}}},
			Initializers: []*onnx.Tensor{onnx.NewTensor("w", onnx.Float32, dims, nil)}}
	}
	for _, c := range []struct {
		g    *onnx.Graph
		want int
		err  string
	}{
		{graph("Conv", domainNCHWC, 16, 3, 3, 3), 16, ""},
		{graph("Conv", domainNCHWC, 8, 3, 3, 3), 8, ""},
		{graph("Conv", "", 4, 3, 3, 3), 0, ""},
		{graph("FusedConv", "com.microsoft", 4, 3, 3, 3), 0, ""},
		{graph("Conv", domainNCHWC, 16, 27), 0, "no weights of rank 4"},
		{graph("MatMul", "", 4, 3, 3, 3), 0, "has none"},
	} {
		got, err := channelBlock(c.g)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s.%s: got %d, %v, want %d, %q", c.g.Nodes[1].Domain, c.g.Nodes[1].OpType, got, err, c.want, c.err)
		}
	}
}
