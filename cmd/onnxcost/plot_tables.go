package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/onnxcost/onnxcost/plots"
	"github.com/onnxcost/onnxcost/specs"
)

// csvTable is a CSV file with a header.
type csvTable struct {
	file   string
	header []string
	rows   []csvRow
}

type csvRow struct {
	line  int
	cells []string
}

// readCSV reads a CSV file whose header has the columns wanted. Lines that begin with # are comments.
func readCSV(file string, want ...string) (*csvTable, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment, r.TrimLeadingSpace = '#', true
	t := &csvTable{file: file}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		if t.header == nil {
			for i := range cells {
				cells[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(cells[i], "\ufeff")))
			}
			t.header = cells
			continue
		}
		t.rows = append(t.rows, csvRow{line, cells})
	}
	for _, w := range want {
		if !slices.Contains(t.header, w) {
			return nil, fmt.Errorf("%s:1: want a header with %s, have %s", file, strings.Join(want, ","), strings.Join(t.header, ","))
		}
	}
	return t, nil
}

// text gives a cell; "" where the table lacks the column.
func (t *csvTable) text(r csvRow, column string) string {
	if i := slices.Index(t.header, column); i >= 0 {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

// number gives a cell as a number, NaN where it is empty.
func (t *csvTable) number(r csvRow, column string) (float64, error) {
	s := t.text(r, column)
	if s == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s:%d: %s: want a number, have %q", t.file, r.line, column, s)
	}
	return v, nil
}

// userTable is what users know of their models: rows of numbers by name.
type userTable struct {
	columns []string
	rows    map[string]map[string]float64
}

func readUserTable(file string) (*userTable, error) {
	t, err := readCSV(file, "model")
	if err != nil {
		return nil, err
	}
	u := &userTable{columns: t.header, rows: map[string]map[string]float64{}}
	for _, r := range t.rows {
		values := map[string]float64{}
		for _, c := range t.header {
			if c == "model" {
				continue
			}
			v, err := t.number(r, c)
			if err != nil {
				return nil, err
			}
			if c == "top1" && (v < 0 || v > 100) {
				return nil, fmt.Errorf("%s:%d: top1: want percent from 0 to 100, have %g", file, r.line, v)
			}
			values[c] = v
		}
		name := modelKey(t.text(r, "model"))
		if u.rows[name] != nil {
			return nil, fmt.Errorf("%s:%d: %s stands there twice", file, r.line, t.text(r, "model"))
		}
		u.rows[name] = values
	}
	return u, nil
}

// value gives a model's number in a column, NaN where the table has none.
func (u *userTable) value(model, column string) float64 {
	if u != nil {
		if v, ok := u.rows[modelKey(model)][strings.ToLower(column)]; ok {
			return v
		}
	}
	return math.NaN()
}

// modelKey makes the ways to write a model's name alike: directories, .onnx, zoo: and case do not matter, and a network of
// the paper goes by either of its names.
func modelKey(name string) string {
	key := strings.ToLower(strings.TrimSuffix(filepath.Base(filepath.ToSlash(strings.TrimPrefix(name, "zoo:"))), ".onnx"))
	for _, n := range specs.Paper().Networks {
		if key == strings.ToLower(n.Name) {
			return n.Zoo
		}
	}
	return key
}

// timedRow is one measurement of a user's.
type timedRow struct {
	model, group        string
	batch               int
	seconds, predicted  float64
	powerW, memoryBytes float64
}

func readMeasurements(file string) ([]timedRow, error) {
	t, err := readCSV(file, "model", "measured_s")
	if err != nil {
		return nil, err
	}
	power := "power_w"
	if slices.Contains(t.header, "net_power_w") { // of measure and validate, whose power_w holds the idle power
		power = "net_power_w"
	}
	var out []timedRow
	for _, r := range t.rows {
		m := timedRow{model: t.text(r, "model"), group: t.text(r, "group"), batch: 1}
		var batch float64
		for _, c := range []struct {
			to   *float64
			name string
		}{{&m.seconds, "measured_s"}, {&m.predicted, "predicted_s"}, {&m.powerW, power}, {&m.memoryBytes, "memory_bytes"}, {&batch, "batch"}} {
			if *c.to, err = t.number(r, c.name); err != nil {
				return nil, err
			}
		}
		if !(m.seconds > 0) {
			return nil, fmt.Errorf("%s:%d: measured_s: want seconds above 0, have %q", file, r.line, t.text(r, "measured_s"))
		}
		if !math.IsNaN(batch) {
			if batch < 1 || batch != math.Trunc(batch) || batch > 1<<30 {
				return nil, fmt.Errorf("%s:%d: batch: want a whole number of at least 1, have %q", file, r.line, t.text(r, "batch"))
			}
			m.batch = int(batch)
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no measurements", file)
	}
	return out, nil
}

// measuredDataset gathers the measurements by model, with the published accuracy, operations and parameters for networks
// of the paper, and counted operations and parameters for others of the zoo and for the models among the arguments.
// Power is net of idle power, as in the paper.
func (r *plotRun) measuredDataset(ctx context.Context) (*plots.Dataset, error) {
	d := &plots.Dataset{Device: filepath.Base(r.o.measured)}
	index := map[string]*plots.Network{}
	for _, m := range r.measured {
		key := modelKey(m.model)
		n := index[key]
		if n == nil {
			n = &plots.Network{Name: shortModel(m.model), Origin: plots.Measured, Top1Percent: r.accuracy.value(m.model, "top1"), GOps: math.NaN(), MParams: math.NaN()}
			if p, ok := specs.Paper().Network(key); ok {
				n.Name, n.Paper, n.GOps, n.MParams = p.Name, p.Name, p.RecountGOps, float64(p.Params)/1e6
				if math.IsNaN(n.Top1Percent) {
					n.Top1Percent = p.Top1Percent
				}
			} else if err := r.count(ctx, n, m.model); err != nil {
				return nil, err
			}
			index[key] = n
			d.Networks = append(d.Networks, n)
		}
		at := len(n.Batches)
		for at > 0 && n.Batches[at-1] > m.batch {
			at--
		}
		n.Batches = slices.Insert(n.Batches, at, m.batch)
		n.TimeMS = slices.Insert(n.TimeMS, at, 1e3*m.seconds/float64(m.batch))
		n.PowerW = slices.Insert(n.PowerW, at, m.powerW)
		n.MemoryMB = slices.Insert(n.MemoryMB, at, m.memoryBytes/1e6)
	}
	return d, nil
}

// count gives a measured network its operations and parameters, where its model is at hand.
func (r *plotRun) count(ctx context.Context, n *plots.Network, model string) error {
	var sub *plots.Subject
	for i, arg := range r.args {
		if modelKey(arg) == modelKey(model) {
			sub = r.subjects[i]
		}
	}
	if sub == nil && strings.HasPrefix(model, "zoo:") {
		var err error
		if sub, err = r.loadSubject(ctx, model); err != nil {
			return err
		}
	}
	if sub == nil {
		return nil
	}
	counted, err := sub.Network(nil)
	if err != nil {
		return err
	}
	n.GOps, n.MParams = counted.GOps, counted.MParams
	return nil
}

// pairs are the charts of predictions against measurements. Rows without predicted_s are predicted here, for which their
// model must be among the arguments or of the zoo.
func (r *plotRun) pairs(name string) (*plots.Figure, error) {
	if r.measured == nil {
		return nil, misuse("plot %s: give the measurements with --measured FILE.csv", name)
	}
	byKey := map[string]*plots.Subject{}
	for i, sub := range r.subjects {
		byKey[modelKey(r.args[i])] = sub
	}
	var pairs []plots.Pair
	for _, m := range r.measured {
		p := plots.Pair{Name: shortModel(m.model), Group: m.group, Measured: m.seconds, Predicted: m.predicted}
		if m.batch > 1 {
			p.Name = fmt.Sprintf("%s, batch %d", p.Name, m.batch)
		}
		if math.IsNaN(p.Predicted) {
			sub := byKey[modelKey(m.model)]
			if sub == nil {
				return nil, misuse("plot %s: %s has no predicted_s; name the model after the figure", name, m.model)
			}
			pred, err := sub.Predictor.At(int64(m.batch), nil)
			if err != nil {
				return nil, err
			}
			p.Predicted = pred.LatencyS
		}
		pairs = append(pairs, p)
	}
	subtitle := fmt.Sprintf("%s, %s.", filepath.Base(r.o.measured), r.device.Name)
	if name == "fit" {
		return plots.Fit(pairs, subtitle, r.style), nil
	}
	return plots.Validate(pairs, subtitle, r.style), nil
}
