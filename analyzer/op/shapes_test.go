package op

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/dim"
	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// ruleCase is one node, what its outputs must be and what it must count. An expected error is a part of its text.
type ruleCase struct {
	op    string
	opset int64 // latest where 0
	outs  int   // 1 where 0
	as    attributes
	in    []*Value
	want  string // types of all outputs, or "error: ..."
	data  string // elements of the first output, where they are to be known
	work  string // "MACs vector special", where it matters
}

func runRuleCases(t *testing.T, cases []ruleCase) {
	t.Helper()
	for i, k := range cases {
		opset, outs := k.opset, max(k.outs, 1)
		if opset == 0 {
			opset = latest
		}
		name := fmt.Sprintf("%d %s-%d", i, k.op, opset)
		if msg, isError := strings.CutPrefix(k.want, "error: "); isError {
			if got := applyError(t, k.op, opset, outs, k.as, k.in...); !strings.Contains(got, msg) || got == "" {
				t.Errorf("%s: got error %q, want %q", name, got, msg)
			}
			continue
		}
		c, r := newCall(k.op, opset, outs, k.as, k.in...)
		if r == nil {
			t.Errorf("%s: no rule", name)
			continue
		}
		if err := r.Shape(c); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Fold != nil && c.Out[0].Data == nil {
			r.Fold(c)
		}
		if got := types(c); got != k.want {
			t.Errorf("%s: got %s, want %s", name, got, k.want)
		}
		if got := dataText(c.Out[0]); k.data != "" && got != k.data {
			t.Errorf("%s: got elements %s, want %s", name, got, k.data)
		}
		w := checkedWork(t, name, r.Work(c))
		if got := fmt.Sprintf("%v %v %v", w.MACs, w.Vector, w.Special); k.work != "" && got != k.work {
			t.Errorf("%s: got work %s, want %s", name, got, k.work)
		}
	}
}

// dataText prints known elements: "1 2 ? seq".
func dataText(v *Value) string {
	if v.Data == nil {
		return "unknown"
	}
	var parts []string
	for _, n := range v.Data.Nums {
		d, isInt := n.Dim()
		f, isFloat := n.Float64()
		switch {
		case isInt:
			parts = append(parts, d.String())
		case isFloat:
			parts = append(parts, fmt.Sprint(f))
		case n.Known():
			parts = append(parts, "rational")
		default:
			parts = append(parts, "?")
		}
	}
	parts = append(parts, v.Data.Strs...)
	return strings.Join(parts, " ")
}

// elems is a known input of the given extents.
func elems(dt onnx.DType, shape []int, xs ...any) *Value {
	v := tensorOf(dt)
	v.Data = &Data{Nums: []Num{}}
	for _, d := range shape {
		v.Shape = append(v.Shape, dim.Const(int64(d)))
	}
	for _, x := range xs {
		switch x := x.(type) {
		case int:
			if dt.IsFloat() {
				v.Data.Nums = append(v.Data.Nums, Float(float64(x)))
			} else {
				v.Data.Nums = append(v.Data.Nums, IntOf(int64(x)))
			}
		case float64:
			v.Data.Nums = append(v.Data.Nums, Float(x))
		case string:
			v.Data.Nums = append(v.Data.Nums, Int(dim.Symbol(x)))
		case nil:
			v.Data.Nums = append(v.Data.Nums, Num{})
		}
	}
	return v
}

// ints is a known int64 vector; strings are symbols, nil an unknown element.
func ints(xs ...any) *Value { return elems(onnx.Int64, []int{len(xs)}, xs...) }

// floats is a known float32 vector.
func floats(xs ...any) *Value { return elems(onnx.Float32, []int{len(xs)}, xs...) }

// text is a known string tensor.
func text(shape []int, xs ...string) *Value {
	v := elems(onnx.String, shape)
	v.Data = &Data{Strs: xs}
	return v
}

func in(vs ...*Value) []*Value { return vs }

