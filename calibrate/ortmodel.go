package calibrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/calibrate/ort"
)

// A Job is a model to run in ONNX Runtime.
type Job struct {
	Name  string // what results and errors call it
	Model *onnx.Model
	// Path is the model's file where it has one: external weights are found beside it, and nothing is copied. The model
	// is written into memory otherwise.
	Path string
	// Options steer the analysis: what the free dimensions are, and which inputs are known.
	Options analyzer.Options
	// Values are known values to feed, by input. Other inputs are random: see ort.RandomTensor. Integer inputs stay
	// below the rows of the smallest table that they index, and below 2 where they index none, which suits masks, flags
	// and any table that is not found.
	Values map[string]*onnx.Tensor
}

// A BatchError is a batch size that a model cannot take.
type BatchError struct {
	Model        string
	Batch, Fixed int64
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("%s: batch %d: the leading dimension of its inputs is fixed at %d", e.Model, e.Batch, e.Fixed)
}

// bind is the report's binding with the leading dimension of the inputs set to batch; 0 leaves it. The second result is
// the leading dimension of the first input that has one.
func (j *Job) bind(r *analyzer.Report, batch int64) (dim.Env, int64, error) {
	env := dim.Env{}
	for k, v := range r.Dims {
		env[k] = v
	}
	fixed, leading := int64(0), []dim.Dim(nil)
	for _, v := range r.Inputs {
		if !v.Ranked || len(v.Shape) == 0 {
			continue
		}
		if n, ok := v.Shape[0].Value(); ok {
			fixed = max(fixed, n)
			continue
		}
		leading = append(leading, v.Shape[0])
		for _, s := range v.Shape[0].Symbols() {
			if batch > 0 {
				env[s] = batch
			}
		}
	}
	switch {
	case len(leading) == 0 && batch > 0 && fixed != batch:
		return nil, 0, &BatchError{j.Name, batch, fixed}
	case len(leading) == 0:
		return env, max(1, fixed), nil
	}
	n, err := leading[0].Eval(env)
	if err != nil {
		n = 1 // the inputs say which dimension has no value
	}
	return env, n, nil
}

// tensors makes what a job feeds, and places for the outputs whose size is known.
func (j *Job) tensors(r *analyzer.Report, env dim.Env, seed uint64) (in, out map[string]*ort.Tensor, err error) {
	rnd := rand.New(rand.NewPCG(seed, 0x696e70757473))
	in, out = map[string]*ort.Tensor{}, map[string]*ort.Tensor{}
	for _, v := range r.Inputs {
		if known := j.Values[v.Name]; known != nil {
			if in[v.Name], err = ort.TensorOf(known); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", j.Name, err)
			}
			continue
		}
		dims, err := tensorDims(v, env)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: input %q: %w", j.Name, v.Name, err)
		}
		t, err := ort.RandomTensor(v.DType, dims, indexBound(r, v), rnd)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: input %q: %w", j.Name, v.Name, err)
		}
		in[v.Name] = t
	}
	for _, v := range r.Outputs {
		dims, err := tensorDims(v, env)
		if err != nil || v.DType == onnx.String {
			continue
		}
		if t, err := ort.NewTensor(v.DType, dims); err == nil {
			out[v.Name] = t
		}
	}
	return in, out, nil
}

// indexBound is the number of rows of the smallest table that v indexes directly; 2 where there is none.
func indexBound(r *analyzer.Report, v *op.Value) int64 {
	bound := int64(0)
	for _, n := range r.Nodes {
		if n.Proto.OpType != "Gather" || len(n.Inputs) != 2 || n.Inputs[1] != v || n.Inputs[0] == nil || !n.Inputs[0].Ranked {
			continue
		}
		axis := int64(0)
		if a := n.Proto.Attr("axis"); a != nil {
			axis = a.I
		}
		if axis < 0 || axis >= int64(len(n.Inputs[0].Shape)) {
			continue
		}
		if rows, ok := n.Inputs[0].Shape[axis].Value(); ok && (bound == 0 || rows < bound) {
			bound = rows
		}
	}
	if bound == 0 {
		return 2
	}
	return bound
}

// tensorDims evaluates the extents of a tensor under a binding.
func tensorDims(v *op.Value, env dim.Env) ([]int64, error) {
	if v.Kind != onnx.KindTensor {
		return nil, errors.New("it is no tensor, and only tensors can be fed")
	}
	if !v.Ranked {
		return nil, fmt.Errorf("its rank is not declared; give --shape %s=1x3x224x224", v.Name)
	}
	dims := make([]int64, len(v.Shape))
	for i, d := range v.Shape {
		n, err := d.Eval(env)
		if err != nil {
			if s := d.Symbols(); len(s) > 0 {
				return nil, fmt.Errorf("extent %d is %s; give --dim %s=N", i, d, s[0])
			}
			return nil, fmt.Errorf("extent %d: %w", i, err)
		}
		dims[i] = n
	}
	return dims, nil
}

// session loads a job and runs it once, so that the runtime's objections come now. It returns the batch size too.
func (j *Job) session(ctx context.Context, lib *ort.Library, o ort.Options, batch int64, seed uint64) (*ort.Session, int64, error) {
	r, err := analyzer.Analyze(ctx, j.Model, j.Options)
	if err != nil {
		return nil, 0, err
	}
	env, batch, err := j.bind(r, batch)
	if err != nil {
		return nil, 0, err
	}
	in, out, err := j.tensors(r, env, seed)
	if err != nil {
		return nil, 0, err
	}
	src, err := j.source()
	if err != nil {
		return nil, 0, err
	}
	if err := lib.CheckProvider(src, o, in, out); err != nil {
		return nil, 0, err
	}
	s, err := lib.NewSession(src, o)
	if err != nil {
		return nil, 0, err
	}
	if err = s.Bind(in, out); err == nil {
		err = s.Run()
	}
	if err != nil {
		s.Close()
		return nil, 0, err
	}
	return s, batch, nil
}

// source is the job as the runtime loads it.
func (j *Job) source() (ort.Source, error) {
	var data []byte
	if j.Path == "" {
		var b bytes.Buffer
		if err := onnx.Encode(&b, j.Model); err != nil {
			return ort.Source{}, fmt.Errorf("%s: %w", j.Name, err)
		}
		data = b.Bytes()
	}
	return ort.SourceOf(j.Model, j.Name, j.Path, data), nil
}
