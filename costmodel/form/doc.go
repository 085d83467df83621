// Package form gives the kernels of a Plan seconds and joules on a device.
//
// A DemandFormula is what a kernel asks of a device, a Model what a device makes of it: a fitted form (for ONNX Runtime's
// CPU provider, for GPUs, for Torch7 over cuDNN 5) or the data sheet with Priors. Each form has files of its own, with
// the sources of its formulas; calibrate fits the coefficients of the same counts and writes them into a device file.
//
// The package measures and fits nothing but the paper's own figures. It knows nothing of graphs: what it needs of an
// operator stands in the Kernel.
package form