func TestReductionRules(t *testing.T) {
	x := func() *Value { return f32("batch", 3, 4) }
	runRuleCases(t, []ruleCase{
		{op: "ReduceMean", opset: 13, as: attributes{"axes": []int64{-1, -2}}, in: in(x()), want: "float32[batch,1,1]", work: "0 12*batch batch"},
		{op: "ReduceMean", opset: 13, as: attributes{"axes": []int64{1}, "keepdims": 0}, in: in(x()), want: "float32[batch,4]"},
		{op: "ReduceMean", in: in(x(), ints(1)), want: "float32[batch,1,4]"},
		{op: "ReduceSum", opset: 12, as: attributes{"axes": []int64{0}}, in: in(x()), want: "float32[1,3,4]"},
		{op: "ReduceSum", opset: 13, in: in(x()), want: "float32[1,1,1]"},
		{op: "ReduceSum", as: attributes{"keepdims": 0}, in: in(x()), want: "float32[]"},
		{op: "ReduceSum", as: attributes{"noop_with_empty_axes": 1}, in: in(x(), ints()), want: "float32[batch,3,4]"},
		{op: "ReduceSum", as: attributes{"noop_with_empty_axes": 1}, in: in(x(), tensorOf(onnx.Int64, 0)), want: "float32[batch,3,4]"},
		{op: "ReduceSum", in: in(x(), tensorOf(onnx.Int64, 2)), want: "float32[reduce_0_1,reduce_1_2,reduce_2_3]"},
		{op: "ReduceSum", as: attributes{"keepdims": 0}, in: in(x(), tensorOf(onnx.Int64, 2)), want: "float32[reduce_0_1]"},
		{op: "ReduceSum", as: attributes{"keepdims": 0}, in: in(x(), tensorOf(onnx.Int64, "n")), want: "float32[?]"},
		{op: "ReduceSum", in: in(x(), ints(3)), want: "error: axis 3 is outside rank 3"},
		{op: "ReduceSum", in: in(x(), ints(1, -2)), want: "error: given twice"},
		{op: "ReduceSum", in: in(unranked(), ints(1)), want: "float32[?]"},
		{op: "ReduceProd", as: attributes{"keepdims": 0}, in: in(ints("batch", 3, "seq")), want: "int64[]", data: "3*batch*seq"},
		{op: "ReduceSum", in: in(ints(1, 2, "seq"), ints(0)), want: "int64[1]", data: "seq + 3"},
		{op: "ReduceMax", in: in(elems(onnx.Int64, []int{2, 2}, 1, 5, 7, 3), ints(1)), want: "int64[2,1]", data: "5 7"},
		{op: "ReduceMin", in: in(elems(onnx.Int64, []int{2, 2}, 1, 5, 7, 3), ints(0)), want: "int64[1,2]", data: "1 3"},
		{op: "ReduceMean", in: in(ints(1, 2, 4)), want: "int64[1]", data: "2"},
		{op: "ReduceL1", in: in(floats(-1, 2)), want: "float32[1]", data: "3", work: "0 4 0"},
		{op: "ReduceL2", in: in(floats(3, 4)), want: "float32[1]", data: "5", work: "0 4 1"},
		{op: "ReduceSumSquare", in: in(floats(3, 4)), want: "float32[1]", data: "25"},
		{op: "ReduceLogSum", in: in(floats(0.5, 0.5)), want: "float32[1]", data: "0"},
		{op: "ReduceLogSumExp", in: in(f32(8)), want: "float32[1]", work: "0 8 9"},
		{op: "ReduceSum", in: in(elems(onnx.Uint8, []int{2}, 200, 100)), want: "uint8[1]", data: "44"},
		{op: "ArgMax", as: attributes{"axis": 1}, in: in(x()), want: "int64[batch,1,4]", work: "0 12*batch 0"},
		{op: "ArgMax", as: attributes{"axis": -1, "keepdims": 0}, in: in(elems(onnx.Float32, []int{2, 3}, 1, 3, 3, 9, 1, 2)), want: "int64[2]", data: "1 0"},
		{op: "ArgMax", as: attributes{"select_last_index": 1, "axis": 1}, in: in(elems(onnx.Float32, []int{2, 3}, 1, 3, 3, 9, 1, 2)), want: "int64[2,1]", data: "2 0"},
		{op: "ArgMin", as: attributes{"axis": 0}, in: in(elems(onnx.Int64, []int{2, 2}, 4, 1, 2, 8)), want: "int64[1,2]", data: "1 0"},
		{op: "CumSum", in: in(ints(1, 2, 3, "n"), knownScalar(onnx.Int32, IntOf(0))), want: "int64[4]", data: "1 3 6 n + 6"},
		{op: "CumSum", as: attributes{"exclusive": 1}, in: in(ints(1, 2, 3), knownScalar(onnx.Int32, IntOf(0))), want: "int64[3]", data: "0 1 3"},
		{op: "CumSum", as: attributes{"reverse": 1}, in: in(ints(1, 2, 3), knownScalar(onnx.Int32, IntOf(-1))), want: "int64[3]", data: "6 5 3"},
		{op: "CumProd", in: in(ints(2, 3, 4), knownScalar(onnx.Int32, IntOf(0))), want: "int64[3]", data: "2 6 24"},
		{op: "TopK", opset: 1, outs: 2, as: attributes{"k": 2}, in: in(x()), want: "float32[batch,3,2] int64[batch,3,2]"},
		{op: "TopK", outs: 2, as: attributes{"axis": 1}, in: in(x(), ints("k")), want: "float32[batch,k,4] int64[batch,k,4]"},
		{op: "TopK", outs: 2, in: in(x(), tensorOf(onnx.Int64, 1)), want: "float32[batch,3,topk_1] int64[batch,3,topk_1]"},
		{op: "TopK", outs: 2, in: in(ints(5, 9, 1, 9), ints(3)), want: "int64[3] int64[3]", data: "9 9 5"},
		{op: "TopK", outs: 2, as: attributes{"largest": 0}, in: in(ints(5, 9, 1, 9), ints(2)), want: "int64[2] int64[2]", data: "1 5"},
		{op: "TopK", outs: 2, in: in(x(), ints(-1)), want: "error: k is -1"},
	})
}

