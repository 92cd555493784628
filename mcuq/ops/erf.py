"""Erf: the error function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Erf(Function):
    """erf(x) = 2 / sqrt(pi) * the integral of exp(-t^2) for t from 0 to x."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Erf": from_unary(lambda node: Erf())}
    units = 2

    @property
    def expression(self) -> Expression:
        return call("error_function", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -0.1, 1),
        )
