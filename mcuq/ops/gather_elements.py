"""GatherElements: for each index the element at it along one dimension, in its own place along the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.integers import index_within
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.given import given_integers, operand_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis, weights
from mcuq.ops.dtypes import MOVED
from mcuq.ops.moved_constants import in_shared_scale, of_all_samples
from mcuq.ops.slice import Slice


def from_gather_elements(node: OnnxNode, graph: GraphBuilder) -> str:
    """Indices may be fewer than elements along other dimensions too: the first are taken there."""
    shape, indices = node.shape(0), node.shape(1)
    axis = normalized_axis(node.attribute("axis", 0), len(shape), node)
    if len(indices) != len(shape) or any(n > m for n, m in zip(indices, _but(shape, axis, indices), strict=True)):
        raise node.error(f"indices of shape {list(indices)} do not fit data of shape {list(shape)}")
    if node.is_constant(0):
        x = graph.constant(weights(node, 0, "data"), node.inputs[0], operand_quant(node, 0))
    else:
        x = node.computed(0)
    kept = _but(indices, axis, shape)
    if kept != shape:
        x = graph.add(Slice((0,) * len(shape), kept, (1,) * len(shape)), [x], name=node.name)
    return graph.add(GatherElements(axis), [x, indices_of(node, graph, 1)], node.outputs[0], node.name)


def indices_of(node: OnnxNode, graph: GraphBuilder, index: int) -> str:
    """An input of indices, computed or constant."""
    if not node.is_constant(index):
        return node.integers(index)
    return graph.constant(weights(node, index, "indices"), node.inputs[index], given_integers(node, index))


def _but(shape: Shape, axis: int, other: Shape) -> Shape:
    return (*shape[:axis], other[axis], *shape[axis + 1 :])


@dataclass(frozen=True)
class GatherElements(Operator):
    """y[.., i, ..] = x[.., indices[.., i, ..], ..] along `axis`. Exact.

    Indices below 0 count from the back; those beyond are taken for the nearest that there is.
    """

    axis: int

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"GatherElements": from_gather_elements}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    shares_scale = True
    choosing = (1,)
    dtypes = MOVED

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, indices = (t.shape for t in inputs)
        if len(x) != len(indices) or _but(x, self.axis, indices) != indices:
            raise ModelError(f"indices of shape {list(indices)} do not fit data of shape {list(x)}")
        return indices

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        return inputs[0].integers

    def indices_of(self, inputs: Sequence[Tensor], index: int) -> tuple[int, int] | None:
        size = inputs[0].shape[self.axis]
        return (-size, size - 1) if index == 1 else None

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """A table in the output's scale."""
        return in_shared_scale(layer)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, indices = (t.name for t in layer.inputs)
        whole = writer.node("Cast", [indices], to=TensorProto.INT64)
        writer.node("GatherElements", [x, whole], layer.output.name, axis=self.axis)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, indices = of_all_samples(layer, inputs)
        rows = index_within(indices, layer.inputs[0].shape[self.axis])
        return np.take_along_axis(x, rows, axis=self.axis + 1)
