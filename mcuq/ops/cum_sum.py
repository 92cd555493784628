"""CumSum: sums of all up to each place along a dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.arithmetic.integers import within_long
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.from_integers import reach
from mcuq.ops.requantized import largest_difference, requantize_output


def from_cum_sum(node: OnnxNode, graph: GraphBuilder) -> str:
    """A constant axis."""
    axis = normalized_axis(int(node.constant(1, "axis").reshape(())), len(node.shape(0)), node)
    op = CumSum(axis, bool(node.attribute("exclusive", 0)), bool(node.attribute("reverse", 0)))
    return graph.add(op, [node.computed(0)], node.outputs[0], node.name)


@dataclass(frozen=True)
class CumSum(Clamped):
    """y = clamp(sum of x along `axis` up to each place), without it where `exclusive`, from the end where `reverse`.

    Largest error half a step; of integers of the file exact, limited to int32.
    """

    axis: int
    exclusive: bool = False
    reverse: bool = False

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"CumSum": from_cum_sum}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    dtypes = MIXED | FLOAT32
    mixes_dtypes = True

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        if inputs[0].integers is None:
            return None
        low, high = reach(inputs[0])
        count = inputs[0].shape[self.axis]
        return Integers.of(min(0, count * low), max(0, count * high))

    def bound(self, layer: Layer) -> int:
        """Largest sum of (x - zero_point)."""
        return largest_difference(layer.inputs[0]) * layer.inputs[0].shape[self.axis]

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: input scale / output scale."""
        return requantization([layer.inputs[0].scale / layer.output.scale], self.bound(layer), layer.where)

    def sizes(self, layer: Layer) -> tuple[int, int, int]:
        """Elements before the axis, along it and behind it."""
        shape = layer.output.shape
        return prod(shape[: self.axis]), shape[self.axis], prod(shape[self.axis + 1 :])

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        axis = writer.constant(np.array(self.axis, np.int64))
        inputs = [layer.inputs[0].name, axis]
        y = writer.node("CumSum", inputs, exclusive=int(self.exclusive), reverse=int(self.reverse))
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        (x,), y = layer.inputs, layer.output
        outer, count, inner = self.sizes(layer)
        values = inputs[0].reshape(len(inputs[0]) * outer, count, inner)
        if y.quant is None:
            sums = self._sums(values, np.float32)
            return clamp_float(sums, self.minimum, self.maximum).reshape(inputs[0].shape)
        if y.integers is not None:
            sums = within_long(self._sums(values, np.int64), *reach(y))
            return sums.reshape(inputs[0].shape).astype(y.dtype)
        acc = self._sums(values.astype(np.int64) - x.zero_point, np.int64)
        q = requantize_output(self, acc[..., None], self.requantization(layer), self.bound(layer), y)
        return q.reshape(inputs[0].shape)

    def _sums(self, values: Array, dtype: type) -> Array:
        """One addition after the other, of (rows, count, inner)."""
        sums: Array = np.zeros(values.shape, dtype)
        acc: Array = np.zeros((values.shape[0], values.shape[2]), dtype)
        order = range(values.shape[1])
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for k in reversed(order) if self.reverse else order:
                added = acc + values[:, k].astype(dtype)
                sums[:, k] = acc if self.exclusive else added
                acc = added
        return sums
