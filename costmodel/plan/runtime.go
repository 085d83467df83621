package plan

import (
	"fmt"
	"strings"
)

// Runtime names a runtime profile: what turns graph nodes into kernels.
type Runtime string

// The runtimes.
const (
	Eager    Runtime = "eager"
	ORTCPU   Runtime = "ort-cpu"
	ORTCUDA  Runtime = "ort-cuda"
	TensorRT Runtime = "tensorrt"
	Torch7   Runtime = "torch7-cudnn5"
)

// RuntimeInfo describes a runtime profile.
type RuntimeInfo struct {
	Name  Runtime
	Title string // one line
	Fuses string // what becomes one kernel, in a line
}

var runtimes = []RuntimeInfo{
	{Eager, "a framework that launches operator by operator (PyTorch eager)", "nothing, but what the framework has as one operator is one kernel (Gelu, layer norm, linear, attention); views cost none"},
	{ORTCPU, "ONNX Runtime 1.30 with its CPU provider, all optimisations on", "what its own optimised graph fuses: activations and sums into convolutions and products, Gelu, normalisations; blocked layout"},
	{ORTCUDA, "ONNX Runtime 1.30 with its CUDA provider", "biases, scales, transpositions and residuals into products, Gelu, normalisations; activations stay kernels; shape arithmetic costs none"},
	{TensorRT, "TensorRT, as its developer guide describes fusion", "bias, sum and activation into convolutions and products; chains of element-wise layers; Gelu, normalisations, attention; views and concatenations cost none"},
	{Torch7, "Torch7 modules over cuDNN 5, as arXiv:1605.07678 measured them", "nothing; a module is a kernel"},
}

// Runtimes lists the profiles, in the order in which help shows them.
func Runtimes() []RuntimeInfo { return append([]RuntimeInfo(nil), runtimes...) }

// ParseRuntime returns the runtime called name. The error lists the names.
func ParseRuntime(name string) (Runtime, error) {
	names := make([]string, len(runtimes))
	for i, r := range runtimes {
		if string(r.Name) == name {
			return r.Name, nil
		}
		names[i] = string(r.Name)
	}
	return "", fmt.Errorf("runtime %q: want one of %s", name, strings.Join(names, ", "))
}