func TestPadRules(t *testing.T) {
	x := func() *Value { return f32("n", 3, "h", 8) }
	runRuleCases(t, []ruleCase{
		{op: "Pad", opset: 1, as: attributes{"paddings": []int64{0, 0, 1, 2, 0, 0, 3, 4}}, in: in(x()), want: "float32[n,3,h + 4,14]"},
		{op: "Pad", opset: 2, as: attributes{"pads": []int64{0, 0, 1, 2, 0, 0, 3, -4}}, in: in(x()), want: "float32[n,3,h + 4,6]"},
		{op: "Pad", opset: 11, in: in(x(), ints(0, 0, "p", 0, 0, 0, 1, 0)), want: "float32[n,3,h + p + 1,8]"},
		{op: "Pad", opset: 11, in: in(x(), ints(0, 0, nil, 0, 0, 0, 1, 0)), want: "float32[n,3,pad_2_1,8]"},
		{op: "Pad", opset: 11, in: in(x(), tensorOf(onnx.Int64, 8)), want: "float32[pad_0_1,pad_1_2,pad_2_3,pad_3_4]"},
		{op: "Pad", opset: 18, in: in(x(), ints(1, 2), nil, ints(-1)), want: "float32[n,3,h,11]"},
		{op: "Pad", opset: 18, in: in(x(), ints(1, 2), nil, tensorOf(onnx.Int64, 1)), want: "float32[pad_0_1,pad_1_2,pad_2_3,pad_3_4]"},
		{op: "Pad", in: in(x(), ints(1, 2)), want: "error: 2 pads, want 2 for each of 4 axes"},
		{op: "Pad", in: in(f32(2), ints(-2, -1)), want: "error: axis 0: extent 2 with pads -2 and -1 is -1"},
		{op: "Pad", in: in(ints(1, 2, 3), ints(1, 2), knownScalar(onnx.Int64, IntOf(9))), want: "int64[6]", data: "9 1 2 3 9 9"},
		{op: "Pad", in: in(ints(1, 2, 3), ints(-1, 1)), want: "int64[3]", data: "2 3 0"},
		{op: "Pad", as: attributes{"mode": "reflect"}, in: in(ints(1, 2, 3), ints(2, 2)), want: "int64[7]", data: "3 2 1 2 3 2 1"},
		{op: "Pad", as: attributes{"mode": "edge"}, in: in(ints(1, 2, 3), ints(2, 1)), want: "int64[6]", data: "1 1 1 2 3 3"},
		{op: "Pad", as: attributes{"mode": "wrap"}, in: in(ints(1, 2, 3), ints(2, 1)), want: "int64[6]", data: "2 3 1 2 3 1"},
		{op: "com.microsoft.Pad", opset: 1, in: in(x(), ints(0, 0, 0, 1, 0, 0, 0, 1)), want: "float32[n,3,h,10]"},
	})
}

func TestResizeRules(t *testing.T) {
	x := func() *Value { return f32("n", 3, "h", 7) }
	none := tensorOf(onnx.Float32, 0)
	runRuleCases(t, []ruleCase{
		{op: "Upsample", opset: 1, as: attributes{"height_scale": 2.0, "width_scale": 1.5}, in: in(x()), want: "float32[n,3,2*h,10]"},
		{op: "Upsample", opset: 9, in: in(x(), floats(1, 1, 2, 0.5)), want: "float32[n,3,2*h,3]"},
		{op: "Resize", opset: 10, in: in(x(), floats(1, 1, 0.5, 2)), want: "float32[n,3,floor(h/2),14]"},
		{op: "Resize", opset: 11, in: in(x(), none, floats(1, 1, 1.5, 3)), want: "float32[n,3,h + floor(h/2),21]"},
		{op: "Resize", in: in(x(), nil, floats(1, 1, float64(float32(0.7)), 1)), want: "float32[n,3,floor(7*h/10),7]"},
		{op: "Resize", in: in(x(), nil, floats(1, 1, float64(float32(1.0)/3), 1)), want: "float32[n,3,floor(h/3),7]"},
		{op: "Resize", in: in(x(), nil, floats(1, 1, 0.31830988618, 1)), want: "float32[n,3,resize_2_1,7]"},
		{op: "Resize", in: in(x(), nil, nil, ints("n", 3, "oh", 14)), want: "float32[n,3,oh,14]", work: "0 0 0"},
		{op: "Resize", as: attributes{"axes": []int64{2, 3}}, in: in(x(), nil, none, ints(32, 16)), want: "float32[n,3,32,16]"},
		{op: "Resize", as: attributes{"axes": []int64{2, 3}, "keep_aspect_ratio_policy": "not_larger"}, in: in(f32(1, 1, 4, 8), nil, none, ints(8, 9)), want: "float32[1,1,5,9]"},
		{op: "Resize", as: attributes{"axes": []int64{2, 3}, "keep_aspect_ratio_policy": "not_smaller"}, in: in(f32(1, 1, 4, 8), nil, none, ints(8, 9)), want: "float32[1,1,8,16]"},
		{op: "Resize", as: attributes{"axes": []int64{3}, "coordinate_transformation_mode": "tf_crop_and_resize"}, in: in(x(), floats(0.25, 0.75), floats(4)), want: "float32[n,3,h,14]"},
		{op: "Resize", as: attributes{"mode": "linear"}, in: in(x(), nil, floats(1, 1, 2, 2)), want: "float32[n,3,2*h,14]", work: "0 672*h*n 0"},
		{op: "Resize", as: attributes{"mode": "cubic"}, in: in(x(), nil, floats(1, 1, 1, 2)), want: "float32[n,3,h,14]", work: "0 336*h*n 0"},
		{op: "Resize", as: attributes{"mode": "linear", "antialias": 1}, in: in(f32(1, 1, 4, 8), nil, floats(1, 1, 1, 0.5)), want: "float32[1,1,4,4]", work: "0 128 0"},
		{op: "Resize", in: in(x(), nil, floats(1, 2)), want: "error: 2 scales, want 4"},
		{op: "Resize", in: in(x()), want: "error: neither scales nor sizes"},
	})
}

