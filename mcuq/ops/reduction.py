"""What makes one value of all along some dimensions: the trait of means, and of what else is taken over dimensions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Self

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOneOutput, OnnxNode, normalized_axis
from mcuq.ops.reshape import Reshape


def reduced_axes(node: OnnxNode) -> tuple[int, ...]:
    """Those to reduce, in order; where none are named all of them, or none if noop_with_empty_axes says so."""
    rank, axes = len(node.shape(0)), node.ints("axes", 1)
    if not axes:
        return () if node.attribute("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({normalized_axis(axis, rank, node) for axis in axes}))


def kept_shape(shape: Shape, axes: Collection[int]) -> Shape:
    """Without the dimensions `axes`."""
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


def from_reduction(make: Callable[[tuple[int, ...]], Reduction]) -> FromOneOutput:
    """`from_onnx` of the reduction that `make` gives for some axes, with keepdims or without."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        shape, axes = node.shape(0), reduced_axes(node)
        op = make(axes)
        if not axes and op.keeps_single:
            return node.computed(0)
        if node.attribute("keepdims", 1) or not axes:
            return graph.add(op, [node.computed(0)], node.outputs[0], node.name)
        y = graph.add(op, [node.computed(0)], name=node.name)
        return graph.add(Reshape(kept_shape(shape, axes)), [y], node.outputs[0])

    return add


def from_global(make: Callable[[tuple[int, ...]], Reduction]) -> FromOneOutput:
    """`from_onnx` of the same over all dimensions behind the channels."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        op = make(tuple(range(2, len(node.shape(0)))))
        return graph.add(op, [node.computed(0)], node.outputs[0], node.name)

    return add


@dataclass(frozen=True)
class Reduction(Operator):
    """One value for all along `axes`, which stay with size 1, in whatever order."""

    axes: tuple[int, ...]

    passes_channels = True
    # Whether it gives a single value as it is.
    keeps_single: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return tuple(1 if axis in self.axes else size for axis, size in enumerate(inputs[0].shape))

    def span(self, shape: Shape) -> tuple[int, int]:
        """[first, last) of the reduced dimensions; ValueError where kept ones lie between."""
        reduced = [axis for axis in self.axes if shape[axis] != 1]
        if not reduced:
            return 0, 0
        first, last = min(reduced), max(reduced) + 1
        if any(shape[axis] != 1 and axis not in self.axes for axis in range(first, last)):
            raise ValueError(f"axes {self.axes} of {shape} are not neighbours")
        return first, last

    def count(self, layer: Layer) -> int:
        """How many values become one."""
        return prod(layer.inputs[0].shape[axis] for axis in self.axes)

    def sizes(self, layer: Layer) -> tuple[int, int, int]:
        """Elements before the reduced dimensions, of them, and behind; ValueError where they are no neighbours."""
        shape = layer.inputs[0].shape
        first, last = self.span(shape)
        return prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])

    def columns(self, layer: Layer, x: Array) -> Array:
        """The values as (samples, outer, reduced, inner)."""
        return x.reshape(len(x), *self.sizes(layer))

    def over(self, axes: tuple[int, ...]) -> Self:
        """The same over other dimensions."""
        return replace(self, axes=axes)

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        return self.over(tuple(sorted(perm[axis] for axis in self.axes)))

    def mixed_axes(self, rank: int) -> Collection[int]:
        return self.axes

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return None if len(y) - 1 in self.axes else self
