package plots

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/onnxcost/onnxcost/specs"
)

// row is one network of a figure under all its origins.
type row struct {
	name      string
	published *Network // nil where the paper does not have it
	other     *Network // predicted or measured; nil where only published
}

// main is the origin that a row is known by: the prediction or measurement where there is one.
func (r row) main() *Network {
	if r.other != nil {
		return r.other
	}
	return r.published
}

// any calls f for each origin of the row, the published one first.
func (r row) each(f func(*Network)) {
	if r.published != nil {
		f(r.published)
	}
	if r.other != nil {
		f(r.other)
	}
}

// rows pairs the networks of a dataset by name, in the dataset's order.
func (d *Dataset) rows() []row {
	var out []row
	index := map[string]int{}
	for _, n := range d.Networks {
		key := n.Paper
		if key == "" {
			key = "\x00" + n.Name
		}
		i, ok := index[key]
		if !ok {
			i = len(out)
			index[key] = i
			out = append(out, row{name: n.Name})
		}
		if n.Origin == Published {
			out[i].published = n
		} else {
			out[i].other = n
		}
	}
	return out
}

// inLegendOrder sorts rows as the legends of Figures 3 to 5 do, other networks last.
func inLegendOrder(rs []row) []row { return orderBy(rs, specs.Paper().Legend) }

// stacking is the order in which the blobs of Figure 2 lie on each other, as far as the published raster shows it: from
// large to small, with the exceptions seen there.
var stacking = []string{"VGG-19", "VGG-16", "BN-AlexNet", "AlexNet", "ResNet-152", "ResNet-101", "Inception-v4", "ResNet-34",
	"ResNet-50", "Inception-v3", "ResNet-18", "BN-NIN", "GoogLeNet", "ENet"}

func orderBy(rs []row, names []string) []row {
	place := map[string]int{}
	for i, n := range names {
		place[n] = i + 1
	}
	at := func(r row) int {
		if i := place[r.main().Paper]; i > 0 {
			return i
		}
		return len(names) + 1
	}
	out := append([]row(nil), rs...)
	sort.SliceStable(out, func(i, j int) bool { return at(out[i]) < at(out[j]) })
	return out
}

// sortBy sorts rows by a value, unknown ones last.
func sortBy(rs []row, value func(*Network) float64) []row {
	out := append([]row(nil), rs...)
	key := func(r row) float64 {
		v := math.NaN()
		r.each(func(n *Network) {
			if x := value(n); finite(x) && !finite(v) {
				v = x
			}
		})
		if !finite(v) {
			return math.Inf(1)
		}
		return v
	}
	sort.SliceStable(out, func(i, j int) bool { return key(out[i]) < key(out[j]) })
	return out
}

// sourceLine says where a figure's points come from.
func (d *Dataset) sourceLine() string {
	const paper = "arXiv:1605.07678v4, Jetson TX1, Torch7 and cuDNN 5"
	var published, predicted, measured bool
	for _, n := range d.Networks {
		published = published || n.Origin == Published
		predicted = predicted || n.Origin == Predicted
		measured = measured || n.Origin == Measured
	}
	model := d.Device
	if d.Software != "" {
		model += " (" + d.Software + ")"
	}
	var parts []string
	switch {
	case published && d.both():
		parts = append(parts, "Hollow: published, "+paper+".")
	case published:
		parts = append(parts, "Published: "+paper+".")
	}
	if predicted {
		word := "Predicted: "
		if published && d.both() {
			word = "Solid: predicted, "
		}
		parts = append(parts, word+model+".")
	}
	if measured {
		parts = append(parts, "Measured: "+model+".")
	}
	return strings.Join(parts, " ")
}

// missing collects what a figure could not draw.
type missing struct {
	order []string
	names map[string][]string
}

func (m *missing) add(reason, name string) {
	if m.names == nil {
		m.names = map[string][]string{}
	}
	if m.names[reason] == nil {
		m.order = append(m.order, reason)
	}
	for _, n := range m.names[reason] {
		if n == name {
			return
		}
	}
	m.names[reason] = append(m.names[reason], name)
}

// notes are one sentence for each reason.
func (m *missing) notes() []string {
	var out []string
	for _, r := range m.order {
		out = append(out, fmt.Sprintf("%s: %s.", r, strings.Join(m.names[r], ", ")))
	}
	return out
}

// The reasons why a point is not drawn.
const (
	noAccuracy   = "No accuracy is known"
	noOperations = "No operations are known"
	noPower      = "No power is known"
	noTime       = "No time is known"
)

// noMemory is the reason of figures of memory.
func (d *Dataset) noMemory() string {
	for _, n := range d.Networks {
		if n.Origin == Published {
			return "No memory use was published"
		}
	}
	return "No memory use is known"
}