func TestRearrangeRules(t *testing.T) {
	runRuleCases(t, []ruleCase{
		{op: "Tile", in: in(f32("n", 3), ints(2, "r")), want: "float32[2*n,3*r]"},
		{op: "Tile", in: in(f32("n", 3), tensorOf(onnx.Int64, 2)), want: "float32[tile_0_1,tile_1_2]"},
		{op: "Tile", in: in(f32("n", 3), ints(2)), want: "error: 1 repeats, want the rank 2"},
		{op: "Tile", opset: 1, in: in(f32("n", 3), knownScalar(onnx.Int64, IntOf(4)), knownScalar(onnx.Int64, IntOf(1))), want: "float32[n,12]"},
		{op: "Tile", in: in(ints(1, 2), ints(3)), want: "int64[6]", data: "1 2 1 2 1 2"},
		{op: "DepthToSpace", as: attributes{"blocksize": 2}, in: in(f32("n", 8, "h", 5)), want: "float32[n,2,2*h,10]"},
		{op: "SpaceToDepth", as: attributes{"blocksize": 2}, in: in(f32("n", 2, "h", 6)), want: "float32[n,8,floor(h/2),3]"},
		{op: "DepthToSpace", in: in(f32(1, 8, 2, 2)), want: "error: blocksize is 0"},
		{op: "Trilu", as: attributes{"upper": 0}, in: in(elems(onnx.Int64, []int{2, 3}, 1, 2, 3, 4, 5, 6)), want: "int64[2,3]", data: "1 0 0 4 5 0"},
		{op: "Trilu", in: in(elems(onnx.Int64, []int{2, 3}, 1, 2, 3, 4, 5, 6), knownScalar(onnx.Int64, IntOf(1))), want: "int64[2,3]", data: "0 2 3 0 0 6"},
		{op: "OneHot", in: in(tensorOf(onnx.Int64, "n", 3), ints(10), f32(2)), want: "float32[n,3,10]"},
		{op: "OneHot", as: attributes{"axis": 0}, in: in(tensorOf(onnx.Int64, "n", 3), ints("classes"), tensorOf(onnx.Int32, 2)), want: "int32[classes,n,3]"},
		{op: "OneHot", in: in(ints(1, -1), ints(3), ints(5, 7)), want: "int64[2,3]", data: "5 7 5 5 5 7"},
		{op: "EyeLike", as: attributes{"k": 1, "dtype": 7}, in: in(f32(2, 3)), want: "int64[2,3]", data: "0 1 0 0 0 1"},
		{op: "ReverseSequence", in: in(elems(onnx.Int64, []int{3, 2}, 1, 2, 3, 4, 5, 6), ints(3, 2)), want: "int64[3,2]", data: "5 4 3 2 1 6"},
		{op: "CenterCropPad", as: attributes{"axes": []int64{1, -1}}, in: in(f32("n", 3, "h", 8), ints(5, "w")), want: "float32[n,5,h,w]"},
		{op: "GatherElements", as: attributes{"axis": 1}, in: in(elems(onnx.Int64, []int{2, 2}, 1, 2, 3, 4), elems(onnx.Int64, []int{2, 2}, 0, 0, -1, 0)), want: "int64[2,2]", data: "1 1 4 3"},
		{op: "GatherND", in: in(f32("n", 4, 5), tensorOf(onnx.Int64, 7, 2)), want: "float32[7,5]"},
		{op: "GatherND", as: attributes{"batch_dims": 1}, in: in(f32("n", 4, 5), tensorOf(onnx.Int64, "n", 7, 1)), want: "float32[n,7,5]"},
		{op: "GatherND", as: attributes{"batch_dims": 1}, in: in(elems(onnx.Int64, []int{2, 2}, 1, 2, 3, 4), elems(onnx.Int64, []int{2, 1}, 1, 0)), want: "int64[2]", data: "2 3"},
		{op: "GatherND", in: in(f32("n", 4), tensorOf(onnx.Int64, 7, 3)), want: "error: do not address"},
		{op: "ScatterND", in: in(ints(1, 2, 3, 4), elems(onnx.Int64, []int{2, 1}, 2, 0), ints(9, "s")), want: "int64[4]", data: "s 2 9 4"},
		{op: "ScatterND", as: attributes{"reduction": "add"}, in: in(ints(1, 2, 3, 4), elems(onnx.Int64, []int{2, 1}, 2, 2), ints(9, 1)), want: "int64[4]", data: "1 2 13 4", work: "0 2 0"},
		{op: "ScatterND", in: in(elems(onnx.Int64, []int{2, 2}, 1, 2, 3, 4), elems(onnx.Int64, []int{1, 1}, 1), elems(onnx.Int64, []int{1, 2}, 8, 9)), want: "int64[2,2]", data: "1 2 8 9"},
		{op: "ScatterElements", as: attributes{"axis": 1}, in: in(elems(onnx.Int64, []int{1, 4}, 1, 2, 3, 4), elems(onnx.Int64, []int{1, 2}, 1, -1), elems(onnx.Int64, []int{1, 2}, 7, 8)), want: "int64[1,4]", data: "1 7 3 8"},
		{op: "TensorScatter", in: in(f32("b", 2, "m", 4), f32("b", 2, 1, 4)), want: "float32[b,2,m,4]"},
		{op: "Col2Im", in: in(f32("n", 12, 25), ints(5, "w"), ints(2, 3)), want: "float32[n,2,5,w]", work: "0 300*n 0"},
		{op: "GridSample", opset: 16, as: attributes{"mode": "bilinear"}, in: in(f32("n", 3, 8, 8), f32("n", "oh", 4, 2)), want: "float32[n,3,oh,4]", work: "0 96*n*oh 0"},
		{op: "AffineGrid", in: in(f32("n", 2, 3), ints("n", 3, "h", 4)), want: "float32[n,h,4,2]"},
		{op: "Det", in: in(f32("n", 3, 3)), want: "float32[n]", work: "0 18*n 0"},
		{op: "Det", in: in(f32("n", 3, 4)), want: "error: not square"},
		{op: "BitCast", as: attributes{"to": 6}, in: in(floats(1, -2.5)), want: "int32[2]", data: "1065353216 -1071644672"},
		{op: "BitCast", as: attributes{"to": 7}, in: in(floats(1)), want: "error: float32 has 32 bits"},
		{op: "com.microsoft.ExpandDims", opset: 1, in: in(f32("n", 3), knownScalar(onnx.Int32, IntOf(-1))), want: "float32[n,3,1]"},
		{op: "com.microsoft.GatherBlockQuantized", opset: 1, as: attributes{"gather_axis": 0, "quantize_axis": 1, "block_size": 32}, in: in(tensorOf(onnx.Uint8, 1000, 64), tensorOf(onnx.Int64, "b", "s"), f32(1000, 4)), want: "float32[b,s,128]"},
	})
}

