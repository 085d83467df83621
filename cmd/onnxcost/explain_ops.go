package main

// opsText is how a file of operators is written; the example of specs stands behind it.
const opsText = `Operators of your own: every command that takes a MODEL takes --ops FILE, too. The file says of each operator what its
outputs are and what it computes, as formulas. An operator in it goes before one that onnxcost knows and before a function
of the model.

Each input has a name, and a shape that gives its sizes names: [N, C, H, W]. An entry may also be a number or a formula, to
which the size is then held, _ for any size, or once ... for any number of axes (the same ones wherever it stands). A name
that stands twice says that the sizes are equal. Without a shape any rank is taken.

  optional    may be absent                   values     a steering input whose elements formulas use
  variadic    the last, any number of times   steers     neither traffic nor weights
  quantised   integer constants are weights   scale      constants are scales, not parameters

Formulas are whole numbers, + - * // % ^ ( ), floor(a/b), ceil(a/b), min, max, mod and these names:

  N                        a size from the shape of an input, or a name of let that stands before
  INPUT.0 INPUT.rank       a size by its axis; the rank
  INPUT.elements .bytes    of all its elements (of all inputs of a variadic one; .count is their number)
  INPUT.given              1 where the input is there, else 0; the other figures of an absent input are 0
  INPUT.value.0            an element of an input with values
  ATTRIBUTE ATTRIBUTE.0    an attribute and its entries (.count is their number); floor and ceil take fractions

An attribute has a default, or a node must have it; also are other names that files give it, words the numbers that texts
stand for. let names a formula (is), or a size that is known only when the operator runs (at_most: its bound). An output has a type (an
element type, an input, or an attribute that holds a type's number) and a shape, or it is like an input. macs are
products of m by k by n (batch, groups, kind, weight, window and strides tell their geometry, which times depend on), or
just a number. vector are other operations, special the exponentials, roots and divisions; read and written are bytes,
where they are not each input and each output once; uncounted names what is left out, for a note.

A formula with commas stands in quotes within { } and [ ]. For example:
`
