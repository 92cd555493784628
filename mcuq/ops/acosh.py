"""Acosh: the inverse of the hyperbolic cosine."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, nan
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call, logarithm, logarithm_of_one_and, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Acosh(Function):
    """ln(x + sqrt(x^2 - 1)); in float32 NaN below 1."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Acosh": from_unary(lambda node: Acosh())}
    units = 4
    domain = (1.0, inf)

    @property
    def expression(self) -> Expression:
        more = X - 1
        near = logarithm_of_one_and(more + call("square_root", more * (2 + more)))
        # Beyond, 1 is nothing beside the square, which overflows.
        return where(X < 1, nan, where(X > 2.0**20, logarithm(X) + log(2), near))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), 1, 4),
            Example(cls(), 1, 300),
            Example(cls(), 0, 1.1),
            Example(cls(), 1, 100000000.0),
        )
