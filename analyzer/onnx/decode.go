package onnx

import (
	"fmt"
	"unsafe"
)

// maxDepth bounds the nesting of graphs, types and sequences. Real models stay below ten.
const maxDepth = 200

// decoder turns the bytes of one file into a Model.
type decoder struct {
	data  []byte
	path  string    // for messages
	file  *source   // where large payloads are read from later; nil: data stays and payloads are parts of it
	ext   *resolver // finds external data
	depth int
	spent budget
	empty bool // tooMuch has been said

	text    text
	blobs   blocks // payloads of small tensors
	ints    slab[int64]
	floats  slab[float32]
	names   slab[string]
	nodes   slab[Node]
	attrs   slab[Attribute]
	tensors slab[Tensor]
	types   slab[Type]
	dims    slab[Dimension]
	pairs   slab[StringPair]
}

// newDecoder returns a decoder of data; path is for messages.
func newDecoder(data []byte, path string) *decoder {
	d := &decoder{data: data, path: path, spent: budget{limit: budgetBase + budgetPerByte*int64(len(data))}}
	d.prepare()
	return d
}

// prepare makes the table of recent strings and has every slab count what it spends.
func (d *decoder) prepare() {
	entries := recentLarge
	if len(d.data) < recentFile {
		entries = recentSmall
	}
	d.text.recent = make([]string, entries)
	d.ints.spent, d.floats.spent, d.names.spent, d.nodes.spent, d.attrs.spent = &d.spent, &d.spent, &d.spent, &d.spent, &d.spent
	d.tensors.spent, d.types.spent, d.dims.spent, d.pairs.spent = &d.spent, &d.spent, &d.spent, &d.spent
}

// deeper enters a message that may contain itself; the caller calls d.up when it leaves.
func (d *decoder) deeper(s span) *FormatError {
	if d.depth >= maxDepth {
		return &FormatError{Path: d.path, Offset: int64(s.lo), Msg: fmt.Sprintf("nested more than %d deep", maxDepth)}
	}
	d.depth++
	return nil
}

func (d *decoder) up() { d.depth-- }

// tooMuch is the error of records that take more memory than the file explains.
func (d *decoder) tooMuch(s span) *FormatError {
	d.empty = true
	return &FormatError{Path: d.path, Offset: int64(s.lo), Msg: fmt.Sprintf(
		"too many records that hold nothing: want at most %d MiB of memory for them and %d bytes for each byte of the file", budgetBase>>20, budgetPerByte)}
}

// merged returns *p, made by the slab when it is nil: a message that occurs again is merged into the first.
func merged[T any](s *slab[T], p **T) *T {
	if *p == nil {
		*p = s.one()
	}
	return *p
}

func (d *decoder) model(m *Model, s span) *FormatError {
	f := d.fields(s, modelMessage)
	for f.next() {
		switch f.num {
		case modelIRVersion:
			m.IRVersion = f.int64()
		case modelProducerName:
			m.ProducerName = f.str()
		case modelProducerVersion:
			m.ProducerVersion = f.str()
		case modelDomain:
			m.Domain = f.str()
		case modelVersion:
			m.ModelVersion = f.int64()
		case modelDoc:
			m.DocString = f.str()
		case modelGraph:
			if m.Graph == nil {
				m.Graph = newOf[Graph](&d.spent)
			}
			f.check(d.graph(m.Graph, f.span()))
		case modelOpset:
			f.check(d.opset(add(&m.Opsets, &d.spent), f.span()))
		case modelMetadata:
			f.check(d.pair(d.pairs.push(&m.Metadata), f.span()))
		case modelTraining:
			f.span()
			m.TrainingInfo++
		case modelFunction:
			fn := newOf[Function](&d.spent)
			*add(&m.Functions, &d.spent) = fn
			f.check(d.function(fn, f.span()))
		}
	}
	return f.err
}

func (d *decoder) opset(o *OpsetID, s span) *FormatError {
	f := d.fields(s, opsetMessage)
	for f.next() {
		switch f.num {
		case opsetDomain:
			o.Domain = f.str()
		case opsetVersion:
			o.Version = f.int64()
		}
	}
	return f.err
}

func (d *decoder) pair(p *StringPair, s span) *FormatError {
	f := d.fields(s, pairMessage)
	for f.next() {
		switch f.num {
		case pairKey:
			p.Key = f.str()
		case pairValue:
			p.Value = f.str()
		}
	}
	return f.err
}

