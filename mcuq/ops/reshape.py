"""Reshape, and all that only renames dimensions: Flatten, Squeeze, Unsqueeze. A view: no bytes move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm, prod
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator, Tie
from mcuq.graph.rows import Band
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.given import same_dimension
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.moves import Moves


def from_reshape(node: OnnxNode, graph: GraphBuilder) -> str:
    """0 copies a dimension (unless allowzero), -1 is what is left."""
    x = node.computed(0)
    given = node.ints("shape", 1)
    if given is None:
        raise node.error("has no shape")
    source = node.shape(0)
    shape = list(given)
    if not node.attribute("allowzero", 0):
        for axis, size in enumerate(shape):
            if size == 0:
                if axis >= len(source):
                    raise node.error(f"shape {list(given)} copies dimension {axis} of {list(source)}")
                shape[axis] = source[axis]
    if any(size < 0 for size in shape):
        known = prod(size for size in shape if size != -1)
        if shape.count(-1) != 1 or known <= 0 or prod(source) % known:
            raise node.error(f"shape {list(given)} does not fit an input of shape {list(source)}")
        shape[shape.index(-1)] = prod(source) // known
    return graph.add(Reshape(tuple(shape)), [x], node.outputs[0], node.name)


def from_flatten(node: OnnxNode, graph: GraphBuilder) -> str:
    """Two dimensions, split before `axis`."""
    shape = node.shape(0)
    axis = node.attribute("axis", 1)
    axis = axis if axis == len(shape) else normalized_axis(axis, len(shape), node)
    flat = (prod(shape[:axis]), prod(shape[axis:]))
    return graph.add(Reshape(flat), [node.computed(0)], node.outputs[0], node.name)


def from_squeeze(node: OnnxNode, graph: GraphBuilder) -> str:
    """Drop the named dimensions of size 1, or all of them."""
    shape = node.shape(0)
    axes = node.ints("axes", 1)
    if axes is None:
        dropped = {axis for axis, size in enumerate(shape) if size == 1}
    else:
        dropped = {normalized_axis(axis, len(shape), node) for axis in axes}
    for axis in dropped:
        if shape[axis] != 1:
            raise node.error(f"axes={sorted(dropped)} of shape {list(shape)} are not all of size 1")
    kept = tuple(size for axis, size in enumerate(shape) if axis not in dropped)
    return graph.add(Reshape(kept), [node.computed(0)], node.outputs[0], node.name)


def from_unsqueeze(node: OnnxNode, graph: GraphBuilder) -> str:
    """Insert dimensions of size 1 at positions of the result."""
    shape = node.shape(0)
    axes = node.ints("axes", 1)
    if axes is None:
        raise node.error("has no axes")
    rank = len(shape) + len(axes)
    inserted = {normalized_axis(axis, rank, node) for axis in axes}
    if len(inserted) != len(axes):
        raise node.error(f"axes={list(axes)} name a dimension twice")
    sizes = iter(shape)
    result = tuple(1 if axis in inserted else next(sizes) for axis in range(rank))
    return graph.add(Reshape(result), [node.computed(0)], node.outputs[0], node.name)


@dataclass(frozen=True)
class Reshape(Moves):
    """The same elements in the same order under another shape. Exact."""

    shape: Shape

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "Reshape": from_reshape,
        "Flatten": from_flatten,
        "Squeeze": from_squeeze,
        "Unsqueeze": from_unsqueeze,
    }
    is_view = True
    permutes = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        if prod(self.shape) != inputs[0].elements:
            raise ModelError(f"{list(inputs[0].shape)} does not reshape to {list(self.shape)}")
        return self.shape

    def moved_axis(self, layer: Layer, axis: int, index: int = 0) -> int | None:
        return same_dimension(layer.inputs[index].shape, axis, self.shape)

    def tie(self, layer: Layer, index: int, a: int, b: int) -> Tie | None:
        """Each index of `a` may stay an index of `b`, or the last dimension be split or joined with those before."""
        x, y = layer.inputs[index].shape, self.shape
        if x[a] == y[b] and prod(x[:a]) == prod(y[:b]):
            return np.arange(x[a]), np.arange(x[a])
        if (a, b) != (len(x) - 1, len(y) - 1):
            return None
        size = lcm(x[a], y[b])
        if size > max(x[a], y[b]) and size == x[a] * y[b]:
            return None
        return np.arange(size) % x[a], np.arange(size) % y[b]

    def banded(self, axis: int, band: Band) -> Operator:
        return Reshape((*self.shape[:axis], band.out_rows, *self.shape[axis + 1 :]))

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return Reshape(y)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        shape = writer.constant(np.array(self.shape, np.int64))
        writer.node("Reshape", [layer.inputs[0].name, shape], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return inputs[0].reshape(len(inputs[0]), *self.shape)
