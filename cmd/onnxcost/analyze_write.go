package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/onnxcost/onnxcost/analyzer"
)

// analyzeWriter writes the models of one run as they come, in the form asked for. It keeps a model only where a file
// about all of them is to be written at the end.
type analyzeWriter struct {
	s       streams
	o       analyzeOptions
	json    reportsJSON
	csv     *csv.Writer
	profile *profileBuilder
	all     []analyzed // for --trace
	count   int
}

func (w *analyzeWriter) begin() error {
	if w.o.pprof != "" {
		w.profile = newProfile(countTypes[0].name, countTypes...)
	}
	switch w.o.output {
	case "json":
		w.json.w = w.s.out
		return w.json.begin()
	case "csv":
		w.csv = csv.NewWriter(w.s.out)
		return w.csv.Write([]string{"model", w.o.by, "nodes", "macs", "flops", "special", "params", "bytes_read", "bytes_written"})
	}
	return nil
}

// encode makes a model's entry where the form is JSON. It runs beside others.
func (w *analyzeWriter) encode(a analyzed) ([]byte, error) {
	entry := analyzeEntry{a.summary, a.convention}
	switch w.o.output {
	case "json":
		return entry.lines()
	case "ndjson":
		data, err := json.Marshal(entry)
		return append(data, '\n'), err
	}
	return nil, nil
}

// lines is the entry with a line for each of its parts, and for each node. Nodes are encoded one by one: a large graph has
// millions, and their text is most of what it needs.
func (e analyzeEntry) lines() ([]byte, error) {
	head := *e.Summary
	head.Nodes = nil
	data, err := json.Marshal(analyzeEntry{&head, e.Convention})
	if err != nil {
		return nil, err
	}
	const indent = "  "
	out := appendJSONLines(nil, data, indent, 2)
	if len(e.Nodes) == 0 {
		return out, nil
	}
	out = append(bytes.TrimSuffix(out, []byte("\n"+indent+"}")), ",\n"+indent+` "nodes": [`...)
	const sample = 32
	start := len(out)
	for i, n := range e.Nodes {
		if data, err = json.Marshal(n); err != nil {
			return nil, err
		}
		if i == sample { // room for all, by the size of the first
			out = slices.Grow(out, (len(out)-start)/sample*len(e.Nodes)*9/8)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, "\n"+indent+"  "...)
		out = appendJSONLines(out, data, "", 0)
	}
	return append(out, "\n"+indent+" ]\n"+indent+"}"...), nil
}

// appendJSONLines appends a compact document, broken into lines down to a depth of nesting and with a blank behind commas
// and colons below it. Lines but the first begin with indent, and a blank for each level.
func appendJSONLines(out, data []byte, indent string, depth int) []byte {
	level := 0
	line := func() {
		out = append(append(out, '\n'), indent...)
		for range level {
			out = append(out, ' ')
		}
	}
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '"':
			end := i + 1
			for ; data[end] != '"'; end++ {
				if data[end] == '\\' {
					end++
				}
			}
			out = append(out, data[i:end+1]...)
			i = end
		case '{', '[':
			out = append(out, c)
			if level++; level <= depth && data[i+1] != c+2 { // c+2 closes it
				line()
			}
		case '}', ']':
			if level--; level < depth && data[i-1] != c-2 {
				line()
			}
			out = append(out, c)
		case ',':
			if out = append(out, c); level <= depth {
				line()
			} else {
				out = append(out, ' ')
			}
		case ':':
			out = append(out, c, ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}

// add writes the next model.
func (w *analyzeWriter) add(r fleetResult) error {
	defer func() { w.count++ }()
	if w.profile != nil {
		if err := w.profile.report(r.summary.Model, r.report); err != nil {
			return err
		}
	}
	if w.o.trace != "" {
		w.all = append(w.all, r.analyzed)
	}
	switch w.o.output {
	case "json":
		return w.json.entry(r.data)
	case "ndjson":
		_, err := w.s.out.Write(r.data)
		return err
	case "csv":
		return w.rows(r.analyzed)
	}
	if w.count > 0 {
		fmt.Fprintln(w.s.out)
	}
	return renderReport(w.s, w.o, r.analyzed)
}

func (w *analyzeWriter) rows(a analyzed) error {
	gs := topGroups(groups(a.report, w.o.by), w.o.top)
	if w.o.by == "total" {
		t := a.summary.Totals
		gs = []analyzer.Group{{Name: "total", Nodes: t.Nodes, MACs: t.MACs, FLOPs: t.FLOPs, Special: t.Special, Params: t.Params,
			BytesRead: t.BytesRead, BytesWritten: t.BytesWritten}}
	}
	for _, g := range gs {
		if err := w.csv.Write([]string{a.summary.Model, g.Name, fmt.Sprint(g.Nodes), g.MACs.String(), g.FLOPs.String(), g.Special.String(),
			g.Params.String(), g.BytesRead.String(), g.BytesWritten.String()}); err != nil {
			return err
		}
	}
	w.csv.Flush()
	return w.csv.Error()
}

// end closes the document and writes the files about all models.
func (w *analyzeWriter) end() error {
	switch w.o.output {
	case "json":
		if err := w.json.end(); err != nil {
			return err
		}
	case "csv":
		w.csv.Flush()
		if err := w.csv.Error(); err != nil {
			return err
		}
	}
	if w.profile != nil {
		if err := w.profile.write(w.o.pprof); err != nil {
			return err
		}
	}
	if len(w.all) > 0 {
		return writeMemoryTrace(w.o.trace, w.all)
	}
	return nil
}
