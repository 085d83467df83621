package calibrate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// The units of samples, as benchmark lines write them.
const (
	UnitSeconds = "sec/op" // median duration of one run
	UnitLow     = "p10-sec/op"
	UnitHigh    = "p90-sec/op"
	UnitWatts   = "watts"
	UnitJoules  = "joules/op"
	// UnitDisturbance is of a ratio: how much longer than in calm a probe took before or after the runs; see Burst.
	UnitDisturbance = "x-calm"
	// UnitAround is the same on the average of before and after.
	UnitAround = "x-around"
)

// A Sample is one line of measurements: what was run, how often, and what was seen. A point that was measured in
// several rounds has one sample per round, all with the same name.
type Sample struct {
	Backend string  // base name of the benchmark: ORT, CUDA
	Class   string  // the kind of microbenchmark, such as conv3x3 or gemm
	Params  []Param // what else the name holds, in its order
	Runs    int     // runs behind the values
	Values  []Value // at least one
}

// A Param is one key=value part of a sample's name.
type Param struct{ Key, Value string }

// A Value is one measured quantity with its unit.
type Value struct {
	Value float64
	Unit  string
}

// Name is the benchmark's name: ORT/class=gemm/m=64/n=256/threads=1.
func (s Sample) Name() string {
	var b strings.Builder
	b.WriteString(s.Backend)
	b.WriteString("/class=" + s.Class)
	for _, p := range s.Params {
		b.WriteString("/" + p.Key + "=" + p.Value)
	}
	return b.String()
}

