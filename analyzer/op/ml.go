package op

const mlDomain = "ai.onnx.ml"
