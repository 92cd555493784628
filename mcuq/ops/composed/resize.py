"""Resize to the nearest pixel: pixels several times, or picked."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import OnnxNode
from mcuq.onnx_runtime import RuntimeFault, Session
from mcuq.ops.composed.expand import repeated
from mcuq.ops.picked import picked
from mcuq.ops.reshape import Reshape

MOST_ELEMENTS = 2**26  # before and after: no tensor on a microcontroller has as many
_BEYOND = -1  # stands for a pixel that is none of the input's
_COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "tf_half_pixel_for_nn",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
_ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def from_resize(node: OnnxNode, graph: GraphBuilder) -> str:
    """Mode nearest, with any coordinates and rounding; a region of interest must lie within."""
    mode = node.attribute("mode", "nearest")
    if mode != "nearest" or node.attribute("antialias", 0):
        raise node.error(
            f"mode={mode}{' with antialias' * bool(node.attribute('antialias', 0))} is not supported; use mode=nearest"
        )
    coordinates = node.attribute("coordinate_transformation_mode", _COORDINATES[0])
    rounding = node.attribute("nearest_mode", _ROUNDING[0])
    if coordinates not in _COORDINATES or rounding not in _ROUNDING:
        raise node.error(
            f"coordinate_transformation_mode={coordinates}, nearest_mode={rounding} are not supported; use one of "
            f"{', '.join(_COORDINATES)} and one of {', '.join(_ROUNDING)}"
        )
    x, nearest = node.computed(0), _nearest(node)
    for axis in range(nearest.ndim):
        line = np.moveaxis(nearest, axis, -1)[(0,) * (nearest.ndim - 1)]
        indices = np.unravel_index(line, node.shape(0))[axis]
        x = _resized(node, graph, x, axis, list(map(int, indices)))
    return x


def _resized(node: OnnxNode, graph: GraphBuilder, x: str, axis: int, indices: list[int]) -> str:
    """Each element as often as the others where that is what the indices say; else picked one run after the other."""
    shape = graph.tensors[x].shape
    times, rest = divmod(len(indices), shape[axis])
    if rest or indices != [i // times for i in range(len(indices))]:
        return picked(node, graph, x, axis, indices)
    apart = graph.add(Reshape((*shape[: axis + 1], 1, *shape[axis + 1 :])), [x])
    copies = repeated(node, graph, apart, [times if a == axis + 1 else 1 for a in range(len(shape) + 1)])
    return graph.add(Reshape((*shape[:axis], len(indices), *shape[axis + 1 :])), [copies])


def _nearest(node: OnnxNode) -> Array:
    """Where each element of the output stands in the input, counted through.

    ONNX Runtime resizes these numbers itself: which pixel is nearest hangs on the order in which it rounds in float32,
    on whether another dimension changes, and on its version.
    """
    shape = node.shape(0)
    if prod(shape) > MOST_ELEMENTS:
        raise node.error(f"input of shape {list(shape)}; supported are {MOST_ELEMENTS} elements")
    given = [index for index in range(1, len(node.inputs)) if node.has(index)]
    # An empty list has no type; what may be one is as good as left out.
    attributes = {name: value for name, value in node.attributes.items() if value != ()}
    if node.opset > 10:
        attributes["extrapolation_value"] = float(_BEYOND)
    inputs = ["x", *(f"input {index}" if index in given else "" for index in range(1, len(node.inputs)))]
    asked = helper.make_graph(
        [helper.make_node("Resize", inputs, ["y"], **attributes)],
        "nearest",
        [helper.make_tensor_value_info("x", TensorProto.INT32, shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
        [numpy_helper.from_array(node.constant(index, _input_name(node, index)), inputs[index]) for index in given],
    )
    model = helper.make_model(asked, opset_imports=[helper.make_opsetid("", node.opset)], ir_version=8)
    most_bytes = MOST_ELEMENTS * np.dtype(np.int32).itemsize
    try:
        session = Session(model.SerializeToString(), optimize=False, memory_bytes=2 * most_bytes)
        (y,) = session.run({"x": np.arange(prod(shape), dtype=np.int32).reshape(shape)}, ["y"], most_bytes)
    except RuntimeFault as fault:
        raise node.error(f"cannot be computed: {fault}") from None
    if y.size == 0:
        raise node.error(f"resizes {list(shape)} to {list(y.shape)}; each size must be 1 or more")
    if beyond := np.count_nonzero(y == _BEYOND):
        raise node.error(f"its roi makes {beyond} of {y.size} elements lie beyond the input; supported is one within")
    return y


def _input_name(node: OnnxNode, index: int) -> str:
    return ("x", "scales")[index] if node.opset == 10 else ("x", "roi", "scales", "sizes")[index]
