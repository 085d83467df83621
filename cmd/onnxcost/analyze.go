package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/dim"
)

type analyzeOptions struct {
	modelFlags
	fleetFlags
	by         string
	top        int
	depth      int
	convention string
	order      string
	verify     bool
	trace      string
	pprof      string
	output     string
}

var (
	analyzeOutputs = []string{"table", "json", "ndjson", "csv", "markdown"}
	analyzeBy      = []string{"node", "op", "scope", "total"}
	analyzeOrders  = []string{"file", "min-memory"}
)

func newAnalyze(s streams) *cobra.Command {
	var o analyzeOptions
	c := &cobra.Command{
		Use:   "analyze MODEL...",
		Short: "Count operations, parameters, traffic and peak activation memory",
		Long: `Count a model's operations, parameters, memory traffic and peak activation memory from its graph.

MODEL is a path, a quoted pattern ('models/**/*.onnx'), - for stdin, or zoo:NAME. The leading free dimension of the inputs is taken as 1 unless --dim says
otherwise; other free dimensions stay symbols and the figures are formulas in them.`,
		Example: `  onnxcost analyze zoo:resnet50
  onnxcost analyze model.onnx --dim batch=8 --by scope
  onnxcost analyze model.onnx -o json
  onnxcost analyze 'models/**/*.onnx' -o ndjson --resume done.ndjson >> done.ndjson`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && o.fromFile == "" {
				return misuse("analyze: no model; give a path, - for stdin, or zoo:NAME")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runAnalyze(cmd.Context(), s, o, args) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.by, "by", "", "rows: "+strings.Join(analyzeBy, ", ")+" (default op in tables, node elsewhere)")
	f.IntVar(&o.top, "top", 0, "only the `N` rows with the most MACs, the rest as one row")
	f.IntVar(&o.depth, "depth", 3, "levels of the hierarchy that --by scope shows in a table; 0 for all")
	f.StringVar(&o.convention, "convention", "", "count also as another tool does: "+conventionNames())
	f.StringVar(&o.order, "order", "file", "order of execution: "+strings.Join(analyzeOrders, ", "))
	f.BoolVar(&o.verify, "verify", false, "prove the memory plan by running marks through it; exit 1 if it fails")
	f.StringVar(&o.trace, "trace", "", "write the memory timeline to `FILE` as Chrome trace events, for Perfetto")
	f.StringVar(&o.pprof, "pprof", "", "write the counts to `FILE` as a profile for 'go tool pprof -http'")
	f.StringVar(&o.fromFile, "from-file", "", "read models from `FILE`, one a line; - for stdin")
	f.StringVar(&o.resume, "resume", "", "leave out the models that `FILE` holds, the output of an earlier -o ndjson")
	f.IntVar(&o.jobs, "jobs", 0, "models analysed at a time (default: all cores)")
	f.StringVarP(&o.output, "output", "o", "table", strings.Join(analyzeOutputs, ", "))
	completeWords(c, "by", analyzeBy)
	completeWords(c, "output", analyzeOutputs)
	completeWords(c, "order", analyzeOrders)
	c.ValidArgsFunction = completeModels
	return c
}

// analyzed is what the analyze command renders for one model.
type analyzed struct {
	report     *analyzer.Report
	summary    *analyzer.Summary
	convention *recount
	arena      *analyzer.Arena // where something needs the plan itself
}

// recount is the total under another tool's convention.
type recount struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Total dim.Dim `json:"total"`
	Note  string  `json:"note,omitempty"`
}

// analyzeEntry is one model in JSON.
type analyzeEntry struct {
	*analyzer.Summary
	Convention *recount `json:"convention,omitempty"`
}

