"""Abs: the magnitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Abs(Function):
    """|x|, exact."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Abs": from_unary(lambda node: Abs())}
    units = 0

    @property
    def expression(self) -> Expression:
        return abs(X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -7, 1),
        )

    @property
    def is_homogeneous(self) -> bool:
        return True
