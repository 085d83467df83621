package plots

import (
	"math"

	"github.com/onnxcost/onnxcost/specs"
)

// Origin says where a network's figures come from.
type Origin uint8

const (
	Published Origin = iota // read from the paper's figures
	Predicted               // by the cost model
	Measured                // by the user
)

func (o Origin) String() string {
	return [...]string{"published", "predicted", "measured"}[o]
}

// A Network is one network of a figure. Unknown figures are NaN.
type Network struct {
	Name   string
	Paper  string // its name in the paper, which decides its colour; "" for a network of the user's
	Origin Origin

	Top1Percent float64 // one central crop, ImageNet
	GOps        float64 // 10^9 operations per image, as the paper's tool counts
	MParams     float64 // 10^6 parameters

	Batches  []int
	TimeMS   []float64 // forward time per image
	PowerW   []float64 // net of idle
	MemoryMB []float64 // maximum, 10^6 bytes, net of what the board needs without the network
	// TimeLowMS and TimeHighMS bound the time of predictions; nil where nothing is known of its error.
	TimeLowMS, TimeHighMS []float64

	// Notes say what is missing, and why, in clauses such as "batch 64 needs 5.1 GiB of 4 GiB".
	Notes []string
}

// at gives a series' value at a batch size, NaN where there is none.
func (n *Network) at(series []float64, batch int) float64 {
	for i, b := range n.Batches {
		if b == batch && i < len(series) {
			return series[i]
		}
	}
	return math.NaN()
}

// maxBatch is the largest batch size with a time; 0 for none.
func (n *Network) maxBatch() int {
	most := 0
	for i, b := range n.Batches {
		if i < len(n.TimeMS) && !math.IsNaN(n.TimeMS[i]) {
			most = max(most, b)
		}
	}
	return most
}

// hertz is the throughput in images per second at a batch size.
func (n *Network) hertz(batch int) float64 { return 1000 / n.at(n.TimeMS, batch) }

// density is the accuracy that a million parameters carry, in percent.
func (n *Network) density() float64 { return n.Top1Percent / n.MParams }

// A Dataset is what the figures of the paper are drawn from.
type Dataset struct {
	Networks []*Network
	Device   string   // title of the device of predictions; "" for the paper's board
	Software string   // runtime and precision of predictions
	Notes    []string // what holds for all networks
	// Elsewhere says that the predictions are for another device than the paper's board, so that time, power and memory are
	// compared, not judged, against the published ones.
	Elsewhere bool
}

// PaperDataset is the published data: fourteen networks in the order of Figures 1 and 10.
func PaperDataset() *Dataset {
	paper := specs.Paper()
	d := &Dataset{}
	for i := range paper.Networks {
		p := &paper.Networks[i]
		n := &Network{Name: p.Name, Paper: p.Name, Origin: Published, Top1Percent: p.Top1Percent, GOps: p.GOps, MParams: p.PlottedMParams}
		for j := range p.TimeMS {
			n.Batches = append(n.Batches, paper.Batches[j])
			n.MemoryMB = append(n.MemoryMB, math.NaN())
		}
		n.TimeMS, n.PowerW = p.TimeMS, p.PowerW
		copy(n.MemoryMB, p.MemoryMB)
		d.Networks = append(d.Networks, n)
	}
	return d
}

// Join overlays two datasets: the networks of a, then those of b.
func Join(a, b *Dataset) *Dataset {
	out := &Dataset{Device: a.Device, Software: a.Software, Elsewhere: a.Elsewhere || b.Elsewhere}
	if out.Device == "" {
		out.Device, out.Software = b.Device, b.Software
	}
	out.Networks = append(append(out.Networks, a.Networks...), b.Networks...)
	out.Notes = append(append(out.Notes, a.Notes...), b.Notes...)
	return out
}

// both says that the dataset holds published networks and others of the same names, so that the published ones are
// drawn hollow.
func (d *Dataset) both() bool {
	published, other := false, false
	for _, n := range d.Networks {
		if n.Paper != "" {
			published = published || n.Origin == Published
			other = other || n.Origin != Published
		}
	}
	return published && other
}

// hollow says how a network's marks are drawn.
func (d *Dataset) hollow(n *Network) bool { return n.Origin == Published && d.both() }

// published finds the published figures of a network that was predicted or measured.
func (d *Dataset) published(n *Network) *Network {
	for _, m := range d.Networks {
		if m.Origin == Published && m.Paper != "" && m.Paper == n.Paper && m != n {
			return m
		}
	}
	return nil
}