func runAnalyze(ctx context.Context, s streams, o analyzeOptions, args []string) error {
	if err := oneOf("-o", o.output, analyzeOutputs); err != nil {
		return err
	}
	if o.by != "" {
		if err := oneOf("--by", o.by, analyzeBy); err != nil {
			return err
		}
	}
	if err := oneOf("--order", o.order, analyzeOrders); err != nil {
		return err
	}
	if o.top < 0 || o.depth < 0 || o.jobs < 0 {
		return misuse("--top %d --depth %d --jobs %d: want at least 0", o.top, o.depth, o.jobs)
	}
	if o.resume != "" && o.output != "ndjson" {
		return misuse("--resume: want -o ndjson, have -o %s", o.output)
	}
	var convention *analyzer.Convention
	if o.convention != "" {
		c, ok := analyzer.ConventionByName(o.convention)
		if !ok {
			return misuse("--convention %s: want one of %s", o.convention, conventionNames())
		}
		convention = &c
	}
	machine := o.output == "json" || o.output == "ndjson"
	if o.by == "" {
		o.by = "op"
		if machine || o.output == "csv" {
			o.by = "node"
		}
	}
	models, missing, err := o.models(s, args)
	if err != nil {
		return err
	}
	o.several(len(models))
	out := &analyzeWriter{s: s, o: o}
	if err := out.begin(); err != nil {
		return err
	}
	worst, err := analyzeFleet(ctx, s, o, models, func(ctx context.Context, arg string) fleetResult {
		var r fleetResult
		r.analyzed, r.err = analyzeOne(ctx, s, o, arg, machine && o.by == "node", convention)
		if r.err == nil {
			r.data, r.err = out.encode(r.analyzed)
		}
		return r
	}, out.add)
	if err != nil {
		return err
	}
	if missing != nil {
		for _, line := range strings.Split(missing.Error(), "\n") {
			fmt.Fprintf(s.err, "onnxcost: %s\n", line)
		}
		worst = max(worst, exitInput)
	}
	if err := out.end(); err != nil {
		return err
	}
	if err := o.unused(); err != nil {
		return err
	}
	if worst != exitDone {
		return &reported{worst}
	}
	return nil
}

// describeError puts the model before the message unless the message already names it.
func describeError(arg string, err error) string {
	if strings.HasPrefix(err.Error(), arg) || strings.Contains(err.Error(), arg+":") {
		return err.Error()
	}
	return arg + ": " + err.Error()
}

func analyzeOne(ctx context.Context, s streams, o analyzeOptions, arg string, nodes bool, c *analyzer.Convention) (analyzed, error) {
	r, name, err := o.analyze(ctx, s.in, arg)
	if err != nil {
		return analyzed{}, err
	}
	a, err := summarise(r, o, name, nodes)
	if err != nil {
		return analyzed{}, fault(r, err, len(o.dims) > 0)
	}
	if c != nil {
		a.convention = &recount{c.Name, c.Unit, r.Recount(*c).Bind(r.Dims), c.Note}
	}
	return a, nil
}

// groups are the rows that --by asks for.
func groups(r *analyzer.Report, by string) []analyzer.Group {
	switch by {
	case "op":
		gs := r.Groups((*analyzer.Node).Op)
		sortGroups(gs)
		return gs
	case "scope":
		return r.Groups(analyzer.Scope)
	case "node":
		i := 0
		gs := r.Groups(func(*analyzer.Node) string { i++; return fmt.Sprint(i) })
		i = 0
		r.Walk(func(n *analyzer.Node, _ dim.Dim, _ int) { gs[i].Name = n.Name; i++ })
		return gs
	}
	return nil
}

// sortGroups puts the most MACs first, then the most FLOPs, then bytes; formulas compare by their leading terms only
// where that is provable and keep their order otherwise.
func sortGroups(gs []analyzer.Group) {
	slices.SortStableFunc(gs, func(a, b analyzer.Group) int {
		return cmp.Or(compareDims(b.MACs, a.MACs), compareDims(b.FLOPs, a.FLOPs), compareDims(b.BytesRead.Add(b.BytesWritten), a.BytesRead.Add(a.BytesWritten)))
	})
}

func compareDims(a, b dim.Dim) int {
	if a.Equal(b) {
		return 0
	}
	if le, known := a.LessEq(b); known {
		if le {
			return -1
		}
		return 1
	}
	return 0
}

// topGroups keeps the n groups with the most MACs in their order and adds the others up.
func topGroups(gs []analyzer.Group, n int) []analyzer.Group {
	if n == 0 || len(gs) <= n {
		return gs
	}
	ranked := slices.Clone(gs)
	sortGroups(ranked)
	rest := analyzer.Group{Name: fmt.Sprintf("(%d others)", len(gs)-n)}
	for _, g := range ranked[n:] {
		addGroup(&rest, g)
	}
	return append(ranked[:n:n], rest)
}
