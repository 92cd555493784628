"""LeakyRelu: a slope for negative values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, where
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class LeakyRelu(Function):
    """x where x >= 0, else alpha * x."""

    alpha: float = 0.01

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "LeakyRelu": from_unary(lambda node: LeakyRelu(float(node.attribute("alpha", 0.01))))
    }
    units = 1.1

    @property
    def expression(self) -> Expression:
        return where(X < 0, X * self.alpha, X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(0.3), -4, 1),
            Example(cls(-2.0), -2, 3),
        )

    @property
    def is_homogeneous(self) -> bool:
        return True
