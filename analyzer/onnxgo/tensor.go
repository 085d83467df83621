package onnxgo

import (
	"encoding/binary"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// dtypes are the element types that onnx-go has a name for. Its initializers know bool, int32, int64, float32 and
// float64 only, its declared inputs all of these.
var dtypes = map[tensor.Dtype]onnx.DType{
	tensor.Float32: onnx.Float32, tensor.Float64: onnx.Float64, tensor.Bool: onnx.Bool, tensor.String: onnx.String,
	tensor.Int8: onnx.Int8, tensor.Int16: onnx.Int16, tensor.Int32: onnx.Int32, tensor.Int64: onnx.Int64,
	tensor.Uint8: onnx.Uint8, tensor.Uint16: onnx.Uint16, tensor.Uint32: onnx.Uint32, tensor.Uint64: onnx.Uint64,
	tensor.Complex64: onnx.Complex64, tensor.Complex128: onnx.Complex128,
}

// convert returns t's type and shape, with its content where that is small.
func convert(t tensor.Tensor) (c *onnx.Tensor, small bool, err error) {
	if t == nil {
		return nil, false, fmt.Errorf("tensor is nil")
	}
	dt, ok := dtypes[t.Dtype()]
	if !ok {
		return nil, false, fmt.Errorf("element type %v is not one of ONNX's", t.Dtype())
	}
	dims := make([]int64, len(t.Shape()))
	for i, d := range t.Shape() {
		dims[i] = int64(d)
	}
	c = onnx.VirtualTensor("", dt, dims)
	n, err := c.Elements()
	if err != nil {
		return nil, false, err
	}
	if size, ok := dt.Bytes(n); !ok || size > onnx.InlineLimit {
		return c, false, nil
	}
	raw, err := binary.Append(nil, binary.LittleEndian, t.Data())
	if err != nil {
		return nil, false, fmt.Errorf("content of a tensor of %v: %w", t.Dtype(), err)
	}
	return onnx.NewTensor("", dt, dims, raw), true, nil
}
