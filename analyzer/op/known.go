package op

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// maxInput bounds the elements that are read of a tensor given as a known input.
const maxInput = 1 << 20

// KnownTensor is the value of a tensor given by the user: its type and, up to 2^20 elements, its content. It is no
// constant of the model.
func KnownTensor(t *onnx.Tensor) (*Value, error) {
	v := &Value{Name: t.Name}
	if err := v.setStored(t); err != nil {
		return nil, err
	}
	v.elems(maxInput)
	v.Tensor = nil
	return v, nil
}

// KnownSequence is the value of a sequence given by the user, with its items.
func KnownSequence(s *onnx.Sequence) (*Value, error) {
	v := &Value{Name: s.Name}
	var items []*Value
	add := func(it *Value, err error) error {
		if err != nil {
			return fmt.Errorf("item %d: %w", len(items), err)
		}
		items = append(items, it)
		return nil
	}
	for _, t := range s.Tensors {
		if err := add(KnownTensor(t)); err != nil {
			return nil, err
		}
	}
	for _, q := range s.Sequences {
		if err := add(KnownSequence(q)); err != nil {
			return nil, err
		}
	}
	for _, o := range s.Optionals {
		if err := add(KnownOptional(o)); err != nil {
			return nil, err
		}
	}
	if len(items) != s.Len() {
		return nil, fmt.Errorf("sequence %q holds maps or sparse tensors, want tensors, sequences or optionals", s.Name)
	}
	v.SetItems(onnx.KindSequence, items)
	return v, nil
}

// KnownOptional is the value of an optional given by the user.
func KnownOptional(o *onnx.Optional) (*Value, error) {
	v := &Value{Name: o.Name}
	var items []*Value
	switch {
	case o.Tensor != nil:
		it, err := KnownTensor(o.Tensor)
		if err != nil {
			return nil, err
		}
		items = []*Value{it}
	case o.Sequence != nil:
		it, err := KnownSequence(o.Sequence)
		if err != nil {
			return nil, err
		}
		items = []*Value{it}
	case o.Optional != nil:
		it, err := KnownOptional(o.Optional)
		if err != nil {
			return nil, err
		}
		items = []*Value{it}
	case !o.Empty():
		return nil, fmt.Errorf("optional %q holds a map or a sparse tensor, want a tensor, a sequence or an optional", o.Name)
	}
	v.SetItems(onnx.KindOptional, items)
	return v, nil
}
