"""Resize to the nearest pixel: pixels several times, or picked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import OnnxNode, normalized_axis
from mcuq.ops.composed.expand import repeated
from mcuq.ops.picked import picked
from mcuq.ops.reshape import Reshape

_COORDINATES: Mapping[str, Callable[[Array, float, int, int], Array]] = {
    "half_pixel": lambda y, scale, size, wanted: (y + 0.5) / scale - 0.5,
    "half_pixel_symmetric": lambda y, scale, size, wanted: (
        size / 2 * (1 - wanted / (scale * size)) + (y + 0.5) / scale - 0.5
    ),
    "pytorch_half_pixel": lambda y, scale, size, wanted: (y + 0.5) / scale - 0.5 if wanted > 1 else 0 * y,
    "align_corners": lambda y, scale, size, wanted: y * ((size - 1) / (wanted - 1)) if wanted > 1 else 0 * y,
    "asymmetric": lambda y, scale, size, wanted: y / scale,
}
"""Of each pixel of `wanted` its place among `size`: ONNX, Resize, coordinate_transformation_mode."""
_ROUNDING: Mapping[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def from_resize(node: OnnxNode, graph: GraphBuilder) -> str:
    """Mode nearest with any coordinates and rounding but a region of interest; opset 10 has the scales as input 1."""
    shape = node.shape(0)
    mode = node.attribute("mode", "nearest")
    if mode != "nearest" or node.attribute("antialias", 0):
        raise node.error(
            f"mode={mode}{' with antialias' * bool(node.attribute('antialias', 0))} is not supported; use mode=nearest"
        )
    coordinates = node.attribute("coordinate_transformation_mode", "half_pixel" if node.opset > 10 else "asymmetric")
    rounding = node.attribute("nearest_mode", "round_prefer_floor" if node.opset > 10 else "floor")
    if coordinates not in _COORDINATES or rounding not in _ROUNDING:
        raise node.error(
            f"coordinate_transformation_mode={coordinates}, nearest_mode={rounding} are not supported; use one of "
            f"{', '.join(_COORDINATES)} and one of {', '.join(_ROUNDING)}"
        )
    x = node.computed(0)
    for axis, (scale, wanted) in enumerate(_scales(node)):
        if (scale, wanted) == (1, shape[axis]):
            continue
        # Float32, as the runtime computes them.
        places = _COORDINATES[coordinates](np.arange(wanted, dtype=np.float32), scale, shape[axis], wanted)
        indices = np.clip(_ROUNDING[rounding](places), 0, shape[axis] - 1).astype(int)
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


def _scales(node: OnnxNode) -> list[tuple[float, int]]:
    """For each dimension its factor and its size in the output."""
    shape = node.shape(0)
    axes = tuple(normalized_axis(axis, len(shape), node) for axis in node.attribute("axes", range(len(shape))))
    index = 1 if node.opset == 10 else 2
    found: list[tuple[float, int]] = [(1.0, size) for size in shape]
    if node.has(index) and node.constant(index, "scales").size:
        scales = node.constant(index, "scales").astype(np.float32).reshape(-1)
        wanted = [int(np.floor(shape[axis] * scale)) for axis, scale in zip(axes, scales, strict=False)]
        factors = [float(scale) for scale in scales]
    else:
        sizes = node.ints("sizes", 3)
        if sizes is None:
            raise node.error("has neither scales nor sizes")
        wanted = list(sizes)
        factors = [size / shape[axis] for axis, size in zip(axes, sizes, strict=False)]
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    if len(factors) != len(axes) or min(wanted) < 1 or policy != "stretch":
        raise node.error(
            f"scales or sizes {factors} of axes {list(axes)} with keep_aspect_ratio_policy={policy} are not supported; "
            "give one for each axis, and stretch"
        )
    for axis, factor, size in zip(axes, factors, wanted, strict=True):
        found[axis] = (factor, size)
    return found
