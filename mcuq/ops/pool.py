"""How ONNX states the windows of pooling."""

from __future__ import annotations

from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.layout import spatial_shape
from mcuq.ops.window import AxisWindow, axis_windows


def pool_windows(node: OnnxNode) -> tuple[AxisWindow, ...]:
    """The node's window along each dimension of a signal, an image or a volume; ModelError without kernel_shape."""
    spatial = spatial_shape(node)
    kernel = node.attribute("kernel_shape")
    if kernel is None or len(kernel) != len(spatial):
        raise node.error(f"kernel_shape={kernel} does not fit input of shape {list(node.shape(0))}")
    windows = axis_windows(node, kernel, spatial)
    # ONNX Runtime refuses such a window: parts of it would meet padding alone.
    if any(max(along.begin, along.end) >= along.kernel for along in windows):
        pads = [*(along.begin for along in windows), *(along.end for along in windows)]
        raise node.error(f"pads={pads} reach beyond the window {list(kernel)}; use smaller pads")
    return windows
