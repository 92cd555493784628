"""Shrink: values around zero become zero, others come nearer to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, where
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


def _shrink(node: OnnxNode) -> Shrink:
    return Shrink(float(node.attribute("bias", 0.0)), float(node.attribute("lambd", 0.5)))


@dataclass(frozen=True)
class Shrink(Function):
    """x + bias where x < -lambd, x - bias where x > lambd, else 0."""

    bias: float = 0.0
    lambd: float = 0.5

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Shrink": from_unary(_shrink)}
    units = 1
    least = 0.25

    @property
    def expression(self) -> Expression:
        return where(-self.lambd > X, X + self.bias, where(self.lambd < X, X - self.bias, 0))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(0.3, 0.3), -1, 2),
            Example(cls(-0.5, 0.0), -2, 2),
            Example(cls(0.0, 0.0), -2, 2),
        )

    @property
    def is_homogeneous(self) -> bool:
        return self.lambd == self.bias == 0
