"""Clip: limits; ReLU and ReLU6 are this."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, clamp
from mcuq.graph.onnx import OnnxWriter
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


def _clip(node: OnnxNode) -> Clip:
    clip = Clip(node.real("min", 1, -inf), node.real("max", 2, inf))
    if clip.minimum > clip.maximum:
        raise node.error(f"min={clip.minimum:g} is above max={clip.maximum:g}")
    return clip


@dataclass(frozen=True)
class Clip(Function):
    """min(max(x, minimum), maximum); ReLU and ReLU6 are this. Fused into its producer where possible."""

    minimum: float = -inf
    maximum: float = inf

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "Relu": from_unary(lambda node: Clip(minimum=0.0)),
    }

    units = 0.0

    @property
    def expression(self) -> Expression:
        return clamp(X, self.minimum, self.maximum)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return Example(cls(0.0), -4, 4), Example(cls(0.0, 6.0), -1, 9), Example(cls(-0.5, 0.5), -1, 1)

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        return max(low, self.minimum), min(high, self.maximum)

    @property
    def limits(self) -> tuple[float, float] | None:
        return self.minimum, self.maximum

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.clip(x, self.minimum, self.maximum, output)


# ONNX's Clip between constants; `composed/clip.py` reads the operator.
from_constants = from_unary(_clip)