// Param returns the text of a parameter.
func (s Sample) Param(key string) (string, bool) {
	for _, p := range s.Params {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// Int returns a parameter that is a whole number; ok is false where it is absent or something else.
func (s Sample) Int(key string) (v int64, ok bool) {
	text, _ := s.Param(key)
	v, err := strconv.ParseInt(text, 10, 64)
	return v, err == nil
}

// Value returns the value of a unit.
func (s Sample) Value(unit string) (float64, bool) {
	for _, v := range s.Values {
		if v.Unit == unit {
			return v.Value, true
		}
	}
	return 0, false
}

// calm reports whether nothing was seen to disturb the round; see Burst.
func (s Sample) calm() bool {
	v, _ := s.Value(UnitDisturbance)
	return v <= disturbed
}

// Samples are the content of one samples file.
type Samples struct {
	// Config says what the samples were measured on: key and value of each configuration line. Keys are lower case.
	Config  []Param
	Samples []Sample
}

// Get returns a configuration value, "" where it is absent.
func (s *Samples) Get(key string) string {
	for _, c := range s.Config {
		if c.Key == key {
			return c.Value
		}
	}
	return ""
}

// Set replaces or adds a configuration value; an empty one removes the key.
func (s *Samples) Set(key, value string) {
	i := slices.IndexFunc(s.Config, func(c Param) bool { return c.Key == key })
	switch {
	case value == "" && i >= 0:
		s.Config = slices.Delete(s.Config, i, i+1)
	case value == "":
	case i >= 0:
		s.Config[i].Value = value
	default:
		s.Config = append(s.Config, Param{key, value})
	}
}

// Write writes the samples in the Go benchmark format. The same samples give the same bytes.
func (s *Samples) Write(w io.Writer) error {
	var b bytes.Buffer
	out := benchfmt.NewWriter(&b)
	r := &benchfmt.Result{}
	for _, c := range s.Config {
		if err := checkConfig(c); err != nil {
			return err
		}
		r.Config = append(r.Config, benchfmt.Config{Key: c.Key, Value: []byte(c.Value), File: true})
	}
	for i := range s.Samples {
		x := &s.Samples[i]
		if err := x.check(); err != nil {
			return fmt.Errorf("sample %d: %w", i, err)
		}
		r.Name = benchfmt.Name(x.Name())
		r.Iters = x.Runs
		r.Values = r.Values[:0]
		for _, v := range x.Values {
			r.Values = append(r.Values, benchfmt.Value{Value: v.Value, Unit: v.Unit})
		}
		if err := out.Write(r); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Digest identifies the samples: sha256: and the hash of what Write writes. It is "" for samples that cannot be
// written.
func (s *Samples) Digest() string {
	h := sha256.New()
	if s.Write(h) != nil {
		return ""
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// A SampleError is a place in a samples file that is no sample.
type SampleError struct {
	File string
	Line int // 0 where the fault is the whole file's
	Msg  string
}

func (e *SampleError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// ReadSamples reads a samples file; name stands for it in messages. Lines that are neither configuration nor
// benchmarks are passed over, as the format asks; benchmarks without a class, with values that are not finite or not
// positive, and lines that the format does not allow are errors of type *SampleError, all of them joined.
// A configuration key that changes on the way is an error too: one file describes one machine.
func ReadSamples(r io.Reader, name string) (*Samples, error) {
	s := &Samples{}
	var errs []error
	fail := func(line int, format string, args ...any) {
		errs = append(errs, &SampleError{name, line, fmt.Sprintf(format, args...)})
	}
	in := benchfmt.NewReader(r, name)
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.SyntaxError:
			fail(rec.Line, "%s", rec.Msg)
		case *benchfmt.Result:
			_, line := rec.Pos()
			x, err := sampleOf(rec)
			if err == nil {
				err = x.check()
			}
			if err != nil {
				fail(line, "%v", err)
				continue
			}
			for _, c := range rec.Config {
				if old := s.Get(c.Key); c.File && len(s.Samples) > 0 && old != string(c.Value) {
					fail(line, "%s: %q here, %q before: one file describes one machine", c.Key, c.Value, old)
				} else if c.File {
					s.Set(c.Key, string(c.Value))
				}
			}
			s.Samples = append(s.Samples, x)
		}
		if len(errs) >= 20 {
			fail(0, "more errors follow")
			break
		}
	}
	if err := in.Err(); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(s.Samples) == 0 {
		return nil, &SampleError{name, 0, "no samples; want benchmark lines such as BenchmarkORT/class=gemm/m=64 10 0.001 sec/op"}
	}
	return s, nil
}

func sampleOf(r *benchfmt.Result) (Sample, error) {
	base, parts := r.Name.Parts()
	x := Sample{Backend: string(base), Runs: r.Iters}
	for i, p := range parts {
		key, value, ok := strings.Cut(strings.TrimPrefix(string(p), "/"), "=")
		switch {
		case !ok || p[0] != '/':
			return x, fmt.Errorf("part %q of the name: want /key=value", p)
		case i == 0 && key != "class":
			return x, fmt.Errorf("name %q: want /class=NAME first", r.Name)
		case i == 0:
			x.Class = value
		default:
			x.Params = append(x.Params, Param{key, value})
		}
	}
	for _, v := range r.Values {
		x.Values = append(x.Values, Value{v.Value, v.Unit})
	}
	return x, nil
}

// check wants a name that survives writing and reading, and values that can be measured.
func (s Sample) check() error {
	if s.Backend == "" || s.Backend[0] < 'A' || s.Backend[0] > 'Z' || !isWord(s.Backend) {
		return fmt.Errorf("backend %q: want a word with a capital first", s.Backend)
	}
	if !isWord(s.Class) {
		return fmt.Errorf("class %q: want a word of letters, digits, '_', '.' and '-'", s.Class)
	}
	seen := map[string]bool{"class": true}
	for _, p := range s.Params {
		if !isWord(p.Key) || !isWord(p.Value) {
			return fmt.Errorf("parameter %q=%q: want words of letters, digits, '_', '.', ':' and '-'", p.Key, p.Value)
		}
		if seen[p.Key] {
			return fmt.Errorf("parameter %q twice", p.Key)
		}
		seen[p.Key] = true
	}
	if n := s.Name(); endsLikeProcs(n) {
		return fmt.Errorf("name %q: its end reads as a number of processors", n)
	}
	if s.Runs < 1 {
		return fmt.Errorf("%d runs, want at least 1", s.Runs)
	}
	if len(s.Values) == 0 {
		return errors.New("no values")
	}
	units := map[string]bool{}
	for _, v := range s.Values {
		if !(v.Value > 0) || math.IsInf(v.Value, 0) {
			return fmt.Errorf("%g %s: want a positive number", v.Value, v.Unit)
		}
		if units[v.Unit] {
			return fmt.Errorf("unit %s twice", v.Unit)
		}
		if v.Unit == "" || strings.ContainsFunc(v.Unit, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("unit %q: want visible ASCII", v.Unit)
		}
		units[v.Unit] = true
	}
	return nil
}

// isWord reports whether s can stand in a benchmark's name without being read as something else.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_.:-", r))
	})
}

// endsLikeProcs reports whether a name ends in -8, which the format reads as GOMAXPROCS.
func endsLikeProcs(name string) bool {
	i := strings.LastIndexByte(name, '-')
	if i < 0 {
		return false
	}
	_, err := strconv.Atoi(name[i+1:])
	return err == nil
}

// checkConfig wants a configuration line that reads back as it was.
func checkConfig(c Param) error {
	if c.Key == "" || c.Key[0] < 'a' || c.Key[0] > 'z' || strings.ContainsFunc(c.Key, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
	}) {
		return fmt.Errorf("configuration key %q: want lower-case letters, digits and '-'", c.Key)
	}
	if c.Value == "" || strings.TrimSpace(c.Value) != c.Value || strings.ContainsFunc(c.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("configuration %s: value %q: want one line of text", c.Key, c.Value)
	}
	return nil
}
