package specs

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
)

//go:embed paper/paper.yaml
var paperFile []byte

const paperSchemaID = "onnxcost/paper/v1"

// PaperData is the published data of arXiv:1605.07678v4, as read from its
// figures. Unlike everywhere else in the program, numbers keep the units of the
// figures (ms, W, MB, G-Ops), so that they are the published ones to the digit;
// the names of the fields say which.
type PaperData struct {
	Schema  string            `spec:"schema,required" unit:"onnxcost/paper/v1"`
	Title   string            `spec:"title,required"`
	Authors []string          `spec:"authors,required,flow"`
	ArXiv   string            `spec:"arxiv,required"`
	Year    int               `spec:"year,required" range:">0"`
	Sources map[string]Source `spec:"sources,required,flow"`
	Board   PaperBoard        `spec:"board,required"`
	// Batches are the batch sizes of Figures 3 to 5. A series that is shorter
	// ends early: the board ran out of memory.
	Batches []int `spec:"batches,required,flow" range:">0"`
	// Legend is the order of the legends, and of drawing, in Figures 3 to 5.
	Legend []string `spec:"legend,required,flow"`
	// Networks stand in the order of Figures 1 and 10.
	Networks []PaperNetwork `spec:"networks,required"`
}

// PaperBoard is what the measurements were taken on and with.
type PaperBoard struct {
	Device   string  `spec:"device,required"`            // a built-in device
	IdleW    float64 `spec:"idle_w,required" range:">0"` // power in the figures is net of this
	Software string  `spec:"software,required"`
	Method   string  `spec:"method,required"`
	Source   string  `spec:"source,required"`
}

// A PaperNetwork is one network of the figures.
type PaperNetwork struct {
	Name    string `spec:"name,required"` // as the figures write it
	Zoo     string `spec:"zoo,required"`  // as zoo:NAME does
	Group   string `spec:"group,required"`
	Color   string `spec:"color,required"` // #rrggbb; ColorBrewer, hue by group
	ColorV2 string `spec:"color_v2"`       // where version 2 and Figure 5 differ
	Year    int    `spec:"year,required" range:">0"`
	Variant string `spec:"variant,required"`
	Input   [3]int `spec:"input,required,flow" range:">0"` // channels, height, width

	Top1Percent     float64 `spec:"top1_percent,required" range:">0"`               // Figure 1: one central crop
	Top1Uncertainty float64 `spec:"top1_uncertainty" range:">0"`                    // of the reading, where above 0.03
	GOps            float64 `spec:"gops,required" range:">0"`                       // published, 10^9 operations per image
	PlottedGOps     float64 `spec:"plotted_gops,required" range:">0"`               // the centre of the blob in Figure 2
	RecountGOps     float64 `spec:"recount_gops,required" range:">0"`               // by the rules of torch-opCounter in 2016
	PlottedMParams  float64 `spec:"plotted_mparams,required" range:">0"`            // 10^6 parameters, the area of the blob
	MACs            int64   `spec:"macs,required" range:">0"`                       // of convolutions and FC layers, batch 1
	Params          int64   `spec:"params,required" range:">0"`                     // weights and biases, and BN's in the ResNets and Inceptions
	ParamsAll       int64   `spec:"params_all" range:">0"`                          // with BN and PReLU, where Params leaves them out
	Density         float64 `spec:"density_percent_per_mparam,required" range:">0"` // Figure 10

	// One value per batch size, from batch 1 up to the largest plotted.
	TimeMS   []float64 `spec:"time_ms,required,flow"` // Figure 3: per image
	PowerW   []float64 `spec:"power_w,required,flow"` // Figure 4: net of idle
	MemoryMB []float64 `spec:"memory_mb,flow"`        // Figure 5: maximum, net; absent for three networks

	Sources []string `spec:"sources,required,flow"`
	// Mismatch says that published operations and parameters are not those of
	// the network named.
	Mismatch bool   `spec:"mismatch"`
	Note     string `spec:"note"`
}

// Paper gives the published data. The value is the caller's own.
func Paper() *PaperData {
	p := new(PaperData)
	r, ok := decodeAs(paperSchemaID, "paper.yaml", paperFile, p)
	if ok {
		p.validate(r)
	}
	if err := r.err(); err != nil {
		panic("specs: " + err.Error())
	}
	return p
}

// Network finds a network by its name in the figures or in the zoo.
func (p *PaperData) Network(name string) (*PaperNetwork, bool) {
	for i := range p.Networks {
		if n := &p.Networks[i]; strings.EqualFold(n.Name, name) || strings.EqualFold(n.Zoo, name) {
			return n, true
		}
	}
	return nil, false
}

// At gives the value of a series of Figures 3 to 5 at a batch size.
func (p *PaperData) At(series []float64, batch int) (float64, bool) {
	for i, b := range p.Batches {
		if b == batch && i < len(series) {
			return series[i], true
		}
	}
	return 0, false
}

func (p *PaperData) validate(r *report) {
	for i := range p.Networks {
		n, path := &p.Networks[i], "networks["+strconv.Itoa(i)+"]"
		for _, key := range n.Sources {
			if _, ok := p.Sources[key]; !ok {
				r.at(path+".sources", "no source %s", quote(key))
			}
		}
		if len(n.TimeMS) != len(n.PowerW) {
			r.at(path+".power_w", "want %d values as time_ms has, have %d", len(n.TimeMS), len(n.PowerW))
		}
		for name, s := range map[string][]float64{"time_ms": n.TimeMS, "memory_mb": n.MemoryMB} {
			if len(s) > len(p.Batches) {
				r.at(path+"."+name, "want at most %d values", len(p.Batches))
			}
		}
		if d := n.Top1Percent / (float64(n.Params) / 1e6); !n.Mismatch && math.Abs(d-n.Density) > 0.01*d {
			r.at(path+".density_percent_per_mparam", "accuracy by parameters is %.3f", d)
		}
	}
	for _, name := range p.Legend {
		if _, ok := p.Network(name); !ok {
			r.at("legend", "no network %s", quote(name))
		}
	}
}
