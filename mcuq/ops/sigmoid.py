"""Sigmoid: the logistic function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Sigmoid(Function):
    """1 / (1 + exp(-x))."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Sigmoid": from_unary(lambda node: Sigmoid())}
    units = 3

    @property
    def expression(self) -> Expression:
        return call("sigmoid", X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -9, 9),
            Example(cls(), -100, 2),
        )
