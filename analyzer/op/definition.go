package op

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Definition describes an operator by formulas: what its outputs are, and what it computes, from the sizes of its inputs
// and its attributes. Compile makes the rule of it. The formulas are those of dim.Parse over these names:
//
//   - the names in the Shape of an input, which stand for its sizes;
//   - INPUT.elements, INPUT.bytes, INPUT.rank, INPUT.0 (its first size, and so on) and INPUT.given (1 where the input is
//     there, else 0; the other figures of an absent input are 0);
//   - INPUT.value and INPUT.value.0 for the elements of an input with Values;
//   - INPUT.count for the number of inputs that the last one stands for, with Variadic: elements and bytes are sums then;
//   - ATTRIBUTE, ATTRIBUTE.0 and ATTRIBUTE.count; a float is a fraction, which floor and ceil take;
//   - the names of Let that stand before.
//
// All counts are of one execution; sizes are elements, Read and Written bytes.
type Definition struct {
	Domain string // "" for ai.onnx
	Op     string
	Since  int64 // first opset of the domain; 0 is 1
	Doc    string

	Inputs     []DefinedInput
	Attributes []DefinedAttribute
	Let        []DefinedSize
	Outputs    []DefinedOutput

	Products []DefinedProduct // the multiply-accumulates
	Vector   string           // formula of the other arithmetic operations; "" is 0
	Special  string           // formula of exp, log, tanh, sqrt, division …; "" is 0
	// Read and Written are formulas of the traffic in bytes, where it is not each input and output once.
	Read, Written string
	// Uncounted names what the operator does that is no arithmetic or cannot be counted; a note says so.
	Uncounted string

	Class Class // 0: Contract with Products, else Other
	// View says that the first output is the first input under another shape.
	View bool
}

// DefinedInput is an input of a Definition.
type DefinedInput struct {
	Name string
	// Shape has a name, an integer, a formula or _ (any size) for each axis, and at most once "..." for any number of
	// axes, the same in every input and output that has it; nil takes any rank. A name that stands twice says that the
	// sizes are equal, and so does a formula.
	Shape     []string
	Optional  bool
	Variadic  bool // the last input, any number of times
	Values    bool // a steering input whose elements formulas may use
	Steers    bool // neither traffic nor weights
	Quantised bool // integer constants here are weights
	Scale     bool // constants here are scales or zero points: bytes, no parameters
}

// DefinedAttribute is an attribute of a Definition that formulas use.
type DefinedAttribute struct {
	Name string
	Also []string // other names that files have it under
	// Default are the entries where a node has none; nil where a node must have them.
	Default []float64
	// Words gives the number that a text stands for.
	Words map[string]int64
}

// DefinedSize is a name for a formula, or for a size that is only known when the operator runs, where Is is "". AtMost is
// the formula of its bound, "" where there is none.
type DefinedSize struct {
	Name, Is, AtMost string
}

// DefinedOutput is an output: the shape of an input, or a Shape as in DefinedInput of formulas.
type DefinedOutput struct {
	// Type is an element type such as float32, an input whose type it has, or an attribute that holds the number of a
	// type; "" is the type of Like or of the first input.
	Type     string
	Like     string
	Shape    []string
	Required bool // a node must list it; the first one always
}

// DefinedProduct is a contraction: Batch·Groups·M·N·K multiply-accumulates, as in Contraction. Each is a formula; Batch
// and Groups are 1 where they are "".
type DefinedProduct struct {
	Kind            ContractionKind
	M, N, K         string
	Batch, Groups   string
	Weight          string   // the input that holds the weights, "" where both operands are activations
	Window, Strides []string // convolutions
	Dilation        []string
}

// DefinitionError is one fault of a Definition.
type DefinitionError struct {
	Path   string // the field, such as outputs[0].shape[1]
	Offset int    // byte offset in the field's text
	Msg    string
}

func (e *DefinitionError) Error() string { return e.Path + ": " + e.Msg }

// Compile returns the rule of the definition. errs are all its faults.
func (d Definition) Compile() (rule *Rule, errs []*DefinitionError) {
	k := &defChecker{d: &d, names: map[string]string{}, known: map[string]bool{}}
	k.check()
	if len(k.errs) > 0 {
		return nil, k.errs
	}
	r := &Rule{Domain: d.Domain, Op: d.Op, Since: max(d.Since, 1), Doc: d.Doc, Memory: Stream, Class: d.Class, Uncounted: d.Uncounted, defined: &d}
	if r.Domain == "ai.onnx" {
		r.Domain = ""
	}
	if d.View {
		r.Memory = View
	}
	switch {
	case r.Class != 0:
	case len(d.Products) > 0:
		r.Class = Contract
	default:
		r.Class = Other
	}
	take := arity{since: 1}
	for i, in := range d.Inputs {
		i = min(i, 62)
		take.in.most++
		if !in.Optional {
			take.in.least = take.in.most
			take.in.required |= 1 << i
		}
		bit := inputs(i)
		if in.Variadic {
			bit, take.in.most = inputsFrom(i), math.MaxInt
		}
		if in.Values || in.Steers {
			r.HostInputs |= bit
		}
		if in.Quantised {
			r.QuantInputs |= bit
		}
		if in.Scale {
			r.Scales |= bit
		}
	}
	take.out = argCount{least: 1, most: len(d.Outputs), required: 1}
	for i, o := range d.Outputs {
		if o.Required {
			take.out.least = i + 1
		}
	}
	r.arities = []arity{take}
	r.Shape, r.Work = d.shape, d.work
	if d.Read != "" || d.Written != "" {
		r.Traffic = d.traffic
	}
	return r, nil
}

