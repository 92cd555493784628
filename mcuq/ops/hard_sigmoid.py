"""HardSigmoid: three straight pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, clamp
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class HardSigmoid(Function):
    """min(max(alpha * x + beta, 0), 1)."""

    alpha: float = 0.2
    beta: float = 0.5

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "HardSigmoid": from_unary(
            lambda node: HardSigmoid(float(node.attribute("alpha", 0.2)), float(node.attribute("beta", 0.5)))
        )
    }
    units = 1
    least = 0.5

    @property
    def expression(self) -> Expression:
        return clamp(X * self.alpha + self.beta, 0, 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(0.25, -0.5), -3, 7),
            Example(cls(-0.5, 0.25), -3, 1),
        )
