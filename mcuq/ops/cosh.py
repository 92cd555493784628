"""Cosh: the hyperbolic cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Cosh(Function):
    """(exp(x) + exp(-x)) / 2."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Cosh": from_unary(lambda node: Cosh())}
    units = 5

    @property
    def expression(self) -> Expression:
        # By a root, which is finite as long as it is.
        root = call("exponential", abs(X) * 0.5)
        return 0.5 * root * root + 0.5 / root / root

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -3, 3),
            Example(cls(), -0.2, 1.5),
            Example(cls(), -60, 2),
        )
