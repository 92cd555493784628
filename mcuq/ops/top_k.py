"""TopK: where the k largest or least values along a dimension are, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis
from mcuq.ops.dtypes import ANY
from mcuq.ops.gather_elements import GatherElements


def from_top_k(node: OnnxNode, graph: GraphBuilder) -> tuple[str, str]:
    """A fixed k; the values are gathered by the indices. Sorted, whether that is asked for or not."""
    shape = node.shape(0)
    axis = normalized_axis(node.attribute("axis", -1), len(shape), node)
    found = node.ints("k", 1)
    k = found[0] if found else 0
    if not 1 <= k <= shape[axis]:
        raise node.error(f"k={k} must be from 1 to {shape[axis]}, which dimension {axis} has")
    op = TopK(axis, k, bool(node.attribute("largest", 1)))
    output = node.outputs[1] if node.gives(1) else None
    indices = graph.add(op, [node.computed(0)], output, node.name)
    values = ""
    if node.gives(0):
        values = graph.add(GatherElements(axis), [node.computed(0), indices], node.outputs[0], node.name)
    return values, indices if node.gives(1) else ""


@dataclass(frozen=True)
class TopK(Operator):
    """The indices along `axis` of the `k` largest values, or least, the best first; of equal ones the first is before.

    Exact; values that the input's steps do not tell apart are equal. NaN is beside what is not better than the last.
    """

    axis: int
    k: int
    largest: bool = True

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"TopK": from_top_k}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    hides_errors = True
    dtypes = ANY

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        shape = inputs[0].shape
        return (*shape[: self.axis], self.k, *shape[self.axis + 1 :])

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        return Integers.of(0, inputs[0].shape[self.axis] - 1)

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        k = writer.constant(np.array([self.k], np.int64))
        indices = writer.second("TopK", [layer.inputs[0].name, k], axis=self.axis, largest=int(self.largest))
        writer.node("Cast", [indices], layer.output.name, to=TensorProto.FLOAT)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x = np.moveaxis(inputs[0], self.axis + 1, -1)
        rows = x.reshape(-1, x.shape[-1])
        found = np.zeros((len(rows), self.k), np.int64)
        is_taken = np.zeros(rows.shape, bool)
        each = np.arange(len(rows))
        for k in range(self.k):
            best = is_taken.argmin(axis=1)  # the first that is left
            for i in range(rows.shape[1]):
                value, known = rows[:, i], rows[each, best]
                better = value > known if self.largest else value < known
                best = np.where(better & ~is_taken[:, i], i, best)
            found[:, k] = best
            is_taken[each, best] = True
        y = found.reshape(*x.shape[:-1], self.k)
        return np.moveaxis(y, -1, self.axis + 1).astype(layer.output.dtype)
