package op

import (
	"strings"
	"testing"

	"github.com/onnxcost/onnxcost/analyzer/onnx"
)

// TestPluginOperators: what exporters of detectors write for TensorRT and mmdeploy, with the sizes that their documentation
// gives.
func TestPluginOperators(t *testing.T) {
	keep := attributes{"keepTopK": 100}
	align := attributes{"output_height": 7, "output_width": 7, "sampling_ratio": 2, "spatial_scale": 0.25}
	runRuleCases(t, []ruleCase{
		{op: "TRT.EfficientNMS_TRT", opset: 1, outs: 4, as: attributes{"max_output_boxes": 300, "score_threshold": 0.25}, in: in(f32("b", 8400, 4), f32("b", 8400, 80)),
			want: "int32[b,1] float32[b,300,4] float32[b,300] int32[b,300]", work: "0 672000*b 0"},
		{op: "TRT.EfficientNMS_TRT", opset: 1, outs: 4, as: attributes{"score_activation": 1}, in: in(tensorOf(onnx.Float16, 1, 10, 3, 4), tensorOf(onnx.Float16, 1, 10, 3), f32(1, 10, 4)),
			want: "int32[1,1] float16[1,100,4] float16[1,100] int32[1,100]", work: "0 470 260"}, // 30 scores, 30 boxes of 8 and 2, 100 sigmoids
		{op: "TRT.EfficientNMS_TRT", opset: 1, outs: 4, in: in(f32(1, 10, 4), f32(1, 11, 80)), want: "error: input 1 (scores): axis 1: extent 11, want 10"},
		{op: "TRT.EfficientNMSLandmark_TRT", opset: 1, outs: 5, in: in(f32("b", 90, 4), f32("b", 90, 1), f32("b", 90, 10)), want: "int32[b,1] float32[b,100,4] float32[b,100] int32[b,100] float32[b,100,10]"},
		{op: "TRT.EfficientRotatedNMS_TRT", opset: 1, outs: 4, in: in(f32("b", 90, 5), f32("b", 90, 3)), want: "int32[b,1] float32[b,100,5] float32[b,100] int32[b,100]"},
		{op: "TRT.EfficientNMS_ONNX_TRT", opset: 1, in: in(f32(1, 90, 4), f32(1, 80, 90)), want: "int32[selected_1,3]"},
		{op: "TRT.BatchedNMS_TRT", opset: 1, outs: 4, as: keep, in: in(f32("b", 90, 1, 4), f32("b", 90, 80)), want: "int32[b,1] float32[b,100,4] float32[b,100] float32[b,100]", work: "0 7200*b 0"},
		{op: "TRT.BatchedNMSDynamic_TRT", opset: 1, outs: 4, in: in(f32("b", 90, 1, 4), f32("b", 90, 80)), want: "error: attribute keepTopK is absent"},
		{op: "TRT.NMS_TRT", opset: 1, outs: 2, as: keep, in: in(f32("b", 400, 1, 1), f32("b", 2100, 1, 1), f32(1, 2, 400, 1)), want: "float32[b,1,100,7] int32[b,1,1,1]"},
		{op: "mmdeploy.TRTBatchedNMS", opset: 1, outs: 2, as: attributes{"keep_topk": 100}, in: in(f32("b", 90, 1, 4), f32("b", 90, 80)), want: "float32[b,100,5] int32[b,100]"},
		{op: "mmdeploy.TRTBatchedRotatedNMS", opset: 1, outs: 2, as: keep, in: in(f32("b", 90, 1, 5), f32("b", 90, 80)), want: "float32[b,100,6] int32[b,100]"},
		{op: "mmdeploy.NMSRotated", opset: 1, in: in(f32("n", 5), f32("n")), want: "int64[kept_1]", work: "0 n 0"},
		{op: "mmdeploy.NMSRotated", opset: 1, in: in(f32("n", 4), f32("n")), want: "error: input 0 (boxes): axis 1: extent 4, want 5"},

		// As DeformConv with the same sizes: 16·8 places of 4 channels of 9 taps.
		{op: "mmdeploy.MMCVDeformConv2d", opset: 1, as: attributes{"stride": []int64{2, 2}, "padding": []int64{1, 1}, "groups": 1, "deform_groups": 1}, in: in(f32("b", 4, 32, 16), f32("b", 18, 16, 8), f32(6, 4, 3, 3)),
			want: "float32[b,6,16,8]", work: "27648*b 46080*b 0"},
		{op: "mmdeploy.MMCVModulatedDeformConv2d", opset: 1, as: attributes{"stride": []int64{2, 2}, "padding": []int64{1, 1}, "deformable_groups": 2}, in: in(f32("b", 4, 32, 16), f32("b", 36, 16, 8), f32("b", 18, 16, 8), f32(6, 4, 3, 3), f32(6)),
			want: "float32[b,6,16,8]", work: "27648*b 65280*b 0"},
		{op: "TRT.ModulatedDeformConv2d", opset: 1, as: attributes{"group": 2}, in: in(f32(1, 4, 5, 5), f32(1, 18, 3, 3), f32(1, 9, 3, 3), f32(6, 2, 3, 3)), want: "float32[1,6,3,3]", work: "972 3564 0"},
		{op: "TRT.ModulatedDeformConv2d", opset: 1, in: in(f32(1, 4, 5, 5), f32(1, 17, 3, 3), f32(1, 9, 3, 3), f32(6, 4, 3, 3)), want: "error: input 1 (offset): axis 1: extent 17, want 18"},
		{op: "mmdeploy.MMCVMultiScaleDeformableAttention", opset: 1, in: in(f32("b", 100, 8, 32), tensorOf(onnx.Int64, 4, 2), tensorOf(onnx.Int64, 4), f32("b", 300, 8, 4, 4, 2), f32("b", 300, 8, 4, 4)),
			want: "float32[b,300,256]", work: "0 11520000*b 0"}, // 38400 samples of 300
		{op: "TRT.MultiscaleDeformableAttnPlugin_TRT", opset: 1, in: in(f32("b", 100, 8, 32), tensorOf(onnx.Int64, 4, 2), tensorOf(onnx.Int64, 4), f32("b", 300, 7, 4, 4, 2), f32("b", 300, 8, 4, 4)), want: "error: input 3 (places): axis 2: extent 7, want 8"},
		{op: "mmdeploy.grid_sampler", opset: 1, as: attributes{"interpolation_mode": 0}, in: in(f32("b", 4, "h", 8), f32("b", 5, 6, 2)), want: "float32[b,4,5,6]", work: "0 960*b 0"},
		{op: "mmdeploy.grid_sampler", opset: 1, as: attributes{"interpolation_mode": 1}, in: in(f32("b", 4, "h", 8), f32("b", 5, 6, 2)), want: "float32[b,4,5,6]", work: "0 0 0"},

		// As RoiAlign: 49 bins of 4 samples of 8 channels.
		{op: "TRT.ROIAlign_TRT", opset: 1, as: align, in: in(f32(1, 8, 56, 56), f32("r", 4), tensorOf(onnx.Int32, "r")), want: "float32[r,8,7,7]", work: "0 14896*r 0"},
		{op: "mmdeploy.MMCVRoiAlign", opset: 1, as: attributes{"output_height": 7, "output_width": 7}, in: in(f32(1, 8, 56, 28), f32("r", 5)), want: "float32[r,8,7,7]", work: "0 119168*r 0"},
		{op: "mmdeploy.RoIAlignRotated", opset: 1, as: align, in: in(f32(1, 8, 56, 56), f32("r", 6)), want: "float32[r,8,7,7]"},
		{op: "mmdeploy.MMCVMultiLevelRoiAlign", opset: 1, as: align, in: in(f32("r", 5), f32(1, 8, 56, 56), f32(1, 8, 28, 28), f32(1, 8, 14, 14)), want: "float32[r,8,7,7]", work: "0 14896*r 0"},
		{op: "TRT.PyramidROIAlign_TRT", opset: 1, as: attributes{"pooled_size": 7}, in: in(f32("b", 1000, 4), f32("b", 256, 64, 64), f32("b", 256, 32, 32)), want: "float32[b,1000,256,7,7]"},
		{op: "TRT.CropAndResizeDynamic", opset: 1, as: attributes{"crop_height": 7, "crop_width": 9}, in: in(f32("b", 256, 64, 64), f32("b", 50, 4, 1)), want: "float32[b,50,256,7,9]"},
		{op: "TRT.ResizeNearest_TRT", opset: 1, as: attributes{"scale": 1.5}, in: in(f32("b", 3, "h", 5)), want: "float32[b,3,h + floor(h/2),7]"},
		{op: "TRT.DisentangledAttention_TRT", opset: 1, in: in(f32("b", 10, 10), f32("b", 10, 64), f32("b", 10, 64)), want: "float32[b,10,10]", work: "0 300*b 0"},
		{op: "TRT.CustomQKVToContextPluginDynamic", opset: 1, as: attributes{"hidden_size": 8, "num_heads": 2}, in: in(f32("s", "b", 24, 1, 1)), want: "float32[s,b,8,1,1]", work: "16*b*s^2 8*b*s^2 4*b*s^2"},
		{op: "TRT.CustomSkipLayerNormPluginDynamic", opset: 1, in: in(f32("s", "b", 8, 1, 1), f32("s", "b", 8, 1, 1)), want: "float32[s,b,8,1,1]"},
		{op: "TRT.InstanceNormalization_TRT", opset: 1, in: in(f32("b", 4, 8, 8), f32(4), f32(4)), want: "float32[b,4,8,8]"},
		{op: "TRT.GroupNormalizationPlugin", opset: 1, as: attributes{"num_groups": 2}, in: in(f32("b", 4, 8, 8), f32(4), f32(4)), want: "float32[b,4,8,8]", work: "0 1798*b 4*b"},
		{op: "TRT.Reorg_TRT", opset: 1, as: attributes{"stride": 2}, in: in(f32("b", 4, 8, 6)), want: "float32[b,16,4,3]"},
		{op: "TRT.PillarScatterPlugin", opset: 1, as: attributes{"dense_shape": []int64{496, 432}}, in: in(f32(1, 12000, 64), tensorOf(onnx.Uint32, 1, 12000, 4), tensorOf(onnx.Uint32, 1)), want: "float32[1,64,496,432]"},
		{op: "mmdeploy.GridPriorsTRT", opset: 1, in: in(f32(9, 4), f32("h"), f32("w")), want: "float32[9*h*w,4]"},
		{op: "mmdeploy.ScaledDotProductAttentionTRT", opset: 1, outs: 2, in: in(f32("b", 3, 8), f32("b", 5, 8), f32("b", 5, 8)), want: "float32[b,3,8] float32[b,3,5]", work: "240*b 60*b 30*b"},
		{op: "mmdeploy.GatherTopk", opset: 1, in: in(f32("b", 100, 4), tensorOf(onnx.Int32, "b", 10)), want: "float32[b,10,4]"},
		{op: "mmdeploy.GatherTopk", opset: 1, in: in(f32(5), tensorOf(onnx.Int32, 1, 10)), want: "error: input 1 has rank 2, want 1 to 1"},
	})
}

