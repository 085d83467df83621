//go:build cgo

package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// Available reports whether this program can open ONNX Runtime at all.
const Available = true

// Library is the loaded ONNX Runtime.
type Library struct {
	Path    string
	Version string // release, such as 1.30.0
}

// The runtime's environment is one per process and is never closed: its threads and allocators serve every session.
var (
	openMu sync.Mutex
	opened *Library
)

// Open loads the library at path. A process can load one library only: opening the same path again returns what is
// there, another path is an error. A library of an unsuitable release is a *VersionError.
func Open(path string) (*Library, error) {
	openMu.Lock()
	defer openMu.Unlock()
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime's library: %w", err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, fmt.Errorf("ONNX Runtime's library: %w", err)
	}
	if opened != nil {
		if opened.Path != real {
			return nil, fmt.Errorf("ONNX Runtime's library: %s is loaded already, %s cannot be loaded beside it", opened.Path, real)
		}
		return opened, nil
	}
	version, err := checkVersion(real)
	if err != nil {
		return nil, err
	}
	ort.SetSharedLibraryPath(real)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		if version == "" {
			return nil, fmt.Errorf("%w: %s", &VersionError{Path: real, Want: wantVersion()}, oneLine(err.Error()))
		}
		return nil, fmt.Errorf("ONNX Runtime's library: %s", oneLine(err.Error()))
	}
	opened = &Library{Path: real, Version: ort.GetVersion()}
	return opened, nil
}

// Session is a model that is ready to run. It is not safe for concurrent use.
type Session struct {
	source    Source
	session   *ort.DynamicAdvancedSession
	binding   *ort.IoBinding // where every output has a place of its own
	inputs    []ort.Value    // in the order of source.Inputs
	outputs   []ort.Value    // in the order of source.Outputs; nil where the runtime allocates
	profile   string         // prefix of the profile's file
	temporary string         // directory of the profile
}

