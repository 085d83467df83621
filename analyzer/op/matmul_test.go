package op

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

func TestMatMul(t *testing.T) {
	tests := []struct {
		name   string
		op     string
		in     []*Value
		as     attributes
		out    string
		macs   string
		vector string
		geom   string // batch, M, N, K and the weight operand of the only contraction
	}{
		{"matrices", "MatMul", []*Value{f32(3, 4), weight(f32(4, 5))}, nil, "float32[3,5]", "60", "0", "1 3 5 4 w1"},
		{"dot", "MatMul", []*Value{f32(4), f32(4)}, nil, "float32[]", "4", "0", "1 1 1 4 w-1"},
		{"row", "MatMul", []*Value{f32(4), f32(2, 4, 5)}, nil, "float32[2,5]", "40", "0", "2 1 5 4 w-1"},
		{"column", "MatMul", []*Value{f32(2, 3, 4), f32(4)}, nil, "float32[2,3]", "24", "0", "1 6 1 4 w-1"},
		{"layer", "MatMul", []*Value{f32("batch", "seq", 768), weight(f32(768, 3072))}, nil, "float32[batch,seq,3072]",
			"2359296*batch*seq", "0", "1 batch*seq 3072 768 w1"},
		{"scores", "MatMul", []*Value{f32("batch", 12, "seq", 64), f32("batch", 12, 64, "seq")}, nil, "float32[batch,12,seq,seq]",
			"768*batch*seq^2", "0", "12*batch seq seq 64 w-1"},
		{"broadcast batch", "MatMul", []*Value{f32(2, 1, 3, 4), f32(5, 4, 6)}, nil, "float32[2,5,3,6]", "720", "0", "10 3 6 4 w-1"},
		{"left weight", "MatMul", []*Value{weight(f32(3, 4)), f32(7, 4, 5)}, nil, "float32[7,3,5]", "420", "0", "7 3 5 4 w0"},
		{"gemm", "Gemm", []*Value{f32(3, 4), weight(f32(5, 4)), f32(5)}, attributes{"transB": 1}, "float32[3,5]", "60", "15", "1 3 5 4 w1"},
		{"gemm scaled", "Gemm", []*Value{f32(4, "n"), f32(4, 5), f32()}, attributes{"transA": 1, "alpha": 0.5, "beta": 2.0},
			"float32[n,5]", "20*n", "10*n + 1", "1 n 5 4 w-1"},
		{"gemm without C", "Gemm", []*Value{f32(3, 4), f32(4, 5)}, attributes{"beta": 2.0}, "float32[3,5]", "60", "0", "1 3 5 4 w-1"},
		{"gemm unknown input", "Gemm", []*Value{unranked(), f32(4, 5)}, nil, "float32[rows_1,5]", "20*rows_1", "0", "1 rows_1 5 4 w-1"},
		{"integer", "MatMulInteger", []*Value{tensorOf(onnx.Uint8, 3, 4), weight(tensorOf(onnx.Int8, 4, 5)), knownScalar(onnx.Uint8, IntOf(7)), knownScalar(onnx.Int8, IntOf(0))},
			nil, "int32[3,5]", "60", "12", "1 3 5 4 w1"},
		{"quantised", "QLinearMatMul", []*Value{tensorOf(onnx.Uint8, 3, 4), f32(), tensorOf(onnx.Uint8), weight(tensorOf(onnx.Int8, 4, 5)), f32(),
			tensorOf(onnx.Int8), f32(), tensorOf(onnx.Uint8)}, nil, "uint8[3,5]", "60", "92", "1 3 5 4 w3"},
		{"fused", "com.microsoft.FusedMatMul", []*Value{f32(2, 8, 3, 4), f32(2, 8, 5, 4)}, attributes{"transB": 1, "alpha": 0.125},
			"float32[2,8,3,5]", "960", "240", "16 3 5 4 w-1"},
		{"fused, batch moved", "com.microsoft.FusedMatMul", []*Value{f32(3, 2, 8, 4), f32(5, 2, 8, 4)},
			attributes{"transBatchA": 1, "transBatchB": 1, "transB": 1}, "float32[2,8,3,5]", "960", "0", "16 3 5 4 w-1"},
		{"fused gemm", "com.microsoft.FusedGemm", []*Value{f32(3, 4), f32(4, 5), f32(5)}, attributes{"activation": "Relu"}, "float32[3,5]", "60", "30", "1 3 5 4 w-1"},
		{"gemm of bytes to float", "com.microsoft.QGemm", []*Value{tensorOf(onnx.Uint8, 3, 4), f32(), knownScalar(onnx.Uint8, IntOf(0)), weight(tensorOf(onnx.Int8, 4, 5)),
			f32(), knownScalar(onnx.Int8, IntOf(0)), tensorOf(onnx.Int32, 5)}, nil, "float32[3,5]", "60", "30", "1 3 5 4 w3"},
		{"gemm of bytes", "com.microsoft.QGemm", []*Value{tensorOf(onnx.Uint8, 3, 4), f32(), knownScalar(onnx.Uint8, IntOf(0)), tensorOf(onnx.Int8, 4, 5),
			f32(), knownScalar(onnx.Int8, IntOf(0)), nil, f32(), tensorOf(onnx.Uint8)}, nil, "uint8[3,5]", "60", "60", "1 3 5 4 w-1"},
		{"bytes to float", "com.microsoft.MatMulIntegerToFloat", []*Value{tensorOf(onnx.Uint8, 3, 4), tensorOf(onnx.Int8, 4, 5), f32(), f32(), nil, nil, f32(5)},
			nil, "float32[3,5]", "60", "30", "1 3 5 4 w-1"},
		{"quantised on the way", "com.microsoft.DynamicQuantizeMatMul", []*Value{f32(3, 4), tensorOf(onnx.Int8, 4, 5), f32()}, nil,
			"float32[3,5]", "60", "75", "1 3 5 4 w-1"},
		{"4 bits", "com.microsoft.MatMulNBits", []*Value{f32("n", 2, 64), tensorOf(onnx.Uint8, 10, 2, 16), f32(20)},
			attributes{"K": 64, "N": 10, "bits": 4, "block_size": 32}, "float32[n,2,10]", "1280*n", "1280", "1 2*n 10 64 w1"},
		{"bnb", "com.microsoft.MatMulBnb4", []*Value{f32(3, 64), tensorOf(onnx.Uint8, 320), f32(10)},
			attributes{"K": 64, "N": 10, "block_size": 64, "quant_type": 1}, "float32[3,10]", "1920", "1280", "1 3 10 64 w1"},
		{"bnb backwards", "com.microsoft.MatMulBnb4", []*Value{f32(3, 10), tensorOf(onnx.Uint8, 320), f32(10)},
			attributes{"K": 64, "N": 10, "block_size": 64, "quant_type": 1, "transB": 0}, "float32[3,64]", "1920", "1280", "1 3 64 10 w1"},
		{"fp4 blob", "com.microsoft.MatMulFpQ4", []*Value{f32(3, 64), tensorOf(onnx.Uint8, 400), known(64, 10)}, nil, "float32[3,10]", "1920", "1280", "1 3 10 64 w1"},
		{"fp8 blocks", "com.microsoft.MatMulBlockQuantizedFp8Weight", []*Value{f32(3, 64), tensorOf(onnx.Float8E4M3FN, 10, 64), f32(10, 1)}, nil,
			"float32[3,10]", "1920", "1280", "1 3 10 64 w1"},
		{"fp4 blocks", "com.microsoft.MatMulBlockQuantizedFp4Weight", []*Value{f32(3, 64), tensorOf(onnx.Uint8, 10, 32), tensorOf(onnx.Uint8, 10, 4), f32()}, nil,
			"float32[3,10]", "1920", "1280", "1 3 10 64 w1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, w := apply(t, tt.op, latest, 1, tt.as, tt.in...)
			if got := types(c); got != tt.out {
				t.Errorf("got %s, want %s", got, tt.out)
			}
			if got := w.MACs.String(); got != tt.macs {
				t.Errorf("MACs: got %s, want %s", got, tt.macs)
			}
			if got := w.Vector.String(); got != tt.vector {
				t.Errorf("vector: got %s, want %s", got, tt.vector)
			}
			ct := w.Contraction[0]
			if got := fmt.Sprintf("%v %v %v %v w%d", ct.Batch.Mul(ct.Groups), ct.M, ct.N, ct.K, ct.Weight); got != tt.geom {
				t.Errorf("geometry: got %s, want %s", got, tt.geom)
			}
		})
	}
}

