"""HardSwish: x times a hard sigmoid of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, clamp
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class HardSwish(Function):
    """x * min(max(x / 6 + 1/2, 0), 1)."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"HardSwish": from_unary(lambda node: HardSwish())}
    units = 2.5
    least = 0.25

    @property
    def expression(self) -> Expression:
        return X * clamp(X * (1 / 6) + 0.5, 0, 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -1, 30),
        )
