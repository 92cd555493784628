"""Compare: Less, LessOrEqual, Greater, GreaterOrEqual and Equal of two tensors, in whatever scales they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.arithmetic.comparison import comparable
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Integers, Quant, Shape, Tensor
from mcuq.onnx_io.reader import FromOneOutput, FromOnnx, OnnxNode
from mcuq.ops.dtypes import ANY
from mcuq.ops.elementwise import Elementwise, broadcast_shape
from mcuq.ops.operands import operands_of_one_rank
from mcuq.ops.requantized import largest_difference

_COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal}
_ONNX = {"<": "Less", "<=": "LessOrEqual", ">": "Greater", ">=": "GreaterOrEqual", "==": "Equal"}
# Of a step: constants that are so near to one are it.
_NEAR = 2.0**-22
_FARTHEST = 2.0**20  # steps from 0 that no code is


def from_comparison(relation: str) -> FromOneOutput:
    """`from_onnx` of one of them."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        if relation == "==" and (infinite := _infinite_operand(node)) is not None:
            return beyond_largest(node, graph, *infinite)
        return graph.add(Compare(relation), operands_of_one_rank(node, graph, range(2)), node.outputs[0], node.name)

    return add


def _infinite_operand(node: OnnxNode) -> tuple[int, bool] | None:
    """Of two inputs, one of which is infinity alone: the index of the other, and whether that one is positive."""
    for index in range(2):
        if not node.is_constant(index) or node.is_constant(1 - index):
            continue
        values = node.constant(index, "operand")
        if (
            values.size == 1
            and values.ndim <= len(node.shape(1 - index))
            and values.dtype.kind == "f"
            and np.isinf(values).all()
        ):
            return 1 - index, bool((values > 0).all())
    return None


def beyond_largest(node: OnnxNode, graph: GraphBuilder, index: int, positive: bool, output: str | None = "") -> str:
    """Whether an input is infinite on that side: beyond the largest float; codes never are."""
    largest = np.full((1,) * len(node.shape(index)), np.finfo(np.float32).max, np.float32)
    limit = graph.constant(largest if positive else -largest, f"{node.name}.largest")
    compare = Compare(">" if positive else "<")
    return graph.add(compare, [node.computed(index), limit], node.outputs[0] if output == "" else output, node.name)


@dataclass(frozen=True)
class Compare(Elementwise):
    """y = 1 where a `relation` b, else 0; shapes have one rank and broadcast as in NumPy.

    Exact: codes of two scales are compared as the real numbers that they stand for, a constant as it is in the file.
    Scales whose ratio is within 2^-40 of one of integers have that; a constant within 2^-22 of a step's reach is on it.
    """

    relation: str

    from_onnx: ClassVar[dict[str, FromOnnx]] = {name: from_comparison(relation) for relation, name in _ONNX.items()}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx
    passes_channels = False
    hides_errors = True
    dtypes = ANY

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return broadcast_shape(inputs)

    def integers(self, inputs: Sequence[Tensor]) -> Integers | None:
        return Integers.of(0, 1)

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """A constant beside codes: in half steps from zero, odd where it lies between two."""
        other = next(t for t in layer.inputs if not t.is_constant)
        if other.quant is None or other.integers is not None:
            return layer.inputs
        return tuple(_in_half_steps(t, other.scale) if t.is_constant else t for t in layer.inputs)

    def factors(self, layer: Layer) -> tuple[int, int]:
        """What the operands, less their zero points, are multiplied by to be compared."""
        a, b = layer.inputs
        if a.quant is None or a.integers is not None:
            return 1, 1
        if a.is_constant or b.is_constant:
            return (1, 2) if a.is_constant else (2, 1)
        return comparable(a.scale / b.scale, max(map(largest_difference, layer.inputs)))

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node(_ONNX[self.relation], [t.name for t in layer.inputs])
        writer.node("Cast", [y], layer.output.name, to=TensorProto.FLOAT)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.inputs[0].quant is not None:
            inputs = [
                (x.astype(np.int64) - t.zero_point) * factor
                for x, t, factor in zip(inputs, layer.inputs, self.factors(layer), strict=True)
            ]
        return np.asarray(_COMPARE[self.relation](*inputs)).astype(layer.output.dtype)


def _in_half_steps(tensor: Tensor, step: float) -> Tensor:
    with np.errstate(over="ignore"):
        steps = np.clip(tensor.values.astype(np.float64) / step, -_FARTHEST, _FARTHEST)
    nearest = np.rint(steps)
    is_on_one = np.abs(steps - nearest) <= _NEAR * np.maximum(np.abs(steps), 1)
    halves = np.where(is_on_one, 2 * nearest, 2 * np.floor(steps) + 1).astype(np.int32)
    return replace(tensor, dtype="int32", data=halves, quant=Quant((step / 2,), 0, "int32"))
