// Package memory says what a runtime's allocator holds while it runs a Plan once: constants, activations and workspaces.
//
// Each runtime has a file: what its planner and its allocator do, with the source. Where a rule of a runtime is not
// known, the result has bounds and says so. The package decides nothing about kernels, and gives no times.
package memory
