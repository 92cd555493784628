"""Atanh: the inverse of the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, logarithm_of_one_and, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Atanh(Function):
    """ln((1 + x) / (1 - x)) / 2; in float32 infinite at -1 and 1, NaN beyond."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Atanh": from_unary(lambda node: Atanh())}
    units = 4
    domain = (-1.0, 1.0)

    @property
    def expression(self) -> Expression:
        size = abs(X)
        inside = 0.5 * logarithm_of_one_and(2 * size / (1 - size))
        y = where(size < 1, inside, where(size > 1, nan, inf))
        return where(X < 0, -y, y)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -0.45, 0.45),
            Example(cls(), -0.1, 0.45),
        )
