package specs

import (
	_ "embed"
	"slices"
)

// BudgetSchemaID is the value of the schema key in budget files.
const BudgetSchemaID = "onnxcost/budget/v1"

//go:embed schema/budget-v1.schema.json
var budgetSchema []byte

// BudgetSchema is the JSON Schema (draft 2020-12) of budget files. It accepts every file that [ParseBudget] accepts;
// what depends on other files (models, devices) and which limits need a device are checked by the loader alone.
func BudgetSchema() []byte { return slices.Clone(budgetSchema) }

// A Budget says what models may cost. A setting of a model goes before one of the defaults, and the defaults before the
// device at the top.
type Budget struct {
	Schema   string         `spec:"schema,required" unit:"onnxcost/budget/v1"`
	Device   string         `spec:"device"`
	Devices  []string       `spec:"devices,flow"`
	Defaults BudgetSettings `spec:"defaults,flow"`
	Models   []BudgetModel  `spec:"models,required"`

	file    string
	pos     map[string]position
	devices map[string]*Device // by the name in the file; filled by ReadBudget
	// misspelt says that a key which may have been meant to name a device was refused, so that none seems to be there.
	misspelt bool
}

// BudgetSettings are what a model is judged under. Absent ones are left to the device and the model.
type BudgetSettings struct {
	Device    string           `spec:"device"` // a built-in name, or a file relative to the budget
	Devices   []string         `spec:"devices,flow"`
	Runtime   string           `spec:"runtime"`
	Precision DType            `spec:"precision"`
	Threads   int              `spec:"threads" range:">0"`
	Batch     []int64          `spec:"batch,single,flow" range:">0"`
	Dims      map[string]int64 `spec:"dims,flow" range:">=0"`
}

// A BudgetModel is the limits of the models that a pattern matches. A model that several entries match keeps to all.
type BudgetModel struct {
	// Match is a path or a pattern relative to the budget file, where ** stands for any folders, or zoo:NAME.
	Match []string `spec:"match,required,single,flow"`
	BudgetSettings
	Limits Limits `spec:"limits,required"`

	files []string // what Match found; filled by ReadBudget
}

// Limits are upper bounds, throughput and coverage lower ones; nil where there is none. Latency, power and memory are
// those of a batch as it runs; energy, macs and throughput are per sample, so that a limit means the same at every batch
// size.
type Limits struct {
	Energy          *Quantity `spec:"energy" dim:"energy"`          // per sample
	EnergyPerDay    *DayLimit `spec:"energy_per_day,flow"`          // at a rate
	Latency         *Quantity `spec:"latency" dim:"time"`           // of a batch
	Throughput      *Quantity `spec:"throughput" dim:"rate"`        // samples a second, at least
	Power           *Quantity `spec:"power" dim:"power"`            // mean over an inference
	PeakMemory      *Quantity `spec:"peak_memory" dim:"bytes"`      // weights and activations on the device
	Arena           *Quantity `spec:"arena" dim:"bytes"`            // a plan for all activations in one block
	PeakActivations *Quantity `spec:"peak_activations" dim:"bytes"` // live tensors, no buffer shared
	Params          *Quantity `spec:"params" dim:"params"`
	MACs            *Quantity `spec:"macs" dim:"macs"`           // per sample
	FileSize        *Quantity `spec:"file_size" dim:"bytes"`     // of the model and its external data
	Coverage        *Quantity `spec:"coverage" dim:"proportion"` // at least
}

// A DayLimit bounds the joules of a day in which samples arrive at a rate, idle power included.
type DayLimit struct {
	At  Quantity `spec:"at,required" dim:"rate"`
	Max Quantity `spec:"max,required" dim:"energy"`
}

// A BudgetCase is one model under one setting with its limits: what a check judges.
type BudgetCase struct {
	Model     string // a path that can be opened from here, or zoo:NAME
	Path      string // of the entry in the budget, such as models[2]
	Device    *Device
	Runtime   string
	Precision DType
	Threads   int
	Batch     int64            // 0 where the budget says none
	Dims      map[string]int64 // of the entry: dimensions that the model must have
	// DefaultDims are those of the defaults: they hold for models that have such a dimension, where Dims says nothing.
	DefaultDims map[string]int64
	Limits      *Limits
}

