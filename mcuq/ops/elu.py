"""Elu: an exponential curve to -alpha for negative values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Elu(Function):
    """x where x >= 0, else alpha * (exp(x) - 1)."""

    alpha: float = 1.0

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "Elu": from_unary(lambda node: Elu(float(node.attribute("alpha", 1.0))))
    }
    units = 2.5

    @property
    def expression(self) -> Expression:
        return where(X < 0, call("exponential_minus_one", X) * self.alpha, X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(0.3), -40, 1),
            Example(cls(-2.0), -1, 2),
        )
