package calibrate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// microClass is a family of microbenchmarks: how many a sweep has, how their parameters are drawn, and the model that
// the parameters stand for.
type microClass struct {
	name string
	keys []string // of the parameters, in the order of the name
	// before are the parameters that samples of earlier versions do not have, with the values that they stood for.
	before micros
	count  int // points in a sweep of the usual length
	// draw proposes parameters, in the order of keys; the sweep draws again where fits says no.
	draw func(d *draw) []int64
	fits func(p micros) bool // nil for always
	// build makes the model; p has passed fits.
	build func(m *micro, p micros) *onnx.Model
}

// micros are the parameters of one microbenchmark.
type micros map[string]int64

// within reports whether the parameters of these names are from 1 to hi.
func (p micros) within(hi int64, keys ...string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return p[k] < 1 || p[k] > hi })
}

// A Micro is one microbenchmark of a sweep.
type Micro struct {
	Class  string
	Params []Param
}

func microClassByName(name string) *microClass {
	for i := range microClasses {
		if microClasses[i].name == name {
			return &microClasses[i]
		}
	}
	return nil
}

// The limits on what a microbenchmark may ask for, whoever wrote its name.
const (
	maxMicroParam   = 1 << 22
	maxMicroWeights = 1 << 28 // elements
	maxMicroDepth   = 512
)

// Model builds the model of a microbenchmark. The same class and parameters give the same model on every machine; its
// weights are made when it is written. Names that no sweep would give, and models beyond a fixed size, are errors.
func (b Micro) Model() (m *onnx.Model, err error) {
	c := microClassByName(b.Class)
	if c == nil {
		return nil, fmt.Errorf("no class of microbenchmarks is called %q", b.Class)
	}
	p := micros{}
	for _, kv := range b.Params {
		if !slices.Contains(c.keys, kv.Key) {
			continue // such as threads: how it was run, not what
		}
		v, err := strconv.ParseInt(kv.Value, 10, 64)
		if err != nil || v < 0 || v > maxMicroParam {
			return nil, fmt.Errorf("class %s: %s=%s: want a whole number from 0 to %d", b.Class, kv.Key, kv.Value, maxMicroParam)
		}
		p[kv.Key] = v
	}
	for _, k := range c.keys {
		if _, ok := p[k]; ok {
			continue
		}
		v, ok := c.before[k]
		if p[k] = v; !ok {
			return nil, fmt.Errorf("class %s: parameter %s is missing", b.Class, k)
		}
	}
	if p["depth"] > maxMicroDepth || c.fits != nil && !c.fits(p) {
		return nil, fmt.Errorf("class %s: parameters %v are out of its range", b.Class, b.Params)
	}
	m = c.build(&micro{g: &onnx.Graph{Name: b.Class}}, p)
	var weights int64
	for _, t := range m.Graph.Initializers {
		n, err := t.Elements()
		if err != nil || n > maxMicroWeights {
			return nil, fmt.Errorf("class %s: a weight of dims %v is too large", b.Class, t.Dims)
		}
		weights += n
	}
	if weights > maxMicroWeights {
		return nil, fmt.Errorf("class %s: %d weights, want at most %d", b.Class, weights, maxMicroWeights)
	}
	return m, nil
}

// weightBytes is the size of the model's weights; 0 for a name without a model.
func (b Micro) weightBytes() float64 {
	m, err := b.Model()
	if err != nil {
		return 0
	}
	var n float64
	for _, t := range m.Graph.Initializers {
		if size, ok := t.DType.Bytes(product(t.Dims)); ok {
			n += float64(size)
		}
	}
	return n
}

// Sample is the sample that the microbenchmark's measurements go into.
func (b Micro) Sample() Sample { return Sample{Backend: BackendORT, Class: b.Class, Params: b.Params} }

// name is that of the samples, without what they were run with.
func (b Micro) name() string {
	s := b.Sample()
	return s.Name()
}

// itself is the microbenchmark without the number of threads that it was run with.
func (b Micro) itself() Micro {
	b.Params = slices.DeleteFunc(slices.Clone(b.Params), func(p Param) bool { return p.Key == "threads" })
	return b
}

// BackendORT is the Backend of samples that ONNX Runtime gave.
const BackendORT = "ORT"

// Sweep draws the microbenchmarks of a calibration: shapes log-uniform by seed, never taken from a network. scale
// stretches the number of points per class; a class never has fewer than five, so that it stays identified.
func Sweep(seed uint64, scale float64) []Micro {
	var out []Micro
	for i := range microClasses {
		c := &microClasses[i]
		// A stream per class, so that another class's count does not change this one's shapes.
		d := &draw{r: rand.New(rand.NewPCG(seed, uint64(i)+1))}
		n := max(5, int(math.Round(float64(c.count)*scale)))
		for d.of, d.n = n, 0; d.n < n; d.n++ {
			out = append(out, c.point(d))
		}
	}
	return out
}

// point draws parameters until they fit.
func (c *microClass) point(d *draw) Micro {
	for range 10000 {
		v := c.draw(d)
		p := micros{}
		for i, k := range c.keys {
			p[k] = v[i]
		}
		if c.fits != nil && !c.fits(p) {
			continue
		}
		b := Micro{Class: c.name}
		for i, k := range c.keys {
			b.Params = append(b.Params, Param{k, strconv.FormatInt(v[i], 10)})
		}
		return b
	}
	panic("calibrate: class " + c.name + ": its draw never fits")
}

// draw is a source of parameters, for point n of so many of a class.
type draw struct {
	r     *rand.Rand
	n, of int
}

// log is log-uniform in [lo, hi].
func (d *draw) log(lo, hi int64) int64 {
	x := math.Exp(math.Log(float64(lo)) + d.r.Float64()*math.Log(float64(hi)/float64(lo)))
	return min(hi, max(lo, int64(math.Round(x))))
}

// size is log-uniform in the part of [lo, hi] that is the point's: a class of few points has small ones, which say what a
// call costs, and large ones, which say what memory does.
func (d *draw) size(lo, hi int64) int64 {
	at := (float64(d.n) + d.r.Float64()) / float64(max(1, d.of))
	return min(hi, max(lo, int64(math.Round(float64(lo)*math.Pow(float64(hi)/float64(lo), at)))))
}

// times is a multiple of unit, log-uniform in [lo, hi].
func (d *draw) times(unit, lo, hi int64) int64 {
	return max(1, (d.log(lo, hi)+unit/2)/unit) * unit
}

// pick is one of v.
func (d *draw) pick(v ...int64) int64 { return v[d.r.IntN(len(v))] }

// turn is one of v, each in its turn: a class that is several in one has points of all of them.
func (d *draw) turn(v ...int64) int64 { return v[d.n%len(v)] }

// channels is a number of channels as blocked layouts take them: mostly whole blocks of 16, sometimes of 8 or 4.
func (d *draw) channels(lo, hi int64) int64 { return d.times(d.pick(16, 16, 16, 8, 4), lo, hi) }
