"""Tan: the tangent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Tan(Function):
    """tan(x), of angles of any size."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Tan": from_unary(lambda node: Tan())}
    units = 6

    @property
    def expression(self) -> Expression:
        return call("sine", X) / call("cosine", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -1.5, 1.5),
            Example(cls(), -0.3, 1.2),
        )