func TestSpectralRules(t *testing.T) {
	signal := func(last int) *Value { return f32("b", 16, 4, last) }
	runRuleCases(t, []ruleCase{
		{op: "DFT", opset: 17, as: attributes{"axis": 1}, in: in(signal(1)), want: "float32[b,16,4,2]", work: "0 640*b 0"},
		{op: "DFT", opset: 17, as: attributes{"axis": 1, "onesided": 1}, in: in(signal(1)), want: "float32[b,9,4,2]"},
		{op: "DFT", in: in(signal(2)), want: "float32[b,16,4,2]", work: "0 640*b 0"},
		{op: "DFT", in: in(signal(2), knownScalar(onnx.Int64, IntOf(20)), knownScalar(onnx.Int64, IntOf(1))), want: "float32[b,20,4,2]"},
		{op: "DFT", as: attributes{"onesided": 1, "inverse": 1}, in: in(signal(2), nil, knownScalar(onnx.Int64, IntOf(1))), want: "float32[b,30,4,1]"},
		{op: "DFT", in: in(signal(2), nil, tensorOf(onnx.Int64)), want: "float32[dft_0_1,dft_1_2,dft_2_3,2]"},
		{op: "STFT", in: in(f32("b", "t", 1), knownScalar(onnx.Int64, IntOf(8)), f32(16)), want: "float32[b,floor(t/8) - 1,9,2]"},
		{op: "STFT", as: attributes{"onesided": 0}, in: in(f32(2, 128, 1), knownScalar(onnx.Int64, IntOf(8)), nil, knownScalar(onnx.Int64, IntOf(16))), want: "float32[2,15,16,2]", work: "0 4800 0"},
		{op: "HannWindow", in: in(knownScalar(onnx.Int64, IntOf(10))), want: "float32[10]", work: "0 30 10"},
		{op: "BlackmanWindow", as: attributes{"output_datatype": 11}, in: in(knownScalar(onnx.Int64, Int(dim.Symbol("n")))), want: "float64[n]"},
		{op: "MelWeightMatrix", in: in(knownScalar(onnx.Int64, IntOf(80)), knownScalar(onnx.Int64, IntOf(400)), tensorOf(onnx.Int64), f32(), f32()), want: "float32[201,80]"},
		{op: "com.microsoft.Rfft", opset: 1, as: attributes{"signal_ndim": 1, "onesided": 1}, in: in(f32("b", 16)), want: "float32[b,9,2]", work: "0 160*b 0"},
		{op: "com.microsoft.Irfft", opset: 1, as: attributes{"signal_ndim": 1, "onesided": 1}, in: in(f32("b", 9, 2)), want: "float32[b,16]"},
	})
}

