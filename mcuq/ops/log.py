"""Log: the natural logarithm."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, logarithm
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Log(Function):
    """ln(x); in float32 minus infinity at 0 and NaN below, which tables take for 0."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Log": from_unary(lambda node: Log())}
    units = 1.0
    domain = (0.0, inf)

    @property
    def expression(self) -> Expression:
        return logarithm(X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), 0, 4),
            Example(cls(), 0, 300),
            Example(cls(), 0.9, 1.2),
        )