func TestMatMulErrors(t *testing.T) {
	tests := []struct {
		op   string
		in   []*Value
		as   attributes
		want string
	}{
		{"MatMul", []*Value{f32(3, 4)}, nil, "input 1 is absent, want one"},
		{"MatMul", []*Value{f32(3, 4), f32(5, 6)}, nil, "input 1 has 5 rows, want 4 as the last extent of input 0"},
		{"MatMul", []*Value{f32(), f32(5, 6)}, nil, "input 0 has rank 0, want at least 1"},
		{"MatMul", []*Value{f32(2, 3, 4), f32(3, 4, 6)}, nil, "shapes [2 3] do not broadcast: axis 0: 2 against 3, want equal or 1"},
		{"Gemm", []*Value{f32(2, 3, 4), f32(4, 6)}, nil, "input 0 has rank 3, want 2"},
		{"Gemm", []*Value{f32(3, 4), f32(6, 5)}, attributes{"transB": 1}, "input 1 gives an inner extent of 5, want 4 as input 0"},
		{"Gemm", []*Value{f32(3, 4), f32(4, 5), f32(3)}, nil, "input 2 has shape 3, want one that broadcasts to 3x5"},
		{"com.microsoft.MatMulNBits", []*Value{f32(3, 4), tensorOf(onnx.Uint8, 1), f32(1)}, attributes{"K": 64, "N": 10},
			"last extent of input 0 is 4, want K = 64"},
		{"com.microsoft.MatMulNBits", []*Value{f32(3, 4), tensorOf(onnx.Uint8, 1), f32(1)}, attributes{"K": 64}, "attribute N is 0, want at least 1"},
	}
	for _, tt := range tests {
		if got := applyError(t, tt.op, latest, 1, tt.as, tt.in...); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.op, got, tt.want)
		}
	}
}

