"""Celu: an exponential curve to -alpha for negative values, smooth at 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call, where
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


def _celu(node: OnnxNode) -> Celu:
    alpha = float(node.attribute("alpha", 1.0))
    if not alpha > 0:
        raise node.error(f"alpha={alpha:g} is not supported; it must be positive", "alpha")
    return Celu(alpha)


@dataclass(frozen=True)
class Celu(Function):
    """x where x >= 0, else alpha * (exp(x / alpha) - 1), for positive alpha."""

    alpha: float = 1.0

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Celu": from_unary(_celu)}
    units = 3

    @property
    def expression(self) -> Expression:
        return where(X < 0, call("exponential_minus_one", X * (1 / self.alpha)) * self.alpha, X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(0.3), -40, 1),
            Example(cls(2.5), -1, 2),
        )
