package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// column is one column of a table: numbers are aligned right.
type column struct {
	title string
	right bool
	max   int // widest text before it is cut in the middle; 0 for no limit
}

// grid is a table as text, for people; raw holds the same rows unscaled, for programs.
type grid struct {
	columns []column
	rows    [][]string
	footer  []string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// render writes the grid aligned, with a line under the header and above the footer.
func (g *grid) render(w io.Writer) error {
	t := g.writer()
	style := table.StyleDefault
	style.Options = table.Options{SeparateHeader: true, SeparateFooter: true}
	style.Box = table.BoxStyle{MiddleHorizontal: "─", PaddingLeft: "", PaddingRight: "  "}
	style.Format = table.FormatOptions{Header: text.FormatDefault, Footer: text.FormatDefault}
	t.SetStyle(style)
	for _, line := range strings.Split(t.Render(), "\n") {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// markdown writes the grid as a GitHub table.
func (g *grid) markdown(w io.Writer) error {
	_, err := fmt.Fprintln(w, g.writer().RenderMarkdown())
	return err
}

func (g *grid) writer() table.Writer {
	t := table.NewWriter()
	header := make(table.Row, len(g.columns))
	configs := make([]table.ColumnConfig, len(g.columns))
	for i, c := range g.columns {
		header[i] = c.title
		align := text.AlignLeft
		if c.right {
			align = text.AlignRight
		}
		configs[i] = table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align, AlignFooter: align}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	for _, r := range g.rows {
		t.AppendRow(g.cells(r))
	}
	if g.footer != nil {
		t.AppendFooter(g.cells(g.footer))
	}
	return t
}

func (g *grid) cells(r []string) table.Row {
	row := make(table.Row, len(r))
	for i, c := range r {
		row[i] = shorten(c, g.columns[i].max)
	}
	return row
}

// shorten cuts a long text in the middle, where names differ least.
func shorten(s string, limit int) string {
	runes := []rune(s)
	if limit == 0 || len(runes) <= limit {
		return s
	}
	head := limit / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(limit-head-1):])
}

// writeJSON writes a document for programs, indented.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(v)
}

// writeCSV writes a header and rows.
func writeCSV(w io.Writer, header []string, rows [][]string) error {
	c := csv.NewWriter(w)
	if err := c.Write(header); err != nil {
		return err
	}
	if err := c.WriteAll(rows); err != nil {
		return err
	}
	return c.Error()
}