// TestFoundByName: plugins are known in any domain, ONNX Runtime's operators in the default one; what the standard has in
// the opset is the standard's.
func TestFoundByName(t *testing.T) {
	for _, k := range []struct {
		domain, op string
		opset      int64
		want       string // domain of the rule, "?" where there is none
	}{
		{"", "EfficientNMS_TRT", 11, "TRT"}, {"TRT", "EfficientNMS_TRT", 1, "TRT"}, {"trt.plugins", "EfficientNMS_TRT", 1, "TRT"},
		{"mmcv", "MMCVDeformConv2d", 1, "mmdeploy"}, {"", "grid_sampler", 11, "mmdeploy"}, {"", "FusedMatMul", 11, "com.microsoft"},
		{"ai.onnx", "SkipLayerNormalization", 11, "com.microsoft"}, {"", "Attention", 17, "com.microsoft"}, {"", "Attention", 23, ""},
		{"com.microsoft.extensions", "GPT2Tokenizer", 1, "ai.onnx.contrib"}, {"", "Conv", 11, ""}, {"", "NoSuchOperator", 11, "?"}, {"other", "FusedMatMul", 1, "?"},
	} {
		r, got := Find(k.domain, k.op, k.opset), "?"
		if r != nil {
			got = r.Domain
		}
		if got != k.want {
			t.Errorf("%s.%s at %d: got the rule of %q, want %q", k.domain, k.op, k.opset, got, k.want)
		}
	}
	if r := Lookup("", "FusedMatMul", 11); r != nil {
		t.Errorf("Lookup finds %v by name, want only Find to", r)
	}
}

