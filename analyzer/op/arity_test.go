package op

import (
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

func TestCheckArity(t *testing.T) {
	for _, c := range []struct {
		op      string // with its domain
		opset   int64
		in, out string // names, "_" for an absent one
		want    string
	}{
		{"Add", 13, "a b", "y", ""},
		{"Add", 13, "a", "y", "has 1 input, want 2"},
		{"Add", 13, "", "y", "has 0 inputs, want 2"},
		{"Add", 13, "a b c", "y", "has 3 inputs, want 2"},
		{"Add", 13, "a b _", "y", ""},
		{"Add", 13, "a _", "y", "input 1 is absent, want one"},
		{"Add", 13, "a b", "y z", "has 2 outputs, want 1"},
		{"Add", 13, "a b", "", "has 0 outputs, want 1"},
		{"Add", 99, "a b c", "y", ""}, // a later version may have added an input
		{"Add", 99, "a", "y", "has 1 input, want at least 2"},
		{"Clip", 6, "x lo hi", "y", "has 3 inputs, want 1"},
		{"Clip", 11, "x _ hi", "y", ""},
		{"Clip", 11, "x lo hi z", "y", "has 4 inputs, want 1 to 3"},
		{"Gemm", 10, "a b", "y", "has 2 inputs, want 3"},
		{"Gemm", 11, "a b", "y", ""},
		{"Concat", 13, "", "y", "has 0 inputs, want at least 1"},
		{"Concat", 13, strings.Repeat("a ", 100), "y", ""},
		{"Split", 13, "x", "a _ c", ""},
		{"Loop", 21, "_ _ v", "y", ""},
		{"Loop", 21, "n", "y", "has 1 input, want at least 2"},
		{"TopK", 11, "x k", "v i", ""},
		{"TopK", 11, "x k", "v _", ""},
		{"BatchNormalization", 15, "x s b m", "y", "has 4 inputs, want 5"},
		{"BatchNormalization", 15, "x s b _ v", "y", "input 3 is absent, want one"},
		{"Constant", 13, "x", "y", "has 1 input, want 0"},
		{"com.microsoft.GroupQueryAttention", 1, "q _ _ _ _ n t cos sin a b c d e f g h", "y k v", ""}, // inputs come without a version
		{"com.microsoft.GroupQueryAttention", 1, "q k v _ _ n", "y", "has 6 inputs, want at least 7"},
	} {
		domain, name := "", c.op
		if i := strings.LastIndexByte(c.op, '.'); i > 0 {
			domain, name = c.op[:i], c.op[i+1:]
		}
		list := func(text string) []string {
			names := strings.Fields(text)
			for i := range names {
				if names[i] == "_" {
					names[i] = ""
				}
			}
			return names
		}
		got := ""
		if err := Lookup(domain, name, c.opset).CheckArity(&onnx.Node{OpType: name, Domain: domain, Inputs: list(c.in), Outputs: list(c.out)}, c.opset); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s at opset %d, inputs %q, outputs %q: got %q, want %q", c.op, c.opset, c.in, c.out, got, c.want)
		}
	}
}
