package main

import (
	"slices"
	"strings"
	"sync"

	"github.com/onnxcost/onnxcost/analyzer"
)

// dimUse is what several models make of --dim: a name that some have is for those, and only one that none has is an
// error.
type dimUse struct {
	mu     sync.Mutex
	models int
	found  map[string]bool
	known  []string // symbols of the models
}

// several says that the command has so many models.
func (f *modelFlags) several(models int) {
	if models > 1 && len(f.dims) > 0 {
		f.used = &dimUse{found: map[string]bool{}}
	}
}

// note records which of --dim a model has.
func (f *modelFlags) note(r *analyzer.Report) {
	u := f.used
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.models++
	for _, d := range f.dims {
		if name, _, _ := cutLast(d); !slices.Contains(r.UnusedDims, name) {
			u.found[name] = true
		}
	}
	for _, s := range r.Symbols {
		if !slices.Contains(u.known, s.Name) {
			u.known = append(u.known, s.Name)
		}
	}
}

// unused refuses the first --dim whose name no model has.
func (f *modelFlags) unused() error {
	if f.used == nil || f.used.models == 0 {
		return nil
	}
	for _, d := range f.dims {
		if name, _, _ := cutLast(d); !f.used.found[name] {
			slices.Sort(f.used.known)
			have := "all their dimensions are numbers"
			if len(f.used.known) > 0 {
				have = "they have " + strings.Join(f.used.known[:min(20, len(f.used.known))], ", ")
			}
			return misuse("--dim %s: no model has a free dimension %q; %s", d, name, have)
		}
	}
	return nil
}
