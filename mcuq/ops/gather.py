"""Gather by computed indices: rows of a table or of a tensor along one dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.integers import index_within
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.given import operand_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis, weights
from mcuq.ops.dtypes import MOVED
from mcuq.ops.moved_constants import in_shared_scale


def from_gather(node: OnnxNode, graph: GraphBuilder) -> str:
    """Of a constant, which is a table in flash, or of a computed tensor."""
    axis = normalized_axis(node.attribute("axis", 0), len(node.shape(0)), node)
    if node.is_constant(0):
        quant = operand_quant(node, 0) if node.constant(0, "data").dtype.kind in "iub" or node.given(0) else None
        data = graph.constant(weights(node, 0, "data"), node.inputs[0], quant)
    else:
        data = node.computed(0)
    return graph.add(Gather(axis), [data, node.integers(1)], node.outputs[0], node.name)


@dataclass(frozen=True)
class Gather(Operator):
    """y[..., i, ...] = x[..., indices[i], ...] along `axis`, where the dimensions of `indices` are. Exact.

    Indices below 0 count from the back. Those beyond, which ONNX Runtime refuses, are taken for the nearest that there
    is.
    """

    axis: int

    from_integers: ClassVar[dict[str, FromOnnx]] = {"Gather": from_gather}
    shares_scale = True
    choosing = (1,)
    dtypes = MOVED

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, indices = (t.shape for t in inputs)
        return (*x[: self.axis], *indices, *x[self.axis + 1 :])

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        return inputs[0].integers

    def indices_of(self, inputs: Sequence[Tensor], index: int) -> tuple[int, int] | None:
        size = inputs[0].shape[self.axis]
        return (-size, size - 1) if index == 1 else None

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return output

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """The table in the output's scale."""
        return in_shared_scale(layer)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, indices = (t.name for t in layer.inputs)
        whole = writer.node("Cast", [indices], to=TensorProto.INT64)
        writer.node("Gather", [x, whole], layer.output.name, axis=self.axis)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, indices = inputs
        shape = layer.inputs[0].shape
        rows = index_within(indices, shape[self.axis])
        if layer.inputs[1].is_constant:
            return np.take(x, rows, axis=self.axis + 1)
        if layer.inputs[0].is_constant:
            # Samples, the first dimension of the rows, come first.
            return np.moveaxis(np.take(x, rows, axis=self.axis), self.axis, 0)
        return np.stack([np.take(own, at, axis=self.axis) for own, at in zip(x, rows, strict=True)])
