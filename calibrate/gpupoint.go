package calibrate

import (
	"fmt"
	"strconv"

	"github.com/onnxcost/onnxcost/calibrate/cuda"
)

// BackendCUDA is the base name of samples from a GPU.
const BackendCUDA = "CUDA"

// The classes of a GPU's samples. Their parameters:
//
//	gemm    dtype, batch, m, n, k, cache: products; see cuda.GEMM
//	stream  kind, bytes, cache: kernels that move bytes, read and written together
//	launch  mode: what a kernel without work costs; kind=busy has work to hide it
//	power   kind and the parameters of the loop
const (
	classGEMM   = "gemm"
	classStream = "stream"
	classLaunch = "launch"
	classPower  = "power"
)

// The kinds of stream samples: kernels, and the driver's own copy.
const (
	streamCopy   = "copy"
	streamTriad  = "triad"
	streamRelu   = "relu"
	streamMemcpy = "memcpy"
)

// The modes of launches: one after the other in a stream, as a graph, and the host's time for the call alone.
const (
	modeStream = "stream"
	modeGraph  = "graph"
	modeHost   = "host"
)

// gpuPoint is one thing to time on a GPU.
type gpuPoint struct {
	class string
	gemm  cuda.GEMM
	kind  string
	bytes int64 // moved by a run of class stream
	cold  bool  // wanted: operands that no cache holds
	mode  string
}

// need is the device memory of one copy of the operands.
func (p *gpuPoint) need() int64 {
	if p.class == classGEMM {
		a, b, d := p.gemm.Sizes()
		return a + b + d
	}
	return p.bytes
}

// sample is a line without values. cold says what became of the wish.
func (p *gpuPoint) sample(cold bool) Sample {
	s := Sample{Backend: BackendCUDA, Class: p.class}
	add := func(key, value string) { s.Params = append(s.Params, Param{key, value}) }
	switch p.class {
	case classGEMM:
		add("dtype", string(p.gemm.DType))
		for _, x := range []struct {
			key   string
			value int64
		}{{"batch", p.gemm.Batch}, {"m", p.gemm.M}, {"n", p.gemm.N}, {"k", p.gemm.K}} {
			add(x.key, strconv.FormatInt(x.value, 10))
		}
		add("cache", cacheWord(cold))
	case classStream:
		add("kind", p.kind)
		add("bytes", strconv.FormatInt(p.bytes, 10))
		add("cache", cacheWord(cold))
	case classLaunch:
		add("kind", p.kind)
		add("mode", p.mode)
	}
	return s
}

func cacheWord(cold bool) string {
	if cold {
		return "cold"
	}
	return "warm"
}

// gemmOf reads a product back from a sample's parameters. Extents that no sweep has are an error.
func gemmOf(s *Sample) (cuda.GEMM, error) {
	d, _ := s.Param("dtype")
	g := cuda.GEMM{DType: cuda.DType(d)}
	for _, x := range []struct {
		key string
		to  *int64
	}{{"batch", &g.Batch}, {"m", &g.M}, {"n", &g.N}, {"k", &g.K}} {
		v, ok := s.Int(x.key)
		if !ok || v < 1 || v > 1<<31 {
			return g, fmt.Errorf("sample %s: %s: want a whole number from 1 to 2^31", s.Name(), x.key)
		}
		*x.to = v
	}
	if d == "" {
		return g, fmt.Errorf("sample %s: want a dtype", s.Name())
	}
	return g, nil
}