// TestPackedParams compares the weights that packed operands hold with the products they stand for.
func TestPackedParams(t *testing.T) {
	bytes := func(extents ...any) *Value { return tensorOf(onnx.Uint8, extents...) }
	tests := []struct {
		op    string
		as    attributes
		in    []*Value
		input int
		want  string
	}{
		{"MatMulNBits", attributes{"K": 100, "N": 10, "bits": 4, "block_size": 32}, []*Value{f32(3, 100), bytes(10, 4, 16), f32(40)}, 1, "1000"},
		{"MatMulBnb4", attributes{"K": 64, "N": 10}, []*Value{f32(3, 64), bytes(320), f32(10)}, 1, "640"},
		{"MatMulFpQ4", nil, []*Value{f32(3, 64), bytes(400), known(64, 10)}, 1, "640"},
		{"MatMulBlockQuantizedFp4Weight", nil, []*Value{f32(3, 64), bytes(10, 32), bytes(10, 4), f32()}, 1, "640"},
		{"MatMulNBitsQkv", attributes{"K": 64, "Nq": 10, "Nkv": 5}, []*Value{f32(3, 64), nil, f32(64), bytes(320), f32(20), nil, bytes(160)}, 6, "320"},
		{"QMoE", attributes{"k": 2}, []*Value{f32(3, 8), f32(3, 4), bytes(4, 16, 4), nil, nil, bytes(4, 8, 8)}, 5, "512"},
	}
	for _, tt := range tests {
		c, r := newCall("com.microsoft."+tt.op, 1, 1, tt.as, tt.in...)
		if n, ok := r.Params(c, tt.input); !ok || n.String() != tt.want {
			t.Errorf("%s: got %v %v, want %s", tt.op, n, ok, tt.want)
		}
		if _, ok := r.Params(c, 0); ok {
			t.Errorf("%s: input 0 packs no weights", tt.op)
		}
	}
}

