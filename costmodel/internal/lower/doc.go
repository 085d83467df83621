// Package lower turns the executed nodes of a Report into the kernels of a runtime: a mutable form of the graph, the
// rewrites that the runtime does on it, in its order, and what its planner allocates for the result.
//
// The graph and its passes stay together: a pass is a few lines over the graph's links and over what the runtime knows
// of dimensions. The package knows no device beyond the processor that a build of a runtime chooses kernels by, and
// gives no times.
package lower
