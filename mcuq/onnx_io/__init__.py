"""Reading one ONNX node and writing ONNX: what operators need of the format."""
