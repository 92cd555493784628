"""Sqrt: the square root."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Sqrt(Function):
    """The square root; in float32 NaN for negative x, which tables take for 0."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Sqrt": from_unary(lambda node: Sqrt())}
    units = 0.5
    domain = (0.0, inf)

    @property
    def expression(self) -> Expression:
        return call("square_root", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), 0, 4),
            Example(cls(), 0, 300),
        )
