package zoo

import (
	"fmt"
	"strconv"
	"strings"
)

// unit is what a convolution of the notation stands for in a network, below a path of its own.
type unit func(g net, x tensor, k kernel) tensor

// convReLU is convolution with bias and ReLU.
func convReLU(g net, x tensor, k kernel) tensor {
	return g.relu("relu", g.conv("conv", x, k.biased()))
}

// convBNReLU is convolution without bias, BatchNormalization and ReLU.
func convBNReLU(g net, x tensor, k kernel) tensor {
	return g.relu("relu", g.bn("bn", g.conv("conv", x, k), 1e-3))
}

// biasedConvBNReLU is convBNReLU with the bias that Torch's layers have by default.
func biasedConvBNReLU(g net, x tensor, k kernel) tensor { return convBNReLU(g, x, k.biased()) }

// text appends the layers that a network's paper gives as a line of text:
//
//	sequence = item { "," item }
//	item     = [ label ":" ] ( convolution | pooling | "lrn" | branches )
//	convolution = height "x" width [ "/" stride ] channels [ "v" | "p" padding ] [ "g" groups ]
//	pooling  = ( "max" | "avg" ) size [ "/" stride ] [ "p" padding ] [ "ceil" ]
//	branches = "{" sequence { "|" sequence } "}"
//
// Strides are 1 unless given. Convolutions are padded by half their size, "v" means without padding; poolings are not
// padded. Branches read the same value and are concatenated on the channels. An item without label is called by its
// kind and its number among its kind in the sequence: conv1, conv2, pool1.
func (g net) text(x tensor, u unit, s string) tensor {
	seen := map[string]int{}
	for _, item := range split(s, ',') {
		label, layer := cutLabel(item)
		kind := kindOf(layer)
		if label == "" {
			seen[kind]++
			label = kind + strconv.Itoa(seen[kind])
		}
		switch kind {
		case "branches":
			x = g.at(label).branches(x, u, layer[1:len(layer)-1])
		case "lrn":
			x = g.lrn(label, x)
		case "pool":
			op, p := parsePool(layer)
			x = g.pool(op, label, x, p)
		default:
			x = u(g.at(label), x, parseConv(layer))
		}
	}
	return x
}

func (g net) branches(x tensor, u unit, s string) tensor {
	var outs []tensor
	for i, branch := range split(s, '|') {
		outs = append(outs, g.at(fmt.Sprint("branch", i+1)).text(x, u, branch))
	}
	return g.concat("concat", outs...)
}

// cutLabel splits an item into its label, "" where it has none, and its layer.
func cutLabel(item string) (label, layer string) {
	label, layer, ok := strings.Cut(item, ":")
	if !ok || strings.Contains(label, "{") {
		return "", item
	}
	return strings.TrimSpace(label), strings.TrimSpace(layer)
}

func kindOf(layer string) string {
	switch {
	case strings.HasPrefix(layer, "{"):
		return "branches"
	case layer == "lrn":
		return "lrn"
	case strings.HasPrefix(layer, "max"), strings.HasPrefix(layer, "avg"):
		return "pool"
	}
	return "conv"
}

// split cuts s at the separators that stand outside braces.
func split(s string, sep rune) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range s {
		switch {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == sep && depth == 0:
			parts = append(parts, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	if depth != 0 {
		panic(fmt.Sprintf("zoo: unbalanced braces in %q", s))
	}
	return append(parts, strings.TrimSpace(s[start:]))
}

func parseConv(s string) kernel {
	f := strings.Fields(s)
	if len(f) < 2 {
		panic(fmt.Sprintf("zoo: convolution %q: want a size and channels", s))
	}
	size, stride := cutStride(f[0])
	kh, kw, ok := strings.Cut(size, "x")
	if !ok {
		panic(fmt.Sprintf("zoo: convolution %q: want a size such as 3x3", s))
	}
	k := kernel{kh: number(kh), kw: number(kw), stride: stride, out: number(f[1])}
	k.ph, k.pw = k.kh/2, k.kw/2
	for _, o := range f[2:] {
		switch {
		case o == "v":
			k = k.pad(0)
		case o[0] == 'p':
			k = k.pad(number(o[1:]))
		case o[0] == 'g':
			k = k.grouped(number(o[1:]))
		default:
			panic(fmt.Sprintf("zoo: convolution %q: unknown %q", s, o))
		}
	}
	return k
}

func parsePool(s string) (op string, p pool) {
	f := strings.Fields(s)
	op = map[string]string{"max": "MaxPool", "avg": "AveragePool"}[f[0][:3]]
	size, stride := cutStride(f[0][3:])
	p = pool{k: number(size), stride: stride}
	for _, o := range f[1:] {
		switch {
		case o == "ceil":
			p.ceil = true
		case o[0] == 'p':
			p.pad = number(o[1:])
		default:
			panic(fmt.Sprintf("zoo: pooling %q: unknown %q", s, o))
		}
	}
	return op, p
}

func cutStride(s string) (size string, stride int64) {
	size, st, ok := strings.Cut(s, "/")
	if !ok {
		return size, 1
	}
	return size, number(st)
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic("zoo: " + err.Error())
	}
	return n
}
