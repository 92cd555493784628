"""Softsign: x over one and its magnitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, clamp
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Softsign(Function):
    """x / (1 + |x|)."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Softsign": from_unary(lambda node: Softsign())}
    units = 2.5

    @property
    def expression(self) -> Expression:
        # Of larger x it is 1, and 1 + |x| has a reciprocal that is not subnormal.
        limited = clamp(X, -(2.0**30), 2.0**30)
        return limited * (1 / (1 + abs(limited)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -100, 1),
        )
