// Package dim has the symbolic integers in which every tensor shape and every count of this module is written: a free
// dimension is a symbol, and a total such as 4089184256*batch is a formula that a later binding turns into a number.
//
// A [Dim] is immutable and always in canonical form, so two formulas are equal exactly when their texts are, and there
// is no Simplify. The form is a sum of integer multiples of monomials; a monomial is a product of powers of atoms; an
// atom is a symbol, floor(p/q), min(...) or max(...) of further Dims.
//
// # Symbols are positive
//
// A symbol stands for an integer >= 1, as the extent of a tensor does. The canonical form relies on it: min(1, seq) is
// 1, and x*y/(x*z) is y/z. A dimension that may be 0 has to be bound before it is used in further arithmetic. [Dim.Eval]
// takes any int64 and evaluates exactly the canonical form.
//
// Likewise a divisor is taken to be non-zero: (x*y)/x is y, although x may later be bound to 0.
//
// # Errors stick
//
// Arithmetic has no error results, so that shape rules read as formulas do. An operation whose result does not fit int64,
// a division by the constant 0, or a formula that grows beyond the limits gives a Dim whose [Dim.Err] is non-nil, and so
// does all arithmetic with it.
//
// # What it refuses to do
//
// It has no real numbers and no rounding other than floor; no solving, no factoring and no assumption about a symbol
// other than being positive. The canonical form decides equality of polynomials, and of floors and minima of them as far
// as the rules in floor.go and minmax.go go; it does not find every identity (floor(x/2) + floor((x + 1)/2) stays apart
// from x). Formulas have limits (4096 terms, degree 64, 32 nested atoms), so that no input makes it run long.
package dim
