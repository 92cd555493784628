"""Swish: x times a sigmoid of it; SiLU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Swish(Function):
    """x / (1 + exp(-alpha * x))."""

    alpha: float = 1.0

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "Swish": from_unary(lambda node: Swish(float(node.attribute("alpha", 1.0))))
    }
    units = 4

    @property
    def expression(self) -> Expression:
        return X * call("sigmoid", X if self.alpha == 1 else X * self.alpha)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -4, 4),
            Example(cls(1.702), -30, 1),
            Example(cls(-0.5), -6, 6),
        )

    def stated_units(self, x: Array) -> Array:
        """Where alpha * x is rounded, that is up to |alpha * x| units of the exponential."""
        return self.units + (1.5 * np.abs(self.alpha * x) if self.alpha != 1 else 0 * x)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        # Swish came with opset 24.
        scaled = x if self.alpha == 1 else writer.node("Mul", [x, writer.constant(np.array(self.alpha, np.float32))])
        return writer.node("Mul", [x, writer.node("Sigmoid", [scaled])], output)
