"""Exp: the exponential function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Exp(Function):
    """exp(x); in float32 infinite above 88.72 and 0 below -87.33."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Exp": from_unary(lambda node: Exp())}
    units = 1.2

    @property
    def expression(self) -> Expression:
        return call("exponential", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -80, 1),
            Example(cls(), -1, 88),
        )
