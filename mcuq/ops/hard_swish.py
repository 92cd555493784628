"""HardSwish: x times a hard sigmoid of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import hard_swish
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.unary import Unary, from_unary


@dataclass(frozen=True)
class HardSwish(Unary):
    """x * min(max(x / 6 + 1/2, 0), 1)."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"HardSwish": from_unary(lambda node: HardSwish())}

    def function(self, x: Array) -> Array:
        return x * np.clip(x / 6 + 0.5, 0, 1)

    def float_function(self, x: Array) -> Array:
        return hard_swish(x)

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.node("HardSwish", [x], output)
