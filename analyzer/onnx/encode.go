package onnx

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"
)

// Encode writes m as an ONNX file. Payloads are streamed: weights of a model that Open has read are copied from its
// file, generated tensors are generated into w. External data is referred to, not written. A model with training
// information cannot be written, because the reader does not keep its content.
//
// Protobuf's own implementations refuse files above 2 GiB; the writer does not.
func Encode(w io.Writer, m *Model) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if err := encode(b, func(e *encoder) { e.model(m) }); err != nil {
		return err
	}
	return b.Flush()
}

// Marshal returns m as an ONNX file.
func Marshal(m *Model) ([]byte, error) {
	return marshal(func(e *encoder) { e.model(m) })
}

// MarshalTensor returns t as a TensorProto, the form that ReadTensor reads.
func MarshalTensor(t *Tensor) ([]byte, error) {
	return marshal(func(e *encoder) { e.tensor(t) })
}

func marshal(walk func(*encoder)) ([]byte, error) {
	var b bytes.Buffer
	if err := encode(&b, walk); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// WriteFile writes m to path. The file appears under its name only when it is complete, so m may be a model that was
// read from the same path. A link is followed, and a file that is replaced keeps its mode.
func WriteFile(path string, m *Model) error {
	target, mode := path, os.FileMode(0o644)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		target = real
	}
	if info, err := os.Stat(target); err == nil {
		if !info.Mode().IsRegular() { // a pipe or a device, which nothing can take the place of
			f, err := os.OpenFile(target, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			return errors.Join(Encode(f, m), f.Close())
		}
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return err
	}
	err = Encode(f, m)
	if err == nil {
		err = f.Chmod(mode)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// encode runs walk twice over one encoder: first to learn the size of each message, then to write.
func encode(w buffer, walk func(*encoder)) error {
	e := encoder{sizing: true}
	walk(&e)
	if e.err != nil {
		return e.err
	}
	if b, ok := w.(*bytes.Buffer); ok && e.n <= math.MaxInt32 {
		b.Grow(int(e.n))
	}
	e.sizing, e.w = false, w
	walk(&e)
	return e.err
}

// buffer is a *bytes.Buffer or a *bufio.Writer.
type buffer interface {
	io.Writer
	io.StringWriter
}

// encoder writes messages whose nested lengths must be known before their content. The same walk over the model is
// made twice: while sizing it only counts, and records the size of each nested message in the order of their
// beginnings; then it writes and takes the sizes in that order.
type encoder struct {
	w      buffer
	sizing bool
	n      uint64   // bytes so far, while sizing
	sizes  []uint64 // of nested messages
	next   int      // in sizes, while writing
	depth  int
	err    error
	buf    [2 * 10]byte
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

func (e *encoder) put(b []byte) {
	if e.sizing {
		e.n += uint64(len(b))
	} else if e.err == nil {
		_, e.err = e.w.Write(b)
	}
}

// varint writes a varint field, zero or not.
func (e *encoder) varint(num protowire.Number, v uint64) {
	e.put(protowire.AppendVarint(protowire.AppendTag(e.buf[:0], num, protowire.VarintType), v))
}

// int writes a varint field that has the default value 0.
func (e *encoder) int(num protowire.Number, v int64) {
	if v != 0 {
		e.varint(num, uint64(v))
	}
}

func (e *encoder) float(num protowire.Number, v float32) {
	e.put(protowire.AppendFixed32(protowire.AppendTag(e.buf[:0], num, protowire.Fixed32Type), math.Float32bits(v)))
}

// length writes the tag and length of a record of n bytes.
func (e *encoder) length(num protowire.Number, n uint64) {
	e.put(protowire.AppendVarint(protowire.AppendTag(e.buf[:0], num, protowire.BytesType), n))
}

// elem writes a string, empty or not.
func (e *encoder) elem(num protowire.Number, s string) {
	e.length(num, uint64(len(s)))
	if e.sizing {
		e.n += uint64(len(s))
	} else if e.err == nil {
		_, e.err = e.w.WriteString(s)
	}
}

// str writes a string field that has the default value "".
func (e *encoder) str(num protowire.Number, s string) {
	if s != "" {
		e.elem(num, s)
	}
}

func (e *encoder) strs(num protowire.Number, list []string) {
	for _, s := range list {
		e.elem(num, s)
	}
}

// ints writes packed varints.
func (e *encoder) ints(num protowire.Number, list []int64) {
	if len(list) == 0 {
		return
	}
	n := 0
	for _, v := range list {
		n += protowire.SizeVarint(uint64(v))
	}
	e.length(num, uint64(n))
	for _, v := range list {
		e.put(protowire.AppendVarint(e.buf[:0], uint64(v)))
	}
}

// msg writes a nested message whose content body writes.
func (e *encoder) msg(num protowire.Number, body func()) {
	if e.err != nil {
		return
	}
	if e.depth >= 4*maxDepth { // a graph nests four messages: graph, node, attribute, graph
		e.fail("messages are nested more than %d deep; does a graph contain itself?", 4*maxDepth)
		return
	}
	e.depth++
	defer func() { e.depth-- }()
	if !e.sizing {
		n := e.sizes[e.next]
		e.next++
		e.length(num, n)
		body()
		return
	}
	slot := len(e.sizes)
	e.sizes = append(e.sizes, 0)
	before := e.n
	body()
	n := e.n - before
	e.sizes[slot] = n
	e.length(num, n)
}

func (e *encoder) pairs(num protowire.Number, list []StringPair) {
	for _, p := range list {
		e.msg(num, func() {
			e.str(pairKey, p.Key)
			e.str(pairValue, p.Value)
		})
	}
}

func (e *encoder) opsets(num protowire.Number, list []OpsetID) {
	for _, o := range list {
		e.msg(num, func() {
			e.str(opsetDomain, o.Domain)
			e.int(opsetVersion, o.Version)
		})
	}
}

func (e *encoder) model(m *Model) {
	if m.TrainingInfo != 0 {
		e.fail("the model has %d training_info entries, whose content was not read; set TrainingInfo to 0 to write it without them", m.TrainingInfo)
		return
	}
	if m.Graph == nil {
		e.fail("the model has no graph")
		return
	}
	e.int(modelIRVersion, m.IRVersion)
	e.str(modelProducerName, m.ProducerName)
	e.str(modelProducerVersion, m.ProducerVersion)
	e.str(modelDomain, m.Domain)
	e.int(modelVersion, m.ModelVersion)
	e.str(modelDoc, m.DocString)
	e.msg(modelGraph, func() { e.graph(m.Graph) })
	e.opsets(modelOpset, m.Opsets)
	e.pairs(modelMetadata, m.Metadata)
	for _, f := range m.Functions {
		e.msg(modelFunction, func() { e.function(f) })
	}
}

func (e *encoder) graph(g *Graph) {
	e.nodes(graphNode, g.Nodes)
	e.str(graphName, g.Name)
	for _, t := range g.Initializers {
		e.msg(graphInitializer, func() { e.tensor(t) })
	}
	e.str(graphDoc, g.DocString)
	e.values(graphInput, g.Inputs)
	e.values(graphOutput, g.Outputs)
	e.values(graphValueInfo, g.ValueInfo)
	for _, a := range g.QuantAnnotations {
		e.msg(graphQuant, func() {
			e.str(annotationTensor, a.TensorName)
			e.pairs(annotationParam, a.Params)
		})
	}
	for _, t := range g.SparseInitializers {
		e.msg(graphSparse, func() { e.sparse(t) })
	}
	e.pairs(graphMetadata, g.Metadata)
}

func (e *encoder) function(f *Function) {
	e.str(funcName, f.Name)
	e.strs(funcInput, f.Inputs)
	e.strs(funcOutput, f.Outputs)
	e.strs(funcAttribute, f.Attributes)
	e.nodes(funcNode, f.Nodes)
	e.str(funcDoc, f.DocString)
	e.opsets(funcOpset, f.Opsets)
	e.str(funcDomain, f.Domain)
	for i := range f.AttributeDefaults {
		e.msg(funcAttrProto, func() { e.attribute(&f.AttributeDefaults[i]) })
	}
	e.values(funcValueInfo, f.ValueInfo)
	e.str(funcOverload, f.Overload)
	e.pairs(funcMetadata, f.Metadata)
}

func (e *encoder) nodes(num protowire.Number, list []*Node) {
	for _, n := range list {
		e.msg(num, func() {
			e.strs(nodeInput, n.Inputs)
			e.strs(nodeOutput, n.Outputs)
			e.str(nodeName, n.Name)
			e.str(nodeOpType, n.OpType)
			for i := range n.Attributes {
				e.msg(nodeAttribute, func() { e.attribute(&n.Attributes[i]) })
			}
			e.str(nodeDoc, n.DocString)
			e.str(nodeDomain, n.Domain)
			e.str(nodeOverload, n.Overload)
			e.pairs(nodeMetadata, n.Metadata)
		})
	}
}
