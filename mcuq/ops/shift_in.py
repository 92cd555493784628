"""ShiftIn: a window moves on along one dimension, as a shift register does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.ops.moves import Moves


@dataclass(frozen=True)
class ShiftIn(Moves):
    """y = the last n places of x and new one behind the other along `axis`, of x (..., n, ...) and new (..., m, ...),
    m <= n: the m oldest places leave. Exact."""

    axis: int

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, new = (t.shape for t in inputs)
        others = [(*shape[: self.axis], *shape[self.axis + 1 :]) for shape in (x, new)]
        if len(x) != len(new) or others[0] != others[1] or new[self.axis] > x[self.axis]:
            raise ModelError(f"{list(new)} does not shift into {list(x)} along axis {self.axis}")
        return x

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return (0,)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, new = layer.inputs
        n = x.shape[self.axis]
        ends = [writer.constant(np.array([v], np.int64)) for v in (new.shape[self.axis], n, self.axis)]
        kept = writer.node("Slice", [x.name, *ends])
        writer.node("Concat", [kept, new.name], layer.output.name, axis=self.axis)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, new = inputs
        axis, m = self.axis + 1, layer.inputs[1].shape[self.axis]
        return np.concatenate([x.take(range(m, x.shape[axis]), axis), new], axis)
