package onnx

// Field numbers of onnx.proto and onnx-data.proto, and the names that errors print. A name that ends in [] is a
// repeated field. Numbers that are absent here were never assigned, are reserved, or are deliberately skipped
// (training graphs, multi-device annotations).

// message maps field numbers to names.
type message []string

// TensorProto.DataLocation.
const locationExternal = 1

const (
	modelIRVersion       = 1
	modelProducerName    = 2
	modelProducerVersion = 3
	modelDomain          = 4
	modelVersion         = 5
	modelDoc             = 6
	modelGraph           = 7
	modelOpset           = 8
	modelMetadata        = 14
	modelTraining        = 20
	modelFunction        = 25
)

var modelMessage = message{
	modelIRVersion: "ir_version", modelProducerName: "producer_name", modelProducerVersion: "producer_version",
	modelDomain: "domain", modelVersion: "model_version", modelDoc: "doc_string", modelGraph: "graph",
	modelOpset: "opset_import[]", modelMetadata: "metadata_props[]", modelTraining: "training_info[]",
	modelFunction: "functions[]",
}

const (
	opsetDomain  = 1
	opsetVersion = 2
)

var opsetMessage = message{opsetDomain: "domain", opsetVersion: "version"}

const (
	pairKey   = 1
	pairValue = 2
)

var pairMessage = message{pairKey: "key", pairValue: "value"}

const (
	graphNode        = 1
	graphName        = 2
	graphInitializer = 5
	graphDoc         = 10
	graphInput       = 11
	graphOutput      = 12
	graphValueInfo   = 13
	graphQuant       = 14
	graphSparse      = 15
	graphMetadata    = 16
)

var graphMessage = message{
	graphNode: "node[]", graphName: "name", graphInitializer: "initializer[]", graphDoc: "doc_string",
	graphInput: "input[]", graphOutput: "output[]", graphValueInfo: "value_info[]",
	graphQuant: "quantization_annotation[]", graphSparse: "sparse_initializer[]", graphMetadata: "metadata_props[]",
}

const (
	annotationTensor = 1
	annotationParam  = 2
)

var annotationMessage = message{annotationTensor: "tensor_name", annotationParam: "quant_parameter_tensor_names[]"}

const (
	nodeInput     = 1
	nodeOutput    = 2
	nodeName      = 3
	nodeOpType    = 4
	nodeAttribute = 5
	nodeDoc       = 6
	nodeDomain    = 7
	nodeOverload  = 8
	nodeMetadata  = 9
)

var nodeMessage = message{
	nodeInput: "input[]", nodeOutput: "output[]", nodeName: "name", nodeOpType: "op_type",
	nodeAttribute: "attribute[]", nodeDoc: "doc_string", nodeDomain: "domain", nodeOverload: "overload",
	nodeMetadata: "metadata_props[]",
}

const (
	attrName          = 1
	attrF             = 2
	attrI             = 3
	attrS             = 4
	attrT             = 5
	attrG             = 6
	attrFloats        = 7
	attrInts          = 8
	attrStrings       = 9
	attrTensors       = 10
	attrGraphs        = 11
	attrDoc           = 13
	attrTP            = 14
	attrTypeProtos    = 15
	attrType          = 20
	attrRefName       = 21
	attrSparseTensor  = 22
	attrSparseTensors = 23
)

var attrMessage = message{
	attrName: "name", attrF: "f", attrI: "i", attrS: "s", attrT: "t", attrG: "g", attrFloats: "floats[]",
	attrInts: "ints[]", attrStrings: "strings[]", attrTensors: "tensors[]", attrGraphs: "graphs[]",
	attrDoc: "doc_string", attrTP: "tp", attrTypeProtos: "type_protos[]", attrType: "type",
	attrRefName: "ref_attr_name", attrSparseTensor: "sparse_tensor", attrSparseTensors: "sparse_tensors[]",
}

const (
	funcName      = 1
	funcInput     = 4
	funcOutput    = 5
	funcAttribute = 6
	funcNode      = 7
	funcDoc       = 8
	funcOpset     = 9
	funcDomain    = 10
	funcAttrProto = 11
	funcValueInfo = 12
	funcOverload  = 13
	funcMetadata  = 14
)

var funcMessage = message{
	funcName: "name", funcInput: "input[]", funcOutput: "output[]", funcAttribute: "attribute[]", funcNode: "node[]",
	funcDoc: "doc_string", funcOpset: "opset_import[]", funcDomain: "domain", funcAttrProto: "attribute_proto[]",
	funcValueInfo: "value_info[]", funcOverload: "overload", funcMetadata: "metadata_props[]",
}

