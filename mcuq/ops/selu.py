"""Selu: a scaled Elu that keeps activations normalized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call, where
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


def _selu(node: OnnxNode) -> Selu:
    return Selu(float(node.attribute("alpha", Selu.alpha)), float(node.attribute("gamma", Selu.gamma)))


@dataclass(frozen=True)
class Selu(Function):
    """gamma * (x where x >= 0, else alpha * (exp(x) - 1))."""

    alpha: float = 1.67326319217681884765625
    gamma: float = 1.05070102214813232421875

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Selu": from_unary(_selu)}
    units = 2.5

    @property
    def expression(self) -> Expression:
        return where(X < 0, call("exponential_minus_one", X) * (self.alpha * self.gamma), X * self.gamma)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(2.0, 0.5), -40, 1),
        )
