"""Transpose: dimensions in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator, Tie
from mcuq.graph.rows import OWN_ROW, RowWindow
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.moves import Moves


def from_transpose(node: OnnxNode, graph: GraphBuilder) -> str:
    """The default order is reversed."""
    rank = len(node.shape(0))
    perm = tuple(node.attribute("perm", tuple(reversed(range(rank)))))
    return graph.add(Transpose(perm), [node.computed(0)], node.outputs[0], node.name)


@dataclass(frozen=True)
class Transpose(Moves):
    """y[i[perm[0]], i[perm[1]], ...] = x[i[0], i[1], ...]. Exact."""

    perm: tuple[int, ...]

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Transpose": from_transpose}
    permutes = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        shape = inputs[0].shape
        if sorted(self.perm) != list(range(len(shape))):
            raise ModelError(f"perm={list(self.perm)} does not order the dimensions of {list(shape)}")
        return tuple(shape[axis] for axis in self.perm)

    def moved_axis(self, layer: Layer, axis: int, index: int = 0) -> int | None:
        return self.perm.index(axis)

    def tie(self, layer: Layer, index: int, a: int, b: int) -> Tie | None:
        own = np.arange(layer.output.shape[b])
        return (own, own) if self.perm[b] == a else None

    def row_window(self, layer: Layer, index: int, axis: int) -> RowWindow | None:
        return OWN_ROW

    def row_pitch(self, layer: Layer, axis: int) -> int | None:
        return prod(layer.inputs[0].shape[self.perm[axis] + 1 :])

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        last = len(y) - 1
        return self if self.perm[last] == last else None

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.transpose(layer.inputs[0].name, self.perm, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return inputs[0].transpose(0, *(axis + 1 for axis in self.perm))