func (d *decoder) graph(g *Graph, s span) *FormatError {
	if err := d.deeper(s); err != nil {
		return err
	}
	defer d.up()
	n, marks := d.count(s)
	if !d.spent.afford(int64(n[graphNode])*int64(unsafe.Sizeof(Node{})) + int64(n[graphInitializer])*int64(unsafe.Sizeof(Tensor{})) +
		int64(n[graphInput]+n[graphOutput]+n[graphValueInfo])*int64(unsafe.Sizeof(ValueInfo{})+unsafe.Sizeof(Type{}))) {
		return d.tooMuch(s)
	}
	g.grow(&n)
	if d.depth == 1 && d.graphParts(g, s, &n, marks) {
		return nil
	}
	return d.graphFields(g, s)
}

// graphFields decodes the records of a graph that stand in s.
func (d *decoder) graphFields(g *Graph, s span) *FormatError {
	f := d.fields(s, graphMessage)
	for f.next() {
		switch f.num {
		case graphNode:
			node := d.nodes.one()
			g.Nodes = append(g.Nodes, node)
			f.check(d.node(node, f.span()))
		case graphName:
			g.Name = f.str()
		case graphInitializer:
			t := d.tensors.one()
			g.Initializers = append(g.Initializers, t)
			f.check(d.tensor(t, f.span()))
		case graphDoc:
			g.DocString = f.str()
		case graphInput:
			f.check(d.value(add(&g.Inputs, &d.spent), f.span()))
		case graphOutput:
			f.check(d.value(add(&g.Outputs, &d.spent), f.span()))
		case graphValueInfo:
			f.check(d.value(add(&g.ValueInfo, &d.spent), f.span()))
		case graphQuant:
			f.check(d.annotation(add(&g.QuantAnnotations, &d.spent), f.span()))
		case graphSparse:
			t := newOf[SparseTensor](&d.spent)
			*add(&g.SparseInitializers, &d.spent) = t
			f.check(d.sparse(t, f.span()))
		case graphMetadata:
			f.check(d.pair(d.pairs.push(&g.Metadata), f.span()))
		}
	}
	return f.err
}

func (d *decoder) annotation(a *TensorAnnotation, s span) *FormatError {
	f := d.fields(s, annotationMessage)
	for f.next() {
		switch f.num {
		case annotationTensor:
			a.TensorName = f.str()
		case annotationParam:
			f.check(d.pair(d.pairs.push(&a.Params), f.span()))
		}
	}
	return f.err
}

func (d *decoder) node(node *Node, s span) *FormatError {
	f := d.fields(s, nodeMessage)
	for f.next() {
		switch f.num {
		case nodeInput:
			*d.names.push(&node.Inputs) = f.str()
		case nodeOutput:
			*d.names.push(&node.Outputs) = f.str()
		case nodeName:
			node.Name = f.strLike(node.Outputs)
		case nodeOpType:
			node.OpType = f.str()
		case nodeAttribute:
			f.check(d.attribute(d.attrs.push(&node.Attributes), f.span()))
		case nodeDoc:
			node.DocString = f.str()
		case nodeDomain:
			node.Domain = f.str()
		case nodeOverload:
			node.Overload = f.str()
		case nodeMetadata:
			f.check(d.pair(d.pairs.push(&node.Metadata), f.span()))
		}
	}
	return f.err
}

func (d *decoder) function(fn *Function, s span) *FormatError {
	f := d.fields(s, funcMessage)
	for f.next() {
		switch f.num {
		case funcName:
			fn.Name = f.str()
		case funcInput:
			*add(&fn.Inputs, &d.spent) = f.str()
		case funcOutput:
			*add(&fn.Outputs, &d.spent) = f.str()
		case funcAttribute:
			*add(&fn.Attributes, &d.spent) = f.str()
		case funcNode:
			node := d.nodes.one()
			*add(&fn.Nodes, &d.spent) = node
			f.check(d.node(node, f.span()))
		case funcDoc:
			fn.DocString = f.str()
		case funcOpset:
			f.check(d.opset(add(&fn.Opsets, &d.spent), f.span()))
		case funcDomain:
			fn.Domain = f.str()
		case funcAttrProto:
			f.check(d.attribute(add(&fn.AttributeDefaults, &d.spent), f.span()))
		case funcValueInfo:
			f.check(d.value(add(&fn.ValueInfo, &d.spent), f.span()))
		case funcOverload:
			fn.Overload = f.str()
		case funcMetadata:
			f.check(d.pair(d.pairs.push(&fn.Metadata), f.span()))
		}
	}
	return f.err
}
