package specs

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
)

// OperatorsSchemaID is the value of the schema key in files of operators.
const OperatorsSchemaID = "onnxcost/ops/v1"

//go:embed schema/ops-v1.schema.json
var operatorsSchema []byte

// OperatorsSchema is the JSON Schema (draft 2020-12) of files of operators. It accepts every file that [LoadOperators]
// accepts; what a formula says and which names it may use is checked by the loader alone.
func OperatorsSchema() []byte { return slices.Clone(operatorsSchema) }

//go:embed examples/ops.yaml
var operatorsExample []byte

// OperatorsExample is a file of operators that documents the form.
func OperatorsExample() []byte { return slices.Clone(operatorsExample) }

// Operators are a user's own operators, by formulas of the sizes of their inputs and of their attributes.
type Operators struct {
	Schema    string     `spec:"schema,required" unit:"onnxcost/ops/v1"`
	Operators []Operator `spec:"operators,required"`
}

// A Formula is a text such as "floor((H - 1)/2) + 1", or a whole number.
type Formula string

// Operator is one operator.
type Operator struct {
	Op         string              `spec:"op,required"`
	Domain     string              `spec:"domain"`
	Since      int                 `spec:"since" range:">0"` // opset of the domain
	Doc        string              `spec:"doc"`
	Inputs     []OperatorInput     `spec:"inputs"`
	Attributes []OperatorAttribute `spec:"attributes"`
	Let        []OperatorSize      `spec:"let"`
	Outputs    []OperatorOutput    `spec:"outputs,required"`
	MACs       []OperatorProduct   `spec:"macs,single"`
	Vector     Formula             `spec:"vector"`
	Special    Formula             `spec:"special"`
	Read       Formula             `spec:"read"`    // bytes
	Written    Formula             `spec:"written"` // bytes
	Uncounted  string              `spec:"uncounted"`
	Class      OperatorClass       `spec:"class"`
	View       bool                `spec:"view"`
}

// OperatorInput is an input of an Operator.
type OperatorInput struct {
	Name      string    `spec:"name,required,short"`
	Shape     []Formula `spec:"shape,flow"`
	Optional  bool      `spec:"optional"`
	Variadic  bool      `spec:"variadic"`
	Values    bool      `spec:"values"`
	Steers    bool      `spec:"steers"`
	Quantised bool      `spec:"quantised"`
	Scale     bool      `spec:"scale"`
}

// OperatorAttribute is an attribute of an Operator that formulas use.
type OperatorAttribute struct {
	Name    string           `spec:"name,required,short"`
	Also    []string         `spec:"also,single,flow"` // other names
	Default []float64        `spec:"default,single,flow"`
	Words   map[string]int64 `spec:"words,flow"`
}

// OperatorSize is a name for a formula, or for a size that is known only when the operator runs.
type OperatorSize struct {
	Name   string  `spec:"name,required,short"`
	Is     Formula `spec:"is"`
	AtMost Formula `spec:"at_most"`
}

// OperatorOutput is an output of an Operator.
type OperatorOutput struct {
	Type     string    `spec:"type"`
	Like     string    `spec:"like"`
	Shape    []Formula `spec:"shape,flow"`
	Required bool      `spec:"required"`
}

// OperatorProduct are multiply-accumulates: batch·groups·m·n·k of them, or a Count without geometry.
type OperatorProduct struct {
	Count    Formula      `spec:"count,short"`
	Kind     OperatorKind `spec:"kind"`
	M        Formula      `spec:"m"`
	N        Formula      `spec:"n"`
	K        Formula      `spec:"k"`
	Batch    Formula      `spec:"batch"`
	Groups   Formula      `spec:"groups"`
	Weight   string       `spec:"weight"`
	Window   []Formula    `spec:"window,flow"`
	Strides  []Formula    `spec:"strides,flow"`
	Dilation []Formula    `spec:"dilation,flow"`
}

// OperatorClass is the sort of kernel that an operator runs as.
type OperatorClass string

func (OperatorClass) allowed() []string {
	return []string{"contraction", "elementwise", "normalization", "reduction", "pooling", "movement", "quantization", "other"}
}

// OperatorKind is how the operands of a product are laid out.
type OperatorKind string

func (OperatorKind) allowed() []string {
	return []string{"matmul", "conv", "conv-transpose", "recurrent", "attention"}
}

// An OperatorsCheck adds what another package knows about operators: at places a problem at the value of a path, offset
// bytes into its text.
type OperatorsCheck func(o *Operators, at func(path string, offset int, format string, args ...any))

// LoadOperators reads a file of operators; checks see it before problems are reported. Problems are [Errors], all at
// once; a file that cannot be opened is an error of package os.
func LoadOperators(name string, checks ...OperatorsCheck) (*Operators, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	return ParseOperators(data, name, checks...)
}

// ParseOperators is LoadOperators for a file's text; the name is used in errors only.
func ParseOperators(data []byte, name string, checks ...OperatorsCheck) (*Operators, error) {
	o := new(Operators)
	r, ok := decodeAs(OperatorsSchemaID, name, data, o)
	if ok {
		r.beyond(func(more *report) {
			o.validate(more)
			for _, check := range checks {
				check(o, more.inside)
			}
		})
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Operators) validate(r *report) {
	if len(o.Operators) == 0 {
		r.at("operators", "want at least one operator")
	}
	for i := range o.Operators {
		for j, p := range o.Operators[i].MACs {
			at := fmt.Sprintf("operators[%d].macs[%d]", i, j)
			geometry := p.M != "" || p.N != "" || p.K != ""
			switch {
			case p.Count != "" && geometry:
				r.at(at, "count stands beside m, n, k: want one of the two")
			case p.Count == "" && !geometry:
				r.at(at, "want m, n and k, or a count")
			}
		}
	}
}

// formula reads a text or a whole number. Its place is that of its first character, without the quote.
func (d *decoder) formula(n *node, f *Formula, path string) {
	switch {
	case n.kind == kindText:
	case n.kind == kindNumber && n.num == float64(int64(n.num)):
	default:
		d.add(n.pos, path, "want a formula or a whole number, have %s", n.describe())
		return
	}
	if *f = Formula(n.text); n.quoted {
		p := n.pos
		p.col++
		d.pos[path] = p
	}
}
