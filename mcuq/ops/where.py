"""Where: of two tensors' elements those of the first where a condition holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Integers, Shape, Tensor
from mcuq.onnx_io.given import given_integers
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.dtypes import MOVED
from mcuq.ops.elementwise import Elementwise, broadcast_shape
from mcuq.ops.moved_constants import in_shared_scale
from mcuq.ops.operands import operands_of_one_rank, with_finite_masks


def from_where(node: OnnxNode, graph: GraphBuilder) -> str:
    """Any of the three may be constant, if not all are."""
    if (chosen := _always_chosen(node)) is not None:
        return chosen
    node = with_finite_masks(node)
    inputs = operands_of_one_rank(node, graph, range(3))
    if node.is_constant(0):
        graph.give(inputs[0], given_integers(node, 0))
    found = [graph.tensors[name].integers for name in inputs[1:]]
    if (found[0] is None) != (found[1] is None):
        raise node.error("chooses between integers and real values; Cast one of them")
    return graph.add(Where(), inputs, node.outputs[0], node.name)


def _always_chosen(node: OnnxNode) -> str | None:
    """The input that a constant condition picks everywhere, where that is all of the output: JAX writes variances so,
    with NaN for what is never met."""
    if not node.is_constant(0) or node.constant(0, "condition").size == 0:
        return None
    holds = node.constant(0, "condition").astype(bool)
    index = 1 if holds.all() else 2 if not holds.any() else 0
    whole = np.broadcast_shapes(*(node.shape(i) for i in range(3)))
    return None if not index or node.is_constant(index) or node.shape(index) != whole else node.computed(index)


@dataclass(frozen=True)
class Where(Elementwise):
    """y = a where the condition is not 0, else b; all three broadcast. Exact, as a, b and y share one scale; constants
    err by half a step of it."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Where": from_where}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    shares_scale = True
    choosing = (0,)
    passes_channels = False
    dtypes = MOVED

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return broadcast_shape(inputs)

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        a, b = (t.integers for t in inputs[1:])
        return Integers.of(min(a.low, b.low), max(a.high, b.high)) if a and b else None

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """Constants in the shared scale."""
        return in_shared_scale(layer)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        condition, a, b = (t.name for t in layer.inputs)
        is_met = writer.node("Cast", [condition], to=TensorProto.BOOL)
        writer.node("Where", [is_met, a, b], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        condition, a, b = inputs
        y = np.where(condition != 0, a, b)
        samples = next(len(x) for x, t in zip(inputs, layer.inputs, strict=True) if not t.is_constant)
        return np.broadcast_to(y, (samples, *layer.output.shape)).astype(layer.output.dtype)
