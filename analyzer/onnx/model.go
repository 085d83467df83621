package onnx

// Model is a decoded ModelProto. It owns everything it points to: once Open, Decode or Read has returned, no byte
// of the source is mapped any more, except through Tensor accessors that read large payloads on demand.
type Model struct {
	Path            string // where it came from, for messages; "" when built in memory
	FileBytes       int64  // size of the encoded model, external data apart; 0 when built in memory
	IRVersion       int64
	ProducerName    string
	ProducerVersion string
	Domain          string
	ModelVersion    int64
	DocString       string
	Opsets          []OpsetID
	Graph           *Graph
	Functions       []*Function
	Metadata        []StringPair
	TrainingInfo    int // number of TrainingInfoProto entries; their content is not decoded
}

// Opset returns the version of domain that the model imports; "ai.onnx" is an alias of "". ok is false where the
// model does not import it.
func (m *Model) Opset(domain string) (version int64, ok bool) {
	version, ok = opsetOf(m.Opsets, domain)
	if !ok && m.IRVersion > 0 && m.IRVersion < 3 && (domain == "" || domain == "ai.onnx") { // such files have no opsets yet
		return 1, true
	}
	return version, ok
}

// OpsetID names one imported operator set.
type OpsetID struct {
	Domain  string
	Version int64
}

// StringPair is one StringStringEntryProto.
type StringPair struct{ Key, Value string }

// Graph is a GraphProto: the main graph, or the body of an If, Loop, Scan or SequenceMap attribute.
type Graph struct {
	Name               string
	DocString          string
	Nodes              []*Node
	Initializers       []*Tensor
	SparseInitializers []*SparseTensor
	Inputs             []ValueInfo
	Outputs            []ValueInfo
	ValueInfo          []ValueInfo
	QuantAnnotations   []TensorAnnotation
	Metadata           []StringPair
}

// TensorAnnotation names the tensors that hold a value's quantisation parameters, keyed SCALE_TENSOR,
// ZERO_POINT_TENSOR and so on.
type TensorAnnotation struct {
	TensorName string
	Params     []StringPair
}

// Node is a NodeProto. An absent optional input or output is the empty string.
type Node struct {
	Name       string
	OpType     string
	Domain     string // "" for ai.onnx
	Overload   string
	DocString  string
	Inputs     []string
	Outputs    []string
	Attributes []Attribute
	Metadata   []StringPair
}

// Attr returns the attribute called name, or nil.
func (n *Node) Attr(name string) *Attribute {
	for i := range n.Attributes {
		if n.Attributes[i].Name == name {
			return &n.Attributes[i]
		}
	}
	return nil
}

// Function is a FunctionProto: a local function that nodes call by domain, name and overload.
type Function struct {
	Name              string
	Domain            string
	Overload          string
	DocString         string
	Inputs            []string
	Outputs           []string
	Attributes        []string    // names without a default
	AttributeDefaults []Attribute // attribute_proto
	Nodes             []*Node
	Opsets            []OpsetID
	ValueInfo         []ValueInfo
	Metadata          []StringPair
}

// Opset is like Model.Opset, over the function's own imports.
func (f *Function) Opset(domain string) (version int64, ok bool) { return opsetOf(f.Opsets, domain) }

// AttrType is AttributeProto.AttributeType.
type AttrType int32

// The attribute types of onnx.proto.
const (
	AttrUndefined     AttrType = 0
	AttrFloat         AttrType = 1
	AttrInt           AttrType = 2
	AttrString        AttrType = 3
	AttrTensor        AttrType = 4
	AttrGraph         AttrType = 5
	AttrFloats        AttrType = 6
	AttrInts          AttrType = 7
	AttrStrings       AttrType = 8
	AttrTensors       AttrType = 9
	AttrGraphs        AttrType = 10
	AttrSparseTensor  AttrType = 11
	AttrSparseTensors AttrType = 12
	AttrTypeProto     AttrType = 13
	AttrTypeProtos    AttrType = 14
)

// Attribute is an AttributeProto. Files of old producers leave Type out; the reader then sets it from the field
// that is present.
type Attribute struct {
	Name          string
	RefAttrName   string // inside a function: the caller's attribute that stands here
	DocString     string
	Type          AttrType
	F             float32
	I             int64
	S             string
	T             *Tensor
	G             *Graph
	SparseTensor  *SparseTensor
	TP            *Type
	Floats        []float32
	Ints          []int64
	Strings       []string
	Tensors       []*Tensor
	Graphs        []*Graph
	SparseTensors []*SparseTensor
	TypeProtos    []*Type
}

// ValueInfo is a ValueInfoProto: a name with a declared type.
type ValueInfo struct {
	Name      string
	DocString string
	Type      *Type // nil where the file gives none
	Metadata  []StringPair
}

// TypeKind says which member of TypeProto a Type is.
type TypeKind uint8

// The members of TypeProto.value.
const (
	KindUnknown TypeKind = iota
	KindTensor
	KindSparseTensor
	KindSequence
	KindOptional
	KindMap
	KindOpaque
)

// Type is a TypeProto.
type Type struct {
	Kind       TypeKind
	Denotation string
	DType      DType       // tensor and sparse tensor: element type; map: key type
	HasShape   bool        // tensor: false means that the rank itself is not declared
	Shape      []Dimension // tensor, when HasShape
	Elem       *Type       // sequence and optional: element; map: value
	OpaqueName string      // opaque: domain + "." + name
}

// Dimension is a TensorShapeProto.Dimension: a value, a parameter name, or neither.
type Dimension struct {
	Value      int64 // valid when HasValue
	HasValue   bool
	Param      string
	Denotation string
}

// SparseTensor is a SparseTensorProto: Values holds the non-zero elements, Indices their places, Dims the dense shape.
type SparseTensor struct {
	Values  *Tensor
	Indices *Tensor
	Dims    []int64
}

func opsetOf(ids []OpsetID, domain string) (int64, bool) {
	if domain == "ai.onnx" {
		domain = ""
	}
	for _, id := range ids {
		if id.Domain == domain || domain == "" && id.Domain == "ai.onnx" {
			return id.Version, true
		}
	}
	return 0, false
}
