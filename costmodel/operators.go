package costmodel

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/op"
	"github.com/onnxcost/onnxcost/specs"
)

// LoadOperators reads a file of own operators, for analyzer.Options. Problems are specs.Errors with line and column, those
// of the formulas among them; a file that cannot be opened is an error of package os.
func LoadOperators(name string) ([]op.Definition, error) {
	var defs []op.Definition
	_, err := specs.LoadOperators(name, func(o *specs.Operators, at func(path string, offset int, format string, args ...any)) {
		defs = compileOperators(o, at)
	})
	if err != nil {
		return nil, err
	}
	return defs, nil
}

// compileOperators turns a file into definitions, and places their faults.
func compileOperators(o *specs.Operators, at func(path string, offset int, format string, args ...any)) []op.Definition {
	var defs []op.Definition
	first := map[string]int{}
	for i := range o.Operators {
		d := definition(&o.Operators[i])
		path := fmt.Sprintf("operators[%d]", i)
		_, faults := d.Compile()
		for _, f := range faults {
			at(path+"."+f.Path, f.Offset, "%s", f.Msg)
		}
		key := fmt.Sprintf("%s %s %d", d.Domain, d.Op, max(d.Since, 1))
		if j, ok := first[key]; ok {
			at(path+".op", 0, "%s stands in the file twice, first as operators[%d]", d.Op, j)
		} else {
			first[key] = i
		}
		defs = append(defs, d)
	}
	return defs
}

func texts(fs []specs.Formula) []string {
	if fs == nil {
		return nil
	}
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = string(f)
	}
	return out
}

func definition(o *specs.Operator) op.Definition {
	d := op.Definition{Domain: o.Domain, Op: o.Op, Since: int64(o.Since), Doc: o.Doc, Vector: string(o.Vector), Special: string(o.Special),
		Read: string(o.Read), Written: string(o.Written), Uncounted: o.Uncounted, View: o.View}
	for c := op.Contract; c <= op.Other; c++ {
		if c.String() == string(o.Class) {
			d.Class = c
		}
	}
	for _, in := range o.Inputs {
		d.Inputs = append(d.Inputs, op.DefinedInput{Name: in.Name, Shape: texts(in.Shape), Optional: in.Optional, Variadic: in.Variadic,
			Values: in.Values, Steers: in.Steers, Quantised: in.Quantised, Scale: in.Scale})
	}
	for _, a := range o.Attributes {
		d.Attributes = append(d.Attributes, op.DefinedAttribute(a))
	}
	for _, l := range o.Let {
		d.Let = append(d.Let, op.DefinedSize{Name: l.Name, Is: string(l.Is), AtMost: string(l.AtMost)})
	}
	for _, out := range o.Outputs {
		d.Outputs = append(d.Outputs, op.DefinedOutput{Type: out.Type, Like: out.Like, Shape: texts(out.Shape), Required: out.Required})
	}
	for _, p := range o.MACs {
		to := op.DefinedProduct{M: string(p.M), N: string(p.N), K: string(p.K), Batch: string(p.Batch), Groups: string(p.Groups), Weight: p.Weight,
			Window: texts(p.Window), Strides: texts(p.Strides), Dilation: texts(p.Dilation)}
		if p.Count != "" {
			to.M, to.N, to.K = string(p.Count), "1", "1"
		}
		for k := op.MatMulKind; k <= op.AttentionKind; k++ {
			if k.String() == string(p.Kind) {
				to.Kind = k
			}
		}
		d.Products = append(d.Products, to)
	}
	return d
}
