"""Sinh: the hyperbolic sine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Sinh(Function):
    """(exp(x) - exp(-x)) / 2."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Sinh": from_unary(lambda node: Sinh())}
    units = 5

    @property
    def expression(self) -> Expression:
        size = abs(X)
        # Small ones without a difference of like numbers: with m = exp(-|x|) - 1, (1 - (1 + m)^2) / (2 + 2 m).
        less = call("exponential_minus_one", -size)
        near = less * (2 + less) / (-2 - 2 * less)
        # Large ones by a root, which is finite as long as they are.
        root = call("exponential", size * 0.5)
        far = 0.5 * root * root - 0.5 / root / root
        y = where(size < 1, near, far)
        return where(X < 0, -y, y)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -3, 3),
            Example(cls(), -0.2, 1.5),
            Example(cls(), -60, 2),
        )
