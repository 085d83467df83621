package op

import (
	"slices"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Stored is a constant that a node keeps in an attribute.
type Stored struct {
	Attribute string
	DType     onnx.DType
	Elements  int64
	Bytes     int64 // as stored; of texts their lengths
	Weight    bool  // learned numbers, which count as parameters; else a table, which is only bytes
	Statistic bool  // learned but not trained: means and deviations
}

// tables are the attributes of floats that are no parameters.
var tables = []string{"nodes_hitrates", "nodes_hitrates_as_tensor", "kernel_params", "keys_floats"}

// storedLists are the lists and tensors among a node's attributes: floats are weights, anything else is a table. Lists that
// only say how inputs are laid out are neither.
func storedLists(n *onnx.Node) []Stored {
	var out []Stored
	for i := range n.Attributes {
		a := &n.Attributes[i]
		s := Stored{Attribute: a.Name}
		switch a.Type {
		case onnx.AttrFloats:
			s.DType, s.Elements = onnx.Float32, int64(len(a.Floats))
		case onnx.AttrInts:
			s.DType, s.Elements = onnx.Int64, int64(len(a.Ints))
		case onnx.AttrStrings:
			s.DType = onnx.Uint8
			for _, t := range a.Strings {
				s.Elements += int64(len(t))
			}
		case onnx.AttrTensor:
			if a.T == nil {
				continue
			}
			elements, known := Consts(a.T.Dims...).Elements().Value()
			if !known || elements < 0 {
				continue
			}
			s.DType, s.Elements = a.T.DType, elements
		default:
			continue
		}
		bytes, ok := s.DType.Bytes(s.Elements)
		if !ok || s.Elements == 0 || a.Name == "inputdimensions" {
			continue
		}
		s.Bytes = bytes
		s.Weight = s.DType.IsFloat() && !slices.Contains(tables, a.Name) && !strings.HasPrefix(a.Name, "keys_") || a.Name == "imputed_value_int64s"
		out = append(out, s)
	}
	return out
}

// storedStatistics are the lists of an operator whose numbers describe the data.
func storedStatistics(n *onnx.Node) []Stored {
	out := storedLists(n)
	for i := range out {
		out[i].Statistic = true
	}
	return out
}

// storedTraffic reads the weights that the attributes hold once, besides the inputs.
func storedTraffic(c *Call) (read, written dim.Dim) {
	read, written = streamed(c, 0)
	for _, s := range storedLists(c.Node) {
		if s.Weight {
			read = read.AddInt(s.Bytes)
		}
	}
	return read, written
}
