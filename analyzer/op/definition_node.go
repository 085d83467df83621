package op

import (
	"errors"
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// definedNode is one node of an operator that a Definition describes: the values of its names.
type definedNode struct {
	d         *Definition
	c         *Call
	sizes     map[string]dim.Dim
	dots      Shape // what "..." stands for
	dotsKnown bool
	fault     error // why the last name has no value
}

// shape is the Shape of the definition's rule. It also evaluates the work, so that a formula that fails is an error of
// the node.
func (d *Definition) shape(c *Call) error {
	n, err := d.node(c)
	if err != nil {
		return err
	}
	for i, o := range d.Outputs {
		if err := n.output(i, o); err != nil {
			return err
		}
	}
	for _, v := range c.In {
		if v != nil && v.Kind == onnx.KindTensor && !v.Ranked {
			return nil // nobody asks for the work of unknown shapes
		}
	}
	if _, err := n.work(); err != nil {
		return err
	}
	_, _, err = n.traffic()
	return err
}

func (d *Definition) work(c *Call) Work {
	n, err := d.node(c)
	if err != nil {
		return Work{}
	}
	w, err := n.work()
	if err != nil {
		return Work{}
	}
	return w
}

func (d *Definition) traffic(c *Call) (read, written dim.Dim) {
	n, err := d.node(c)
	if err == nil {
		read, written, err = n.traffic()
	}
	if err != nil {
		return dim.Dim{}, dim.Dim{}
	}
	return read, written
}

// node binds the names of the definition to what the node has, once for a call.
func (d *Definition) node(c *Call) (*definedNode, error) {
	if c.defined != nil {
		return c.defined, nil
	}
	n := &definedNode{d: d, c: c, sizes: map[string]dim.Dim{}}
	for i, in := range d.Inputs {
		if err := n.bind(i, in); err != nil {
			return nil, err
		}
	}
	for i, in := range d.Inputs { // what is left belongs to inputs whose rank is not known, or that are absent
		for _, s := range in.Shape {
			if _, ok := n.sizes[s]; !ok && d.binds(s) {
				if n.sizes[s] = (dim.Dim{}); c.Has(i) {
					n.sizes[s] = c.fresh(s, dim.Dim{})
				}
			}
		}
	}
	for i, l := range d.Let {
		v, err := n.let(fmt.Sprintf("let[%d]", i), l)
		if err != nil {
			return nil, err
		}
		n.sizes[l.Name] = v
	}
	for i, in := range d.Inputs {
		if err := n.compare(i, in); err != nil {
			return nil, err
		}
	}
	c.defined = n
	return n, nil
}

func (n *definedNode) let(path string, l DefinedSize) (dim.Dim, error) {
	if l.Is != "" {
		return n.eval(path+".is", l.Is)
	}
	upper := dim.Dim{}
	if l.AtMost != "" {
		var err error
		if upper, err = n.eval(path+".at_most", l.AtMost); err != nil {
			return dim.Dim{}, err
		}
	}
	return n.c.fresh(l.Name, upper), nil
}

// given are the inputs that input i of the definition stands for.
func (n *definedNode) given(i int) []*Value {
	var vs []*Value
	if n.d.Inputs[i].Variadic {
		vs = n.c.In[min(i, len(n.c.In)):]
	} else if v := n.c.Input(i); v != nil {
		vs = []*Value{v}
	}
	return vs
}

// axesOf pairs the entries of a pattern with the sizes of a shape; what "..." stands for has no entry.
func axesOf(pattern []string, s Shape, each func(entry string, d dim.Dim) error) (dots Shape, err error) {
	rest := len(s) - len(pattern)
	at := 0
	for _, p := range pattern {
		if p == "..." {
			dots = s[at : at+rest+1]
			at += rest + 1
			continue
		}
		if err := each(p, s[at]); err != nil {
			return nil, fmt.Errorf("axis %d: %w", at, err)
		}
		at++
	}
	return dots, nil
}

func hasDots(pattern []string) bool {
	for _, p := range pattern {
		if p == "..." {
			return true
		}
	}
	return false
}

// bind gives the names of an input's shape their values.
func (n *definedNode) bind(i int, in DefinedInput) error {
	if in.Shape == nil {
		return nil
	}
	for j, v := range n.given(i) {
		if v == nil || !v.Ranked {
			continue
		}
		want, dots := len(in.Shape), hasDots(in.Shape)
		switch {
		case dots && len(v.Shape) < want-1:
			return n.c.errorf("input %d (%s) has rank %d, want at least %d", i+j, in.Name, len(v.Shape), want-1)
		case !dots && len(v.Shape) != want:
			return n.c.errorf("input %d (%s) has rank %d, want %d", i+j, in.Name, len(v.Shape), want)
		}
		found, err := axesOf(in.Shape, v.Shape, func(p string, d dim.Dim) error {
			if !n.d.binds(p) {
				return nil
			}
			old, seen := n.sizes[p]
			if !seen {
				n.sizes[p] = d
				return nil
			}
			merged, err := n.c.sameDim(old, d)
			n.sizes[p] = merged
			return err
		})
		if err != nil {
			return n.c.errorf("input %d (%s): %w", i+j, in.Name, err)
		}
		if !dots {
			continue
		}
		if !n.dotsKnown {
			n.dots, n.dotsKnown = append(Shape{}, found...), true
			continue
		}
		if len(found) != len(n.dots) {
			return n.c.errorf(`input %d (%s): "..." has %d axes, want %d`, i+j, in.Name, len(found), len(n.dots))
		}
		for k := range found {
			if n.dots[k], err = n.c.sameDim(n.dots[k], found[k]); err != nil {
				return n.c.errorf(`input %d (%s): axis %d of "...": %w`, i+j, in.Name, k, err)
			}
		}
	}
	return nil
}

// compare holds the sizes of an input to the numbers and formulas in its pattern.
func (n *definedNode) compare(i int, in DefinedInput) error {
	for j, v := range n.given(i) {
		if v == nil || !v.Ranked {
			continue
		}
		_, err := axesOf(in.Shape, v.Shape, func(p string, d dim.Dim) error {
			if p == "_" || n.d.binds(p) {
				return nil
			}
			want, err := n.eval("", p)
			if err != nil {
				return err
			}
			_, err = n.c.sameDim(want, d)
			return err
		})
		if err != nil {
			return n.c.errorf("input %d (%s): %w", i+j, in.Name, err)
		}
	}
	return nil
}

// eval is the value of a formula; path says where it stands.
func (n *definedNode) eval(path, text string) (dim.Dim, error) {
	n.fault = nil
	v, err := dim.ParseWith(text, n.value)
	if n.fault != nil {
		err = n.fault
	}
	if err != nil && path != "" {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return v, err
}

// count is eval of a number of something: "" is none, and none is negative.
func (n *definedNode) count(path, text string) (dim.Dim, error) {
	if text == "" {
		return dim.Dim{}, nil
	}
	v, err := n.eval(path, text)
	if k, ok := v.Value(); err == nil && ok && k < 0 {
		return v, fmt.Errorf("%s: %s is %d, want at least 0", path, text, k)
	}
	return v, err
}

// output gives output i its type and shape.
func (n *definedNode) output(i int, o DefinedOutput) error {
	if i >= len(n.c.Out) {
		return nil
	}
	out := n.c.Out[i]
	if o.Like != "" {
		v := n.c.Input(n.d.input(o.Like))
		if v == nil {
			return n.c.errorf("input %s is absent, which output %d is like", o.Like, i)
		}
		out.SetType(v)
		if o.Type != "" {
			dt, err := n.dtype(o)
			if err != nil {
				return err
			}
			out.DType = dt
		}
		return nil
	}
	dt, err := n.dtype(o)
	if err != nil {
		return err
	}
	var s Shape
	for j, f := range o.Shape {
		if f == "..." {
			if !n.dotsKnown {
				out.SetUnranked(dt)
				return nil
			}
			s = append(s, n.dots...)
			continue
		}
		d, err := n.count(fmt.Sprintf("outputs[%d].shape[%d]", i, j), f)
		if err != nil {
			return err
		}
		s = append(s, d)
	}
	out.SetTensor(dt, append(Shape{}, s...))
	return nil
}

// dtype is the element type of an output.
func (n *definedNode) dtype(o DefinedOutput) (onnx.DType, error) {
	if dt, ok := onnx.DTypeByName(o.Type); ok {
		return dt, nil
	}
	if a := n.d.attribute(o.Type); a != nil {
		num, _, ok := n.attribute(a, "")
		v, isConst := num.Value()
		if !ok || !isConst || !onnx.DType(v).Known() {
			return 0, errors.Join(n.fault, n.c.errorf("attribute %s gives no element type", o.Type))
		}
		return onnx.DType(v), nil
	}
	return n.c.typeOf(max(n.d.input(o.Type), 0)), nil
}

func (n *definedNode) work() (w Work, err error) {
	for i, p := range n.d.Products {
		ct, err := n.product(fmt.Sprintf("macs[%d]", i), p)
		if err != nil {
			return w, err
		}
		w.Contraction = append(w.Contraction, ct)
		w.MACs = w.MACs.Add(ct.MACs())
	}
	if w.Vector, err = n.count("vector", n.d.Vector); err != nil {
		return w, err
	}
	w.Special, err = n.count("special", n.d.Special)
	return w, err
}

func (n *definedNode) product(path string, p DefinedProduct) (ct Contraction, err error) {
	ct = Contraction{Kind: p.Kind, Batch: dim.Const(1), Groups: dim.Const(1), Weight: n.d.input(p.Weight)}
	for _, f := range []struct {
		to         *dim.Dim
		name, text string
	}{{&ct.M, "m", p.M}, {&ct.N, "n", p.N}, {&ct.K, "k", p.K}, {&ct.Batch, "batch", p.Batch}, {&ct.Groups, "groups", p.Groups}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = n.count(path+"."+f.name, f.text); err != nil {
			return ct, err
		}
	}
	for _, f := range []struct {
		to    *[]int64
		name  string
		texts []string
	}{{&ct.Window, "window", p.Window}, {&ct.Strides, "strides", p.Strides}, {&ct.Dilation, "dilation", p.Dilation}} {
		for j, text := range f.texts {
			d, err := n.count(fmt.Sprintf("%s.%s[%d]", path, f.name, j), text)
			if err != nil {
				return ct, err
			}
			v, known := d.Value()
			if !known {
				*f.to = nil
				break
			}
			*f.to = append(*f.to, v)
		}
	}
	return ct, nil
}

// traffic is what the definition says, and where it says nothing each input and output once.
func (n *definedNode) traffic() (read, written dim.Dim, err error) {
	read, written = streamed(n.c, n.hostInputs())
	if n.d.Read != "" {
		if read, err = n.count("read", n.d.Read); err != nil {
			return read, written, err
		}
	}
	if n.d.Written != "" {
		written, err = n.count("written", n.d.Written)
	}
	return read, written, err
}

func (n *definedNode) hostInputs() (m uint64) {
	for i, in := range n.d.Inputs {
		if in.Values || in.Steers {
			m |= inputs(min(i, 63))
		}
	}
	return m
}
