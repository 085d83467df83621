package plots

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

// Network is a model's place in the figures of the paper: operations as the paper counts them, trainable parameters, and
// the cost model's time, net power and memory at the batch sizes. Accuracy is unknown. A batch that does not fit in the
// device's memory, or that the model's input rules out, has no figures and a note.
func (m *Subject) Network(batches []int) (*Network, error) {
	n := &Network{Name: m.Name, Origin: Predicted, Top1Percent: math.NaN(), GOps: math.NaN(), MParams: math.NaN()}
	env := dim.Env{}
	for k, v := range m.Report.Dims {
		env[k] = v
	}
	base, err := m.Predictor.At(0, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range base.Dims {
		env[k] = v
	}
	if c, ok := analyzer.ConventionByName("paper"); ok {
		if v, err := m.Report.Recount(c).Eval(env); err == nil {
			n.GOps = float64(v) / float64(base.Batch) / 1e9
		}
	}
	if v, err := m.Report.Totals().TrainableParams.Eval(env); err == nil {
		n.MParams = float64(v) / 1e6
	}
	if m.Report.LowerBound() {
		n.Notes = append(n.Notes, "some operators are unknown, so its figures are lower bounds")
	}
	for _, b := range batches {
		p, err := m.Predictor.At(int64(b), nil)
		var option *costmodel.OptionError
		switch {
		case errors.As(err, &option) && b != int(base.Batch):
			if len(n.Notes) == 0 {
				n.Notes = append(n.Notes, fmt.Sprintf("its input fixes the batch at %d", base.Batch))
			}
			continue
		case err != nil:
			return nil, err
		}
		if capacity := m.Predictor.Device.Memory.CapacityBytes.Value; float64(p.PeakMemoryBytes) > capacity {
			n.Notes = append(n.Notes, fmt.Sprintf("batch %d does not fit: %.1f GiB of %.1f GiB", b, float64(p.PeakMemoryBytes)/(1<<30), capacity/(1<<30)))
			break
		}
		per := 1000 / float64(p.Batch)
		n.Batches = append(n.Batches, b)
		n.TimeMS = append(n.TimeMS, p.LatencyS*per)
		n.TimeLowMS, n.TimeHighMS = append(n.TimeLowMS, p.LatencyLowS*per), append(n.TimeHighMS, p.LatencyHighS*per)
		n.PowerW = append(n.PowerW, float64(p.PowerW-p.IdleW))
		n.MemoryMB = append(n.MemoryMB, float64(p.PeakMemoryBytes)/1e6)
	}
	return n, nil
}

// A Subject is one model on one device, compiled for predictions.
type Subject struct {
	Name      string
	Report    *analyzer.Report
	Predictor *costmodel.Predictor
}

// NewSubject analyses a model and compiles it for a device.
func NewSubject(ctx context.Context, name string, m *onnx.Model, a analyzer.Options, d *specs.Device, o costmodel.Options) (*Subject, error) {
	r, err := analyzer.Analyze(ctx, m, a)
	if err != nil {
		return nil, err
	}
	p, err := costmodel.Compile(ctx, r, d, o)
	if err != nil {
		return nil, err
	}
	return &Subject{name, r, p}, nil
}

// PredictPaper is the paper's fourteen networks, built by the zoo and predicted for a device, with the published
// accuracies.
func PredictPaper(ctx context.Context, d *specs.Device, o costmodel.Options) (*Dataset, error) {
	paper := specs.Paper()
	o.NoKernels = true
	out := &Dataset{}
	for i := range paper.Networks {
		p := &paper.Networks[i]
		m, err := zoo.Build(p.Zoo, zoo.None)
		if err != nil {
			return nil, err
		}
		s, err := NewSubject(ctx, p.Name, m, analyzer.Options{}, d, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		n, err := s.Network(paper.Batches)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		n.Paper, n.Top1Percent = p.Name, p.Top1Percent
		out.Networks = append(out.Networks, n)
		out.describe(s.Predictor)
	}
	return out, nil
}

// Add appends a user's model, predicted at the paper's batch sizes.
func (d *Dataset) Add(s *Subject, top1Percent float64) error {
	n, err := s.Network(specs.Paper().Batches)
	if err != nil {
		return err
	}
	n.Top1Percent = top1Percent
	d.Networks = append(d.Networks, n)
	d.describe(s.Predictor)
	return nil
}

// describe says what the predictions were made for.
func (d *Dataset) describe(p *costmodel.Predictor) {
	d.Device, d.Software = deviceTitle(p.Device), softwareTitle(p)
	d.Elsewhere = d.Elsewhere || p.Device.Name != specs.Paper().Board.Device
}

func deviceTitle(d *specs.Device) string {
	if d.Title != "" {
		return d.Title
	}
	return d.Name
}

func softwareTitle(p *costmodel.Predictor) string {
	s := fmt.Sprintf("%s, %s", p.Runtime, p.Precision)
	if p.Threads > 0 {
		s += fmt.Sprintf(", %d threads", p.Threads)
	}
	return s
}