// TestGatedMlp counts the two products of MatMulNBitsMlp and what is fused around them.
func TestGatedMlp(t *testing.T) {
	q := func() *Value { return tensorOf(onnx.Uint8, 10, 2, 16) }
	c, w := apply(t, "com.microsoft.MatMulNBitsMlp", 1, 2, attributes{"K": 64, "N": 10, "activation": "silu"},
		f32(3, 64), f32(3, 64), f32(64), q(), f32(20), f32(10), q(), f32(20))
	if got := types(c); got != "float32[3,10] float32[3,64]" {
		t.Errorf("got %s", got)
	}
	wantConst(t, "MACs", w.MACs, 2*3*64*10)
	// sum 192, norm 4·192 + 2·3, dequantised weights 2·2·640, gate bias 30, silu 90, product 30
	wantConst(t, "vector", w.Vector, 192+768+6+2560+30+90+30)
	wantConst(t, "special", w.Special, 6+60)
}

func TestEinsum(t *testing.T) {
	tests := []struct {
		equation string
		in       []*Value
		out      string
		macs     string
		vector   string
		geom     string
	}{
		{"ij,jk->ik", []*Value{f32(3, 4), f32(4, 5)}, "float32[3,5]", "60", "0", "1·3·5·4"},
		{"ij, jk", []*Value{f32(3, 4), f32(4, 5)}, "float32[3,5]", "60", "0", "1·3·5·4"},
		{"bhid,bhjd->bhij", []*Value{f32("b", 8, "i", 64), f32("b", 8, "j", 64)}, "float32[b,8,i,j]", "512*b*i*j", "0", "8*b·i·j·64"},
		{"...ij,...jk->...ik", []*Value{f32(2, 1, 3, 4), f32(2, 7, 4, 5)}, "float32[2,7,3,5]", "840", "0", "14·3·5·4"},
		{"i,j->ij", []*Value{f32(3), f32(4)}, "float32[3,4]", "0", "12", ""},
		{"ij,ij->ij", []*Value{f32(3, 4), f32(3, 4)}, "float32[3,4]", "0", "12", ""},
		{"ij,ij->", []*Value{f32(3, 4), f32(3, 4)}, "float32[]", "12", "0", "1·1·1·12"},
		{"ii->i", []*Value{f32(3, 3)}, "float32[3]", "0", "0", ""},
		{"ii", []*Value{f32(3, 3)}, "float32[]", "0", "3", ""},
		{"ba", []*Value{f32(3, 4)}, "float32[4,3]", "0", "0", ""},
		{"i...->...", []*Value{f32(3, 4, 5)}, "float32[4,5]", "0", "60", ""},
		{"->", []*Value{f32()}, "float32[]", "0", "0", ""},
		// the index x is of the second operand alone and is summed before the product
		{"ij,jkx->ik", []*Value{f32(3, 4), f32(4, 5, 2)}, "float32[3,5]", "60", "40", "1·3·5·4"},
		// from left to right: (ij,jk->ik) then (ik,kl->il)
		{"ij,jk,kl->il", []*Value{f32(2, 3), f32(3, 4), f32(4, 5)}, "float32[2,5]", "64", "0", "1·2·4·3 1·2·5·4"},
		// j is needed by the third operand, so it is the batch of the first step
		{"ij,jk,jl->ikl", []*Value{f32(2, 3), f32(3, 4), f32(3, 5)}, "float32[2,4,5]", "120", "24", "1·8·5·3"},
		{"ab,cd,bd->ac", []*Value{f32(2, 3), f32(4, 5), f32(3, 5)}, "float32[2,4]", "120", "120", "1·8·1·15"},
	}
	for _, tt := range tests {
		t.Run(tt.equation, func(t *testing.T) {
			c, w := apply(t, "Einsum", latest, 1, attributes{"equation": tt.equation}, tt.in...)
			if got := types(c); got != tt.out {
				t.Errorf("got %s, want %s", got, tt.out)
			}
			if got := w.MACs.String(); got != tt.macs {
				t.Errorf("MACs: got %s, want %s", got, tt.macs)
			}
			if got := w.Vector.String(); got != tt.vector {
				t.Errorf("vector: got %s, want %s", got, tt.vector)
			}
			var geom []string
			for _, ct := range w.Contraction {
				geom = append(geom, fmt.Sprintf("%v·%v·%v·%v", ct.Batch, ct.M, ct.N, ct.K))
			}
			if got := strings.Join(geom, " "); got != tt.geom {
				t.Errorf("geometry: got %s, want %s", got, tt.geom)
			}
		})
	}
}

