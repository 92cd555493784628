"""ArgMax and ArgMin: where along a dimension the largest or the least value is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Integers, Tensor
from mcuq.onnx_io.reader import FromOneOutput, FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.dtypes import ANY
from mcuq.ops.reduction import Reduction
from mcuq.ops.reshape import Reshape


def from_arg(is_max: bool) -> FromOneOutput:
    """`from_onnx` of either."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        shape = node.shape(0)
        axis = normalized_axis(node.attribute("axis", 0), len(shape), node)
        op = ArgMax((axis,), is_max=is_max, last=bool(node.attribute("select_last_index", 0)))
        if node.attribute("keepdims", 1):
            return graph.add(op, [node.computed(0)], node.outputs[0], node.name)
        y = graph.add(op, [node.computed(0)], name=node.name)
        return graph.add(Reshape((*shape[:axis], *shape[axis + 1 :])), [y], node.outputs[0])

    return add


@dataclass(frozen=True)
class ArgMax(Reduction):
    """The index along the one axis of the largest value, or the least, the first of equal ones or the `last`.

    Exact; values that the input's steps do not tell apart are equal. NaN is chosen only where it comes first.
    """

    is_max: bool = True
    last: bool = False

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"ArgMax": from_arg(is_max=True), "ArgMin": from_arg(is_max=False)}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    passes_channels = False
    hides_errors = True
    dtypes = ANY

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        (axis,) = self.axes
        return Integers.of(0, inputs[0].shape[axis] - 1)

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        (axis,) = self.axes
        index = writer.node(
            "ArgMax" if self.is_max else "ArgMin", [layer.inputs[0].name], axis=axis, select_last_index=int(self.last)
        )
        writer.node("Cast", [index], layer.output.name, to=TensorProto.FLOAT)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, axis = inputs[0], self.axes[0] + 1
        best = np.take(x, [0], axis=axis)
        found = np.zeros(best.shape, np.int32)
        for k in range(1, x.shape[axis]):
            value = np.take(x, [k], axis=axis)
            if self.is_max:
                better = value >= best if self.last else value > best
            else:
                better = value <= best if self.last else value < best
            best, found = np.where(better, value, best), np.where(better, k, found)
        return found.astype(layer.output.dtype)