// NewSession loads a model. The runtime's objection is a *RunError.
func (l *Library) NewSession(src Source, o Options) (*Session, error) {
	if len(src.Inputs) == 0 || len(src.Outputs) == 0 {
		return nil, &RunError{src.Name, "load", errors.New("the binding runs models with at least one input and one output")}
	}
	s := &Session{source: src}
	if err := s.load(o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Session) load(o Options) (err error) {
	if o.Profile {
		if s.temporary, err = os.MkdirTemp("", "onnxcost-profile-"); err != nil {
			return err
		}
		s.profile = filepath.Join(s.temporary, "profile")
	}
	opts, err := sessionOptions(o, s.profile)
	if err != nil {
		return &RunError{s.source.Name, "load", err}
	}
	defer opts.Destroy()
	if s.source.Path != "" {
		s.session, err = ort.NewDynamicAdvancedSession(s.source.Path, s.source.Inputs, s.source.Outputs, opts)
	} else {
		s.session, err = ort.NewDynamicAdvancedSessionWithONNXData(s.source.Data, s.source.Inputs, s.source.Outputs, opts)
	}
	if err != nil {
		return &RunError{s.source.Name, "load", err}
	}
	return nil
}

func sessionOptions(o Options, profile string) (*ort.SessionOptions, error) {
	opts, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	level := map[Level]ort.GraphOptimizationLevel{
		OptimizeAll:      ort.GraphOptimizationLevelEnableAll,
		OptimizeExtended: ort.GraphOptimizationLevelEnableExtended,
		OptimizeBasic:    ort.GraphOptimizationLevelEnableBasic,
		OptimizeNone:     ort.GraphOptimizationLevelDisableAll,
	}[o.Level]
	steps := []func() error{
		func() error { return opts.SetGraphOptimizationLevel(level) },
		func() error { return opts.SetIntraOpNumThreads(o.Threads) },
		func() error { return opts.SetInterOpNumThreads(1) },
		func() error { return opts.SetExecutionMode(ort.ExecutionModeSequential) },
		func() error { return opts.SetMemPattern(!o.NoMemoryPattern) },
		func() error { return appendProvider(opts, o.Provider) },
	}
	if profile != "" {
		steps = append(steps, func() error { return opts.EnableProfiling(profile) })
	}
	if o.OptimizedModel != "" {
		steps = append(steps, func() error { return opts.SetOptimizedModelFilePath(o.OptimizedModel) })
	}
	for key, value := range o.Config {
		steps = append(steps, func() error { return opts.AddSessionConfigEntry(key, value) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			opts.Destroy()
			return nil, err
		}
	}
	return opts, nil
}

// appendProvider puts an execution provider before the CPU.
func appendProvider(opts *ort.SessionOptions, name string) error {
	switch name {
	case "", "cpu":
		return nil
	case "cuda":
		p, err := ort.NewCUDAProviderOptions()
		if err != nil {
			return err
		}
		defer p.Destroy()
		return opts.AppendExecutionProviderCUDA(p)
	case "tensorrt":
		p, err := ort.NewTensorRTProviderOptions()
		if err != nil {
			return err
		}
		defer p.Destroy()
		return opts.AppendExecutionProviderTensorRT(p)
	case "coreml":
		return opts.AppendExecutionProviderCoreMLV2(nil)
	case "directml":
		return opts.AppendExecutionProviderDirectML(0)
	case "openvino":
		return opts.AppendExecutionProviderOpenVINO(nil)
	}
	official, known := providerNames[name]
	if !known {
		return fmt.Errorf("execution provider %q: want one of %s", name, strings.Join(Providers(), ", "))
	}
	return opts.AppendExecutionProvider(official, nil)
}

// value makes the runtime's view of a tensor, which keeps and shares the tensor's bytes.
func value(t *Tensor) (ort.Value, error) {
	if len(t.Dims) == 0 {
		return scalar(t)
	}
	data := t.Data
	if len(data) == 0 { // a tensor without elements has an address all the same, of nothing that is read
		data = make([]byte, 8)
	}
	return ort.NewCustomDataTensor(ort.NewShape(t.Dims...), data, ort.TensorElementDataType(t.DType))
}

// scalar is value for rank 0, which the binding knows for its own types only.
func scalar(t *Tensor) (ort.Value, error) {
	o := &onnx.Tensor{}
	*o = *onnx.NewTensor("", t.DType, nil, t.Data)
	if t.DType == onnx.Float32 || t.DType == onnx.Float64 {
		v, err := o.Float64s()
		if err != nil {
			return nil, err
		}
		if t.DType == onnx.Float32 {
			return ort.NewScalar(float32(v[0]))
		}
		return ort.NewScalar(v[0])
	}
	v, err := o.Int64s()
	if err != nil {
		return nil, fmt.Errorf("scalar of type %s: %w", t.DType, err)
	}
	switch x := v[0]; t.DType {
	case onnx.Bool:
		return ort.NewScalar(x != 0)
	case onnx.Int64:
		return ort.NewScalar(x)
	case onnx.Int32:
		return ort.NewScalar(int32(x))
	case onnx.Int16:
		return ort.NewScalar(int16(x))
	case onnx.Int8:
		return ort.NewScalar(int8(x))
	case onnx.Uint64:
		return ort.NewScalar(uint64(x))
	case onnx.Uint32:
		return ort.NewScalar(uint32(x))
	case onnx.Uint16:
		return ort.NewScalar(uint16(x))
	case onnx.Uint8:
		return ort.NewScalar(uint8(x))
	}
	return nil, fmt.Errorf("scalar of type %s cannot be fed", t.DType)
}

// Bind gives the session its inputs, by name, and a place for each output whose size is known beforehand. Outputs
// without one are allocated at the first run and reused; where their size differs from run to run, at every run.
// An output without extents needs a place: the binding cannot take it from the runtime.
func (s *Session) Bind(inputs, outputs map[string]*Tensor) error {
	s.unbind()
	for _, name := range s.source.Inputs {
		t := inputs[name]
		if t == nil {
			return fmt.Errorf("%s: input %q has no value", s.source.Name, name)
		}
		v, err := value(t)
		if err != nil {
			return fmt.Errorf("%s: input %q: %s", s.source.Name, name, oneLine(err.Error()))
		}
		s.inputs = append(s.inputs, v)
	}
	s.outputs = make([]ort.Value, len(s.source.Outputs))
	for i, name := range s.source.Outputs {
		t := outputs[name]
		if t == nil || len(t.Data) == 0 {
			continue
		}
		v, err := value(t)
		if err != nil {
			continue // the runtime allocates it
		}
		s.outputs[i] = v
	}
	return nil
}

// Run is one inference.
func (s *Session) Run() error {
	if s.session == nil || s.inputs == nil {
		return fmt.Errorf("%s: run without a session or inputs", s.source.Name)
	}
	if s.binding != nil {
		if err := s.session.RunWithBinding(s.binding); err == nil {
			return nil
		}
		// The sizes changed between runs, or the runtime refuses one of them: let it allocate.
		s.dropOutputs()
	}
	if err := s.runOnce(); err != nil {
		if !slices.ContainsFunc(s.outputs, func(v ort.Value) bool { return v != nil }) {
			return &RunError{s.source.Name, "run", err}
		}
		s.dropOutputs()
		if err := s.runOnce(); err != nil {
			return &RunError{s.source.Name, "run", err}
		}
	}
	return s.bind()
}

// runOnce is one inference that gives outputs without a place one. The binding cannot take back a tensor without extents
// that the runtime has allocated: it is an error, and no output.
func (s *Session) runOnce() error {
	err := s.session.Run(s.inputs, s.outputs)
	for i, v := range s.outputs {
		if v != nil && reflect.ValueOf(v).IsNil() { // what the binding leaves where it fails
			s.outputs[i] = nil
		}
	}
	return err
}

// bind fixes the places of inputs and outputs, so that a run allocates nothing. Outputs that are no tensors have no
// place; they are let go.
func (s *Session) bind() error {
	for i, v := range s.outputs {
		if v.GetONNXType() != ort.ONNXTypeTensor {
			v.Destroy()
			s.outputs[i] = nil
		}
	}
	if slices.Contains(s.outputs, nil) {
		return nil
	}
	b, err := s.session.CreateIoBinding()
	if err != nil {
		return &RunError{s.source.Name, "run", err}
	}
	for i, v := range s.inputs {
		err = errors.Join(err, b.BindInput(s.source.Inputs[i], v))
	}
	for i, v := range s.outputs {
		err = errors.Join(err, b.BindOutput(s.source.Outputs[i], v))
	}
	if err != nil {
		b.Destroy()
		return &RunError{s.source.Name, "run", err}
	}
	s.binding = b
	return nil
}

func (s *Session) dropOutputs() {
	if s.binding != nil {
		s.binding.Destroy()
		s.binding = nil
	}
	for i, v := range s.outputs {
		if v != nil {
			v.Destroy()
			s.outputs[i] = nil
		}
	}
}

func (s *Session) unbind() {
	s.dropOutputs()
	for _, v := range s.inputs {
		v.Destroy()
	}
	s.inputs, s.outputs = nil, nil
}

// Close frees the session and what is bound to it. It may be called again.
func (s *Session) Close() error {
	s.unbind()
	var err error
	if s.session != nil {
		err = s.session.Destroy()
		s.session = nil
	}
	if s.temporary != "" {
		err = errors.Join(err, os.RemoveAll(s.temporary))
		s.temporary = ""
	}
	return err
}

// CloseProfile ends the session, which makes the runtime write its profile, and returns it.
func (s *Session) CloseProfile() (*Profile, error) {
	if s.profile == "" || s.session == nil {
		return nil, fmt.Errorf("%s: the session records no profile", s.source.Name)
	}
	defer s.Close()
	s.unbind()
	err := s.session.Destroy()
	s.session = nil
	if err != nil {
		return nil, &RunError{s.source.Name, "profile", err}
	}
	files, err := filepath.Glob(escapeGlob(s.profile) + "*.json")
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("%s: ONNX Runtime wrote %d profiles, want 1", s.source.Name, len(files))
	}
	f, err := os.Open(files[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := readProfile(f)
	if err != nil {
		return nil, fmt.Errorf("%s: profile: %w", s.source.Name, err)
	}
	return p, nil
}

// CheckProvider runs the model once and returns a *FallbackError where the provider of o took none of its nodes. The
// CPU needs no check.
func (l *Library) CheckProvider(src Source, o Options, inputs, outputs map[string]*Tensor) error {
	if o.Provider == "" || o.Provider == "cpu" {
		return nil
	}
	o.Profile = true
	s, err := l.NewSession(src, o)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Bind(inputs, outputs); err != nil {
		return err
	}
	if err := s.Run(); err != nil {
		return err
	}
	p, err := s.CloseProfile()
	if err != nil {
		return err
	}
	return p.checkProvider(src.Name, o.Provider)
}