func TestEinsumErrors(t *testing.T) {
	tests := []struct {
		equation, want string
	}{
		{"ij->ij", `equation "ij->ij" has 1 operands, want 2`},
		{"ij,jkl->il", `equation "ij,jkl->il": operand 1: "jkl" has 3 indices, want 2`},
		{"ij,ik->jk", `equation "ij,ik->jk": input 1: axis 0: 3 against 4, want equal or 1`},
		{"ij,jk->ix", `equation "ij,jk->ix": output index 'x' is in no operand`},
		{"ij,jk->ii", `equation "ij,jk->ii": output index 'i' is given twice`},
		{"i1,jk->", `equation "i1,jk->": operand 0: '1' is not a letter`},
	}
	for _, tt := range tests {
		if got := applyError(t, "Einsum", latest, 1, attributes{"equation": tt.equation}, f32(3, 4), f32(4, 5)); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestEinsumAgainstLoops draws equations whose every index is shared or wanted, and compares with nested loops: over
// all indices for two operands, and over those of each step for a chain of matrices.
func TestEinsumAgainstLoops(t *testing.T) {
	r := seeded()
	for range 200 {
		letters := "abcdef"[:between(r, 2, 6)]
		size := map[byte]int64{}
		var left, right, out string
		summed := false
		for i := range len(letters) {
			size[letters[i]] = between(r, 1, 3)
			l := letters[i : i+1]
			switch r.IntN(4) {
			case 0: // batch
				left, right, out = left+l, right+l, out+l
			case 1: // rows
				left, out = left+l, out+l
			case 2: // columns
				right, out = right+l, out+l
			default:
				left, right, summed = left+l, right+l, true
			}
		}
		shape := func(ids string) *Value {
			var ext []any
			for i := range len(ids) {
				ext = append(ext, size[ids[i]])
			}
			return f32(ext...)
		}
		var extents []int64
		for i := range len(letters) {
			extents = append(extents, size[letters[i]])
		}
		products := int64(0)
		walk(extents, func([]int64) { products++ })
		eq := left + "," + right + "->" + out
		_, w := apply(t, "Einsum", latest, 1, attributes{"equation": eq}, shape(left), shape(right))
		if summed {
			wantConst(t, eq+": MACs", w.MACs, products)
			wantConst(t, eq+": vector", w.Vector, 0)
		} else {
			wantConst(t, eq+": MACs", w.MACs, 0)
			wantConst(t, eq+": vector", w.Vector, products)
		}
	}
	for n := 2; n <= 5; n++ { // ab,bc,cd… by loops over row, column and inner index of each step
		var terms []string
		var in []*Value
		ext := []int64{between(r, 1, 4)}
		macs := int64(0)
		for i := range n {
			ext = append(ext, between(r, 1, 4))
			terms = append(terms, "abcdef"[i:i+2])
			in = append(in, f32(ext[i], ext[i+1]))
			if i > 0 {
				for range ext[0] {
					for range ext[i+1] {
						for range ext[i] {
							macs++
						}
					}
				}
			}
		}
		_, w := apply(t, "Einsum", latest, 1, attributes{"equation": strings.Join(terms, ",")}, in...)
		wantConst(t, "chain of "+strings.Join(terms, ","), w.MACs, macs)
	}
}
