"""LeakyRelu: a slope for negative values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import leaky_relu
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.unary import Unary, from_unary


@dataclass(frozen=True)
class LeakyRelu(Unary):
    """x where x >= 0, else alpha * x."""

    alpha: float = 0.01

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "LeakyRelu": from_unary(lambda node: LeakyRelu(float(node.attribute("alpha", 0.01))))
    }

    def function(self, x: Array) -> Array:
        return np.where(x >= 0, x, self.alpha * x)

    @property
    def is_homogeneous(self) -> bool:
        return True

    def float_function(self, x: Array) -> Array:
        return leaky_relu(x, self.alpha)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.node("LeakyRelu", [x], output, alpha=self.alpha)
