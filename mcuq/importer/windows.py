"""States the windows that a file leaves to the runtime, so that the reference computes what ONNX says.

ONNX's SAME padding goes by what a dilated window covers; ONNX Runtime (seen up to 1.32) refuses it for Conv, and for
MaxPool gives other shapes and values or divides by zero. With ceil_mode shapes differ between ONNX's inference and ONNX
Runtime's kernels (onnx_ceil_mode). All else stays as it is written, as a reference should.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import helper

from mcuq.onnx_io.reader import OnnxNode
from mcuq.ops.layout import spatial_shape
from mcuq.ops.window import axis_windows, onnx_ceil_mode

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
    windows = axis_windows(node, kernel, spatial)
    is_same = str(node.attribute("auto_pad", "")).startswith("SAME")
    is_odd = any(along.dilation > 1 or along.stride > along.extent for along in windows)
    ceil_mode = windows[0].ceil_mode
    if not ceil_mode and not (is_same and is_odd):
        return None
    pads = [*(along.begin for along in windows), *(along.end for along in windows)]
    stated: dict[str, Any] = {"auto_pad": "NOTSET", "pads": pads}
    if ceil_mode:
        stated["ceil_mode"] = onnx_ceil_mode(windows, spatial)
    return stated


def state_windows(model: onnx.ModelProto, stated: Mapping[str, Attributes]) -> None:
    """Write the attributes into the model's nodes, which are known by their first outputs."""
    for node in model.graph.node:
        if node.op_type in _WINDOWED and node.output[0] in stated:
            new = stated[node.output[0]]
            kept = [a for a in node.attribute if a.name not in new]
            del node.attribute[:]
            node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in new.items())])
