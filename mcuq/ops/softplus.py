"""Softplus: the logarithm of one and exp(x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call, logarithm_of_one_and, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Softplus(Function):
    """ln(1 + exp(x))."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Softplus": from_unary(lambda node: Softplus())}
    units = 4

    @property
    def expression(self) -> Expression:
        return logarithm_of_one_and(call("exponential", where(X < 0, X, -X))) + where(X > 0, X, 0)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -60, 1),
            Example(cls(), -1, 30),
        )
