"""What max and average pooling share: how ONNX states their windows."""

from __future__ import annotations

from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.window import Window, window_from_onnx


def pool_window(node: OnnxNode) -> Window:
    """The node's window; ModelError without kernel_shape."""
    spatial = node.shape(0)[2:]
    kernel = node.attribute("kernel_shape")
    if kernel is None or len(kernel) != len(spatial):
        raise node.error(f"kernel_shape={kernel} does not fit input of shape {list(node.shape(0))}")
    return window_from_onnx(node, kernel, spatial)
