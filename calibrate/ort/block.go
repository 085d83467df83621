package ort

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// domainNCHWC is the domain of the operators that work on packed channels.
const domainNCHWC = "com.microsoft.nchwc"

// ChannelBlock is the number of channels that the runtime packs together in the blocked layout of its convolutions
// (16 with AVX-512, 8 on other x86-64), 0 where it has no such layout, as in its arm64 build for Linux. It depends on
// the processor and on how the library was built, so the runtime is asked: it optimises a convolution of four output
// channels, the fewest that it packs, and the weights of the packed convolution have as many as a block.
//
// Source of both numbers: ONNX Runtime 1.30, onnxruntime/core/optimizer/nchwc_transformer.cc (ConvTransformer, which
// rounds the output channels of the weights up to MlasNchwcGetBlockSize) and core/mlas/lib/platform.cpp.
func (l *Library) ChannelBlock() (int, error) {
	if block, known := blocks.Load(l); known {
		return block.(int), nil
	}
	block, err := l.askBlock()
	if err == nil {
		blocks.Store(l, block)
	}
	return block, err
}

// blocks are the channel blocks of libraries that have been asked: one answer holds for the process.
var blocks sync.Map

// askBlock lets the runtime optimise blockModel.
func (l *Library) askBlock() (int, error) {
	dir, err := os.MkdirTemp("", "onnxcost-block-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	m := blockModel()
	var data bytes.Buffer
	if err := onnx.Encode(&data, m); err != nil {
		return 0, err
	}
	path := filepath.Join(dir, "optimized.onnx")
	s, err := l.NewSession(SourceOf(m, "channel block", "", data.Bytes()), Options{Threads: 1, OptimizedModel: path})
	if err != nil {
		return 0, err
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	optimized, err := onnx.Open(path)
	if err != nil {
		return 0, err
	}
	return channelBlock(optimized.Graph)
}

// blockModel is a convolution of three channels to four.
func blockModel() *onnx.Model {
	const cin, cout, kernel, size = 3, 4, 3, 8
	image := func(channels int64) *onnx.Type {
		t := &onnx.Type{Kind: onnx.KindTensor, DType: onnx.Float32, HasShape: true}
		for _, v := range []int64{1, channels, size, size} {
			t.Shape = append(t.Shape, onnx.Dimension{Value: v, HasValue: true})
		}
		return t
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.OpsetID{{Version: 13}}, Graph: &onnx.Graph{
		Name:         "block",
		Inputs:       []onnx.ValueInfo{{Name: "x", Type: image(cin)}},
		Initializers: []*onnx.Tensor{onnx.NewTensor("w", onnx.Float32, []int64{cout, cin, kernel, kernel}, make([]byte, 4*cout*cin*kernel*kernel))},
		Nodes: []*onnx.Node{{OpType: "Conv", Inputs: []string{"x", "w"}, Outputs: []string{"y"}, Attributes: []onnx.Attribute{
			{Name: "pads", Type: onnx.AttrInts, Ints: []int64{1, 1, 1, 1}},
		}}},
		Outputs: []onnx.ValueInfo{{Name: "y", Type: image(cout)}},
	}}
}

// channelBlock reads the block from what the runtime made of blockModel.
func channelBlock(g *onnx.Graph) (int, error) {
	dims := map[string][]int64{}
	for _, t := range g.Initializers {
		dims[t.Name] = t.Dims
	}
	plain := false
	for _, n := range g.Nodes {
		switch {
		case n.OpType != "Conv" && n.OpType != "FusedConv":
		case n.Domain != domainNCHWC:
			plain = true
		case len(n.Inputs) > 1 && len(dims[n.Inputs[1]]) == 4 && dims[n.Inputs[1]][0] > 0:
			return int(dims[n.Inputs[1]][0]), nil
		default:
			return 0, errors.New("ONNX Runtime's packed convolution has no weights of rank 4 to read the channel block from")
		}
	}
	if !plain {
		return 0, fmt.Errorf("ONNX Runtime's graph of a convolution has none: want Conv or %s.Conv", domainNCHWC)
	}
	return 0, nil
}
