package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer"
	"github.com/onnxcost/onnxcost/specs"
)

// ordered runs work for 0 … n-1 on all cores and hands the results to emit in order, one at a time. At most window
// results wait or are in the making, so memory does not grow with n. It ends at emit's first error, or with the
// context's; work that has begun ends first.
func ordered[T any](ctx context.Context, n, workers int, work func(ctx context.Context, i int) T, emit func(i int, r T) error) error {
	workers = max(1, min(workers, n))
	window := 4 * workers
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	slots := make([]chan T, window)
	for i := range slots {
		slots[i] = make(chan T, 1)
	}
	jobs := make(chan int, window)
	for range workers {
		group.Go(func() {
			for i := range jobs {
				var r T
				if ctx.Err() == nil {
					r = work(ctx, i)
				}
				slots[i%window] <- r
			}
		})
	}
	defer close(jobs)
	next := 0
	for i := range n {
		for next < n && next < i+window {
			jobs <- next
			next++
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-slots[i%window]:
			if err := emit(i, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// fleetFlags choose many models at once.
type fleetFlags struct {
	fromFile string
	resume   string
	jobs     int
}

// models lists the models of arguments and of --from-file: patterns expanded, zoo:all too, and those that an earlier run
// finished left out. missing are the patterns that match nothing.
func (f *fleetFlags) models(s streams, args []string) (models []string, missing error, err error) {
	if f.fromFile != "" {
		more, err := f.list(s)
		if err != nil {
			return nil, nil, err
		}
		args = append(args[:len(args):len(args)], more...)
	}
	var gaps []error
	for _, a := range expandZoo(args) {
		if strings.HasPrefix(a, "zoo:") || !specs.HasGlob(a) {
			models = append(models, a)
			continue
		}
		if _, err := os.Lstat(a); err == nil { // a file of that very name
			models = append(models, a)
			continue
		}
		found, err := specs.Glob(".", a)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%s: no file matches the pattern", a)
		}
		if err != nil {
			gaps = append(gaps, err)
			continue
		}
		models = append(models, found...)
	}
	if f.resume != "" {
		done, err := finished(s, f.resume)
		if err != nil {
			return nil, nil, err
		}
		keep := models[:0]
		for _, m := range models {
			if !done[m] {
				keep = append(keep, m)
			}
		}
		models = keep
	}
	return models, errors.Join(gaps...), nil
}

// list reads one model a line; empty lines do not count.
func (f *fleetFlags) list(s streams) ([]string, error) {
	in := s.in
	if f.fromFile != "-" {
		file, err := os.Open(f.fromFile)
		if err != nil {
			return nil, fmt.Errorf("--from-file: %w", err)
		}
		defer file.Close()
		in = file
	}
	var out []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := strings.TrimSuffix(lines.Text(), "\r"); strings.TrimSpace(line) != "" {
			out = append(out, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, &codedError{exitInput, fmt.Errorf("--from-file %s: %w", f.fromFile, err)}
	}
	return out, nil
}

// finished reads the models of an ndjson file that an earlier run wrote. A last line that the run did not finish does
// not count; the output then begins with a line break, so that it can be appended. A file that is not there yet has
// none.
func finished(s streams, path string) (map[string]bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	defer file.Close()
	done := map[string]bool{}
	r := bufio.NewReaderSize(file, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(line) > 0 {
				fmt.Fprintf(s.err, "onnxcost: --resume: %s:%d: the line is not finished and does not count\n", path, n)
				if _, err := fmt.Fprintln(s.out); err != nil {
					return nil, err
				}
			}
			return done, nil
		}
		if err != nil {
			return nil, fmt.Errorf("--resume: %w", err)
		}
		if len(strings.TrimSpace(string(line))) == 0 {
			continue
		}
		var entry struct {
			Model *string `json:"model"`
		}
		switch err := json.Unmarshal(line, &entry); {
		case err != nil:
			fmt.Fprintf(s.err, "onnxcost: --resume: %s:%d: no JSON, does not count\n", path, n)
		case entry.Model == nil:
			return nil, &codedError{exitInput, fmt.Errorf("--resume: %s:%d: no model in it; want what analyze -o ndjson writes", path, n)}
		default:
			done[*entry.Model] = true
		}
	}
}

// fleetResult is what a worker makes of one model.
type fleetResult struct {
	analyzed
	data []byte // the entry in JSON, for the forms that need it
	err  error
}

// analyzeFleet analyses the models on all cores and calls emit for each in order; those that fail are reported and do
// not stop the others. It returns the worst exit code.
func analyzeFleet(ctx context.Context, s streams, o analyzeOptions, models []string, one func(ctx context.Context, model string) fleetResult, emit func(fleetResult) error) (int, error) {
	worst := exitDone
	workers := o.jobs
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	bar := newProgress(s.err, len(models))
	defer bar.clear()
	err := ordered(ctx, len(models), workers, func(ctx context.Context, i int) fleetResult { return one(ctx, models[i]) },
		func(i int, r fleetResult) error {
			bar.show(i, models[i])
			if r.err != nil {
				if errors.Is(r.err, context.Canceled) {
					return r.err
				}
				bar.clear()
				fmt.Fprintf(s.err, "onnxcost: %s\n", describeError(models[i], r.err))
				worst = max(worst, exitCode(r.err))
				return nil
			}
			if o.strict && r.report.LowerBound() {
				worst = max(worst, exitFindings)
			}
			return emit(r)
		})
	if errors.Is(err, context.Canceled) {
		err = &codedError{exitMisuse, errors.New("interrupted")}
	}
	return worst, err
}

// reportsJSON writes {"schema", "reports": […]} as the entries come, as one document.
type reportsJSON struct {
	w     io.Writer
	count int
}

func (j *reportsJSON) begin() error {
	_, err := fmt.Fprintf(j.w, "{\n \"schema\": %q,\n \"reports\": [", analyzer.SummarySchema)
	return err
}

func (j *reportsJSON) entry(data []byte) error {
	sep := ",\n  "
	if j.count == 0 {
		sep = "\n  "
	}
	j.count++
	if _, err := io.WriteString(j.w, sep); err != nil {
		return err
	}
	_, err := j.w.Write(data)
	return err
}

func (j *reportsJSON) end() error {
	if j.count > 0 {
		if _, err := fmt.Fprint(j.w, "\n "); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(j.w, "]\n}\n")
	return err
}
