package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// modelFlags are the flags that every command with a MODEL shares.
type modelFlags struct {
	dims   []string
	shapes []string
	inputs string
	strict bool
	ops    []string
	own    *ownOperators
	used   *dimUse // nil where the command takes one model
}

// ownOperators are those of --ops, read once.
type ownOperators struct {
	once sync.Once
	defs []op.Definition
	err  error
}

func (o *ownOperators) load(files []string) ([]op.Definition, error) {
	o.once.Do(func() {
		for _, f := range files {
			defs, err := costmodel.LoadOperators(f)
			if err != nil {
				o.err = &codedError{exitInput, fmt.Errorf("--ops: %w", err)}
				return
			}
			o.defs = append(o.defs, defs...)
		}
	})
	return o.defs, o.err
}

func (f *modelFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.dims, "dim", nil, "bind a free dimension, `NAME=VALUE` (repeatable); NAME may hold * for any text")
	fs.StringArrayVar(&f.shapes, "shape", nil, "give the shape of an input, or of a tensor that inference does not know, `NAME=1x3x224x224` (repeatable)")
	fs.StringVar(&f.inputs, "inputs", "", "`DIR` with input_N.pb tensors in ONNX test-data form, taken as known input values")
	f.own = &ownOperators{}
	fs.StringArrayVar(&f.ops, "ops", nil, "`FILE` with operators of your own as formulas (repeatable); 'onnxcost explain ops' says how")
	fs.BoolVar(&f.strict, "strict", false, "exit 1 where something is unknown")
}

// options turns the flags into analysis options; reading --inputs needs the model.
func (f *modelFlags) options(m *onnx.Model) (analyzer.Options, error) {
	opt := analyzer.Options{Dims: map[string]int64{}, Shapes: map[string]op.Shape{}, AnyDims: f.used != nil}
	for _, d := range f.dims {
		name, text, ok := cutLast(d)
		v, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || v < 0 {
			return opt, misuse("--dim %s: want NAME=VALUE with a whole number of at least 0", d)
		}
		opt.Dims[name] = v
	}
	for _, d := range f.shapes {
		name, text, ok := cutLast(d)
		if !ok {
			return opt, misuse("--shape %s: want INPUT=1x3x224x224", d)
		}
		s, err := parseShape(text)
		if err != nil {
			return opt, misuse("--shape %s: %v", d, err)
		}
		opt.Shapes[name] = s
	}
	if f.inputs != "" {
		known, err := analyzer.ReadInputs(m, f.inputs)
		if err != nil {
			return opt, &codedError{exitInput, fmt.Errorf("--inputs: %w", err)}
		}
		opt.Inputs = known
	}
	var err error
	opt.Operators, err = f.own.load(f.ops)
	return opt, err
}

// cutLast splits at the last '=': names may hold one, values do not.
func cutLast(s string) (name, value string, ok bool) {
	i := strings.LastIndexByte(s, '=')
	if i <= 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// parseShape reads "1x3x224x224"; an extent may also be a name or a formula when separated by commas.
func parseShape(text string) (op.Shape, error) {
	if text == "" || text == "scalar" {
		return op.Shape{}, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) == 1 {
		parts = strings.Split(text, "x")
	}
	s := make(op.Shape, len(parts))
	for i, p := range parts {
		d, err := dim.Parse(strings.TrimSpace(p))
		if err != nil {
			return nil, fmt.Errorf("extent %d: %v; write names and formulas with commas between extents", i, err)
		}
		if v, ok := d.Value(); ok && v < 0 {
			return nil, fmt.Errorf("extent %d is %d, want at least 0", i, v)
		}
		s[i] = d
	}
	return s, nil
}

// loadModel reads a MODEL argument: a path, - for stdin, or zoo:NAME. It returns the name that results carry.
func loadModel(arg string, stdin io.Reader) (m *onnx.Model, name string, err error) {
	switch {
	case arg == "-":
		m, err = onnx.Read(stdin, "stdin")
		return m, "-", err
	case strings.HasPrefix(arg, "zoo:"):
		m, err = buildZoo(strings.TrimPrefix(arg, "zoo:"), zoo.None)
		return m, arg, err
	}
	m, err = onnx.Open(arg)
	if err == nil {
		expectNodes(len(m.Graph.Nodes))
	}
	if e, ok := zoo.Info(arg); ok && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; the built-in network is zoo:%s", err, e.Name)
	}
	return m, arg, err
}

// analyze reads a MODEL argument and analyses it under the flags. It returns the name that results carry.
func (f *modelFlags) analyze(ctx context.Context, stdin io.Reader, arg string) (r *analyzer.Report, name string, err error) {
	m, name, err := loadModel(arg, stdin)
	if err != nil {
		return nil, name, err
	}
	opt, err := f.options(m)
	if err != nil {
		return nil, name, err
	}
	if r, err = analyzer.Analyze(ctx, m, opt); err != nil && describeError(arg, err) != err.Error() {
		err = fmt.Errorf("%s: %w", arg, err)
	}
	if err == nil {
		f.note(r)
	}
	return r, name, err
}

// buildZoo builds a network of the zoo.
func buildZoo(name string, w zoo.Weights) (*onnx.Model, error) {
	if _, ok := zoo.Info(name); !ok {
		return nil, misuse("zoo:%s: no such network%s", name, specs.Suggest(name, zoo.Names()))
	}
	return zoo.Build(name, w)
}

// fault says whose fault it is that a figure of a report has no number: the model's where it contradicts itself or where
// its own extents do not fit, and otherwise the one's who has to bind its free dimensions; bound says that they have.
func fault(r *analyzer.Report, err error, bound bool) error {
	var unbound *dim.UnboundError
	switch {
	case errors.As(err, &unbound):
		i := slices.IndexFunc(r.Diagnostics, func(d analyzer.Diagnostic) bool { return d.Severity == analyzer.SeverityError })
		if i >= 0 {
			d := r.Diagnostics[i]
			return &codedError{exitInput, fmt.Errorf("node %q: %s; so %w", d.Node, d.Message, err)}
		}
	case errors.Is(err, dim.ErrOverflow), errors.Is(err, dim.ErrDivideByZero), errors.Is(err, dim.ErrTooLarge):
		if !bound {
			return &codedError{exitInput, err}
		}
	}
	return smaller(err)
}

// smaller says what would help where a figure does not fit.
func smaller(err error) error {
	if errors.Is(err, dim.ErrOverflow) {
		return fmt.Errorf("%w; want smaller dimensions", err)
	}
	return err
}

// expandZoo replaces zoo:all by the names of the paper's networks and the others of the zoo.
func expandZoo(args []string) []string {
	var out []string
	for _, a := range args {
		if a != "zoo:all" {
			out = append(out, a)
			continue
		}
		for _, n := range zoo.Names() {
			out = append(out, "zoo:"+n)
		}
	}
	return out
}