func TestQuantisationRules(t *testing.T) {
	runRuleCases(t, []ruleCase{
		{op: "QuantizeLinear", opset: 10, in: in(f32("n", 4), f32()), want: "uint8[n,4]", work: "0 12*n 4*n"},
		{op: "QuantizeLinear", in: in(f32("n", 4), f32(), tensorOf(onnx.Int8)), want: "int8[n,4]"},
		{op: "QuantizeLinear", as: attributes{"output_dtype": int(onnx.Int4)}, in: in(f32("n", 4), f32()), want: "int4[n,4]"},
		{op: "DequantizeLinear", in: in(tensorOf(onnx.Int8, "n", 4), tensorOf(onnx.Float16)), want: "float16[n,4]", work: "0 4*n 0"},
		{op: "DequantizeLinear", as: attributes{"axis": 0, "block_size": 2}, in: in(tensorOf(onnx.Uint4, 5, 4), f32(3, 4), tensorOf(onnx.Uint4, 3, 4)), want: "float32[5,4]", work: "0 40 0"},
		{op: "DequantizeLinear", as: attributes{"axis": 0, "block_size": 2}, in: in(tensorOf(onnx.Uint4, 5, 4), f32(2, 4)), want: "error: 2 scales along axis 0, want 3 blocks of 2"},
		{op: "DynamicQuantizeLinear", outs: 3, in: in(f32("n", 4)), want: "uint8[n,4] float32[] uint8[]", work: "0 20*n 4*n"},
		{op: "com.microsoft.DequantizeLinear", opset: 1, in: in(tensorOf(onnx.Uint16, 3), f32()), want: "float32[3]"},
		{op: "RandomNormal", as: attributes{"shape": []int64{2, 3}, "dtype": 11}, want: "float64[2,3]", work: "0 12 12"},
		{op: "RandomUniformLike", in: in(f32("n", 4)), want: "float32[n,4]"},
		{op: "RandomNormal", as: attributes{"shape": []int64{-2}}, want: "error: extent 0 is -2"},
		{op: "Multinomial", as: attributes{"sample_size": 5}, in: in(f32("n", 10)), want: "int32[n,5]"},
		{op: "Bernoulli", as: attributes{"dtype": 9}, in: in(f32("n", 10)), want: "bool[n,10]"},
	})
}