// TestQuantisers: QONNX, Brevitas and FINN keep the shape; a constant's quantisation is folded and its scale is no weight.
func TestQuantisers(t *testing.T) {
	for _, d := range qonnxDomains {
		runRuleCases(t, []ruleCase{
			{op: d + ".Quant", opset: 1, as: attributes{"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}, in: in(f32("b", 8), f32(), f32(), f32()), want: "float32[b,8]", work: "0 48*b 8*b"},
			{op: d + ".IntQuant", opset: 1, in: in(f32("b", 8), f32(), f32(), f32()), want: "float32[b,8]"},
			{op: d + ".BipolarQuant", opset: 1, in: in(f32("b", 8), f32()), want: "float32[b,8]", work: "0 16*b 0"},
			{op: d + ".Trunc", opset: 1, in: in(f32("b", 8), f32(), f32(), f32(), f32()), want: "float32[b,8]"},
			{op: d + ".FloatQuant", opset: 1, in: in(f32("b", 8), f32(), f32(), f32(), f32(), f32()), want: "float32[b,8]"},
			{op: d + ".MultiThreshold", opset: 1, as: attributes{"out_dtype": "UINT4"}, in: in(f32("b", 8, 4, 4), f32(8, 15)), want: "float32[b,8,4,4]", work: "0 2176*b 0"},
			{op: d + ".XnorPopcountMatMul", opset: 1, in: in(f32("b", 16), f32(16, 4)), want: "float32[b,4]", work: "64*b 0 0"},
			{op: d + ".Im2Col", opset: 1, as: attributes{"stride": []int64{2, 2}, "kernel_size": []int64{3, 3}, "pad_amount": []int64{1, 1, 1, 1}}, in: in(f32(1, 8, 8, 4)), want: "float32[1,4,4,36]"},
			{op: d + ".MaxPoolNHWC", opset: 1, as: attributes{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}, "pads": []int64{0, 0, 0, 0}}, in: in(f32("b", 8, 8, 4)), want: "float32[b,4,4,4]"},
			{op: d + ".QuantAvgPool2d", opset: 1, as: attributes{"kernel": 2, "stride": 2}, in: in(f32("b", 4, 8, 8)), want: "float32[b,4,4,4]", work: "0 320*b 0"},
			{op: d + ".QuantAvgPool2d", opset: 1, as: attributes{"kernel": 2, "stride": 2, "data_layout": "NHWC"}, in: in(f32("b", 8, 8, 4)), want: "float32[b,4,4,4]"},
			{op: d + ".QuantAvgPool2d", opset: 1, as: attributes{"kernel": 2, "stride": 0}, in: in(f32("b", 4, 8, 8)), want: "error: windows of 2 every 0"},
		})
	}
	runRuleCases(t, []ruleCase{
		{op: "qonnx.custom_op.channels_last.Conv", opset: 1, as: attributes{"kernel_shape": []int64{3, 3}}, in: in(f32("b", 8, 8, 4), f32(6, 3, 3, 4)), want: "float32[b,6,6,6]", work: "7776*b 0 0"},
		{op: "qonnx.custom_op.channels_last.MaxPool", opset: 1, as: attributes{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}, in: in(f32("b", 8, 8, 4)), want: "float32[b,4,4,4]"},
	})
}

// TestExtensions: ONNX Runtime Extensions. Sizes that depend on text are symbols, and what is not counted is named.
func TestExtensions(t *testing.T) {
	text := func(extents ...any) *Value { return tensorOf(onnx.String, extents...) }
	bytes := func(extents ...any) *Value { return tensorOf(onnx.Uint8, extents...) }
	scalarOf := func(n int64) *Value { return knownScalar(onnx.Int64, IntOf(n)) }
	runRuleCases(t, []ruleCase{
		{op: "ai.onnx.contrib.GPT2Tokenizer", opset: 1, outs: 2, in: in(text("b")), want: "int64[b,tokens_1] int64[b,tokens_1]", work: "0 0 0"},
		{op: "ai.onnx.contrib.CLIPTokenizer", opset: 1, outs: 3, as: attributes{"padding_length": 77}, in: in(text("b")), want: "int64[b,77] int64[b,77] int64[b,77,2]"},
		{op: "ai.onnx.contrib.RobertaTokenizer", opset: 1, in: in(unranked()), want: "int64[?]"},
		{op: "ai.onnx.contrib.BertTokenizer", opset: 1, outs: 3, in: in(text(2)), want: "int64[tokens_1] int64[tokens_1] int64[tokens_1]"},
		{op: "ai.onnx.contrib.SentencepieceTokenizer", opset: 1, outs: 2, in: in(text("n"), scalarOf(0), f32(), f32(), f32(), f32()), want: "int32[tokens_1] int64[n + 1]"},
		{op: "ai.onnx.contrib.WordpieceTokenizer", opset: 1, outs: 3, in: in(text("w"), tensorOf(onnx.Int64, "r")), want: "string[tokens_1] int32[tokens_1] int64[r]"},
		{op: "ai.onnx.contrib.BpeDecoder", opset: 1, in: in(tensorOf(onnx.Int64, "b", "s")), want: "string[b]"},
		{op: "ai.onnx.contrib.StringJoin", opset: 1, in: in(text("b", 3), text(1), scalarOf(-1)), want: "string[b]"},
		{op: "ai.onnx.contrib.StringJoin", opset: 1, in: in(text("b", 3), text(1), scalarOf(2)), want: "error: axis 2 is outside rank 2"},
		{op: "ai.onnx.contrib.StringToVector", opset: 1, as: attributes{"unmapping_value": []int64{0, 0, 0, 0}}, in: in(text("n")), want: "int64[n,4]"},
		{op: "ai.onnx.contrib.VectorToString", opset: 1, in: in(tensorOf(onnx.Int64, "n", 4)), want: "string[n]"},
		{op: "ai.onnx.contrib.StringRegexSplitWithOffsets", opset: 1, outs: 3, in: in(text("n"), text(1), text(1)), want: "string[words_1] int64[words_1,3] int64[n + 1]"},
		{op: "ai.onnx.contrib.StringLength", opset: 1, in: in(text("n", 2)), want: "int64[n,2]"},
		{op: "ai.onnx.contrib.MaskedFill", opset: 1, in: in(text("n"), tensorOf(onnx.Bool, "n")), want: "string[kept_1]"},
		{op: "ai.onnx.contrib.DecodeImage", opset: 1, in: in(bytes("n")), want: "uint8[height_1,width_2,3]"},
		{op: "ai.onnx.contrib.EncodeImage", opset: 1, in: in(bytes("h", "w", 3)), want: "uint8[size_1]"},
		{op: "ai.onnx.contrib.DrawBoundingBoxes", opset: 1, in: in(bytes("h", "w", 3), f32("n", 6)), want: "uint8[h,w,3]"},
		{op: "ai.onnx.contrib.AudioDecoder", opset: 1, in: in(bytes("n")), want: "float32[1,samples_1]"},
		{op: "ai.onnx.contrib.GaussianBlur", opset: 1, in: in(f32("n", 8, 8, 3), known(3, 5), tensorOf(onnx.Float64, 2)), want: "float32[n,8,8,3]", work: "0 3072*n 0"},
		// 30 s at 16 kHz, as Whisper takes it: 3001 frames of 201 bins; 400 for the window, half of 5·400·log2(400), 3 for each bin
		{op: "ai.onnx.contrib.StftNorm", opset: 1, as: attributes{"onesided": 1}, in: in(f32(1, 480000), scalarOf(400), scalarOf(160), f32(400), scalarOf(400)), want: "float32[1,201,3001]", work: "0 28950647 0"},
		{op: "ai.onnx.contrib.StftNorm", opset: 1, in: in(f32(1, "l"), scalarOf(400), scalarOf(0), f32(400), scalarOf(400)), want: "error: input 2 is 0"},
		{op: "ai.onnx.contrib.NegPos", opset: 1, outs: 2, in: in(f32("n")), want: "float32[n] float32[n]", work: "0 2*n 0"},
		{op: "ai.onnx.contrib.SegmentSum", opset: 1, in: in(f32("n", 4), tensorOf(onnx.Int64, "n")), want: "float32[segments_1,4]", work: "0 4*n 0"},
		{op: "ai.onnx.contrib.RaggedTensorToDense", opset: 1, in: in(known(1), tensorOf(onnx.Int64, "v"), known(-1), tensorOf(onnx.Int64, "n")), want: "int64[n - 1,columns_1]"},
	})
	for _, r := range Rules() {
		if r.Domain == contribDomain && r.Uncounted != "" && !strings.Contains(r.Doc, "not counted") {
			t.Errorf("%s: %q is not counted, which its Doc does not say", r.Op, r.Uncounted)
		}
	}
}
