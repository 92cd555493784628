"""Mul: the product of two tensors, rounded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.expression import Expression
from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import Requantization, requantization
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.binary import Binary, from_binary
from mcuq.ops.dtypes import MIXED
from mcuq.ops.requantized import largest_difference, requantize_output


@dataclass(frozen=True)
class Mul(Binary):
    """y = clamp(a * b) from (a - a_zero_point) * (b - b_zero_point). Largest error half a step."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Mul": from_binary(lambda: Mul())}
    dtypes = frozenset({*MIXED, "float32"})
    is_multilinear = True

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        """The factor of a product is that of one operand; the other, which has fewer elements, keeps its own at 1."""
        computed = [i for i, t in enumerate(layer.inputs) if not t.is_constant]
        return sorted(computed, key=lambda i: -layer.inputs[i].elements)[:1]

    def gain(self, index: int, squares: Sequence[float]) -> float:
        return squares[1 - index]

    def affine(self, constant: Array, index: int) -> tuple[Array, Array] | None:
        return constant, np.zeros_like(constant)

    def expression(self, a: Expression, b: Expression) -> Expression | None:
        return a * b

    def bound(self, layer: Layer) -> int:
        """Largest product of (a - a_zero_point) and (b - b_zero_point); int32 holds it."""
        a, b = layer.inputs
        return largest_difference(a) * largest_difference(b)

    def requantization(self, layer: Layer) -> Requantization:
        """One factor: the product of the input scales over the output's."""
        a, b = layer.inputs
        return requantization([a.scale * b.scale / layer.output.scale], self.bound(layer), layer.where)

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Mul", [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return simulate_mul_float32(self, inputs)
        a, b = (x.astype(np.int32) - t.zero_point for x, t in zip(inputs, layer.inputs, strict=True))
        y = layer.output
        return requantize_output(self, a * b, self.requantization(layer), self.bound(layer), y)


def simulate_mul_float32(op: Binary, inputs: Sequence[Array]) -> Array:
    """a * b in float32."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return clamp_float(inputs[0] * inputs[1], op.minimum, op.maximum)
