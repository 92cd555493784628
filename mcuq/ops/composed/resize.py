"""Resize and Upsample: pixels several times or picked, or sums of those around, one dimension after the other.

ONNX Runtime resizes numbers of pixels, or lines of which one pixel is 1, itself: which pixels go into one, and with
which weights, hangs on the order in which it rounds in float32, on whether another dimension changes, and on its
version.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import OnnxNode, normalized_axis
from mcuq.ops.composed.asked import MOST_ELEMENTS, given_inputs, output_of
from mcuq.ops.composed.expand import repeated
from mcuq.ops.pad import Pad
from mcuq.ops.picked import picked
from mcuq.ops.reshape import Reshape
from mcuq.ops.sparse_product import sparse_product

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
_MODES = ("nearest", "linear", "cubic")
_ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def from_resize(node: OnnxNode, graph: GraphBuilder) -> str:
    """Any mode, coordinates and rounding; of the nearest pixel a region of interest must lie within."""
    mode = node.attribute("mode", "nearest")
    if mode not in _MODES:
        raise node.error(f"mode={mode} is not supported; use one of {', '.join(_MODES)}", "mode")
    coordinates = node.attribute("coordinate_transformation_mode", _COORDINATES[0])
    rounding = node.attribute("nearest_mode", _ROUNDING[0])
    if coordinates not in _COORDINATES or rounding not in _ROUNDING:
        raise node.error(
            f"coordinate_transformation_mode={coordinates}, nearest_mode={rounding} are not supported; use one of "
            f"{', '.join(_COORDINATES)} and one of {', '.join(_ROUNDING)}",
            "coordinate_transformation_mode",
            "nearest_mode",
        )
    if mode != "nearest":
        return _interpolated(node, graph)
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
    """Where each element of the output stands in the input, counted through."""
    shape = node.shape(0)
    if prod(shape) > MOST_ELEMENTS:
        raise node.error(f"input of shape {list(shape)}; supported are {MOST_ELEMENTS} elements")
    y = _resized_by_runtime(node, np.arange(prod(shape), dtype=np.int32).reshape(shape), _BEYOND)
    if beyond := np.count_nonzero(y == _BEYOND):
        raise node.error(f"its roi makes {beyond} of {y.size} elements lie beyond the input; supported is one within")
    return y


def _interpolated(node: OnnxNode, graph: GraphBuilder) -> str:
    """Along each dimension that changes a product with the matrix of weights, those that grow least first; what lies
    beyond a region of interest is a Pad."""
    if node.given(0) is not None:
        raise node.error(
            "computes with integers of a QuantizeLinear; put a DequantizeLinear before it, or mode=nearest"
        )
    x, rank = node.computed(0), len(node.shape(0))
    matrices = {axis: _matrix(node, axis) for axis in _changed(node)}
    before, after = [0] * rank, [0] * rank
    for axis, matrix in sorted(matrices.items(), key=lambda item: item[1].shape[0] / item[1].shape[1]):
        if np.array_equal(matrix, np.eye(len(matrix))):
            continue
        within = np.flatnonzero(~np.isnan(matrix[:, 0]))
        before[axis], after[axis] = int(within[0]), len(matrix) - 1 - int(within[-1])
        x = sparse_product(graph, x, axis, matrix[within], node.name)
    if any((*before, *after)):
        x = graph.add(Pad(tuple(before), tuple(after), node.attribute("extrapolation_value", 0.0)), [x], name=node.name)
    return x


def _changed(node: OnnxNode) -> list[int]:
    """The dimensions that are not for certain what they were."""
    shape = node.shape(0)
    is_cropped = node.attribute("coordinate_transformation_mode") == "tf_crop_and_resize"
    keeps_aspect = node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch"
    axes, scales, sizes = _listed_axes(node), _list(node, "scales"), _list(node, "sizes")
    factors = scales if len(scales) else [size / shape[axis] for axis, size in zip(axes, sizes, strict=False)]
    return [axis for axis, s in zip(axes, factors, strict=False) if s != 1 or is_cropped or keeps_aspect]


def _listed_axes(node: OnnxNode) -> list[int]:
    rank = len(node.shape(0))
    return [normalized_axis(axis, rank, node) for axis in node.attribute("axes", tuple(range(rank)))]


def _list(node: OnnxNode, name: str) -> Sequence[float]:
    """The scales or the sizes; nothing where the file does not say them."""
    if name in node.attributes:
        return tuple(node.attributes[name])
    index = next((i for i in range(1, len(node.inputs)) if _input_name(node, i) == name and node.has(i)), None)
    return () if index is None else tuple(node.constant(index, name).reshape(-1).tolist())


def _matrix(node: OnnxNode, axis: int) -> Array:
    """(outputs, places) of one dimension, NaN in rows beyond a region of interest: what the runtime makes of lines of
    zeros and a one, other dimensions even."""
    changed, places = _changed(node), node.shape(0)[axis]
    free = next((a for a in range(len(node.shape(0))) if a not in changed), None)
    shape = [size if a in changed else 1 for a, size in enumerate(node.shape(0))]
    line = np.arange(places).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    if free is None:
        columns = [_resized_by_runtime(node, np.broadcast_to(line == k, shape), np.nan) for k in range(places)]
        lines = np.stack([np.moveaxis(y, axis, 0).reshape(y.shape[axis], -1) for y in columns])
    else:
        shape[free] = places
        if prod(shape) > MOST_ELEMENTS:
            raise node.error(
                f"input of shape {list(node.shape(0))} is too large to find its weights; resize it in steps"
            )
        unit = np.arange(places).reshape([-1 if a == free else 1 for a in range(len(shape))])
        y = _resized_by_runtime(node, np.broadcast_to(line == unit, shape), np.nan)
        turned = np.moveaxis(y, (free, axis), (0, 1))
        lines = turned.reshape(*turned.shape[:2], -1)
    # Of the other dimensions the place that is beyond least often.
    best = np.isnan(lines).sum(axis=(0, 1)).argmin()
    matrix = lines[:, :, best].T.astype(np.float32)
    if np.isnan(matrix).all():
        raise node.error("its roi lies beyond the input; supported is one that meets it")
    return matrix


def _resized_by_runtime(node: OnnxNode, x: Array, beyond: float) -> Array:
    """What ONNX Runtime makes of `x`, with `beyond` for what lies outside of it; dimensions that do not change may have
    another size than the node's."""
    constants = {index: node.constant(index, _input_name(node, index)) for index in given_inputs(node)}
    for index, value in constants.items():
        if _input_name(node, index) == "sizes" and x.shape != node.shape(0):
            kept = [axis not in _changed(node) for axis in _listed_axes(node)]
            constants[index] = np.where(kept, [x.shape[axis] for axis in _listed_axes(node)], value).astype(value.dtype)
    x = x if x.dtype == np.int32 else x.astype(np.float32)
    y = output_of(node, x, constants, {"extrapolation_value": float(beyond)} if node.opset > 10 else None)
    if y.size == 0:
        raise node.error(f"resizes {list(x.shape)} to {list(y.shape)}; each size must be 1 or more")
    return y


def _input_name(node: OnnxNode, index: int) -> str:
    return ("x", "scales")[index] if node.opset <= 10 else ("x", "roi", "scales", "sizes")[index]
