"""States the windows that a file leaves to the runtime, so that the reference computes what ONNX says.

ONNX's SAME padding goes by what a dilated window covers; ONNX Runtime (seen up to 1.32) refuses it for Conv, and for
MaxPool gives other shapes and values or divides by zero. With ceil_mode shapes differ between ONNX's inference and ONNX
Runtime's kernels (Window.onnx_ceil_mode). All else stays as it is written, as a reference should.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import helper

from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.layout import spatial_shape
from mcuq.ops.window import window_from_onnx

Attributes = Mapping[str, Any]

_WINDOWED = ("Conv", "MaxPool", "AveragePool")


def stated_window(node: OnnxNode) -> Attributes | None:
    """The attributes that say what a node's window is; None where it says so itself.

    The node has been imported: its window is valid.
    """
    if node.op_type not in _WINDOWED:
        return None
    spatial = spatial_shape(node)
    kernel = node.attribute("kernel_shape") or node.shape(1)[2:]
    window = window_from_onnx(node, kernel, spatial)
    is_same = str(node.attribute("auto_pad", "")).startswith("SAME")
    extents = [d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilations, strict=True)]
    beyond = any(stride > extent for stride, extent in zip(window.strides, extents, strict=True))
    if not window.ceil_mode and not (is_same and (window.dilations != (1, 1) or beyond)):
        return None
    height, width = (1, *spatial)[-2:]
    stated: dict[str, Any] = {"auto_pad": "NOTSET", "pads": window.pads if len(spatial) == 2 else window.pads[1::2]}
    if window.ceil_mode:
        stated["ceil_mode"] = window.onnx_ceil_mode(height, width)
    return stated


def state_windows(model: onnx.ModelProto, stated: Mapping[str, Attributes]) -> None:
    """Write the attributes into the model's nodes, which are known by their first outputs."""
    for node in model.graph.node:
        if node.op_type in _WINDOWED and node.output[0] in stated:
            new = stated[node.output[0]]
            kept = [a for a in node.attribute if a.name not in new]
            del node.attribute[:]
            node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in new.items())])
