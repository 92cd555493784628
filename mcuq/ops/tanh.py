"""Tanh: the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import hyperbolic_tangent
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.unary import Unary, from_unary


@dataclass(frozen=True)
class Tanh(Unary):
    """Hyperbolic tangent."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Tanh": from_unary(lambda node: Tanh())}

    def function(self, x: Array) -> Array:
        return np.tanh(x)

    def float_function(self, x: Array) -> Array:
        return hyperbolic_tangent(x)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.node("Tanh", [x], output)