// File is the name that the budget was read from.
func (b *Budget) File() string { return b.file }

// ErrorAt makes an error that points at the value at path, such as models[0].dims, or its nearest ancestor in the file.
func (b *Budget) ErrorAt(path, format string, args ...any) *Error {
	r := newReport(b.file)
	r.pos = b.pos
	r.at(path, format, args...)
	return r.errs[0]
}

// Line is the place of the value at path, or of its nearest ancestor in the file, 1-based.
func (b *Budget) Line(path string) (line, column int) {
	e := b.ErrorAt(path, "")
	return e.Line, e.Column
}

// Cases lists what there is to check, in the order of the file: for each entry its models, for each model its devices,
// for each device its batch sizes. It is empty for a budget that [ReadBudget] did not load.
func (b *Budget) Cases() []BudgetCase {
	var out []BudgetCase
	for i := range b.Models {
		m := &b.Models[i]
		s := b.settings(m)
		base := BudgetCase{Path: b.entry(i), Runtime: s.Runtime, Precision: s.Precision, Threads: s.Threads, Dims: s.Dims,
			DefaultDims: b.Defaults.Dims, Limits: &m.Limits}
		devices := s.Devices
		if len(devices) == 0 {
			devices = []string{""}
		}
		batches := s.Batch
		if len(batches) == 0 {
			batches = []int64{0}
		}
		for _, file := range m.files {
			for _, d := range devices {
				for _, n := range batches {
					c := base
					c.Model, c.Device, c.Batch = file, b.devices[d], n
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// settings merges those of an entry with the defaults, dims apart. Of Device and Devices only Devices is set.
func (b *Budget) settings(m *BudgetModel) BudgetSettings {
	s, d := m.BudgetSettings, b.Defaults
	switch {
	case len(s.deviceNames()) > 0:
		s.Devices = s.deviceNames()
	case len(d.deviceNames()) > 0:
		s.Devices = d.deviceNames()
	default:
		s.Devices = (&BudgetSettings{Device: b.Device, Devices: b.Devices}).deviceNames()
	}
	s.Device = ""
	if s.Runtime == "" {
		s.Runtime = d.Runtime
	}
	if s.Precision == "" {
		s.Precision = d.Precision
	}
	if s.Threads == 0 {
		s.Threads = d.Threads
	}
	if len(s.Batch) == 0 {
		s.Batch = d.Batch
	}
	return s
}

func (s *BudgetSettings) deviceNames() []string {
	if s.Device != "" {
		return []string{s.Device}
	}
	return s.Devices
}

// onDevice lists the limits that only a prediction can answer, by their keys, and those that are set.
func (l *Limits) onDevice() []string {
	var keys []string
	for _, x := range []struct {
		key string
		set bool
	}{
		{"energy", l.Energy != nil}, {"energy_per_day", l.EnergyPerDay != nil}, {"latency", l.Latency != nil},
		{"throughput", l.Throughput != nil}, {"power", l.Power != nil}, {"peak_memory", l.PeakMemory != nil},
	} {
		if x.set {
			keys = append(keys, x.key)
		}
	}
	return keys
}

// each visits the limits that are set, by their keys.
func (l *Limits) each(visit func(key string, q Quantity)) {
	for _, x := range []struct {
		key string
		q   *Quantity
	}{
		{"energy", l.Energy}, {"latency", l.Latency}, {"throughput", l.Throughput}, {"power", l.Power},
		{"peak_memory", l.PeakMemory}, {"arena", l.Arena}, {"peak_activations", l.PeakActivations}, {"params", l.Params},
		{"macs", l.MACs}, {"file_size", l.FileSize}, {"coverage", l.Coverage},
	} {
		if x.q != nil {
			visit(x.key, *x.q)
		}
	}
	if d := l.EnergyPerDay; d != nil {
		visit("energy_per_day.at", d.At)
		visit("energy_per_day.max", d.Max)
	}
}
