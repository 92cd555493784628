"""Atan: the inverse of the tangent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Atan(Function):
    """The angle from -pi/2 to pi/2 whose tangent is x."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Atan": from_unary(lambda node: Atan())}
    units = 2.5

    @property
    def expression(self) -> Expression:
        return call("arctangent", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -300, 3),
        )