const (
	valueName     = 1
	valueType     = 2
	valueDoc      = 3
	valueMetadata = 4
)

var valueMessage = message{
	valueName: "name", valueType: "type", valueDoc: "doc_string", valueMetadata: "metadata_props[]",
}

const (
	typeTensor       = 1
	typeSequence     = 4
	typeMap          = 5
	typeDenotation   = 6
	typeOpaque       = 7
	typeSparseTensor = 8
	typeOptional     = 9
)

var typeMessage = message{
	typeTensor: "tensor_type", typeSequence: "sequence_type", typeMap: "map_type", typeDenotation: "denotation",
	typeOpaque: "opaque_type", typeSparseTensor: "sparse_tensor_type", typeOptional: "optional_type",
}

// TypeProto.Tensor and TypeProto.SparseTensor.
const (
	tensorTypeElem  = 1
	tensorTypeShape = 2
)

var tensorTypeMessage = message{tensorTypeElem: "elem_type", tensorTypeShape: "shape"}

// TypeProto.Sequence and TypeProto.Optional.
const elemTypeElem = 1

var elemTypeMessage = message{elemTypeElem: "elem_type"}

const (
	mapTypeKey   = 1
	mapTypeValue = 2
)

var mapTypeMessage = message{mapTypeKey: "key_type", mapTypeValue: "value_type"}

const (
	opaqueDomain = 1
	opaqueName   = 2
)

var opaqueMessage = message{opaqueDomain: "domain", opaqueName: "name"}

const shapeDim = 1

var shapeMessage = message{shapeDim: "dim[]"}

const (
	dimValue      = 1
	dimParam      = 2
	dimDenotation = 3
)

var dimMessage = message{dimValue: "dim_value", dimParam: "dim_param", dimDenotation: "denotation"}

const (
	tensorDims     = 1
	tensorDType    = 2
	tensorSegment  = 3
	tensorFloat    = 4
	tensorInt32    = 5
	tensorString   = 6
	tensorInt64    = 7
	tensorName     = 8
	tensorRaw      = 9
	tensorDouble   = 10
	tensorUint64   = 11
	tensorDoc      = 12
	tensorExternal = 13
	tensorLocation = 14
	tensorMetadata = 16
)

var tensorMessage = message{
	tensorDims: "dims[]", tensorDType: "data_type", tensorSegment: "segment", tensorFloat: "float_data[]",
	tensorInt32: "int32_data[]", tensorString: "string_data[]", tensorInt64: "int64_data[]", tensorName: "name",
	tensorRaw: "raw_data", tensorDouble: "double_data[]", tensorUint64: "uint64_data[]", tensorDoc: "doc_string",
	tensorExternal: "external_data[]", tensorLocation: "data_location", tensorMetadata: "metadata_props[]",
}

const (
	segmentBegin = 1
	segmentEnd   = 2
)

var segmentMessage = message{segmentBegin: "begin", segmentEnd: "end"}

const (
	sparseValues  = 1
	sparseIndices = 2
	sparseDims    = 3
)

var sparseMessage = message{sparseValues: "values", sparseIndices: "indices", sparseDims: "dims[]"}

const (
	seqName      = 1
	seqElemType  = 2
	seqTensors   = 3
	seqSparse    = 4
	seqSequences = 5
	seqMaps      = 6
	seqOptionals = 7
)

var sequenceMessage = message{
	seqName: "name", seqElemType: "elem_type", seqTensors: "tensor_values[]", seqSparse: "sparse_tensor_values[]",
	seqSequences: "sequence_values[]", seqMaps: "map_values[]", seqOptionals: "optional_values[]",
}

const (
	mapName       = 1
	mapKeyType    = 2
	mapKeys       = 3
	mapStringKeys = 4
	mapValues     = 5
)

var mapMessage = message{
	mapName: "name", mapKeyType: "key_type", mapKeys: "keys[]", mapStringKeys: "string_keys[]", mapValues: "values",
}

const (
	optName     = 1
	optElemType = 2
	optTensor   = 3
	optSparse   = 4
	optSequence = 5
	optMap      = 6
	optOptional = 7
)

var optionalMessage = message{
	optName: "name", optElemType: "elem_type", optTensor: "tensor_value", optSparse: "sparse_tensor_value",
	optSequence: "sequence_value", optMap: "map_value", optOptional: "optional_value",
}
