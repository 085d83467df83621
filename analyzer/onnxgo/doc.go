// Package onnxgo receives models from github.com/owulveryck/onnx-go, so that a program that already decodes with it gets
// a Report too:
//
//	b := onnxgo.New()
//	m := onnx.NewModel(b)
//	if err := m.UnmarshalBinary(data); err != nil { … }
//	r, err := b.Report(ctx)
//
// It executes nothing. Programs that start from a file do better with analyzer/onnx: onnx-go is archived, and what
// follows was measured at v0.5.0.
//
// # What onnx-go cannot carry
//
// It refuses models with an If, Loop or Scan (any attribute that holds a graph, a type, a sparse tensor or a list of
// tensors); with initializers or constants of any type but float32, float64, int32 and int64 (so all quantised and half
// precision models, and bool constants, on which it fails or panics); with inputs or outputs of float16, bfloat16 or
// any type but tensor; and with weights that are absent, empty, or in another file.
//
// It drops, without a word: opset versions, operator domains (com.microsoft's Gelu passes for the standard's), node
// names, free dimensions (batch×3×224×224 arrives as 3×224×224, a wholly free shape as a scalar), local functions,
// sparse initializers, metadata. Attributes of old files that do not name their type lose their value.
//
// It copies every weight, element by element: a VGG-16 file of 553 MB takes 3.7 GB of allocations and 3.2 GB of resident
// memory while it is decoded, and it allocates what an input declares, so a file of a few bytes can ask for any
// amount: do not give it files from strangers. The stock graphs also merge parallel edges, so that x·x loses an operand;
// this one keeps them.
//
// # What this package makes of the rest
//
// Backend keeps type and shape of a weight and lets the content go. Options.Shapes, or onnx-go's own SetInput, says the
// shape of an input that has free dimensions; each Report notes the shape that was taken for granted otherwise, and
// an input without any dimension is taken as unknown. The opset is the newest in which all attributes exist, at most
// 21; set Backend.Opset where that is not enough. An operation is called after its first result. The graph's outputs
// are the results that no operation uses: one that is also used inside the graph is not known to be an output, which
// peak memory can depend on and counts cannot. What cannot be translated is an error, never a guess.
package onnxgo
