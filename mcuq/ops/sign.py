"""Sign: -1, 0 or 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Sign(Function):
    """-1 where x < 0, 1 where x > 0, else 0; exact."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Sign": from_unary(lambda node: Sign())}
    units = 0

    @property
    def expression(self) -> Expression:
        return where(X > 0, 1, where(X < 0, -1, X))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), 0, 3),
        )