// defChecker finds the faults of a definition.
type defChecker struct {
	d     *Definition
	names map[string]string // every name, with what it is
	known map[string]bool   // names that a formula may use by now
	dots  bool              // some input has "..."
	errs  []*DefinitionError
}

func (k *defChecker) fault(path string, offset int, format string, args ...any) {
	k.errs = append(k.errs, &DefinitionError{path, offset, fmt.Sprintf(format, args...)})
}

// plainName reports whether s can be a name of a size: an identifier of dim.Parse without dots.
func plainName(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && s != "_"
}

func (k *defChecker) name(path, name, what string) {
	switch {
	case !plainName(name):
		k.fault(path, 0, "want a name of letters, digits and _, have %q", name)
	case k.names[name] != "":
		k.fault(path, 0, "%s is the name of %s already", name, k.names[name])
	default:
		k.names[name] = what
	}
}

// formula checks the text of one; an empty one is a fault where it is wanted.
func (k *defChecker) formula(path, text string, wanted bool) {
	if text == "" {
		if wanted {
			k.fault(path, 0, "want a formula")
		}
		return
	}
	// As symbols first; a division that cannot be exact then may be so for numbers.
	err := k.parse(text, dim.Symbol)
	for _, n := range []int64{1, 2, 12} {
		if err == nil || k.parse(text, func(string) dim.Dim { return dim.Const(n) }) == nil {
			return
		}
	}
	offset, msg := 0, err.Error()
	var p *dim.ParseError
	if errors.As(err, &p) {
		offset, msg = p.Offset, p.Msg
	}
	k.fault(path, offset, "%s", msg)
}

func (k *defChecker) parse(text string, value func(string) dim.Dim) error {
	_, err := dim.ParseWith(text, func(name string) (num, den dim.Dim, ok bool) {
		return value(name), dim.Const(1), k.isKnown(name)
	})
	return err
}

func (k *defChecker) isKnown(name string) bool {
	if k.known[name] {
		return true
	}
	of, field, dotted := strings.Cut(name, ".")
	if !dotted {
		return false
	}
	_, err := strconv.ParseUint(field, 10, 16)
	for _, a := range k.d.Attributes {
		if a.Name == of && (err == nil || field == "count") {
			return true
		}
	}
	for _, in := range k.d.Inputs {
		if in.Name != of {
			continue
		}
		if v, isValue := strings.CutPrefix(field, "value"); isValue && in.Values {
			if v == "" {
				return true
			}
			_, err := strconv.ParseUint(strings.TrimPrefix(v, "."), 10, 16)
			return err == nil && v[0] == '.'
		}
		switch field {
		case "elements", "bytes", "rank", "given":
			return true
		case "count":
			return in.Variadic
		}
		return err == nil
	}
	return false
}

func (k *defChecker) check() {
	d := k.d
	if d.Op == "" {
		k.fault("op", 0, "want the operator's name")
	}
	if d.Since < 0 {
		k.fault("since", 0, "want an opset of at least 1, have %d", d.Since)
	}
	optional := false
	for i, in := range d.Inputs {
		at := fmt.Sprintf("inputs[%d]", i)
		k.name(at+".name", in.Name, "an input")
		if in.Variadic && i != len(d.Inputs)-1 {
			k.fault(at+".variadic", 0, "input %s is not the last, which alone may stand for any number", in.Name)
		}
		if optional && !in.Optional && in.Variadic {
			k.fault(at+".optional", 0, "input %s follows an optional one: want it optional too", in.Name)
		}
		optional = optional || in.Optional
	}
	for i, a := range d.Attributes {
		k.name(fmt.Sprintf("attributes[%d].name", i), a.Name, "an attribute")
		k.known[a.Name] = true
		for j, x := range a.Default {
			if _, _, ok := fractionOf(x); !ok {
				k.fault(fmt.Sprintf("attributes[%d].default[%d]", i, j), 0, "want a number below 2^53, have %v", x)
			}
		}
	}
	for i, in := range d.Inputs {
		for j, s := range in.Shape {
			if d.binds(s) && !k.known[s] {
				k.name(fmt.Sprintf("inputs[%d].shape[%d]", i, j), s, "a size")
				k.known[s] = true
			}
		}
	}
	for i, l := range d.Let {
		at := fmt.Sprintf("let[%d]", i)
		k.name(at+".name", l.Name, "a size")
		k.formula(at+".is", l.Is, false)
		k.formula(at+".at_most", l.AtMost, false)
		if l.Is != "" && l.AtMost != "" {
			k.fault(at+".at_most", 0, "stands beside is: want one of the two")
		}
		k.known[l.Name] = true
	}
	for i, in := range d.Inputs {
		if k.pattern(fmt.Sprintf("inputs[%d].shape", i), in.Shape, true) {
			k.dots = true
		}
	}
	k.results()
	for i, p := range d.Products {
		k.product(fmt.Sprintf("macs[%d]", i), p)
	}
	k.formula("vector", d.Vector, false)
	k.formula("special", d.Special, false)
	k.formula("read", d.Read, false)
	k.formula("written", d.Written, false)
}

