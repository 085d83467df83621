package calibrate

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
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
	// Dims, Shapes and Inputs steer the analysis: what the free dimensions are, and which inputs are known.
	Options analyzer.Options
	// Values are known values to feed, by input. Other inputs are random.
	Values map[string]*onnx.Tensor
	// Below bounds random integer inputs; 0 is 2: indices of any table, masks, and flags all allow 0 and 1.
	Below int64
}

// inputs makes what a job feeds, and places for the outputs whose size is known.
func (j *Job) inputs(r *analyzer.Report, seed uint64) (in, out map[string]*ort.Tensor, err error) {
	rnd := rand.New(rand.NewPCG(seed, 0x696e70757473))
	in, out = map[string]*ort.Tensor{}, map[string]*ort.Tensor{}
	below := j.Below
	if below == 0 {
		below = 2
	}
	for _, v := range r.Inputs {
		if known := j.Values[v.Name]; known != nil {
			if in[v.Name], err = ort.TensorOf(known); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", j.Name, err)
			}
			continue
		}
		dims, err := tensorDims(v, r)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: input %q: %w", j.Name, v.Name, err)
		}
		t, err := ort.RandomTensor(v.DType, dims, below, rnd)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: input %q: %w", j.Name, v.Name, err)
		}
		in[v.Name] = t
	}
	for _, v := range r.Outputs {
		dims, err := tensorDims(v, r)
		if err != nil || v.DType == onnx.String {
			continue
		}
		if t, err := ort.NewTensor(v.DType, dims); err == nil {
			out[v.Name] = t
		}
	}
	return in, out, nil
}

// tensorDims evaluates the extents of a tensor under the report's bindings.
func tensorDims(v *op.Value, r *analyzer.Report) ([]int64, error) {
	if v.Kind != onnx.KindTensor {
		return nil, fmt.Errorf("a value of kind %v cannot be fed", v.Kind)
	}
	if !v.Ranked {
		return nil, fmt.Errorf("its rank is not declared; give --shape %s=1x3x224x224", v.Name)
	}
	dims := make([]int64, len(v.Shape))
	for i, d := range v.Shape {
		n, err := d.Eval(r.Dims)
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

// session loads a job and runs it once, so that the runtime's objections come now.
func (j *Job) session(ctx context.Context, lib *ort.Library, o ort.Options, seed uint64) (*ort.Session, error) {
	r, err := analyzer.Analyze(ctx, j.Model, j.Options)
	if err != nil {
		return nil, err
	}
	in, out, err := j.inputs(r, seed)
	if err != nil {
		return nil, err
	}
	src, err := j.source()
	if err != nil {
		return nil, err
	}
	if err := lib.CheckProvider(src, o, in, out); err != nil {
		return nil, err
	}
	return open(lib, src, o, in, out)
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

// open loads a model, binds its inputs and runs it once.
func open(lib *ort.Library, src ort.Source, o ort.Options, in, out map[string]*ort.Tensor) (*ort.Session, error) {
	s, err := lib.NewSession(src, o)
	if err != nil {
		return nil, err
	}
	// Only what the session asks for: an analysis may know more outputs than a caller wants.
	for name := range out {
		if !slices.Contains(src.Outputs, name) {
			delete(out, name)
		}
	}
	if err := s.Bind(in, out); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.Run(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
