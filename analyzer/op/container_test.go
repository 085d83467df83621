package op

import (
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// sequenceOf is a sequence with known items.
func sequenceOf(items ...*Value) *Value {
	v := &Value{}
	v.SetItems(onnx.KindSequence, items)
	return v
}

// openSequence is a sequence of an unknown number of items that look like elem.
func openSequence(elem *Value) *Value {
	v := &Value{}
	v.SetSequence(elem)
	return v
}

func scalarInt(n int) *Value { return elems(onnx.Int64, nil, n) }

func TestSequenceRules(t *testing.T) {
	a, b := f32(1, "h"), f32(2, "h")
	pair := func() *Value { return sequenceOf(a, b) }
	open := func() *Value { return openSequence(f32("n", 4)) }
	runRuleCases(t, []ruleCase{
		{op: "SequenceEmpty", as: attributes{"dtype": 7}, want: "sequence(int64[?])"},
		{op: "SequenceConstruct", in: in(a, b), want: "sequence(float32[?])"},
		{op: "SequenceConstruct", in: in(a, a), want: "sequence(float32[1,h])"},
		{op: "SequenceConstruct", want: "error: no inputs"},
		{op: "SequenceAt", in: in(pair(), scalarInt(1)), want: "float32[2,h]"},
		{op: "SequenceAt", in: in(pair(), scalarInt(-2)), want: "float32[1,h]"},
		{op: "SequenceAt", in: in(pair(), scalarInt(2)), want: "error: position 2 is outside a sequence of 2"},
		{op: "SequenceAt", in: in(pair(), tensorOf(onnx.Int64)), want: "float32[?]"},
		{op: "SequenceAt", in: in(open(), scalarInt(7)), want: "float32[n,4]"},
		{op: "SequenceAt", in: in(a, scalarInt(0)), want: "error: want a sequence"},
		{op: "SequenceLength", in: in(pair()), want: "int64[]", data: "2"},
		{op: "SequenceLength", in: in(open()), want: "int64[]", data: "unknown"},
		{op: "ConcatFromSequence", as: attributes{"axis": 0}, in: in(pair()), want: "float32[3,h]"},
		{op: "ConcatFromSequence", as: attributes{"axis": 1}, in: in(pair()), want: "error: item 1: axis 0"},
		{op: "ConcatFromSequence", as: attributes{"axis": -1, "new_axis": 1}, in: in(sequenceOf(a, a, a)), want: "float32[1,h,3]"},
		{op: "ConcatFromSequence", as: attributes{"axis": 1, "new_axis": 1}, in: in(open()), want: "float32[n,concat_1,4]"},
		{op: "SplitToSequence", as: attributes{"axis": 1}, in: in(f32(2, 3), scalarInt(2)), want: "sequence(float32[?])"},
		{op: "SplitToSequence", in: in(f32(2, "h")), want: "sequence(float32[1,h])"},
		{op: "SplitToSequence", as: attributes{"keepdims": 0}, in: in(f32(2, "h")), want: "sequence(float32[h])"},
		{op: "SplitToSequence", in: in(f32("n", 4), scalarInt(2)), want: "sequence(float32[part_1,4])"},
		{op: "SplitToSequence", in: in(f32(4), scalarInt(0)), want: "error: parts of 0"},
		{op: "Optional", in: in(a), want: "optional(float32[1,h])"},
		{op: "OptionalHasElement", in: in(&Value{Kind: onnx.KindOptional, HasItems: true}), want: "bool[]", data: "0"},
		{op: "OptionalHasElement", in: in(a), want: "bool[]", data: "1"},
		{op: "OptionalHasElement", want: "bool[]", data: "0"},
		{op: "OptionalHasElement", in: in(&Value{Kind: onnx.KindOptional, Elem: a}), want: "bool[]", data: "unknown"},
		{op: "OptionalGetElement", in: in(&Value{Kind: onnx.KindOptional, Elem: a}), want: "float32[1,h]"},
		{op: "OptionalGetElement", in: in(&Value{Kind: onnx.KindOptional, HasItems: true}), want: "error: the optional is empty"},
	})
}

// TestSequenceEdits follows the items, and their elements, through insertions and removals.
func TestSequenceEdits(t *testing.T) {
	x, y, z := ints(1), ints(2, 3), ints(4, 5, 6)
	text := func(v *Value) (s string) {
		for _, it := range v.Items {
			s += dataText(it) + ";"
		}
		return s
	}
	for _, k := range []struct {
		op   string
		in   []*Value
		want string
	}{
		{"SequenceInsert", in(sequenceOf(x, y), z), "1;2 3;4 5 6;"},
		{"SequenceInsert", in(sequenceOf(x, y), z, scalarInt(0)), "4 5 6;1;2 3;"},
		{"SequenceInsert", in(sequenceOf(x, y), z, scalarInt(-1)), "1;4 5 6;2 3;"},
		{"SequenceInsert", in(sequenceOf(x), ints(9), tensorOf(onnx.Int64)), "unknown;unknown;"}, // alike, but in which order
		{"SequenceErase", in(sequenceOf(x, y, z)), "1;2 3;"},
		{"SequenceErase", in(sequenceOf(x, y, z), scalarInt(1)), "1;4 5 6;"},
		{"SplitToSequence", in(z), "4;5;6;"},
		{"SplitToSequence", in(z, scalarInt(2)), "4 5;6;"},
		{"SplitToSequence", in(z, ints(1, 2)), "4;5 6;"},
	} {
		c, _ := apply(t, k.op, latest, 1, nil, k.in...)
		if got := text(c.Out[0]); got != k.want {
			t.Errorf("%s: got %s, want %s", k.op, got, k.want)
		}
	}
}
