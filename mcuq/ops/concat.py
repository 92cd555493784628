"""Concat: tensors one behind the other along one dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator, Tie
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.given import operand_quant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode, normalized_axis, weights
from mcuq.ops.moved_constants import in_shared_scale, of_all_samples
from mcuq.ops.moves import Moves


def from_concat(node: OnnxNode, graph: GraphBuilder) -> str:
    """Any number of inputs, some of them constant; those without elements add nothing."""
    axis = normalized_axis(node.attribute("axis", 1), len(node.shape(0)), node)
    try:
        Concat(axis).infer([Tensor(name, node.shape(i)) for i, name in enumerate(node.inputs)])
    except ModelError as error:
        raise node.error(str(error)) from None
    full = [i for i in range(len(node.inputs)) if prod(node.shape(i))]
    if len(full) == 1:
        return node.computed(full[0])
    inputs = [
        graph.constant(weights(node, i, "input"), node.inputs[i], operand_quant(node, i))
        if node.is_constant(i)
        else node.computed(i)
        for i in full
    ]
    return graph.add(Concat(axis), inputs, node.outputs[0], node.name)


@dataclass(frozen=True)
class Concat(Moves):
    """All inputs and the output share one scale. Exact."""

    axis: int

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Concat": from_concat}

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        first = inputs[0].shape
        for x in inputs[1:]:
            if len(x.shape) != len(first) or any(
                a != b for axis, (a, b) in enumerate(zip(x.shape, first, strict=True)) if axis != self.axis
            ):
                raise ModelError(f"shapes {[list(t.shape) for t in inputs]} do not join along axis {self.axis}")
        total = sum(x.shape[self.axis] for x in inputs)
        return (*first[: self.axis], total, *first[self.axis + 1 :])

    def parts(self, layer: Layer) -> Mapping[int, int]:
        if prod(layer.output.shape[: self.axis]) != 1:
            return {}
        behind = accumulate((t.elements for t in layer.inputs), initial=0)
        return {i: at for i, (t, at) in enumerate(zip(layer.inputs, behind, strict=False)) if not t.is_constant}

    def reordered(self, perm: tuple[int, ...]) -> Operator | None:
        return replace(self, axis=perm[self.axis])

    def moved_axis(self, layer: Layer, axis: int, index: int = 0) -> int | None:
        return axis if axis != self.axis else None

    def tie(self, layer: Layer, index: int, a: int, b: int) -> Tie | None:
        if a != b:
            return None
        own = np.arange(layer.inputs[index].shape[a])
        return own, own + (sum(t.shape[a] for t in layer.inputs[:index]) if a == self.axis else 0)

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return self

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.node("Concat", [t.name for t in layer.inputs], layer.output.name, axis=self.axis)

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """Constants in the shared scale."""
        return in_shared_scale(layer)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return np.concatenate(of_all_samples(layer, inputs), axis=self.axis + 1)


@dataclass(frozen=True)
class Join(Concat):
    """Concat at an output of the model, which has the codes of its inputs, each part with its own scale. Exact."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {}
    shares_scale = False
