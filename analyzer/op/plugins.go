package op

import "strings"

// Operators that TensorRT has plugins for and exporters of detectors write. TensorRT finds a plugin by the operator's name
// alone, so that files have them in the default domain, in TRT, mmdeploy and others; see byName. Sources: plugin/*/README.md
// of NVIDIA's TensorRT repository, docs/en/06-custom-ops of mmdeploy, and the symbolic functions of mmcv and mmdeploy.

const (
	trtDomain      = "TRT"
	mmdeployDomain = "mmdeploy"
)

const (
	docKept   = "a comparison per score; sorting and overlaps depend on the data and are not counted"
	docDecode = "; with anchors 8 and 2 exponentials per box to decode it"
)

// nms is a suppression of boxes: a comparison per score.
func nms(domain, name, in, attrs, sizes, out string) Rule {
	return defined(domain, name, in, attrs, sizes, out, Definition{Vector: "scores.elements", Doc: docKept})
}

// efficientNMS is EfficientNMS_TRT with further inputs and outputs.
func efficientNMS(name, in, out string) Rule {
	return defined(trtDomain, name, "boxes[B,N,...] scores[B,N,C]"+in, "max_output_boxes=100 score_activation=0", "K = max_output_boxes",
		"int32[B,1] boxes[B,K,"+out, Definition{Vector: "scores.elements + 8*anchors.given*boxes.elements//4 + score_activation*2*B*K",
			Special: "2*anchors.given*boxes.elements//4 + score_activation*2*B*K", Doc: docKept + docDecode + "; 2 and 2 special per kept score for the sigmoid"})
}

// deformed is a deformable convolution whose operands stand in another order than the standard's. The groups have several
// names.
func deformed(domain, name, in string) Rule {
	vector := "7*places*C + 12*places*D"
	for _, optional := range []struct{ name, each string }{{"mask", "places*C"}, {"bias", "N*M*OH*OW"}} {
		if strings.Contains(in, optional.name) {
			vector += " + " + optional.name + ".given*" + optional.each
		}
	}
	return defined(domain, name, in, "stride=1,1 padding=0,0 dilation=1,1 groups|group=1 deform_groups|deformable_groups|deformable_group=1",
		"G = groups; D = deform_groups;"+
			"OH = floor((H + 2*padding.0 - dilation.0*(KH - 1) - 1)/stride.0) + 1; OW = floor((W + 2*padding.1 - dilation.1*(KW - 1) - 1)/stride.1) + 1;"+
			"places = N*OH*OW*KH*KW",
		"x[N,M,OH,OW]", Definition{Products: []DefinedProduct{{Kind: ConvKind, M: "N*OH*OW", N: "M//G", K: "C//G*KH*KW", Groups: "G", Weight: "w",
			Window: []string{"KH", "KW"}, Strides: []string{"stride.0", "stride.1"}, Dilation: []string{"dilation.0", "dilation.1"}}},
			Vector: vector, Doc: docConv + "; 7 per sampled value (1 more with a mask) and 12 per moved place"})
}

const (
	offsetShape = "offset[N,2*D*KH*KW,OH,OW]"
	maskShape   = "mask[N,D*KH*KW,OH,OW]"
	weightShape = "w[M,C//G,KH,KW]"
)

// multiscale is multi-scale deformable attention: a weighted sum of bilinear samples of every level. Source: Deformable DETR,
// arXiv:2010.04159, section 4.1.
func multiscale(domain, name string) Rule {
	return defined(domain, name, "value[B,S,H,D] shapes[L,2]~ starts[L]~ places[B,Q,H,L,P,2] weights[B,Q,H,L,P]", "", "samples = B*Q*H*L*P", "value[B,Q,H*D]",
		Definition{Class: Movement, Vector: "samples*(9*D + 12)", Read: "places.bytes + weights.bytes + 4*samples*value.bytes//(B*S*H)",
			Doc: "per sample 9 per channel (4 taps of 2 operations, the weight) and 12 for its place"})
}

// roiAlign is a pooling of rois by bilinear samples; 0 samples per bin, as many as the roi has pixels, are taken for rois as
// large as the map.
func roiAlign(domain, name, in, attrs, sizes, out string) Rule {
	return defined(domain, name, in, attrs, sizes, out, Definition{Class: Pooling, Vector: "bins*(8*C + 12)",
		Doc: "8 per sample and channel, 12 per sample; sampling_ratio 0 is taken for regions as large as the map"})
}

const (
	samplesPerBin = "s = max(sampling_ratio, 1); z = max(1 - sampling_ratio, 0); sy = s*(1 - z) + z*ceil(FH/OH); sx = s*(1 - z) + z*ceil(FW/OW);"
	roiSizes      = "OH = output_height; OW = output_width;" + samplesPerBin + "bins = R*OH*OW*sy*sx"
)

