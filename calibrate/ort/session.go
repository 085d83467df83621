package ort

import (
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Level is how far the runtime optimises a graph.
type Level int

// The levels. The zero value is the runtime's own default, which is all of them.
const (
	OptimizeAll Level = iota
	OptimizeExtended
	OptimizeBasic
	OptimizeNone
)

// Options steer a session.
type Options struct {
	// Threads is the number of threads inside an operator; operators run one after the other. 0 is the runtime's choice.
	Threads int
	Level   Level
	// NoMemoryPattern keeps the runtime from planning all activations as one block, so that every tensor is asked for
	// by itself.
	NoMemoryPattern bool
	// Profile records every node of every run; Session.CloseProfile returns the record.
	Profile bool
	// OptimizedModel is where the runtime writes the graph that it made of the model; "" for nowhere.
	OptimizedModel string
	// Provider is the execution provider: "" and "cpu" are the CPU.
	Provider string
	// Config are further entries of the session's configuration, such as session.intra_op.allow_spinning.
	Config map[string]string
}

// A Source is a model to run.
type Source struct {
	// Name is what errors call the model.
	Name string
	// Path is the model's file; external weights lie beside it. Data is the model itself where there is no file.
	Path string
	Data []byte
	// Inputs and Outputs are the names to feed and to ask for.
	Inputs, Outputs []string
}

// SourceOf describes a model for a session: the inputs that have no stored default, and all outputs. The model is run
// from its file where path names one, from data otherwise.
func SourceOf(m *onnx.Model, name, path string, data []byte) Source {
	s := Source{Name: name, Path: path, Data: data}
	for _, vi := range FreeInputs(m) {
		s.Inputs = append(s.Inputs, vi.Name)
	}
	for _, vi := range m.Graph.Outputs {
		s.Outputs = append(s.Outputs, vi.Name)
	}
	return s
}

// FreeInputs are the graph inputs that a run has to feed: those without an initializer of the same name.
func FreeInputs(m *onnx.Model) []onnx.ValueInfo {
	stored := make(map[string]bool, len(m.Graph.Initializers))
	for _, t := range m.Graph.Initializers {
		stored[t.Name] = true
	}
	var free []onnx.ValueInfo
	for _, vi := range m.Graph.Inputs {
		if !stored[vi.Name] {
			free = append(free, vi)
		}
	}
	return free
}

// A RunError is what the runtime says against a model.
type RunError struct {
	Model string
	Doing string // "load" or "run"
	Err   error  // the runtime's message
}

func (e *RunError) Error() string {
	return fmt.Sprintf("%s: ONNX Runtime cannot %s it: %s", e.Model, e.Doing, oneLine(e.Err.Error()))
}

// Unwrap returns the runtime's error.
func (e *RunError) Unwrap() error { return e.Err }

// A FallbackError says that an execution provider was asked for and the CPU did the work.
type FallbackError struct {
	Model    string
	Provider string
	Nodes    int      // nodes that ran
	CPU      []string // operators among them that ran on the CPU, sorted
}

func (e *FallbackError) Error() string {
	return fmt.Sprintf("%s: provider %s ran none of the %d nodes; the CPU ran %s", e.Model, e.Provider, e.Nodes,
		strings.Join(e.CPU, ", "))
}

// oneLine keeps a message of the runtime readable inside another one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
