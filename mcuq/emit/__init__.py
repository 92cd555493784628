"""Program + Plan -> C files, or ONNX with Q/DQ."""
