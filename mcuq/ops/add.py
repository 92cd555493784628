"""Add and Sub: a weighted sum of two tensors in their own scales, rounded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.expression import Expression
from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import WeightedSum, weighted_sum, weighted_sum_parameters
from mcuq.arithmetic.int16 import SumS16, sum_parameters_s16, weighted_sum_s16
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.binary import Binary, from_binary
from mcuq.ops.dtypes import MIXED
from mcuq.ops.operands import with_finite_masks


def from_add(node: OnnxNode, graph: GraphBuilder) -> str:
    """-inf of a constant may be the mask of a Softmax."""
    return from_binary(lambda: Add())(with_finite_masks(node), graph)


@dataclass(frozen=True)
class Add(Binary):
    """y = clamp(a + b). Largest error half a step, and 256 * 2^-shift steps of factor rounding; of int16 operands
    2^(15-shift), where shift is 30 unless an operand's step is twice the output's or more."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Add": from_add}
    dtypes = frozenset({*MIXED, "float32"})
    onnx_type: ClassVar[str] = "Add"
    signs: ClassVar[tuple[int, int]] = (1, 1)
    is_multilinear = True

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return range(len(layer.inputs))

    def affine(self, constant: Array, index: int) -> tuple[Array, Array] | None:
        return np.full_like(constant, self.signs[1 - index]), self.signs[index] * constant

    def expression(self, a: Expression, b: Expression) -> Expression | None:
        return a + b if self.signs == (1, 1) else a - b

    def parameters(self, layer: Layer, order: tuple[int, int] = (0, 1)) -> WeightedSum:
        """The integer factors, for the operands in the order given."""
        a, b = (layer.inputs[i] for i in order)
        points = (a.zero_point, b.zero_point)
        return weighted_sum_parameters(self.factors(layer, order), points, layer.output.zero_point, layer.where)

    def parameters_s16(self, layer: Layer, order: tuple[int, int] = (0, 1)) -> SumS16:
        """Those of int16 operands."""
        return sum_parameters_s16(self.factors(layer, order), layer.where)

    def factors(self, layer: Layer, order: tuple[int, int]) -> tuple[float, float]:
        """What an operand's step is in steps of the output, negative for a subtrahend."""
        first, second = (self.signs[i] * layer.inputs[i].scale / layer.output.scale for i in order)
        return first, second

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node(self.onnx_type, [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return simulate_add_float32(self, inputs)
        bounds = self.output_bounds(layer.output)
        if layer.output.dtype == "int16":
            return weighted_sum_s16(inputs[0], inputs[1], self.parameters_s16(layer), *bounds).astype(np.int16)
        return weighted_sum(inputs[0], inputs[1], self.parameters(layer), *bounds)


@dataclass(frozen=True)
class Sub(Add):
    """y = clamp(a - b), as Add."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Sub": from_binary(lambda: Sub())}
    onnx_type: ClassVar[str] = "Sub"
    signs: ClassVar[tuple[int, int]] = (1, -1)


def simulate_add_float32(op: Add, inputs: Sequence[Array]) -> Array:
    """a + b or a - b in float32."""
    a, b = (x * np.float32(sign) for x, sign in zip(inputs, op.signs, strict=True))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return clamp_float(a + b, op.minimum, op.maximum)
