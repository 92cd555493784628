"""Sigmoid: the logistic function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import sigmoid
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.unary import Unary, from_unary


@dataclass(frozen=True)
class Sigmoid(Unary):
    """1 / (1 + exp(-x))."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Sigmoid": from_unary(lambda node: Sigmoid())}

    def function(self, x: Array) -> Array:
        # tanh does not overflow where exp(-x) would.
        return 0.5 * (1 + np.tanh(0.5 * x))

    def float_function(self, x: Array) -> Array:
        return sigmoid(x)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.node("Sigmoid", [x], output)
