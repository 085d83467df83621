package form

import (
	"fmt"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// FormTorch7 is the time of a network as Torch7 modules over cuDNN 5, a sum over kernels of
//
//	launch + MACs of windowed convolutions·c + MACs of other products·c + activation bytes·c + weight bytes·c
//
// Windowed are convolutions larger than 1x1 over at least 16 channels per group. Products, bytes and launches add up
// rather than overlap: the modules are small for the board and each waits for its operands. The terms are in the group
// "kernel"; the line of the ops baseline is in the group "ops".
const FormTorch7 = "torch7/linear/v1"

const torch7Group = "kernel"

// The terms of FormTorch7 in the order of torch7Terms.
const (
	torch7Launch = iota
	torch7Windowed
	torch7Product
	torch7Activation
	torch7Weight
	torch7Count
)

var torch7Terms = [torch7Count]struct{ name, unit string }{
	torch7Launch:     {"launch_s", "s/kernel"},
	torch7Windowed:   {"s_per_windowed_mac", "s/MAC"},
	torch7Product:    {"s_per_product_mac", "s/MAC"},
	torch7Activation: {"s_per_activation_byte", "s/B"},
	torch7Weight:     {"s_per_weight_byte", "s/B"},
}

// torch7Features are the quantities that the coefficients of FormTorch7 multiply.
type torch7Features [torch7Count]float64

func torch7Kernel(l *Demand) (f torch7Features) {
	f[torch7Launch] = 1
	f[torch7Activation] = l.Read + l.Written
	f[torch7Weight] = l.Weights
	for i := range l.Products {
		p := &l.Products[i]
		if p.conv() && convClassOf(*p) == convDense {
			f[torch7Windowed] += p.MACs()
		} else {
			f[torch7Product] += p.MACs()
		}
	}
	return f
}

type torch7Model struct {
	s    Setup
	coef torch7Features
}

func newTorch7Model(s Setup) (Model, error) {
	g, ok := s.Fit.Groups[torch7Group]
	if !ok {
		return nil, fmt.Errorf("device %s: fit %s: want group %s", s.Device.Name, s.Fit.Form, torch7Group)
	}
	m := &torch7Model{s: s}
	for i, t := range torch7Terms {
		if _, ok := g.Terms[t.name]; !ok {
			return nil, fmt.Errorf("device %s: fit %s: want term %s", s.Device.Name, s.Fit.Form, t.name)
		}
		m.coef[i] = g.Term(t.name)
	}
	return m, nil
}

func (m *torch7Model) Host() (dispatchS, gapS float64) { return 0, 0 }

func (m *torch7Model) Times(loads []Demand, _ dim.Env, out []KernelTime) error {
	for i := range loads {
		parts := torch7Kernel(&loads[i])
		t := KernelTime{Group: torch7Group}
		for j := range parts {
			parts[j] *= m.coef[j]
			t.Seconds += parts[j]
		}
		compute, memory := parts[torch7Windowed]+parts[torch7Product], parts[torch7Activation]+parts[torch7Weight]
		switch {
		case parts[torch7Launch] > compute && parts[torch7Launch] > memory:
			t.Bound = BoundOverhead
		case compute > memory:
			t.Bound = BoundCompute
		default:
			t.Bound = BoundMemory
		}
		out[i] = t
	}
	return nil
}

func (m *torch7Model) Interval([]Demand, []KernelTime) (low, high float64) {
	return residualInterval(m.s.Fit.Residuals)
}
