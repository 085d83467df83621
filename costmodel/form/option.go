package form

// OptionError is an option that does not fit the device or the model.
type OptionError struct {
	Msg string
	Err error // what it was found by, if anything
}

func (e *OptionError) Error() string { return e.Msg }

// Unwrap returns what the error was found by: a *dim.UnboundError where dimensions lack a value.
func (e *OptionError) Unwrap() error { return e.Err }
