package zoo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestText spells out what a line of the notation becomes.
func TestText(t *testing.T) {
	g := newNet("text", Fill)
	x := g.at("net").text(g.input(6, 32, 48), func(g net, x tensor, k kernel) tensor { return g.conv("conv", x, k) },
		"stem: 7x5/2 12 g3 p1, lrn, max3/2 ceil, {1x1 4 | 3x1 5, {1x3 2 | avg3 p1}, last: 3x3 6 | max3 p1, 5x5 8 p2}")
	if got, want := fmt.Sprint(x.dims), "[18 7 11]"; got != want {
		t.Errorf("result: got %s, want %s", got, want)
	}
	var got []string
	for _, n := range g.onnx.Nodes {
		line := n.OpType + " " + n.Name
		for _, a := range n.Attributes {
			if len(a.Ints) > 0 {
				line += fmt.Sprint(" ", a.Ints)
			} else if a.Name == "group" && a.I > 1 || a.Name == "ceil_mode" {
				line += fmt.Sprint(" ", a.Name, a.I)
			}
		}
		got = append(got, line)
	}
	want := []string{
		"Conv /net/stem/conv [7 5] [2 2] [1 1 1 1] group3", // 12x14x23
		"LRN /net/lrn1",
		"MaxPool /net/pool1 [3 3] [2 2] [0 0 0 0] ceil_mode1", // 12x7x11
		"Conv /net/branches1/branch1/conv1/conv [1 1] [1 1] [0 0 0 0]",
		"Conv /net/branches1/branch2/conv1/conv [3 1] [1 1] [1 0 1 0]",
		"Conv /net/branches1/branch2/branches1/branch1/conv1/conv [1 3] [1 1] [0 1 0 1]",
		"AveragePool /net/branches1/branch2/branches1/branch2/pool1 [3 3] [1 1] [1 1 1 1]",
		"Concat /net/branches1/branch2/branches1/concat", // 7x7x11
		"Conv /net/branches1/branch2/last/conv [3 3] [1 1] [1 1 1 1]",
		"MaxPool /net/branches1/branch3/pool1 [3 3] [1 1] [1 1 1 1]",
		"Conv /net/branches1/branch3/conv1/conv [5 5] [1 1] [2 2 2 2]",
		"Concat /net/branches1/concat",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("nodes (-want +got):\n%s", d)
	}
}

// TestTextRefuses requires that a slip in a network's table stops its first build.
func TestTextRefuses(t *testing.T) {
	for _, s := range []string{"3x3", "3 64", "3x3 64 q", "3x3/ 64", "max", "max3 v", "{3x3 64 | 1x1 64", "{1x1 2 | max2}", ""} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", s)
				}
			}()
			g := newNet("text", None)
			g.text(g.input(3, 8, 8), convReLU, s)
		}()
	}
	defer func() {
		if e := fmt.Sprint(recover()); !strings.Contains(e, "/sum") {
			t.Errorf("add of unequal operands: got %s", e)
		}
	}()
	g := newNet("text", None)
	x := g.input(3, 8, 8)
	g.add("sum", x, g.maxPool("pool", x, pool{k: 2, stride: 2}))
}
