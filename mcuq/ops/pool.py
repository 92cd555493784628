"""What kinds and kernels of pooling share: how ONNX states their windows, and what a mean counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcuq.graph.tensor import Tensor
from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.layout import spatial_shape
from mcuq.ops.window import Window, window_from_onnx

if TYPE_CHECKING:
    from mcuq.ops.average_pool import AveragePool


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


def counted_constants(op: AveragePool, x: Tensor) -> dict[str, int]:
    """The channels, and the frame `counted_*` of the positions that the divisor of a mean counts."""
    top, left, bottom, right = op.window.pads if op.count_include_pad else (0, 0, 0, 0)
    return {
        "channels": x.shape[3],
        "counted_top": -top,
        "counted_left": -left,
        "counted_bottom": x.shape[1] + bottom,
        "counted_right": x.shape[2] + right,
    }