func pluginRules() []Rule {
	return []Rule{
		efficientNMS("EfficientNMS_TRT", " anchors[_,N,4]?", "4] scores[B,K] int32[B,K]"),
		efficientNMS("EfficientNMSX_TRT", " anchors[_,N,4]?", "4] scores[B,K] int32[B,K] int32[B,K]"),
		efficientNMS("EfficientIdxNMS_TRT", " anchors[_,N,4]?", "4] scores[B,K] int32[B,K] int32[B,K]"),
		efficientNMS("EfficientRotatedNMS_TRT", " anchors[_,N,5]?", "5] scores[B,K] int32[B,K]"),
		efficientNMS("EfficientNMSLandmark_TRT", " landmarks[B,N,L] anchors[_,N,4]?", "4] scores[B,K] int32[B,K] landmarks[B,K,L]"),
		nms(trtDomain, "EfficientNMS_ONNX_TRT", "boxes[B,N,4] scores[B,C,N]", "max_output_boxes_per_class=100", "selected <= B*C*min(N, max_output_boxes_per_class)", "int32[selected,3]"),
		nms(trtDomain, "BatchedNMS_TRT", "boxes[B,N,_,4] scores[B,N,C]", "keepTopK", "", "int32[B,1] boxes[B,keepTopK,4] scores[B,keepTopK] scores[B,keepTopK]"),
		nms(trtDomain, "BatchedNMSDynamic_TRT", "boxes[B,N,_,4] scores[B,N,C]", "keepTopK", "", "int32[B,1] boxes[B,keepTopK,4] scores[B,keepTopK] scores[B,keepTopK]"),
		nms(trtDomain, "BatchedNMSLandmark_TRT", "boxes[B,N,_,4] scores[B,N,C] landmarks[B,N,_,L]", "keepTopK", "",
			"int32[B,1] boxes[B,keepTopK,4] scores[B,keepTopK] scores[B,keepTopK] landmarks[B,keepTopK,L]"),
		nms(trtDomain, "NMS_TRT", "loc[B,...] scores prior", "keepTopK", "", "loc[B,1,keepTopK,7] int32[B,1,1,1]"),
		nms(trtDomain, "NMSDynamic_TRT", "loc[B,...] scores prior", "keepTopK", "", "loc[B,1,keepTopK,7] int32[B,1,1,1]"),
		nms(trtDomain, "ProposalLayer_TRT", "scores[B,A,...] deltas", "keep_topk", "", "scores[B,keep_topk,4]"),
		nms(trtDomain, "DetectionLayer_TRT", "deltas scores rois[B,R,4]", "keep_topk", "", "scores[B,keep_topk,6]"),
		nms(mmdeployDomain, "TRTBatchedNMS", "boxes[B,N,_,4] scores[B,N,...]", "keepTopK|keep_topk", "K = keepTopK", "boxes[B,K,5] int32[B,K] int32[B,K]"),
		nms(mmdeployDomain, "TRTBatchedRotatedNMS", "boxes[B,N,_,5] scores[B,N,...]", "keepTopK|keep_topk", "K = keepTopK", "boxes[B,K,6] int32[B,K]"),
		nms(mmdeployDomain, "NMSRotated", "boxes[N,5] scores[N]", "", "kept <= N", "int64[kept]"),
		nms(mmdeployDomain, "NMSMatch", "boxes[N,4] scores[N]", "", "kept <= N", "int64[kept,2]"),
		nms(mmdeployDomain, "TRTNonMaxSuppression", "boxes[B,N,4] scores[B,C,N] limit=?", "max_output_boxes_per_class=0", "M = max(max_output_boxes_per_class, limit.value); selected <= B*C*min(N, M)", "int32[selected,3]"),
		defined(mmdeployDomain, "SoftNonMaxSuppression", "boxes[N,4] scores[N]", "", "kept <= N", "boxes[kept,5] int64[kept]",
			Definition{Vector: "scores.elements", Doc: docKept}),

		deformed(trtDomain, "ModulatedDeformConv2d", "x[N,C,H,W] "+offsetShape+" "+maskShape+" "+weightShape+" bias[M]?"),
		deformed(mmdeployDomain, "MMCVModulatedDeformConv2d", "x[N,C,H,W] "+offsetShape+" "+maskShape+" "+weightShape+" bias[M]?"),
		deformed(mmdeployDomain, "MMCVDeformConv2d", "x[N,C,H,W] "+offsetShape+" "+weightShape),
		multiscale(trtDomain, "MultiscaleDeformableAttnPlugin_TRT"),
		multiscale(mmdeployDomain, "MMCVMultiScaleDeformableAttention"),
		defined(mmdeployDomain, "grid_sampler", "x[N,C,...] grid[N,OH,OW,2]", "interpolation_mode=0", "linear = max(1 - interpolation_mode, 0); cubic = max(interpolation_mode - 1, 0)", "x[N,C,OH,OW]",
			Definition{Class: Movement, Vector: "N*C*OH*OW*(8*linear + 32*cubic)", Doc: "2 operations per tap: 4 taps for bilinear, 16 for bicubic, none for nearest"}),

		roiAlign(trtDomain, "ROIAlign_TRT", "x[N,C,FH,FW] rois[R,4] batch[R]", "output_height=1 output_width=1 sampling_ratio=0", roiSizes, "x[R,C,OH,OW]"),
		roiAlign(mmdeployDomain, "MMCVRoiAlign", "x[N,C,FH,FW] rois[R,5]", "output_height=1 output_width=1 sampling_ratio=0", roiSizes, "x[R,C,OH,OW]"),
		roiAlign(mmdeployDomain, "MMCVRoIAlign", "x[N,C,FH,FW] rois[R,5]", "output_height=1 output_width=1 sampling_ratio=0", roiSizes, "x[R,C,OH,OW]"),
		roiAlign(mmdeployDomain, "MMCVRoIAlignRotated", "x[N,C,FH,FW] rois[R,6]", "output_height=1 output_width=1 sampling_ratio=0", roiSizes, "x[R,C,OH,OW]"),
		roiAlign(mmdeployDomain, "RoIAlignRotated", "x[N,C,FH,FW] rois[R,6]", "output_height=1 output_width=1 sampling_ratio=0", roiSizes, "x[R,C,OH,OW]"),
		roiAlign(mmdeployDomain, "MMCVMultiLevelRoiAlign", "rois[R,5] x[N,C,FH,FW] maps[N,C,_,_]*?", "output_height=1 output_width=1 sampling_ratio=0", roiSizes, "x[R,C,OH,OW]"),
		roiAlign(mmdeployDomain, "MMCVMultiLevelRotatedRoiAlign", "rois[R,6] x[N,C,FH,FW] maps[N,C,_,_]*?", "output_height=1 output_width=1 sampling_ratio=0", roiSizes, "x[R,C,OH,OW]"),
		roiAlign(trtDomain, "PyramidROIAlign_TRT", "rois[N,R,4] x[N,C,_,_] maps[N,C,_,_]*?", "pooled_size=7", "bins = N*R*pooled_size^2", "x[N,R,C,pooled_size,pooled_size]"),
		roiAlign(trtDomain, "MultilevelCropAndResize_TRT", "rois[N,R,4] x[N,C,_,_] maps[N,C,_,_]*?", "pooled_size=7", "bins = N*R*pooled_size^2", "x[N,R,C,pooled_size,pooled_size]"),
		roiAlign(trtDomain, "CropAndResizeDynamic", "x[N,C,_,_] rois[N,R,...]", "crop_height crop_width", "bins = N*R*crop_height*crop_width", "x[N,R,C,crop_height,crop_width]"),

		defined(trtDomain, "ResizeNearest_TRT", "x[N,C,H,W]", "scale", "", "x[N,C,floor(H*scale),floor(W*scale)]", Definition{Class: Movement, Doc: movesDoc}),
		defined(trtDomain, "DisentangledAttention_TRT", "c2c[B,S,S] c2p[B,S,P] p2c[B,S,P]", "", "", "c2c like c2c", Definition{Class: Elementwise, Vector: "3*c2c.elements",
			Doc: "two sums and the scale per score; the bucket of a distance is not counted"}),
		defined(trtDomain, "CustomQKVToContextPluginDynamic", "qkv[S,B,X,1,1] mask?", "hidden_size num_heads", "heads = B*num_heads; size = hidden_size//num_heads", "qkv[S,B,hidden_size,1,1]",
			Definition{Products: []DefinedProduct{{Kind: AttentionKind, Batch: "heads", M: "S", N: "S", K: "size"}, {Kind: AttentionKind, Batch: "heads", M: "S", N: "size", K: "S"}},
				Vector: "(4 + mask.given)*heads*S^2", Special: "2*heads*S^2", Doc: "attention in full: per score 4, mask 1, 2 special"}),
		defined(trtDomain, "CustomSkipLayerNormPluginDynamic", "x[S,B,E,1,1] skip", "", "", "x like x", Definition{Class: Normalization, Vector: "8*x.elements + 3*S*B", Special: "2*S*B",
			Doc: "1 for the skip; " + docMeanVariance}),
		defined(trtDomain, "CustomGeluPluginDynamic", "x", "", "", "x like x", Definition{Class: Elementwise, Vector: "9*x.elements", Special: "x.elements", Doc: "1 for the bias; the tanh form of Gelu, 8 and a tanh"}),
		defined(trtDomain, "LReLU_TRT", "x", "", "", "x like x", Definition{Class: Elementwise, Vector: "2*x.elements", Doc: "a comparison and a product"}),
		defined(trtDomain, "Clip_TRT", "x", "", "", "x like x", Definition{Class: Elementwise, Vector: "2*x.elements", Doc: "2 comparisons"}),
		defined(trtDomain, "Normalize_TRT", "x[N,C,...]", "", "", "x like x", Definition{Class: Normalization, Vector: "3*x.elements", Special: "x.elements", Doc: "a square, a sum, the scale and a division per element"}),
		defined(trtDomain, "Reorg_TRT", "x[N,C,H,W]", "stride", "", "x[N,C*stride^2,H//stride,W//stride]", Definition{Class: Movement, Doc: movesDoc}),
		defined(trtDomain, "CoordConvAC", "x[N,C,H,W]", "", "", "x[N,C + 2,H,W]", Definition{Class: Movement, Vector: "2*N*H*W", Doc: "a coordinate per place and axis"}),
		defined(trtDomain, "SpecialSlice_TRT", "x[N,K,6]", "", "", "x[N,K,4]", Definition{Class: Movement, Doc: movesDoc}),
		defined(trtDomain, "PillarScatterPlugin", "x[N,V,C] coords params?", "dense_shape", "", "x[N,C,dense_shape.0,dense_shape.1]", Definition{Class: Movement, Doc: movesDoc}),
		{Domain: trtDomain, Op: "InstanceNormalization_TRT", Since: 1, Shape: instanceNormShape, Work: instanceNormWork, Memory: Stream, Class: Normalization, Doc: docMeanVariance},
		{Domain: mmdeployDomain, Op: "MMCVInstanceNormalization", Since: 1, Shape: instanceNormShape, Work: instanceNormWork, Memory: Stream, Class: Normalization, Doc: docMeanVariance},
		defined(trtDomain, "GroupNormalizationPlugin", "x[N,C,...] scale[C] bias[C]", "num_groups", "", "x like x", Definition{Class: Normalization,
			Vector: "7*x.elements + 3*N*num_groups", Special: "2*N*num_groups", Doc: docMeanVariance}),

		defined(mmdeployDomain, "GridPriorsTRT", "base[A,4] height[H]~ width[W]~", "", "", "base[A*H*W,4]", Definition{Class: Movement, Vector: "4*A*H*W", Doc: "a sum per coordinate"}),
		defined(mmdeployDomain, "ScaledDotProductAttentionTRT", "q[B,S,E] k[B,T,E] v[B,T,F] mask?", "", "", "q[B,S,F] q[B,S,T]", Definition{
			Products: []DefinedProduct{{Kind: AttentionKind, Batch: "B", M: "S", N: "T", K: "E"}, {Kind: AttentionKind, Batch: "B", M: "S", N: "F", K: "T"}},
			Vector:   "(4 + mask.given)*B*S*T", Special: "2*B*S*T", Doc: "attention in full: per score 4, mask 1, 2 special"}),
		{Domain: mmdeployDomain, Op: "GatherTopk", Since: 1, Shape: gatherTopkShape, Work: noWork, Memory: Indexed, Class: Movement, Traffic: touchedAndIndices(1), Doc: movesDoc},
	}
}

