// Package zoo builds well-known networks as ONNX models: the fourteen of Canziani, Paszke and Culurciello, An Analysis
// of Deep Neural Network Models for Practical Applications (arXiv:1605.07678), and a few that users ask for beside
// them.
//
// A network is Go code over a small builder and, where its paper gives a table, that table in a short notation
// ("1x1 64, 3x3/2 96 v"; see text). The graphs are what the paper measured, so some differ from the networks that
// go by the same name today; Entry says where each one comes from and what is special about it.
//
// # Form of the models
//
// The input is called "input" and has the shape batch×3×H×W with a symbolic batch; the output is called "output" and
// has the shape batch×1000. Node names are paths such as /layer1/0/conv1, so that costs group by stage and block, and a
// node's first output carries the node's name. Graphs are in inference form: no dropout, no auxiliary heads,
// BatchNormalization kept apart from the convolution before it. Opset 17, the first with LayerNormalization; IR
// version 8. The same name and Weights give the same bytes on every machine.
//
// # Weights
//
// None writes each weight as a ConstantOfShape node over its dims: a file of 10 to 220 kB with all shapes, which
// every tool can read and every runtime that folds constants can run, at full size and full cost. (An initializer with
// dims and no data would be smaller still, but only a reader that never looks at weights accepts it.) The constants are
// 1/fan-in, so that activations stay finite; the network computes nothing of interest.
//
// Fill writes random weights, He-normal in the fan-in, biases 0 and BatchNormalization as identity, generated while
// the file is written and never held. Outputs are finite and differ between inputs; they classify nothing.
//
// The package refuses to carry trained weights, training graphs and preprocessing.
package zoo