func TestClassicalRules(t *testing.T) {
	ml := "ai.onnx.ml."
	runRuleCases(t, []ruleCase{
		{op: ml + "LabelEncoder", opset: 1, in: in(tensorOf(onnx.String, 3)), want: "int64[3]"},
		{op: ml + "LabelEncoder", opset: 2, as: attributes{"values_strings": []string{"a"}}, in: in(tensorOf(onnx.Int64, 3)), want: "string[3]"},
		{op: ml + "ArrayFeatureExtractor", opset: 1, in: in(f32("n", 4), tensorOf(onnx.Int64, 1, 2)), want: "float32[n,2]"},
		{op: ml + "OneHotEncoder", opset: 1, as: attributes{"cats_int64s": []int64{1, 2, 3}}, in: in(tensorOf(onnx.Int64, "n")), want: "float32[n,3]"},
		{op: ml + "LinearClassifier", opset: 1, outs: 2, as: attributes{"classlabels_strings": []string{"a", "b", "c"}, "coefficients": []float32{1, 2, 3, 4, 5, 6}, "intercepts": []float32{1, 2, 3}}, in: in(f32("n", 2)), want: "string[n] float32[n,3]", work: "6*n 3*n 0"},
		{op: ml + "LinearRegressor", opset: 1, as: attributes{"targets": 2, "coefficients": []float32{1, 2, 3, 4}}, in: in(f32("n", 2)), want: "float32[n,2]", work: "4*n 0 0"},
		{op: ml + "SVMClassifier", opset: 1, outs: 2, as: attributes{"classlabels_ints": []int64{0, 1, 2}, "vectors_per_class": []int64{1, 1, 1}, "support_vectors": []float32{1, 2, 3, 4, 5, 6}, "kernel_type": "RBF"}, in: in(f32("n", 2)), want: "int64[n] float32[n,3]", work: "6*n 0 3*n"},
		{op: ml + "TreeEnsembleRegressor", opset: 1, as: attributes{"n_targets": 1,
			"nodes_treeids": []int64{0, 0, 0, 1, 1, 1, 1, 1}, "nodes_nodeids": []int64{0, 1, 2, 0, 1, 2, 3, 4},
			"nodes_truenodeids": []int64{1, 0, 0, 1, 3, 0, 0, 0}, "nodes_falsenodeids": []int64{2, 0, 0, 2, 4, 0, 0, 0},
			"nodes_modes": []string{"BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"}},
			in: in(f32("n", 2)), want: "float32[n,1]", work: "0 5*n 0"},
		{op: ml + "TreeEnsemble", opset: 5, as: attributes{"n_targets": 2, "tree_roots": []int64{0},
			"nodes_truenodeids": []int64{1, 0}, "nodes_falsenodeids": []int64{0, 1}, "nodes_trueleafs": []int64{0, 1}, "nodes_falseleafs": []int64{1, 1}},
			in: in(f32("n", 2)), want: "float32[n,2]", work: "0 3*n 0"},
		{op: ml + "ZipMap", opset: 1, as: attributes{"classlabels_int64s": []int64{0, 1}}, in: in(f32("n", 2)), want: "sequence(map(int64, float32[]))"},
		{op: ml + "FeatureVectorizer", opset: 1, as: attributes{"inputdimensions": []int64{2, 3}}, in: in(f32("n", 2), f32("n", 3)), want: "float32[n,5]"},
		{op: "StringConcat", in: in(text([]int{2, 1}, "a", "b"), text([]int{2}, "x", "y")), want: "string[2,2]", data: "ax ay bx by"},
		{op: "StringSplit", outs: 2, as: attributes{"delimiter": "-", "maxsplit": 1}, in: in(text([]int{2}, "a-b-c", "d")), want: "string[2,2] int64[2]", data: "a b-c d "},
		{op: "StringSplit", outs: 2, in: in(tensorOf(onnx.String, "n")), want: "string[n,substrings_1] int64[n]"},
		{op: "StringNormalizer", as: attributes{"stopwords": []string{"the"}, "case_change_action": "UPPER"}, in: in(text([]int{3}, "The", "cat", "sat")), want: "string[2]", data: "CAT SAT"},
		{op: "StringNormalizer", as: attributes{"stopwords": []string{"a"}}, in: in(tensorOf(onnx.String, 1, "n")), want: "string[1,words_1]"},
		{op: "TfIdfVectorizer", as: attributes{"ngram_indexes": []int64{0, 4, 2}}, in: in(tensorOf(onnx.Int64, "n", 6)), want: "float32[n,5]"},
		{op: "Crop", opset: 1, as: attributes{"border": []int64{1, 2, 3, 4}}, in: in(f32("n", 3, "h", 20)), want: "float32[n,3,h - 6,16]"},
	})
}

func TestContribRules(t *testing.T) {
	ms := "com.microsoft."
	runRuleCases(t, []ruleCase{
		{op: ms + "Range", opset: 1, in: in(scalarInt(1), scalarInt(4)), want: "int64[3]", data: "1 2 3"},
		{op: ms + "Range", opset: 1, in: in(scalarInt(0), knownScalar(onnx.Int64, Int(dim.Symbol("n"))), scalarInt(2)), want: "int64[floor((n + 1)/2)]"},
		{op: ms + "Unique", opset: 1, outs: 3, in: in(floats(2, 1, 1, 3)), want: "float32[3] int64[4] int64[3]"},
		{op: ms + "Unique", opset: 1, outs: 3, in: in(f32("n")), want: "float32[unique_1] int64[n] int64[unique_1]"},
		{op: ms + "CropAndResize", opset: 1, in: in(f32("n", 3, 32, 32), f32("r", 4), tensorOf(onnx.Int32, "r"), ints(7, 9)), want: "float32[r,3,7,9]", work: "0 1512*r 0"},
		{op: ms + "CDist", opset: 1, as: attributes{"metric": "euclidean"}, in: in(f32("m", 8), f32("n", 8)), want: "float32[m,n]", work: "0 24*m*n m*n"},
		{op: ms + "UnfoldTensor", opset: 1, as: attributes{"dim": -1, "size": 4, "step": 2}, in: in(f32("b", 10)), want: "float32[b,4,4]"},
		{op: ms + "ReduceSumInteger", opset: 1, as: attributes{"axes": []int64{1}, "keepdims": 0}, in: in(tensorOf(onnx.Int8, "n", 4)), want: "int32[n]", work: "0 4*n 0"},
		{op: ms + "TorchEmbedding", opset: 1, in: in(f32(1000, 64), tensorOf(onnx.Int64, "b", "s")), want: "float32[b,s,64]"},
		{op: ms + "IsAllFinite", opset: 1, in: in(f32("n"), f32(5)), want: "bool[]", work: "0 n + 5 0"},
		{op: ms + "MurmurHash3", opset: 1, as: attributes{"positive": 0}, in: in(tensorOf(onnx.String, "n")), want: "int32[n]"},
		{op: ms + "DynamicTimeWarping", opset: 1, in: in(f32(1, "m", "n")), want: "int32[2,path_1]"},
		{op: ms + "NGramRepeatBlock", opset: 1, in: in(tensorOf(onnx.Int64, "b", "s"), f32("b", 100)), want: "float32[b,100]"},
		{op: ms + "Inverse", opset: 1, in: in(f32("b", 3, 3)), want: "float32[b,3,3]", work: "0 54*b 0"},
		{op: ms + "Tokenizer", opset: 1, in: in(tensorOf(onnx.String, "b", "n")), want: "string[b,n,tokens_1]"},
		{op: ms + "Trilu", opset: 1, in: in(f32("n", 4)), want: "float32[n,4]"},
		{op: "ai.onnx.ml.CategoryMapper", opset: 1, in: in(tensorOf(onnx.String, "n")), want: "int64[n]"},
		{op: "ai.onnx.ml.CastMap", opset: 1, as: attributes{"cast_to": "TO_INT64", "map_form": "SPARSE", "max_map": 9}, in: in(&Value{Kind: onnx.KindMap}), want: "int64[1,9]"},
		{op: "ai.onnx.ml.DictVectorizer", opset: 1, as: attributes{"string_vocabulary": []string{"a", "b"}}, in: in(&Value{Kind: onnx.KindMap, DType: onnx.String, Elem: f32()}), want: "float32[1,2]"},
		{op: "ai.onnx.ml.SVMRegressor", opset: 1, as: attributes{"support_vectors": []float32{1, 2, 3, 4}}, in: in(f32("n", 2)), want: "float32[n,1]", work: "4*n 0 0"},
		{op: "ConstantFill", opset: 1, as: attributes{"input_as_shape": 1, "extra_shape": []int64{2}}, in: in(ints("n", 3)), want: "float32[n,3,2]"},
		{op: "ConstantFill", opset: 1, as: attributes{"shape": []int64{4}}, want: "float32[4]"},
	})
}