// gatherTopkShape: data (A…, G, C…) at indices (A…, K) → (A…, K, C…).
func gatherTopkShape(c *Call) error {
	x, err := c.want(0)
	if err != nil {
		return err
	}
	at, err := c.want(1)
	if err != nil {
		return err
	}
	if !x.Ranked || !at.Ranked {
		c.setOut(0, x.DType, nil, false)
		return nil
	}
	n := len(at.Shape)
	if n < 1 || n > len(x.Shape) {
		return c.errorf("input 1 has rank %d, want 1 to %d", n, len(x.Shape))
	}
	c.setOut(0, x.DType, append(append(Shape{}, at.Shape...), x.Shape[n:]...), true)
	return nil
}

// byName are the domains whose operators are known by their names in any domain.
var byName = []string{trtDomain, mmdeployDomain}

// elsewhere finds the rule of an operator that a file has in another domain than its own: plugins in any, and operators of
// ONNX Runtime in the default one, where the standard has none of that name.
func elsewhere(domain, opType string) []*Rule {
	if domain == "" {
		if rs := table()[ruleKey{msDomain, opType}]; rs != nil {
			return rs
		}
	}
	if domain == extensionsDomain {
		return table()[ruleKey{contribDomain, opType}]
	}
	for _, d := range byName {
		if rs := table()[ruleKey{d, opType}]; rs != nil {
			return rs
		}
	}
	return nil
}
