"""HardSigmoid: three straight pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import hard_sigmoid
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.unary import Unary, from_unary


@dataclass(frozen=True)
class HardSigmoid(Unary):
    """min(max(alpha * x + beta, 0), 1)."""

    alpha: float = 0.2
    beta: float = 0.5

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "HardSigmoid": from_unary(
            lambda node: HardSigmoid(float(node.attribute("alpha", 0.2)), float(node.attribute("beta", 0.5)))
        )
    }

    def function(self, x: Array) -> Array:
        return np.clip(self.alpha * x + self.beta, 0, 1)

    def float_function(self, x: Array) -> Array:
        return hard_sigmoid(x, self.alpha, self.beta)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.node("HardSigmoid", [x], output, alpha=self.alpha, beta=self.beta)
