package memory

import (
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/costmodel/internal/ortops"
	"github.com/onnxcost/onnxcost/costmodel/plan"
)

// ortWorkspaces are the sizes in bytes of the parts of each workspace.
var ortWorkspaces = map[ortops.Workspace]func(k *plan.Kernel, env dim.Env, threads int) ([]int64, error){
	ortops.ScalesOfLRN:      lrnWorkspace,
	ortops.OutputSized:      outputWorkspace,
	ortops.Im2col:           im2colWorkspace,
	ortops.TransposeColumns: columnWorkspace,
}

// outputWorkspace is as large as the output.
func outputWorkspace(k *plan.Kernel, env dim.Env, _ int) ([]int64, error) {
	b, _ := k.Outputs[0].Bytes()
	n, err := b.Eval(env)
	return []int64{n}, err
}

// lrnWorkspace: the scales of all elements, and the squares of one image padded by the window along the channels.
func lrnWorkspace(k *plan.Kernel, env dim.Env, _ int) ([]int64, error) {
	shape, err := evalShape(k.Outputs[0].Shape, env)
	if err != nil || len(shape) < 3 {
		return nil, err
	}
	plane := int64(1)
	for _, d := range shape[2:] {
		plane *= d
	}
	size := k.Attrs.IntAttr("size", 1)
	return []int64{4 * shape[0] * shape[1] * plane, 4 * (shape[1] + size - 1) * plane}, nil
}

// threadWorkspace is what MLAS takes for each thread of a convolution that it cuts into parts, in bytes.
const threadWorkspace = 64 << 10

// im2colWorkspace: a 1x1 convolution without stride or padding is a product by itself. Where the filters of a group
// outnumber the places of the output, all columns of an image are laid out; otherwise a part of them for each thread.
func im2colWorkspace(k *plan.Kernel, env dim.Env, threads int) ([]int64, error) {
	if len(k.Contraction) == 0 || len(k.Outputs) == 0 || len(k.Outputs[0].Shape) < 3 {
		return nil, nil
	}
	c := &k.Contraction[0]
	plain := true
	for i, w := range c.Window {
		plain = plain && w == 1 && (i >= len(c.Strides) || c.Strides[i] == 1)
	}
	for _, p := range k.Attrs.IntsAttr("pads") {
		plain = plain && p == 0
	}
	if plain {
		return nil, nil
	}
	out, err := evalShape(k.Outputs[0].Shape, env)
	if err != nil {
		return nil, err
	}
	places := int64(1)
	for _, d := range out[2:] {
		places *= d
	}
	depth, err := c.K.Eval(env)
	if err != nil {
		return nil, err
	}
	filters, err := c.N.Eval(env)
	if err != nil {
		return nil, err
	}
	if filters > places {
		return []int64{4 * places * depth}, nil
	}
	return []int64{threadWorkspace * int64(threads)}, nil
}

// columnWorkspace: the columns of one image of one group, which are then scattered.
func columnWorkspace(k *plan.Kernel, env dim.Env, _ int) ([]int64, error) {
	if len(k.Contraction) == 0 || len(k.Outputs) == 0 {
		return nil, nil
	}
	c := &k.Contraction[0]
	batch, err := k.Outputs[0].Shape[0].Eval(env)
	if err != nil || batch == 0 {
		return nil, err
	}
	m, err := c.M.Eval(env)
	if err != nil {
		return nil, err
	}
	n, err := c.N.Eval(env)
	if err != nil {
		return nil, err
	}
	return []int64{4 * m / batch * n}, nil
}

func evalShape(shape []dim.Dim, env dim.Env) ([]int64, error) {
	out := make([]int64, len(shape))
	for i, d := range shape {
		n, err := d.Eval(env)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}
