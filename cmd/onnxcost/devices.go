package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/costmodel"
	"github.com/onnxcost/onnxcost/specs"
)

func newDevices(s streams) *cobra.Command {
	list := newDevicesList(s)
	c := &cobra.Command{
		Use:   "devices",
		Short: "List the built-in devices and show what is known of one",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse("devices %s: want list or show", args[0])
			}
			return nil
		},
		RunE: list.RunE,
	}
	c.Flags().AddFlagSet(list.Flags())
	c.AddCommand(list, newDevicesShow(s))
	return c
}

// deviceEntry is one device as devices list prints it. Rates are FLOP/s and B/s, sizes bytes; null where not stated.
type deviceEntry struct {
	Name        string             `json:"name"`
	Title       string             `json:"title"`
	Class       specs.Class        `json:"class"`
	Kind        specs.Kind         `json:"kind"`
	Year        int                `json:"year"`
	PeakFP32    costmodel.Optional `json:"peak_fp32_flops"`
	PeakFP16    costmodel.Optional `json:"peak_fp16_flops"`
	PeakINT8    costmodel.Optional `json:"peak_int8_flops"`
	Bandwidth   costmodel.Optional `json:"memory_bandwidth_bytes_per_s"`
	MemoryBytes costmodel.Optional `json:"memory_bytes"`
	LimitW      costmodel.Optional `json:"limit_w"`
	Runtime     costmodel.Runtime  `json:"default_runtime"`
	Fits        []string           `json:"fits"`
}

func describeDevice(d *specs.Device) deviceEntry {
	peak := func(t specs.DType) costmodel.Optional {
		if r, ok := d.PeakRate(t); ok {
			return costmodel.Optional(r.Value)
		}
		return costmodel.Unknown()
	}
	e := deviceEntry{Name: d.Name, Title: d.Title, Class: d.Class, Kind: d.Kind, Year: d.Year, PeakFP32: peak(specs.FP32), PeakFP16: peak(specs.FP16),
		PeakINT8: peak(specs.INT8), Bandwidth: costmodel.Optional(d.Memory.BandwidthBytesPerS.Value), MemoryBytes: costmodel.Optional(d.Memory.CapacityBytes.Value),
		LimitW: costmodel.Unknown(), Runtime: costmodel.DefaultRuntime(d), Fits: []string{}}
	if d.Power.LimitW != nil {
		e.LimitW = costmodel.Optional(d.Power.LimitW.Value)
	}
	for i := range d.Fits {
		e.Fits = append(e.Fits, fitTitle(&d.Fits[i]))
	}
	return e
}

// fitTitle says what a fit is for.
func fitTitle(f *specs.Fit) string {
	parts := []string{string(f.Measure)}
	for _, p := range []string{f.Runtime, string(f.Precision)} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if f.Threads > 0 {
		parts = append(parts, threadCount(f.Threads))
	}
	return strings.Join(parts, ", ")
}

func newDevicesList(s streams) *cobra.Command {
	output := "table"
	outputs := []string{"table", "json", "csv", "markdown"}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the built-in devices, those known from data sheets and those fitted to measurements apart",
		Example: "  onnxcost devices list",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := oneOf("-o", output, outputs); err != nil {
				return err
			}
			var entries []deviceEntry
			for _, name := range specs.DeviceNames() {
				d, err := specs.LoadDevice(name)
				if err != nil {
					return &codedError{exitInput, err}
				}
				entries = append(entries, describeDevice(d))
			}
			slices.SortStableFunc(entries, func(a, b deviceEntry) int {
				return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Year, b.Year))
			})
			return renderDevices(s, output, entries)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", strings.Join(outputs, ", "))
	completeWords(c, "output", outputs)
	return c
}

func renderDevices(s streams, output string, entries []deviceEntry) error {
	switch output {
	case "json":
		return writeJSON(s.out, struct {
			Schema  string        `json:"schema"`
			Devices []deviceEntry `json:"devices"`
		}{"onnxcost/devices/v1", entries})
	case "csv":
		var rows [][]string
		text := func(v costmodel.Optional) string {
			if !v.Known() {
				return ""
			}
			return fmt.Sprint(float64(v))
		}
		for _, e := range entries {
			rows = append(rows, []string{e.Name, string(e.Kind), string(e.Class), fmt.Sprint(e.Year), text(e.PeakFP32), text(e.PeakFP16), text(e.PeakINT8), text(e.Bandwidth), text(e.MemoryBytes), text(e.LimitW)})
		}
		return writeCSV(s.out, []string{"name", "kind", "class", "year", "peak_fp32_flops", "peak_fp16_flops", "peak_int8_flops", "memory_bandwidth_bytes_per_s", "memory_bytes", "limit_w"}, rows)
	}
	titles := map[specs.Kind]string{
		specs.Calibrated: "Calibrated: coefficients fitted to measurements",
		specs.Datasheet:  "Data sheets: stated peaks and a table of assumptions (onnxcost devices show NAME)",
	}
	for i, kind := range []specs.Kind{specs.Calibrated, specs.Datasheet} {
		g := &grid{columns: []column{{title: "name"}, {title: "device", max: 52}, {title: "year", right: true}, {title: "fp32", right: true}, {title: "fp16", right: true},
			{title: "int8", right: true}, {title: "memory", right: true}, {title: "bandwidth", right: true}, {title: "limit", right: true}, {title: "runtime"}}}
		for _, e := range entries {
			if e.Kind != kind {
				continue
			}
			g.add(e.Name, e.Title, fmt.Sprint(e.Year), rateOf(e.PeakFP32), rateOf(e.PeakFP16), rateOf(e.PeakINT8), byteSize(float64(e.MemoryBytes)),
				scale(float64(e.Bandwidth), "B/s"), optional(e.LimitW, "W"), string(e.Runtime))
		}
		if len(g.rows) == 0 {
			continue
		}
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		fmt.Fprintf(s.out, "%s\n\n", titles[kind])
		if err := writeGrid(s, g, output == "markdown"); err != nil {
			return err
		}
	}
	return nil
}

// rateOf prints a peak, blank where the device has none.
func rateOf(v costmodel.Optional) string {
	if !v.Known() {
		return ""
	}
	return count(float64(v))
}
