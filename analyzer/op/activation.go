package op

import (
	"fmt"
	"strings"

	"github.com/onnxcost/onnxcost/analyzer/dim"
)

// activationCosts are the vector and special operations per element of the activations that an attribute may name
// (recurrent cells, fused operators), as the operators of the same names count them.
var activationCosts = map[string][2]int64{
	"": {}, "none": {}, "identity": {},
	"affine": {2, 0}, "celu": {4, 2}, "clip": {2, 0}, "elu": {3, 1}, "fastgelu": {8, 1}, "gelu": {4, 1}, "hardsigmoid": {4, 0},
	"hardswish": {5, 0}, "leakyrelu": {2, 0}, "mish": {2, 3}, "quickgelu": {4, 2}, "relu": {1, 0}, "scaledtanh": {2, 1},
	"selu": {4, 1}, "sigmoid": {2, 2}, "silu": {siluVector, siluSpecial}, "softplus": {1, 2}, "softsign": {2, 1},
	"swiglu": {swigluVector, swigluSpecial}, "swish": {siluVector, siluSpecial}, "tanh": {0, 1}, "thresholdedrelu": {1, 0},
}

// activationCost looks an activation up. Runtimes ignore the case of the names; an unknown one is a diagnostic.
func activationCost(c *Call, name string) (vector, special int64) {
	cost, ok := activationCosts[strings.ToLower(name)]
	if !ok {
		c.Engine.Diagnose("activation", fmt.Sprintf("the operations of activation %q are not counted", name))
	}
	return cost[0], cost[1]
}

// activated adds the activation that the named attribute gives to w, once for each of n elements.
func (w Work) activated(c *Call, attr string, n dim.Dim) Work {
	vector, special := activationCost(c, c.Str(attr, ""))
	return w.plus(n.MulInt(vector), n.MulInt(special))
}

// The sigmoid-weighted units: x·sigmoid(x) is the sigmoid's 2 and 2 and a product; the gated form scales x first and
// multiplies by a second operand.
const (
	siluVector    = 3
	siluSpecial   = 2
	swigluVector  = 5
	swigluSpecial = 2
)
