"""How ONNX states the windows of pooling."""

from __future__ import annotations

from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.layout import spatial_shape
from mcuq.ops.window import Window, window_from_onnx


def pool_window(node: OnnxNode) -> Window:
    """The node's window; ModelError without kernel_shape."""
    spatial = spatial_shape(node)
    kernel = node.attribute("kernel_shape")
    if kernel is None or len(kernel) != len(spatial):
        raise node.error(f"kernel_shape={kernel} does not fit input of shape {list(node.shape(0))}")
    window = window_from_onnx(node, kernel, spatial)
    # ONNX Runtime refuses such a window: parts of it would meet padding alone.
    if any(pad >= size for pad, size in zip(window.pads, window.kernel * 2, strict=True)):
        raise node.error(f"pads={list(window.pads)} reach beyond the window {list(window.kernel)}; use smaller pads")
    return window
