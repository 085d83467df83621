// Package op knows the operators: for each, from which opset on, the types and shapes of its outputs, the work of one
// execution, how it treats memory, and what it makes of small known tensors (shape arithmetic).
//
// A rule is one row of a table (type Rule); the tables of all files are joined in rule.go. Rules see one node at a
// time through a Call and know nothing of the graph around it. Nothing has a default: an operator without a row is
// unknown, and the caller has to say so. A rule that cannot know an extent makes a fresh named symbol instead of a
// guess.
//
// Shapes and known elements are symbolic (package dim), so that Shape → Gather → Concat → Reshape stays exact while
// the batch size or the sequence length is free.
package op