// TestEarlierForms: operators as early opsets have them, with attributes in the place of inputs.
func TestEarlierForms(t *testing.T) {
	channels := attributes{"broadcast": 1, "axis": 1}
	runRuleCases(t, []ruleCase{
		{op: "Add", opset: 6, as: channels, in: in(f32("n", 3, "h", "w"), f32(3)), want: "float32[n,3,h,w]", work: "0 3*h*n*w 0"},
		{op: "Div", opset: 6, as: channels, in: in(f32("n", 3), f32(3)), want: "float32[n,3]", work: "0 0 3*n"},
		{op: "Greater", opset: 6, as: channels, in: in(f32("n", 3), f32(3)), want: "bool[n,3]", work: "0 3*n 0"},
		{op: "And", opset: 6, in: in(tensorOf(onnx.Bool, "n"), tensorOf(onnx.Bool, "n")), want: "bool[n]"},
		{op: "Cast", opset: 5, as: attributes{"to": "INT64"}, in: in(f32("n", 2)), want: "int64[n,2]"},
		{op: "Concat", opset: 3, in: in(f32("n", 3), f32("n", 4)), want: "float32[n,7]"},
		{op: "DynamicSlice", opset: 7, in: in(f32(5, "w"), known(1), known(-1), known(0)), want: "float32[3,w]"},
		{op: "Slice", opset: 9, as: attributes{"starts": []int64{1}, "ends": []int64{-1}, "axes": []int64{0}}, in: in(f32(5, "w")), want: "float32[3,w]"},
		{op: "Split", opset: 2, outs: 2, as: attributes{"axis": 1}, in: in(f32("n", 8)), want: "float32[n,4] float32[n,4]"},
		{op: "Squeeze", opset: 11, as: attributes{"axes": []int64{-1}}, in: in(f32("n", 3, 1)), want: "float32[n,3]"},
		{op: "Unsqueeze", opset: 11, as: attributes{"axes": []int64{0, 2}}, in: in(f32("n", 3)), want: "float32[1,n,1,3]"},
		{op: "Reshape", opset: 4, as: attributes{"shape": []int64{0, -1}}, in: in(f32("n", 3, 4)), want: "float32[n,12]"},
		{op: "Clip", opset: 10, as: attributes{"min": 0.0, "max": 6.0}, in: in(f32("n", 3)), want: "float32[n,3]"},
		{op: "ReduceProd", opset: 12, as: attributes{"axes": []int64{1}, "keepdims": 0}, in: in(f32("n", 3)), want: "float32[n]"},
		{op: "ReduceMin", opset: 12, in: in(f32("n", 3)), want: "float32[1,1]"},
		{op: "Shape", opset: 12, in: in(f32("n", 3)), want: "int64[2]", data: "n 3"},
		{op: "Size", opset: 12, in: in(f32("n", 3)), want: "int64[]", data: "3*n"},
		{op: "Constant", opset: 11, as: attributes{"value_ints": []int64{2, 5}}, want: "int64[2]", data: "2 5"},
		{op: "ConstantOfShape", opset: 9, in: in(known(2, 3)), want: "float32[2,3]"},
		{op: "Range", opset: 11, in: in(knownScalar(onnx.Int64, IntOf(2)), knownScalar(onnx.Int64, IntOf(11)), knownScalar(onnx.Int64, IntOf(3))),
			want: "int64[3]", data: "2 5 8"},
	})
}
