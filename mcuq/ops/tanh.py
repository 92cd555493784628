"""Tanh: the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Tanh(Function):
    """Hyperbolic tangent."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Tanh": from_unary(lambda node: Tanh())}
    units = 2

    @property
    def expression(self) -> Expression:
        return call("hyperbolic_tangent", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -0.01, 0.02),
        )
