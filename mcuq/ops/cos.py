"""Cos: the cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Cos(Function):
    """cos(x), of angles of any size."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Cos": from_unary(lambda node: Cos())}
    units = 3

    @property
    def expression(self) -> Expression:
        return call("cosine", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -30, 3),
        )
