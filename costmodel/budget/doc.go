// Package budget holds predictions to limits and to each other: Check judges the entries of a budget file, Compare says
// where two versions of a model differ, layer by layer.
//
// What goes in are specs.Budget or Reports and a device, what comes out are verdicts and changes as structs. A limit whose
// figure is unknown is neither kept nor broken: it is uncertain, and says why. The package prints nothing.
package budget
