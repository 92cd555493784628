"""ThresholdedRelu: zero up to a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class ThresholdedRelu(Function):
    """x where x > alpha, else 0; exact."""

    alpha: float = 1.0

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "ThresholdedRelu": from_unary(lambda node: ThresholdedRelu(float(node.attribute("alpha", 1.0))))
    }
    units = 0

    @property
    def expression(self) -> Expression:
        return where(self.alpha < X, X, 0)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(-0.5), -4, 4),
            Example(cls(0.0), -1, 6),
        )

    @property
    def is_homogeneous(self) -> bool:
        return self.alpha == 0
