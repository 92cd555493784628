"""Asin: the inverse of the sine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Asin(Function):
    """The angle from -pi/2 to pi/2 whose sine is x; in float32 NaN beyond [-1, 1]."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Asin": from_unary(lambda node: Asin())}
    units = 4
    domain = (-1.0, 1.0)

    @property
    def expression(self) -> Expression:
        # Of a right-angled triangle: 1 - x and 1 + x lose nothing where it matters.
        return call("arctangent", X / call("square_root", (1 - X) * (1 + X)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -1, 1),
            Example(cls(), -0.2, 0.7),
        )
