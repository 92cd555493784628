"""Reciprocal: one over x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Reciprocal(Function):
    """1 / x; in float32 infinite at 0, which tables take for positive."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Reciprocal": from_unary(lambda node: Reciprocal())}
    units = 0.5

    @property
    def expression(self) -> Expression:
        return call("reciprocal", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), 0.25, 4),
            Example(cls(), -3, 3),
            Example(cls(), -3, -0.5),
        )
