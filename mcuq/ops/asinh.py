"""Asinh: the inverse of the hyperbolic sine."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call, logarithm, logarithm_of_one_and, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Asinh(Function):
    """ln(x + sqrt(x^2 + 1))."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Asinh": from_unary(lambda node: Asinh())}
    units = 4

    @property
    def expression(self) -> Expression:
        size = abs(X)
        square = size * size
        near = logarithm_of_one_and(size + square / (1 + call("square_root", 1 + square)))
        # Beyond, 1 is nothing beside the square, which overflows.
        y = where(size > 2.0**20, logarithm(size) + log(2), near)
        return where(X < 0, -y, y)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -0.2, 300),
            Example(cls(), -100000000.0, 100000000.0),
        )
