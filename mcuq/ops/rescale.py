"""Rescale: the same values in other integers."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from mcuq.arithmetic.expression import Expression, X
from mcuq.graph.onnx import OnnxWriter
from mcuq.ops.function import Example, Function


@dataclass(frozen=True)
class Rescale(Function):
    """The same real values with another scale and zero point."""

    units = 0.0

    @property
    def expression(self) -> Expression:
        return X

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return Example(cls(), -4, 4), Example(cls(), -1, 7)

    @property
    def keeps_values(self) -> bool:
        return True

    @property
    def limits(self) -> tuple[float, float] | None:
        return -inf, inf

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.node("Identity", [x], output)
