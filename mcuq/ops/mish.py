"""Mish: x times tanh(Softplus(x))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call, where
from mcuq.graph.onnx import OnnxWriter
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Mish(Function):
    """x * tanh(ln(1 + exp(x)))."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Mish": from_unary(lambda node: Mish())}
    units = 4

    @property
    def expression(self) -> Expression:
        # tanh(ln(u)) = (u^2 - 1) / (u^2 + 1) with u = 1 + exp(x); for positive x both over exp(2 x).
        e = call("exponential", where(X < 0, X, -X))
        square, twice = e * e, e + e
        above = where(X < 0, square + twice, 1 + twice)
        return X * (above / (above + where(X < 0, 2, square + square)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -60, 1),
            Example(cls(), -1, 30),
        )

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        # Mish came with opset 18.
        return writer.node("Mul", [x, writer.node("Tanh", [writer.node("Softplus", [x])])], output)
