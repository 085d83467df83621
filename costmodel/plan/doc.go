// Package plan describes what a runtime launches for one inference: kernels, which graph nodes each does, what crosses
// its boundary, and what the runtime allocates for it. Everything in it is a formula in the free dimensions.
//
// It is the language between lowering, which makes plans, and the models of time and memory, which read them. It decides
// nothing about graphs, devices or seconds, and knows nothing of how a plan is made.
package plan
