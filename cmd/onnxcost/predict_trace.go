package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// traceEvent is one entry of the Chrome trace event format, which Perfetto and chrome://tracing read. Times are in
// microseconds.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	TS       float64        `json:"ts"`
	Duration float64        `json:"dur,omitempty"`
	PID      int            `json:"pid"`
	TID      int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

// traceEvents lays the kernels of every prediction out in time, a process for each prediction and a thread for each
// bound, so that what the device waits for shows at a glance.
func traceEvents(all []predicted) []traceEvent {
	events := []traceEvent{}
	bounds := map[string]int{"compute": 1, "memory": 2, "overhead": 3}
	for i, x := range all {
		pid := i + 1
		events = append(events, traceEvent{Name: "process_name", Phase: "M", PID: pid, Args: map[string]any{
			"name": fmt.Sprintf("%s on %s, %s", x.Model, x.Device, setting(x.Prediction))}})
		for _, b := range slices.Sorted(maps.Keys(bounds)) {
			events = append(events, traceEvent{Name: "thread_name", Phase: "M", PID: pid, TID: bounds[b], Args: map[string]any{"name": b + " bound"}})
		}
		for _, k := range x.Kernels {
			name := k.Name
			if name == "" {
				name = k.Op
			}
			events = append(events, traceEvent{Name: name, Category: k.Op, Phase: "X", TS: 1e6 * k.StartS, Duration: 1e6 * k.TimeS, PID: pid,
				TID: bounds[string(k.Bound)], Args: map[string]any{"op": k.Op, "scope": k.Scope, "nodes": k.Nodes, "bound": k.Bound, "flops": k.FLOPs, "bytes": k.Bytes, "energy_j": k.EnergyJ}})
		}
	}
	return events
}

// writeTrace writes the predicted timelines to a file.
func writeTrace(path string, all []predicted) error {
	data, err := json.MarshalIndent(struct {
		TraceEvents []traceEvent `json:"traceEvents"`
		Unit        string       `json:"displayTimeUnit"`
	}{traceEvents(all), "ms"}, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o666); err != nil {
		return misuse("--trace: %v", err)
	}
	return nil
}