// pattern checks the entries of a shape and reports whether "..." is among them.
func (k *defChecker) pattern(path string, shape []string, input bool) (dots bool) {
	for j, s := range shape {
		at := fmt.Sprintf("%s[%d]", path, j)
		switch {
		case s == "...":
			if dots {
				k.fault(at, 0, `a second "...": want one at most`)
			}
			dots = true
		case s == "_" && input:
		default:
			k.formula(at, s, true)
		}
	}
	return dots
}

func (k *defChecker) results() {
	d := k.d
	if len(d.Outputs) == 0 {
		k.fault("outputs", 0, "want at least one output")
	}
	for i, o := range d.Outputs {
		at := fmt.Sprintf("outputs[%d]", i)
		switch {
		case o.Like != "" && k.input(o.Like) < 0:
			k.fault(at+".like", 0, "no input %q%s", o.Like, k.listInputs())
		case o.Like != "" && o.Shape != nil:
			k.fault(at+".shape", 0, "stands beside like: want one of the two")
		case o.Like == "" && o.Shape == nil:
			k.fault(at, 0, "want like or shape")
		}
		if k.pattern(at+".shape", o.Shape, false) && !k.dots {
			k.fault(at+".shape", 0, `"...": no input has it`)
		}
		_, isType := onnx.DTypeByName(o.Type)
		switch {
		case o.Type == "" && o.Like == "" && len(d.Inputs) == 0:
			k.fault(at+".type", 0, "want an element type: there is no input whose type it could have")
		case o.Type == "" || isType || k.input(o.Type) >= 0 || k.attribute(o.Type) != nil:
		default:
			k.fault(at+".type", 0, "want an element type such as float32, an input or an attribute, have %q", o.Type)
		}
	}
}

func (k *defChecker) product(at string, p DefinedProduct) {
	k.formula(at+".m", p.M, true)
	k.formula(at+".n", p.N, true)
	k.formula(at+".k", p.K, true)
	k.formula(at+".batch", p.Batch, false)
	k.formula(at+".groups", p.Groups, false)
	if p.Weight != "" && k.input(p.Weight) < 0 {
		k.fault(at+".weight", 0, "no input %q%s", p.Weight, k.listInputs())
	}
	for name, list := range map[string][]string{"window": p.Window, "strides": p.Strides, "dilation": p.Dilation} {
		for j, f := range list {
			k.formula(fmt.Sprintf("%s.%s[%d]", at, name, j), f, true)
		}
	}
}

// input is the index of an input, -1 where there is none of that name.
func (k *defChecker) input(name string) int { return k.d.input(name) }

func (k *defChecker) attribute(name string) *DefinedAttribute { return k.d.attribute(name) }

func (k *defChecker) listInputs() string {
	var names []string
	for _, in := range k.d.Inputs {
		names = append(names, in.Name)
	}
	if names == nil {
		return "; there are none"
	}
	return "; want one of " + strings.Join(names, ", ")
}

func (d *Definition) input(name string) int {
	for i, in := range d.Inputs {
		if in.Name == name {
			return i
		}
	}
	return -1
}

// binds reports whether an entry of an input's shape is the name of a size that it gives, not one that it is held to.
func (d *Definition) binds(entry string) bool {
	return plainName(entry) && d.attribute(entry) == nil && !slices.ContainsFunc(d.Let, func(l DefinedSize) bool { return l.Name == entry })
}

func (d *Definition) attribute(name string) *DefinedAttribute {
	for i := range d.Attributes {
		if d.Attributes[i].Name == name {
			return &d.Attributes[i]
		}
	}
	return nil
}

// fractionOf is f as an exact fraction; ok is false where its parts do not fit.
func fractionOf(f float64) (num, den dim.Dim, ok bool) {
	if n, d, ok := Float(f).rational(); ok {
		return n, dim.Const(d), true
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dim.Dim{}, dim.Dim{}, false
	}
	m, e := math.Frexp(f) // f = m·2^e with m in [0.5, 1)
	p, shift := int64(m*(1<<53)), 53-e
	for shift > 0 && p%2 == 0 {
		p, shift = p/2, shift-1
	}
	if shift < 0 || shift > 40 {
		return dim.Dim{}, dim.Dim{}, false
	}
	return dim.Const(p), dim.Const(1 << shift), true
}
