"""Gelu: x times the normal distribution's share below it."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.expression import Expression, X, call, where
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


def _gelu(node: OnnxNode) -> Gelu:
    approximate = node.attribute("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise node.error(f"approximate={approximate!r} is not supported; use 'none' or 'tanh'", "approximate")
    return Gelu(approximate)


@dataclass(frozen=True)
class Gelu(Function):
    """x * (1 + erf(x / sqrt(2))) / 2, or x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 where `approximate` is
    "tanh"."""

    approximate: str = "none"

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Gelu": from_unary(_gelu)}
    units = 6

    @property
    def expression(self) -> Expression:
        if self.approximate == "tanh":
            # (1 + tanh(u)) / 2 is the sigmoid of 2 u.
            factor = 2 * sqrt(2 / pi)
            return X * call("sigmoid", X * (X * X * (factor * 0.044715) + factor))
        half = X * 0.5
        near = half * (1 + call("error_function", X * sqrt(0.5)))
        # Far below 1 + erf would lose what is left.
        return where(X < -1.2, half * call("complementary_error", X * -sqrt(0.5)), near)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -12, 1),
            Example(cls("tanh"), -4, 4),
            Example(cls("tanh"), -9, 1),
        )

    def stated_units(self, x: Array) -> Array:
        """The exponent is x^2 / 2, for "tanh" about x^3 / 14 + 1.6 x: its roundings are so many units of the result."""
        growth = 1.5 * x**2 if self.approximate == "none" else np.abs(x * (0.2 * x**2 + 4))
        return self.units + np.where(x < 0, growth, 0.0)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        # Gelu came with opset 20.
        def number(value: float) -> str:
            return writer.constant(np.array(value, np.float32))

        if self.approximate == "tanh":
            cube = writer.node("Mul", [writer.node("Mul", [x, x]), x])
            inner = writer.node("Add", [x, writer.node("Mul", [cube, number(0.044715)])])
            share = writer.node("Tanh", [writer.node("Mul", [inner, number(sqrt(2 / pi))])])
        else:
            share = writer.node("Erf", [writer.node("Mul", [x, number(sqrt(0.5))])])
        half = writer.node("Mul", [x, number(0.5)])
        return writer.node("Mul", [half, writer.node("Add", [share, number(1.0)])], output)
