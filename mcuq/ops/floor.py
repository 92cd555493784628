"""Floor: whole numbers below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Floor(Function):
    """The greatest whole number that is not above x, exact."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Floor": from_unary(lambda node: Floor())}
    units = 0

    @property
    def expression(self) -> Expression:
        return call("round_down", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(), -0.5, 30),
        )
