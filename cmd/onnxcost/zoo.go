package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
	"github.com/onnxcost/onnxcost/analyzer/zoo"
)

func newZoo(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "zoo",
		Short: "List and export the paper's networks and others as ONNX models",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse("zoo %s: want list or export", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newZooList(s), newZooExport(s))
	return c
}

// zooEntry is one network as zoo list prints it.
type zooEntry struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Group  string `json:"group"`
	Input  string `json:"input"`
	MACs   int64  `json:"macs"`
	Params int64  `json:"params"`
	Source string `json:"source"`
	Note   string `json:"note,omitempty"`
}

func newZooList(s streams) *cobra.Command {
	output := "table"
	var notes bool
	outputs := []string{"table", "json", "csv", "markdown"}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the networks with their size",
		Example: "  onnxcost zoo list",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, outputs); err != nil {
				return err
			}
			var entries []zooEntry
			for _, name := range zoo.Names() {
				e, err := describeNetwork(cmd, name)
				if err != nil {
					return err
				}
				entries = append(entries, e)
			}
			return renderZoo(s, output, notes, entries)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", output, strings.Join(outputs, ", "))
	c.Flags().BoolVar(&notes, "notes", false, "add where each network comes from and what to know of it")
	completeWords(c, "output", outputs)
	return c
}

func describeNetwork(cmd *cobra.Command, name string) (zooEntry, error) {
	info, _ := zoo.Info(name)
	m, err := zoo.Build(name, zoo.None)
	if err != nil {
		return zooEntry{}, err
	}
	r, err := analyzer.Analyze(cmd.Context(), m, analyzer.Options{})
	if err != nil {
		return zooEntry{}, err
	}
	t := r.Totals()
	macs, err := t.MACs.Eval(r.Dims)
	if err != nil {
		return zooEntry{}, err
	}
	params, err := t.TrainableParams.Eval(r.Dims)
	if err != nil {
		return zooEntry{}, err
	}
	return zooEntry{Name: name, Title: info.Title, Group: string(info.Group),
		Input: fmt.Sprintf("%dx%dx%d", info.Input[0], info.Input[1], info.Input[2]), MACs: macs, Params: params,
		Source: info.Source, Note: info.Note}, nil
}

func renderZoo(s streams, output string, notes bool, entries []zooEntry) error {
	switch output {
	case "json":
		return writeJSON(s.out, struct {
			Schema   string     `json:"schema"`
			Networks []zooEntry `json:"networks"`
		}{"onnxcost/zoo/v1", entries})
	case "csv":
		var rows [][]string
		for _, e := range entries {
			rows = append(rows, []string{e.Name, e.Title, e.Group, e.Input, fmt.Sprint(e.MACs), fmt.Sprint(e.Params), e.Source, e.Note})
		}
		return writeCSV(s.out, []string{"name", "title", "group", "input", "macs", "trainable_params", "source", "note"}, rows)
	}
	g := &grid{columns: []column{{title: "name"}, {title: "network"}, {title: "group"}, {title: "input", right: true},
		{title: "MACs", right: true}, {title: "trainable params", right: true}}}
	for _, e := range entries {
		g.add(e.Name, e.Title, e.Group, e.Input, count(float64(e.MACs)), count(float64(e.Params)))
	}
	if err := writeGrid(s, g, output == "markdown"); err != nil {
		return err
	}
	if !notes {
		return nil
	}
	for _, e := range entries {
		fmt.Fprintf(s.out, "\n%s: %s", e.Name, e.Source)
		if e.Note != "" {
			fmt.Fprintf(s.out, "\n  %s", e.Note)
		}
		fmt.Fprintln(s.out)
	}
	return nil
}

func newZooExport(s streams) *cobra.Command {
	weights, dir := "none", "."
	c := &cobra.Command{
		Use:   "export NAME...",
		Short: "Write networks as ONNX files",
		Long: `Write networks of the zoo as ONNX files. With --weights none every weight is a ConstantOfShape node, so that the file
is tiny and still runs at full size; with --weights fill the file holds seeded random weights.`,
		Example: "  onnxcost zoo export resnet50 --weights fill --dir models",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misuse("zoo export: no network; 'onnxcost zoo list' has the names")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			forms := map[string]zoo.Weights{"none": zoo.None, "fill": zoo.Fill}
			form, ok := forms[weights]
			if !ok {
				return misuse("--weights %s: want none or fill", weights)
			}
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return err
			}
			for _, arg := range expandZoo(args) {
				if err := exportNetwork(s, strings.TrimPrefix(arg, "zoo:"), form, dir); err != nil {
					return err
				}
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return zoo.Names(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().StringVar(&weights, "weights", weights, "none (generated by the graph) or fill (random, stored)")
	c.Flags().StringVar(&dir, "dir", dir, "`DIR` to write to; made where it does not exist")
	completeWords(c, "weights", []string{"none", "fill"})
	return c
}

func exportNetwork(s streams, name string, form zoo.Weights, dir string) error {
	m, err := buildZoo(name, form)
	if err != nil {
		return err
	}
	if info, ok := zoo.Info(name); ok {
		name = info.Name
	}
	path := filepath.Join(dir, name+".onnx")
	if err := onnx.WriteFile(path, m); err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s  %s\n", path, byteSize(float64(st.Size())))
	return err
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misuse("%s takes no argument, have %q", cmd.Name(), args[0])
	}
	return nil
}
