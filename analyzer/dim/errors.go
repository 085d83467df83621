package dim

import "errors"

// The errors that stick to a Dim.
var (
	// ErrOverflow says that a coefficient or a value does not fit int64.
	ErrOverflow = errors.New("dim: int64 overflow")
	// ErrDivideByZero says that a divisor is zero.
	ErrDivideByZero = errors.New("dim: division by zero")
	// ErrTooLarge says that a formula exceeds the limits on terms, degree or nesting.
	ErrTooLarge = errors.New("dim: formula too large")
	// ErrUnnamed says that a symbol was made of the empty name, which would make unrelated unknowns equal.
	ErrUnnamed = errors.New("dim: symbol without a name")
)

// failures pairs each sticky error with the word that stands for it in the canonical text. The words are reserved: a
// symbol of that name is printed in quotes.
var failures = [...]*expr{
	{failure: &failure{ErrOverflow, "overflow"}},
	{failure: &failure{ErrDivideByZero, "divide_by_zero"}},
	{failure: &failure{ErrTooLarge, "too_large"}},
	{failure: &failure{ErrUnnamed, "unnamed"}},
}

var (
	overflow     = Dim{e: failures[0]}
	divideByZero = Dim{e: failures[1]}
	tooLarge     = Dim{e: failures[2]}
	unnamed      = Dim{e: failures[3]}
)

// failureOf returns the sticky Dim that word stands for.
func failureOf(word string) (Dim, bool) {
	for _, f := range failures {
		if f.word == word {
			return Dim{e: f}, true
		}
	}
	return Dim{}, false
}

// failed reports whether d carries a sticky error.
func (d Dim) failed() bool { return d.e != nil && d.e.failure != nil }

// UnboundError is what Eval returns when the environment lacks symbols of the formula.
type UnboundError struct {
	Symbols []string // sorted
}

func (e *UnboundError) Error() string {
	s := "dim: no value for "
	for i, name := range e.Symbols {
		if i > 0 {
			s += ", "
		}
		s += quoteName(name)
	}
	return s
}
