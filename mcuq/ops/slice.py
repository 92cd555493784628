"""Slice: a strided part of a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator, Tie
from mcuq.graph.rows import Band, RowWindow
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.moves import Moves


def from_slice(node: OnnxNode, graph: GraphBuilder) -> str:
    """Starts and ends may be negative or beyond the tensor, steps negative."""
    shape = node.shape(0)
    starts, ends = node.ints("starts", 1), node.ints("ends", 2)
    if starts is None or ends is None or len(starts) != len(ends):
        raise node.error(f"starts={starts} and ends={ends} must be given and of one length")
    axes = node.ints("axes", 3) or tuple(range(len(starts)))
    steps = node.ints("steps", 4) or (1,) * len(starts)
    if len(axes) != len(starts) or len(steps) != len(starts):
        raise node.error(f"axes={list(axes)} and steps={list(steps)} must be as many as starts={list(starts)}")
    ranges = [(0, size, 1) for size in shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise node.error("steps must not be 0")
        # Python's slice.indices clamps exactly as ONNX specifies.
        axis = normalized_axis(axis, len(shape), node)
        first, stop, step = slice(start, end, step).indices(shape[axis])
        count = len(range(first, stop, step))
        ranges[axis] = (first, count, step)
    begin, sizes, steps = (tuple(r[k] for r in ranges) for k in range(3))
    return graph.add(Slice(begin, sizes, steps), [node.computed(0)], node.outputs[0], node.name)


@dataclass(frozen=True)
class Slice(Moves):
    """`sizes` elements from `begin` on, every `steps`-th, per dimension. Exact."""

    begin: tuple[int, ...]
    sizes: Shape
    steps: tuple[int, ...]

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Slice": from_slice}

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return self.sizes

    def parts(self, layer: Layer) -> Mapping[int, int]:
        shape = layer.inputs[0].shape
        taken = [axis for axis, size in enumerate(self.sizes) if size > 1]
        first = taken[0] if taken else len(shape)
        follow = not taken or self.steps[first] == 1
        if not follow or not all(self._is_whole(shape, axis) for axis in range(first + 1, len(shape))):
            return {}
        return {0: -sum(begin * prod(shape[axis + 1 :]) for axis, begin in enumerate(self.begin))}

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        fields = (self.begin, self.sizes, self.steps)
        return Slice(*(tuple(field[perm.index(axis)] for axis in range(len(perm))) for field in fields))

    def moved_axis(self, layer: Layer, axis: int, index: int = 0) -> int | None:
        return axis if self._is_whole(layer.inputs[index].shape, axis) else None

    def tie(self, layer: Layer, index: int, a: int, b: int) -> Tie | None:
        own = np.arange(self.sizes[b])
        return (self.begin[b] + self.steps[b] * own, own) if a == b else None

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        step = self.steps[axis]
        return (axis, RowWindow(1, step, -self.begin[axis])) if step > 0 else None

    def banded(self, axis: int, band: Band) -> Operator:
        begin, sizes = list(self.begin), list(self.sizes)
        begin[axis], sizes[axis] = 0, band.out_rows
        return replace(self, begin=tuple(begin), sizes=tuple(sizes))

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return replace(self, sizes=y) if self._is_whole(layer.inputs[0].shape, len(y) - 1) else None

    def _is_whole(self, shape: Shape, axis: int) -> bool:
        return self.sizes[axis] == shape[axis] and self.steps[axis] == 1

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        ends = [b + n * s for b, n, s in zip(self.begin, self.sizes, self.steps, strict=True)]
        # A negative end would count from the back; "before the first" is anything below -size.
        ends = [end if end >= 0 else -(2**31) for end in ends]
        axes = list(range(len(self.begin)))
        extra = [writer.constant(np.array(v, np.int64)) for v in (self.begin, ends, axes, self.steps)]
        writer.node("Slice", [layer.inputs[0].name, *extra], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x = inputs[0]
        for axis, (b, n, s) in enumerate(zip(self.begin, self.sizes, self.steps, strict=True)):
            x = x.take(range(b, b + n * s, s), axis=axis + 1)
        return x
