// Package analyzer tells what an ONNX graph costs before anyone runs it: operations, parameters, traffic and peak
// activation memory, exactly and symbolically, from the graph alone.
//
// Analyze infers every shape once, with the free dimensions of the inputs as symbols, folds what any runtime folds,
// and returns a Report whose figures are formulas in those symbols. Binding a batch size or a sequence length is an
// evaluation of the formulas, not another analysis.
//
// The package counts; it predicts no time and no energy, runs nothing and reads no weights. An operator that it does
// not know is a diagnostic that turns totals into lower bounds; nothing is silently zero.
//
// # Definitions
//
// Explain returns the definition of every metric. Two choices refine the project's design notes:
//
//   - A floating-point constant without axes (rank 0) is a literal of the formula that it stands in (an epsilon, an
//     exponent, a clip bound), not a weight: it counts in constant_bytes, not in params. So a network exported from a
//     framework has the parameters that the framework reports.
//   - Weights are counted where they are stored or generated, not after folding: a tensor that reaches two nodes, one
//     of them through a Transpose, counts once.
package analyzer
